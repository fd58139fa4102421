"""The check `protection-lapse`: what is a lapse, how long it lasted, who may pass by, and which history was covered."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from checks.protection_lapse import CHECK, LapseExpectations
from monitor.facts.protection import (
    BranchUpdate,
    DemandChange,
    Demands,
    ForgeActor,
    ProtectionBypass,
    ProtectionChange,
    ProtectionRule,
    StatusCheck,
    Targets,
)
from monitor.facts.repository import HistoryCoverage, Repository
from monitor.model import ChangeClass, EvidenceRef, Outcome, Result, Severity, Sweep, Unknown, Window

WINDOW = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
SWEEP = Sweep(id="s1", planned_for=WINDOW.end, at=WINDOW.end, window=WINDOW)
REF = EvidenceRef(kind="event", name="audit", sha256="ef" * 32)
OPENED = datetime(2026, 3, 10, 9, 14, tzinfo=UTC)
GOOD = Demands(pull_request=True, approvals=2, status_checks=(StatusCheck("build"),))
MAIN = "github:repository:7:branch:main"
LAPSE = f"{MAIN}:lapse@2026-03-10T09:14Z"
EMERGENCY = {
    "id": "EC-1",
    "ticket": "OPS-1",
    "approver": "manager",
    "repositories": ["example-org/payments"],
    "from": "2026-03-10T09:00:00Z",
    "to": "2026-03-10T10:00:00Z",
    "reason": "outage",
}


def minutes(after: float) -> datetime:
    return OPENED + timedelta(minutes=after)


def rule(key: str = "ruleset:1", **change: Any) -> ProtectionRule:
    kind = "classic" if key.startswith("classic") else "repository-ruleset"
    given: dict[str, Any] = {"targets": Targets(include=("main",)), "demands": GOOD, **change}
    return ProtectionRule(key=key, kind=kind, name="main" if kind == "classic" else key, **given)


HOME = Repository(
    organisation="example-org",
    id=7,
    name="example-org/payments",
    at=WINDOW.end,
    default_branch="main",
    branches=("main", "dev"),
    rules=(rule(),),
)


def home(*rules: ProtectionRule, **change: Any) -> Repository:
    return msgspec.structs.replace(HOME, **{"rules": rules or HOME.rules, **change})


def edit(
    after: float, direction: str, demand: str = "enforcement", value: Any = None, **change: Any
) -> ProtectionChange:
    given: dict[str, Any] = {
        "id": f"{after}:{direction}:{demand}",
        "organisation": "example-org",
        "repository_id": 7,
        "repository": "example-org/payments",
        "rule": "ruleset:1",
        "rule_name": "protect",
        "action": "repository_ruleset.update",
        "actor": ForgeActor(name="maria", kind="person"),
        "evidence": (REF,),
        **change,
    }
    return ProtectionChange(
        at=minutes(after), changes=(DemandChange(demand=demand, direction=direction, value=value),), **given
    )


def update(after: float, kind: str = "push", **change: Any) -> BranchUpdate:
    given = {"branch": "main", "repository_id": 7, **change}
    return BranchUpdate(
        id=f"u{after}{kind}", at=minutes(after), organisation="example-org", kind=kind, after="b" * 40, **given
    )


def bypass(after: float = 0, name: str = "maria", kind: str = "person", **change: Any) -> ProtectionBypass:
    given: dict[str, Any] = {"branch": "main", "repository_id": 7, "demands": ("approvals",), **change}
    return ProtectionBypass(
        id=f"b{after}{name}",
        at=minutes(after),
        organisation="example-org",
        actor=ForgeActor(name=name, kind=kind),
        **given,
    )


def coverage(source: str, *shows: str, **change: Any) -> HistoryCoverage:
    return HistoryCoverage(
        **{"organisation": "example-org", "source": source, "shows": shows, "window": WINDOW, **change}
    )


def expecting(*emergencies: dict[str, Any], **terms: Any) -> LapseExpectations:
    wanted = {"match": ["~DEFAULT_BRANCH", "release/*"], "pull_request": True, "approvals": 2, **terms}
    return LapseExpectations.model_validate(
        {"repositories": [{"match": ["example-org/*"], "branches": [wanted]}], "emergency_changes": list(emergencies)}
    )


EXPECT = expecting()


def judge(*facts: Any, expect: LapseExpectations = EXPECT) -> dict[str, Result]:
    found = list(CHECK.evaluate(facts, expect, SWEEP))
    for seed in range(5):
        assert list(CHECK.evaluate(random.Random(seed).sample(facts, len(facts)), expect, SWEEP)) == found
    assert len({one.subject for one in found}) == len(found)
    return {one.subject: one for one in found}


def lapses(*facts: Any, expect: LapseExpectations = EXPECT) -> list[Result]:
    return [one for subject, one in judge(*facts, expect=expect).items() if ":lapse@" in subject]


def lapse(*facts: Any, expect: LapseExpectations = EXPECT) -> Result:
    (found,) = lapses(*facts, expect=expect)
    return found


OFF, ON = edit(0, "weaker"), edit(11, "stronger")


def test_a_closed_lapse_says_who_what_and_how_long() -> None:
    found = lapse(home(), OFF, ON)
    assert (found.subject, found.outcome, found.severity, found.actor) == (LAPSE, Outcome.FAIL, Severity.HIGH, "maria")
    assert (found.observed["from"], found.observed["to"]) == (minutes(0).isoformat(), minutes(11).isoformat())
    assert found.observed["weakened"] == ["enforcement"]
    assert [one["action"] for one in found.observed["edits"]] == ["repository_ruleset.update"] * 2
    assert "for 11 min, from 2026-03-10 09:14 to 09:25 UTC" in found.reason
    assert found.evidence == (REF,)


def test_an_open_lapse_says_that_it_is_still_so() -> None:
    found = lapse(home(rule(enforced=False)), OFF)
    assert (found.outcome, found.observed["to"]) == (Outcome.FAIL, None)
    assert "and still so" in found.reason


def test_a_moment_that_only_two_samples_show_is_a_range() -> None:
    off = edit(0, "weaker", not_before=minutes(-60))
    on = edit(11, "stronger", not_before=minutes(5))
    found = lapse(home(), off, on, update(-30))
    assert (found.observed["from_after"], found.observed["to_after"]) == (
        minutes(-60).isoformat(),
        minutes(5).isoformat(),
    )
    assert "at most 71 min" in found.reason
    assert found.observed["landed_count"] == 1


def test_an_emergency_must_cover_the_whole_range_of_a_sampled_lapse() -> None:
    off = edit(0, "weaker", not_before=minutes(-60))
    assert lapse(home(), off, ON, expect=expecting(EMERGENCY)).outcome is Outcome.FAIL
    whole = {**EMERGENCY, "from": "2026-03-10T08:14:00Z"}
    assert lapse(home(), off, ON, expect=expecting(whole)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (edit(0, "weaker", "approvals", 1), [Outcome.FAIL]),
        (edit(0, "weaker", "approvals", 0), [Outcome.FAIL]),
        (edit(0, "weaker", "approvals", 2), []),
        (edit(0, "weaker", "approvals"), [Outcome.FAIL]),
        (edit(0, "weaker", "pull_request", False), [Outcome.FAIL]),
        (edit(0, "weaker", "bypass"), [Outcome.FAIL]),
        (edit(0, "weaker", "targets"), [Outcome.FAIL]),
        (edit(0, "weaker", "*"), [Outcome.FAIL]),
        (edit(0, "unclear", "approvals"), [Outcome.UNKNOWN]),
        (edit(0, "unclear", "*"), [Outcome.UNKNOWN]),
        (edit(0, "a word of tomorrow", "approvals"), [Outcome.UNKNOWN]),
        (edit(0, "unclear", "approvals", 3), []),
        (edit(0, "stronger", "approvals", 3), []),
        (edit(0, "stronger", "bypass"), []),
        (edit(0, "weaker", "signatures"), []),
        (edit(0, "weaker", "a demand of tomorrow"), []),
        (edit(0, "weaker", repository_id=8), []),
        (edit(0, "weaker", repository_id=0, organisation="other-org"), []),
        (edit(0, "weaker", repository_id=0, organisation="Example-Org"), [Outcome.FAIL]),
        (edit(0, "weaker", rule="ruleset:2", targets=Targets(include=("dev",))), []),
        (edit(0, "weaker", rule="ruleset:2", targets=Targets(include=("m*n",))), [Outcome.FAIL]),
    ],
)
def test_what_opens_a_lapse(change: ProtectionChange, told: list[Outcome]) -> None:
    rules = (rule(enforced=False),)
    assert [one.outcome for one in lapses(home(*rules), change)] == told


def test_a_lapse_that_had_to_be_assumed_says_so() -> None:
    assert lapse(home(rule(enforced=False)), edit(0, "weaker", rule="ruleset:9")).observed["assumed"] is True
    assert lapse(home(rule(enforced=False)), OFF).observed["assumed"] is False


def test_of_an_edit_only_what_is_demanded_counts() -> None:
    both = msgspec.structs.replace(
        OFF,
        changes=(
            DemandChange(demand="signatures", direction="weaker"),
            DemandChange(demand="approvals", direction="weaker"),
        ),
    )
    assert lapse(home(rule(enforced=False)), both).observed["weakened"] == ["approvals"]


def test_what_is_weakened_in_two_steps_ends_when_each_is_back() -> None:
    facts = [
        edit(0, "weaker", "approvals", 0),
        edit(2, "weaker", "pull_request", False),
        edit(5, "stronger", "approvals", 2),
        edit(9, "stronger", "pull_request", True),
    ]
    ends = {one.observed["from"]: one.observed["to"] for one in lapses(home(), *facts)}
    assert ends == {
        minutes(0).isoformat(): minutes(5).isoformat(),
        minutes(2).isoformat(): minutes(9).isoformat(),
    }


def test_a_value_that_is_raised_but_not_enough_ends_nothing() -> None:
    rules = home(rule(demands=Demands(pull_request=True, approvals=1)))
    half = edit(5, "stronger", "approvals", 1)
    assert lapse(rules, edit(0, "weaker", "approvals", 0), half).observed["to"] is None


def test_two_lapses_in_one_minute_have_subjects_of_their_own() -> None:
    facts = [
        edit(0, "weaker", id="a"),
        edit(0.2, "stronger", id="b"),
        edit(0.4, "weaker", id="c"),
        edit(0.6, "stronger", id="d"),
    ]
    found = lapses(home(), *facts)
    assert [one.subject for one in found] == [f"{LAPSE}#a", f"{LAPSE}#c"]


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (rule("ruleset:2"), 0),
        (rule("classic:5"), 0),
        (rule("ruleset:2", enforced=False), 1),
        (rule("ruleset:2", enforced=Unknown("?")), 1),
        (rule("ruleset:2", targets=Targets(include=("dev",))), 1),
        (rule("ruleset:2", demands=Demands(pull_request=True, approvals=1)), 1),
        (rule("ruleset:2", demands=Demands(pull_request=True, approvals=Unknown("?"))), 1),
    ],
)
def test_only_another_rule_that_was_enough_all_the_time_excuses(other: ProtectionRule, told: int) -> None:
    assert len(lapses(home(rule(), other), OFF, ON)) == told


def test_two_rules_that_are_off_at_once_do_not_excuse_each_other() -> None:
    second = [edit(3, "weaker", rule="ruleset:2"), edit(9, "stronger", rule="ruleset:2")]
    assert lapses(home(rule(), rule("ruleset:2")), OFF, ON, *second)


CLASSIC: dict[str, Any] = {"rule_name": "main", "targets": Targets(include=("main",))}
GONE = edit(0, "weaker", "*", rule="classic:5", action="protected_branch.destroy", **CLASSIC)
AGAIN = edit(11, "stronger", "*", rule="classic:6", action="protected_branch.create", **CLASSIC)


def test_a_classic_rule_that_is_made_again_under_a_new_id_ends_the_lapse_where_it_is_enough() -> None:
    assert lapse(home(rule("classic:6")), GONE, AGAIN).observed["to"] == minutes(11).isoformat()
    weak = rule("classic:6", demands=Demands(pull_request=True))
    assert lapse(home(weak), GONE, AGAIN).observed["to"] is None


def test_the_switch_of_the_whole_repository_is_a_lapse_and_no_classic_rule_excuses_it() -> None:
    off, on = (
        edit(n, way, "*", rule="repository:classic", rule_name="") for n, way in ((0, "weaker"), (11, "stronger"))
    )
    assert lapse(home(rule("classic:5")), off, on).observed["to"] == minutes(11).isoformat()
    assert lapses(home(rule("classic:5"), rule("ruleset:2")), off, on) == []


def test_a_ruleset_of_the_organisation_is_a_lapse_in_each_repository() -> None:
    wide = {"repository_id": 0, "repository": ""}
    other = home(id=8, name="example-org/ledger")
    found = lapses(home(), other, edit(0, "weaker", **wide), edit(11, "stronger", **wide))
    assert [one.subject.split(":branch")[0] for one in found] == ["github:repository:7", "github:repository:8"]


@pytest.mark.parametrize(
    ("change", "excused"),
    [
        ({}, True),
        ({"from": "2026-03-10T09:14:00Z", "to": "2026-03-10T09:25:00Z"}, True),
        ({"from": "2026-03-10T09:14:01Z"}, False),
        ({"to": "2026-03-10T09:24:59Z"}, False),
        ({"repositories": ["example-org/ledger"]}, False),
    ],
)
def test_only_an_emergency_that_covers_the_whole_lapse_excuses_it(change: dict[str, Any], excused: bool) -> None:
    found = lapse(home(), OFF, ON, expect=expecting({**EMERGENCY, **change}))
    assert (found.outcome is Outcome.PASS, found.change_class is ChangeClass.EMERGENCY) == (excused, excused)
    assert ("declared as EC-1 (OPS-1)" in found.reason) is excused


def test_no_emergency_covers_a_lapse_that_is_still_open() -> None:
    found = lapse(home(rule(enforced=False)), OFF, expect=expecting({**EMERGENCY, "to": "2030-01-01T00:00:00Z"}))
    assert (found.outcome, found.change_class) == (Outcome.FAIL, None)


@pytest.mark.parametrize("kind", ["push", "force-push", "merge", "merge-queue", "deletion"])
def test_what_landed_inside_is_told_and_makes_it_critical(kind: str) -> None:
    inside = update(5, kind, change_requests=(12,))
    found = lapse(home(), OFF, ON, inside, update(-1, kind), update(11, kind), update(6, kind, branch="dev"), update(7, kind, repository_id=8))  # fmt: skip
    assert (found.severity, found.observed["landed_count"]) == (Severity.CRITICAL, 1)
    assert "#12" in found.reason


def test_a_branch_that_is_only_made_inside_is_nothing_that_landed() -> None:
    assert lapse(home(), OFF, ON, update(5, "creation")).severity is Severity.HIGH


def passes(*facts: Any, **terms: Any) -> dict[str, Result]:
    return {s: one for s, one in judge(*facts, expect=expecting(**terms)).items() if ":bypass@" in s}


@pytest.mark.parametrize(
    ("allowed", "one", "outcome"),
    [
        (None, bypass(), Outcome.FAIL),
        ("user:maria", bypass(), Outcome.PASS),
        ("user:Maria", bypass(), Outcome.PASS),
        ("user:ben", bypass(), Outcome.FAIL),
        ("team:maria", bypass(), Outcome.FAIL),
        ("app:merge-bot", bypass(name="merge-bot[bot]", kind="bot"), Outcome.PASS),
        ("app:merge-bot", bypass(name="merge-bot", kind="app"), Outcome.PASS),
        ("app:merge-bot", bypass(name="merge-bot", kind="person"), Outcome.FAIL),
        ("app:merge-bot", bypass(name="", kind="unknown"), Outcome.FAIL),
    ],
)
def test_only_who_is_expected_may_pass_a_rule_by(allowed: str | None, one: ProtectionBypass, outcome: Outcome) -> None:
    terms = {"bypass": [{"actor": allowed, "mode": "always"}]} if allowed else {}
    (found,) = passes(home(), one, **terms).values()
    assert (found.outcome, found.change_class) == (outcome, None)


def test_bypasses_are_told_by_branch_person_and_day() -> None:
    found = passes(
        home(),
        bypass(0),
        bypass(1),
        bypass(2, "ben"),
        bypass(1440),
        bypass(3, branch="dev"),
        bypass(4, repository_id=8),
    )
    assert {s.removeprefix(f"{MAIN}:"): one.observed["count"] for s, one in found.items()} == {
        "bypass@2026-03-10:maria": 2,
        "bypass@2026-03-10:ben": 1,
        "bypass@2026-03-11:maria": 1,
    }


def test_an_emergency_excuses_bypasses_only_if_it_covers_each() -> None:
    found = judge(home(), bypass(0), bypass(1), expect=expecting(EMERGENCY))[f"{MAIN}:bypass@2026-03-10:maria"]
    assert (found.outcome, found.change_class) == (Outcome.PASS, ChangeClass.EMERGENCY)
    found = judge(home(), bypass(0), bypass(90), expect=expecting(EMERGENCY))[f"{MAIN}:bypass@2026-03-10:maria"]
    assert (found.outcome, found.change_class) == (Outcome.FAIL, None)


def test_a_bypass_on_a_branch_that_is_gone_is_still_told() -> None:
    (found,) = passes(home(), bypass(branch="release/1")).values()
    assert (found.outcome, ":branch:release/1:" in found.subject) == (Outcome.FAIL, True)


def test_a_lapse_is_told_where_the_branches_could_not_be_read() -> None:
    blind = home(branches=Unknown("denied", "contents:read"), rules=(rule(),))
    assert lapse(blind, OFF, ON).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "change", [{"archived": True}, {"default_branch": "", "branches": ()}, {"name": "other-org/x"}]
)
def test_what_has_no_branch_to_protect_is_not_told(change: dict[str, Any]) -> None:
    assert judge(home(**change), OFF, ON, bypass()) == {}


def history(*facts: Any, **change: Any) -> Result:
    (found,) = [one for s, one in judge(home(**change), *facts).items() if ":history@" in s]
    return found


AUDIT, SUITES = coverage("audit-log", "changes", "bypasses"), coverage("rule-suites", "bypasses")
EDITS = coverage("ruleset-history", "changes")


def test_history_that_was_covered_passes() -> None:
    assert history(AUDIT).outcome is Outcome.PASS
    assert history(EDITS, SUITES).outcome is Outcome.PASS
    assert history(AUDIT).subject == f"{MAIN}:history@2026-03-01T00:00Z"


def test_only_the_audit_log_shows_the_edits_of_classic_rules() -> None:
    assert history(EDITS, SUITES, rules=(rule("classic:5"),)).outcome is Outcome.UNKNOWN
    assert history(AUDIT, rules=(rule("classic:5"),)).outcome is Outcome.PASS


def test_history_that_was_not_covered_is_unknown_and_names_the_grant() -> None:
    assert history().outcome is Outcome.UNKNOWN
    denied = coverage("audit-log", "changes", window=None, unknown=Unknown("denied", "read:audit_log"))
    found = history(denied, SUITES)
    assert (found.outcome, found.remedy) == (Outcome.UNKNOWN, "read:audit_log")
    assert "changes were not covered (denied)" in found.reason


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        ((1, 10), (10, 31), Outcome.PASS),
        ((1, 20), (10, 31), Outcome.PASS),
        ((1, 10), (11, 31), Outcome.UNKNOWN),
        ((2, 10), (10, 31), Outcome.UNKNOWN),
        ((1, 10), (10, 30), Outcome.UNKNOWN),
    ],
)
def test_windows_must_cover_all_without_a_hole(
    first: tuple[int, int], second: tuple[int, int], outcome: Outcome
) -> None:
    def during(days: tuple[int, int]) -> HistoryCoverage:
        start, end = (datetime(2026, 3, day, tzinfo=UTC) for day in days)
        return msgspec.structs.replace(EDITS, window=Window(start, end))

    whole = msgspec.structs.replace(SUITES, window=Window(WINDOW.start, datetime(2026, 3, 31, tzinfo=UTC)))
    assert history(during(first), during(second), whole).outcome is outcome


@pytest.mark.parametrize("change", [{"organisation": "other-org"}, {"repository_id": 8}])
def test_what_covers_another_place_covers_nothing_here(change: dict[str, Any]) -> None:
    assert history(msgspec.structs.replace(AUDIT, **change)).outcome is Outcome.UNKNOWN
    assert history(msgspec.structs.replace(AUDIT, organisation="EXAMPLE-org", repository_id=7)).outcome is Outcome.PASS


def test_names_from_outside_stay_text() -> None:
    hostile = "\x1b[31m\n<script>=1+1"
    actor = ForgeActor(name=hostile, kind=hostile)
    found = judge(
        home(rule(enforced=False)), msgspec.structs.replace(OFF, actor=actor, rule_name=hostile), bypass(name=hostile)
    )
    assert {one.outcome for s, one in found.items() if ":history@" not in s} == {Outcome.FAIL}
    msgspec.json.encode([one.observed for one in found.values()])

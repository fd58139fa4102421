"""From edits of protection to windows: what opens one, what ends it, and what is none."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from checks.direct_push import PushExpectations
from checks.direct_push import evaluate as pushes
from checks.protection_lapse import LapseExpectations
from checks.protection_lapse import evaluate as judged
from monitor.expected.models import EmergencyChange, RepositoryExpectation
from monitor.facts.protection import (
    BranchUpdate,
    DemandChange,
    Demands,
    ForgeActor,
    ProtectionBypass,
    ProtectionChange,
    ProtectionRule,
    Targets,
)
from monitor.facts.repository import HistoryCoverage, Repository
from monitor.model import Outcome, Result, Sweep, Unknown, Window

WINDOW = Window(datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC))
SWEEP = Sweep(id="s", planned_for=WINDOW.end, at=WINDOW.end, window=WINDOW)
WANTED = RepositoryExpectation.model_validate(
    {"match": ["example-org/*"], "branches": [{"match": ["~DEFAULT_BRANCH"], "pull_request": True, "approvals": 2}]}
)
GOOD = Demands(pull_request=True, approvals=2)
COVERED = [
    HistoryCoverage(organisation="example-org", source=source, shows=(what,), window=WINDOW)
    for source, what in (("audit-log", "changes"), ("rule-suites", "bypasses"))
]


def at(day: int, hour: int = 9, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def rule(key: str = "ruleset:1", demands: Demands = GOOD, **more: Any) -> ProtectionRule:
    kind = "classic" if key.startswith("classic") else "repository-ruleset"
    name = "main" if kind == "classic" else key
    return ProtectionRule(key=key, kind=kind, name=name, demands=demands, targets=Targets(include=("main",)), **more)


def repository(*rules: ProtectionRule) -> Repository:
    return Repository(
        organisation="example-org", id=7, name="example-org/payments", at=at(31), default_branch="main", branches=("main",), rules=rules
    )  # fmt: skip


def edit(
    when: datetime, direction: str, demand: str = "enforcement", key: str = "ruleset:1", **more: Any
) -> ProtectionChange:
    value = more.pop("value", None)
    return ProtectionChange(
        id=f"{when}{demand}{key}", at=when, organisation="example-org", repository_id=7, repository="example-org/payments",
        rule=key, rule_name="main" if key.startswith("classic") else key, action=more.pop("action", "repository_ruleset.update"), actor=ForgeActor(name="lead", kind="person"),
        changes=(DemandChange(demand=demand, direction=direction, value=value),), **more,
    )  # fmt: skip


def results(*facts: Any, emergencies: tuple[EmergencyChange, ...] = ()) -> list[Result]:
    found = list(judged(facts, LapseExpectations(repositories=(WANTED,), emergency_changes=emergencies), SWEEP))
    assert found == list(
        judged(reversed(facts), LapseExpectations(repositories=(WANTED,), emergency_changes=emergencies), SWEEP)
    )
    assert len({r.subject for r in found}) == len(found)
    return found


def lapses(*facts: Any, **more: Any) -> list[tuple[str, str | None]]:
    return [
        (r.outcome.value, r.observed["to"] and r.observed["to"][:16])
        for r in results(*facts, **more)
        if ":lapse@" in r.subject
    ]


def declared(start: datetime, end: datetime) -> EmergencyChange:
    return EmergencyChange.model_validate(
        {
            "id": "EC-1",
            "ticket": "OPS-1",
            "approver": "manager",
            "repositories": ["example-org/*"],
            "from": start,
            "to": end,
            "reason": "x",
        }
    )


OFF, ON = edit(at(10), "weaker"), edit(at(10, 9, 30), "stronger")


def test_off_and_on_again_is_one_window():
    assert lapses(repository(rule()), OFF, ON) == [("fail", "2026-03-10T09:30")]


def test_off_and_never_on_is_still_open():
    assert lapses(repository(rule(enforced=False)), OFF) == [("fail", None)]


def test_what_a_sample_shows_to_be_on_again_ended_by_then():
    (found,) = [r for r in results(repository(rule()), OFF) if ":lapse@" in r.subject]
    assert found.observed["to"] == at(31).isoformat()
    assert found.observed["to_after"] == at(10).isoformat()
    assert "at most" in found.reason


def test_a_stricter_edit_is_no_lapse_and_resets_nothing():
    assert lapses(repository(rule()), edit(at(5), "stronger", "approvals", value=3)) == []
    stricter = edit(at(10, 9, 10), "stronger", "signatures")
    assert lapses(repository(rule()), OFF, stricter, ON) == [("fail", "2026-03-10T09:30")]


def test_what_nobody_expects_may_go():
    assert lapses(repository(rule()), edit(at(5), "weaker", "signatures")) == []


def test_a_value_that_is_still_enough_is_no_lapse():
    assert lapses(repository(rule()), edit(at(5), "weaker", "approvals", value=2)) == []
    assert lapses(repository(rule()), edit(at(5), "weaker", "approvals", value=1)) != []


def test_an_edit_that_nobody_can_tell_is_unknown():
    assert [outcome for outcome, _ in lapses(repository(rule()), edit(at(5), "unclear", "approvals"))] == ["unknown"]


def test_another_rule_that_nobody_touched_makes_the_same_demand():
    assert lapses(repository(rule(), rule("ruleset:2")), OFF, ON) == []
    weak = rule("ruleset:2", Demands(pull_request=True, approvals=1))
    assert lapses(repository(rule(), weak), OFF, ON) == [("fail", "2026-03-10T09:30")]


def test_a_rule_made_again_ends_the_window_only_if_it_is_enough():
    gone = edit(at(10), "weaker", "*", "classic:main", action="protected_branch.destroy")
    again = edit(at(10, 9, 30), "stronger", "*", "classic:main", action="protected_branch.create")
    assert lapses(repository(rule("classic:9")), gone, again) == [("fail", "2026-03-10T09:30")]
    weaker = rule("classic:9", Demands(pull_request=True, approvals=1))
    assert lapses(repository(weaker), gone, again) == [("fail", None)]


def test_the_switch_for_the_whole_repository_is_a_lapse_of_every_classic_rule():
    off = edit(at(10), "weaker", "*", "repository:classic")
    on = edit(at(10, 9, 30), "stronger", "*", "repository:classic")
    assert lapses(repository(rule("classic:9")), off, on) == [("fail", "2026-03-10T09:30")]


def test_a_declared_emergency_covers_a_window_that_lies_wholly_in_it():
    whole, part = declared(at(10, 8), at(10, 10)), declared(at(10, 8), at(10, 9, 20))
    (found,) = [r for r in results(repository(rule()), OFF, ON, emergencies=(whole,)) if ":lapse@" in r.subject]
    assert (found.outcome, found.change_class) == (Outcome.PASS, "emergency")
    assert lapses(repository(rule()), OFF, ON, emergencies=(part,)) == [("fail", "2026-03-10T09:30")]
    assert lapses(repository(rule(enforced=False)), OFF, emergencies=(whole,)) == [("fail", None)]


def test_what_landed_inside_is_told_and_makes_it_critical():
    def moved(when: datetime, kind: str = "merge") -> BranchUpdate:
        return BranchUpdate(
            id=str(when), at=when, organisation="example-org", repository_id=7, branch="main", after="a" * 40, kind=kind
        )

    inside, outside = moved(at(10, 9, 10)), moved(at(10, 9, 30))
    (found,) = [r for r in results(repository(rule()), OFF, ON, inside, outside) if ":lapse@" in r.subject]
    assert found.severity == "critical"
    assert [one["at"] for one in found.observed["landed"]] == [inside.at.isoformat()]


def test_a_branch_passes_only_where_its_whole_window_was_covered():
    def history(*facts: Any) -> tuple[str, str]:
        (found,) = [r for r in results(repository(rule()), *facts) if ":history@" in r.subject]
        return found.outcome.value, found.remedy

    assert history(*COVERED) == ("pass", "")
    denied = HistoryCoverage(
        organisation="example-org", source="audit-log", shows=("changes",), unknown=Unknown("denied", "read:audit_log")
    )
    assert history(denied, COVERED[1]) == ("unknown", "read:audit_log")
    late = HistoryCoverage(
        organisation="example-org", source="audit-log", shows=("changes",), window=Window(at(2), WINDOW.end)
    )
    assert history(late, COVERED[1])[0] == "unknown"


def test_a_bypass_is_told_by_person_and_day():
    passed = ProtectionBypass(
        id="b",
        at=at(12),
        organisation="example-org",
        repository_id=7,
        branch="main",
        actor=ForgeActor(name="admin"),
        demands=("approvals",),
    )
    (found,) = [r for r in results(repository(rule()), passed) if ":bypass@" in r.subject]
    assert (found.outcome, found.actor, found.subject.endswith("bypass@2026-03-12:admin")) == (
        Outcome.FAIL,
        "admin",
        True,
    )


def test_pushes_are_judged_by_how_they_arrived():
    def outcome(kind: str, requests: Any = ()) -> str:
        update = BranchUpdate(
            id="u",
            at=at(3),
            organisation="example-org",
            repository_id=7,
            branch="main",
            after="a" * 40,
            kind=kind,
            change_requests=requests,
        )
        (found,) = pushes([repository(rule()), update], PushExpectations(repositories=(WANTED,)), SWEEP)
        return found.outcome.value

    assert [outcome(kind) for kind in ("merge", "merge-queue", "push", "force-push", "deletion", "creation")] == [
        *("pass", "pass", "fail", "fail", "fail", "not-applicable"),
    ]
    assert outcome("push", (12,)) == "pass"
    assert outcome("push", Unknown("denied", "pull_requests:read")) == "unknown"


def test_a_bypass_that_is_allowed_by_pull_request_only_is_unknown_since_the_log_does_not_tell_how_it_was_made():
    passed = ProtectionBypass(
        id="b", at=at(12), organisation="example-org", repository_id=7, branch="main", actor=ForgeActor(name="lead", kind="person")
    )  # fmt: skip

    def outcome(mode: str) -> str:
        wanted = RepositoryExpectation.model_validate(
            {
                "match": ["example-org/*"],
                "branches": [{"match": ["main"], "approvals": 2, "bypass": [{"actor": "user:lead", "mode": mode}]}],
            }
        )
        found = judged([repository(rule()), passed], LapseExpectations(repositories=(wanted,)), SWEEP)
        return next(r.outcome.value for r in found if ":bypass@" in r.subject)

    assert [outcome("always"), outcome("pull-request")] == ["pass", "unknown"]

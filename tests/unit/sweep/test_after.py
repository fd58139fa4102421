"""What is done to results after the checks: owners, waivers, what stays unknown, and the use of waivers and emergencies."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.expected.changes import EmergencyChange
from monitor.expected.waivers import Waiver, Waivers
from monitor.facts.remembered import Remembered
from monitor.model import ChangeClass, Outcome, Result, Severity, Sweep, Window
from monitor.settings.findings import OwnerRule
from monitor.store.reconcile import FindingState, Step, finding_id
from monitor.store.record import Standing
from monitor.store.views import Finding
from monitor.sweep import registry
from monitor.sweep.after import Governing, Settled, after, counts, settle
from monitor.sweep.evaluate import E, evaluate
from monitor.sweep.standing import Asked, Excused, ask

NOW = datetime(2026, 4, 20, 2, tzinfo=UTC)
DAY = timedelta(days=1)
CHECKS = registry.discover()
BRANCH, PUSH, DIRECT = "branch-protection", "direct-push", "direct-production-change"
COVERAGE, WAIVERS = "monitoring-coverage", "waiver-governance"
SCOPE = "github:example-org/payments"


class Expected:
    """Expected state that holds emergencies and nothing else."""

    def __init__(self, *emergencies: EmergencyChange) -> None:
        self.emergencies = emergencies

    def build(self, cls: type[E]) -> E:
        return cls.model_validate(
            {"emergency_changes": self.emergencies} if "emergency_changes" in cls.model_fields else {}
        )


def sweep(at: datetime = NOW, **more: Any) -> Sweep:
    return Sweep(id="s", planned_for=at, at=at, window=more.get("window") or Window(at - DAY, at))


def result(subject: str = "a", outcome: Outcome = Outcome.FAIL, **more: Any) -> Result:
    values: dict[str, Any] = {"check": BRANCH, "reason": "because", "scope": SCOPE, "severity": Severity.HIGH}
    return Result(subject=subject, outcome=outcome, **(values | more))


def finding(subject: str = "a", outcome: Outcome = Outcome.FAIL, **more: Any) -> Finding:
    check = more.get("check", BRANCH)
    values: dict[str, Any] = {
        "id": finding_id(check, subject),
        "check": check,
        "state": FindingState.OPEN,
        "severity": Severity.HIGH,
        "scope": SCOPE,
        "actor": "",
        "change_class": None,
        "reason": "because",
        "first_seen": NOW - 9 * DAY,
        "last_seen": NOW - DAY,
        "opened_by": "s0",
        "last_sweep": "s0",
        "last_step": Step.OPENED,
        "result_index": 0,
        "result_sha256": "",
        "times_seen": 1,
    }
    return Finding(subject=subject, outcome=outcome, **(values | more))


def asked(*findings: Finding, **more: Any) -> Asked:
    return Asked(findings={one.id: one for one in findings}, since=NOW - 50 * DAY, **more)


def waiver(name: str = "W-1", **terms: Any) -> Waiver:
    given = {
        "id": name,
        "checks": [BRANCH],
        "scopes": [SCOPE],
        "reason": "r",
        "ticket": "CHG-1",
        "requester": "maria",
        "approver": "boss",
        "from": "2026-04-01T00:00:00Z",
        "until": "2026-06-30T00:00:00Z",
    }
    if {"subjects", "repositories", "identities"} & set(terms):
        del given["scopes"]
    return Waiver.model_validate(given | terms)


def governing(*waivers: Waiver, owners: Iterable[dict[str, Any]] = (), **more: Any) -> Governing:
    rules = tuple(OwnerRule.model_validate(rule) for rule in owners)
    return Governing(waivers=Waivers(waivers), owners=rules, **more)


def settled(
    results: Sequence[Result],
    known: Asked | None = None,
    by: Governing | None = None,
    *emergencies: EmergencyChange,
    at: datetime = NOW,
    **more: Any,
) -> Settled:
    raw = [*results, *evaluate([c for c in CHECKS if c.id in (COVERAGE, WAIVERS)], [], Expected(), sweep(at))]
    return settle(raw, known or asked(), by or governing(), Expected(*emergencies), CHECKS, sweep(at, **more))


def of(found: Settled, check: str) -> dict[str, Result]:
    """Return the results of a check by subject, each once."""
    mine = [one for one in found.results if one.check == check]
    assert len({one.subject for one in mine}) == len(mine)
    return {one.subject: one for one in mine}


# Waivers and owners.


def test_what_fails_under_a_waiver_still_fails_and_says_under_which():
    (one,) = after([result()], Waivers((waiver(),)), (), NOW)
    assert one == msgspec.structs.replace(result(), waiver="W-1")


@given(st.lists(st.sampled_from(Outcome), max_size=8))
def test_no_outcome_is_changed_and_nothing_fine_is_touched(outcomes):
    before = [result(f"{n}", outcome) for n, outcome in enumerate(outcomes)]
    found = after(before, Waivers((waiver(),)), (OwnerRule(owner="all"),), NOW)
    for was, now in zip(before, found, strict=True):
        assert msgspec.structs.replace(now, waiver="", owner="") == was
        if was.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE):
            assert now is was
        assert bool(now.waiver) == (was.outcome in (Outcome.FAIL, Outcome.UNKNOWN))


def test_the_first_rule_that_fits_gives_the_owner():
    rules = [
        {"match": {"repositories": ["example-org/pay*"], "severity": ["critical"]}, "owner": "on-call"},
        {"match": {"repositories": ["example-org/pay*"], "checks": [BRANCH, PUSH]}, "owner": "team-payments"},
        {"match": {"accounts": ["111122223333"]}, "owner": "team-cloud"},
        {"match": {"scopes": ["github:example-org"]}, "owner": "team-forge"},
        {"owner": "platform"},
    ]
    found = after(
        [
            result(severity=Severity.CRITICAL),
            result(),
            result(check="protection-lapse"),
            result(scope="aws:111122223333:eu-west-1"),
            result(scope="aws:444455556666:eu-west-1"),
        ],
        Waivers(),
        governing(owners=rules).owners,
        NOW,
    )
    assert [one.owner for one in found] == ["on-call", "team-payments", "team-forge", "team-cloud", "platform"]


def test_what_is_waived_does_not_count():
    found = after(
        [result("a"), result("b", Outcome.UNKNOWN), result("c", Outcome.ERROR), result("d", check=PUSH)],
        Waivers((waiver(),)),
        (),
        NOW,
    )
    assert counts(found) == (1, 1, 2)


# What was not judged.


def test_a_waiver_begins_and_ends_for_findings_that_no_sweep_judges_again():
    old = waiver("old", until="2026-04-19T00:00:00Z")
    new = waiver("new", subjects=["gap"])
    known = asked(finding("was waived", waiver="old"), finding("gap"), finding("owned", owner="team-a"))
    found = settled([], known, governing(old, new, owners=[{"match": {"checks": [PUSH]}, "owner": "b"}]))
    assert found.standing == {
        finding_id(BRANCH, "was waived"): Standing(),
        finding_id(BRANCH, "gap"): Standing("new"),
        finding_id(BRANCH, "owned"): Standing(),
    }


def test_what_was_judged_and_what_stands_as_it_did_is_not_told_again():
    known = asked(finding("a", waiver="W-1"), finding("b"))
    assert settled([result("b")], known, governing(waiver())).standing == {}


def test_a_waiver_of_an_identity_stays_on_what_is_not_judged_until_it_ends():
    by = governing(waiver(identities=["arn:aws:iam::111122223333:role/ci"]))
    known = asked(finding("a", waiver="W-1"))
    assert settled([], known, by).standing == {}
    assert settled([], known, by, at=datetime(2026, 7, 1, tzinfo=UTC)).standing == {finding_id(BRANCH, "a"): Standing()}


# The use of waivers.


def test_each_waiver_is_a_result_that_tells_what_it_covers():
    by = governing(waiver())
    one = of(settled([result("a"), result("b", Outcome.UNKNOWN), result("c", Outcome.PASS)], None, by), WAIVERS)[
        "waiver:W-1"
    ]
    assert (one.outcome, one.reason) == (Outcome.PASS, "waiver W-1 covers 2 failures; 70 days left")
    assert [(c["subject"], c["outcome"]) for c in one.observed["covers"]] == [("a", "fail"), ("b", "unknown")]
    assert one.observed["approver"] == "boss"


@pytest.mark.parametrize(
    ("at", "results", "outcome", "severity", "state"),
    [
        (datetime(2026, 3, 30, tzinfo=UTC), [result()], "pass", None, "future"),
        (NOW, [result()], "pass", None, "in force"),
        (datetime(2026, 6, 16, tzinfo=UTC), [result()], "pass", None, "expiring"),
        (datetime(2026, 6, 15, 23, tzinfo=UTC), [result()], "pass", None, "in force"),
        (datetime(2026, 6, 30, tzinfo=UTC), [result()], "fail", "medium", "expired"),
        (NOW, [result(outcome=Outcome.PASS)], "fail", "low", "idle"),
        (datetime(2026, 6, 30, tzinfo=UTC), [result(outcome=Outcome.PASS)], "fail", "low", "expired"),
    ],
)
def test_a_waiver_is_judged_by_its_time_and_its_use(at, results, outcome, severity, state):
    one = of(settled(results, None, governing(waiver()), at=at), WAIVERS)["waiver:W-1"]
    assert (one.outcome, one.observed["state"]) == (outcome, state)
    assert severity is None or one.severity == severity
    assert one.observed["expiring"] == (state == "expiring")
    assert bool(one.remedy) == (outcome == "fail" or state == "expiring")


def test_one_that_a_renewed_waiver_has_followed_should_be_taken_out():
    by = governing(waiver("old", until="2026-04-19T00:00:00Z"), waiver("new"))
    found = of(settled([result()], None, by), WAIVERS)
    assert (found["waiver:old"].outcome, found["waiver:old"].severity) == (Outcome.FAIL, Severity.LOW)
    assert found["waiver:new"].outcome is Outcome.PASS


def test_a_sweep_that_ran_none_of_its_checks_says_nothing_new_about_its_use():
    by = governing(waiver())
    fresh = settled([result(check=PUSH)], None, by)
    assert of(fresh, WAIVERS)["waiver:W-1"].outcome is Outcome.PASS
    reported = asked(finding("waiver:W-1", check=WAIVERS))
    assert of(settled([result(check=PUSH)], reported, by), WAIVERS)["waiver:W-1"].outcome is Outcome.FAIL
    covering = asked(finding("a", waiver="W-1"))
    assert of(settled([result(check=PUSH)], covering, by), WAIVERS)["waiver:W-1"].observed["covers_in_all"] == 1


def test_a_waiver_that_was_taken_out_resolves_its_finding():
    found = of(settled([], asked(finding("waiver:W-9", check=WAIVERS))), WAIVERS)
    assert found["waiver:W-9"].outcome is Outcome.NOT_APPLICABLE


def test_results_about_the_use_of_waivers_are_never_waived():
    by = governing(waiver(), waiver("all", checks=[BRANCH, COVERAGE], subjects=["*-governance", "waiver:*"]))
    found = of(settled([result(outcome=Outcome.PASS)], None, by), WAIVERS)
    assert [one.waiver for one in found.values()] == ["", "", ""]


# What stays unknown.


def unknown(subject: str = "a", days: float = 5, **more: Any) -> Finding:
    values: dict[str, Any] = {"outcome": Outcome.UNKNOWN, "unknown_since": NOW - timedelta(days=days)}
    return finding(subject, **(values | more))


def test_what_nobody_could_look_at_for_days_is_a_finding_of_its_own():
    found = of(settled([result("a", Outcome.UNKNOWN, remedy="contents:read")], asked(unknown())), COVERAGE)
    one = found[f"monitoring:{BRANCH}:a"]
    assert (one.outcome, one.severity, one.scope) == (Outcome.FAIL, Severity.HIGH, SCOPE)
    assert one.reason.startswith("nobody could look at a for 5 days, so branch-protection is not tested")
    assert one.remedy == "grant or mend: contents:read"
    assert found["monitoring:coverage"].outcome is Outcome.NOT_APPLICABLE


def test_what_was_not_looked_at_at_all_is_as_unknown_as_before():
    one = of(settled([], asked(unknown())), COVERAGE)[f"monitoring:{BRANCH}:a"]
    (check,) = [c for c in CHECKS if c.id == BRANCH]
    assert one.remedy == f"grant or mend: {'; '.join(check.needs)}"


@pytest.mark.parametrize(
    ("known", "results"),
    [
        ([], [result("a", Outcome.UNKNOWN)]),
        ([unknown(days=2.99)], [result("a", Outcome.UNKNOWN)]),
        ([unknown()], [result("a", Outcome.PASS)]),
        ([unknown()], [result("a", Outcome.FAIL)]),
        ([finding()], []),
        ([unknown(f"monitoring:{BRANCH}:x", check=COVERAGE)], []),
    ],
    ids=["new", "young", "passes", "fails", "seen", "of itself"],
)
def test_nothing_else_is(known, results):
    found = of(settled(results, asked(*known)), COVERAGE)
    assert [one.outcome for one in found.values() if one.outcome is Outcome.FAIL] == []
    assert found["monitoring:coverage"].outcome is Outcome.PASS


def test_it_is_resolved_when_it_is_seen_again():
    known = asked(unknown(), finding(f"monitoring:{BRANCH}:a", check=COVERAGE))
    found = of(settled([result("a", Outcome.FAIL)], known), COVERAGE)
    assert (found[f"monitoring:{BRANCH}:a"].outcome, found[f"monitoring:{BRANCH}:a"].reason) == (
        Outcome.PASS,
        "it could be looked at again",
    )


def test_an_unknown_that_is_accepted_is_no_long_unknown_and_never_a_pass():
    known = asked(unknown(), finding(f"monitoring:{BRANCH}:a", check=COVERAGE))
    one = of(settled([result("a", Outcome.UNKNOWN)], known, governing(waiver())), COVERAGE)[f"monitoring:{BRANCH}:a"]
    assert (one.outcome, one.reason) == (
        Outcome.NOT_APPLICABLE,
        "that it cannot be looked at is accepted under waiver W-1",
    )


def windows(*days: float) -> list[Finding]:
    """Return the unknown windows of one log, so many days ago, each judged once."""
    found = []
    for ago in days:
        at = NOW - timedelta(days=ago)
        subject = f"aws:111122223333:eu-west-1:log@{at:%Y-%m-%dT%H:%MZ}"
        found.append(unknown(subject, ago, check=DIRECT, scope="aws:111122223333:eu-west-1", last_seen=at))
    return found


LOG = f"monitoring:{DIRECT}:aws:111122223333:eu-west-1:log"


@pytest.mark.parametrize(
    ("ago", "long"),
    [((4, 3, 2, 1), True), ((2, 1), False), ((9,), False), ((9, 8, 7, 6, 5, 4), False), ((12, 1), False)],
    ids=["each night", "two nights", "one old gap", "over", "two gaps"],
)
def test_windows_of_one_log_count_together_while_they_follow_one_another(ago, long):
    found = of(settled([], asked(*windows(*ago))), COVERAGE)
    assert (LOG in found) == long
    if long:
        assert found[LOG].observed["findings_in_all"] == len(ago)


def test_a_window_that_is_read_whole_ends_the_run():
    whole = result(f"aws:111122223333:eu-west-1:log@{NOW:%Y-%m-%dT%H:%MZ}", Outcome.PASS, check=DIRECT)
    known = asked(*windows(4, 3, 2, 1), finding(LOG, check=COVERAGE))
    one = of(settled([whole], known), COVERAGE)[LOG]
    assert (one.outcome, one.reason) == (
        Outcome.NOT_APPLICABLE,
        "the spans that nobody could look at are over; each stays on record",
    )


def test_the_sessions_of_an_account_are_one():
    ids = [f"aws:111122223333:session:AKIA{n}" for n in range(40)]
    known = asked(*(unknown(one, check=DIRECT, scope="aws:111122223333") for one in ids))
    found = of(settled([], known), COVERAGE)
    assert len(found) == 2
    assert found[f"monitoring:{DIRECT}:aws:111122223333:sessions"].observed["findings_in_all"] == 40


def test_the_long_unknown_may_be_accepted_itself():
    by = governing(waiver(checks=[BRANCH, COVERAGE], subjects=["monitoring:*:a"]))
    found = settled([], asked(unknown()), by)
    assert of(found, COVERAGE)[f"monitoring:{BRANCH}:a"].waiver == "W-1"
    assert of(found, WAIVERS)["waiver:W-1"].observed["covers_in_all"] == 1


# Emergencies.


def emergency(**terms: Any) -> EmergencyChange:
    given = {
        "id": "EC-1",
        "ticket": "OPS-1",
        "approver": "boss",
        "identities": ["platform-oncall"],
        "repositories": ["example-org/payments"],
        "from": "2026-04-19T10:00:00Z",
        "to": "2026-04-19T12:00:00Z",
        "reason": "outage",
    }
    return EmergencyChange.model_validate(given | terms)


def excused(reason: str = "break-glass g under emergency change EC-1", **more: Any) -> Result:
    return result("x", Outcome.PASS, reason=reason, change_class=ChangeClass.EMERGENCY, **more)


@pytest.mark.parametrize(
    ("results", "terms", "outcome", "severity"),
    [
        ([excused()], {}, "pass", None),
        ([], {}, "fail", "low"),
        ([excused("under emergency change EC-10")], {}, "fail", "low"),
        ([excused("by hand", observed={"updates": [{"at": "2026-04-19T11:00:00+00:00"}]})], {}, "pass", None),
        ([excused("by hand", observed={"updates": [{"at": "2026-04-19T12:00:00+00:00"}]})], {}, "fail", "low"),
        ([], {"to": "2026-04-21T00:00:00Z"}, "pass", None),
        ([], {"from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z", "review": "https://…"}, "pass", None),
        ([excused()], {"from": "2026-04-10T00:00:00Z", "to": "2026-04-11T00:00:00Z"}, "fail", "medium"),
        ([excused()], {"from": "2026-04-10T00:00:00Z", "to": "2026-04-11T00:00:00Z", "review": "R-1"}, "pass", None),
        ([], {"from": "2026-04-10T00:00:00Z", "to": "2026-04-11T00:00:00Z"}, "fail", "medium"),
    ],
    ids=["used", "unused", "another", "by time", "too late", "not over", "before", "overdue", "reviewed", "both"],
)
def test_a_declared_emergency_is_judged_by_its_use_and_its_review(results, terms, outcome, severity):
    one = of(settled(results, None, None, emergency(**terms)), WAIVERS)["emergency:EC-1"]
    assert one.outcome == outcome, one.reason
    assert severity is None or one.severity == severity


def test_an_emergency_that_was_used_once_is_remembered_as_used():
    class Store:
        def __init__(self, *kept: Remembered) -> None:
            self.kept = {one.subject: one for one in kept}

        def open_findings(self, checks: object = None) -> list[Finding]:
            return []

        def latest(self, kind: str) -> dict[str, Remembered]:
            return self.kept

        def watched_since(self) -> datetime:
            return NOW - 50 * DAY

    first = settled([excused()], ask(Store()), None, emergency())
    known = ask(Store(*first.remember))
    assert known.emergencies == {"EC-1": Excused(used=True, read_to=emergency().to)}
    again = settled([], known, None, emergency(), at=NOW + DAY)
    assert of(again, WAIVERS)["emergency:EC-1"].outcome is Outcome.PASS
    assert again.remember == ()


def test_a_sweep_of_settings_alone_reads_no_time_and_forgets_none():
    empty = Window(NOW, NOW)
    assert of(settled([], None, None, emergency(), window=empty), WAIVERS)["emergency:EC-1"].outcome is Outcome.PASS
    known = asked(emergencies={"EC-1": Excused(read_to=emergency().to)})
    assert of(settled([], known, None, emergency(), window=empty), WAIVERS)["emergency:EC-1"].outcome is Outcome.FAIL


# As a whole.


def test_without_the_store_these_checks_are_unknown():
    found = evaluate([c for c in CHECKS if c.id in (COVERAGE, WAIVERS)], [], Expected(), sweep())
    assert {one.outcome for one in found} == {Outcome.UNKNOWN}


def test_the_results_are_sorted_and_one_a_subject_whatever_their_order():
    results = [result(f"{n}", Outcome.UNKNOWN) for n in range(9)]
    known = asked(*(unknown(f"{n}") for n in range(5)), finding("waiver:gone", check=WAIVERS))
    by = governing(waiver(subjects=["3"]), waiver("W-2", until="2026-04-19T00:00:00Z"))
    found = settled(results, known, by, emergency())
    assert settled(results[::-1], known, by, emergency()) == found
    keys = [(one.check, one.subject) for one in found.results]
    assert keys == sorted(set(keys))

"""Laws of `protection-lapse` and `direct-push` over any facts: order is all one, and no window is lost or told twice."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from checks import direct_push, protection_lapse
from monitor.expected.demands import demanded
from monitor.expected.models import branch_expectation
from monitor.facts.lapse import Lapse, lapses
from monitor.facts.protection import (
    DEMANDS,
    BranchUpdate,
    BypassActor,
    DemandChange,
    Demands,
    ForgeActor,
    ProtectionBypass,
    ProtectionChange,
    ProtectionRule,
    Targets,
)
from monitor.facts.repository import HistoryCoverage, Repository
from monitor.model import EvidenceRef, Outcome, Result, Severity, Sweep, Unknown, Window

START = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
END = START + timedelta(days=2)
WINDOW = Window(START, END)
SWEEP = Sweep(id="s1", planned_for=END, at=END, window=WINDOW)
LOST = Unknown("lost", "grant it")
STATE = {
    "repositories": [
        {
            "match": ["example-org/*"],
            "branches": [
                {"match": ["~DEFAULT_BRANCH"], "pull_request": True, "approvals": 2, "block_force_push": True},
                {"match": ["rel/*"], "approvals": 1, "bypass": [{"actor": "user:lead", "mode": "always"}]},
            ],
        }
    ],
    "emergency_changes": [
        {
            "id": "EC-1",
            "ticket": "OPS-1",
            "approver": "manager",
            "repositories": ["example-org/payments"],
            "from": START + timedelta(hours=1),
            "to": START + timedelta(hours=4),
            "reason": "outage",
        }
    ],
}
EXPECT = protection_lapse.LapseExpectations.model_validate(STATE)
PUSHES = direct_push.PushExpectations.model_validate(STATE)

moments = st.integers(-4, 100).map(lambda halves: START + timedelta(minutes=30 * halves))  # few, so that some meet
texts = st.sampled_from(["", "\ud800", "\x00", "=1+1", "<b>", "\u202e", "a:b", "a\nb"])
actors = st.builds(
    ForgeActor,
    name=st.sampled_from(["lead", "release[bot]"]) | texts,
    kind=st.sampled_from(["person", "bot", "unknown", ""]),
)
keys = st.sampled_from(["ruleset:1", "ruleset:2", "classic:7", "classic:main", "repository:classic", "repository:name"])
patterns = st.sampled_from(["main", "*", "~ALL", "~DEFAULT_BRANCH", "rel/*", "[", "m*n"])
targets = st.builds(
    Targets,
    include=st.lists(patterns, max_size=2).map(tuple),
    exclude=st.lists(patterns, max_size=1).map(tuple),
)
aspects = st.sampled_from([*DEMANDS, "*", "bypass", "targets", "enforcement", "a demand of tomorrow"])
references = st.lists(st.builds(EvidenceRef, kind=st.just("event"), name=st.sampled_from(["a", "b"])), max_size=2)


def edits(directions: st.SearchStrategy[str]) -> st.SearchStrategy[DemandChange]:
    return st.builds(
        DemandChange,
        demand=aspects,
        direction=directions,
        before=st.none() | st.sampled_from(["2", "-1", "9" * 30, "²", ""]),
        value=st.none() | st.booleans() | st.integers(-1, 11),
    )


def changes(directions: st.SearchStrategy[str], **fixed: Any) -> st.SearchStrategy[ProtectionChange]:
    given_: dict[str, Any] = {
        "id": st.integers(0, 40).map(str),
        "at": moments,
        "not_before": st.none() | moments,
        "organisation": st.sampled_from(["example-org", "Example-Org", "else", ""]),
        "repository_id": st.sampled_from([7, 7, 7, 8, 0]),
        "repository": st.sampled_from(["example-org/payments", ""]),
        "rule": keys,
        "rule_name": st.sampled_from(["main", ""]) | texts,
        "action": st.sampled_from(["protected_branch.create", "protected_branch.destroy", "repository_ruleset.update"]),
        "actor": actors,
        "targets": st.none() | targets,
        "changes": st.lists(edits(directions), max_size=3).map(tuple),
        "evidence": references.map(tuple),
        **fixed,
    }
    return st.builds(ProtectionChange, **given_)


switches = st.booleans() | st.just(LOST)
demands = st.builds(
    Demands,
    pull_request=switches,
    approvals=st.integers(0, 3) | st.just(LOST),
    block_force_push=switches,
)
rules = st.builds(
    ProtectionRule,
    key=keys,
    kind=st.sampled_from(["classic", "repository-ruleset", "organisation-ruleset"]),
    name=st.sampled_from(["main", ""]),
    enforced=switches,
    targets=targets,
    branches=st.none() | st.just(("main",)),
    demands=demands,
    bypass=st.just(()) | st.just((BypassActor(kind="role", name="admin"),)) | st.just(LOST),
)
repositories = st.builds(
    Repository,
    organisation=st.just("example-org"),
    id=st.sampled_from([7, 8]),
    name=st.sampled_from(["example-org/payments", "else/where", ""]),
    at=moments | st.just(END),
    default_branch=st.sampled_from(["main", "main", "trunk", ""]),
    archived=st.sampled_from([False, False, True]),
    branches=st.lists(st.sampled_from(["main", "rel/1", ""]), max_size=2).map(tuple) | st.just(LOST),
    rules=st.lists(rules, max_size=3).map(tuple) | st.just(LOST),
    blind=st.none() | st.just(LOST),
)
moves: dict[str, Any] = {
    "id": st.integers(0, 20).map(str),
    "at": moments,
    "organisation": st.just("example-org"),
    "repository_id": st.sampled_from([7, 7, 8, 0]),
    "repository": st.sampled_from(["example-org/payments", ""]),
    "branch": st.sampled_from(["main", "rel/1", "dev", ""]),
    "actor": actors,
    "evidence": references.map(tuple),
}
bypasses = st.builds(ProtectionBypass, demands=st.just(()) | st.just(("approvals",)), **moves)
updates = st.builds(
    BranchUpdate,
    kind=st.sampled_from(["push", "force-push", "merge", "merge-queue", "creation", "deletion", "a kind of tomorrow"]),
    after=st.sampled_from(["", "b" * 40]),
    change_requests=st.just(()) | st.just((12,)) | st.just(LOST),
    **moves,
)
windows = st.tuples(moments, moments).map(lambda pair: Window(min(pair), max(pair)))
coverages = st.builds(
    HistoryCoverage,
    organisation=st.sampled_from(["example-org", "else"]),
    repository_id=st.sampled_from([0, 7, 8]),
    source=st.sampled_from(["audit-log", "rule-suites", "ruleset-history", "activity", "samples"]),
    shows=st.lists(st.sampled_from(["changes", "bypasses", "updates"]), max_size=3).map(tuple),
    window=st.none() | st.just(WINDOW) | windows,
    unknown=st.none() | st.just(LOST),
)
ways = st.sampled_from(["weaker", "stronger", "unclear", "a word of tomorrow"])
facts = st.lists(repositories | changes(ways) | bypasses | updates | coverages, max_size=10)

HOME = Repository(
    organisation="example-org",
    id=7,
    name="example-org/payments",
    at=END + timedelta(hours=3),
    default_branch="main",
    branches=("main",),
)
MAIN: dict[str, Any] = {
    "organisation": st.just("example-org"),
    "repository_id": st.just(7),
    "targets": st.just(Targets(include=("main",))),
    "rule": st.sampled_from(["ruleset:1", "ruleset:2", "classic:main"]),
    "rule_name": st.just("main"),
    "not_before": st.none(),
}

few = st.sampled_from(["approvals", "enforcement", "*"])
pointed = changes(
    ways,
    **MAIN,
    id=st.integers(0, 5).map(str),
    at=st.integers(0, 12).map(lambda halves: START + timedelta(minutes=30 * halves)),
    changes=st.lists(st.builds(DemandChange, demand=few, direction=ways), min_size=1, max_size=2).map(tuple),
)
"""Edits of one branch's rules that meet: at the same moment, of the same rule, with the same id."""


def windows_of(home: Repository, edits_: list[ProtectionChange]) -> tuple[Lapse, ...]:
    wanted = branch_expectation(EXPECT.repositories, home.name, "main", "main")
    assert wanted is not None
    return lapses(home, "main", edits_, demanded(home, "main", wanted))


def once(found: list[ProtectionChange]) -> list[ProtectionChange]:
    return list({change.id: change for change in found}.values())


@given(facts | st.lists(st.just(HOME) | pointed, min_size=2, max_size=10), st.randoms(use_true_random=False))
def test_order_and_repetition_are_all_one_and_each_subject_has_one_result(
    found: list[Any], shuffle: random.Random
) -> None:
    for check, expect in ((protection_lapse.CHECK, EXPECT), (direct_push.CHECK, PUSHES)):
        first = _sorted(check.evaluate([f for f in found if isinstance(f, check.facts)], expect, SWEEP))
        mixed = [f for f in found * 2 if isinstance(f, check.facts)]
        shuffle.shuffle(mixed)
        assert _sorted(check.evaluate(mixed, expect, SWEEP)) == first
        assert len({one.subject for one in first}) == len(first)
        for one in first:
            assert one.reason
            assert isinstance(one.severity, Severity)
            msgspec.to_builtins([one.observed, one.expected])


def _sorted(results: Any) -> list[Result]:
    return sorted(results, key=lambda one: one.subject)


@given(
    st.lists(changes(st.just("stronger"), **MAIN) | changes(st.just("stronger")), max_size=8),
    st.lists(rules, max_size=3).map(tuple) | st.just(LOST),
)
def test_edits_that_only_make_stricter_are_no_lapse(found: list[ProtectionChange], now: Any) -> None:
    # An edit of targets is judged by the branches that they hold afterwards, not by its word.
    told = [c for c in once(found) if not any(edit.demand == "targets" for edit in c.changes)]
    assert windows_of(msgspec.structs.replace(HOME, rules=now), told) == ()


@given(st.lists(changes(ways, **MAIN), max_size=10), st.lists(rules, max_size=2).map(tuple))
def test_a_window_is_told_once_begins_with_its_edit_and_does_not_end_before_it(
    found: list[ProtectionChange], now: tuple[ProtectionRule, ...]
) -> None:
    told = windows_of(msgspec.structs.replace(HOME, rules=now), once(found))
    assert len({one.opened.id for one in told}) == len(told)
    for one in told:
        assert one.edits[0] == one.opened
        assert len({edit.id for edit in one.edits}) == len(one.edits)
        assert one.start == one.opened.at
        assert one.end is None or one.start <= one.end
        assert any(edit.direction != "stronger" or edit.demand == "targets" for edit in one.opened.changes)


@given(st.lists(pointed, min_size=2, max_size=6))
def test_edits_of_one_moment_are_taken_in_the_order_of_their_ids(found: list[ProtectionChange]) -> None:
    same = [msgspec.structs.replace(change, at=START) for change in once(found)]
    assert windows_of(HOME, same) == windows_of(HOME, same[::-1])


@given(st.lists(changes(ways, **MAIN), max_size=10), st.integers(0, 2))
def test_a_demand_that_is_weakened_while_nobody_else_makes_it_is_told(
    found: list[ProtectionChange], value: int
) -> None:
    """Whatever else was edited: what is taken from an unprotected branch's only rule lies in some window."""
    cut = ProtectionChange(
        id="cut",
        at=END + timedelta(hours=1),
        organisation="example-org",
        repository_id=7,
        rule="ruleset:3",
        action="repository_ruleset.update",
        targets=Targets(include=("main",)),
        changes=(DemandChange(demand="approvals", direction="weaker", value=value),),
    )
    told = [one for one in windows_of(HOME, [*once(found), cut]) if one.opened.id == "cut"]
    assert [(one.start, one.end, one.unclear) for one in told] == ([(cut.at, None, False)] if value < 2 else [])


@given(facts)
def test_a_history_passes_only_where_edits_and_bypasses_are_both_covered_to_the_end(found: list[Any]) -> None:
    covered = [f for f in found if isinstance(f, HistoryCoverage) and f.window]
    for one in protection_lapse.CHECK.evaluate(found, EXPECT, SWEEP):
        if ":history@" in one.subject and one.outcome is Outcome.PASS:
            start, _, end = one.expected["window"].partition("/")
            for kind in ("changes", "bypasses"):
                spans = [(f.window.start, f.window.end) for f in covered if kind in f.shows and f.window]
                assert min(spans)[0] <= datetime.fromisoformat(start)
                assert max(last for _, last in spans) >= datetime.fromisoformat(end)


@given(st.lists(pointed, min_size=2, max_size=10))
def test_what_an_emergency_excuses_lies_within_it(found: list[Any]) -> None:
    (emergency,) = EXPECT.emergency_changes
    for one in protection_lapse.CHECK.evaluate([HOME, *found], EXPECT, SWEEP):
        if ":lapse@" in one.subject and one.outcome is Outcome.PASS:
            first = one.observed["from_after"] or one.observed["from"]
            assert emergency.from_ <= datetime.fromisoformat(first)
            assert datetime.fromisoformat(one.observed["to"]) <= emergency.to
            assert one.change_class == "emergency"


@given(st.lists(updates, max_size=8))
def test_a_move_that_came_by_no_pull_request_never_passes_unless_an_emergency_covers_it(
    found: list[BranchUpdate],
) -> None:
    (emergency,) = PUSHES.emergency_changes
    told = {update.id: update for update in sorted(found, key=repr, reverse=True)}
    results = list(direct_push.CHECK.evaluate([HOME, *told.values()], PUSHES, SWEEP))
    for update in told.values():
        bad = update.kind in ("force-push", "deletion") or (update.kind == "push" and update.change_requests == ())
        if bad and update.repository_id == 7 and update.branch == "main" and not emergency.covers(update.at):
            subject = f"github:repository:7:branch:main:updates@{update.at:%Y-%m-%d}:{update.actor.name}"
            assert [one.outcome for one in results if one.subject == subject] == [Outcome.FAIL]

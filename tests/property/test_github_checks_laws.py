"""Laws of the four checks of GitHub over any facts: total, deterministic, one result a subject, and Unknown never helps."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks import branch_protection, direct_push, environment_protection, protection_lapse
from monitor.expected.models import Sections
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
from monitor.facts.repository import Environment, EnvironmentChange, HistoryCoverage, Repository, Reviewer
from monitor.model import Check, Outcome, Result, Unknown, Window
from tests.property.test_branch_protection_laws import LISTS, LOST, REPOSITORIES, RULES, SWITCH
from tests.unit.checks.test_branch_protection import NOW, SWEEP

CHECKS = [one.CHECK for one in (branch_protection, environment_protection, protection_lapse, direct_push)]
SECTIONS = Sections.model_validate(
    {
        "production": {"github": {"organizations": ["example-org"]}},
        "repositories": [
            {
                "match": ["example-org/*"],
                "branches": [
                    {
                        "match": ["~DEFAULT_BRANCH", "rel/*"],
                        "pull_request": True,
                        "approvals": 2,
                        "block_force_push": True,
                    }
                ],
                "environments": [
                    {
                        "match": ["prod*"],
                        "min_reviewers": 1,
                        "prevent_self_review": True,
                        "admins_may_bypass": False,
                        "deploys_from": ["main"],
                        "wait_minutes": 5,
                    }
                ],
            }
        ],
        "emergency_changes": [
            {
                "id": "EC-1",
                "ticket": "OPS-1",
                "approver": "manager",
                "repositories": ["example-org/payments"],
                "from": NOW - timedelta(hours=3),
                "to": NOW - timedelta(hours=1),
                "reason": "outage",
            }
        ],
    }
)
MOMENTS = st.integers(-400, 10).map(lambda n: NOW + timedelta(minutes=n))
IDS = st.sampled_from(["1", "2", "3", "4"])
PLACE: dict[str, Any] = {
    "organisation": st.sampled_from(["example-org", "else"]),
    "repository_id": st.integers(0, 3),
    "repository": st.sampled_from(["example-org/payments", "else/where", ""]),
}
BRANCHES = st.sampled_from(["main", "trunk", "rel/1", "", "gone"])
ACTORS = st.builds(
    ForgeActor, name=st.sampled_from(["maria", "bot[bot]", ""]), kind=st.sampled_from(["person", "bot", "x"])
)
WORDS = st.sampled_from(["approvals", "pull_request", "signatures", "enforcement", "targets", "bypass", "*", "?"])
EDITS = st.builds(
    DemandChange,
    demand=WORDS,
    direction=st.sampled_from(["weaker", "stronger", "unclear", "?"]),
    value=st.none() | st.integers(0, 3) | st.booleans(),
)
TARGETS = st.sampled_from([None, Targets(), Targets(include=("main",)), Targets(include=("~ALL",), exclude=("main",))])
CHANGES = st.builds(
    ProtectionChange,
    id=IDS,
    at=MOMENTS,
    not_before=st.none() | MOMENTS,
    **PLACE,
    rule=st.sampled_from(["ruleset:1", "ruleset:2", "classic:1", "classic:main", "repository:classic"]),
    rule_name=st.sampled_from(["main", ""]),
    action=st.sampled_from(["protected_branch.create", "repository_ruleset.update", "x"]),
    actor=ACTORS,
    targets=TARGETS,
    changes=st.lists(EDITS, max_size=3).map(tuple),
)
BYPASSES = st.builds(ProtectionBypass, id=IDS, at=MOMENTS, **PLACE, branch=BRANCHES, actor=ACTORS)
UPDATES = st.builds(
    BranchUpdate,
    id=IDS,
    at=MOMENTS,
    **PLACE,
    branch=BRANCHES,
    kind=st.sampled_from(["push", "force-push", "merge", "merge-queue", "creation", "deletion", "?"]),
    actor=ACTORS,
    change_requests=st.sampled_from([(), (1,), LOST]),
)
COVERAGE = st.builds(
    HistoryCoverage,
    organisation=PLACE["organisation"],
    repository_id=PLACE["repository_id"],
    source=st.sampled_from(["audit-log", "activity", "rule-suites"]),
    shows=st.sampled_from([("changes",), ("bypasses",), ("changes", "bypasses")]),
    window=st.none() | st.just(Window(NOW - timedelta(days=1), NOW)),
    unknown=st.none() | st.just(LOST),
)
PLACES = st.builds(
    Environment,
    id=st.integers(1, 2),
    name=st.sampled_from(["production", "Production", "prod-1", "dev"]),
    reviewers=st.sampled_from([(), (Reviewer(kind="user", name="ben"),), LOST]),
    prevent_self_review=SWITCH,
    admins_may_bypass=SWITCH,
    branch_policy=st.sampled_from(["none", "protected", "custom", "?", LOST]),
    deploys_from=st.sampled_from([(), ("main",), ("main", "*"), LOST]),
    wait_minutes=st.sampled_from([0, 5, LOST]),
    custom_rules=st.sampled_from([(), ("gate",), LOST]),
)
WITH_PLACES = st.builds(
    lambda one, places: msgspec.structs.replace(one, environments=places),
    REPOSITORIES,
    st.lists(PLACES, max_size=3, unique_by=lambda one: one.name).map(tuple) | st.just(LOST),
)
PLACE_CHANGES = st.builds(
    EnvironmentChange,
    id=IDS,
    at=MOMENTS,
    **PLACE,
    environment=st.sampled_from(["production", "dev"]),
    action=st.sampled_from(["environment.delete", "environment.create", "environment.update_actions_secret", "?"]),
)
BY_CHECK = {
    "branch-protection": WITH_PLACES | LISTS,
    "environment-protection": WITH_PLACES | LISTS | PLACE_CHANGES,
    "protection-lapse": REPOSITORIES | CHANGES | BYPASSES | UPDATES | COVERAGE,
    "direct-push": REPOSITORIES | UPDATES | COVERAGE,
}


def judge(check: Check, facts: list[Any]) -> list[Result]:
    expect = check.expects.model_validate({name: getattr(SECTIONS, name) for name in check.expects.model_fields})
    return list(check.evaluate(facts, expect, SWEEP))


@pytest.mark.parametrize("check", CHECKS, ids=lambda one: one.id)
@given(data=st.data(), shuffle=st.randoms(use_true_random=False))
def test_any_facts_give_one_result_a_subject_in_whatever_order(check: Check, data: Any, shuffle: random.Random) -> None:
    facts = data.draw(st.lists(BY_CHECK[check.id], max_size=6))
    found = judge(check, facts)
    mixed = facts[:]
    shuffle.shuffle(mixed)
    assert judge(check, mixed) == found
    assert len({one.subject for one in found}) == len(found)
    assert all(one.check == check.id and one.reason and one.scope for one in found)
    msgspec.json.encode([(one.observed, one.expected) for one in found])


def blurred(repository: Repository) -> Iterator[Repository]:
    """Yield the repository with each of the values that may be Unknown put out of sight, one at a time."""
    swap = msgspec.structs.replace
    yield swap(repository, blind=LOST)
    for field in ("branches", "rules", "environments"):
        yield swap(repository, **{field: LOST})
    rules = repository.rules if isinstance(repository.rules, tuple) else ()
    for n, rule in enumerate(rules):
        for less in (
            swap(rule, bypass=LOST),
            swap(rule, enforced=LOST),
            *(swap(rule, demands=swap(rule.demands, **{name: LOST})) for name in Demands.__struct_fields__),
        ):
            yield swap(repository, rules=(*rules[:n], less, *rules[n + 1 :]))
    places = repository.environments if isinstance(repository.environments, tuple) else ()
    for n, place in enumerate(places):
        for field in Environment.__struct_fields__[2:-1]:
            yield swap(repository, environments=(*places[:n], swap(place, **{field: LOST}), *places[n + 1 :]))


@pytest.mark.parametrize("check", CHECKS[:2], ids=lambda one: one.id)
@given(repository=WITH_PLACES)
def test_to_know_less_never_makes_a_pass(check: Check, repository: Repository) -> None:
    before = {one.subject: one.outcome for one in judge(check, [repository])}
    for less in blurred(repository):
        for one in judge(check, [less]):
            assert one.outcome is not Outcome.PASS or before.get(one.subject) is Outcome.PASS


@given(st.lists(UPDATES, max_size=4), REPOSITORIES)
def test_to_know_less_of_a_push_never_makes_it_pass(updates: list[BranchUpdate], repository: Repository) -> None:
    check = direct_push.CHECK
    before = {one.subject: one.outcome for one in judge(check, [repository, *updates])}
    less = [msgspec.structs.replace(one, change_requests=Unknown("?")) for one in updates]
    for one in judge(check, [repository, *less]):
        # Several facts of one id may be told apart by what they say, and another of them is kept then.
        assert one.outcome is not Outcome.PASS or before.get(one.subject) is Outcome.PASS or len({u.id for u in updates}) < len(updates)  # fmt: skip


@given(REPOSITORIES, st.lists(CHANGES, max_size=4), st.data())
def test_edits_that_only_strengthen_are_no_lapse(
    repository: Repository, changes: list[ProtectionChange], data: Any
) -> None:
    def stronger(change: ProtectionChange) -> ProtectionChange:
        edits = tuple(
            msgspec.structs.replace(one, direction="stronger") for one in change.changes if one.demand != "targets"
        )
        return msgspec.structs.replace(change, changes=edits)

    found = judge(protection_lapse.CHECK, [repository, *map(stronger, changes)])
    assert not [one for one in found if ":lapse@" in one.subject]


@given(REPOSITORIES, st.lists(CHANGES, max_size=4), RULES)
def test_what_the_rules_are_now_excuses_no_open_lapse_by_what_is_unknown(
    repository: Repository, changes: list[ProtectionChange], rule: ProtectionRule
) -> None:
    """With rules that could not be read, there are at least as many lapses as with any that could be."""
    check = protection_lapse.CHECK
    targeted = [change for change in changes if change.targets is not None]
    seen = judge(check, [msgspec.structs.replace(repository, rules=(rule,)), *targeted])
    blind = judge(check, [msgspec.structs.replace(repository, rules=LOST), *targeted])
    told = {one.subject.partition("#")[0] for one in blind if ":lapse@" in one.subject}
    assert {one.subject.partition("#")[0] for one in seen if ":lapse@" in one.subject} <= told

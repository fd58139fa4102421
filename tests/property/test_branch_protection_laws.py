"""Laws of `branch-protection` over any facts: order is all one, one result a subject, and nothing passes that is not firm."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from checks.branch_protection import CHECK
from monitor.facts.protection import BypassActor, Demands, ProtectionRule, StatusCheck, Targets
from monitor.facts.repository import Repository, RepositoryList
from monitor.model import Outcome, Result, Severity, Unknown
from tests.unit.checks.test_branch_protection import NOW, SWEEP, expecting, wanting

LOST = Unknown("lost", "grant it")
SWITCH = st.booleans() | st.just(LOST)
CHECKS = st.lists(st.builds(StatusCheck, st.sampled_from(["build", "scan"]), st.sampled_from([0, 15])), max_size=2)
DEMANDS = st.builds(
    Demands,
    approvals=st.integers(0, 3) | st.just(LOST),
    block_force_push=SWITCH,
    signatures=SWITCH,
    status_checks=CHECKS.map(tuple) | st.just(LOST),
)
ACTORS = st.builds(
    BypassActor,
    kind=st.sampled_from(["team", "role", "deploy-key", "unknown"]),
    name=st.sampled_from(["release", "admin", ""]),
    mode=st.sampled_from(["always", "pull-request", "exempt"]),
    only=st.sampled_from([(), ("approvals",), ("block_force_push",)]),
)
PATTERNS = st.sampled_from(["main", "*", "rel/*", "~ALL", "~DEFAULT_BRANCH", "m[a-z]in", "**/main"])
RULES = st.builds(
    ProtectionRule,
    key=st.sampled_from(["ruleset:1", "ruleset:2", "classic:1", "classic:2", "classic:main"]),
    kind=st.sampled_from(["classic", "repository-ruleset", "organisation-ruleset"]),
    name=st.sampled_from(["main", "*"]),
    enforced=SWITCH,
    targets=st.builds(
        Targets,
        include=st.lists(PATTERNS, max_size=2).map(tuple),
        exclude=st.lists(PATTERNS, max_size=1).map(tuple),
    ),
    branches=st.none() | st.lists(st.sampled_from(["main", "rel/1"]), max_size=2).map(tuple),
    demands=DEMANDS,
    bypass=st.lists(ACTORS, max_size=2).map(tuple) | st.just(LOST),
)
REPOSITORIES = st.builds(
    Repository,
    organisation=st.just("example-org"),
    id=st.integers(1, 3),
    name=st.sampled_from(["example-org/payments", "example-org/other", "else/where", ""]),
    at=st.sampled_from([NOW, NOW + timedelta(minutes=1)]),
    default_branch=st.sampled_from(["main", "trunk", ""]),
    archived=st.booleans(),
    branches=st.lists(st.sampled_from(["main", "trunk", "rel/1", ""]), max_size=3).map(tuple) | st.just(LOST),
    rules=st.lists(RULES, max_size=3).map(tuple) | st.just(LOST),
    blind=st.none() | st.just(LOST),
)
LISTS = st.builds(
    RepositoryList,
    organisation=st.sampled_from(["example-org", "Example-Org", "else"]),
    at=st.just(NOW),
    ids=st.lists(st.integers(1, 4), max_size=3).map(tuple) | st.just(LOST),
    vanished=st.dictionaries(
        st.integers(1, 5), st.sampled_from(["example-org/gone", "example-org/payments"]), max_size=2
    ),
    unseen=st.none() | st.just(LOST),
)
EXPECT = expecting(
    {"match": ["~DEFAULT_BRANCH", "rel/*", "stable"], "approvals": 2, "block_force_push": True},
    {
        "match": ["main"],
        "status_checks": [{"name": "build", "app": 15}],
        "bypass": [{"actor": "team:release", "mode": "always"}],
    },
)
MAIN = "github:repository:1:branch:main"


def judge(facts: list[Any], expect: Any = EXPECT) -> list[Result]:
    return list(CHECK.evaluate(facts, expect, SWEEP))


def of(rules: tuple[ProtectionRule, ...], expect: Any) -> Result:
    one = Repository(
        organisation="example-org",
        id=1,
        name="example-org/payments",
        at=NOW,
        default_branch="main",
        branches=("main",),
        rules=rules,
    )
    return next(result for result in judge([one], expect) if result.subject == MAIN)


@given(st.lists(REPOSITORIES | LISTS, max_size=5), st.randoms(use_true_random=False))
def test_order_is_all_one_and_each_subject_has_one_result(facts: list[Any], shuffle: random.Random) -> None:
    first = judge(facts)
    mixed = facts[:]
    shuffle.shuffle(mixed)
    assert judge(mixed) == first
    assert judge([*facts, *facts]) == first
    assert len({result.subject for result in first}) == len(first)
    assert all(result.reason and isinstance(result.severity, Severity) for result in first)
    msgspec.json.encode([result.observed for result in first] + [result.expected for result in first])


@given(st.lists(REPOSITORIES | LISTS, max_size=5))
def test_no_repository_and_no_watched_organisation_is_passed_over_in_silence(facts: list[Any]) -> None:
    subjects = [result.subject for result in judge(facts)]
    for fact in facts:
        if isinstance(fact, Repository):
            start = fact.subject()
            assert any(subject == start or subject.startswith(f"{start}:") for subject in subjects)
    if not any(isinstance(f, RepositoryList) and f.organisation.lower() == "example-org" for f in facts):
        assert "github:organisation:example-org" in subjects


@given(st.lists(RULES, max_size=3).map(tuple))
def test_a_pass_rests_on_a_known_rule_for_each_demand(rules: tuple[ProtectionRule, ...]) -> None:
    result = of(rules, wanting(approvals=2, block_force_push=True))

    def firm(demand: str, least: int) -> bool:
        return any(
            rule.enforced is True
            and isinstance(rule.bypass, tuple)
            and not any(not actor.only or demand in actor.only for actor in rule.bypass)
            and not isinstance(value := getattr(rule.demands, demand), Unknown)
            and value >= least
            for rule in rules
        )

    if result.outcome is Outcome.PASS:
        assert firm("approvals", 2)
        assert firm("block_force_push", 1)


@given(st.lists(RULES, max_size=3).map(tuple))
def test_knowing_more_never_turns_a_verdict_around(rules: tuple[ProtectionRule, ...]) -> None:
    """What was known to be wrong, or right, stays so whatever the unknown turns out to be."""
    expect = wanting(approvals=2, signatures=True)
    before = of(rules, expect).outcome
    for good in (True, False):
        known = tuple(settled(rule, good) for rule in rules)
        after = of(known, expect).outcome
        assert after is before or before is Outcome.UNKNOWN


def settled(rule: ProtectionRule, good: bool) -> ProtectionRule:
    demands = {
        name: ({"approvals": 3, "status_checks": (StatusCheck("build", 15),)}.get(name, True) if good else zero)
        for name, zero in zip(Demands.__struct_fields__, msgspec.structs.astuple(Demands()), strict=True)
        if isinstance(getattr(rule.demands, name), Unknown)
    }
    return msgspec.structs.replace(
        rule,
        demands=msgspec.structs.replace(rule.demands, **demands),
        enforced=good if isinstance(rule.enforced, Unknown) else rule.enforced,
        bypass=(() if good else (BypassActor(kind="team", name="x"),))
        if isinstance(rule.bypass, Unknown)
        else rule.bypass,
    )


RULESETS = RULES.map(lambda rule: msgspec.structs.replace(rule, kind="repository-ruleset"))


@given(st.lists(RULESETS, max_size=2).map(tuple), RULESETS)
def test_one_ruleset_more_never_weakens(rules: tuple[ProtectionRule, ...], more: ProtectionRule) -> None:
    expect = wanting(approvals=2, signatures=True)
    if of(rules, expect).outcome is Outcome.PASS:
        assert of((*rules, more), expect).outcome is Outcome.PASS

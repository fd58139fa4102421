"""The check `branch-protection`, sentence by sentence of what the standard says of settings: each demand at each value."""

from __future__ import annotations

import itertools
from typing import Any

import msgspec
import pytest

from checks.branch_protection import CHECK
from monitor.facts.protection import DEMANDS, BypassActor, Demands, ProtectionRule, StatusCheck, Targets
from monitor.facts.repository import Repository, RepositoryList
from monitor.model import Outcome, Unknown
from tests.unit.checks.test_branch_protection import (
    ADMIN,
    ALL,
    LIST,
    MAIN,
    REPOSITORY,
    RULE,
    STRICT,
    SWEEP,
    TEAM,
    wanting,
)

LOST = Unknown("could not be read", "administration:read")
SWITCHES = [name for name in DEMANDS if name not in ("approvals", "status_checks")]
BUILD = StatusCheck("build", 15)
PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN

VALUES: list[tuple[str, Any, Any, Outcome]] = [
    *(
        (name, True, value, outcome)
        for name in SWITCHES
        for value, outcome in ((True, PASS), (False, FAIL), (LOST, UNKNOWN))
    ),
    *(
        ("approvals", 2, value, outcome)
        for value, outcome in ((0, FAIL), (1, FAIL), (2, PASS), (3, PASS), (LOST, UNKNOWN))
    ),
    ("status_checks", [{"name": "build"}], (), FAIL),
    ("status_checks", [{"name": "build"}], LOST, UNKNOWN),
    ("status_checks", [{"name": "build"}], (BUILD,), PASS),
    ("status_checks", [{"name": "build"}], (StatusCheck("build"), StatusCheck("lint")), PASS),
    ("status_checks", [{"name": "build"}], (StatusCheck("Build"),), FAIL),
    ("status_checks", [{"name": "build", "app": 15}], (StatusCheck("build"),), FAIL),
    ("status_checks", [{"name": "build", "app": 15}], (StatusCheck("build", 16),), FAIL),
    ("status_checks", [{"name": "build"}, {"name": "scan"}], (BUILD,), FAIL),
]


def rule(key: str = "ruleset:1", **change: Any) -> ProtectionRule:
    return msgspec.structs.replace(RULE, key=key, name=key, **change)


def home(*rules: ProtectionRule, **change: Any) -> Repository:
    return msgspec.structs.replace(REPOSITORY, rules=rules, **change)


def outcome(*rules: ProtectionRule, repository: Repository | None = None, **terms: Any) -> Outcome:
    facts = [LIST, repository or home(*rules)]
    found = list(CHECK.evaluate(facts, wanting(**terms), SWEEP))
    for order in itertools.permutations(rules):
        again = CHECK.evaluate([msgspec.structs.replace(facts[1], rules=order), LIST], wanting(**terms), SWEEP)
        assert repository or {r.subject: r.outcome for r in again} == {r.subject: r.outcome for r in found}
    (one,) = [r for r in found if r.subject == MAIN]
    return one.outcome


@pytest.mark.parametrize(("demand", "wanted", "value", "expected"), VALUES)
@pytest.mark.parametrize("kind", ["classic", "repository-ruleset", "organisation-ruleset", "enterprise-ruleset"])
def test_each_demand_at_each_value(kind: str, demand: str, wanted: Any, value: Any, expected: Outcome) -> None:
    demands = Demands(**{demand: value})
    assert (
        outcome(rule("classic:1" if kind == "classic" else "ruleset:1", kind=kind, demands=demands), **{demand: wanted})
        is expected
    )


@pytest.mark.parametrize(("demand", "wanted", "value", "expected"), VALUES)
def test_a_fault_elsewhere_fails_whatever_else_is_known(
    demand: str, wanted: Any, value: Any, expected: Outcome
) -> None:
    other = "lock" if demand != "lock" else "strict"
    demands = Demands(**{demand: value})
    assert outcome(rule(demands=demands), **{demand: wanted, other: True}) is FAIL


@pytest.mark.parametrize(("demand", "wanted", "value", "expected"), VALUES)
def test_an_unknown_elsewhere_is_never_passed(demand: str, wanted: Any, value: Any, expected: Outcome) -> None:
    other = "lock" if demand != "lock" else "strict"
    demands = Demands(**{demand: value, other: LOST})
    assert outcome(rule(demands=demands), **{demand: wanted, other: True}) is (FAIL if expected is FAIL else UNKNOWN)


@pytest.mark.parametrize(
    ("include", "exclude", "reached"),
    [
        (("main",), (), True),
        (("Main",), (), False),
        (("m*",), (), True),
        (("ma?n",), (), True),
        (("m[a-b]in",), (), True),
        (("m[!a]in",), (), False),
        (("**/main",), (), True),
        (("release/*",), (), False),
        (("~ALL",), (), True),
        (("~DEFAULT_BRANCH",), (), True),
        (("dev", "main"), (), True),
        (("~ALL",), ("main",), False),
        (("~ALL",), ("~DEFAULT_BRANCH",), False),
        (("main",), ("~ALL",), False),
        (("~ALL",), ("dev",), True),
        ((), ("dev",), True),
        ((), ("main",), False),
        ((), (), False),
        (("",), (), False),
        (("refs/heads/main",), (), False),
        (("[",), (), False),
    ],
)
def test_only_a_rule_whose_targets_match_the_branch_counts(
    include: tuple[str, ...], exclude: tuple[str, ...], reached: bool
) -> None:
    targets = Targets(include=include, exclude=exclude)
    assert outcome(rule(targets=targets), **ALL) is (PASS if reached else FAIL)


@pytest.mark.parametrize(("branches", "reached"), [(("main",), True), (("dev",), False), ((), False)])
def test_what_the_forge_says_of_branches_outranks_the_targets(branches: tuple[str, ...], reached: bool) -> None:
    assert outcome(rule(branches=branches), **ALL) is (PASS if reached else FAIL)


@pytest.mark.parametrize(
    ("actor", "allowed", "admins", "expected"),
    [
        (ADMIN, [], True, FAIL),
        (ADMIN, [], None, FAIL),
        (ADMIN, [], False, PASS),
        (TEAM, [], False, FAIL),
        (TEAM, [("team:release", "always")], True, PASS),
        (TEAM, [("team:Release", "always")], True, PASS),
        (TEAM, [("team:release", "pull-request")], True, FAIL),
        (msgspec.structs.replace(TEAM, mode="pull-request"), [("team:release", "pull-request")], True, PASS),
        (msgspec.structs.replace(TEAM, mode="pull-request"), [("team:release", "always")], True, PASS),
        (msgspec.structs.replace(TEAM, mode="exempt"), [("team:release", "pull-request")], True, FAIL),
        (BypassActor(kind="app", name="release"), [("team:release", "always")], True, FAIL),
        (BypassActor(kind="unknown"), [("team:release", "always")], False, FAIL),
        (BypassActor(kind="deploy-key", name="9", id=9), [("deploy-key", "always")], True, PASS),
    ],
)
def test_a_bypass_is_allowed_by_name_and_mode(
    actor: BypassActor, allowed: list[tuple[str, str]], admins: bool | None, expected: Outcome
) -> None:
    terms = {"bypass": [{"actor": name, "mode": mode} for name, mode in allowed], "admins_included": admins}
    assert outcome(rule(bypass=(actor,)), **ALL, **terms) is expected


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (rule("ruleset:2", bypass=(TEAM,)), PASS),
        (rule("ruleset:2", bypass=LOST), PASS),
        (rule("ruleset:2", enforced=False, enforcement="evaluate"), PASS),
        (rule("ruleset:2", enforced=False, enforcement="disabled", bypass=(TEAM,)), PASS),
        (rule("ruleset:2", demands=Demands()), PASS),
        (rule("ruleset:2", demands=Demands(approvals=LOST)), PASS),
    ],
)
def test_a_redundant_lenient_rule_does_not_weaken_a_strict_one(other: ProtectionRule, expected: Outcome) -> None:
    assert outcome(rule(), other, **ALL) is expected


def test_a_strict_rule_does_not_hide_that_another_which_alone_demands_can_be_passed_by() -> None:
    most = rule(demands=msgspec.structs.replace(STRICT, signatures=False))
    alone = rule("ruleset:2", demands=Demands(signatures=True))
    assert outcome(most, alone, **ALL) is PASS
    assert outcome(most, msgspec.structs.replace(alone, bypass=(TEAM,)), **ALL) is FAIL
    assert outcome(most, msgspec.structs.replace(alone, bypass=LOST), **ALL) is UNKNOWN
    assert outcome(most, msgspec.structs.replace(alone, enforced=False), **ALL) is FAIL


def test_no_known_part_makes_an_unknown_pass() -> None:
    for change in ({"bypass": LOST}, {"enforced": LOST}, {"demands": Demands(**dict.fromkeys(DEMANDS, LOST))}):
        assert outcome(rule(**change), **ALL) is UNKNOWN
    assert outcome(repository=home(), **ALL) is FAIL
    assert outcome(repository=msgspec.structs.replace(REPOSITORY, rules=LOST), **ALL) is UNKNOWN


def test_a_list_that_hides_repositories_is_unknown_beside_what_was_judged() -> None:
    hidden = RepositoryList(
        organisation="example-org", at=REPOSITORY.at, ids=(1042,), vanished={9: "example-org/gone"}, unseen=LOST
    )
    found = {r.subject: r.outcome for r in CHECK.evaluate([hidden, REPOSITORY], wanting(**ALL), SWEEP)}
    assert found == {MAIN: PASS, "github:organisation:example-org": UNKNOWN, "github:repository:9": UNKNOWN}

"""The check `environment-protection`: each expected field at each value, against what nobody can read."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from checks.environment_protection import CHECK, EnvironmentExpectations
from monitor.facts.repository import Environment, Repository, RepositoryList, Reviewer
from monitor.model import Outcome, Unknown
from tests.unit.checks.test_branch_protection import NOW, SWEEP

PASS, FAIL, UNKNOWN = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN
LOST = Unknown("could not be read", "actions:read")
TEAM, BEN, MARIA = (
    Reviewer(kind="team", name="release"),
    Reviewer(kind="user", name="ben"),
    Reviewer(kind="user", name="maria"),
)
LIST = RepositoryList(organisation="example-org", at=NOW, ids=(7,))

ROWS: list[tuple[dict[str, Any], dict[str, Any], Outcome]] = [
    ({"min_reviewers": 2}, {"reviewers": ()}, FAIL),
    ({"min_reviewers": 2}, {"reviewers": (BEN,)}, FAIL),
    ({"min_reviewers": 2}, {"reviewers": (BEN, MARIA)}, PASS),
    ({"min_reviewers": 2}, {"reviewers": (BEN, MARIA, TEAM)}, PASS),
    ({"min_reviewers": 2}, {"reviewers": LOST}, UNKNOWN),
    ({"min_reviewers": 0}, {"reviewers": ()}, PASS),
    ({"reviewers": ["team:release"]}, {"reviewers": (TEAM,)}, PASS),
    ({"reviewers": ["team:RELEASE"]}, {"reviewers": (TEAM,)}, PASS),
    ({"reviewers": ["team:release"]}, {"reviewers": ()}, FAIL),
    ({"reviewers": ["team:release"]}, {"reviewers": (TEAM, BEN)}, FAIL),
    ({"reviewers": ["team:ben"]}, {"reviewers": (BEN,)}, FAIL),
    ({"reviewers": ["team:release"]}, {"reviewers": LOST}, UNKNOWN),
    ({"reviewers": []}, {"reviewers": (BEN,)}, FAIL),
    ({"prevent_self_review": True}, {"prevent_self_review": True}, PASS),
    ({"prevent_self_review": True}, {"prevent_self_review": False}, FAIL),
    ({"prevent_self_review": True}, {"prevent_self_review": LOST}, UNKNOWN),
    ({"prevent_self_review": False}, {"prevent_self_review": LOST}, PASS),
    ({"admins_may_bypass": False}, {"admins_may_bypass": True}, FAIL),
    ({"admins_may_bypass": False}, {"admins_may_bypass": False}, PASS),
    ({"admins_may_bypass": False}, {"admins_may_bypass": LOST}, UNKNOWN),
    ({"wait_minutes": 30}, {"wait_minutes": 0}, FAIL),
    ({"wait_minutes": 30}, {"wait_minutes": 29}, FAIL),
    ({"wait_minutes": 30}, {"wait_minutes": 30}, PASS),
    ({"wait_minutes": 30}, {"wait_minutes": LOST}, UNKNOWN),
    ({"custom_rules": ["gate"]}, {"custom_rules": ()}, FAIL),
    ({"custom_rules": ["gate"]}, {"custom_rules": ("gate", "more")}, PASS),
    ({"custom_rules": ["gate"]}, {"custom_rules": LOST}, UNKNOWN),
    ({"deploys_from": ["main"]}, {"branch_policy": "none"}, FAIL),
    ({"deploys_from": ["main"]}, {"branch_policy": "protected"}, FAIL),
    ({"deploys_from": ["~PROTECTED"]}, {"branch_policy": "protected"}, PASS),
    ({"deploys_from": ["~PROTECTED"]}, {"branch_policy": "none"}, FAIL),
    ({"deploys_from": ["~PROTECTED"]}, {"branch_policy": "custom", "deploys_from": ("main",)}, FAIL),
    ({"deploys_from": ["main"]}, {"branch_policy": "custom", "deploys_from": ("main",)}, PASS),
    ({"deploys_from": ["main"]}, {"branch_policy": "custom", "deploys_from": ("main", "dev")}, FAIL),
    ({"deploys_from": ["main"]}, {"branch_policy": "custom", "deploys_from": ("*",)}, FAIL),
    ({"deploys_from": ["main"]}, {"branch_policy": "custom", "deploys_from": ("tag:main",)}, FAIL),
    ({"deploys_from": ["tag:v*"]}, {"branch_policy": "custom", "deploys_from": ("tag:v1",)}, PASS),
    ({"deploys_from": ["release/*"]}, {"branch_policy": "custom", "deploys_from": ("release/**/*",)}, FAIL),
    ({"deploys_from": ["main"]}, {"branch_policy": "custom", "deploys_from": LOST}, UNKNOWN),
    ({"deploys_from": ["main"]}, {"branch_policy": LOST}, UNKNOWN),
    ({"deploys_from": ["main"]}, {"branch_policy": "a word of tomorrow"}, UNKNOWN),
]


def outcomes(wanted: dict[str, Any], *environments: Environment) -> dict[str, Outcome]:
    expect = EnvironmentExpectations.model_validate(
        {"repositories": [{"match": ["example-org/*"], "environments": [{"match": ["production"], **wanted}]}]}
    )
    home = Repository(
        organisation="example-org", id=7, name="example-org/payments", at=NOW, default_branch="main", branches=("main",), environments=environments
    )  # fmt: skip
    found = list(CHECK.evaluate([home, LIST], expect, SWEEP))
    assert list(CHECK.evaluate([LIST, home], expect, SWEEP)) == found
    return {one.subject: one.outcome for one in found}


def outcome(wanted: dict[str, Any], **fields: Any) -> Outcome:
    (found,) = outcomes(wanted, Environment(id=1, name="production", **fields)).values()
    return found


@pytest.mark.parametrize(("wanted", "fields", "expected"), ROWS)
def test_each_expected_field_at_each_value(wanted: dict[str, Any], fields: dict[str, Any], expected: Outcome) -> None:
    assert outcome(wanted, **fields) is expected


@pytest.mark.parametrize(("wanted", "fields", "expected"), ROWS)
def test_a_fault_elsewhere_fails_and_an_unknown_elsewhere_never_passes(
    wanted: dict[str, Any], fields: dict[str, Any], expected: Outcome
) -> None:
    if "wait_minutes" in wanted:
        return
    more = {**wanted, "wait_minutes": 5}
    assert outcome(more, **{**fields, "wait_minutes": 0}) is FAIL
    assert outcome(more, **{**fields, "wait_minutes": LOST}) is (FAIL if expected is FAIL else UNKNOWN)


def test_each_environment_is_judged_by_itself() -> None:
    bad = Environment(id=1, name="production")
    assert outcomes({"min_reviewers": 1}, bad, msgspec.structs.replace(bad, id=2, name="dev")) == {
        "github:repository:7:environment:production": FAIL
    }

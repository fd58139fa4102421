"""Environments, and who and what may deploy to them, as REST sends them."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decode import github_environments
from monitor.errors import Malformed
from monitor.facts.repository import Environment, Reviewer
from monitor.model import Unknown
from tests.unit.github_decode import samples
from tests.unit.github_decode.samples import EVIDENCE, GATES, POLICIES, raw


def environment(**changes: Any) -> Environment:
    (found,) = github_environments.environments(raw(samples.environments(samples.environment(**changes))), EVIDENCE)
    return found


def test_an_environment_is_read_whole() -> None:
    found = environment()
    assert (found.id, found.name, found.evidence) == (161088068, "production", EVIDENCE)
    assert found.reviewers == (
        Reviewer(kind="team", name="release-managers", id=21),
        Reviewer(kind="user", name="asha", id=11),
    )
    assert (found.prevent_self_review, found.admins_may_bypass, found.wait_minutes) == (True, False, 30)


def test_an_environment_without_rules_protects_nothing() -> None:
    found = environment(protection_rules=[], deployment_branch_policy=None, can_admins_bypass=True)
    assert (found.reviewers, found.prevent_self_review, found.wait_minutes) == ((), False, 0)
    assert (found.branch_policy, found.deploys_from, found.admins_may_bypass) == ("none", (), True)


def test_patterns_and_apps_are_unknown_until_they_are_read() -> None:
    found = environment()
    assert found.branch_policy == "custom"
    assert isinstance(found.deploys_from, Unknown)
    assert isinstance(found.custom_rules, Unknown)


def test_protected_branches_alone_need_no_patterns() -> None:
    found = environment(deployment_branch_policy={"protected_branches": True, "custom_branch_policies": False})
    assert (found.branch_policy, found.deploys_from) == ("protected", ())


@pytest.mark.parametrize(
    "policy",
    [
        {},
        {"protected_branches": True},
        {"protected_branches": True, "custom_branch_policies": True},
        {"protected_branches": False, "custom_branch_policies": False},
        {"protected_branches": 1, "custom_branch_policies": False},
        "protected",
    ],
)
def test_a_policy_that_cannot_be_read_is_unknown(policy: Any) -> None:
    found = environment(deployment_branch_policy=policy)
    assert isinstance(found.branch_policy, Unknown)
    assert isinstance(found.deploys_from, Unknown)


def test_what_is_not_shown_is_unknown() -> None:
    bare = {"id": 1, "name": "production"}
    (found,) = github_environments.environments(raw(samples.environments(bare)), ())
    for name in (
        "reviewers",
        "prevent_self_review",
        "admins_may_bypass",
        "branch_policy",
        "wait_minutes",
        "custom_rules",
    ):
        assert isinstance(getattr(found, name), Unknown), name


@pytest.mark.parametrize("reviewer", [None, {}, {"type": "User"}, {"type": "Bot", "reviewer": {"login": "x"}}])
def test_one_unreadable_reviewer_makes_all_unknown(reviewer: Any) -> None:
    known = {"type": "User", "reviewer": {"login": "asha", "id": 11}}
    found = environment(protection_rules=[{"type": "required_reviewers", "reviewers": [known, reviewer]}])
    assert isinstance(found.reviewers, Unknown)


def test_an_unreadable_rule_may_be_any_that_is_not_there() -> None:
    found = environment(protection_rules=[{"type": "wait_timer", "wait_timer": 5}, None])
    assert found.wait_minutes == 5
    assert isinstance(found.reviewers, Unknown)


@pytest.mark.parametrize("minutes", ["30", True, -1, 1.5])
def test_a_wait_that_is_no_number_is_unknown(minutes: Any) -> None:
    found = environment(protection_rules=[{"type": "wait_timer", "wait_timer": minutes}])
    assert isinstance(found.wait_minutes, Unknown)


@pytest.mark.parametrize("answer", [{}, [], {"environments": None}, {"environments": [None]}, {"environments": [{}]}])
def test_what_is_no_list_of_environments_is_malformed(answer: Any) -> None:
    with pytest.raises(Malformed):
        github_environments.environments(raw(answer), ())


def test_patterns_of_tags_are_marked() -> None:
    assert github_environments.branch_policies(raw(POLICIES)) == ("release/*", "tag:v*")
    assert github_environments.branch_policies(raw({"branch_policies": [{"name": "main"}]})) == ("main",)


@pytest.mark.parametrize("entry", [None, {}, {"name": ""}, {"name": "v*", "type": 1}, {"name": "v*", "type": None}])
def test_a_pattern_that_cannot_be_read_is_malformed(entry: Any) -> None:
    with pytest.raises(Malformed):
        github_environments.branch_policies(raw({"branch_policies": [entry]}))


def test_only_apps_that_are_on_gate() -> None:
    assert github_environments.custom_rules(raw(GATES)) == ("change-gate",)


@pytest.mark.parametrize(
    "entry", [None, {"app": {"slug": "x"}}, {"enabled": True}, {"enabled": 1, "app": {"slug": "x"}}]
)
def test_an_app_that_cannot_be_read_is_malformed(entry: Any) -> None:
    with pytest.raises(Malformed):
        github_environments.custom_rules(raw({"custom_deployment_protection_rules": [entry]}))

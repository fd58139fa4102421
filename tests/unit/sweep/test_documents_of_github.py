"""`monitor evaluate` on documents of GitHub, as its API, its audit log and its webhooks send them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from monitor.expected.load import load
from monitor.sweep import registry
from monitor.sweep.documents_github import KINDS, judge
from tests.fakes.github import example

EXPECTED = load(Path(__file__).parents[3] / "config/expected")
CHECKS = registry.discover()
URL = "https://api.github.com/repos/example-org/web"


def outcomes(kind: str, *documents: Any) -> list[str]:
    found = [d if isinstance(d, bytes) else json.dumps(d).encode() for d in documents]
    judged = list(judge(kind, found, CHECKS, EXPECTED))
    assert [one.n for one in judged] == list(range(1, len(found) + 1))
    assert all(one.reason for one in judged)
    return [one.outcome.value for one in judged]


def protection(**more: Any) -> dict[str, Any]:
    return {
        "url": f"{URL}/branches/main/protection",
        "required_pull_request_reviews": {"required_approving_review_count": 1, "dismiss_stale_reviews": True},
        "enforce_admins": {"enabled": True},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
        **more,
    }


def ruleset(**more: Any) -> dict[str, Any]:
    return {
        "id": 7, "name": "main", "target": "branch", "source_type": "Repository", "source": "example-org/web", "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}, "rules": example.baseline(), "bypass_actors": [], **more,
    }  # fmt: skip


def test_branch_protection_is_judged_as_it_is_sent():
    assert outcomes(
        "github-branch-protection",
        protection(),
        protection(required_pull_request_reviews=None),
        protection(enforce_admins={"enabled": False}),
        protection(allow_force_pushes={"enabled": True}),
        {**protection(), "url": "https://api.github.com/repos/other-org/web/branches/main/protection"},
    ) == ["pass", "fail", "fail", "fail", "not-applicable"]


def test_a_ruleset_without_its_bypass_actors_is_unknown_and_with_none_passes():
    hidden = ruleset()
    del hidden["bypass_actors"]
    always = [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
    assert outcomes(
        "github-ruleset",
        ruleset(),
        hidden,
        ruleset(enforcement="evaluate"),
        ruleset(rules=[]),
        ruleset(bypass_actors=always),
    ) == ["pass", "unknown", "fail", "fail", "fail"]


def test_an_environment_is_judged_by_its_rules():
    reviewers = [{"type": "Team", "reviewer": {"id": 1, "slug": "release-managers"}}]
    good = {
        "id": 3, "name": "production", "url": f"{URL}/environments/production", "can_admins_bypass": False,
        "protection_rules": [{"id": 1, "type": "required_reviewers", "prevent_self_review": True, "reviewers": reviewers}],
        "deployment_branch_policy": {"protected_branches": True, "custom_branch_policies": False},
    }  # fmt: skip
    assert outcomes(
        "github-environment",
        good,
        {**good, "protection_rules": []},
        {**good, "can_admins_bypass": True},
        {**good, "name": "staging"},
    ) == ["pass", "fail", "fail", "not-applicable"]


def test_audit_events_are_judged_one_by_one():
    world = example.build()
    by_action = {event["action"]: event for event in world.audit}
    assert outcomes(
        "github-audit",
        by_action["protected_branch.destroy"],
        by_action["protected_branch.create"],
        by_action["environment.update_actions_secret"],
        {**by_action["protected_branch.destroy"], "action": "repo.create"},
    ) == ["fail", "not-applicable", "not-applicable", "not-applicable"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_document_that_cannot_be_read_is_an_error_and_the_next_is_still_judged(kind: str):
    found = outcomes(kind, b"{", b"[" * 9999, b"null", b'"text"', b"\xff", {"url": 7, "id": [], "name": {}})
    assert "pass" not in found
    assert found[0] == "error"


def test_hostile_text_of_a_document_stays_text():
    hostile = protection(url=f"{URL}/branches/%1B%5B31m%3Cscript%3E/protection")
    (judged,) = judge("github-branch-protection", [json.dumps(hostile).encode()], CHECKS, EXPECTED)
    assert judged.outcome == "pass"
    assert "\x1b[31m<script>" in judged.subject

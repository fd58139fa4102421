"""Events in the shapes that GitHub documents, of an organisation that does not exist. Each call makes a new one."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

AT = datetime(2026, 3, 10, 9, 14, tzinfo=UTC)
AT_MS = int(AT.timestamp() * 1000)
ORG, REPO, REPO_ID = "example-org", "example-org/payments", 1042
BEFORE, AFTER = "a" * 40, "b" * 40
REVIEW = {
    "required_approving_review_count": 2,
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": True,
    "require_last_push_approval": False,
    "required_review_thread_resolution": False,
    "allowed_merge_methods": ["merge", "squash", "rebase"],
}
MAIN = {"id": 7, "target": "ref_name", "parameters": {"include": ["refs/heads/main"], "exclude": []}}
TEAM = {"id": 3, "actor_id": 77, "actor_type": "Team", "bypass_mode": "always"}


def body(value: Any) -> bytes:
    return json.dumps(value).encode()


def event(action: str, **fields: Any) -> dict[str, Any]:
    """Return an event of the audit log; a field that is given as None is left out."""
    whole = {
        "@timestamp": AT_MS,
        "_document_id": "doc-1",
        "action": action,
        "actor": "maria-example",
        "actor_id": 501,
        "actor_is_bot": False,
        "created_at": AT_MS,
        "operation_type": "modify",
        "org": ORG,
        "org_id": 9,
        "public_repo": False,
        "repo": REPO,
        "repo_id": REPO_ID,
        **fields,
    }
    return {name: value for name, value in whole.items() if value is not None}


def classic(verb: str, **fields: Any) -> dict[str, Any]:
    return event(f"protected_branch.{verb}", **{"name": "main", **fields})


def ruleset(verb: str, **fields: Any) -> dict[str, Any]:
    return event(
        f"repository_ruleset.{verb}",
        **{
            "ruleset_id": 73,
            "ruleset_name": "protect-main",
            "ruleset_enforcement": "enabled",
            "ruleset_source_type": "Repository",
            **fields,
        },
    )


def whole_ruleset(verb: str, **fields: Any) -> dict[str, Any]:
    return ruleset(
        verb,
        **{
            "ruleset_rules": [
                {"id": 1, "type": "pull_request", "parameters": REVIEW},
                {"id": 2, "type": "deletion", "parameters": {}},
                {"id": 3, "type": "non_fast_forward", "parameters": {}},
            ],
            "ruleset_conditions": [MAIN],
            "ruleset_bypass_actors": [TEAM],
            **fields,
        },
    )


def override(**fields: Any) -> dict[str, Any]:
    return event(
        "protected_branch.policy_override",
        **{
            "branch": "refs/heads/main",
            "before": BEFORE,
            "after": AFTER,
            "overridden_codes": ["review_policy_not_satisfied", "required_status_checks"],
            "reasons": [{"code": "required_status_checks", "message": 'Required status check "test" is expected.'}],
            **fields,
        },
    )


REPOSITORY = {
    "id": REPO_ID,
    "full_name": REPO,
    "updated_at": "2026-03-10T08:00:00Z",
    "pushed_at": "2026-03-10T09:10:00Z",
}


def delivery(action: str, **fields: Any) -> dict[str, Any]:
    return {
        "action": action,
        "repository": REPOSITORY,
        "organization": {"login": ORG, "id": 9},
        "sender": {"login": "maria-example", "id": 501, "type": "User"},
        **fields,
    }


def hooked_rule(**fields: Any) -> dict[str, Any]:
    return {
        "id": 21796960,
        "repository_id": REPO_ID,
        "name": "main",
        "created_at": "2026-01-01T10:00:00.000Z",
        "updated_at": "2026-03-10T09:14:00.000Z",
        "pull_request_reviews_enforcement_level": "everyone",
        "required_approving_review_count": 2,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "authorized_dismissal_actors_only": False,
        "ignore_approvals_from_contributors": False,
        "required_status_checks": ["build", "test"],
        "required_status_checks_enforcement_level": "everyone",
        "strict_required_status_checks_policy": True,
        "signature_requirement_enforcement_level": "off",
        "linear_history_requirement_enforcement_level": "off",
        "admin_enforced": True,
        "allow_force_pushes_enforcement_level": "off",
        "allow_deletions_enforcement_level": "off",
        "merge_queue_enforcement_level": "off",
        "required_deployments_enforcement_level": "off",
        "required_conversation_resolution_level": "off",
        "authorized_actors_only": False,
        "authorized_actor_names": [],
        **fields,
    }


def rest_ruleset(**fields: Any) -> dict[str, Any]:
    return {
        "id": 73,
        "name": "protect-main",
        "target": "branch",
        "source_type": "Repository",
        "source": REPO,
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
        "rules": [{"type": "pull_request", "parameters": REVIEW}, {"type": "deletion"}],
        "created_at": "2026-01-01T10:00:00Z",
        "updated_at": "2026-03-10T09:14:00Z",
        **fields,
    }


def suite(**fields: Any) -> dict[str, Any]:
    return {
        "id": 21,
        "actor_id": 501,
        "actor_name": "maria-example",
        "before_sha": BEFORE,
        "after_sha": AFTER,
        "ref": "refs/heads/main",
        "repository_id": REPO_ID,
        "repository_name": "payments",
        "pushed_at": "2026-03-10T09:14:00Z",
        "result": "bypass",
        "evaluation_result": "fail",
        **fields,
    }


def moved(**fields: Any) -> dict[str, Any]:
    return {
        "id": 31,
        "node_id": "X",
        "before": BEFORE,
        "after": AFTER,
        "ref": "refs/heads/main",
        "timestamp": "2026-03-10T09:14:00Z",
        "activity_type": "push",
        "actor": {"login": "maria-example", "id": 501, "type": "User"},
        **fields,
    }

"""Answers of GitHub's REST and GraphQL, in the shape that its documentation shows, about an organisation that is made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from monitor.model import EvidenceRef

AT = datetime(2026, 3, 10, 9, 0, tzinfo=UTC)
EVIDENCE = (EvidenceRef(kind="capture", name="github.graphql", sha256="a" * 64),)
ORGANISATION = "example-org"
LAST = {"hasNextPage": False, "endCursor": None}


def raw(value: Any) -> bytes:
    """Return the JSON of an answer."""
    return json.dumps(value).encode()


def listed(*nodes: Any, after: str | None = None) -> dict[str, Any]:
    """Return a connection of GraphQL: a page of nodes, and the cursor of the next if there is one."""
    return {"nodes": list(nodes), "pageInfo": {"hasNextPage": after is not None, "endCursor": after}}


def allowance(kind: str, name: str, number: int) -> dict[str, Any]:
    field = "login" if kind == "User" else "slug"
    return {"actor": {"__typename": kind, field: name, "databaseId": number}}


def graphql_rule(**changes: Any) -> dict[str, Any]:
    """Return a BranchProtectionRule that makes every demand, of which nobody may pass anything by."""
    return {
        "databaseId": 71,
        "pattern": "main",
        "isAdminEnforced": True,
        "requiresApprovingReviews": True,
        "requiredApprovingReviewCount": 2,
        "requiresCodeOwnerReviews": True,
        "dismissesStaleReviews": True,
        "requireLastPushApproval": True,
        "requiresConversationResolution": True,
        "requiresStatusChecks": True,
        "requiresStrictStatusChecks": True,
        "requiredStatusChecks": [{"context": "build", "app": {"databaseId": 15368}}, {"context": "lint", "app": None}],
        "requiresCommitSignatures": True,
        "requiresLinearHistory": True,
        "allowsForcePushes": False,
        "allowsDeletions": False,
        "lockBranch": True,
        "bypassPullRequestAllowances": listed(),
        "bypassForcePushAllowances": listed(),
        **changes,
    }


def ref(name: str, rule: int | None = None) -> dict[str, Any]:
    return {"name": name, "branchProtectionRule": rule and {"databaseId": rule, "pattern": name}}


def graphql_ruleset(number: int = 42, **changes: Any) -> dict[str, Any]:
    return {
        "databaseId": number,
        "name": "production",
        "target": "BRANCH",
        "enforcement": "ACTIVE",
        "updatedAt": "2026-02-01T10:00:00Z",
        "source": {"__typename": "Organization", "login": ORGANISATION},
        **changes,
    }


def repository(number: int = 1042, **changes: Any) -> dict[str, Any]:
    """Return a repository with two branches, one of them under a classic rule, a ruleset and an environment."""
    return {
        "databaseId": number,
        "nameWithOwner": f"{ORGANISATION}/payments",
        "isArchived": False,
        "isFork": False,
        "isEmpty": False,
        "visibility": "PRIVATE",
        "createdAt": "2021-05-01T08:00:00Z",
        "pushedAt": "2026-03-09T17:30:00Z",
        "viewerCanAdminister": True,
        "defaultBranchRef": {"name": "main"},
        "refs": listed(ref("feature"), ref("main", 71)),
        "branchProtectionRules": listed(graphql_rule()),
        "rulesets": listed(graphql_ruleset()),
        "environments": listed({"name": "production"}),
        **changes,
    }


def repositories(*nodes: Any, after: str | None = None, errors: Any = None) -> dict[str, Any]:
    """Return a page of an organisation's repositories."""
    page = {
        "data": {
            "rateLimit": {"cost": 44, "remaining": 4956, "resetAt": "2026-03-10T10:00:00Z", "limit": 5000},
            "organization": {"repositories": {**listed(*nodes, after=after), "totalCount": len(nodes)}},
        }
    }
    return page if errors is None else {**page, "errors": errors}


def error(*path: str | int, message: str = "Something went wrong") -> dict[str, Any]:
    return {"type": "FORBIDDEN", "path": list(path), "message": message, "locations": [{"line": 1, "column": 1}]}


REVIEW_PARAMETERS = {
    "required_approving_review_count": 2,
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": True,
    "require_last_push_approval": True,
    "required_review_thread_resolution": True,
    "allowed_merge_methods": ["squash"],
}
CHECK_PARAMETERS = {
    "strict_required_status_checks_policy": True,
    "required_status_checks": [{"context": "build", "integration_id": 15368}, {"context": "lint"}],
}
RULES: list[dict[str, Any]] = [
    {"type": "pull_request", "parameters": REVIEW_PARAMETERS},
    {"type": "required_status_checks", "parameters": CHECK_PARAMETERS},
    {"type": "non_fast_forward"},
    {"type": "deletion"},
    {"type": "required_signatures"},
    {"type": "required_linear_history"},
    {"type": "merge_queue", "parameters": {"merge_method": "SQUASH", "max_entries_to_build": 5}},
    {"type": "update", "parameters": {"update_allows_fetch_and_merge": False}},
    {"type": "creation"},
]


def ruleset(**changes: Any) -> dict[str, Any]:
    """Return an organisation's ruleset that makes every demand, of which nobody may pass anything by."""
    return {
        "id": 42,
        "name": "production",
        "target": "branch",
        "source_type": "Organization",
        "source": ORGANISATION,
        "enforcement": "active",
        "bypass_actors": [],
        "conditions": {
            "ref_name": {
                "include": ["~DEFAULT_BRANCH", "refs/heads/release/**"],
                "exclude": ["refs/heads/release/old"],
            },
            "repository_name": {"include": ["pay*"], "exclude": ["*-sandbox"], "protected": True},
        },
        "rules": RULES,
        "node_id": "RRS_lACkVXNlcgQB",
        "created_at": "2025-08-15T08:43:03Z",
        "updated_at": "2026-02-01T10:00:00Z",
        **changes,
    }


def actor(kind: str, number: int | None, mode: str = "always") -> dict[str, Any]:
    return {"actor_id": number, "actor_type": kind, "bypass_mode": mode}


def classic(**changes: Any) -> dict[str, Any]:
    """Return a branch's classic protection that makes every demand."""
    return {
        "url": f"https://api.github.com/repos/{ORGANISATION}/payments/branches/main/protection",
        "required_status_checks": {
            "strict": True,
            "contexts": ["build", "lint"],
            "checks": [{"context": "build", "app_id": 15368}, {"context": "lint", "app_id": None}],
        },
        "enforce_admins": {"url": "https://api.github.com/…/enforce_admins", "enabled": True},
        "required_pull_request_reviews": {
            "dismiss_stale_reviews": True,
            "require_code_owner_reviews": True,
            "require_last_push_approval": True,
            "required_approving_review_count": 2,
        },
        "required_signatures": {"enabled": True},
        "required_linear_history": {"enabled": True},
        "allow_force_pushes": {"enabled": False},
        "allow_deletions": {"enabled": False},
        "block_creations": {"enabled": False},
        "required_conversation_resolution": {"enabled": True},
        "lock_branch": {"enabled": True},
        "allow_fork_syncing": {"enabled": False},
        **changes,
    }


def effective(number: int = 42) -> list[dict[str, Any]]:
    """Return the rules in effect on a branch: those of a ruleset, and one of another."""
    source = {"ruleset_source_type": "Organization", "ruleset_source": ORGANISATION}
    own = {"ruleset_source_type": "Repository", "ruleset_source": f"{ORGANISATION}/payments", "ruleset_id": 7}
    return [*({**rule, **source, "ruleset_id": number} for rule in RULES), {"type": "deletion", **own}]


def environment(**changes: Any) -> dict[str, Any]:
    """Return an environment with reviewers, a wait timer and patterns of branches."""
    return {
        "id": 161088068,
        "node_id": "MDExOkVudmlyb25tZW50MTYxMDg4MDY4",
        "name": "production",
        "url": f"https://api.github.com/repos/{ORGANISATION}/payments/environments/production",
        "can_admins_bypass": False,
        "protection_rules": [
            {"id": 3736, "type": "wait_timer", "wait_timer": 30},
            {
                "id": 3755,
                "type": "required_reviewers",
                "prevent_self_review": True,
                "reviewers": [
                    {"type": "User", "reviewer": {"login": "asha", "id": 11}},
                    {"type": "Team", "reviewer": {"slug": "release-managers", "name": "Release managers", "id": 21}},
                ],
            },
            {"id": 3756, "type": "branch_policy"},
        ],
        "deployment_branch_policy": {"protected_branches": False, "custom_branch_policies": True},
        **changes,
    }


def environments(*found: Any) -> dict[str, Any]:
    return {"total_count": len(found), "environments": list(found)}


POLICIES = {
    "total_count": 2,
    "branch_policies": [
        {"id": 361471, "node_id": "MDE2", "name": "release/*", "type": "branch"},
        {"id": 361472, "node_id": "MDE3", "name": "v*", "type": "tag"},
    ],
}
GATES = {
    "total_count": 2,
    "custom_deployment_protection_rules": [
        {
            "id": 3,
            "enabled": True,
            "app": {"id": 1, "slug": "change-gate", "integration_url": "https://api.github.com/…"},
        },
        {
            "id": 4,
            "enabled": False,
            "app": {"id": 2, "slug": "off-gate", "integration_url": "https://api.github.com/…"},
        },
    ],
}

"""Rules and environments of the fake's world as GraphQL writes them: https://docs.github.com/en/graphql/reference/branches"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.fakes.github.world import ClassicRule, Environment, Repository, Ruleset

Paged = Callable[[list[Any]], Any]
ROLES = {1: "read", 2: "triage", 3: "maintain", 4: "write", 5: "admin"}
PARAMETERS = {
    "pull_request": "PullRequestParameters",
    "required_status_checks": "RequiredStatusChecksParameters",
    "update": "UpdateParameters",
    "merge_queue": "MergeQueueParameters",
    "required_deployments": "RequiredDeploymentsParameters",
}


def classic(rule: ClassicRule, paged: Paged) -> dict[str, Any]:
    """Return a classic rule, with every field that is documented."""
    return {
        "id": f"BPR_{rule.id}",
        "databaseId": rule.id,
        "pattern": rule.pattern,
        "isAdminEnforced": rule.admins,
        "requiresApprovingReviews": rule.approvals is not None,
        "requiredApprovingReviewCount": rule.approvals,
        "requiresCodeOwnerReviews": rule.code_owners,
        "dismissesStaleReviews": rule.dismiss_stale,
        "requireLastPushApproval": rule.last_push,
        "requiresConversationResolution": rule.conversations,
        "requiresStatusChecks": bool(rule.checks),
        "requiresStrictStatusChecks": rule.strict,
        "requiredStatusChecks": [
            {"context": name, "app": {"id": f"A_{app}", "databaseId": app, "name": "ci", "slug": "ci"} if app else None}
            for name, app in rule.checks
        ],
        "requiredStatusCheckContexts": [name for name, _ in rule.checks],
        "requiresCommitSignatures": rule.signatures,
        "requiresLinearHistory": rule.linear,
        "allowsForcePushes": rule.force_push,
        "allowsDeletions": rule.deletion,
        "lockBranch": rule.lock,
        "lockAllowsFetchAndMerge": False,
        "blocksCreations": False,
        "requiresDeployments": False,
        "requiredDeploymentEnvironments": [],
        "restrictsPushes": rule.pushers is not None,
        "restrictsReviewDismissals": False,
        "bypassPullRequestAllowances": paged(_allowed(rule, rule.skip_reviews)),
        "bypassForcePushAllowances": paged(_allowed(rule, rule.force_pushers)),
        "pushAllowances": paged(_allowed(rule, rule.pushers or [])),
        "reviewDismissalAllowances": paged([]),
    }


def _allowed(rule: ClassicRule, actors: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    return [{"id": f"ALLOW_{rule.id}_{actor[2]}", "actor": _actor(*actor)} for actor in actors]


def _actor(kind: str, name: str, number: int) -> dict[str, Any]:
    called = "login" if kind == "User" else "slug"
    return {"__typename": kind, "id": f"{kind}_{number}", "databaseId": number, called: name, "name": name}


def conditions(rule: Ruleset, repository: Repository | None) -> dict[str, Any]:
    names = {"include": rule.repositories or ["~ALL"], "exclude": [], "protected": False}
    return {
        "refName": {"include": rule.include, "exclude": rule.exclude},
        "repositoryName": None if repository else names,
    }


def rules(rule: Ruleset) -> list[dict[str, Any]]:
    """Return the rules of a ruleset: types in capitals, parameters in camel case."""
    return [
        {"id": f"RR_{rule.id}_{n}", "type": str(one["type"]).upper(), "parameters": _parameters(one)}
        for n, one in enumerate(rule.rules)
    ]


def _parameters(one: dict[str, Any]) -> dict[str, Any] | None:
    kind = PARAMETERS.get(one["type"])
    if kind is None or not one.get("parameters"):
        return None
    found = _camel(one["parameters"])
    if one["type"] == "pull_request" and found.get("allowedMergeMethods") is not None:
        found["allowedMergeMethods"] = [method.upper() for method in found["allowedMergeMethods"]]
    return {"__typename": kind, "doNotEnforceOnCreate": False, "updateAllowsFetchAndMerge": False, **found}


def _camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {re.sub("_(.)", lambda m: m[1].upper(), key): _camel(inner) for key, inner in value.items()}
    return [_camel(inner) for inner in value] if isinstance(value, list) else value


def bypass_actors(rule: Ruleset) -> list[dict[str, Any]]:
    """Return the bypass actors: roles by number and name, teams and apps as objects, the rest as switches."""
    found = []
    for n, one in enumerate(rule.bypass):
        kind, number = one["actor_type"], one.get("actor_id")
        role = number if kind == "RepositoryRole" else None
        known = {"Team": "Team", "Integration": "App"}.get(kind)
        found.append(
            {
                "id": f"RRBA_{rule.id}_{n}",
                "bypassMode": str(one.get("bypass_mode", "always")).upper(),
                "organizationAdmin": kind == "OrganizationAdmin",
                "deployKey": kind == "DeployKey",
                "enterpriseOwner": kind == "EnterpriseOwner",
                "repositoryRoleDatabaseId": role,
                "repositoryRoleName": ROLES.get(role or 0),
                "actor": _actor(known, f"{known}-{number}".lower(), number or 0) if known else None,
            }
        )
    return found


def environment_rules(one: Environment, paged: Paged) -> list[dict[str, Any]]:
    found = []
    if one.wait:
        found.append({"databaseId": one.id + 1, "type": "WAIT_TIMER", "timeout": one.wait, "reviewers": paged([])})
    if one.reviewers:
        found.append(
            {
                "databaseId": one.id + 2,
                "type": "REQUIRED_REVIEWERS",
                "timeout": 0,
                "preventSelfReview": one.self_review_prevented,
                "reviewers": paged([_actor(*reviewer) for reviewer in one.reviewers]),
            }
        )
    if one.policy:
        found.append({"databaseId": one.id + 3, "type": "BRANCH_POLICY", "timeout": 0, "reviewers": paged([])})
    return found

"""The fake's GraphQL: graphql-core over GitHub's own schema, so that a wrong query is refused as GitHub would."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

from graphql import build_schema, graphql_sync

from tests.fakes.github.world import BORN, ClassicRule, Repository, Ruleset, World, stamp

SCHEMA = build_schema((Path(__file__).parent / "schema.graphql").read_text())
for union in ("BranchActorAllowanceActor", "RuleSource"):
    SCHEMA.type_map[union].resolve_type = lambda value, info, kind: value["__typename"]  # type: ignore[attr-defined]


def connection(items: list[Any], first: int | None = None, after: str | None = None, **_: Any) -> dict[str, Any]:
    if first is None or not 1 <= first <= 100:
        raise ValueError("You must provide a `first` value between 1 and 100 to properly paginate")
    start = int(base64.b64decode(after).decode().partition(":")[2]) if after else 0
    nodes = items[start : start + first]
    end = start + len(nodes)
    cursor = base64.b64encode(f"cursor:{end}".encode()).decode() if nodes else None
    page = {"hasNextPage": end < len(items), "endCursor": cursor, "hasPreviousPage": start > 0, "startCursor": None}
    return {"nodes": nodes, "pageInfo": page, "totalCount": len(items)}


def paged(items: list[Any]) -> Any:
    return lambda info, **arguments: connection(items, **arguments)


class Graph:
    def __init__(self, world: World) -> None:
        self.world = world

    def answer(self, query: str, variables: dict[str, Any], rate: dict[str, Any]) -> dict[str, Any]:
        root = {
            "organization": lambda info, login: self._organisation(login),
            "repository": lambda info, owner, name, **_: self._named(f"{owner}/{name}"),
            "rateLimit": lambda info, **_: {**rate, "cost": 1, "nodeCount": 100},
        }
        done = graphql_sync(SCHEMA, query, root, variable_values=variables)
        answer: dict[str, Any] = {"data": done.data}
        if done.errors:
            answer["errors"] = [{"message": e.message, "path": e.path, "type": "UNPROCESSABLE"} for e in done.errors]
        return answer

    def _organisation(self, login: str) -> dict[str, Any] | None:
        if login.lower() != self.world.organisation.lower():
            return None
        return {"login": login, "databaseId": 900, "name": login, "repositories": self._repositories}

    def _repositories(self, info: Any, **arguments: Any) -> dict[str, Any]:
        page = connection(self.world.repositories, **{k: v for k, v in arguments.items() if k in ("first", "after")})
        return {**page, "nodes": [self._repository(one) for one in page["nodes"]]}

    def _named(self, name: str) -> dict[str, Any] | None:
        found = self.world.repository(name)
        return self._repository(found) if found else None

    def _repository(self, one: Repository) -> dict[str, Any]:
        world = self.world
        rules = {rule.id: self._rule(rule) for rule in one.classic} if world.may("administration") else {}

        def ref(name: str) -> dict[str, Any]:
            applied = world.applied(one, name)
            return {
                "name": name,
                "prefix": "refs/heads/",
                "branchProtectionRule": rules.get(applied.id) if applied else None,
            }

        branches = [] if one.empty else one.branches
        return {
            "databaseId": one.id,
            "name": one.name,
            "nameWithOwner": one.full_name,
            "isArchived": one.archived,
            "isFork": one.fork,
            "isEmpty": one.empty,
            "isPrivate": one.visibility != "public",
            "visibility": one.visibility.upper(),
            "createdAt": stamp(BORN),
            "updatedAt": stamp(BORN),
            "pushedAt": stamp(one.pushed_at),
            "viewerCanAdminister": world.may("administration", "write"),
            "defaultBranchRef": None if one.empty else ref(one.default_branch),
            "refs": lambda info, refPrefix, **a: connection([ref(b) for b in branches], **a),
            "branchProtectionRules": paged(list(rules.values())),
            "rulesets": lambda info, includeParents=True, **a: connection(
                [self._ruleset(r, one) for r in one.rulesets]
                + ([self._ruleset(r, None) for r in world.parents(one)] if includeParents else []),
                **a,
            ),
            "environments": paged([{"databaseId": e.id, "name": e.name} for e in one.environments]),
        }

    def _ruleset(self, rule: Ruleset, repository: Repository | None) -> dict[str, Any]:
        source = (
            {"__typename": "Repository", "nameWithOwner": repository.full_name}
            if repository
            else {"__typename": "Organization", "login": self.world.organisation}
        )
        return {
            "databaseId": rule.id,
            "name": rule.name,
            "target": rule.target.upper(),
            "enforcement": rule.enforcement.upper(),
            "createdAt": stamp(BORN),
            "updatedAt": stamp(rule.updated_at),
            "source": source,
        }

    def _rule(self, rule: ClassicRule) -> dict[str, Any]:
        skippers = [
            {
                "actor": {
                    "__typename": kind,
                    "databaseId": number,
                    ("login" if kind == "User" else "slug"): name,
                    "name": name,
                }
            }
            for kind, name, number in rule.skip_reviews
        ]
        return {
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
                {"context": name, "app": {"databaseId": app, "name": "ci", "slug": "ci"} if app else None}
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
            "restrictsPushes": False,
            "restrictsReviewDismissals": False,
            "bypassPullRequestAllowances": paged(skippers),
            "bypassForcePushAllowances": paged([]),
        }

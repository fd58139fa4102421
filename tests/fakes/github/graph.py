"""The fake's GraphQL: graphql-core over GitHub's own schema, so that a wrong query is refused as GitHub would."""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from graphql import DocumentNode, GraphQLError, build_schema, execute_sync, parse, validate

from tests.fakes.github.cost import Refused, price
from tests.fakes.github.graph_rules import bypass_actors, classic, conditions, environment_rules, rules
from tests.fakes.github.world import BORN, Environment, Repository, Ruleset, World, stamp

SCHEMA = build_schema((Path(__file__).parent / "schema.graphql").read_text())
for _kind in SCHEMA.type_map.values():
    if hasattr(_kind, "resolve_type"):
        _kind.resolve_type = lambda value, info, kind: value["__typename"]
FORBIDDEN = "Resource not accessible by integration"


class Trouble(Exception):
    """A part of the answer that is not to be had; `type` is GitHub's word for why."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message)
        self.type = type


@lru_cache(maxsize=64)
def _checked(query: str) -> tuple[DocumentNode | None, tuple[GraphQLError, ...]]:
    try:
        document = parse(query)
    except GraphQLError as wrong:
        return None, (wrong,)
    return document, tuple(validate(SCHEMA, document))


def connection(
    items: list[Any], first: int | None = None, after: str | None = None, last: int | None = None, **_: Any
) -> dict[str, Any]:
    """Return a page. A negative or missing size was refused before; a cursor that is not ours is an error."""
    try:
        start = int(base64.b64decode(after).decode().partition(":")[2]) if after else 0
    except ValueError:
        raise Trouble("INVALID_CURSOR_ARGUMENTS", f"`{after}` does not appear to be a valid cursor.") from None
    if first is None:
        start = max(start, len(items) - (last or 0))
    nodes = items[start : start + (last or 0 if first is None else first)]
    end = start + len(nodes)
    page = {
        "hasNextPage": end < len(items),
        "endCursor": _cursor(end) if nodes else None,
        "hasPreviousPage": start > 0,
        "startCursor": _cursor(start + 1) if nodes else None,
    }
    return {"nodes": nodes, "pageInfo": page, "totalCount": len(items)}


def _cursor(place: int) -> str:
    return base64.b64encode(f"cursor:{place}".encode()).decode()


def paged(items: list[Any]) -> Any:
    return lambda info, **arguments: connection(items, **arguments)


def node_id(prefix: str, number: int) -> str:
    """Return a node's id, opaque to whoever receives it."""
    return f"{prefix}_{base64.urlsafe_b64encode(b'fake:%d' % number).decode().rstrip('=')}"


class Graph:
    def __init__(self, world: World) -> None:
        self.world = world

    def answer(self, query: str, variables: dict[str, Any], pay: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
        """Return data and errors as GitHub does, with status 200 whatever went wrong.

        `pay` is given the price in points, and returns what the query and the caller's budget then are.
        """
        document, wrong = _checked(query)
        if document is None or wrong:
            return {"errors": [_invalid(one) for one in wrong]}
        try:
            paid = price(SCHEMA, document, variables)
        except Refused as refused:
            return {"errors": [{"type": refused.type, "message": refused.message}]}
        left = pay(paid.points)
        root = {
            "organization": lambda info, login: self._organisation(login),
            "repository": lambda info, owner, name, **_: self._named(f"{owner}/{name}"),
            "node": lambda info, id: self._node(id),
            "rateLimit": lambda info, **_: {"nodeCount": paid.nodes, **left},
        }
        done = execute_sync(SCHEMA, document, root, variable_values=variables)
        answer: dict[str, Any] = {"data": done.data}
        if done.errors:
            answer["errors"] = [_failed(one) for one in done.errors]
        return answer

    def _organisation(self, login: str) -> dict[str, Any]:
        if login.lower() != self.world.organisation.lower():
            told = f"Could not resolve to an Organization with the login of '{login}'."
            raise Trouble("NOT_FOUND", told)
        return {
            "__typename": "Organization",
            "id": node_id("O", 900),
            "login": self.world.organisation,
            "databaseId": 900,
            "name": self.world.organisation,
            "repositories": self._repositories,
            "rulesets": lambda info, targets=None, includeParents=True, **a: connection(
                [self._ruleset(r, None) for r in self.world.rulesets if targets is None or r.target.upper() in targets],
                **a,
            ),
        }

    def _repositories(
        self, info: Any, isArchived: bool | None = None, orderBy: dict[str, str] | None = None, **a: Any
    ) -> dict[str, Any]:
        found = [one for one in self.world.seen() if isArchived in (None, one.archived)]
        if orderBy:
            keys = {"NAME": lambda one: one.name.lower(), "PUSHED_AT": lambda one: one.pushed_at}
            found.sort(key=keys.get(orderBy["field"], lambda one: one.id), reverse=orderBy["direction"] == "DESC")
        page = connection(found, **a)
        return {**page, "nodes": [self._repository(one) for one in page["nodes"]]}

    def _named(self, name: str) -> dict[str, Any]:
        found = self.world.repository(name)
        if found is None or found not in self.world.seen():
            raise Trouble("NOT_FOUND", f"Could not resolve to a Repository with the name '{name}'.")
        return self._repository(found)

    def _node(self, wanted: str) -> dict[str, Any]:
        if wanted == node_id("O", 900):
            return self._organisation(self.world.organisation)
        for one in self.world.seen():
            if node_id("R", one.id) == wanted:
                return self._repository(one)
        raise Trouble("NOT_FOUND", f"Could not resolve to a node with the global id of '{wanted}'.")

    def _repository(self, one: Repository) -> dict[str, Any]:
        world = self.world
        # Who may not see the rules is not told so: the list is empty.
        found = {rule.id: classic(rule, paged) for rule in one.classic} if world.may("administration") else {}

        def ref(name: str) -> dict[str, Any]:
            applied = world.applied(one, name)
            return {
                "id": f"REF_{one.id}_{name}",
                "name": name,
                "prefix": "refs/heads/",
                "branchProtectionRule": found.get(applied.id) if applied else None,
            }

        branches = [] if one.empty else one.branches

        def refs(info: Any, refPrefix: str, query: str | None = None, **a: Any) -> dict[str, Any]:
            listed = (
                [b for b in branches if not query or query.lower() in b.lower()] if refPrefix == "refs/heads/" else []
            )
            page = connection(listed, **a)
            return {**page, "nodes": [ref(b) for b in page["nodes"]]}

        def environments(info: Any, names: list[str] | None = None, **a: Any) -> dict[str, Any]:
            a.pop("orderBy", None)
            return connection([self._environment(e) for e in one.environments if not names or e.name in names], **a)

        def named(info: Any, qualifiedName: str) -> dict[str, Any] | None:
            name = qualifiedName.removeprefix("refs/heads/")
            return ref(name) if name in branches else None

        def rulesets(info: Any, includeParents: bool = True, targets: Any = None, **a: Any) -> dict[str, Any]:
            held = [(r, one) for r in one.rulesets] + [(r, None) for r in world.parents(one) if includeParents]
            page = connection([pair for pair in held if not targets or pair[0].target.upper() in targets], **a)
            return {**page, "nodes": [self._ruleset(*pair) for pair in page["nodes"]]}

        may_write, may_read = world.may("administration", "write"), world.may("administration")
        return {
            "__typename": "Repository",
            "id": node_id("R", one.id),
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
            "viewerCanAdminister": may_write,
            "viewerPermission": "ADMIN" if may_write else "READ" if may_read or world.permissions else None,
            "defaultBranchRef": None if one.empty else ref(one.default_branch),
            "ref": named,
            "refs": refs,
            "branchProtectionRules": paged(list(found.values())),
            "rulesets": rulesets,
            "environments": environments,
        }

    def _environment(self, one: Environment) -> dict[str, Any]:
        listed = environment_rules(one, paged)
        return {"id": node_id("EN", one.id), "databaseId": one.id, "name": one.name, "protectionRules": paged(listed)}

    def _ruleset(self, rule: Ruleset, repository: Repository | None) -> dict[str, Any]:
        source = (
            {"__typename": "Repository", "nameWithOwner": repository.full_name, "databaseId": repository.id}
            if repository
            else {"__typename": "Organization", "login": self.world.organisation, "databaseId": 900}
        )
        writable = self.world.may("administration" if repository else "organization_administration", "write")

        def listed(info: Any, type: str | None = None, **a: Any) -> dict[str, Any]:
            return connection([r for r in rules(rule) if type in (None, r["type"])], **a)

        return {
            "id": node_id("RRS", rule.id),
            "databaseId": rule.id,
            "name": rule.name,
            "target": rule.target.upper(),
            "enforcement": rule.enforcement.upper(),
            "createdAt": stamp(BORN),
            "updatedAt": stamp(rule.updated_at),
            "source": source,
            "conditions": conditions(rule, repository),
            "rules": listed,
            "bypassActors": paged(bypass_actors(rule)) if writable else None,
        }


def _invalid(wrong: GraphQLError) -> dict[str, Any]:
    places = [{"line": one.line, "column": one.column} for one in wrong.locations or ()]
    return {"message": wrong.message, "locations": places, "extensions": {"code": "invalidQuery"}}


def _failed(wrong: GraphQLError) -> dict[str, Any]:
    kind = getattr(wrong.original_error, "type", "UNPROCESSABLE")
    places = [{"line": one.line, "column": one.column} for one in wrong.locations or ()]
    return {"type": kind, "path": wrong.path, "locations": places, "message": wrong.message}

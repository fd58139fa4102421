"""What a GraphQL query asks for before it is run: GitHub's limits on pages and nodes, and its price in points.

https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLSchema,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    value_from_ast_untyped,
    visit,
)

PAGE = 100
NODES = 500_000


@dataclass
class Refused(Exception):
    """The query is not run; `type` is GitHub's word for why."""

    type: str
    message: str


@dataclass
class Price:
    """`nodes` that may come at most, and `requests` that a naive client would need for them."""

    nodes: int = 0
    requests: int = 0

    @property
    def points(self) -> int:
        return max(1, round(self.requests / 100))


def price(schema: GraphQLSchema, document: DocumentNode, variables: dict[str, Any]) -> Price:
    """Return the price of a valid query; raise Refused if a page is not bounded or it is too much."""
    fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
    connections = _connections(schema, document)
    defaults = {
        v.variable.name.value: value_from_ast_untyped(v.default_value)
        for d in document.definitions
        if isinstance(d, OperationDefinitionNode)
        for v in d.variable_definitions
        if v.default_value
    }
    found = Price()
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            _walk(definition.selection_set, 1, found, connections, fragments, {**defaults, **variables})
    return found


def _connections(schema: GraphQLSchema, document: DocumentNode) -> set[int]:
    info, found = TypeInfo(schema), set()

    class Marks(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            kind = get_named_type(info.get_type()) if info.get_type() else None
            if kind is not None and kind.name.endswith("Connection"):
                found.add(id(node))

    visit(document, TypeInfoVisitor(info, Marks()))
    return found


def _walk(
    chosen: SelectionSetNode | None,
    times: int,
    found: Price,
    connections: set[int],
    fragments: dict[str, FragmentDefinitionNode],
    variables: dict[str, Any],
) -> None:
    for one in chosen.selections if chosen else ():
        inner = times
        if isinstance(one, FragmentSpreadNode):
            _walk(fragments[one.name.value].selection_set, times, found, connections, fragments, variables)
            continue
        if isinstance(one, FieldNode) and id(one) in connections:
            size = _size(one, variables)
            found.requests += times
            found.nodes += times * size
            inner = times * size
            if found.nodes > NODES:
                told = f"By the time this query traverses to the {one.name.value} connection, it is requesting up to"
                raise Refused(
                    "MAX_NODE_LIMIT_EXCEEDED",
                    f"{told} {found.nodes:,} possible nodes which exceeds the maximum limit of {NODES:,}.",
                )
        _walk(one.selection_set, inner, found, connections, fragments, variables)  # type: ignore[attr-defined]


def _size(field: FieldNode, variables: dict[str, Any]) -> int:
    given = {a.name.value: value_from_ast_untyped(a.value, variables) for a in field.arguments}
    size = given.get("first") if given.get("first") is not None else given.get("last")
    name, word = field.name.value, "first" if given.get("first") is not None else "last"
    if not isinstance(size, int):
        raise Refused(
            "MISSING_PAGINATION_BOUNDARIES",
            f"You must provide a `first` or `last` value to properly paginate the `{name}` connection.",
        )
    if size > PAGE or size < 0:
        raise Refused(
            "EXCESSIVE_PAGINATION" if size > PAGE else "INVALID_PAGINATION",
            f"Requesting {size} records on the `{name}` connection exceeds the `{word}` limit of {PAGE} records."
            if size > PAGE
            else f"`{word}` on the `{name}` connection cannot be less than zero.",
        )
    return size

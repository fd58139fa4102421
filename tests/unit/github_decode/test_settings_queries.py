"""The texts of the queries: valid by GitHub's schema, within its limits."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import FieldNode, IntValueNode, SelectionSetNode, VariableNode, build_schema, parse, validate

from monitor.decode import github_graphql

SCHEMA = Path(__file__).parents[2] / "fakes" / "github" / "schema.graphql"
QUERIES = {"page": github_graphql.REPOSITORIES, "repository": github_graphql.REPOSITORY}
MOST_NODES, PAGE = 500_000, 100


def cost(selections: SelectionSetNode | None, times: int = 1) -> tuple[int, int]:
    """Return how many nodes are asked for, and how many requests it takes to fetch each list once for each parent.

    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
    """
    nodes = requests = 0
    for field in selections.selections if selections else ():
        if not isinstance(field, FieldNode):
            continue
        first = next((a.value for a in field.arguments if a.name.value == "first"), None)
        size = int(first.value) if isinstance(first, IntValueNode) else PAGE if isinstance(first, VariableNode) else 0
        more, asked = cost(field.selection_set, times * (size or 1))
        nodes += more + times * size
        requests += asked + (times if size else 0)
    return nodes, requests


def costs(query: str) -> tuple[int, int]:
    return cost(parse(query).definitions[0].selection_set)  # type: ignore[attr-defined]


def test_the_counting_is_that_of_the_documentation() -> None:
    documented = """query { viewer { repositories(first: 50) { edges { repository: node { name
        pullRequests(first: 20) { edges { pullRequest: node { title
          comments(first: 10) { edges { comment: node { bodyHTML } } } } } }
        issues(first: 20) { totalCount edges { issue: node { title
          comments(first: 10) { edges { comment: node { bodyHTML } } } } } } } } }
      followers(first: 10) { edges { follower: node { login } } } } }"""
    assert costs(documented)[0] == 22_060


@pytest.mark.parametrize("query", QUERIES)
def test_no_query_asks_for_more_nodes_than_are_allowed(query: str) -> None:
    nodes, _ = costs(QUERIES[query])
    assert 0 < nodes < MOST_NODES


def test_a_page_of_a_hundred_repositories_costs_less_than_a_point_for_two() -> None:
    _, requests = costs(github_graphql.REPOSITORIES)
    assert requests / 100 < 50


@pytest.mark.parametrize("query", QUERIES)
def test_the_queries_are_valid(query: str) -> None:
    assert validate(build_schema(SCHEMA.read_text()), parse(QUERIES[query])) == []


def test_a_list_is_continued_by_the_variable_of_its_name() -> None:
    assert github_graphql.cursors({"refs": "R1"}) == {
        "refs": "R1",
        "branchProtectionRules": None,
        "rulesets": None,
        "environments": None,
    }

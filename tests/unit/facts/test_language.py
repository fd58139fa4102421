"""language: whether what some patterns let in is allowed by others, with an example where it is not."""

from __future__ import annotations

from time import process_time

import pytest

from monitor.facts.language import ANY, Demand, glob, literal, some, witness
from monitor.model import Unknown

MINE = "repo:example-org/payments:environment:production"


def beyond(pattern: str, *allowed: str, universe: tuple = (ANY,)) -> str | Unknown | None:
    """What a pattern of AWS lets in that patterns of expected state do not allow."""
    return witness(universe, (Demand((glob(pattern),)),), tuple(glob(one, ":") for one in allowed))


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        (MINE, (MINE,)),
        (MINE, ("repo:example-org/*:environment:production",)),
        (MINE, ("repo:example-org/payments:environment:prod*", "other")),
        ("repo:example-org/pay?ents", ("repo:example-org/*",)),
        ("", ("*",)),
    ],
)
def test_what_is_allowed_as_a_whole_has_no_example(pattern, allowed):
    # A lone `?` of AWS stands for a colon too, so the universe here has none in a name.
    universe = (
        some(":"),
        *((glob(pattern),) if "?" not in pattern else ((*literal("repo:"), *some(":")),)),
        literal(""),
    )
    assert beyond(pattern, *allowed, universe=universe) is None


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("*", MINE),
        ("repo:*", MINE),
        (f"{MINE}*", MINE),
        ("repo:example-org/payments:*", MINE),
        (MINE, "repo:example-org/ledger:environment:production"),
        ("repo:example-org/*", "repo:example-org/*"),  # AWS's star crosses a colon, the one of expected state does not
        ("a?b", "a*b"),
    ],
)
def test_an_example_is_let_in_and_is_not_allowed(pattern, allowed):
    found = beyond(pattern, allowed)

    assert isinstance(found, str)
    assert beyond(pattern, allowed, universe=(literal(found),)) == found


def test_the_example_is_among_the_shortest_and_easy_to_read():
    universe = ((*literal("repo:"), *some(":/"), *literal("/"), *some(":/"), *literal(":pull_request")),)

    assert beyond("repo:ours/*", "repo:ours/a:pull_request", universe=universe) == "repo:ours/x:pull_request"


def test_a_list_is_let_in_by_any_of_its_patterns_and_several_demands_must_all_be_met():
    first, second = Demand((literal("a"), literal("b"))), Demand((literal("b"), literal("c")))

    assert witness((ANY,), (first,), (literal("a"),)) == "b"
    assert witness((ANY,), (first, second), ()) == "b"
    assert witness((ANY,), (first, second), (literal("b"),)) is None


def test_a_negated_demand_takes_away_whatever_one_of_its_patterns_stands_for():
    refused = Demand((glob("a*"), literal("c")), negated=True)

    assert witness((literal("ab"), literal("c"), literal("d")), (refused,), ()) == "d"
    assert witness((literal("ab"), literal("c")), (refused,), ()) is None


def test_a_pattern_without_case_stands_for_both():
    loose = Demand((literal("Main", cased=False),))

    assert witness((literal("mAIN"),), (loose,), ()) == "mAIN"
    assert witness((literal("mAIN"),), (Demand((literal("Main"),)),), ()) is None
    assert witness((literal("mAIN"),), (loose,), (glob("MAIN", ":"),)) == "mAIN"


def test_a_literal_star_is_only_a_star():
    assert witness((ANY,), (Demand((literal("a*"),)),), (literal("a*"),)) is None
    assert witness((literal("ab"),), (Demand((literal("a*"),)),), ()) is None


def test_nothing_is_let_in_by_no_pattern_and_everything_by_no_demand():
    assert witness((ANY,), (Demand(()),), ()) is None
    assert witness((ANY,), (), ()) == ""
    assert witness((), (), ()) is None


@pytest.mark.parametrize(
    ("pattern", "allowed"),
    [
        ("*a" * 100, "*a" * 100 + "*"),
        ("*a?b" * 120, "?*a" * 120),
        ("?*" * 500, "*?" * 500),
        ("*" * 2000, "x" * 1024),
        ("*ab" * 60 + "*ba" * 60, "*b?a" * 80),
        ("x" * 1500 + "*", "x" * 1024 + "*"),
    ],
)
def test_hostile_patterns_are_answered_soon_and_never_wrongly(pattern, allowed):
    began = process_time()
    found = beyond(pattern, allowed)
    took = process_time() - began

    assert took < 5
    if isinstance(found, str):
        assert beyond(pattern, allowed, universe=(literal(found),)) == found
    else:
        assert isinstance(found, Unknown)


def test_what_takes_too_long_is_unknown_and_says_what_to_do():
    found = beyond("*a?b" * 500, "*a" * 1200)

    assert isinstance(found, Unknown)
    assert found.reason
    assert found.grant

"""Laws of the comparison of patterns: it says what trying all short texts says, and wider patterns never let in less."""

from __future__ import annotations

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from monitor.expected.patterns import subject_matches
from monitor.facts.language import ANY, Demand, glob, literal, witness

LETTERS = "ab:"
TEXTS = tuple("".join(one) for n in range(6) for one in product(LETTERS, repeat=n))
PATTERNS = st.text("ab:*?", max_size=5)
LISTS = st.lists(PATTERNS, max_size=3)


def plainly(pattern: str, text: str, stops: str = "") -> bool:
    """Return whether a pattern stands for a text, the slow and obvious way."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return (
            plainly(pattern[1:], text, stops)
            or bool(text)
            and text[0] not in stops
            and plainly(pattern, text[1:], stops)
        )
    return (
        bool(text)
        and (text[0] == pattern[0] or (pattern[0] == "?" and text[0] not in stops))
        and plainly(pattern[1:], text[1:], stops)
    )


def demand(patterns: list[str], negated: bool = False) -> Demand:
    return Demand(tuple(glob(one) for one in patterns), negated)


@given(LISTS, LISTS, LISTS)
def test_it_says_what_trying_all_short_texts_says(asked, refused, allowed):
    def lets_in(text: str) -> bool:
        return (
            any(plainly(one, text) for one in asked)
            and not any(plainly(one, text) for one in refused)
            and not any(plainly(one, text, ":") for one in allowed)
        )

    found = witness((ANY,), (demand(asked), demand(refused, negated=True)), tuple(glob(one, ":") for one in allowed))
    tried = [text for text in TEXTS if lets_in(text)]

    assert found is None or (isinstance(found, str) and lets_in(found))
    if tried:
        assert isinstance(found, str)
        assert len(found) <= len(tried[0])


@given(LISTS, LISTS)
def test_within_a_universe_it_says_what_trying_each_of_its_texts_says(asked, allowed):
    universe = TEXTS[:121]
    found = witness(tuple(map(literal, universe)), (demand(asked),), tuple(glob(one, ":") for one in allowed))
    tried = [
        one for one in universe
        if any(plainly(p, one) for p in asked) and not any(plainly(p, one, ":") for p in allowed)
    ]  # fmt: skip

    assert found in tried if tried else found is None


@given(PATTERNS, PATTERNS, st.lists(PATTERNS, min_size=1, max_size=3), PATTERNS)
def test_wider_patterns_never_let_in_less(first, more, allowed, other):
    patterns = tuple(glob(one, ":") for one in allowed)
    narrow = witness((ANY,), (demand([first]),), patterns)

    if narrow is not None:
        assert witness((ANY,), (demand([first, more]),), patterns) is not None
        assert witness((ANY,), (), patterns) is not None
        assert witness((ANY,), (demand([first]),), patterns[1:]) is not None
        assert witness((ANY, glob(other)), (demand([first]),), patterns) is not None


@given(LISTS, LISTS)
def test_order_changes_nothing_but_the_example(asked, allowed):
    patterns = tuple(glob(one, ":") for one in allowed)
    one = witness((ANY,), (demand(asked), demand(["*"])), patterns)
    other = witness((ANY,), (demand(["*"]), demand(asked[::-1])), patterns[::-1])

    assert (one is None) == (other is None)


@given(st.text("ab:*?/", min_size=1, max_size=8), st.text("ab:/", max_size=8))
def test_a_pattern_allows_what_expected_state_says_that_it_does(pattern, text):
    allowed = witness((literal(text),), (), (glob(pattern, ":"),)) is None

    assert allowed == subject_matches(pattern, text)


@given(st.text(max_size=20), st.text(max_size=20))
def test_nothing_raises_on_any_text(pattern, allowed):
    witness((ANY,), (demand([pattern]),), (glob(allowed, ":"), literal(allowed, cased=False)))

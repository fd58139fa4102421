"""Pattern against pattern: what is called covered is covered, for every text."""

from __future__ import annotations

import fnmatch
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.facts.allowing import Allowed, includes

PATTERNS = st.text(alphabet="ab*?", max_size=6)
TEXTS = st.text(alphabet="ab", max_size=8)


def fits(pattern: str, text: str) -> bool:
    return re.fullmatch(fnmatch.translate(pattern.replace("[", "[[]")), text) is not None


@given(PATTERNS, PATTERNS, TEXTS)
@settings(max_examples=400)
def test_what_the_outer_pattern_is_said_to_include_it_matches(outer, inner, text):
    if includes(outer, inner) and fits(inner, text):
        assert fits(outer, text)


@given(PATTERNS, TEXTS)
def test_a_pattern_includes_exactly_the_plain_texts_that_it_matches(outer, text):
    assert includes(outer, text) == fits(outer, text)


@given(PATTERNS)
def test_everything_is_included_in_the_star_and_in_itself(inner):
    assert includes("*", inner)
    assert includes(inner, inner)


@given(st.lists(st.tuples(PATTERNS, PATTERNS), max_size=4), PATTERNS, PATTERNS, PATTERNS, PATTERNS)
def test_a_further_allowance_takes_none_away(entries, action, place, more_action, more_place):
    def allowed(found):
        return Allowed([((a,), (p,), "because") for a, p in found])

    if allowed(entries).covers((action,), (place,)):
        assert allowed([*entries, (more_action, more_place)]).covers((action,), (place,))

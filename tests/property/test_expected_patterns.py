"""Laws of patterns."""

from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from monitor.expected.patterns import (
    STOPS,
    SUBJECT_STOPS,
    account_mistake,
    account_of,
    action_mistake,
    matches,
    overlap,
    principal_mistake,
    subject_matches,
    subject_mistake,
)

SHORT = st.text("ab/:*?", max_size=8)
PLAIN = st.text("ab/:.+[", max_size=10)
ANY = st.text(max_size=60)


def reference(pattern: str, text: str, stops: str) -> bool:
    """Return what the definition says, letter by letter."""

    @cache
    def rest(i: int, j: int) -> bool:
        if i == len(pattern):
            return j == len(text)
        more = j < len(text)
        if pattern[i] == "*":
            return rest(i + 1, j) or (more and text[j] not in stops and rest(i, j + 1))
        return more and (text[j] not in stops if pattern[i] == "?" else text[j] == pattern[i]) and rest(i + 1, j + 1)

    return rest(0, 0)


@given(SHORT, st.text("ab/:*?", max_size=10))
def test_pattern_matches_what_its_definition_says(pattern, text):
    assert matches(pattern, text) is reference(pattern, text, STOPS)
    assert subject_matches(pattern, text) is reference(pattern, text, SUBJECT_STOPS)


@given(SHORT, SHORT, st.text("ab/:", max_size=8))
def test_what_both_match_overlaps(left, right, text):
    if ":" not in left + right and matches(left, text) and matches(right, text):
        assert overlap(left, right)


@given(SHORT, SHORT)
def test_overlap_has_no_sides(left, right):
    assert overlap(left, right) is overlap(right, left)


@given(PLAIN, PLAIN)
def test_pattern_without_wildcards_matches_itself_alone(pattern, text):
    assert matches(pattern, pattern)
    assert matches(pattern, text) is (pattern == text)


@given(ANY, ANY)
def test_star_never_crosses_a_separator(before, after):
    for stop in STOPS:
        assert not matches("*", before + stop + after)
        assert not matches("role/*", f"role/{before}{stop}{after}")
    assert not subject_matches("*", f"{before}:{after}")


@given(st.text("aAbB", min_size=1, max_size=6))
def test_case_matters(text):
    assert matches(text, text)
    assert not matches(text, text.swapcase())


@given(ANY, ANY)
def test_no_input_raises(left, right):
    for judge in (principal_mistake, subject_mistake, action_mistake, account_mistake, account_of):
        assert isinstance(judge(left), str)
    assert matches(left, right) in (True, False)
    assert subject_matches(left, right) in (True, False)
    assert overlap(left, right) in (True, False)


@given(
    st.from_regex(
        r"arn:(aws|AWS|)?:?(iam|sts|s3)?::?[0-9*]{10,13}:(role|Role|user|root|assumed-role)?(/[a-z*?]{0,3}){0,3}",
        fullmatch=True,
    )
)
def test_principal_without_mistake_names_one_account_and_somebody(text):
    if principal_mistake(text) == "":
        kind, _, name = text.split(":", 5)[5].partition("/")

        assert len(account_of(text)) == 12
        assert kind == "root" or set(name) - set("*?/")

"""Which rules count for a branch: patterns as the forge matches them, targets, and the one classic rule that does."""

from __future__ import annotations

import re
import time
from functools import cache

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.facts.combining import applicable, applies
from monitor.facts.globs import covers, environment_matches, fnmatches, glob_matches, pattern_matches
from monitor.facts.protection import ProtectionRule, Targets
from monitor.model import Unknown

RULE = ProtectionRule(key="ruleset:1", kind="repository-ruleset", name="main")


def rule(*include: str, exclude: tuple[str, ...] = (), **more: object) -> ProtectionRule:
    return msgspec.structs.replace(RULE, targets=Targets(include=include, exclude=exclude), **more)


@pytest.mark.parametrize(
    ("pattern", "branch", "fits"),
    [
        ("main", "main", True),
        ("main", "maintenance", False),
        ("main", "Main", False),
        ("", "main", False),
        ("qa/*", "qa/one", True),
        ("qa/*", "qa/one/two", False),
        ("qa/**/*", "qa/one", True),
        ("qa/**/*", "qa/one/two/three", True),
        ("qa**/**/*", "qa-old/one/two", True),
        ("qa**/**/*", "qa", False),
        ("**", "one/two", False),  # only before a slash does it cross
        ("release/**", "release/1/hotfix", False),
        ("**/main", "main", True),
        ("**/main", "team/a/main", True),
        ("**/main", "xmain", False),
        ("a/**/b", "a/xb", False),
        ("**/**/main", "main", True),
        ("a**/b", "a/x/b", False),
        ("v?", "v1", True),
        ("v?", "v", False),
        ("a?b", "a/b", False),
        ("v[0-9]", "v7", True),
        ("v[0-9]", "vx", False),
        ("v[^0-9]", "vx", True),
        ("v[!0-9]", "v7", False),
        ("a[/]b", "a/b", False),
        ("a[!x]b", "a/b", False),
        ("[a-]", "-", True),
        ("[]a]", "a", False),
        ("v[0-9", "v7", False),
        ("[\\]]", "]", True),
        (r"a\*", "a*", True),
        (r"a\*", "ab", False),
        ("a.b", "axb", False),
        ("(a|b)+", "ab", False),
    ],
)
def test_patterns_match_as_ruby_does_with_path_rules(pattern: str, branch: str, fits: bool) -> None:
    assert fnmatches(pattern, branch) is fits


@pytest.mark.parametrize(
    ("pattern", "branch", "fits"),
    [
        ("release/*", "release/1", True),
        ("release/*", "release/1/a", False),
        ("release/**", "release/1/a", True),
        ("release/**", "release", False),
        ("**/main", "main", True),
        ("**", "any/thing", True),
        ("~DEFAULT_BRANCH", "trunk", True),
        ("~DEFAULT_BRANCH", "main", False),
    ],
)
def test_patterns_of_expected_state_cross_folders_with_two_stars(pattern: str, branch: str, fits: bool) -> None:
    assert pattern_matches(pattern, branch, "trunk") is fits


def test_an_empty_repository_has_no_default_branch_to_match() -> None:
    assert not pattern_matches("~DEFAULT_BRANCH", "", "")
    assert not applies(rule("~DEFAULT_BRANCH"), "", "")


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("production", "Production", True),
        ("prod-*", "prod-eu", True),
        ("*", "eu/prod", True),
        ("prod", "production", False),
    ],
)
def test_environments_match_without_case_and_a_star_crosses_all(pattern: str, name: str, fits: bool) -> None:
    assert environment_matches(pattern, name) is fits


@pytest.mark.parametrize(
    ("allowed", "pattern", "within"),
    [
        ("main", "main", True),
        ("main", "*", False),
        ("release/*", "release/1", True),
        ("release/*", "release/1.*", True),
        ("release/*", "release/*/*", False),
        ("release/*", "release/**/*", False),
        ("release/**", "release/**/*", True),
        ("release/*", "rel*", False),
        ("release/?", "release/*", False),
        ("r?lease/*", "r?lease/*x", False),
        ("[a]*", "[a]b*", False),
        ("**", "**/*", True),
    ],
)
def test_a_pattern_is_covered_only_where_that_is_plain(allowed: str, pattern: str, within: bool) -> None:
    assert covers(allowed, pattern) is within


@pytest.mark.parametrize(
    ("found", "branch", "fits"),
    [
        (rule(), "main", False),
        (rule("~ALL"), "any/thing", True),
        (rule("~DEFAULT_BRANCH"), "main", True),
        (rule("~DEFAULT_BRANCH"), "other", False),
        (rule("release/*", "main"), "main", True),
        (rule("~ALL", exclude=("main",)), "main", False),
        (rule("main", exclude=("~DEFAULT_BRANCH",)), "main", False),
        (rule("~ALL", exclude=("~ALL",)), "main", False),
        (rule(exclude=("dev/*",)), "main", True),
        (rule(exclude=("dev/*",)), "dev/one", False),
        (rule("other", branches=("main",)), "main", True),  # what the forge says goes
        (rule("main", branches=()), "main", False),
    ],
)
def test_targets_hold_a_branch_as_the_forge_says(found: ProtectionRule, branch: str, fits: bool) -> None:
    assert applies(found, branch, "main") is fits


def classic(pattern: str, key: str) -> ProtectionRule:
    return rule(pattern, kind="classic", key=f"classic:{key}", name=pattern)


def test_of_classic_rules_the_one_that_names_the_branch_counts_alone() -> None:
    named, wild = classic("main", "9"), classic("m*", "1")
    assert applicable([wild, named, RULE], "main", "main") == (named,)


def test_of_classic_patterns_the_oldest_counts() -> None:
    old, new = classic("m*", "9"), classic("*", "10")
    assert applicable([new, old], "main", "main") == (old,)


def test_classic_patterns_of_unknown_age_are_not_taken_for_granted() -> None:
    found = applicable([classic("m*", "m*"), classic("*", "*")], "main", "main")
    assert len(found) == 2
    assert all(isinstance(one.enforced, Unknown) for one in found)


def test_rulesets_count_all_together_and_each_once() -> None:
    one, two = rule("~ALL", key="ruleset:1"), rule("main", key="ruleset:2")
    assert applicable([two, one, two, classic("main", "1")], "main", "main") == (classic("main", "1"), one, two)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("*a" * 3000 + "b", "a" * 4000),
        ("[a-z]*" * 3000 + "1", "a" * 4000),
        ("**/" * 3000 + "x", "a/" * 2000),
        ("**/*a" * 1000 + "/x", "a/" * 2000),
        ("?*" * 2000 + "b", "a" * 4000),
        ("[" * 5000, "[" * 5000),
    ],
)
def test_a_hostile_pattern_takes_no_long_time(pattern: str, text: str) -> None:
    start = time.process_time()
    fnmatches(pattern, text)
    glob_matches(pattern, text)
    assert time.process_time() - start < 5  # a backtracking matcher does not end


def slow(pattern: str, name: str) -> bool:
    """The same, told over again: every way in which the pattern can be laid over the name is tried."""

    @cache
    def fits(p: int, n: int) -> bool:
        if p == len(pattern):
            return n == len(name)
        if pattern.startswith("**/", p) and (p == 0 or pattern[p - 1] == "/"):
            starts = [n, *(m.end() for m in re.finditer("/", name) if m.end() > n)]
            return any(fits(p + 3, start) for start in starts)
        here = name[n : n + 1]
        if pattern[p] == "*":
            return fits(p + 1, n) or (here not in ("", "/") and fits(p, n + 1))
        if pattern[p] == "?":
            return here not in ("", "/") and fits(p + 1, n + 1)
        return here == pattern[p] and fits(p + 1, n + 1)

    return fits(0, 0)


@given(st.text("ab/*?", max_size=9), st.text("ab/", max_size=9))
def test_the_matcher_agrees_with_trying_all_ways(pattern: str, name: str) -> None:
    assert fnmatches(pattern, name) is slow(pattern, name)


@given(st.text(), st.text())
def test_no_text_makes_a_matcher_raise(pattern: str, name: str) -> None:
    assert fnmatches(pattern, name) in (True, False)
    assert environment_matches(pattern, name) in (True, False)
    assert covers(pattern, name) in (True, False)


@given(st.text("ab/*", max_size=6), st.text("ab/*?[]", max_size=6), st.text("ab/", max_size=6))
def test_what_a_covered_pattern_stands_for_is_covered(allowed: str, pattern: str, name: str) -> None:
    if pattern != allowed and covers(allowed, pattern) and fnmatches(pattern, name):
        assert glob_matches(allowed, name)

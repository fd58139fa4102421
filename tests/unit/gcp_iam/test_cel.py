"""Attribute conditions: what is evaluated, what errors mean, and that the rest is told as unclear."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from monitor.decode.gcp_cel import ALWAYS, NEVER, Term, claim_of, disjuncts, expired
from monitor.facts.trust import ClaimTest
from monitor.model import Unknown

NOW = datetime(2026, 3, 14, tzinfo=UTC)


def one(claim: str, *patterns: str, **more: bool) -> tuple[Term, ...]:
    return (Term(tests=(ClaimTest(claim=claim, patterns=patterns, **more),)),)


def only(expression: str) -> Term:
    found = disjuncts(expression)
    assert not isinstance(found, Unknown), found
    (term,) = found
    return term


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("assertion.repository == 'a/b'", one("repository", "a/b")),
        ('"a/b"==assertion["repository"]', one("repository", "a/b")),
        ("assertion.repository != 'a/b'", one("repository", "a/b", negated=True)),
        ("!(assertion.repository == 'a/b')", one("repository", "a/b", negated=True)),
        ("!!(assertion.repository == 'a/b')", one("repository", "a/b")),
        ("assertion.ref in ['x', \"y\"]", one("ref", "x", "y")),
        ("!(assertion.ref in ['x', 'y',])", one("ref", "x", "y", negated=True)),
        ("assertion.ref == 'x' || assertion.ref == 'y'", one("ref", "x", "y")),
        ("assertion.sub.startsWith('repo:o/')", one("sub", "repo:o/*", wild=True)),
        ("assertion.sub.endsWith(':main')", one("sub", "*:main", wild=True)),
        ("assertion.sub.contains(':ref:')", one("sub", "*:ref:*", wild=True)),
        ("assertion.sub.startsWith('')", one("sub", "*", wild=True)),
        ("google.subject == 's' // who\n", one("google.subject", "s")),
        ("attribute.repository == 'a/b'", one("attribute.repository", "a/b")),
        ("'admins' in google.groups", one("google.groups", "admins")),
        ("assertion['kubernetes.io'].namespace == 'prod'", one("kubernetes.io.namespace", "prod")),
        ("has(assertion.sub)", one("sub", "*", wild=True)),
        ("'sub' in assertion", one("sub", "*", wild=True)),
        ("!has(assertion.sub)", one("sub", "*", wild=True, negated=True, absent_passes=True)),
        ("assertion.email_verified == true", one("email_verified", "true")),
        ("assertion.email_verified", one("email_verified", "true")),
        ("!assertion.email_verified", one("email_verified", "false")),
        ("true ? assertion.ref == 'x' : false", one("ref", "x")),
        ("assertion.sub.matches('^repo:o/r:ref:refs/heads/main$')", one("sub", "repo:o/r:ref:refs/heads/main")),
        ("assertion.sub.matches('^repo:o/.*$')", one("sub", "repo:o/*", wild=True)),
        ("assertion.sub.matches('^repo:o/')", one("sub", "repo:o/*", wild=True)),
        (r"assertion.ref.matches(r'^refs/tags/v1\.2$')", one("ref", "refs/tags/v1.2")),
        ("assertion.ref.matches('^refs/heads/(main|release)$')", one("ref", "refs/heads/main", "refs/heads/release")),
        ("assertion.ref.matches('^a$|^b$')", one("ref", "a", "b")),
        ("assertion.ref.matches('^a|b$')", one("ref", "a*", "*b", wild=True)),
        ("assertion.ref.matches('main')", one("ref", "*main*", wild=True)),
        ("'abc'.startsWith('ab') && assertion.ref == 'x'", one("ref", "x")),
    ],
)
def test_what_occurs_in_conditions_is_evaluated(expression: str, expected: tuple[Term, ...]):
    assert disjuncts(expression) == expected


@pytest.mark.parametrize(
    "expression",
    [
        "true",
        "!false",
        "1 == 2 || true",
        "assertion.ref == 'x' || true",
        "'a' == 'a'",
        "'a' in ['a']",
        "'a' != 'b'",
        "((true))",
        "true && !(false)",
    ],
)
def test_a_condition_that_always_holds_is_one_alternative_without_demands(expression: str):
    assert disjuncts(expression) == ALWAYS == (Term(),)


@pytest.mark.parametrize(
    "expression",
    ["false", "assertion.ref == 'x' && false", "'a' == 'b'", "assertion.ref in []", "'a' == true", "!true"],
)
def test_a_condition_that_never_holds_has_no_alternative(expression: str):
    assert disjuncts(expression) == NEVER == ()


@pytest.mark.parametrize(
    "expression",
    [
        "assertion.sub.startsWith('a*')",
        "assertion.sub.contains('?')",
        "size(assertion.sub) > 3",
        "assertion.repository_id == 123",
        "assertion.sub == assertion.repository",
        "assertion.sub.extract('{x}/') == 'a'",
        "assertion.sub.lowerAscii() == 'a'",
        "['a', 'b'].exists(r, r == assertion.repository)",
        "assertion.sub + 'x' == 'ax'",
        "assertion.sub < 'b'",
        "assertion.groups[0] == 'a'",
        "assertion.email_verified != true",
        "assertion.email_verified == null",
        "assertion['google.subject'] == 'x'",
        "has(assertion)",
        "b'a' == b'a'",
        "assertion.sub in ['a', 1]",
        "assertion.sub.matches('(?i)^a$')",
        "assertion.sub.matches('^a{2}$')",
        "assertion.sub.matches('^a\\\\*$')",
        "!assertion.sub.matches('^a.*$')",
        "!assertion.sub.matches('^[ab]$')",
        "assertion.sub.matches('[')",
        "unheard(assertion.sub)",
    ],
)
def test_what_cannot_be_evaluated_is_unclear_and_hides_nothing_beside_it(expression: str):
    assert only(expression).unclear
    assert not only(expression).tests
    beside = only(f"({expression}) && assertion.ref == 'x'")
    assert beside.tests == one("ref", "x")[0].tests
    assert beside.unclear
    either = disjuncts(f"({expression}) || assertion.ref == 'x'")
    assert not isinstance(either, Unknown)
    assert len(either) == 2
    assert either[0].unclear


def test_a_set_of_letters_is_told_by_a_wider_pattern_and_is_unclear():
    found = only("assertion.sub.matches('^repo:o/[^/]+:environment:prod$')")

    assert found.tests == one("sub", "repo:o/?*:environment:prod", wild=True)[0].tests
    assert found.unclear


def test_alternatives_and_demands_are_multiplied_out():
    found = disjuncts("(assertion.a == '1' || assertion.b == '2') && (assertion.c == '3' || !(assertion.d != '4'))")

    assert not isinstance(found, Unknown)
    assert sorted(tuple(sorted(test.claim for test in term.tests)) for term in found) == [
        ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"),
    ]  # fmt: skip


def test_an_absent_claim_passes_no_comparison_because_an_error_refuses():
    found = disjuncts("assertion.ref != 'x' || !assertion.sub.startsWith('y')")

    assert not isinstance(found, Unknown)
    assert not any(test.absent_passes for term in found for test in term.tests)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"'a\'b'", "a'b"), (r'"a\"b"', 'a"b'), (r"r'a\d'", r"a\d"), (r"'\x41\u0042\U00000043\104'", "ABCD"),
        ("'''a'b'''", "a'b"), (r"'\\'", "\\"), ("R\"a\\\"", "a\\"), (r"'\n'", "\n"),
    ],
)  # fmt: skip
def test_texts_are_read_as_cel_writes_them(written: str, meant: str):
    assert disjuncts(f"assertion.ref == {written}") == one("ref", meant)


@pytest.mark.parametrize(
    "expression",
    [
        "", " ", "assertion.ref ==", "'a", "'\\q' == assertion.ref", "assertion.ref == 'x' garbage", "(", ")", "a b",
        "assertion..ref", "assertion.ref = 'x'", "{'a': 1}", "@", "'\\ud800' == 'a'", "assertion.in == 'x'", "has(",
        "[1", "'a\nb' == 'c'", "true ? false", "'\\400' == 'a'",
    ],
)  # fmt: skip
def test_what_is_no_expression_is_unknown(expression: str):
    assert isinstance(disjuncts(expression), Unknown)


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 51 + "true" + ")" * 51,
        "!" * 60 + "true",
        "[" * 60,
        "assertion.ref == '" + "x" * 4096 + "'",
        " || ".join(f"assertion.c{n} == 'x'" for n in range(65)),
    ],
)
def test_what_is_too_deep_too_long_or_too_wide_is_unknown(expression: str):
    assert isinstance(disjuncts(expression), Unknown)


def test_too_many_alternatives_of_a_part_leave_the_other_demands_standing():
    wide = " && ".join(f"(assertion.a{n} == 'x' || assertion.b{n} == 'x')" for n in range(7))

    found = disjuncts(f"assertion.ref == 'x' && {wide}")

    assert not isinstance(found, Unknown)
    assert all(one("ref", "x")[0].tests[0] in term.tests and term.unclear for term in found)


def test_a_long_list_of_one_claim_is_one_demand():
    found = only(" || ".join(f"assertion.ref == 'x{n}'" for n in range(100)))

    assert len(found.tests[0].patterns) == 100


@pytest.mark.parametrize(
    ("expression", "passed"),
    [
        ('request.time < timestamp("2026-03-13T00:00:00Z")', True),
        ("request.time <= timestamp('2020-10-01T00:00:00.000Z')", True),
        ("timestamp('2020-10-01T00:00:00Z') > request.time", True),
        ("resource.name.startsWith('x') && request.time < timestamp('2020-10-01T00:00:00Z')", True),
        ('request.time < timestamp("2027-01-01T00:00:00Z")', False),
        ('request.time > timestamp("2020-01-01T00:00:00Z")', False),
        ('request.time < timestamp("2020-01-01T00:00:00Z") || true', False),
        ('!(request.time < timestamp("2020-01-01T00:00:00Z"))', False),
        ('request.time < timestamp("soon")', False),
        ("request.time < timestamp(1)", False),
        ('request.time < timestamp("0001-01-01T00:00:00+23:00")', False),
        ("", False),
        ("(", False),
    ],
)
def test_a_condition_on_time_runs_out(expression: str, passed: bool):
    assert expired(expression, NOW) is passed


@pytest.mark.parametrize(
    ("expression", "claim"),
    [
        ("assertion.sub", "sub"), ("assertion['sub']", "sub"), (" ( assertion.sub ) ", "sub"), ("attribute.x", ""),
        ("assertion", ""), ("assertion.sub + 'x'", ""), ("'x'", ""), ("(", ""), ("", ""),
    ],
)  # fmt: skip
def test_a_mapping_that_takes_a_claim_as_it_is_names_the_claim(expression: str, claim: str):
    assert claim_of(expression) == claim

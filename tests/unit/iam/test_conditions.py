"""Conditions: the operators' real meaning, absence, lists, and what cannot be told."""

import pytest

from monitor.facts.policy import Condition
from monitor.iam.conditions import all_hold, filled, holds

KEY = "aws:k"
ROLE = "arn:aws:iam::111122223333:role/deploy"


def one(operator, *values, given=(), key=KEY, qualifier="", if_exists=False, **more):
    condition = Condition(operator=operator, key=key, values=values, qualifier=qualifier, if_exists=if_exists)
    return holds(condition, {KEY: (given,) if isinstance(given, str) else given, **more})


@pytest.mark.parametrize(
    ("operator", "written", "given", "told"),
    [
        ("StringEquals", "a", "a", True),
        ("StringEquals", "a*", "ab", False),
        ("StringEquals", "A", "a", False),
        ("stringequals", "a", "a", True),
        ("StringEqualsIgnoreCase", "A", "a", True),
        ("StringNotEquals", "a", "b", True),
        ("StringNotEqualsIgnoreCase", "A", "a", False),
        ("StringLike", "repo:org/*:ref", "repo:org/a:b/c:ref", True),
        ("StringLike", "a?", "a", False),
        ("StringNotLike", "a*", "b", True),
        ("ArnLike", "arn:aws:iam::*:role/*", ROLE, True),
        ("ArnEquals", "arn:aws:iam::*:role/*", ROLE, True),
        ("ArnLike", "arn:aws:*:role/deploy", ROLE, None),
        ("ArnLike", "arn:aws:s3:*", ROLE, False),
        ("ArnLike", "arn:aws:*:*:x:role/deploy", ROLE, False),
        ("ArnLike", "*", ROLE, None),
        ("ArnLike", "arn:aws:iam::*:role/*", "no arn", False),
        ("ArnNotLike", "arn:aws:iam::*:role/d*", ROLE, False),
        ("ArnNotEquals", "arn:aws:iam::*:role/x", ROLE, True),
        ("Bool", "true", "True", True),
        ("Bool", "false", "true", False),
        ("NumericLessThan", "10", "9.5", True),
        ("NumericLessThanEquals", "10", "10", True),
        ("NumericGreaterThan", "10", "10", False),
        ("NumericGreaterThanEquals", "10", "10", True),
        ("NumericEquals", "10", "10.0", True),
        ("NumericNotEquals", "10", "11", True),
        ("NumericEquals", "ten", "10", None),
        ("NumericEquals", "nan", "nan", None),
        ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
        ("DateGreaterThan", "2026-01-01", "1767225601", True),
        ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
        ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
        ("DateLessThan", "soon", "2026-01-01", None),
        ("IpAddress", "10.0.0.0/8", "10.1.2.3", True),
        ("IpAddress", "10.0.0.0/8", "11.1.2.3", False),
        ("NotIpAddress", "10.0.0.0/8", "11.1.2.3", True),
        ("IpAddress", "2001:db8::/32", "2001:db8::1", True),
        ("IpAddress", "10.0.0.0/8", "2001:db8::1", False),
        ("IpAddress", "here", "10.1.2.3", None),
        ("BinaryEquals", "QUI=", "QUI=", True),
        ("StringSortOf", "a", "a", None),
        ("cel", "true", "true", None),
        ("", "", "", None),
    ],
)
def test_an_operator_means_what_is_documented(operator, written, given, told):
    assert one(operator, written, given=given) is told


def test_any_of_the_values_suffices_and_a_negation_demands_all():
    assert one("StringEquals", "a", "b", given="b") is True
    assert one("StringNotEquals", "a", "b", given="b") is False
    assert one("StringNotEquals", "a", "b", given="c") is True
    assert one("StringEquals", given="a") is False
    assert one("StringNotEquals", given="a") is True


def test_a_key_that_is_not_in_the_context_is_not_known():
    assert one("StringEquals", "a", key="aws:other", given="a") is None
    assert one("Null", "true", key="aws:other", given="a") is None
    assert one("StringEquals", "a", key="aws:other", given="a", if_exists=True) is None


@pytest.mark.parametrize(
    ("operator", "qualifier", "if_exists", "told"),
    [
        ("StringEquals", "", False, False),
        ("StringEquals", "", True, True),
        ("StringNotEquals", "", False, True),
        ("Bool", "", True, True),
        ("ArnNotLike", "", False, True),
        ("StringEquals", "ForAllValues", False, True),
        ("StringEquals", "ForAnyValue", False, False),
        ("StringNotEquals", "ForAnyValue", False, False),
        ("StringEquals", "ForAnyValue", True, True),
    ],
)
def test_a_key_that_is_known_to_be_absent(operator, qualifier, if_exists, told):
    assert one(operator, "a", qualifier=qualifier, if_exists=if_exists) is told


def test_null_tells_whether_the_key_is_there():
    assert one("Null", "true") is True
    assert one("Null", "true", given="x") is False
    assert one("Null", "false", given="x") is True
    assert one("Null", "perhaps", given="x") is None


@pytest.mark.parametrize(
    ("operator", "qualifier", "given", "told"),
    [
        ("StringEquals", "ForAllValues", ("a", "b"), True),
        ("StringEquals", "ForAllValues", ("a", "c"), False),
        ("StringEquals", "ForAnyValue", ("c", "b"), True),
        ("StringEquals", "ForAnyValue", ("c", "d"), False),
        ("StringNotEquals", "ForAllValues", ("c", "d"), True),
        ("StringNotEquals", "ForAllValues", ("a", "d"), False),
        ("StringNotEquals", "ForAnyValue", ("a", "d"), True),
        ("StringNotEquals", "ForAnyValue", ("a", "b"), False),
        ("StringEquals", "ForSomeValues", ("a",), None),
        ("StringEquals", "foranyvalue", ("a",), True),
    ],
)
def test_sets_of_values(operator, qualifier, given, told):
    assert one(operator, "a", "b", qualifier=qualifier, given=given) is told


def test_what_cannot_be_compared_does_not_hide_what_can():
    assert one("NumericEquals", "ten", "10", given="10") is True
    assert one("NumericNotEquals", "ten", "10", given="10") is False
    assert one("NumericNotEquals", "ten", given="10") is None


def test_a_policy_variable_is_what_the_context_tells():
    known = {"aws:username": ("anna",)}

    assert one("StringEquals", "home/${aws:username}", given="home/anna", **known) is True
    assert one("StringLike", "home/${aws:username}/*", given="home/anna/x", **known) is True
    assert one("StringEquals", "${aws:PrincipalTag/team}", given="x") is None
    assert one("StringLike", "${*}", given="anything") is None
    assert one("StringEquals", "${*}", given="*") is True
    assert one("StringLike", "home/${aws:username}", given="home/x", **{"aws:username": ("*",)}) is None
    assert filled("a", {}) == "a"
    assert filled("${aws:username, 'nobody'}", {}) is None


def test_all_conditions_must_hold():
    yes, no, perhaps = (
        Condition(operator=o, key=KEY, values=("a",)) for o in ("StringEquals", "StringNotEquals", "Odd")
    )
    context = {KEY: ("a",)}

    assert all_hold((), context) is True
    assert all_hold((yes, yes), context) is True
    assert all_hold((yes, perhaps), context) is None
    assert all_hold((perhaps, no), context) is False


@pytest.mark.parametrize(
    "value",
    [
        "1e999",
        "-inf",
        "9" * 5000,
        "0000-00-00",
        "99999-01-01",
        "9999-12-31T23:59:59-23:59",
        "1.2.3.4/99",
        "::" * 999,
        "\0",
    ],
)
@pytest.mark.parametrize(
    "operator", ["NumericLessThan", "DateLessThan", "IpAddress", "ArnLike", "StringLike", "Bool", "Null"]
)
def test_no_value_raises(operator, value):
    assert one(operator, value, given=value) in (True, False, None)
    assert one(operator, "1", given=value) in (True, False, None)

"""The policy language of AWS: every form that is written, and what is refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from monitor.decode.aws_policy import policy, statements
from monitor.facts.policy import Condition, Statement
from monitor.model import Unknown

ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


def read(document: Any, kind: str = "inline") -> Any:
    return policy(document, "p", kind).statements


def of(statement: Any, kind: str = "inline") -> Any:
    return read({"Version": "2012-10-17", "Statement": statement}, kind)


def conditions(condition: Any) -> tuple[Condition, ...]:
    found = of({**ALLOW, "Condition": condition})
    assert not isinstance(found, Unknown), found
    return found[0].conditions


def reason(found: Any) -> str:
    assert isinstance(found, Unknown)
    assert found.grant
    return found.reason


def test_a_single_statement_and_a_list_of_one_are_the_same() -> None:
    expected = (Statement(n=1, allow=True, actions=("s3:GetObject",), resources=("*",)),)
    assert of(ALLOW) == of([ALLOW]) == expected


def test_elements_may_be_texts_or_lists_and_are_kept_as_written() -> None:
    found = of(
        [
            {
                "Sid": "One",
                "Effect": "Deny",
                "NotAction": ["S3:Get*", "iam:*"],
                "NotResource": "arn:aws:s3:::b/${aws:username}/*",
            },
            ALLOW,
        ]
    )
    assert found[0] == Statement(
        n=1,
        allow=False,
        sid="One",
        not_actions=("S3:Get*", "iam:*"),
        not_resources=("arn:aws:s3:::b/${aws:username}/*",),
    )
    assert found[1].n == 2


def test_an_object_its_json_and_its_url_encoded_json_are_the_same() -> None:
    document = {
        "Version": "2012-10-17",
        "Id": "x",
        "Statement": [{**ALLOW, "Condition": {"Bool": {"aws:SecureTransport": "true"}}}],
    }
    text = json.dumps(document, indent=2)
    assert read(document) == read(text) == read(text.encode()) == read(quote(text)) == read(quote(text).encode())


@pytest.mark.parametrize(
    ("written", "operator", "qualifier", "if_exists"),
    [
        ("StringEquals", "StringEquals", "", False),
        ("stringlike", "StringLike", "", False),
        ("STRINGNOTEQUALSIGNORECASEIFEXISTS", "StringNotEqualsIgnoreCase", "", True),
        ("ForAnyValue:StringLike", "StringLike", "ForAnyValue", False),
        ("forallvalues:ArnLikeIfExists", "ArnLike", "ForAllValues", True),
        ("NumericLessThanEquals", "NumericLessThanEquals", "", False),
        ("DateGreaterThanIfExists", "DateGreaterThan", "", True),
        ("Null", "Null", "", False),
        ("NullIfExists", "NullIfExists", "", False),
        ("StringResembles", "StringResembles", "", False),
        ("ForMost:StringLike", "ForMost:StringLike", "", False),
    ],
)
def test_operators_are_recognised_in_any_case_and_unknown_ones_stay(
    written: str, operator: str, qualifier: str, if_exists: bool
) -> None:
    (found,) = conditions({written: {"AWS:SourceIp": "10.0.0.0/8"}})
    assert (found.operator, found.qualifier, found.if_exists) == (operator, qualifier, if_exists)
    assert (found.key, found.values) == ("aws:sourceip", ("10.0.0.0/8",))


def test_numbers_and_booleans_in_conditions_become_text() -> None:
    found = conditions({"Bool": {"a": True, "b": [False, "x"]}, "NumericEquals": {"c": 1, "d": [1.5, 90]}})
    assert [one.values for one in found] == [("true",), ("false", "x"), ("1",), ("1.5", "90")]


def test_one_is_not_taken_for_true() -> None:
    assert conditions({"Bool": {"a": [True]}, "NumericEquals": {"a": [1]}}) != conditions(
        {"Bool": {"a": [1]}, "NumericEquals": {"a": [True]}}
    )


def test_an_empty_list_of_actions_is_about_nothing_and_of_not_actions_about_everything() -> None:
    assert of({**ALLOW, "Action": []}) == ()
    assert of([{**ALLOW, "Resource": []}, ALLOW])[0].n == 2
    (found,) = of({"Effect": "Allow", "NotAction": [], "NotResource": []})
    assert (found.actions, found.resources) == (("*",), ("*",))


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ({**ALLOW, "Effect": "allow"}, "Effect"),
        ({"Action": "s3:*", "Resource": "*"}, "Effect"),
        ({**ALLOW, "Action": 1}, "Action"),
        ({**ALLOW, "Action": [None]}, "Action"),
        ({**ALLOW, "NotAction": "s3:*"}, "both Action and NotAction"),
        ({"Effect": "Allow", "Resource": "*"}, "neither Action nor"),
        ({"Effect": "Allow", "Action": "s3:*"}, "neither Resource"),
        ({**ALLOW, "Principal": "*"}, "names a principal"),
        ({**ALLOW, "NotPrincipal": "*"}, "NotPrincipal"),
        ({**ALLOW, "Action": "s3"}, "names no service"),
        ({**ALLOW, "action": "s3:*"}, "action"),
        ({**ALLOW, "Condition": {"StringEquals": "x"}}, "Condition"),
        ({**ALLOW, "Condition": {"StringEquals": {"k": {"x": 1}}}}, "Condition"),
        ({**ALLOW, "Condition": {"StringEquals": {"k": None}}}, "Condition"),
    ],
)
def test_one_malformed_statement_makes_the_policy_unknown_and_tells_where(statement: Any, place: str) -> None:
    found = reason(of([ALLOW, statement]))
    assert place.split(" nor")[0] in found or place in found
    assert "2" in found or "[1]" in found or "action" in found


@pytest.mark.parametrize(
    "document",
    [None, 1, [], "", "{", "x", b"\xff", "%", "%7B", "[1]", {}, {"Statement": 1}, {"Statement": [1]}, "\ud800"],
)
def test_what_is_no_policy_is_unknown(document: Any) -> None:
    assert isinstance(read(document), Unknown)
    assert isinstance(statements(document), Unknown)


@pytest.mark.parametrize("version", ["2020-01-01", "", None, 2012])
def test_a_version_that_does_not_exist_is_unknown(version: Any) -> None:
    assert isinstance(read({"Version": version, "Statement": ALLOW}), Unknown)


def test_a_version_is_not_needed() -> None:
    assert not isinstance(read({"Statement": ALLOW}), Unknown)


@pytest.mark.parametrize(
    "text",
    [
        '{"Statement":{"Effect":"Deny","Effect":"Allow","Action":"s3:*","Resource":"*"}}',
        '{"Statement":[],"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}',
        '{"Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*","Condition":{"Bool":{"a":"true"},"Bool":{"b":"true"}}}}',
        '{"Statement":{"Effect" :"Deny","Effect":"Allow","Action":"s3:*","Resource":"*"}}',
        r'{"Statement":{"Effect":"Deny","\u0045ffect":"Allow","Action":"s3:*","Resource":"*"}}',
    ],
)
def test_a_key_that_stands_twice_is_malformed_and_hides_nothing(text: str) -> None:
    assert "twice" in reason(read(text))


def test_values_that_look_like_keys_are_no_keys() -> None:
    text = r'{"Statement":{"Effect":"Allow","Sid":"","Action":"s3:*","Resource":"a\":\"b\" : ","Condition":{}}}'
    assert read(text)[0].resources == ('a":"b" : ',)


def test_depth_and_size_are_no_danger() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert isinstance(of({**ALLOW, "Resource": deep}), Unknown)
    assert isinstance(read('{"Statement":' + "[" * 100_000), Unknown)
    looped: dict[str, Any] = {}
    looped["Statement"] = looped
    assert isinstance(read(looped), Unknown)


def test_a_resource_control_policy_names_everybody_and_nobody_else() -> None:
    everybody = {**ALLOW, "Principal": "*"}
    assert of(everybody, "rcp") == of(ALLOW, "scp")
    assert of({**ALLOW, "Principal": {"AWS": "*"}}, "rcp") == of(ALLOW)
    assert "principal" in reason(of(ALLOW, "rcp"))
    assert "principal" in reason(of({**ALLOW, "Principal": {"AWS": "111122223333"}}, "rcp"))


def test_statements_of_a_trust_policy_bear_their_principals() -> None:
    found = statements(
        {
            "Statement": [
                {"Effect": "Allow", "Principal": {"AWS": ["a", "b"], "Service": "s"}, "Action": "sts:AssumeRole"},
                {"Effect": "Deny", "NotPrincipal": {"Federated": "f"}, "Action": "sts:*"},
                {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:*"},
            ]
        }
    )
    assert not isinstance(found, Unknown)
    assert [(one.principals, one.negated) for one in found] == [
        ((("AWS", "a"), ("AWS", "b"), ("Service", "s")), False),
        ((("Federated", "f"),), True),
        ((("*", "*"),), False),
    ]


@pytest.mark.parametrize(
    "statement",
    [
        {"Effect": "Allow", "Action": "sts:AssumeRole"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "arn:aws:iam::111122223333:root"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Aws": "111122223333"}},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*", "NotPrincipal": "*"},
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": "*", "Resource": "*"},
        {"Effect": "Allow", "Principal": "*"},
    ],
)
def test_a_trust_policy_that_aws_would_refuse_is_unknown(statement: Any) -> None:
    assert isinstance(statements({"Statement": statement}), Unknown)

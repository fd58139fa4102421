"""What was not used, and the smaller policy that would have sufficed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from monitor.decode.aws_policy import policy as decoded
from monitor.facts.access import Access, Granted
from monitor.facts.identity import Identity, Use
from monitor.facts.policy import Policy
from monitor.facts.rightsizing import Unused, services, sufficing, unused
from monitor.iam.rights import rights
from monitor.model import Unknown
from monitor.sources.catalogue import aws_catalogue

AT = datetime(2026, 3, 14, tzinfo=UTC)
SINCE, RECENT, OLD = AT - timedelta(days=90), AT - timedelta(days=3), AT - timedelta(days=200)
LOST = Unknown("denied")


def allow(*actions: str, on: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": [on], **more}


def access(*policies: tuple[dict[str, Any], ...], uses: Any = ()) -> Access:
    held = tuple(
        decoded({"Version": "2012-10-17", "Statement": list(statements)}, f"p{n}", "inline")
        for n, statements in enumerate(policies, 1)
    )
    identity = Identity(
        provider="aws", account="111122223333", id="A", name="arn:aws:iam::111122223333:role/me", kind="role", at=AT,
        policies=held, uses=uses,
    )  # fmt: skip
    return Access(identity=identity, granted=rights(identity, aws_catalogue()).granted())


def found(one: Access) -> Unused:
    result = unused(one, SINCE)
    assert isinstance(result, Unused)
    return result


def smaller(*policies: tuple[dict[str, Any], ...], uses: tuple[Use, ...]) -> list[dict[str, Any]]:
    one = access(*policies, uses=uses)
    document = sufficing(one, found(one))
    assert document["Version"] == "2012-10-17"
    assert not isinstance(decoded(json.dumps(document), "p", "inline").statements, Unknown)
    statements: list[dict[str, Any]] = document["Statement"]
    return statements


def used(*names: str, at: datetime | None = RECENT) -> tuple[Use, ...]:
    return tuple(Use(service=name.partition(":")[0], action=name if ":" in name else "", at=at) for name in names)


# What is unused.


def test_services_of_which_nothing_was_used_are_told():
    one = access((allow("s3:*", "sqs:*", "sns:Publish"),), uses=(*used("s3"), *used("sqs", at=OLD)))
    assert (found(one).services, found(one).used) == (("sns", "sqs"), {"s3": RECENT})


def test_actions_that_are_followed_and_were_not_used_are_told_of_services_that_were():
    uses = (*used("s3", "s3:PutBucketPolicy"), *used("s3:DeleteBucket", at=OLD), *used("s3:CreateBucket", at=None))
    assert found(access((allow("s3:*"),), uses=uses)).actions == ("s3:CreateBucket", "s3:DeleteBucket")


def test_actions_that_nobody_follows_and_reads_are_not_told():
    uses = (*used("s3"), *used("s3:GetBucketPolicy", at=OLD))
    assert found(access((allow("s3:*"),), uses=uses)).actions == ()


def test_the_last_of_several_uses_counts_whatever_their_order():
    uses = (*used("s3:PutObject"), *used("s3:PutObject", at=OLD), *used("s3:PutObject", at=None))
    for some in (uses, uses[::-1]):
        assert found(access((allow("s3:PutObject"),), uses=some)).actions == ()


def test_the_case_of_names_does_not_matter():
    one = access((allow("S3:putobject", "sqs:*"),), uses=(*used("S3", "s3:PUTOBJECT"), *used("SQS")))
    assert (found(one).services, found(one).actions) == ((), ())


def test_passing_a_role_leaves_no_trace_and_is_never_called_unused():
    both = access((allow("iam:PassRole", "ecs:UpdateService"),), uses=used("ecs"))
    assert found(both).services == ()
    more = access((allow("iam:PassRole", "iam:CreateUser"),), uses=used("ecs"))
    assert found(more).services == ("iam",)


def test_use_and_rights_that_are_not_known_are_unknown():
    assert unused(access((allow("s3:*"),), uses=LOST), SINCE) is LOST
    one = access((allow("s3:*"),))
    assert unused(Access(identity=one.identity, granted=LOST), SINCE) is LOST


def test_a_use_without_a_service_says_nothing():
    assert found(access((allow("s3:*"),), uses=(Use(service="", at=RECENT),))).services == ("s3",)


# What would have sufficed.


def test_statements_of_which_nothing_was_used_are_left_out_and_the_others_stay_as_written():
    kept = allow("s3:Put*", on="arn:aws:s3:::site/*", Sid="Site", Condition={"Bool": {"aws:SecureTransport": "true"}})
    assert smaller((kept, allow("sqs:*")), uses=used("s3")) == [
        {
            "Sid": "Site",
            "Effect": "Allow",
            "Resource": ["arn:aws:s3:::site/*"],
            "Condition": {"Bool": {"aws:securetransport": ["true"]}},
            "Action": ["s3:Put*"],
        }
    ]


def test_everything_becomes_the_services_that_were_used():
    assert [one["Action"] for one in smaller((allow("*"),), uses=used("s3", "ecs"))] == [
        ["ecs:*", "iam:PassRole", "s3:*"]
    ]
    assert [one["Action"] for one in smaller((allow("*:*"),), uses=used("s3"))] == [["iam:PassRole", "s3:*"]]


def test_everything_but_some_becomes_the_services_that_were_used_and_of_those_what_is_left():
    statement = {"Effect": "Allow", "NotAction": ["iam:*", "sqs:PurgeQueue"], "Resource": "*"}
    (one,) = smaller((statement,), uses=used("s3", "sqs", "iam"))
    assert "NotAction" not in one
    assert "s3:*" in one["Action"] and "sqs:SendMessage" in one["Action"]
    assert not [name for name in one["Action"] if name.startswith("iam:") or name in ("sqs:*", "sqs:PurgeQueue")]


def test_a_pattern_that_also_gives_what_was_not_used_is_spelt_out():
    uses = (*used("sqs", "sqs:SendMessage"), *used("sqs:PurgeQueue", at=OLD))
    (one,) = smaller((allow("sqs:*"),), uses=uses)
    assert "sqs:SendMessage" in one["Action"]
    assert not {"sqs:*", "sqs:PurgeQueue"} & set(one["Action"])


def test_what_is_denied_stays_denied_word_for_word():
    deny = {"Effect": "Deny", "NotAction": ["s3:*"], "NotResource": ["arn:aws:s3:::x"]}
    assert deny in smaller((allow("*"), deny), uses=used("s3"))
    assert smaller((allow("sqs:*"), deny), uses=used("s3")) == [deny]


def test_passing_a_role_stays_beside_what_was_used_and_goes_when_nothing_was():
    statements = (allow("iam:PassRole", on="arn:aws:iam::111122223333:role/app"), allow("ecs:*"))
    assert [one["Action"] for one in smaller(statements, uses=used("ecs"))] == [["iam:PassRole"], ["ecs:*"]]
    assert smaller(statements, uses=used("ecs", at=OLD)) == []
    assert [one["Action"] for one in smaller((allow("iam:*", "ecs:*"),), uses=used("ecs"))] == [
        ["ecs:*", "iam:PassRole"]
    ]


def test_what_a_deny_takes_is_not_given_again():
    (one, _) = smaller(
        (allow("s3:*"), {**allow("s3:Delete*"), "Effect": "Deny"}), uses=(*used("s3"), *used("s3:PutObject", at=OLD))
    )
    assert "s3:PutBucketPolicy" in one["Action"]
    assert not [name for name in one["Action"] if name.startswith("s3:Delete")]


def test_a_statement_that_holds_in_parts_keeps_all_of_them():
    first = {"Effect": "Allow", "Action": ["s3:*"], "Resource": ["*"]}
    spared = {**allow("s3:PutObject", on="arn:aws:s3:::x/*"), "Effect": "Deny"}
    assert smaller((first, spared), uses=used("s3"))[0]["Action"] == ["s3:*"]


def test_policies_of_several_that_have_the_same_statement_give_it_once():
    same = allow("s3:PutObject")
    assert len(smaller((same,), (same,), uses=used("s3"))) == 1


def test_names_of_statements_stay_unique():
    found_ = smaller((allow("s3:*", Sid="A"),), (allow("sqs:*", Sid="A"),), uses=used("s3", "sqs"))
    assert [one["Sid"] for one in found_] == ["A", "A2"]


@pytest.mark.parametrize(
    ("operators", "keys"),
    [
        (("StringEquals", "StringEquals"), ("aws:x", "AWS:X")),
        (("StringEquals", "stringequals"), ("aws:x", "AWS:X")),
        (("StringEquals", "stringequals"), ("1", "1")),
    ],
)
def test_conditions_that_differ_in_case_only_are_both_kept(operators: tuple[str, str], keys: tuple[str, str]):
    conditions: dict[str, dict[str, str]] = {}
    for n in (0, 1):
        conditions.setdefault(operators[n], {})[keys[n]] = str(n)
    (one,) = smaller((allow("s3:*", Condition=conditions),), uses=used("s3"))
    values = [value for some in one["Condition"].values() for value in some.values()]
    assert sorted(values) == [["0"], ["1"]]


def test_operators_are_written_back_with_all_that_they_had():
    conditions = {"ForAnyValue:StringLikeIfExists": {"aws:x": ["a", "b"]}, "Null": {"aws:y": "true"}, "Odd": {"z": "1"}}
    (one,) = smaller((allow("s3:*", Condition=conditions),), uses=used("s3"))
    assert one["Condition"] == {
        "ForAnyValue:StringLikeIfExists": {"aws:x": ["a", "b"]},
        "Null": {"aws:y": ["true"]},
        "Odd": {"z": ["1"]},
    }


def test_policies_that_could_not_be_read_add_nothing():
    one = access((allow("s3:*"),), uses=used("s3"))
    for policies in (LOST, (Policy(name="x", kind="inline", statements=LOST),)):
        identity = Identity(provider="aws", account="1", id="A", name="n", kind="role", at=AT, policies=policies)
        document = sufficing(Access(identity=identity, granted=LOST), found(one))
        assert document["Statement"] == []


@pytest.mark.parametrize("text", ["*" * 3000, "?" * 3000, "a*" * 1000, "(", "[", "\\", "\n", "x" * 10_000])
def test_hostile_patterns_are_quick_and_give_nothing_more(text: str):
    given = Granted(writes=("s3:PutObject", "s3:" + "a" * 3000), services=("s3",), by="p1#1")
    made = access((allow(f"s3:{text}"),), uses=used("s3"))
    document = sufficing(
        Access(identity=made.identity, granted=(given,)),
        found(made) if made.granted else Unused(services=(), actions=(), used={"s3": RECENT}),
    )
    assert all(set(one["Action"]) <= {f"s3:{text}", *given.writes} for one in document["Statement"])


def test_services_tell_their_last_use():
    assert services((*used("s3", at=OLD), *used("s3:PutObject"), *used("sqs", at=None))) == {"s3": RECENT}

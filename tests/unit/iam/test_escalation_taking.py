"""Escalation in AWS: whom an identity can take by their trust, and through whom it gets further."""

from __future__ import annotations

from typing import Any

from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Severity
from tests.unit.iam.made import (
    ACCOUNT,
    EVERYTHING,
    OTHER,
    accesses,
    allow,
    arn,
    by_account,
    by_identity,
    deny,
    escalations,
    identity,
    only,
    role,
    served,
)

LAMBDA, TASKS = "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"
ME = arn("role", "me")
FUNCTION = allow("lambda:CreateFunction", "lambda:InvokeFunction")


# What it can assume


def test_a_role_that_names_it_is_assumed_without_a_permission_of_its_own() -> None:
    me = role("me", allow("s3:GetObject"))
    found = accesses((me, role("chief", *EVERYTHING, trust=(by_identity(ME),))))[ME]
    assert found.assumes == (arn("role", "chief"),)
    assert only(found.powers, "sts-assume-role").severity is Severity.CRITICAL


def test_a_role_that_names_it_is_not_assumed_where_that_is_denied() -> None:
    me = role("me", allow("s3:GetObject"), deny("sts:Assume*", on=arn("role", "c*")))
    found = accesses((me, role("chief", *EVERYTHING, trust=(by_identity(ME),))))[ME]
    assert found.assumes == ()
    assert not [one for one in found.powers if one.kind == "escalation"]


def test_a_role_that_trusts_the_account_needs_a_permission() -> None:
    chief = role("chief", *EVERYTHING, trust=(by_account(),))
    without, with_it = role("me", allow("s3:GetObject")), role("me", allow("sts:AssumeRole", on=chief.name))
    assert accesses((without, chief))[ME].assumes == ()
    assert accesses((with_it, chief))[ME].assumes == (chief.name,)
    elsewhere = role("me", allow("sts:AssumeRole", on=arn("role", "other")))
    assert accesses((elsewhere, chief))[ME].assumes == ()


def test_a_role_of_another_account_needs_both_sides() -> None:
    chief = identity("chief", *EVERYTHING, account=OTHER, trust=(by_identity(ME),))
    assert accesses((role("me", allow("s3:GetObject")), chief))[ME].assumes == ()
    assert accesses((role("me", allow("sts:AssumeRole")), chief))[ME].assumes == (chief.name,)
    silent = identity("chief", *EVERYTHING, account=OTHER, trust=(by_account(OTHER),))
    assert accesses((role("me", allow("sts:AssumeRole")), silent))[ME].assumes == ()


def test_a_trust_that_asks_for_certain_arns_admits_those_alone() -> None:
    def asked(pattern: str) -> Any:
        test = ClaimTest(claim="aws:principalarn", patterns=(pattern,), wild=True)
        chief = role("chief", *EVERYTHING, trust=(by_account(tests=(test,)),))
        return accesses((role("me", allow("sts:AssumeRole")), chief))[ME].assumes

    assert asked(arn("role", "m*")) == (arn("role", "chief"),)
    assert asked(arn("role", "x*")) == ()


def test_an_external_id_is_told_as_a_condition() -> None:
    test = ClaimTest(claim="sts:externalid", patterns=("shop",))
    chief = role("chief", *EVERYTHING, trust=(by_identity(ME, tests=(test,)),))
    found = only(escalations((role("me", allow("s3:Get*")), chief), ME), "sts-assume-role")
    assert (found.severity, found.conditions) == (Severity.HIGH, ("sts:externalid is shop",))


def test_a_session_of_a_role_stands_for_the_role() -> None:
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/me/run"
    chief = role("chief", *EVERYTHING, trust=(by_identity(session),))
    assert accesses((role("me", allow("s3:Get*")), chief))[ME].assumes == (chief.name,)


def test_a_role_that_trusts_everybody_is_no_right_of_anybody() -> None:
    way = TrustPath(kind="anyone", principal="*", action="sts:AssumeRole", by="trust#1")
    chief = identity("chief", *EVERYTHING, trust=(way,))
    found = accesses((role("me", allow("s3:Get*")), role("other"), chief))
    assert found[ME].assumes == ()
    assert found[arn("role", "chief")].paths == (way,)


def test_everybody_with_certain_arns_means_those() -> None:
    test = ClaimTest(claim="aws:principalarn", patterns=(ME,))
    way = TrustPath(kind="anyone", principal="*", action="sts:AssumeRole", by="trust#1", tests=(test,))
    found = accesses((role("me"), role("other"), role("chief", *EVERYTHING, trust=(way,))))
    assert [found[one].assumes for one in (ME, arn("role", "other"))] == [(arn("role", "chief"),), ()]


# Through others


def test_a_chain_is_told_with_all_in_between_nearest_first() -> None:
    a, b, chief = (
        role("a", allow("s3:Get*"), trust=(by_identity(ME),)),
        role("b", allow("s3:Get*"), trust=(by_identity(arn("role", "a")),)),
        role("chief", *EVERYTHING, trust=(by_identity(arn("role", "b")),)),
    )
    found = only(escalations((role("me", allow("s3:Get*")), a, b, chief), ME), "sts-assume-role")
    assert (found.reaches, found.through) == ("admin", (a.name, b.name, chief.name))
    assert found.by == ("a: trust#1", "b: trust#1", "chief: trust#1")


def test_a_chain_to_more_rights_that_is_no_administrator_is_told_too() -> None:
    a = role("a", allow("s3:GetObject"), trust=(by_identity(ME),))
    b = role("b", allow("dynamodb:*"), trust=(by_identity(a.name),))
    found = only(escalations((role("me", allow("s3:GetObject")), a, b), ME), "sts-assume-role")
    assert (found.reaches, found.through, found.severity) == (b.name, (a.name,), Severity.HIGH)


def test_a_circle_ends() -> None:
    a = role("a", allow("s3:Get*"), trust=(by_identity(ME), by_identity(arn("role", "b"))))
    b = role("b", allow("sqs:*"), trust=(by_identity(a.name),))
    me = role("me", allow("s3:Get*"), trust=(by_identity(b.name),))
    assert {one.reaches for one in escalations((me, a, b), ME)} == {b.name}


def test_the_policies_of_a_role_that_it_can_take_make_it_administrator() -> None:
    worker = role("worker", allow("s3:Get*"), trust=(by_identity(ME),))
    me = role("me", allow("iam:PutRolePolicy", on=worker.name), allow("s3:Get*"))
    found = only(escalations((me, worker), ME), "iam-put-role-policy")
    assert (found.reaches, found.through, found.severity) == ("admin", (worker.name,), Severity.CRITICAL)
    assert found.actions == ("iam:PutRolePolicy", "sts:AssumeRole")


def test_the_policies_of_a_role_that_it_cannot_become_open_nothing() -> None:
    me = role("me", allow("iam:PutRolePolicy", on=arn("role", "worker")))
    assert not escalations((me, role("worker", allow("s3:Get*"), trust=served(TASKS))), ME)


def test_a_role_that_can_make_itself_administrator_is_as_good_as_one() -> None:
    maker = role("maker", allow("iam:AttachRolePolicy"), trust=served(LAMBDA))
    found = only(escalations((role("me", FUNCTION, allow("iam:PassRole")), maker), ME), "lambda-create-function")
    assert (found.reaches, found.through, found.severity) == ("admin", (maker.name,), Severity.CRITICAL)

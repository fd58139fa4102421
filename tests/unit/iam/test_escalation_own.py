"""Escalation in AWS: changing its own rights, within boundary, ceilings and conditions; and documents alone."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.model import Severity, Unknown
from tests.unit.iam.made import (
    ACCOUNT,
    EVERYTHING,
    accesses,
    allow,
    arn,
    by_identity,
    by_rule,
    deny,
    document,
    equals,
    escalations,
    only,
    policy,
    role,
    served,
    user,
)

LAMBDA, TASKS = "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"
ME = arn("role", "me")
FUNCTION = allow("lambda:CreateFunction", "lambda:InvokeFunction")


# Its own rights


def test_its_own_policies_are_judged_by_its_own_arn() -> None:
    other = role("other", allow("s3:Get*"))
    for where, opens in ((ME, True), (arn("role", "m*"), True), (arn("role", "other"), False)):
        found = escalations((role("me", allow("iam:AttachRolePolicy", on=where)), other), ME)
        assert bool(by_rule(found, "iam-attach-role-policy")) is opens


def test_a_policy_version_opens_only_where_the_policy_is_its_own() -> None:
    team = policy(f"arn:aws:iam::{ACCOUNT}:policy/team", allow("s3:Get*"), kind="managed")
    aws = policy("arn:aws:iam::aws:policy/ReadOnlyAccess", allow("s3:Get*"), kind="provider-managed")
    others = (role("a"), role("b"))
    for attached, opens in ((team, True), (aws, False)):
        me = role("me", policies=(policy("own", allow("iam:CreatePolicyVersion")), attached))
        found = by_rule(escalations((me, *others), ME), "iam-create-policy-version")
        assert bool(found) is opens


def test_a_boundary_that_does_not_let_everything_keeps_it_from_administrator() -> None:
    limit = policy(f"arn:aws:iam::{ACCOUNT}:policy/limit", allow("iam:PutRolePolicy", "s3:*"), kind="boundary")
    me = role("me", allow("iam:PutRolePolicy"), boundary=limit)
    found = only(escalations((me, role("other")), ME), "iam-put-role-policy")
    assert (found.reaches, found.severity) == (ME, Severity.HIGH)
    assert not escalations((role("me", allow("iam:PutRolePolicy", "s3:*"), boundary=limit), role("other")), ME)


def test_a_boundary_that_does_not_allow_the_action_closes_the_path() -> None:
    limit = policy(f"arn:aws:iam::{ACCOUNT}:policy/limit", allow("s3:*"), kind="boundary")
    assert not escalations((role("me", allow("iam:PutRolePolicy"), boundary=limit), role("other")), ME)


def test_policies_of_the_organisation_that_deny_little_leave_administrators() -> None:
    ceilings = ((policy("scp", allow("*"), deny("organizations:LeaveOrganization"), kind="scp"),),)
    me = role("me", FUNCTION, allow("iam:PassRole"), ceilings=ceilings)
    chief = role("chief", *EVERYTHING, trust=served(LAMBDA), ceilings=ceilings)
    found = only(escalations((me, chief), ME), "lambda-create-function")
    assert (found.reaches, found.severity) == ("admin", Severity.CRITICAL)
    assert not escalations((me, chief), chief.name)


def test_attaching_only_certain_policies_is_told_but_is_not_administrator() -> None:
    where = equals("iam:policyarn", "arn:aws:iam::aws:policy/ReadOnlyAccess", operator="ArnEquals")
    found = only(
        escalations((role("me", allow("iam:AttachRolePolicy", where=(where,))), role("other")), ME),
        "iam-attach-role-policy",
    )
    assert found.severity is Severity.MEDIUM
    assert found.reaches == ME
    assert found.conditions == (where.words(),)


def test_a_key_of_another_user_reaches_that_user() -> None:
    boss, peer = user("boss", *EVERYTHING), user("peer", allow("s3:Get*"))
    mine = user("me", allow("iam:CreateAccessKey", on=arn("user", "p*")), allow("s3:Get*"))
    assert not escalations((mine, boss, peer), mine.name)
    all_users = user("me", allow("iam:CreateAccessKey"))
    assert only(escalations((all_users, boss, peer), all_users.name), "iam-create-access-key").through == (boss.name,)


def test_an_account_without_users_has_none_to_become() -> None:
    assert not escalations((role("me", allow("iam:CreateAccessKey")), role("other")), ME)


def test_an_own_key_alone_is_no_escalation() -> None:
    mine = user("me", allow("iam:CreateAccessKey", on=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    assert not escalations((mine, user("boss", *EVERYTHING)), mine.name)


def test_a_group_that_it_is_in_is_known_by_the_groups_policies() -> None:
    group = policy("crew/reading", allow("s3:Get*"), kind="group")
    for where, conditions in (
        (arn("group", "crew"), ()),
        (arn("group", "other"), (f"it is in a group of {arn('group', 'other')}",)),
    ):
        me = user("me", policies=(policy("own", allow("iam:PutGroupPolicy", on=where)), group))
        assert only(escalations((me, user("a")), me.name), "iam-put-group-policy").conditions == conditions


def test_a_managed_policy_that_it_may_change_and_that_a_role_it_can_take_has_makes_it_administrator() -> None:
    team = policy(f"arn:aws:iam::{ACCOUNT}:policy/team", allow("s3:Get*"), kind="managed")
    worker = role("worker", policies=(team,), trust=(by_identity(ME),))
    me = role("me", allow("iam:CreatePolicyVersion", on=team.name), allow("s3:Get*"))
    found = only(escalations((me, worker), ME), "iam-create-policy-version")
    assert (found.reaches, found.through) == ("admin", (worker.name,))


# A document alone


@pytest.mark.parametrize(
    ("statements", "rule", "reaches", "severity"),
    [
        ((FUNCTION, allow("iam:PassRole")), "lambda-create-function", "any-role", Severity.HIGH),
        ((FUNCTION, allow("iam:PassRole", on=ME)), "lambda-create-function", ME, Severity.MEDIUM),
        ((allow("iam:PutRolePolicy"),), "iam-put-role-policy", "admin", Severity.CRITICAL),
        ((allow("iam:PutRolePolicy", on=ME),), "iam-put-role-policy", "admin", Severity.HIGH),
        ((allow("iam:CreateAccessKey"),), "iam-create-access-key", "any-user", Severity.HIGH),
        ((allow("lambda:UpdateFunctionCode"),), "lambda-update-function-code", "any-role", Severity.MEDIUM),
        ((allow("iam:UpdateAssumeRolePolicy"),), "iam-update-assume-role-policy", "any-role", Severity.HIGH),
        (
            (allow("iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy", on=arn("role", "app")),),
            "iam-change-role-policy-change-trust",
            "admin",
            Severity.CRITICAL,
        ),
    ],
)
def test_a_document_alone_is_judged_by_what_it_writes(
    statements: tuple[dict[str, Any], ...], rule: str, reaches: str, severity: Severity
) -> None:
    found = only(escalations((document(*statements),), "policy.json"), rule)
    assert (found.reaches, found.severity) == (reaches, severity)


def test_two_actions_on_things_that_are_not_the_same_do_not_combine() -> None:
    found = escalations(
        (
            document(
                allow("iam:AttachRolePolicy", on=arn("role", "a")),
                allow("iam:UpdateAssumeRolePolicy", on=arn("role", "b")),
            ),
        ),
        "policy.json",
    )
    assert not by_rule(found, "iam-change-role-policy-change-trust")


def test_policies_that_could_not_be_read_say_so_and_are_reached_with_less_certainty() -> None:
    hidden = role("hidden", trust=(by_identity(ME),), policies=Unknown("denied", "iam:GetAccountAuthorizationDetails"))
    found = accesses((role("me", allow("s3:Get*")), hidden))
    assert isinstance(found[hidden.name].powers, Unknown)
    assert isinstance(found[hidden.name].granted, Unknown)
    assert only(found[ME].powers, "sts-assume-role").severity is Severity.MEDIUM


def test_a_boundary_that_a_document_may_take_off_is_told_on_the_condition_that_there_is_one() -> None:
    found = escalations((document(allow("iam:DeleteUserPermissionsBoundary")),), "policy.json")
    assert only(found, "iam-remove-user-boundary").severity is Severity.MEDIUM

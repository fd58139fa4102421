"""Escalation in AWS: resources, trust, boundaries and other identities decide whether a path is open, and where it ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.facts.identity import Identity
from monitor.facts.policy import Policy, Statement
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Severity, Unknown
from tests.unit.iam.made import (
    ACCOUNT,
    EVERYTHING,
    OTHER,
    accesses,
    allow,
    arn,
    by_account,
    by_identity,
    by_token,
    deny,
    equals,
    escalations,
    identity,
    policy,
    role,
    served,
    user,
)

LAMBDA, TASKS = "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"
ME = arn("role", "me")
FUNCTION = allow("lambda:CreateFunction", "lambda:InvokeFunction")


def by_rule(found: tuple[Any, ...], rule: str) -> list[Any]:
    return [one for one in found if one.rule == rule]


def only(found: tuple[Any, ...], rule: str) -> Any:
    (one,) = by_rule(found, rule)
    return one


def test_passing_an_administrator_to_a_function_reaches_administrator_through_it() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole", on=arn("role", "chief")))
    found = only(escalations((me, role("chief", *EVERYTHING, trust=served(LAMBDA))), ME), "lambda-create-function")
    assert (found.reaches, found.through, found.severity) == ("admin", (arn("role", "chief"),), Severity.CRITICAL)
    assert found.actions == ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction")
    assert found.conditions == ()
    assert found.by == ("me-own#2", "me-own#1")
    assert found.resources == (arn("role", "chief"),)


def test_a_role_that_does_not_trust_the_service_cannot_be_passed_to_it() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole"))
    assert not escalations((me, role("chief", *EVERYTHING, trust=served(TASKS))), ME)


def test_a_role_that_may_not_be_passed_is_not_reached() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole", on=arn("role", "app-*")))
    others = role("chief", *EVERYTHING, trust=served(LAMBDA)), role("app-1", allow("s3:List*"), trust=served(LAMBDA))
    found = escalations((me, *others), ME)
    assert [one.reaches for one in found] == [arn("role", "app-1")]


def test_passing_for_another_service_only_opens_nothing_and_for_this_one_everything() -> None:
    chief = role("chief", *EVERYTHING, trust=served(LAMBDA, TASKS))
    for service, opens in ((TASKS, False), (LAMBDA, True)):
        me = role("me", FUNCTION, allow("iam:PassRole", where=(equals("iam:passedtoservice", service),)))
        found = by_rule(escalations((me, chief), ME), "lambda-create-function")
        assert [one.conditions for one in found] == ([()] if opens else [])


def test_a_role_with_no_more_rights_than_its_own_is_no_escalation() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole"), allow("s3:*"))
    weak = role("weak", allow("s3:GetObject", on="arn:aws:s3:::shop/*"), trust=served(LAMBDA))
    assert not escalations((me, weak), ME)


def test_the_same_actions_on_other_resources_are_more_rights() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole"), allow("s3:GetObject", on="arn:aws:s3:::shop/*"))
    other = role("other", allow("s3:GetObject", on="arn:aws:s3:::salaries/*"), trust=served(LAMBDA))
    found = only(escalations((me, other), ME), "lambda-create-function")
    assert (found.reaches, found.severity) == (other.name, Severity.HIGH)


def test_an_administrator_has_no_escalation() -> None:
    me = role("me", *EVERYTHING)
    assert not escalations((me, role("chief", *EVERYTHING, trust=served(LAMBDA))), ME)


def test_many_roles_are_told_by_their_number() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole"))
    others = (role(f"app-{n}", allow("s3:Get*"), trust=served(LAMBDA)) for n in range(40))
    found = only(escalations((me, *others), ME), "lambda-create-function")
    assert (found.reaches, found.severity) == ("any of 40 roles", Severity.HIGH)


def test_a_running_workload_opens_on_the_condition_that_it_runs_as_the_role() -> None:
    me = role("me", allow("lambda:UpdateFunctionCode"))
    found = only(escalations((me, role("chief", *EVERYTHING, trust=served(LAMBDA))), ME), "lambda-update-function-code")
    assert (found.reaches, found.conditions, found.severity) == ("admin", ("a function runs as it",), Severity.HIGH)


def test_the_conditions_of_the_roles_trust_in_the_service_are_told_where_they_narrow() -> None:
    def with_tests(*tests: ClaimTest) -> Any:
        me = role("me", FUNCTION, allow("iam:PassRole"))
        chief = role("chief", *EVERYTHING, trust=served(LAMBDA, tests=tests))
        return only(escalations((me, chief), ME), "lambda-create-function")

    own = ClaimTest(claim="aws:sourceaccount", patterns=(ACCOUNT,))
    everything = ClaimTest(claim="aws:sourcearn", patterns=(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:*",), wild=True)
    assert with_tests(own, everything).severity is Severity.CRITICAL
    one = ClaimTest(claim="aws:sourcearn", patterns=(f"arn:aws:lambda:eu-west-1:{ACCOUNT}:function:pay",), wild=True)
    assert with_tests(one).conditions == (one.words(),)
    assert with_tests(ClaimTest(claim="aws:sourceaccount", patterns=(OTHER,))).severity is Severity.HIGH


def test_a_dead_way_in_is_none() -> None:
    me = role("me", allow("sts:AssumeRole"))
    assert not escalations((me, role("chief", *EVERYTHING, trust=(by_identity(ME, dead="deleted"),))), ME)


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


# Through others


def test_a_chain_is_told_with_all_in_between_nearest_first() -> None:
    a, b, chief = (
        role("a", allow("s3:Get*"), trust=(by_identity(ME),)),
        role("b", allow("s3:Get*"), trust=(by_identity(arn("role", "a")),)),
        role("chief", *EVERYTHING, trust=(by_identity(arn("role", "b")),)),
    )
    found = only(escalations((role("me", allow("s3:Get*")), a, b, chief), ME), "sts-assume-role")
    assert (found.reaches, found.through) == ("admin", (a.name, b.name, chief.name))


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


def test_an_own_key_alone_is_no_escalation() -> None:
    mine = user("me", allow("iam:CreateAccessKey", on=f"arn:aws:iam::{ACCOUNT}:user/${{aws:username}}"))
    assert not escalations((mine, user("boss", *EVERYTHING)), mine.name)


# A document alone


def document(*statements: dict[str, Any]) -> Identity:
    return Identity(
        provider="aws",
        account="",
        id="document",
        name="policy.json",
        kind="role",
        at=role("x").at,
        document=True,
        policies=(policy("policy.json", *statements),),
    )


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


# Laws

_ACTIONS = ("iam:PassRole", "iam:PutRolePolicy", "lambda:*", "sts:AssumeRole", "ecs:RunTask", "iam:*", "s3:*")
_WHERE = ("*", ME, arn("role", "chief"), arn("role", "c*"))
_STATEMENTS = st.builds(
    lambda action, where: allow(action, on=where), st.sampled_from(_ACTIONS), st.sampled_from(_WHERE)
)


def _told(statements: list[dict[str, Any]]) -> set[tuple[str, str]]:
    others = (
        role("chief", *EVERYTHING, trust=(*served(LAMBDA, TASKS), by_account())),
        role("worker", allow("dynamodb:*"), trust=(*served(LAMBDA), by_token())),
    )
    return {(one.rule, one.reaches) for one in escalations((role("me", *statements), *others), ME)}


@settings(max_examples=60, deadline=None)
@given(st.lists(_STATEMENTS, min_size=1, max_size=4), st.sampled_from(_ACTIONS), st.sampled_from(_WHERE))
def test_a_deny_never_opens_a_path(statements: list[dict[str, Any]], action: str, where: str) -> None:
    before, after = _told(statements), _told([*statements, deny(action, on=where)])
    lifted = {"iam-remove-role-deny"}  # that path is about the deny itself
    assert {rule for rule, _ in after} <= {rule for rule, _ in before} | lifted


@settings(max_examples=40, deadline=None)
@given(st.lists(_STATEMENTS, min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_order_and_case_change_nothing(statements: list[dict[str, Any]], chance: Any) -> None:
    other = [{**one, "actions": tuple(action.upper() for action in one["actions"])} for one in statements]
    chance.shuffle(other)
    assert _told(statements) == _told(other)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_nothing_raises_on_any_text(action: str, resource: str, name: str) -> None:
    statement = Statement(n=1, allow=True, actions=(action, "iam:PassRole", "*"), resources=(resource,))
    me = Identity(
        provider="aws",
        account=name,
        id=name,
        name=name,
        kind="role",
        at=role("x").at,
        policies=(Policy(name=name, kind="inline", statements=(statement,)),),
        trust=(by_identity(resource), by_account(name)),
    )
    assert len(accesses((me, role("other")))) == 2


def test_a_role_that_trusts_everybody_is_taken_without_a_permission_in_its_own_account_alone() -> None:
    def anybody(account: str) -> Identity:
        way = TrustPath(kind="anyone", principal="*", action="sts:AssumeRole", by="trust#1")
        return identity("chief", *EVERYTHING, account=account, trust=(way,))

    for account, statements, takes in (
        (ACCOUNT, (allow("s3:Get*"),), True),
        (ACCOUNT, (allow("s3:Get*"), deny("sts:AssumeRole")), False),
        (OTHER, (allow("s3:Get*"),), False),
        (OTHER, (allow("sts:AssumeRole"),), True),
    ):
        found = accesses((role("me", *statements), role("other"), anybody(account)))[ME]
        assert bool(found.assumes) is takes


def test_everybody_with_certain_arns_means_those() -> None:
    test = ClaimTest(claim="aws:principalarn", patterns=(ME,))
    way = TrustPath(kind="anyone", principal="*", action="sts:AssumeRole", by="trust#1", tests=(test,))
    found = accesses((role("me"), role("other"), role("chief", *EVERYTHING, trust=(way,))))
    assert [found[one].assumes for one in (ME, arn("role", "other"))] == [(arn("role", "chief"),), ()]


def test_a_group_that_it_is_in_is_known_by_the_groups_policies() -> None:
    group = policy("crew/reading", allow("s3:Get*"), kind="group")
    for where, conditions in (
        (arn("group", "crew"), ()),
        (arn("group", "other"), (f"it is in a group of {arn('group', 'other')}",)),
    ):
        me = user("me", policies=(policy("own", allow("iam:PutGroupPolicy", on=where)), group))
        assert only(escalations((me, user("a")), me.name), "iam-put-group-policy").conditions == conditions


def test_a_boundary_that_a_document_may_take_off_is_told_on_the_condition_that_there_is_one() -> None:
    found = escalations((document(allow("iam:DeleteUserPermissionsBoundary")),), "policy.json")
    assert only(found, "iam-remove-user-boundary").severity is Severity.MEDIUM


def test_a_managed_policy_that_it_may_change_and_that_a_role_it_can_take_has_makes_it_administrator() -> None:
    team = policy(f"arn:aws:iam::{ACCOUNT}:policy/team", allow("s3:Get*"), kind="managed")
    worker = role("worker", policies=(team,), trust=(by_identity(ME),))
    me = role("me", allow("iam:CreatePolicyVersion", on=team.name), allow("s3:Get*"))
    found = only(escalations((me, worker), ME), "iam-create-policy-version")
    assert (found.reaches, found.through) == ("admin", (worker.name,))


def test_every_path_of_a_wide_account_is_told_in_bounded_number() -> None:
    roles = [role(f"r{n}", allow("s3:Get*", "sqs:*"), trust=(*served(LAMBDA, TASKS), by_account())) for n in range(200)]
    me = role("me", allow("iam:PassRole", "lambda:*", "ecs:*", "sts:AssumeRole"))
    assert len(escalations((me, *roles), ME)) < 20

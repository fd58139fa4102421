"""Escalation in AWS: a role that is handed over is judged by its own rights, its trust and where it may be passed."""

from __future__ import annotations

from typing import Any

from monitor.facts.trust import ClaimTest
from monitor.model import Severity
from tests.unit.iam.made import (
    ACCOUNT,
    EVERYTHING,
    OTHER,
    allow,
    arn,
    by_account,
    by_identity,
    by_rule,
    equals,
    escalations,
    only,
    role,
    served,
)

LAMBDA, TASKS = "lambda.amazonaws.com", "ecs-tasks.amazonaws.com"
ME = arn("role", "me")
FUNCTION = allow("lambda:CreateFunction", "lambda:InvokeFunction")


def test_passing_an_administrator_to_a_function_reaches_administrator_through_it() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole", on=arn("role", "chief")))
    found = only(escalations((me, role("chief", *EVERYTHING, trust=served(LAMBDA))), ME), "lambda-create-function")
    assert (found.reaches, found.through, found.severity) == ("admin", (arn("role", "chief"),), Severity.CRITICAL)
    assert found.actions == ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction")
    assert found.conditions == ()
    assert found.by == ("me-own#2", "me-own#1", "chief: trust#1")
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


def test_every_path_of_a_wide_account_is_told_in_bounded_number() -> None:
    roles = [role(f"r{n}", allow("s3:Get*", "sqs:*"), trust=(*served(LAMBDA, TASKS), by_account())) for n in range(200)]
    me = role("me", allow("iam:PassRole", "lambda:*", "ecs:*", "sts:AssumeRole"))
    assert len(escalations((me, *roles), ME)) < 20


def test_a_service_that_is_trusted_in_one_region_is_that_service() -> None:
    me = role("me", allow("states:*"), allow("iam:PassRole"))
    chief = role("chief", *EVERYTHING, trust=served("states.eu-west-1.amazonaws.com"))
    assert only(escalations((me, chief), ME), "states-create-state-machine").reaches == "admin"


def test_a_pattern_that_is_open_about_the_account_means_roles_of_this_one() -> None:
    me = role("me", FUNCTION, allow("iam:PassRole", on="arn:aws:iam::*:role/chi*"))
    chief = role("chief", *EVERYTHING, trust=served(LAMBDA))
    assert only(escalations((me, chief), ME), "lambda-create-function").through == (chief.name,)
    elsewhere = role("me", FUNCTION, allow("iam:PassRole", on="arn:aws-cn:iam::*:role/chi*"))
    assert not escalations((elsewhere, chief), ME)


def test_all_roles_but_one_may_be_passed() -> None:
    spared = allow("iam:PassRole")
    spared = {**spared, "resources": (), "not_resources": (arn("role", "chief"),)}
    chief, other = role("chief", *EVERYTHING, trust=served(LAMBDA)), role("app", allow("s3:*"), trust=served(LAMBDA))
    found = only(escalations((role("me", FUNCTION, spared), chief, other), ME), "lambda-create-function")
    assert found.reaches == other.name

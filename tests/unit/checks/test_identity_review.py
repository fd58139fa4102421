"""What a review of deploy identities found of their rights: each was judged wrongly before."""

from __future__ import annotations

from typing import Any

import pytest

from checks import deploy_privilege
from checks.deploy_privilege import PrivilegeExpectations
from monitor.decode.aws_policy import policy
from monitor.decode.gcp_iam import ProjectMaterial, identities
from monitor.facts.identity import Identity
from monitor.iam.analysis import analyse
from monitor.model import Outcome
from tests.unit.checks.reviewed import (
    ACCOUNT,
    AT,
    DEPLOY,
    FUNCTIONS,
    PASSES,
    SWEEP,
    able,
    allow,
    by,
    catalogue,
    declared,
    deny,
    document,
    kinds,
    role,
)  # fmt: skip

# What it can do.


def deploys_functions() -> tuple[dict[str, Any], ...]:
    passed = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
    return allow("lambda:*", on=FUNCTIONS), allow("iam:PassRole", on=PASSES, Condition=passed)


def runs(*statements: dict[str, Any]) -> Identity:
    return role("app-runs", *statements, trust=(by({"Service": "lambda.amazonaws.com"}),))


EXACTLY = [
    {"actions": ["lambda:*"], "resources": [FUNCTIONS], "reason": "it deploys them"},
    {"actions": ["iam:PassRole"], "resources": [PASSES], "reason": "they run as these"},
]


def test_a_declaration_of_each_right_where_it_holds_is_enough():
    reads = runs(allow("s3:GetObject", on="arn:aws:s3:::one/*"))

    assert able(*deploys_functions(), others=(reads,)).outcome is Outcome.FAIL
    assert able(*deploys_functions(), others=(reads,), allows=EXACTLY).outcome is Outcome.PASS
    assert able(*deploys_functions(), others=(reads,), allows=EXACTLY[:1]).outcome is Outcome.FAIL


def test_what_makes_an_administrator_is_declared_as_such():
    administrator = runs(allow("*"))
    whole = {"actions": ["lambda:*", "iam:PassRole"], "resources": [PASSES], "reason": "they may do anything"}

    assert able(*deploys_functions(), others=(administrator,), allows=EXACTLY).outcome is Outcome.FAIL
    assert able(*deploys_functions(), others=(administrator,), allows=[*EXACTLY, whole]).outcome is not Outcome.FAIL


def test_a_role_that_names_it_is_not_declared_by_what_it_may_assume_elsewhere():
    named = role("other", allow("*"), trust=(by({"AWS": DEPLOY}),))
    dev = f"arn:aws:iam::{ACCOUNT}:role/dev-*"
    entry = [{"actions": ["sts:AssumeRole"], "resources": [dev], "reason": "the roles of development"}]

    assert able(allow("sts:AssumeRole", on=dev), others=(named,), allows=entry).outcome is Outcome.FAIL


def test_statements_on_several_buckets_are_declared_each_by_its_own():
    statements = (
        allow("s3:DeleteObject", on="arn:aws:s3:::site/*"),
        allow("s3:PutLifecycleConfiguration", on="arn:aws:s3:::log"),
    )
    entries = [
        {"actions": one["Action"], "resources": [one["Resource"]], "reason": "it is its own"} for one in statements
    ]

    assert able(*statements).outcome is Outcome.FAIL
    assert able(*statements, allows=entries).outcome is Outcome.PASS


@pytest.mark.parametrize(
    "everywhere", ["arn:aws:*", "arn:*", "*:*", "?*", "arn:aws:*:*:*:*", "arn:aws-us-gov:sns:*:*:*"]
)
def test_a_service_is_wide_on_whatever_pattern_stands_for_everything(everywhere):
    assert ("service-wide", "sns") in kinds(able(allow("sns:*", on=everywhere)))


def test_what_only_part_of_the_resources_is_spared_from_is_open():
    all_but_one = {"Effect": "Allow", "Action": "s3:*", "NotResource": "arn:aws:s3:::kept/*"}
    spared = able(allow("s3:*"), deny("s3:*", on="arn:aws:s3:::*"))

    assert able(all_but_one).outcome is Outcome.FAIL
    assert spared.outcome is Outcome.UNKNOWN


def test_a_region_opens_nothing_that_another_condition_keeps():
    region, tag = {"aws:RequestedRegion": "eu-west-1"}, {"aws:ResourceTag/team": "payments"}

    assert able(allow("s3:DeleteBucket", Condition={"StringEquals": region})).outcome is Outcome.FAIL
    assert able(allow("s3:DeleteBucket", Condition={"StringEquals": tag})).outcome is Outcome.UNKNOWN
    for both in ({**region, **tag}, {**tag, **region}):
        assert able(allow("iam:CreateAccessKey", Condition={"StringEquals": both})).outcome is Outcome.UNKNOWN


def test_on_google_cloud_a_project_that_is_declared_holds_for_its_accounts_too():
    email = "deploy@example-prod.iam.gserviceaccount.com"
    material = ProjectMaterial(
        project="example-prod",
        at=AT,
        policy={"bindings": [{"role": "roles/run.developer", "members": [f"serviceAccount:{email}"]}]},
        roles={"roles/run.developer": {"includedPermissions": ["run.services.create", "run.services.update"]}},
        accounts=({"email": email, "uniqueId": "1"},),
        account_policies={email: {}},
    )
    place = "//cloudresourcemanager.googleapis.com/projects/example-prod"
    entry = {"actions": ["run.services.*"], "resources": [place], "reason": "it deploys them"}
    expect = PrivilegeExpectations(deploy_identities=(declared(allows=[entry], name=email),))

    found = next(iter(deploy_privilege.evaluate(analyse(identities(material), {}), expect, SWEEP)))

    assert found.outcome is Outcome.PASS


@pytest.mark.parametrize(
    "passed", [{}, {"Condition": {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com.cn"}}}]
)
def test_services_of_china_are_called_otherwise(passed):
    place = f"arn:aws-cn:iam::{ACCOUNT}:role"
    administrator = role("adm", allow("*"), trust=(by({"Service": "ec2.amazonaws.com.cn"}),), name=f"{place}/adm")
    statements = (allow("iam:PassRole", **passed), allow("ec2:RunInstances"))
    accesses = analyse([role("deploy", *statements, name=f"{place}/deploy"), administrator], {"aws": catalogue()})
    expect = PrivilegeExpectations(deploy_identities=(declared(name=f"{place}/deploy"),))

    found = next(iter(deploy_privilege.evaluate(accesses, expect, SWEEP)))

    assert (found.outcome, found.subject) == (Outcome.FAIL, f"aws:identity:{ACCOUNT}:IDdeploy:privilege")
    assert ("escalation", "ec2-run-instances") in kinds(found)


def test_a_group_of_another_partition_is_its_own_group():
    place, document_of = (
        f"arn:aws-us-gov:iam::{ACCOUNT}",
        allow("iam:PutGroupPolicy", on="arn:aws-us-gov:iam::*:group/*"),
    )
    group = policy(document(document_of), "builders/own", "group")
    user = role("deploy", name=f"{place}:user/deploy", kind="user", policies=(group,))
    expect = PrivilegeExpectations(deploy_identities=(declared(name=f"{place}:user/deploy"),))

    found = next(iter(deploy_privilege.evaluate(analyse([user], {"aws": catalogue()}), expect, SWEEP)))

    assert ("escalation", "iam-put-group-policy") in kinds(found)
    assert "reaches admin" in found.reason


@pytest.mark.parametrize("action", ["iam:UpdateSAMLProvider", "organizations:LeaveOrganization"])
def test_who_may_change_who_signs_people_in_or_leave_the_organisation_needs_a_reason(action):
    # https://www.elastic.co/guide/en/security/current/prebuilt-rule-8-19-11-aws-iam-saml-provider-updated.html
    assert ("gives-rights", action.partition(":")[0]) in kinds(able(allow(action)))

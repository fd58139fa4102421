"""What a review of deploy identities found of their trust: each was judged wrongly before."""

from __future__ import annotations

import msgspec
import pytest

from checks import deploy_trust
from checks.deploy_trust import TrustExpectations
from monitor.decode.aws_policy import policy
from monitor.decode.aws_trust import OidcProvider, trust_paths
from monitor.decode.gcp_iam import ProjectMaterial, identities
from monitor.expected.models import DeployIdentity
from monitor.facts.repository import Environment, Reviewer
from monitor.iam.analysis import analyse
from monitor.model import Outcome, Unknown
from tests.unit.checks.reviewed import (
    ACCOUNT,
    AT,
    DEPLOY,
    GITHUB,
    MINE,
    ROOT,
    SWEEP,
    allow,
    by,
    by_token,
    catalogue,
    declared,
    document,
    role,
    trusted,
)  # fmt: skip

# Who can become it.


def test_the_trust_that_the_terraform_module_writes_is_fine():
    # https://github.com/terraform-aws-modules/terraform-aws-iam: iam-github-oidc-role
    claims = {f"{GITHUB}:iss": "http://token.actions.githubusercontent.com", f"{GITHUB}:aud": "sts.amazonaws.com"}
    statement = by_token(MINE)
    statement["Condition"] = {"ForAllValues:StringEquals": claims, "StringLike": {f"{GITHUB}:sub": [MINE]}}

    assert trusted(statement).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("policy_of_branches", "patterns", "outcome"),
    [
        ("custom", ("main", "release/*"), Outcome.PASS),
        ("custom", ("*",), Outcome.FAIL),
        ("custom", ("main", "*/*"), Outcome.FAIL),
        ("custom", ("main", "tag:*"), Outcome.FAIL),
        ("custom", ("main", "tag:v*"), Outcome.PASS),
        ("custom", Unknown("denied", "actions:read"), Outcome.UNKNOWN),
        ("protected", (), Outcome.FAIL),
    ],
)
def test_a_branch_policy_that_lets_any_branch_in_protects_no_environment(policy_of_branches, patterns, outcome):
    place = Environment(id=1, name="production", branch_policy=policy_of_branches, deploys_from=patterns)
    reviewed = msgspec.structs.replace(place, reviewers=(Reviewer(kind="team", name="release"),))

    assert trusted(by_token(MINE), place=place).outcome is outcome
    assert trusted(by_token(MINE), place=reviewed).outcome is Outcome.PASS


@pytest.mark.parametrize("external", [{"StringLike": {"sts:ExternalId": "*"}}, {"Null": {"sts:ExternalId": "false"}}])
def test_any_external_id_is_none(external):
    expect = TrustExpectations.model_validate({"identities": {"trusted_accounts": ["444455556666"]}})
    stranger = by({"AWS": "444455556666"}, **external)
    accesses = analyse([role("deploy", trust=(by_token(MINE), stranger))], {"aws": catalogue()})
    whole = TrustExpectations(identities=expect.identities, deploy_identities=(declared(),))
    found = next(iter(deploy_trust.evaluate(accesses, whole, SWEEP)))

    assert found.outcome is Outcome.FAIL
    assert "without an external id" in found.reason


def test_a_role_that_trusts_itself_trusts_nobody_more():
    assert trusted(by_token(MINE), by({"AWS": DEPLOY})).outcome is Outcome.PASS


def test_an_account_is_not_known_by_those_of_it_that_could_be_read():
    may = role("may", allow("sts:AssumeRole", on=DEPLOY), trust=(by_token(MINE),))
    unread = role("unread", trust=(by_token("repo:example-org/*"),), policies=(policy("{", "lost", "managed"),))

    assert trusted(by_token(MINE), by({"AWS": ROOT}), others=(may,)).outcome is Outcome.PASS
    found = trusted(by_token(MINE), by({"AWS": ROOT}), others=(may, unread))
    assert found.outcome is Outcome.UNKNOWN
    assert "whether unread may" in found.reason


def test_a_token_of_circleci_has_no_colon_in_its_ids():
    issuer = "oidc.circleci.com/org/11111111-2222"
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"
    subject = "org/11111111-2222/project/33333333-4444/user/*"
    statement = {**by_token(MINE), "Principal": {"Federated": arn}}
    statement["Condition"] = {"StringLike": {f"{issuer}:sub": subject, f"{issuer}:aud": "11111111-2222"}}
    proof = {"token": {"issuer": issuer, "subjects": [subject], "audience": "11111111-2222"}}
    entry = DeployIdentity.model_validate({"id": "payments", "principals": [DEPLOY], "proof": proof})
    provider = OidcProvider(arn=arn, issuer=issuer, client_ids=("11111111-2222",))
    trust = trust_paths(document(statement), {arn: provider}, ACCOUNT)
    accesses = analyse([msgspec.structs.replace(role("deploy"), trust=trust)], {"aws": catalogue()})

    found = next(iter(deploy_trust.evaluate(accesses, TrustExpectations(deploy_identities=(entry,)), SWEEP)))

    assert found.outcome is Outcome.PASS


# Subjects of repositories that are not known.


@pytest.mark.parametrize("operator", ["StringEquals", "StringLike"])
@pytest.mark.parametrize(
    "subject",
    [
        "repository_owner:somebody",
        "repository_owner:somebody:environment:production",
        "job_workflow_ref:somebody/shared/.github/workflows/deploy.yml@refs/heads/main",
        "repo:somebody/theirs:job_workflow_ref:somebody/shared/.github/workflows/deploy.yml@refs/heads/main",
        "repo:somebody/theirs:actor:anybody",
    ],
)
def test_others_choose_of_which_claims_their_subjects_are_made(operator, subject):
    # https://docs.github.com/en/actions/reference/security/oidc#customizing-the-subject-claims-for-an-organization-or-repository
    pattern = subject if operator == "StringEquals" else subject.replace("somebody", "some*")
    beside = trusted(by_token(MINE, pattern, operator=operator))
    alone = trusted(by_token(pattern, operator=operator), entry=declared(name=f"arn:aws:iam::{ACCOUNT}:role/other"))

    assert beside.outcome is Outcome.FAIL
    assert alone.outcome is Outcome.FAIL
    assert "no deploy identity" in alone.reason


@pytest.mark.parametrize(
    "pattern",
    [
        "repo:example-org/*:ref:refs/heads/main",
        "repo:example-org/pay*:ref:refs/heads/release/*",
        "repo:example-org/payments:ref:refs/tags/v*",
    ],
)
def test_what_is_declared_as_it_is_trusted_passes_whatever_others_choose(pattern):
    assert trusted(by_token(pattern), entry=declared(pattern)).outcome is Outcome.PASS


def test_the_audience_of_google_has_two_names():
    place = "projects/1/locations/global/workloadIdentityPools/forge"
    email = "deploy@example-prod.iam.gserviceaccount.com"
    subject = "repo:example-org/payments:ref:refs/heads/main"
    member = f"principal://iam.googleapis.com/{place}/subject/{subject}"
    provider = {
        "name": f"{place}/providers/github",
        "attributeMapping": {"google.subject": "assertion.sub"},
        "oidc": {"issuerUri": f"https://{GITHUB}"},
    }
    material = ProjectMaterial(
        project="example-prod",
        number="1",
        at=AT,
        policy={},
        accounts=({"email": email, "uniqueId": "1"},),
        account_policies={email: {"bindings": [{"role": "roles/iam.workloadIdentityUser", "members": [member]}]}},
        pools=({"name": place},),
        providers={place: (provider,)},
    )
    for audience in (
        f"https://iam.googleapis.com/{place}/providers/github",
        f"//iam.googleapis.com/{place}/providers/github",
    ):
        proof = {"token": {"issuer": GITHUB, "subjects": [subject], "audience": audience}}
        entry = DeployIdentity.model_validate({"id": "payments", "principals": [email], "proof": proof})
        expect = TrustExpectations(deploy_identities=(entry,))

        found = next(iter(deploy_trust.evaluate(analyse(identities(material), {}), expect, SWEEP)))

        assert found.outcome is Outcome.PASS


@pytest.mark.parametrize("issuer", ["accounts.google.com", "cognito-identity.amazonaws.com"])
def test_a_role_for_whoever_has_an_account_at_a_public_provider_is_judged(issuer):
    statement = {"Effect": "Allow", "Principal": {"Federated": issuer}, "Action": "sts:AssumeRoleWithWebIdentity"}
    elsewhere = declared(name=f"arn:aws:iam::{ACCOUNT}:role/other")
    named = {**statement, "Condition": {"StringEquals": {f"{issuer}:aud": "an-app-of-ours"}}}

    assert trusted(statement, entry=elsewhere).outcome is Outcome.FAIL
    assert trusted(named, entry=elsewhere).outcome is Outcome.NOT_APPLICABLE

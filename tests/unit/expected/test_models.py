"""The sections of expected state as checks use them."""

from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from pydantic import ValidationError

from monitor.expected.models import (
    AwsAccount,
    AwsEstate,
    BreakGlass,
    DeployIdentity,
    EmergencyChange,
    Production,
    SessionProof,
    StandardChange,
    TokenProof,
    TrustedService,
)

ROLE = "arn:aws:iam::111122223333:role/payments-deploy"
ISSUER = "token.actions.githubusercontent.com"
SUBJECT = "repo:example-org/payments:environment:production"
PRODUCTION = Production(
    aws=AwsEstate(
        accounts=(
            AwsAccount(id="111122223333", name="payments-prod", regions=("us-east-1", "eu-west-1")),
            AwsAccount(id="444455556666", name="data-prod", regions=("us-east-1",)),
        ),
        watched=(AwsAccount(id="777788889999", name="tooling", regions=("us-east-1",)),),
    )
)


def test_production_lists_its_scopes_and_keeps_watched_ones_apart():
    assert PRODUCTION.accounts() == ("aws:111122223333", "aws:444455556666")
    assert PRODUCTION.scopes() == (
        "aws:111122223333:us-east-1",
        "aws:111122223333:eu-west-1",
        "aws:444455556666:us-east-1",
    )
    assert PRODUCTION.watched_accounts() == ("aws:777788889999",)
    assert PRODUCTION.watched_scopes() == ("aws:777788889999:us-east-1",)


def test_only_declared_production_accounts_are_production():
    assert PRODUCTION.is_production("aws", "111122223333")
    assert not PRODUCTION.is_production("aws", "777788889999")
    assert not PRODUCTION.is_production("gcp", "111122223333")
    assert not Production().is_production("aws", "111122223333")


def test_account_has_the_name_that_people_call_it():
    assert PRODUCTION.name_of("aws", "444455556666") == "data-prod"
    assert PRODUCTION.name_of("aws", "777788889999") == "tooling"
    assert PRODUCTION.name_of("aws", "000000000000") == "000000000000"


def test_production_stays_equal_and_frozen_after_use():
    copy = Production.model_validate(PRODUCTION.model_dump())
    copy.is_production("aws", "1")

    assert copy == PRODUCTION
    with pytest.raises(ValidationError):
        copy.aws = None


@pytest.mark.parametrize(
    ("issuer", "subject", "audience", "expected"),
    [
        (ISSUER, SUBJECT, "sts.amazonaws.com", True),
        (f"https://{ISSUER}", SUBJECT, "sts.amazonaws.com", True),
        (f"arn:aws:iam::111122223333:oidc-provider/{ISSUER}", SUBJECT, "sts.amazonaws.com", True),
        (f"{ISSUER}.example.com", SUBJECT, "sts.amazonaws.com", False),
        ("", SUBJECT, "sts.amazonaws.com", False),
        (ISSUER, SUBJECT + "-x", "sts.amazonaws.com", False),
        (ISSUER, "", "sts.amazonaws.com", False),
        (ISSUER, SUBJECT, "other", False),
        (ISSUER, SUBJECT, "", False),
    ],
)
def test_token_is_accepted_only_with_issuer_subject_and_audience(issuer, subject, audience, expected):
    proof = TokenProof(issuer=ISSUER, subjects=(SUBJECT,), audience="sts.amazonaws.com")

    assert proof.accepts(issuer, subject, audience) is expected


def test_audience_that_is_not_demanded_may_be_any():
    assert TokenProof(issuer=ISSUER, subjects=(SUBJECT,)).accepts(ISSUER, SUBJECT, "")


def test_proof_is_read_in_its_written_form_and_given_as_an_object():
    written = DeployIdentity.model_validate(
        {"id": "a", "principals": [ROLE], "proof": {"token": {"issuer": ISSUER, "subjects": [SUBJECT]}}}
    )
    built = DeployIdentity(id="a", principals=(ROLE,), proof=TokenProof(issuer=ISSUER, subjects=(SUBJECT,)))

    assert written == built
    assert written.matches([ROLE])
    assert not written.matches([ROLE + "-2"])


@pytest.mark.parametrize(
    "proof",
    [
        {},
        {
            "token": {"issuer": ISSUER, "subjects": [SUBJECT]},
            "session": {
                "pattern": "arn:aws:sts::111122223333:assumed-role/a/b-*",
                "assumed_by": ["codebuild.amazonaws.com"],
            },
        },
    ],
)
def test_proof_is_one_of_token_and_session(proof):
    with pytest.raises(ValidationError, match="either 'token:' or 'session:'"):
        DeployIdentity.model_validate({"id": "a", "principals": [ROLE], "proof": proof})


def test_session_proof_matches_the_session_and_allows_only_the_services_that_are_named():
    proof = SessionProof(
        pattern="arn:aws:sts::111122223333:assumed-role/codebuild-release/AWSCodeBuild-*",
        assumed_by=("codebuild.amazonaws.com",),
    )

    assert proof.matches(["arn:aws:sts::111122223333:assumed-role/codebuild-release/AWSCodeBuild-1"])
    assert not proof.matches(["arn:aws:sts::111122223333:assumed-role/codebuild-release/maria"])
    assert proof.allows("codebuild.amazonaws.com")
    assert not proof.allows("")
    assert not SessionProof(pattern="arn:aws:sts::111122223333:assumed-role/a/b").allows("codebuild.amazonaws.com")
    with pytest.raises(ValidationError, match="is not a session"):
        SessionProof(pattern=ROLE, assumed_by=("codebuild.amazonaws.com",))


def test_trusted_service_is_trusted_for_its_actions_alone():
    service = TrustedService(id="f", principals=(ROLE,), actions=("logs:Create*",), reason="r")

    assert service.matches(iter([ROLE]))
    assert service.allows("logs:CreateLogStream")
    assert not service.allows("logs:DeleteLogStream")


def test_emergency_covers_from_its_start_until_before_its_end():
    change = EmergencyChange.model_validate(
        {
            "id": "EC-1",
            "ticket": "OPS-1",
            "approver": "release-manager",
            "identities": ["oncall"],
            "from": "2026-03-14T02:00:00+01:00",
            "to": "2026-03-14T04:00:00Z",
            "reason": "r",
        }
    )

    assert change.from_ == datetime(2026, 3, 14, 1, tzinfo=UTC)
    assert change.from_.tzinfo is UTC
    assert change.covers(change.from_)
    assert not change.covers(change.from_ - timedelta(microseconds=1))
    assert not change.covers(change.to)
    assert change.covers(datetime(2026, 3, 14, 4, 59, tzinfo=timezone(timedelta(hours=1))))
    assert change.names("oncall")
    assert not change.names("other")


def test_emergency_can_be_built_with_python_names():
    change = EmergencyChange(
        id="EC-1",
        ticket="OPS-1",
        approver="release-manager",
        identities=("oncall",),
        from_=datetime(2026, 3, 14, 1, tzinfo=UTC),
        to=datetime(2026, 3, 14, 4, tzinfo=UTC),
        reason="r",
    )

    assert change.covers(datetime(2026, 3, 14, 2, tzinfo=UTC))


def test_standard_change_counts_until_the_end_of_its_review_day_in_utc():
    change = StandardChange(
        id="restart",
        actions=("ecs:UpdateService",),
        principals=(ROLE,),
        runbook="https://runbooks.example.com/restart",
        approved_by="cab",
        review_by=date(2026, 1, 31),
    )

    assert change.in_date(datetime(2026, 1, 31, 23, 59, tzinfo=UTC))
    assert not change.in_date(datetime(2026, 2, 1, tzinfo=UTC))
    assert not change.in_date(datetime(2026, 1, 31, 23, 59, tzinfo=timezone(-timedelta(hours=1))))
    assert change.allows("ecs:UpdateService")
    assert not change.allows("ecs:UpdateServicePrimaryTaskSet")
    assert change.matches([ROLE])


def test_misspelt_key_is_an_error_never_a_default():
    with pytest.raises(ValidationError, match="principal"):
        BreakGlass.model_validate({"id": "a", "principal": [ROLE], "principals": [ROLE], "reason": "r"})


@pytest.mark.parametrize(
    ("region", "said"),
    [
        ("eu-west-1a", "is a zone; write its region, eu-west-1"),
        ("EU-WEST-1", "write eu-west-1"),
        ("europe", "is not a region"),
        ("", "is empty"),
    ],
)
def test_wrong_region_is_told_what_would_be_right(region, said):
    with pytest.raises(ValidationError, match=said):
        AwsAccount(id="111122223333", name="a", regions=(region,))


@pytest.mark.parametrize(
    "region", ["us-east-1", "ap-southeast-2", "us-gov-west-1", "cn-north-1", "us-iso-east-1", "eusc-de-east-1"]
)
def test_regions_of_all_partitions_are_right(region):
    assert AwsAccount(id="111122223333", name="a", regions=(region,)).regions == (region,)

"""The check `deploy-credentials`: long-lived credentials on the pipeline's identities, and cloud keys that the forge keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.deploy_credentials import CHECK, CredentialExpectations
from monitor.expected.models import Production
from monitor.facts.access import Access
from monitor.facts.cloud_keys import is_cloud_key
from monitor.facts.identity import Credential, Identity, IdentityList
from monitor.facts.stored_secret import DeployKey, KeptCredentials, StoredSecret
from monitor.facts.trust import TrustPath
from monitor.model import EvidenceRef, Outcome, Result, Severity, Sweep, Unknown, Window

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
SWEEP = Sweep(id="s", planned_for=NOW, at=NOW, window=Window(NOW - timedelta(days=1), NOW))
PASS, FAIL, UNKNOWN, ASIDE = Outcome.PASS, Outcome.FAIL, Outcome.UNKNOWN, Outcome.NOT_APPLICABLE
ACCOUNT = "111122223333"
DEPLOY = f"arn:aws:iam::{ACCOUNT}:user/deploy"
LOST = Unknown("the credential report could not be had", "iam:GetCredentialReport")
REF = EvidenceRef(kind="capture", name="GET /orgs/example-org/actions/secrets", sha256="0" * 64)
EXPECT = CredentialExpectations.model_validate(
    {
        "deploy_identities": [
            {
                "id": "deploy",
                "principals": [f"arn:aws:iam::{ACCOUNT}:user/deploy*", f"arn:aws:iam::{ACCOUNT}:role/deploy*"],
                "proof": {
                    "token": {
                        "issuer": "token.actions.githubusercontent.com",
                        "subjects": ["repo:example-org/shop:environment:production"],
                    }
                },
            }
        ],
        "identities": {"key_max_days": 90, "unused_after_days": 45, "may_keep": ["*_SANDBOX_*"]},
    }
)


def ago(days: int) -> datetime:
    return NOW - timedelta(days=days)


def access(*credentials: Credential, **more: Any) -> Access:
    whole = {
        "provider": "aws", "account": ACCOUNT, "id": "AIDAEXAMPLE", "name": DEPLOY, "kind": "user", "at": NOW,
        "credentials": credentials, **more,
    }  # fmt: skip
    return Access(identity=Identity(**whole))


def key(**more: Any) -> Credential:
    return Credential(**{"kind": "access-key", "id": "AKIAEXAMPLE", "created_at": ago(10), "used_at": ago(1), **more})


def kept(**more: Any) -> KeptCredentials:
    whole = {"organisation": "example-org", "repository_id": 7, "repository": "example-org/shop", "at": NOW, **more}
    return KeptCredentials(**whole)


def secret(name: str = "AWS_ACCESS_KEY_ID", **more: Any) -> StoredSecret:
    return StoredSecret(**{"name": name, "level": "repository", "created_at": ago(9), "updated_at": ago(9), **more})


def judged(*facts: Any, expect: CredentialExpectations = EXPECT) -> list[Result]:
    return list(CHECK.evaluate(facts, expect, SWEEP))


def one(*facts: Any, expect: CredentialExpectations = EXPECT) -> Result:
    (result,) = judged(*facts, expect=expect)
    return result


# Identities.

ROWS: list[tuple[dict[str, Any], tuple[Credential, ...], Outcome, Severity]] = [
    ({}, (), PASS, Severity.HIGH),
    ({}, (key(),), FAIL, Severity.HIGH),
    ({}, (key(created_at=ago(90)),), FAIL, Severity.HIGH),
    ({}, (key(created_at=ago(91)),), FAIL, Severity.CRITICAL),
    ({}, (key(created_at=None),), FAIL, Severity.HIGH),
    ({}, (key(created_at=LOST),), FAIL, Severity.HIGH),
    ({}, (key(created_at=NOW + timedelta(days=4)),), FAIL, Severity.HIGH),
    ({}, (key(active=False, created_at=ago(900)),), PASS, Severity.HIGH),
    ({}, (key(active=LOST),), UNKNOWN, Severity.HIGH),
    ({}, (key(active=LOST), key(id="AKIAOTHER")), FAIL, Severity.HIGH),
    ({}, (key(), key(id="AKIAOTHER", created_at=ago(200))), FAIL, Severity.CRITICAL),
    ({}, (key(kind="certificate"),), FAIL, Severity.HIGH),
    ({}, (key(kind="ssh-key"),), FAIL, Severity.HIGH),
    ({}, (key(kind="service-credential"),), FAIL, Severity.HIGH),
    ({}, (key(kind="service-account-key"),), FAIL, Severity.HIGH),
    ({}, (key(kind="something-new"),), FAIL, Severity.HIGH),
    ({"disabled": True}, (key(),), PASS, Severity.HIGH),
    ({"mfa": True}, (key(kind="password", id=""),), FAIL, Severity.HIGH),
    ({"mfa": False}, (key(kind="password", id=""),), FAIL, Severity.CRITICAL),
    ({"mfa": LOST}, (key(kind="password", id=""),), FAIL, Severity.HIGH),
    ({"mfa": False}, (key(kind="password", id="", active=False),), PASS, Severity.HIGH),
    ({"mfa": False}, (), PASS, Severity.HIGH),
]


@pytest.mark.parametrize(("more", "credentials", "outcome", "severity"), ROWS)
def test_a_credential_is_judged_by_whether_it_can_be_used_and_how_old_it_is(
    more: dict[str, Any], credentials: tuple[Credential, ...], outcome: Outcome, severity: Severity
):
    result = one(access(*credentials, **more))
    assert (result.outcome, result.severity) == (outcome, severity)
    assert result.subject == f"aws:identity:{ACCOUNT}:AIDAEXAMPLE:credentials"
    assert result.scope == f"aws:{ACCOUNT}"


def test_credentials_that_could_not_be_read_are_unknown_and_the_grant_is_named():
    result = one(access(credentials=LOST))
    assert (result.outcome, result.remedy) == (UNKNOWN, "iam:GetCredentialReport")
    assert LOST.reason in result.reason


def test_a_password_whose_mfa_is_not_known_fails_and_tells_what_is_not_known():
    result = one(access(key(kind="password", id=""), mfa=LOST))
    assert result.outcome == FAIL
    assert "MFA" in result.observed["unknown"][0]


def test_a_key_that_nobody_uses_is_told_to_be_unused():
    assert "never used" in one(access(key(used_at=None))).reason
    assert "not used for 46 days" in one(access(key(used_at=ago(46)))).reason
    assert "not used" not in one(access(key(used_at=ago(45)))).reason
    assert "not used" not in one(access(key(used_at=LOST))).reason


def test_inactive_keys_are_listed_in_a_pass():
    result = one(access(key(active=False)))
    assert "AKIAEXAMPLE is inactive" in result.reason
    assert result.observed["credentials"][0]["active"] is False


def test_the_worst_is_told_first_however_many_there_are():
    many = [key(id=f"AKIA{n:04}") for n in range(300)]
    result = one(access(*many, key(id="ZOLD", created_at=ago(400))))
    assert result.reason.startswith("deploy: access-key ZOLD, 400 days old")
    assert "and 296 more" in result.reason
    assert len(result.observed["credentials"]) == 100
    assert result.observed["credentials_in_all"] == 301


def test_an_identity_that_no_pipeline_uses_has_no_result():
    assert judged(access(key(), name=f"arn:aws:iam::{ACCOUNT}:user/maria")) == []


def test_an_identity_that_a_pipelines_token_becomes_is_judged_without_a_declaration():
    path = TrustPath(
        kind="token", principal="p", action="sts:AssumeRoleWithWebIdentity", by="trust#1",
        issuer="token.actions.githubusercontent.com",
    )  # fmt: skip
    strange = f"arn:aws:iam::{ACCOUNT}:role/strange"
    assert one(access(name=strange, kind="role", trust=(path,))).outcome == PASS
    through = msgspec.structs.replace(path, via=("arn:aws:iam::444455556666:role/hop",))
    assert judged(access(name=strange, kind="role", trust=(through,))) == []


def test_a_saved_document_is_judged():
    assert one(access(key(), name="arn:aws:iam::444455556666:user/x", document=True)).outcome == FAIL


# Accounts.


def test_an_account_whose_identities_cannot_be_listed_is_unknown():
    result = one(IdentityList(provider="aws", account=ACCOUNT, at=NOW, ids=LOST))
    assert (result.outcome, result.subject) == (UNKNOWN, f"aws:account:{ACCOUNT}:credentials")
    assert result.remedy == LOST.grant


def test_identities_that_are_listed_and_were_not_read_are_unknown():
    listed = IdentityList(provider="aws", account=ACCOUNT, at=NOW, ids=("AIDAEXAMPLE", "AROALOST"))
    found = {result.subject: result for result in judged(listed, access())}
    assert found[f"aws:account:{ACCOUNT}:credentials"].outcome == UNKNOWN
    assert "1 identities" in found[f"aws:account:{ACCOUNT}:credentials"].reason


def test_an_account_that_was_read_whole_has_no_result_of_its_own():
    listed = IdentityList(provider="aws", account=ACCOUNT, at=NOW, ids=("AIDAEXAMPLE",))
    assert [result.subject for result in judged(listed, access())] == [access().identity.subject("credentials")]


def test_a_production_account_with_a_declared_identity_is_unknown_where_nothing_was_read():
    place = {"id": ACCOUNT, "name": "shop", "regions": ["eu-central-1"]}
    other = {"id": "444455556666", "name": "other", "regions": ["eu-central-1"]}
    production = Production.model_validate({"aws": {"accounts": [place, other]}})
    expect = EXPECT.model_copy(update={"production": production})
    assert one(expect=expect).subject == f"aws:account:{ACCOUNT}:credentials"
    assert one(expect=expect).outcome == UNKNOWN


def test_a_declared_identity_that_is_gone_is_no_longer_judged():
    gone = IdentityList(provider="aws", account=ACCOUNT, at=NOW, ids=(), vanished={"AIDAGONE": DEPLOY, "AIDAX": "x"})
    result = one(gone)
    assert (result.outcome, result.subject) == (ASIDE, f"aws:identity:{ACCOUNT}:AIDAGONE:credentials")
    unsure = msgspec.structs.replace(gone, ids=LOST)
    assert [result.outcome for result in judged(unsure)] == [UNKNOWN]


# What the forge keeps.


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "PROD_AWS_ACCESS_KEY_ID", "AWS_PROD_SECRET_ACCESS_KEY",
        "aws_secret_access_key", "AWS_ACCESS_KEY_ID_PROD", "GCP_SA_KEY", "GCP_PROD_SA_KEY", "GOOGLE_CREDENTIALS",
        "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_APPLICATION_CREDENTIALS_JSON", "GCP_SERVICE_ACCOUNT_KEY",
        "GCLOUD_SERVICE_KEY", "AZURE_CREDENTIALS", "AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET", "KUBECONFIG",
        "PROD_KUBE_CONFIG", "FIREBASE_SERVICE_ACCOUNT_SHOP",
    ],
)  # fmt: skip
def test_names_that_clouds_give_to_keys_fail_by_their_name(name: str):
    result = one(kept(secrets=(secret(name),)))
    assert (result.outcome, result.severity) == (FAIL, Severity.HIGH)
    assert f"{name} (repository) is a long-lived cloud key by its name, 9 days old" in result.reason
    assert result.subject == "github:repository:7:credentials"
    assert result.scope == "github:example-org/shop"


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ROLE_ARN", "AWS_REGION", "AWS_ACCOUNT_ID", "AWS_KMS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_SECRET_NAME",
        "GCP_PROJECT_ID", "GCP_SERVICE_ACCOUNT", "GCP_WORKLOAD_IDENTITY_PROVIDER", "GOOGLE_MAPS_API_TOKEN",
        "AZURE_CLIENT_ID", "AZURE_TENANT_ID", "ARM_CLIENT_ID", "SLACK_WEBHOOK", "DOCKER_PASSWORD", "", "*",
    ],
)  # fmt: skip
def test_names_of_what_is_no_cloud_key_pass(name: str):
    assert not is_cloud_key(name)
    assert one(kept(secrets=(secret(name),))).outcome == PASS


def test_a_cloud_key_that_is_too_old_is_critical_by_when_its_value_was_set():
    old = secret(created_at=ago(400), updated_at=ago(91))
    assert one(kept(secrets=(old,))).severity == Severity.CRITICAL
    rotated = secret(created_at=ago(400), updated_at=ago(90))
    assert one(kept(secrets=(rotated,))).severity == Severity.HIGH
    undated = secret(created_at=None, updated_at=None)
    assert "of unknown age" in one(kept(secrets=(undated,))).reason


def test_where_a_key_is_kept_is_told():
    found = one(kept(secrets=(secret(level="environment", environment="production"), secret(level="organisation"))))
    assert "environment production" in found.reason
    assert "(organisation)" in found.reason


def test_names_that_are_allowed_pass_and_are_listed():
    result = one(kept(secrets=(secret("AWS_SANDBOX_ACCESS_KEY_ID"),)))
    assert result.outcome == PASS
    assert [shown["name"] for shown in result.observed["may_keep"]] == ["AWS_SANDBOX_ACCESS_KEY_ID"]


def test_a_deploy_key_that_can_write_fails_and_one_that_reads_only_when_it_is_old():
    def keys(**more: Any) -> Result:
        whole = {"id": 3, "title": "ci", "read_only": True, "created_at": ago(9), "used_at": ago(1), **more}
        return one(kept(deploy_keys=(DeployKey(**whole),)))

    assert keys().outcome == PASS
    assert keys().observed["deploy_keys"][0]["title"] == "ci"
    assert (keys(read_only=False).outcome, keys(read_only=False).severity) == (FAIL, Severity.HIGH)
    assert (keys(created_at=ago(91)).outcome, keys(created_at=ago(91)).severity) == (FAIL, Severity.LOW)
    assert keys(created_at=None).outcome == PASS
    assert "never used" in keys(read_only=False, used_at=None).reason


@pytest.mark.parametrize("field", ["secrets", "deploy_keys"])
def test_what_could_not_be_read_is_unknown_unless_something_is_wrong_all_the_same(field: str):
    lost = Unknown("not there, or may not be seen", "grant secrets:read")
    assert one(kept(**{field: lost})).outcome == UNKNOWN
    assert one(kept(**{field: lost})).remedy == "grant secrets:read"
    result = one(kept(**{field: lost}), kept(secrets=(secret(),)))
    assert result.outcome == FAIL
    assert result.observed["unknown"] == [lost.reason]


def test_an_organisation_is_a_subject_of_its_own():
    result = one(kept(repository_id=0, repository="", secrets=(secret(level="organisation"),), evidence=(REF,)))
    assert (result.subject, result.scope) == ("github:organisation:example-org:credentials", "github:example-org")
    assert result.evidence == (REF,)


def test_hostile_names_stay_on_one_line_and_are_kept_exactly():
    name = "AWS_ACCESS_KEY_ID\n\x1b[31m=HYPERLINK(1)<script>\u202e" + "X" * 900
    result = one(kept(secrets=(secret(name),)))
    assert result.reason.isprintable()
    assert len(result.reason) < 400
    assert result.observed["cloud_keys"][0]["name"] == name


# Laws.

moments = st.one_of(
    st.none(), st.datetimes(datetime(2020, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))
)  # fmt: skip
unknowns = st.builds(Unknown, st.text(max_size=9), st.text(max_size=9))
credentials = st.builds(
    Credential,
    kind=st.sampled_from(["access-key", "password", "certificate", "ssh-key", "service-account-key", "\x00"]),
    id=st.text(max_size=6),
    active=st.booleans() | unknowns,
    created_at=moments | unknowns,
    used_at=moments | unknowns,
)
identities = st.builds(
    Identity,
    provider=st.sampled_from(["aws", "gcp"]),
    account=st.just(ACCOUNT),
    id=st.sampled_from(["A", "B", "C"]),
    name=st.sampled_from([DEPLOY, "", "x@example-prod.iam.gserviceaccount.com"]),
    kind=st.sampled_from(["user", "role", "service-account"]),
    at=st.just(NOW),
    disabled=st.booleans(),
    document=st.booleans(),
    credentials=st.lists(credentials, max_size=4).map(tuple) | unknowns,
    trust=unknowns | st.just(()),
    mfa=st.none() | st.booleans() | unknowns,
)
names = st.sampled_from(["AWS_ACCESS_KEY_ID", "GCP_SANDBOX_SA_KEY", "PLAIN"]) | st.text(max_size=9)
secrets = st.builds(
    StoredSecret,
    name=names,
    level=st.sampled_from(["organisation", "repository", "environment"]),
    environment=st.text(max_size=4),
    created_at=moments,
    updated_at=moments,
)
keys = st.builds(
    DeployKey, id=st.integers(0, 9), title=st.text(max_size=9), read_only=st.booleans(), created_at=moments, used_at=moments
)  # fmt: skip
kepts = st.builds(
    KeptCredentials,
    organisation=st.sampled_from(["example-org", "other"]),
    repository_id=st.integers(0, 2),
    repository=st.text(max_size=5),
    at=st.just(NOW),
    secrets=st.lists(secrets, max_size=4).map(tuple) | unknowns,
    deploy_keys=st.lists(keys, max_size=3).map(tuple) | unknowns,
)
lists = st.builds(
    IdentityList,
    provider=st.sampled_from(["aws", "gcp"]),
    account=st.just(ACCOUNT),
    at=st.just(NOW),
    ids=st.lists(st.sampled_from(["A", "B", "D"])).map(tuple) | unknowns,
    vanished=st.dictionaries(st.sampled_from(["A", "E"]), st.just(DEPLOY)),
)
facts = st.one_of(identities.map(lambda found: Access(identity=found)), kepts, lists)


@settings(max_examples=100)
@given(st.lists(facts, max_size=6), st.randoms(use_true_random=False))
def test_no_fact_raises_each_subject_has_one_result_and_order_changes_nothing(found: list[Any], chance: Any):
    results = judged(*found)
    assert len({result.subject for result in results}) == len(results)
    assert all(result.reason for result in results)
    shuffled = list(found)
    chance.shuffle(shuffled)
    assert sorted(judged(*shuffled), key=repr) == sorted(results, key=repr)


@settings(max_examples=100)
@given(identities, credentials)
def test_one_more_credential_never_makes_a_result_better(identity: Identity, more: Credential):
    before = one_of(judged(Access(identity=identity)), identity)
    had = identity.credentials
    if isinstance(had, Unknown):
        return
    after = one_of(judged(Access(identity=msgspec.structs.replace(identity, credentials=(*had, more)))), identity)
    assert worse(after) >= worse(before)


@settings(max_examples=100)
@given(kepts, secrets, keys)
def test_one_more_secret_or_deploy_key_never_makes_a_result_better(before: KeptCredentials, more: Any, key: Any):
    after = before
    if isinstance(before.secrets, tuple):
        after = msgspec.structs.replace(after, secrets=(*before.secrets, more))
    if isinstance(before.deploy_keys, tuple):
        after = msgspec.structs.replace(after, deploy_keys=(*before.deploy_keys, key))
    assert worse(one(after)) >= worse(one(before))


def one_of(results: list[Result], identity: Identity) -> Result | None:
    return next((result for result in results if result.subject == identity.subject("credentials")), None)


def worse(result: Result | None) -> tuple[int, int]:
    """Return how bad a result is: a fail is the worst, by its severity."""
    if result is None:
        return (0, 0)
    rank = [PASS, UNKNOWN, FAIL].index(result.outcome)
    return rank, -list(Severity).index(result.severity) if result.outcome is FAIL else 0


def test_the_control_statement_tells_what_is_tested():
    import checks.deploy_credentials as module

    assert len((module.__doc__ or "").split()) > 40
    assert CHECK.controls == ("PS019-3.2",)

"""Who can become a service account: members of every kind, through every provider, narrowed by every demand."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decode import gcp_policy
from monitor.decode.gcp_pools import Pools
from monitor.decode.gcp_trust import paths
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Unknown
from tests.unit.gcp_iam import samples
from tests.unit.gcp_iam.samples import (
    EVERY_TOKEN,
    GITHUB,
    LOST,
    NOW,
    NUMBER,
    POOL,
    REPOSITORY,
    RUNTIME,
    SUBJECT,
    TOKENS,
    WORKLOAD,
)

AUD = ClaimTest(
    claim="aud",
    patterns=(f"https://iam.googleapis.com/{POOL}/providers/actions", f"//iam.googleapis.com/{POOL}/providers/actions"),
)
CLUSTERS = f"projects/{NUMBER}/locations/global/workloadIdentityPools/example-prod.svc.id.goog"
HERE = "projects/example-prod"


def found(
    *members: str,
    role: str = WORKLOAD,
    when: str = "",
    roles: dict[str, Any] | None = None,
    providers: Any = None,
    pools: Any = None,
    number: str = NUMBER,
) -> tuple[TrustPath, ...]:
    bound = gcp_policy.bindings(samples.policy(samples.binding(role, *members, when=when)), HERE)
    assert not isinstance(bound, Unknown)
    known = {name: gcp_policy.role(body, name) for name, body in (roles or {}).items()}
    listed = {POOL: (samples.provider(),)} if providers is None else providers
    return paths(bound, known, Pools(number, (samples.pool(),) if pools is None else pools, listed), NOW)


def one(*members: str, **more: Any) -> TrustPath:
    (path,) = found(*members, **more)
    return path


def through(condition: str = "", member: str = EVERY_TOKEN, **more: Any) -> tuple[TrustPath, ...]:
    return found(member, providers={POOL: (samples.provider(condition, **more),)})


def test_every_token_of_a_pool_without_a_condition_meets_the_audience_alone():
    path = one(EVERY_TOKEN)

    assert path == TrustPath(
        kind="token",
        principal=f"//iam.googleapis.com/{POOL}/providers/actions",
        action=WORKLOAD,
        by=f"{WORKLOAD} on {HERE}#1: {EVERY_TOKEN}",
        issuer=GITHUB,
        tests=(AUD,),
    )


def test_members_narrow_by_the_claim_that_the_mapping_takes():
    assert one(SUBJECT).tests[-1] == ClaimTest(
        claim="sub", patterns=("repo:example-org/payments:environment:production",)
    )
    assert one(REPOSITORY).tests[-1] == ClaimTest(claim="repository", patterns=("example-org/payments",))


def test_a_mapped_attribute_that_is_made_of_more_than_a_claim_is_unclear():
    path = one(f"principalSet://iam.googleapis.com/{POOL}/attribute.place/x")

    assert path.tests == (AUD,)
    assert "attribute.place is made of" in path.unclear[0].reason


@pytest.mark.parametrize("rest", ["attribute.absent/x", "group/admins", "odd/x", "subject", "attribute.x"])
def test_a_member_that_the_provider_does_not_map_is_unclear(rest: str):
    assert one(f"principalSet://iam.googleapis.com/{POOL}/{rest}").unclear


def test_each_alternative_of_a_condition_is_a_path():
    made = through(
        "assertion.repository_owner == 'example-org' || google.subject.startsWith('repo:example-org/')", REPOSITORY
    )

    assert [tuple(test.claim for test in path.tests) for path in made] == [
        ("aud", "repository_owner", "repository"),
        ("aud", "sub", "repository"),
    ]


def test_a_condition_that_cannot_be_evaluated_is_unclear():
    (path,) = through("size(assertion.sub) > 3")
    (other,) = through("((")

    assert path.unclear
    assert other.unclear
    assert path.tests == other.tests == (AUD,)


@pytest.mark.parametrize("condition", [3, ["x"], {"a": 1}])
def test_a_condition_that_is_no_text_is_unclear(condition: Any):
    (path,) = through(attributeCondition=condition)

    assert path.unclear


def test_a_condition_that_never_holds_lets_nobody_in():
    (path,) = through("false")

    assert path.dead == "its provider's condition never holds"


def test_the_audiences_are_those_allowed():
    (path,) = through(oidc={"issuerUri": f"https://{GITHUB}/", "allowedAudiences": ["https://example.com"]})

    assert (path.issuer, path.tests) == (GITHUB, (ClaimTest(claim="aud", patterns=("https://example.com",)),))


@pytest.mark.parametrize("oidc", [{}, {"issuerUri": 3}, {"issuerUri": f"https://{GITHUB}", "allowedAudiences": [3]}])
def test_an_issuer_or_audience_that_cannot_be_read_is_unclear(oidc: Any):
    (path,) = through(oidc=oidc)

    assert path.unclear


@pytest.mark.parametrize("more", [{"disabled": True}, {"state": "DELETED"}])
def test_a_provider_or_pool_that_takes_no_tokens_is_dead(more: dict[str, Any]):
    (path,) = through(**more)

    assert path.dead
    assert one(EVERY_TOKEN, pools=(samples.pool(**more),)).dead
    assert one(EVERY_TOKEN, pools=()).dead == "its pool is gone"
    assert one(EVERY_TOKEN, providers={POOL: ()}).dead == "its pool has no provider"


@pytest.mark.parametrize(
    "more",
    [
        {"pools": LOST},
        {"providers": LOST},
        {"providers": {POOL: LOST}},
        {"providers": {}},
        {"number": "1"},
        {"number": ""},
        {"pools": (samples.pool(mode="TRUST_DOMAIN"),)},
    ],
)
def test_a_pool_that_was_not_read_is_unclear_and_not_dead(more: dict[str, Any]):
    path = one(EVERY_TOKEN, **more)

    assert path.kind == "token"
    assert path.unclear
    assert not path.dead


def test_an_aws_provider_believes_one_account_and_maps_roles_by_itself():
    role = "arn:aws:sts::111122223333:assumed-role/ci"
    made = samples.provider()
    aws = {"name": made["name"], "state": "ACTIVE", "aws": {"accountId": "111122223333"}}

    path = one(f"principalSet://iam.googleapis.com/{POOL}/attribute.aws_role/{role}", providers={POOL: (aws,)})

    assert path.issuer == "sts.amazonaws.com"
    assert path.tests == (
        ClaimTest(claim="account", patterns=("111122223333",)),
        ClaimTest(claim="arn", patterns=(f"{role}/*",), wild=True),
    )


def test_a_saml_provider_is_no_token():
    made = {"name": f"{POOL}/providers/idp", "state": "ACTIVE", "saml": {"idpMetadataXml": "<x/>"}}

    assert one(EVERY_TOKEN, providers={POOL: (made,)}).kind == "saml"


def test_each_provider_of_a_pool_is_a_way():
    assert len(found(EVERY_TOKEN, providers={POOL: (samples.provider(), samples.provider(name="other"))})) == 2


@pytest.mark.parametrize("body", [None, 3, {}, {"x509": {}}, {"attributeMapping": [], "oidc": 3}])
def test_a_provider_of_no_known_kind_is_unclear(body: object):
    assert one(EVERY_TOKEN, providers={POOL: (body,)}).unclear


@pytest.mark.parametrize(
    ("member", "kind", "principal"),
    [
        ("user:alice@example.com", "identity", "alice@example.com"),
        (f"serviceAccount:{RUNTIME}", "identity", RUNTIME),
        ("serviceAccount:example-prod.svc.id.goog[pay/api]", "identity", "example-prod.svc.id.goog[pay/api]"),
        ("group:deployers@example.com", "group", "group:deployers@example.com"),
        ("domain:example.com", "group", "domain:example.com"),
        ("projectOwner:example-prod", "group", "projectOwner:example-prod"),
        ("allUsers", "anyone", "allUsers"),
        ("allAuthenticatedUsers", "anyone", "allAuthenticatedUsers"),
        (
            "principalSet://cloudresourcemanager.googleapis.com/organizations/1/type/ServiceAccount",
            "group",
            "principalSet://cloudresourcemanager.googleapis.com/organizations/1/type/ServiceAccount",
        ),
        (
            "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/alice",
            "identity",
            "principal://iam.googleapis.com/locations/global/workforcePools/staff/subject/alice",
        ),
        (
            f"principal://iam.googleapis.com/{CLUSTERS}/subject/ns/pay/sa/api",
            "identity",
            "example-prod.svc.id.goog[pay/api]",
        ),
    ],
)
def test_members_that_no_provider_vouches_for(member: str, kind: str, principal: str):
    path = one(member, role=TOKENS)

    assert (path.kind, path.principal, path.action) == (kind, principal, "iam.serviceAccounts.getAccessToken")
    assert not path.unclear
    assert not path.dead


def test_a_kubernetes_service_account_says_who_can_use_it():
    assert "runs a pod" in one("serviceAccount:example-prod.svc.id.goog[pay/api]").by


def test_every_pod_of_a_namespace_is_a_set():
    member = f"principalSet://iam.googleapis.com/{CLUSTERS}/namespace/pay"

    assert (one(member).kind, one(member).principal) == ("group", member)


def test_a_deleted_member_is_dead():
    path = one("deleted:serviceAccount:old@example-prod.iam.gserviceaccount.com?uid=123")

    assert (path.principal, path.dead) == ("old@example-prod.iam.gserviceaccount.com", "the member was deleted")


def test_a_member_of_no_known_kind_is_unclear():
    assert one("odd:thing").unclear
    assert one("").unclear


@pytest.mark.parametrize(
    ("permission", "action"),
    [
        ("iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getAccessToken"),
        ("iam.serviceAccounts.implicitDelegation", "iam.serviceAccounts.implicitDelegation"),
        ("iam.serviceAccounts.signJwt", "iam.serviceAccounts.signJwt"),
        ("iam.serviceAccounts.signBlob", "iam.serviceAccounts.signBlob"),
        ("iam.serviceAccountKeys.create", "iam.serviceAccountKeys.create"),
        ("iam.serviceAccounts.actAs", "iam.serviceAccounts.actAs"),
        ("iam.serviceAccounts.getOpenIdToken", "iam.serviceAccounts.getOpenIdToken"),
    ],
)
def test_any_role_that_holds_an_impersonating_permission_is_a_way(permission: str, action: str):
    name = "projects/example-prod/roles/own"

    assert one("allUsers", role=name, roles={name: samples.role(name, "run.services.get", permission)}).action == action


def test_a_role_without_such_a_permission_is_none():
    assert (
        found("allUsers", role="roles/x", roles={"roles/x": samples.role("roles/x", "iam.serviceAccounts.get")}) == ()
    )
    assert found("allUsers", role="roles/viewer") == ()


@pytest.mark.parametrize("name", ["roles/owner", "roles/editor"])
def test_basic_roles_make_keys_and_no_tokens(name: str):
    assert one("allUsers", role=name).action == "iam.serviceAccountKeys.create"


def test_a_role_that_was_not_read_may_be_a_way():
    path = one("user:alice@example.com", role="organizations/1/roles/own")

    assert path.unclear[0].grant == "iam.roles.get"


def test_a_binding_on_a_condition_is_unclear_until_it_has_run_out():
    kept = one("allUsers", when="request.time < timestamp('2030-01-01T00:00:00Z')")
    gone = one("allUsers", when="request.time < timestamp('2020-01-01T00:00:00Z')")

    assert kept.unclear
    assert not kept.dead
    assert gone.dead

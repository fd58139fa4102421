"""Service accounts as identities, and saved documents as the identities that they would make."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.decode.gcp_iam import (
    ProjectMaterial,
    credentials,
    identities,
    policy_document,
    provider_document,
    role_document,
)
from monitor.errors import Malformed
from monitor.facts.identity import Credential, Identity
from monitor.model import EvidenceRef, Unknown
from tests.unit.gcp_iam import samples
from tests.unit.gcp_iam.samples import (
    DEPLOY,
    EVERY_TOKEN,
    GITHUB,
    LOST,
    NOW,
    POOL,
    PROJECT,
    RUNTIME,
    TOKENS,
    WORKLOAD,
    material,
)

RUN = "roles/run.admin"
ROLES = {RUN: samples.role(RUN, "run.services.update")}
MEMBER = f"serviceAccount:{DEPLOY}"
REF = EvidenceRef(kind="capture", name="policy", sha256="ab" * 32)


def only(**more: Any) -> Identity:
    (found,) = identities(material(**more))
    return found


def names(identity: Identity) -> list[str]:
    assert not isinstance(identity.policies, Unknown)
    return [one.name for one in identity.policies]


def test_a_service_account_is_an_identity_that_a_rename_does_not_change():
    found = only(evidence=(REF,), accounts=(samples.account(disabled=True),))

    assert (found.provider, found.account, found.name, found.kind) == ("gcp", PROJECT, DEPLOY, "service-account")
    assert found.id == samples.account()["uniqueId"]
    assert found.disabled
    assert found.evidence == (REF,)
    assert (found.policies, found.trust, found.credentials, found.ceilings) == ((), (), (), ())


def test_it_holds_what_is_bound_above_and_on_other_accounts():
    found = only(
        accounts=(samples.account(), samples.account(RUNTIME))[:1],
        policy=samples.policy(samples.binding(RUN, MEMBER)),
        ancestors={"folders/2": samples.policy(samples.binding("roles/editor", MEMBER)), "organizations/1": {}},
        roles=ROLES,
    )

    assert names(found) == ["roles/editor", RUN]


def test_a_right_over_another_account_is_in_that_accounts_policy():
    both = (samples.account(), samples.account(RUNTIME))
    deploy, runtime = identities(
        material(
            accounts=both,
            account_policies={DEPLOY: {}, RUNTIME: samples.policy(samples.binding(TOKENS, MEMBER))},
            roles={TOKENS: samples.role(TOKENS, "iam.serviceAccounts.getAccessToken")},
        )
    )

    assert not isinstance(deploy.policies, Unknown)
    assert not isinstance(runtime.trust, Unknown)
    assert deploy.policies[0].statements[0].resources == (  # type: ignore[index]
        f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{RUNTIME}",
    )
    assert [(path.kind, path.principal) for path in runtime.trust] == [("identity", DEPLOY)]
    assert deploy.trust == ()


def test_a_way_opened_above_leads_to_every_account_but_to_itself():
    both = (samples.account(), samples.account(RUNTIME))
    deploy, runtime = identities(
        material(
            accounts=both,
            account_policies={DEPLOY: {}, RUNTIME: {}},
            policy=samples.policy(samples.binding(TOKENS, MEMBER)),
        )
    )

    assert not isinstance(runtime.trust, Unknown)
    assert deploy.trust == ()
    assert [path.by for path in runtime.trust] == [f"{TOKENS} on projects/{PROJECT}#1: {MEMBER}"]


def test_what_is_bound_to_everybody_is_bound_to_each_account_and_in_one_order():
    everybody = samples.binding(RUN, "allUsers")
    found = only(
        policy=samples.policy(
            everybody, samples.binding(RUN, MEMBER.upper().replace("SERVICEACCOUNT", "serviceAccount"))
        ),
        account_policies={DEPLOY: samples.policy(samples.binding(RUN, "allAuthenticatedUsers", MEMBER))},
        roles=ROLES,
    )

    assert names(found) == [RUN]
    assert [(one.n, one.sid) for one in found.policies[0].statements] == [  # type: ignore[index]
        (1, f"projects/{PROJECT}"),
        (2, f"projects/{PROJECT}"),
        (3, f"projects/{PROJECT}/serviceAccounts/{DEPLOY}"),
    ]


def test_a_pipelines_token_is_joined_with_its_provider():
    found = only(account_policies={DEPLOY: samples.policy(samples.binding(WORKLOAD, EVERY_TOKEN))})

    assert not isinstance(found.trust, Unknown)
    assert [(path.kind, path.issuer) for path in found.trust] == [("token", GITHUB)]


@pytest.mark.parametrize(
    "more",
    [
        {"policy": LOST},
        {"policy": None},
        {"ancestors": LOST},
        {"ancestors": {"organizations/1": LOST}},
        {"account_policies": {DEPLOY: LOST}},
        {"account_policies": {}},
    ],
)
def test_a_policy_that_was_not_read_is_a_way_that_may_be(more: dict[str, Any]):
    found = only(**more)

    assert not isinstance(found.trust, Unknown)
    assert [bool(path.unclear) for path in found.trust] == [True]


@pytest.mark.parametrize("more", [{"policy": LOST}, {"ancestors": LOST}, {"ancestors": {"folders/2": None}}])
def test_a_policy_that_was_not_read_may_give_rights(more: dict[str, Any]):
    found = only(**more)

    assert not isinstance(found.policies, Unknown)
    assert [isinstance(one.statements, Unknown) for one in found.policies] == [True]


def test_denies_bear_on_it_and_those_not_read_are_a_ceiling_not_read():
    deny = {
        "name": "policies/cloudresourcemanager.googleapis.com%2Fprojects%2Fexample-prod/denypolicies/guard",
        "rules": [
            {
                "denyRule": {
                    "deniedPrincipals": ["principalSet://goog/public:all"],
                    "deniedPermissions": ["run.googleapis.com/services.update"],
                }
            }
        ],
    }

    assert names(only(denies=(deny,)))[0].endswith("/denypolicies/guard")
    assert only(denies=LOST).ceilings == LOST


def test_only_keys_that_people_keep_are_credentials():
    listed = (samples.key(), samples.key("cd34", keyType="SYSTEM_MANAGED"))
    found = only(keys={DEPLOY: listed}).credentials

    assert not isinstance(found, Unknown)
    assert [(one.id, one.active, one.created_at) for one in found] == [
        ("ab12", True, datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC))
    ]
    assert isinstance(found[0].used_at, Unknown)


def key(**more: Any) -> Credential:
    found = credentials([samples.key(**more)], NOW)
    assert not isinstance(found, Unknown)
    return found[0]


def test_a_key_that_is_disabled_or_past_its_end_is_not_active():
    assert key(disabled=True).active is False
    assert key(validBeforeTime="2026-03-13T00:00:00Z").active is False
    assert isinstance(key(disabled="yes").active, Unknown)
    assert isinstance(key(validAfterTime="?").created_at, Unknown)


def test_keys_whose_kind_is_not_told_are_taken_for_those_that_people_keep():
    assert key(keyType=None).kind == "service-account-key"


@pytest.mark.parametrize("listed", [None, LOST, (3,), ({},)])
def test_keys_that_were_not_read_are_unknown(listed: Any):
    assert isinstance(credentials(listed, NOW), Unknown)


def test_many_keys_are_in_one_order():
    keys = [samples.key("b", validAfterTime="x"), samples.key("a", disabled=3), samples.key("a"), samples.key("b")]

    assert credentials(keys, NOW) == credentials(keys[::-1], NOW)


def test_accounts_that_could_not_be_listed_are_none():
    assert identities(material(accounts=LOST)) == ()
    assert identities(material(accounts=(None, 3, {}, {"email": 3}))) == ()


def test_the_roles_to_be_read_are_those_bound_anywhere():
    found = material(
        policy=samples.policy(samples.binding(RUN, MEMBER)),
        ancestors={"organizations/1": samples.policy(samples.binding("roles/browser", MEMBER)), "folders/2": LOST},
        account_policies={DEPLOY: samples.policy(samples.binding(WORKLOAD, EVERY_TOKEN)), RUNTIME: LOST},
    )

    assert found.roles_needed() == ("roles/browser", WORKLOAD, RUN)
    assert ProjectMaterial(project=PROJECT, at=NOW, ancestors=LOST).roles_needed() == ()


def test_a_saved_policy_makes_an_identity_of_each_account_in_it_and_one_of_those_that_it_covers():
    body = samples.policy(
        samples.binding(RUN, MEMBER, "user:alice@example.com"),
        samples.binding(WORKLOAD, EVERY_TOKEN, "serviceAccount:example-prod.svc.id.goog[pay/api]"),
    )

    deploy, covered = policy_document(body, NOW, ROLES)

    assert deploy.document
    assert covered.document
    assert (deploy.name, deploy.account, names(deploy)) == (DEPLOY, PROJECT, [RUN])
    assert not isinstance(covered.trust, Unknown)
    assert [(path.kind, bool(path.unclear)) for path in covered.trust] == [("token", True), ("identity", False)]
    assert [one.name for one in policy_document(samples.policy(), NOW)] == []


def test_a_saved_role_is_held_everywhere():
    (found,) = role_document(samples.role("projects/example-prod/roles/own", "run.services.update"))

    assert found.document
    assert (found.account, found.name) == (PROJECT, "projects/example-prod/roles/own")
    assert not isinstance(found.policies, Unknown)
    assert found.policies[0].statements[0].resources == ("*",)  # type: ignore[index]


def test_a_saved_provider_is_trusted_by_every_token():
    (found,) = provider_document(samples.provider("assertion.repository_owner == 'example-org'"))

    assert found.document
    assert not isinstance(found.trust, Unknown)
    assert [tuple(test.claim for test in path.tests) for path in found.trust] == [("aud", "repository_owner")]
    assert EVERY_TOKEN in found.trust[0].by
    assert found.name == f"{POOL}/providers/actions"


@pytest.mark.parametrize("body", [None, 3, [], "x", {}, {"bindings": 3}])
@pytest.mark.parametrize("read", [policy_document, role_document, provider_document])
def test_what_is_no_such_document_is_malformed(read: Any, body: object):
    with pytest.raises(Malformed):
        read(body)


def test_a_saved_role_whose_permissions_cannot_be_read_is_unknown():
    (found,) = role_document({"includedPermissions": [3]})

    assert not isinstance(found.policies, Unknown)
    assert isinstance(found.policies[0].statements, Unknown)

"""Account authorization details to identities: nothing is left out, and what is missing is Unknown."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest

from monitor.decode.aws_iam import authorization, oidc_provider, one
from monitor.errors import Malformed
from monitor.facts.identity import Identity, Use
from monitor.facts.policy import Policy, Statement
from monitor.model import EvidenceRef, Unknown

AT = datetime(2026, 3, 10, tzinfo=UTC)
ACCOUNT = "111122223333"
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
READ = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}]}
WRITE = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:Put*", "Resource": "*"}]}
MANAGED = f"arn:aws:iam::{ACCOUNT}:policy/deploy"
AMAZON = "arn:aws:iam::aws:policy/ReadOnlyAccess"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
EVIDENCE = (EvidenceRef("capture", "details", "0" * 64),)


def role(name: str = "deploy", **more: Any) -> dict[str, Any]:
    return {
        "Path": "/",
        "RoleName": name,
        "RoleId": f"AROA{name.upper()}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "CreateDate": "2025-01-01T00:00:00+00:00",
        "AssumeRolePolicyDocument": TRUST,
        "RolePolicyList": [],
        "AttachedManagedPolicies": [],
        "RoleLastUsed": {},
    } | more


def managed(arn: str = MANAGED, **more: Any) -> dict[str, Any]:
    versions = [
        {"VersionId": "v1", "IsDefaultVersion": False, "Document": WRITE},
        {"VersionId": "v2", "IsDefaultVersion": True, "Document": READ},
    ]
    return {
        "PolicyName": arn.rpartition("/")[2],
        "Arn": arn,
        "DefaultVersionId": "v2",
        "PolicyVersionList": versions,
    } | more


def read(**body: Any) -> tuple[Identity, ...]:
    return authorization(body, ACCOUNT, AT, Unknown("not read"), evidence=EVIDENCE)


def single(**body: Any) -> Identity:
    (found,) = read(**body)
    return found


def test_a_role() -> None:
    entry = role(
        RolePolicyList=[{"PolicyName": "inline", "PolicyDocument": READ}],
        RoleLastUsed={"LastUsedDate": datetime(2026, 3, 1, tzinfo=UTC), "Region": "eu-west-1"},
    )
    found = single(RoleDetailList=[entry])
    statement = Statement(n=1, allow=True, actions=("s3:Get*",), resources=("*",))
    assert (found.provider, found.account, found.id, found.kind) == ("aws", ACCOUNT, "AROADEPLOY", "role")
    assert found.name == f"arn:aws:iam::{ACCOUNT}:role/deploy"
    assert found.created_at == datetime(2025, 1, 1, tzinfo=UTC)
    assert found.policies == (Policy(name="inline", kind="inline", statements=(statement,)),)
    assert isinstance(found.trust, tuple)
    assert found.trust[0].principal == "ecs-tasks.amazonaws.com"
    assert (found.boundary, found.credentials, found.mfa, found.document) == (None, (), None, False)
    assert found.uses == (Use(service="", at=datetime(2026, 3, 1, tzinfo=UTC)),)
    assert (found.at, found.evidence) == (AT, EVIDENCE)


def test_documents_may_be_objects_json_or_url_encoded() -> None:
    forms = [(READ, TRUST), (json.dumps(READ), json.dumps(TRUST)), (quote(json.dumps(READ)), quote(json.dumps(TRUST)))]
    found = {
        str((one.policies, one.trust))
        for policy, trust in forms
        for one in read(
            RoleDetailList=[
                role(AssumeRolePolicyDocument=trust, RolePolicyList=[{"PolicyName": "x", "PolicyDocument": policy}])
            ]
        )
    }
    assert len(found) == 1


def test_managed_policies_are_told_by_their_default_version() -> None:
    entry = role(
        AttachedManagedPolicies=[
            {"PolicyName": "deploy", "PolicyArn": MANAGED},
            {"PolicyName": "r", "PolicyArn": AMAZON},
        ]
    )
    found = single(RoleDetailList=[entry], Policies=[managed(), managed(AMAZON)]).policies
    assert isinstance(found, tuple)
    assert [(policy.name, policy.kind) for policy in found] == [(MANAGED, "managed"), (AMAZON, "provider-managed")]
    assert all(
        isinstance(policy.statements, tuple) and policy.statements[0].actions == ("s3:Get*",) for policy in found
    )


def test_the_default_version_may_be_named_only() -> None:
    versions = [{"VersionId": "v1", "Document": WRITE}, {"VersionId": "v2", "Document": READ}]
    entry = role(AttachedManagedPolicies=[{"PolicyArn": MANAGED}])
    found = single(RoleDetailList=[entry], Policies=[managed(PolicyVersionList=versions)]).policies
    assert isinstance(found, tuple)
    assert found[0].statements[0].actions == ("s3:Get*",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "policies",
    [[], None, [managed(PolicyVersionList=[])], [managed(PolicyVersionList=[{"VersionId": "v1", "Document": WRITE}])]],
)
def test_a_managed_policy_whose_document_is_missing_is_unknown(policies: Any) -> None:
    found = single(RoleDetailList=[role(AttachedManagedPolicies=[{"PolicyArn": MANAGED}])], Policies=policies).policies
    assert isinstance(found, tuple)
    assert isinstance(found[0].statements, Unknown)
    assert found[0].name == MANAGED


def test_administrator_access_is_known_without_its_document() -> None:
    found = single(RoleDetailList=[role(AttachedManagedPolicies=[{"PolicyArn": ADMIN}])]).policies
    assert isinstance(found, tuple)
    assert found[0].statements == (Statement(n=1, allow=True, actions=("*",), resources=("*",)),)
    fake = f"arn:aws:iam::{ACCOUNT}:policy/AdministratorAccess"
    other = single(RoleDetailList=[role(AttachedManagedPolicies=[{"PolicyArn": fake}])]).policies
    assert isinstance(other, tuple)
    assert isinstance(other[0].statements, Unknown)


def test_a_boundary_is_resolved_or_unknown() -> None:
    entry = role(PermissionsBoundary={"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": MANAGED})
    found = single(RoleDetailList=[entry], Policies=[managed()]).boundary
    assert isinstance(found, Policy)
    assert (found.kind, found.name) == ("boundary", MANAGED)
    assert isinstance(single(RoleDetailList=[entry]).boundary, Unknown)
    assert isinstance(single(RoleDetailList=[role(PermissionsBoundary={})]).boundary, Unknown)
    assert isinstance(single(RoleDetailList=[role(PermissionsBoundary="x")]).boundary, Unknown)


def user(**more: Any) -> dict[str, Any]:
    return {
        "Path": "/ci/",
        "UserName": "bot",
        "UserId": "AIDABOT",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/ci/bot",
        "AttachedManagedPolicies": [],
    } | more


def test_a_user_has_the_policies_of_its_groups() -> None:
    group = {
        "GroupName": "deployers",
        "GroupPolicyList": [{"PolicyName": "g", "PolicyDocument": READ}],
        "AttachedManagedPolicies": [{"PolicyArn": MANAGED}],
    }
    entry = user(UserPolicyList=[{"PolicyName": "own", "PolicyDocument": READ}], GroupList=["deployers"])
    found = single(UserDetailList=[entry], GroupDetailList=[group], Policies=[managed()])
    assert isinstance(found.policies, tuple)
    assert [(policy.name, policy.kind) for policy in found.policies] == [
        ("own", "inline"),
        ("deployers/g", "group"),
        (MANAGED, "group"),
    ]
    assert (found.kind, found.trust, found.short) == ("user", (), "bot")
    assert isinstance(found.credentials, Unknown)
    assert isinstance(found.mfa, Unknown)
    assert isinstance(found.uses, Unknown)


def test_a_group_that_was_not_read_is_unknown() -> None:
    found = single(UserDetailList=[user(GroupList=["lost"])]).policies
    assert isinstance(found, tuple)
    assert (found[0].name, found[0].kind, isinstance(found[0].statements, Unknown)) == ("lost", "group", True)


def test_an_empty_list_that_iam_leaves_out_is_empty_but_not_both() -> None:
    entry = role()
    del entry["RolePolicyList"]
    assert single(RoleDetailList=[entry]).policies == ()
    del entry["AttachedManagedPolicies"]
    assert isinstance(single(RoleDetailList=[entry]).policies, Unknown)


def test_ceilings_bind_all_but_service_linked_roles() -> None:
    level = ((Policy(name="p-1", kind="scp"),),)
    linked = role(
        "AWSServiceRoleForX",
        Path="/aws-service-role/x/",
        Arn=f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/x/AWSServiceRoleForX",
    )
    found = authorization({"RoleDetailList": [role(), linked]}, ACCOUNT, AT, {}, level, level)
    assert [(one.ceilings, one.resource_ceilings, one.kind) for one in found] == [
        (level, level, "role"),
        ((), (), "role"),
    ]


def test_a_role_never_used_and_one_of_which_it_is_not_told() -> None:
    assert single(RoleDetailList=[role()]).uses == (Use(service=""),)
    assert isinstance(single(RoleDetailList=[role(RoleLastUsed=None)]).uses, Unknown)
    assert isinstance(single(RoleDetailList=[role(RoleLastUsed={"LastUsedDate": "soon"})]).uses, Unknown)


def test_pages_are_merged() -> None:
    pages = [
        {"UserDetailList": [user(GroupList=["g"])], "IsTruncated": True},
        {"RoleDetailList": [role(AttachedManagedPolicies=[{"PolicyArn": MANAGED}])]},
        {"Policies": [managed()], "GroupDetailList": [{"GroupName": "g", "AttachedManagedPolicies": []}]},
    ]
    found = authorization(pages, ACCOUNT, AT, {})
    assert [one.kind for one in found] == ["role", "user"]
    assert all(
        isinstance(one.policies, tuple) and not any(isinstance(p.statements, Unknown) for p in one.policies)
        for one in found
    )


@pytest.mark.parametrize(
    "entry",
    [
        None,
        1,
        "x",
        [],
        {},
        {"Arn": 5, "RolePolicyList": 5, "AttachedManagedPolicies": {}},
        {"RolePolicyList": [1], "AssumeRolePolicyDocument": 3},
    ],
)
def test_an_entry_that_cannot_be_read_is_an_identity_that_is_not_known(entry: Any) -> None:
    found = single(RoleDetailList=[entry])
    assert found.id
    assert isinstance(found.trust, Unknown)
    unread = found.policies
    assert isinstance(unread, Unknown) or any(isinstance(one.statements, Unknown) for one in unread)


def test_a_list_that_is_none_hides_nothing() -> None:
    assert len(read(RoleDetailList="gone", UserDetailList={"a": 1})) == 2
    assert read() == ()


@pytest.mark.parametrize("body", [None, 1, "x", [], [1], b""])
def test_what_is_no_object_is_malformed(body: Any) -> None:
    with pytest.raises(Malformed):
        authorization(body, ACCOUNT, AT, {})


def test_two_sweeps_of_the_same_answer_are_equal() -> None:
    body = {"RoleDetailList": [role(str(n)) for n in range(5)], "Policies": [managed()]}
    assert read(**body) == read(**body)


def test_one_role_user_group_or_policy_by_itself() -> None:
    for entry, kind, name in (
        (role(), "role", f"arn:aws:iam::{ACCOUNT}:role/deploy"),
        ({"Role": role()}, "role", f"arn:aws:iam::{ACCOUNT}:role/deploy"),
        (user(), "user", f"arn:aws:iam::{ACCOUNT}:user/ci/bot"),
        (
            {"GroupName": "g", "GroupId": "AGPA1", "GroupPolicyList": [{"PolicyName": "p", "PolicyDocument": READ}]},
            "group",
            "arn:aws:iam::unknown:group/g",
        ),
        (managed(), "policy", MANAGED),
        ({"PolicyVersion": {"Document": READ, "VersionId": "v1"}}, "policy", "arn:aws:iam::unknown:policy/document"),
    ):
        (found,) = one(entry, AT)
        assert (found.kind, found.name, found.document) == (kind, name, True)
        assert isinstance(found.policies, tuple)


def test_details_by_themselves_take_each_account_from_the_arns() -> None:
    found = one({"RoleDetailList": [role(), role("x", Arn="arn:aws:iam::444455556666:role/x")]}, AT)
    assert [(one.account, one.document) for one in found] == [(ACCOUNT, True), ("444455556666", True)]


@pytest.mark.parametrize("document", [None, [], "x", {}, {"a": 1}])
def test_a_document_that_is_none_of_these_is_malformed(document: Any) -> None:
    with pytest.raises(Malformed):
        one(document, AT)


def test_an_oidc_provider() -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"
    found = oidc_provider({"Url": "token.actions.githubusercontent.com", "ClientIDList": ["sts.amazonaws.com"]}, arn)
    assert (found.arn, found.issuer, found.client_ids) == (
        arn,
        "token.actions.githubusercontent.com",
        ("sts.amazonaws.com",),
    )
    for answer in (None, {}, {"ClientIDList": "x"}, {"ClientIDList": [1]}):
        broken = oidc_provider(answer, arn)
        assert broken.issuer == "token.actions.githubusercontent.com"
        assert isinstance(broken.client_ids, Unknown)

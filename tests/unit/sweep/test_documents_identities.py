"""`monitor evaluate` for documents of identities: what an experienced auditor would say of each, with nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from monitor.expected.models import Sections
from monitor.sources.catalogue import aws_catalogue
from monitor.sweep import registry
from monitor.sweep.documents import Judged
from monitor.sweep.documents_identities import KINDS, judge
from tests.fakes.terminal import monitor

CHECKS = registry.discover()
CATALOGUES = {"aws": aws_catalogue()}
DETAILS, POLICY, TRUST = "aws-iam-authorization", "aws-iam-policy", "aws-trust-policy"
ALLOW, ROLE, PROVIDER = "gcp-iam-policy", "gcp-role", "gcp-workload-identity-provider"
ACCOUNT, OTHERS = "111122223333", "999988887777"
GITHUB = "token.actions.githubusercontent.com"
MINE = "repo:example-org/payments:environment:production"
MAIN = "repo:example-org/data-platform:ref:refs/heads/main"
AUDIENCE = {f"{GITHUB}:aud": "sts.amazonaws.com"}
EQUALS, LIKE = "StringEquals", "StringLike"
MEDIA = "repo:example-org/media:ref:refs/heads/main"


def proof(name: str, principal: str, subject: str, **more: Any) -> dict[str, Any]:
    token = {"issuer": GITHUB, "subjects": [subject]} | more.pop("token", {})
    return {"id": name, "principals": [principal], "proof": {"token": token}, **more}


OURS = [
    proof("payments", f"arn:aws:iam::{ACCOUNT}:role/payments-deploy", MINE, token={"audience": "sts.amazonaws.com"}, allows=[{"actions": ["ecs:*", "s3:PutObject"], "reason": "deploys"}]),
    proof("data", "arn:aws:iam::444455556666:role/data-deploy", MAIN, token={"audience": "sts.amazonaws.com"}),
]  # fmt: skip
ON_GOOGLE = proof("media", "media@example-prod.iam.gserviceaccount.com", MEDIA)
WATCHED = {
    "aws": {"accounts": [{"id": ACCOUNT, "name": "prod", "regions": ["us-east-1"]}]},
    "github": {"organizations": ["example-org"]},
}


class Stated:
    """Expected state with these sections."""

    def __init__(self, *declared: dict[str, Any], production: dict[str, Any] | None = None) -> None:
        given = {"production": WATCHED if production is None else production, "deploy_identities": list(declared)}
        self.sections = Sections.model_validate(given)

    def build(self, cls: Any) -> Any:
        return cls(**{name: getattr(self.sections, name) for name in cls.model_fields})


EXPECTED = Stated(*OURS, ON_GOOGLE)


def judged(kind: str, *documents: Any, expected: Stated = EXPECTED) -> list[Judged]:
    bodies = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return list(judge(kind, bodies, CHECKS, expected, CATALOGUES))


def document(*statements: dict[str, Any], version: str = "2012-10-17") -> dict[str, Any]:
    return {"Version": version, "Statement": list(statements)}


# Trust policies.


def web(*, issuer: str = GITHUB, action: Any = "sts:AssumeRoleWithWebIdentity", **conditions: Any) -> dict[str, Any]:
    """A statement that lets tokens of an issuer in; a name such as `ForAnyValue__StringLike` is `ForAnyValue:StringLike`."""
    found: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"},
        "Action": action,
    }
    given = {name.replace("__", ":"): value for name, value in conditions.items()}
    return found | ({"Condition": given} if given else {})


def github(sub: Any = None, operator: str = LIKE, *, audience: bool = True, **more: Any) -> dict[str, Any]:
    conditions: dict[str, Any] = {EQUALS: dict(AUDIENCE)} if audience else {}
    if sub is not None:
        conditions.setdefault(operator, {})[f"{GITHUB}:sub"] = sub
    for name, keys in more.pop("also", {}).items():
        conditions.setdefault(name, {}).update(keys)
    return web(**conditions, **more)


def trust(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return document(*statements, **more)


def aws(principal: Any, **conditions: Any) -> dict[str, Any]:
    named = principal if isinstance(principal, str) and principal == "*" else {"AWS": principal}
    found: dict[str, Any] = {"Effect": "Allow", "Principal": named, "Action": "sts:AssumeRole"}
    return found | ({"Condition": conditions} if conditions else {})


def service(*names: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": list(names)}, "Action": "sts:AssumeRole"}


def other(issuer: str, sub: str, operator: str = EQUALS, aud: str = "sts.amazonaws.com") -> dict[str, Any]:
    claims = {f"{issuer}:aud": aud}
    if operator == EQUALS:
        return web(issuer=issuer, StringEquals={**claims, f"{issuer}:sub": sub})
    return web(issuer=issuer, StringEquals=claims, **{operator: {f"{issuer}:sub": sub}})


def deny(**more: Any) -> dict[str, Any]:
    return {**github(**more), "Effect": "Deny"}


SAML = {
    "Effect": "Allow",
    "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/corp"},
    "Action": "sts:AssumeRoleWithSAML",
    "Condition": {EQUALS: {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
}
CIRCLE = "oidc.circleci.com/org/8a7f3c52-6f2e-4c3b-9d5e-0d9f6a1b2c3d"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
TRUSTS: list[tuple[str, Any, str, str]] = [
    # GitHub's subjects.
    ("declared", trust(github(MINE, EQUALS)), "pass", ""),
    ("declared, by a pattern without a star", trust(github(MINE)), "pass", ""),
    ("declared, two of them in a list", trust(github([MINE, MAIN], EQUALS)), "pass", ""),
    ("a single statement that is no list", {"Version": "2012-10-17", "Statement": github(MINE, EQUALS)}, "pass", ""),
    ("an action list", trust(github(MINE, EQUALS, action=["sts:AssumeRoleWithWebIdentity", "sts:TagSession"])), "pass", ""),
    ("an action with a star", trust(github(MINE, EQUALS, action="sts:*")), "pass", ""),
    ("an action in lower case", trust(github(MINE, EQUALS, action="sts:assumerolewithwebidentity")), "pass", ""),
    ("no subject", trust(github()), "fail", "no subject is demanded"),
    ("no condition at all", trust(web()), "fail", "no subject is demanded"),
    ("no subject, action with a star", trust(github(action="sts:*")), "fail", "no subject is demanded"),
    ("no subject, action list", trust(github(action=["sts:TagSession", "sts:AssumeRoleWith*"])), "fail", "no subject"),
    ("no subject, NotAction", trust({**{k: v for k, v in github().items() if k != "Action"}, "NotAction": "iam:*"}), "fail", "no subject"),
    ("a star", trust(github("*")), "fail", "anybody can make"),
    ("repo:*", trust(github("repo:*")), "fail", "anybody can make"),
    ("the organisation's prefix without a slash", trust(github("repo:example-org*")), "fail", "repo:example-org"),
    ("every repository of the organisation", trust(github("repo:example-org/*")), "fail", "repo:example-org/"),
    ("a repository with all its refs", trust(github("repo:example-org/payments:*")), "fail", "repo:example-org/payments:"),
    ("pull requests", trust(github("repo:example-org/payments:pull_request", EQUALS)), "fail", "pull_request"),
    ("all branches", trust(github("repo:example-org/data-platform:ref:refs/heads/*")), "fail", "refs/heads/"),
    ("a repository's prefix", trust(github("repo:example-org/payments*:environment:production")), "fail", ""),
    ("a question mark", trust(github("repo:example-org/payment?:environment:production")), "fail", ""),
    ("an environment's prefix", trust(github("repo:example-org/payments:environment:prod*")), "fail", "environment:prod"),
    ("somebody else's repository", trust(github("repo:evil-org/payments:environment:production", EQUALS)), "fail", "anybody can make"),
    ("another repository of ours", trust(github("repo:example-org/wiki:ref:refs/heads/main", EQUALS)), "fail", "wiki"),
    ("a list with one bad entry", trust(github([MINE, "repo:example-org/*"])), "fail", "the entry repo:example-org/*"),
    ("a list whose bad entry comes first", trust(github(["repo:evil-org/*", MINE])), "fail", "the entry repo:evil-org/*"),
    ("a star taken literally, which no token has", trust(github("repo:example-org/payments:*", EQUALS)), "pass", "nobody"),
    ("case that differs", trust(github(MINE.replace("production", "Production"), EQUALS)), "fail", "Production"),
    ("case ignored", trust(github(MINE, "StringEqualsIgnoreCase")), "fail", ""),
    ("IfExists", trust(github(MINE, "StringEqualsIfExists")), "pass", ""),
    ("IfExists, wide", trust(github("repo:*", "StringLikeIfExists")), "fail", ""),
    ("ForAnyValue", trust(github(MINE, "ForAnyValue:StringEquals")), "pass", ""),
    ("ForAllValues", trust(github(MINE, "ForAllValues:StringEquals")), "pass", ""),
    ("ForAllValues, wide", trust(github("repo:example-org/*", "ForAllValues:StringLike")), "fail", ""),
    ("only exclusions", trust(github("repo:evil-org/*", "StringNotLike")), "fail", "subjects are only excluded"),
    ("Null", trust(github("false", "Null")), "fail", ""),
    ("no audience", trust(github(MINE, EQUALS, audience=False)), "fail", "audience"),
    ("another audience", trust(github(MINE, EQUALS, audience=False, also={EQUALS: {f"{GITHUB}:aud": "https://github.com/example-org"}})), "fail", "audience"),
    ("two conditions on the subject", trust(github("repo:example-org/*", also={EQUALS: {f"{GITHUB}:sub": MINE}})), "pass", ""),
    ("a wide subject narrowed by a workflow", trust(github("repo:example-org/*", also={LIKE: {f"{GITHUB}:job_workflow_ref": "example-org/ci/.github/workflows/deploy.yml@refs/heads/main"}})), "fail", ""),
    ("two statements, one weak", trust(github(MINE, EQUALS), github("repo:example-org/*")), "fail", "repo:example-org/"),
    ("a weak one that a Deny closes", trust(github("repo:example-org/*"), deny(sub=MINE, operator="StringNotEquals", audience=False)), "pass", ""),
    ("everything denied", trust(github("repo:*"), {**web(), "Effect": "Deny"}), "not-applicable", ""),
    ("immutable ids that are declared by name only", trust(github("repo:example-org@1/payments@2:environment:production", EQUALS)), "fail", "@1"),
    ("a condition that cannot be evaluated on a wide way", trust(github("repo:example-org/*", also={"StringLike": {f"{GITHUB}:sub": "repo:example-org/${aws:PrincipalTag/repo}:*"}})), "unknown", ""),
    ("an address narrows nothing that is told", trust(github("repo:example-org/*", also={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})), "unknown", "aws:sourceip"),
    ("an address on a tight way", trust(github(MINE, EQUALS, also={"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}})), "pass", ""),
    # Other pipelines, none of which is declared.
    ("GitLab, tight", trust(other("gitlab.com", "project_path:example-org/app:ref_type:branch:ref:main")), "fail", "no deploy identity with that proof"),
    ("GitLab, all", trust(other("gitlab.com", "project_path:example-org/*", LIKE)), "fail", "gitlab.com"),
    ("Buildkite, all", trust(other("agent.buildkite.com", "organization:example-org:*", LIKE)), "fail", "buildkite"),
    ("CircleCI, all", trust(other(CIRCLE, "org/8a7f3c52-6f2e-4c3b-9d5e-0d9f6a1b2c3d/*", LIKE, "8a7f3c52-6f2e-4c3b-9d5e-0d9f6a1b2c3d")), "fail", "circleci"),
    ("Terraform, all", trust(other("app.terraform.io", "organization:example-org:*", LIKE, "aws.workload.identity")), "fail", "terraform"),
    ("GitHub Enterprise Server", trust(other("git.example.com/_services/token", "repo:example-org/*", LIKE)), "fail", "git.example.com"),
    ("an issuer that is no pipeline", trust(other("oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B716D3041E", "system:serviceaccount:prod:app")), "not-applicable", ""),
    # Accounts, services, people.
    ("everybody", trust(aws("*")), "fail", "everybody"),
    ("everybody, as AWS", trust({**aws("*"), "Principal": {"AWS": "*"}}), "fail", "everybody"),
    ("everybody in a list", trust(aws([ROOT, "*"])), "fail", "everybody"),
    ("everybody of the organisation", trust(aws("*", StringEquals={"aws:PrincipalOrgID": "o-exampleorgid"})), "fail", "aws:principalorgid"),
    ("all but one", trust({"Effect": "Allow", "NotPrincipal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}), "fail", "everybody"),
    ("whoever any provider vouches for", trust({**web(), "Principal": {"Federated": "*"}}), "fail", "accounts.google.com"),
    ("another account", trust(aws(f"arn:aws:iam::{OTHERS}:root")), "fail", OTHERS),
    ("another account, by its number", trust(aws(OTHERS)), "fail", OTHERS),
    ("another account, with an external id", trust(aws(f"arn:aws:iam::{OTHERS}:root", StringEquals={"sts:ExternalId": "7f3c"})), "fail", "neither ours nor trusted"),
    ("our own account", trust(aws(f"arn:aws:iam::{ACCOUNT}:role/ci")), "not-applicable", ""),
    ("services only", trust(service("ecs-tasks.amazonaws.com", "lambda.amazonaws.com")), "not-applicable", ""),
    ("SAML only", trust(SAML), "not-applicable", ""),
    ("services and a weak token", trust(service("ecs-tasks.amazonaws.com"), github("repo:*")), "fail", ""),
    ("nothing", trust(), "not-applicable", ""),
    # As the CLI prints it.
    ("get-role", {"Role": {"RoleName": "web", "Arn": f"arn:aws:iam::{ACCOUNT}:role/web", "AssumeRolePolicyDocument": trust(github("repo:*"))}}, "fail", "web: "),
    ("get-role of a declared role with another's proof", {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/payments-deploy", "AssumeRolePolicyDocument": trust(github(MAIN, EQUALS))}}, "fail", "payments-deploy: lets in"),
    ("URL-encoded inside", {"Arn": f"arn:aws:iam::{ACCOUNT}:role/web", "AssumeRolePolicyDocument": quote(json.dumps(trust(github(MINE, EQUALS))))}, "pass", "web: "),
]  # fmt: skip


@pytest.mark.parametrize(("document", "outcome", "told"), [row[1:] for row in TRUSTS], ids=[row[0] for row in TRUSTS])
def test_a_trust_policy_is_judged_by_who_it_lets_in(document: Any, outcome: str, told: str) -> None:
    (found,) = judged(TRUST, document)
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason
    assert found.reason


# Policies.


def allow(action: Any, on: Any = "*", **conditions: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"Effect": "Allow", "Action": action, "Resource": on}
    return found | ({"Condition": conditions} if conditions else {})


def denied(action: Any, on: Any = "*", **conditions: Any) -> dict[str, Any]:
    return allow(action, on, **conditions) | {"Effect": "Deny"}


SITE = "arn:aws:s3:::site/*"
TASK = f"arn:aws:iam::{ACCOUNT}:role/task"
PASSES, MAKES = "iam:PassRole", ["lambda:CreateFunction", "lambda:InvokeFunction"]
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
POLICIES: list[tuple[str, Any, str, str]] = [
    ("reads", document(allow(["s3:Get*", "s3:List*", "iam:Get*", "iam:List*"])), "pass", ""),
    ("a scoped write", document(allow("s3:PutObject", SITE)), "pass", ""),
    ("deploys", document(allow(["ecs:UpdateService", "ecs:RegisterTaskDefinition"])), "pass", ""),
    ("nothing at all", document(), "pass", ""),
    ("no action", document(allow([])), "pass", ""),
    ("no resource", document(allow("*", [])), "pass", ""),
    ("admin", document(allow("*")), "fail", "policy: admin"),
    ("admin, as a list", document(allow(["s3:GetObject", "*"])), "fail", "policy: admin"),
    ("admin, with a star for the service", document(allow("*:*")), "fail", "policy: admin"),
    ("admin, in the old version", document(allow("*"), version="2008-10-17"), "fail", "policy: admin"),
    ("admin, a statement that is no list", {"Version": "2012-10-17", "Statement": allow("*")}, "fail", "policy: admin"),
    ("all but IAM", document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}), "fail", "near-admin"),
    ("all but one", document({"Effect": "Allow", "NotAction": ["iam:CreateUser"], "Resource": "*"}), "fail", "near-admin"),
    ("power user", document({"Effect": "Allow", "NotAction": ["iam:*", "organizations:*", "account:*"], "Resource": "*"}, allow(["iam:CreateServiceLinkedRole"])), "fail", "near-admin"),
    ("all of IAM", document(allow("iam:*")), "fail", "near-admin (iam)"),
    ("all of S3", document(allow("s3:*")), "fail", "service-wide (s3)"),
    ("all of S3, in capitals", document(allow("S3:*")), "fail", "service-wide (s3)"),
    ("all of S3, over TLS", document(allow("s3:*", Bool={"aws:SecureTransport": "true"})), "fail", "service-wide (s3)"),
    ("all of one bucket", document(allow("s3:*", ["arn:aws:s3:::site", SITE])), "fail", "destroys-data (s3)"),
    ("several whole services", document(allow(["ec2:*", "rds:*"])), "fail", "destroys-data (rds)"),
    ("destroys keys", document(allow("kms:ScheduleKeyDeletion")), "fail", "destroys-data (kms)"),
    ("destroys tables", document(allow("dynamodb:DeleteTable")), "fail", "destroys-data (dynamodb)"),
    ("stops the trail", document(allow("cloudtrail:StopLogging")), "fail", "blinds-logs (cloudtrail)"),
    ("stops the trail, by a pattern", document(allow("cloudtrail:Stop*")), "fail", "blinds-logs (cloudtrail)"),
    ("stops the trail, of whatever service", document(allow("*:StopLogging")), "fail", "blinds-logs (cloudtrail)"),
    ("passes, and makes nothing", document(allow(PASSES)), "pass", ""),
    ("passes and makes", document(allow([PASSES, *MAKES])), "fail", "lambda-create-function"),
    ("passes and makes, in two statements", document(allow(MAKES), allow(PASSES)), "fail", "lambda-create-function"),
    ("passes and makes, whatever the case", document(allow(["IAM:passrole", "LAMBDA:createfunction", "lambda:INVOKEfunction"])), "fail", "lambda-create-function"),
    ("passes and starts", document(allow([PASSES, "ec2:RunInstances"])), "fail", "ec2-run-instances"),
    ("passes one, and has all of Lambda", document(allow(PASSES, TASK), allow("lambda:*")), "fail", "service-wide (lambda)"),
    ("passes one that was not read, and runs it", document(allow(PASSES, TASK), allow(["ecs:RegisterTaskDefinition", "ecs:RunTask"])), "unknown", TASK),
    ("passes to the one that makes", document(allow(PASSES, StringEquals={"iam:PassedToService": "lambda.amazonaws.com"}), allow(MAKES)), "fail", ""),
    ("passes to another than the one that makes", document(allow(PASSES, StringEquals={"iam:PassedToService": "ecs-tasks.amazonaws.com"}), allow(MAKES)), "pass", ""),
    ("passes what bears a tag", document(allow(PASSES, StringEquals={"iam:ResourceTag/team": "x"}), allow(MAKES)), "unknown", "resourcetag"),
    ("rewrites policies", document(allow("iam:CreatePolicyVersion")), "fail", "iam-create-policy-version"),
    ("attaches policies", document(allow("iam:AttachRolePolicy")), "fail", "iam-attach-role-policy"),
    ("makes keys", document(allow("iam:CreateAccessKey")), "fail", "iam-create-access-key"),
    ("makes keys, by a question mark", document(allow("iam:CreateAccessKe?")), "fail", "iam-create-access-key"),
    ("makes keys, by a star in the middle", document(allow("iam:*AccessKey")), "fail", "iam-create-access-key"),
    ("makes keys for all but one", document({"Effect": "Allow", "Action": "iam:CreateAccessKey", "NotResource": f"arn:aws:iam::{ACCOUNT}:user/admin"}), "fail", "iam-create-access-key"),
    ("sets trust", document(allow("iam:UpdateAssumeRolePolicy")), "fail", "iam-update-assume-role-policy"),
    ("takes any role", document(allow("sts:AssumeRole")), "fail", "sts-assume-role"),
    ("runs commands on instances", document(allow("ssm:SendCommand")), "unknown", "ssm-send-command"),
    ("makes keys, in a region", document(allow("iam:CreateAccessKey", StringEquals={"aws:RequestedRegion": "us-east-1"})), "fail", ""),
    ("makes keys, with MFA", document(allow("iam:CreateAccessKey", **MFA)), "unknown", "multifactor"),
    ("admin, with MFA", document(allow("*", **MFA)), "unknown", "multifactor"),
    ("admin, from an address", document(allow("*", IpAddress={"aws:SourceIp": "192.0.2.0/24"})), "unknown", "sourceip"),
    ("an operator that there is not", document(allow("iam:CreateAccessKey", StringEqual={"aws:x": "y"})), "unknown", ""),
    ("its own keys", document(allow("iam:CreateAccessKey", "arn:aws:iam::*:user/${aws:username}")), "unknown", ""),
    ("all is denied", document(allow("*"), denied("*")), "pass", ""),
    ("the bad is denied", document(allow("iam:CreateAccessKey"), denied("iam:*")), "pass", ""),
    ("the bad is denied before", document(denied("IAM:*"), allow("iam:CreateAccessKey")), "pass", ""),
    ("all but reads is denied", document(allow("*"), {"Effect": "Deny", "NotAction": "s3:Get*", "Resource": "*"}), "pass", ""),
    ("only IAM is denied", document(allow("*"), denied("iam:*")), "fail", "near-admin"),
    ("denied for one trail", document(allow("cloudtrail:StopLogging", "*"), denied("cloudtrail:StopLogging", f"arn:aws:cloudtrail:us-east-1:{ACCOUNT}:trail/main")), "fail", "blinds-logs"),
    ("denied without MFA", document(allow("iam:CreateAccessKey"), denied("iam:CreateAccessKey", Bool={"aws:MultiFactorAuthPresent": "false"})), "unknown", ""),
    ("denied under another condition", document(allow("*"), denied("*", StringEquals={"aws:RequestedRegion": "eu-west-1"})), "fail", "near-admin"),
    ("an action that nobody knows", document(allow("newservice:DoAThing")), "pass", ""),
    ("a service that nobody knows, whole", document(allow("newservice:*")), "fail", "service-wide (newservice)"),
    ("get-policy-version", {"PolicyVersion": {"VersionId": "v1", "IsDefaultVersion": True, "Document": document(allow("*"))}}, "fail", "admin"),
    ("get-role-policy", {"RoleName": "r", "PolicyName": "own", "PolicyDocument": document(allow("*"))}, "fail", "admin"),
    ("URL-encoded inside", {"PolicyVersion": {"Document": quote(json.dumps(document(allow("*"))))}}, "fail", "admin"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "outcome", "told"), [row[1:] for row in POLICIES], ids=[row[0] for row in POLICIES]
)
def test_a_policy_is_judged_by_what_it_gives_in_effect(document: Any, outcome: str, told: str) -> None:
    (found,) = judged(POLICY, document)
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason


# Authorization details.

ADMIN, OWN = "arn:aws:iam::aws:policy/AdministratorAccess", f"arn:aws:iam::{ACCOUNT}:policy/own"
DEPLOYS = allow("s3:PutObject", SITE)
RUNS = [allow(["ecs:RegisterTaskDefinition", "ecs:RunTask", "s3:GetObject"]), allow(PASSES, TASK)]


def entry(
    kind: str, name: str, *statements: dict[str, Any], attached: tuple[str, ...] = (), **more: Any
) -> dict[str, Any]:
    """Return an entry of authorization details as IAM writes it."""
    noun = kind.capitalize()
    inline = [{"PolicyName": "own", "PolicyDocument": document(*statements)}] if statements else []
    return {
        f"{noun}Name": name,
        f"{noun}Id": f"ID{name.upper()}",
        "Path": "/",
        "Arn": f"arn:aws:iam::{ACCOUNT}:{kind}/{name}",
        "CreateDate": "2025-01-01T00:00:00+00:00",
        f"{noun}PolicyList": inline,
        "AttachedManagedPolicies": [{"PolicyName": one.rpartition("/")[2], "PolicyArn": one} for one in attached],
        **more,
    }


def role(name: str, *statements: dict[str, Any], by: Any = None, **more: Any) -> dict[str, Any]:
    trusted = {"AssumeRolePolicyDocument": trust(by or github(MINE, EQUALS)), "InstanceProfileList": [], "Tags": []}
    return entry("role", name, *statements, **{**trusted, **more})


def user(name: str, *statements: dict[str, Any], groups: tuple[str, ...] = (), **more: Any) -> dict[str, Any]:
    return entry("user", name, *statements, GroupList=list(groups), **more)


def managed(arn: str, *statements: dict[str, Any]) -> dict[str, Any]:
    versions = [
        {"VersionId": "v2", "IsDefaultVersion": True, "Document": document(*statements)},
        {"VersionId": "v1", "IsDefaultVersion": False, "Document": document(allow("*"))},
    ]
    return {
        "PolicyName": "own",
        "PolicyId": "ANPA",
        "Arn": arn,
        "DefaultVersionId": "v2",
        "PolicyVersionList": versions,
    }


def whole(*entries: dict[str, Any]) -> dict[str, Any]:
    """Return authorization details with these entries, each in its list."""
    lists = {"RoleName": "RoleDetailList", "UserName": "UserDetailList", "GroupName": "GroupDetailList"}
    found: dict[str, Any] = {name: [] for name in (*lists.values(), "Policies")} | {"IsTruncated": False}
    for one in entries:
        found[next((lists[key] for key in lists if key in one), "Policies")].append(one)
    return found


def bounded(arn: str) -> dict[str, Any]:
    return {"PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": arn}}


TASKS = service("ecs-tasks.amazonaws.com")
ALL_DETAILS: list[tuple[str, Any, str, str]] = [
    ("a role", role("web", DEPLOYS), "pass", "web: "),
    ("a role as get-role wraps it", {"Role": role("web", allow("*"))}, "fail", "web: admin"),
    ("a role without its policies", {"RoleName": "web", "AssumeRolePolicyDocument": trust(github(MINE, EQUALS))}, "unknown", "lists no policies"),
    ("an administrator", role("web", attached=(ADMIN,)), "fail", "web: admin"),
    ("a policy that is not told", role("web", attached=(OWN,)), "unknown", "is not in the answer"),
    ("weak trust", role("web", DEPLOYS, by=github("repo:*")), "fail", "anybody can make"),
    ("weak trust, URL-encoded", role("web", DEPLOYS, AssumeRolePolicyDocument=quote(json.dumps(trust(github("repo:*"))))), "fail", "anybody can make"),
    ("an inline policy that is none", role("web", RolePolicyList=[{"PolicyName": "x", "PolicyDocument": "{"}]), "unknown", "malformed"),
    ("a boundary that is not told", role("web", attached=(ADMIN,), **bounded(OWN)), "fail", "admin"),
    ("a boundary that narrows", whole(role("web", attached=(ADMIN,), **bounded(OWN)), managed(OWN, DEPLOYS)), "pass", ""),
    ("a boundary that does not", whole(role("web", attached=(ADMIN,), **bounded(OWN)), managed(OWN, allow("iam:*"))), "fail", "near-admin (iam)"),
    ("a boundary gives nothing", whole(role("web", DEPLOYS, **bounded(OWN)), managed(OWN, allow("*"))), "pass", ""),
    ("the default version counts", whole(role("web", attached=(OWN,)), managed(OWN, DEPLOYS)), "pass", ""),
    ("a managed policy", whole(role("web", attached=(OWN,)), managed(OWN, allow("iam:*"))), "fail", "near-admin (iam)"),
    ("several good roles", whole(role("a", DEPLOYS), role("b", DEPLOYS), role("c", allow("s3:GetObject"), by=TASKS)), "pass", ""),
    ("one bad role of three", whole(role("a", DEPLOYS), role("b", allow("cloudtrail:StopLogging")), role("c", DEPLOYS)), "fail", "b: blinds-logs"),
    ("passes what can do less", whole(role("web", *RUNS), role("task", allow("s3:GetObject"), by=TASKS)), "pass", ""),
    ("passes what can do more", whole(role("web", *RUNS), role("task", allow("dynamodb:PutItem"), by=TASKS)), "fail", TASK),
    ("takes what can do more", whole(role("hub", allow("sts:AssumeRole", TASK)), role("task", allow("dynamodb:PutItem"), by=aws(f"arn:aws:iam::{ACCOUNT}:role/hub"))), "fail", "hub: escalation (sts-assume-role)"),
    ("a user", user("ci", DEPLOYS), "pass", ""),
    ("a user who may all", user("ci", allow("*")), "fail", "ci: admin"),
    ("a user of a group that is not told", user("ci", DEPLOYS, groups=("ops",)), "unknown", "the group was not read"),
    ("a user of a group that may all", whole(user("ci", DEPLOYS, groups=("ops",)), entry("group", "ops", allow("*"))), "fail", "ci: admin"),
    ("a user whose group denies", whole(user("ci", allow("*"), groups=("ops",)), entry("group", "ops", denied("*"))), "pass", ""),
    ("a group", entry("group", "ops", allow("*")), "fail", "ops: admin"),
    ("a managed policy by itself", managed(OWN, allow("iam:*")), "fail", "near-admin (iam)"),
    ("an empty account", whole(), "not-applicable", ""),
    ("a declared role within its declaration", role("payments-deploy", allow("ecs:UpdateService")), "unknown", "environment production"),
    ("a declared role beyond its declaration", role("payments-deploy", allow(["ecs:UpdateService", "s3:PutBucketTagging"])), "fail", "s3:PutBucketTagging"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "outcome", "told"), [row[1:] for row in ALL_DETAILS], ids=[row[0] for row in ALL_DETAILS]
)
def test_authorization_details_are_judged_as_one_account(document: Any, outcome: str, told: str) -> None:
    (found,) = judged(DETAILS, document)
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason


# Google Cloud.

DEPLOYER = "serviceAccount:deploy@example-prod.iam.gserviceaccount.com"
POOL = "projects/415104041262/locations/global/workloadIdentityPools/github"
PUBLIC = f"principalSet://iam.googleapis.com/{POOL}/*"
TOKENS, WORKLOAD = "roles/iam.serviceAccountTokenCreator", "roles/iam.workloadIdentityUser"
ALLOWS: list[tuple[str, tuple[Any, ...], str, str]] = [
    ("owner", ("roles/owner", DEPLOYER), "fail", "admin"),
    ("editor", ("roles/editor", DEPLOYER), "fail", "near-admin (editor)"),
    ("viewer", ("roles/viewer", DEPLOYER), "pass", ""),
    ("sets the project's policy", ("roles/resourcemanager.projectIamAdmin", DEPLOYER), "fail", "near-admin (set-policy)"),
    ("sets every policy", ("roles/iam.securityAdmin", DEPLOYER), "fail", "near-admin (set-policy)"),
    ("acts as, and makes nothing", ("roles/iam.serviceAccountUser", DEPLOYER), "pass", ""),
    ("makes tokens", (TOKENS, DEPLOYER), "fail", "gcp-get-access-token"),
    ("makes keys", ("roles/iam.serviceAccountKeyAdmin", DEPLOYER), "fail", "gcp-create-key"),
    ("sets accounts' policies", ("roles/iam.serviceAccountAdmin", DEPLOYER), "fail", "gcp-set-account-policy"),
    ("a role that is not known", ("roles/run.admin", DEPLOYER), "unknown", "roles/run.admin"),
    ("a role of its own", ("projects/example-prod/roles/deployer", DEPLOYER), "unknown", "were not read"),
    ("owner under a condition", ("roles/owner", DEPLOYER, "resource.name.startsWith('projects/_/buckets/x')"), "unknown", "resource.name"),
    ("owner under a condition that is hidden", ("roles/owner_withcond_3f2a", DEPLOYER), "unknown", ""),
    ("Google's own agents", ("roles/editor", "serviceAccount:415104041262@cloudservices.gserviceaccount.com"), "not-applicable", ""),
    ("the default account of machines", ("roles/editor", "serviceAccount:415104041262-compute@developer.gserviceaccount.com"), "fail", "editor"),
    ("people who read", ("roles/viewer", "user:maria@example.com"), "not-applicable", ""),
    ("everybody makes tokens", (TOKENS, "allUsers"), "fail", "everybody can become it"),
    ("everybody with an account is a workload", (WORKLOAD, "allAuthenticatedUsers"), "fail", "everybody can become it"),
    ("everybody owns", ("roles/owner", "allUsers"), "fail", "everybody can become it"),
    ("every token of a pool", (WORKLOAD, PUBLIC), "unknown", "does not show the providers"),
    ("one subject of a pool", (WORKLOAD, f"principal://iam.googleapis.com/{POOL}/subject/{MEDIA}"), "unknown", ""),
]  # fmt: skip


def bound(name: str, member: str, when: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {"role": name, "members": [member]}
    return found | ({"condition": {"title": "t", "expression": when}} if when else {})


def allows(*bindings: dict[str, Any]) -> dict[str, Any]:
    return {"version": 3, "etag": "BwWWja0YfJA=", "bindings": list(bindings)}


@pytest.mark.parametrize(("binding", "outcome", "told"), [row[1:] for row in ALLOWS], ids=[row[0] for row in ALLOWS])
def test_an_allow_policy_is_judged_by_what_it_gives_and_to_whom(
    binding: tuple[Any, ...], outcome: str, told: str
) -> None:
    (found,) = judged(ALLOW, allows(bound(*binding)))
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason


def test_the_worst_binding_of_an_allow_policy_is_told() -> None:
    (found,) = judged(ALLOW, allows(bound("roles/viewer", DEPLOYER), bound(TOKENS, "serviceAccount:ci@x.iam.gserviceaccount.com")))  # fmt: skip
    assert (found.outcome.value, found.actor) == ("fail", "ci@x.iam.gserviceaccount.com")


def custom(*permissions: str, **more: Any) -> dict[str, Any]:
    name = "projects/example-prod/roles/deployer"
    return {"name": name, "title": "Deployer", "stage": "GA", "includedPermissions": list(permissions), **more}


ROLES: list[tuple[str, Any, str, str]] = [
    ("reads", custom("run.services.get", "run.services.list"), "pass", ""),
    ("nothing", custom(), "pass", ""),
    ("acts as, and makes nothing", custom("iam.serviceAccounts.actAs"), "pass", ""),
    ("acts as and makes", custom("iam.serviceAccounts.actAs", "run.services.create"), "fail", "gcp-create-run-service"),
    ("makes keys", custom("iam.serviceAccountKeys.create"), "fail", "gcp-create-key"),
    ("makes keys, disabled", custom("iam.serviceAccountKeys.create", stage="DISABLED"), "pass", ""),
    ("makes tokens", custom("iam.serviceAccounts.getAccessToken"), "fail", "gcp-get-access-token"),
    ("sets the project's policy", custom("resourcemanager.projects.setIamPolicy"), "fail", "near-admin (set-policy)"),
    ("sets accounts' policies", custom("iam.serviceAccounts.setIamPolicy"), "fail", "gcp-set-account-policy"),
    ("rewrites roles", custom("iam.roles.update"), "fail", "gcp-update-role"),
    ("builds", custom("cloudbuild.builds.create"), "unknown", "gcp-default-build-account"),
    ("destroys buckets", custom("storage.buckets.delete"), "fail", "destroys-data (storage)"),
    ("stops the logs", custom("logging.sinks.delete"), "fail", "blinds-logs (logging)"),
    ("permissions that are none", custom("run.services.get", includedPermissions=[1]), "unknown", "were not read"),
    ("no list of permissions", {"name": "roles/x", "title": "x"}, "error", "includedPermissions"),
]  # fmt: skip


@pytest.mark.parametrize(("document", "outcome", "told"), [row[1:] for row in ROLES], ids=[row[0] for row in ROLES])
def test_a_role_is_judged_by_its_permissions(document: Any, outcome: str, told: str) -> None:
    (found,) = judged(ROLE, document)
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason


def provided(condition: Any = "", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": f"{POOL}/providers/actions",
        "state": "ACTIVE",
        "attributeMapping": {"google.subject": "assertion.sub", "attribute.repository": "assertion.repository"},
        "oidc": {"issuerUri": f"https://{GITHUB}"},
    }
    return {**made, **({"attributeCondition": condition} if condition else {}), **more}


PROVIDERS: list[tuple[str, Any, str, str]] = [
    ("no condition", provided(), "fail", "anybody can make"),
    ("always true", provided("true"), "fail", "anybody can make"),
    ("always true, in words", provided('assertion.sub != ""'), "fail", "anybody can make"),
    ("always true, as nobody writes it", provided("1 == 1"), "unknown", ""),
    ("never true", provided("false"), "not-applicable", ""),
    ("the organisation", provided('assertion.repository_owner == "example-org"'), "fail", "repo:example-org/"),
    ("another organisation", provided('assertion.repository_owner == "evil-org"'), "fail", "anybody can make"),
    ("a repository", provided('assertion.repository == "example-org/media"'), "fail", "repo:example-org/media:"),
    ("a repository, through the mapping", provided('attribute.repository == "example-org/media"'), "fail", "repo:example-org/media:"),
    ("a subject's start", provided('assertion.sub.startsWith("repo:example-org/")'), "fail", "repo:example-org/"),
    ("a part of the repository", provided('assertion.repository.contains("example-org")'), "fail", ""),
    ("the subject", provided(f'assertion.sub == "{MEDIA}"'), "pass", ""),
    ("the subject, through the mapping", provided(f"google.subject == '{MEDIA}'"), "pass", ""),
    ("the subject, in a list", provided(f'assertion.sub in ["{MEDIA}"]'), "pass", ""),
    ("a subject that is not declared", provided('assertion.sub == "repo:example-org/wiki:ref:refs/heads/main"'), "fail", "wiki"),
    ("the subject or more", provided(f'assertion.sub == "{MEDIA}" || assertion.repository_owner == "example-org"'), "fail", "repo:example-org/"),
    ("the subject and more", provided(f'assertion.sub == "{MEDIA}" && assertion.repository_owner == "example-org"'), "pass", ""),
    ("what cannot be evaluated", provided('assertion.sub.split(":")[1] == "x"'), "unknown", ""),
    ("what cannot be evaluated besides the subject", provided(f'assertion.sub == "{MEDIA}" && assertion.sub.split(":")[1] == "x"'), "pass", ""),
    ("what cannot be evaluated, or the subject", provided(f'assertion.sub == "{MEDIA}" || assertion.sub.split(":")[1] == "x"'), "unknown", ""),
    ("what is no condition", provided("assertion.sub ==="), "unknown", ""),
    ("a condition that is no text", provided(5), "unknown", ""),
    ("disabled", provided(disabled=True), "not-applicable", ""),
    ("GitLab", provided('assertion.namespace_path == "example-org"', oidc={"issuerUri": "https://gitlab.com"}), "fail", "gitlab.com"),
    ("certificates", {**{k: v for k, v in provided().items() if k != "oidc"}, "x509": {}}, "unknown", "certificates"),
    ("no provider", {"name": "x"}, "error", "none of"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("document", "outcome", "told"), [row[1:] for row in PROVIDERS], ids=[row[0] for row in PROVIDERS]
)
def test_a_provider_is_judged_by_the_tokens_that_it_takes(document: Any, outcome: str, told: str) -> None:
    (found,) = judged(PROVIDER, document)
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason


# Against which expected state.


def test_a_document_is_compared_with_what_is_declared_for_its_provider() -> None:
    only_google, only_aws = Stated(ON_GOOGLE), Stated(*OURS)
    assert judged(TRUST, trust(github(MEDIA, EQUALS)))[0].outcome.value == "fail"
    assert judged(PROVIDER, provided(f'assertion.sub == "{MINE}"'))[0].outcome.value == "fail"
    assert judged(TRUST, trust(github(MEDIA, EQUALS)), expected=only_google)[0].outcome.value == "pass"
    assert judged(PROVIDER, provided(f'assertion.sub == "{MINE}"'), expected=only_aws)[0].outcome.value == "pass"


def test_where_nothing_is_declared_tight_trust_passes_and_wide_trust_fails() -> None:
    nothing = Stated(production={})
    tight, wide = trust(github(MINE, EQUALS)), trust(github("repo:example-org/*"))
    assert [one.outcome.value for one in judged(TRUST, tight, wide, expected=nothing)] == ["pass", "fail"]


# Documents that are none.

GOOD: dict[str, Any] = {
    DETAILS: role("web", DEPLOYS),
    POLICY: document(DEPLOYS),
    TRUST: trust(github(MINE, EQUALS)),
    ALLOW: allows(bound("roles/viewer", DEPLOYER)),
    ROLE: custom("run.services.get"),
    PROVIDER: provided(f'assertion.sub == "{MEDIA}"'),
}
NONSENSE = [
    b"{",
    b'{"Version": "\xff"}',
    b"[]",
    b"7",
    b"null",
    b'"text"',
    b"{}",
    b'{"a": 1, "a": 2}',
    b'{"Statement": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"Statement": 7, "bindings": 7, "includedPermissions": 7, "oidc": 7, "RoleDetailList": {"a": 1, "a": 1}}',
    b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": 5}], "bindings": [5]}',
    b'{"Version": "\\ud800", "Statement": []}',
]


@pytest.mark.parametrize("kind", GOOD)
def test_documents_that_are_none_are_errors_and_the_next_is_still_judged(kind: str) -> None:
    found = judged(kind, *NONSENSE, GOOD[kind])
    assert [one.n for one in found] == list(range(1, len(NONSENSE) + 2))
    assert [one.outcome.value for one in found[:-1]] == ["error"] * len(NONSENSE)
    assert found[-1].outcome.value == "pass"
    assert all(one.reason and len(one.reason) < 1000 for one in found)


def test_every_kind_has_a_good_document_here() -> None:
    assert set(GOOD) == set(KINDS)


TWICE = {
    "a Deny behind an Allow": b'{"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Effect": "Allow", "Action": "*", "Resource": "*"}}',
    "two lists of statements": b'{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}], "Statement": []}',
    "within a wrapper": b'{"PolicyVersion": {"Document": {"Statement": [], "Statement": []}}}',
    "as an escape": b'{"Statement": [], "\\u0053tatement": []}',
}


@pytest.mark.parametrize("body", TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_makes_a_document_none(body: bytes) -> None:
    (found,) = judged(POLICY, body)
    assert (found.outcome.value, "stands twice" in found.reason) == ("error", True), found.reason


REFUSED = [
    document({"Effect": "allow", "Action": "*", "Resource": "*"}),
    document({"Effect": "Allow", "Action": "*"}),
    document({"Effect": "Allow", "Resource": "*"}),
    document({**allow("*"), "NotAction": "s3:*"}),
    document({**allow("*"), "Principal": "*"}),
    document({**allow("*"), "Colour": "blue"}),
    document(allow("s3")),
    document(allow("*"), version="2012-10-18"),
    {"Version": "2012-10-17"},
]


@pytest.mark.parametrize("document", REFUSED)
def test_a_policy_that_aws_would_refuse_is_an_error(document: Any) -> None:
    assert judged(POLICY, document)[0].outcome.value == "error"


@pytest.mark.parametrize(
    "text", ["\x1b[31m", "<script>", "=1+1", "a\nb", "\u2028", "x" * 5000, "../../etc", "%00", "\u202e"]
)
def test_hostile_text_never_makes_a_pass_of_a_fault(text: str) -> None:
    bad = [
        (DETAILS, role(text, allow("*"))),
        (POLICY, document({**allow("*"), "Sid": text})),
        (TRUST, {"Arn": text, "AssumeRolePolicyDocument": trust({**github("repo:*"), "Sid": text})}),
        (ALLOW, allows(bound("roles/owner", f"serviceAccount:{text.replace('[', '')}"))),
        (ROLE, custom("iam.roles.update", name=text)),
        (PROVIDER, provided(name=text)),
    ]
    assert [judged(kind, one)[0].outcome.value for kind, one in bad] == ["fail"] * len(bad)


def test_the_command_prints_one_line_a_document_and_tells_the_worst_by_its_code(tmp_path: Path) -> None:
    config = str(Path(__file__).parents[3] / "config")
    body = b"\n".join(json.dumps(one).encode() for one in (document(DEPLOYS), document(allow("*")))) + b"\n{broken\n"
    ran = monitor("evaluate", "--kind", POLICY, "--config", config, "-", stdin=body)
    assert [json.loads(line)["outcome"] for line in ran.text.splitlines()] == ["pass", "fail", "error"]
    good = monitor("evaluate", "--kind", POLICY, "--config", config, "-", stdin=json.dumps(document(DEPLOYS)).encode())
    assert (good.code, ran.code) == (0, 3)

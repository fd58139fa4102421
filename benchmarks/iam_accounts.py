"""Account authorization details of any size, with planted escalation routes, near misses and trust policies. Seeded."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

ACCOUNT = "111122223333"
ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
RUNNER = f"arn:aws:iam::{ACCOUNT}:role/admin-runner"
TASK = f"arn:aws:iam::{ACCOUNT}:role/plain-task"
SERVICES = (
    "lambda", "ec2", "ecs-tasks", "cloudformation", "glue", "codebuild", "states", "ssm", "sagemaker", "datapipeline", "scheduler",
)  # fmt: skip
ROUTES: tuple[tuple[str, ...], ...] = (
    ("iam:CreatePolicyVersion",),
    ("iam:SetDefaultPolicyVersion",),
    ("iam:CreateAccessKey",),
    ("iam:CreateLoginProfile",),
    ("iam:UpdateLoginProfile",),
    ("iam:AttachUserPolicy",),
    ("iam:PutUserPolicy",),
    ("iam:AttachGroupPolicy",),
    ("iam:PutGroupPolicy",),
    ("iam:AddUserToGroup",),
    ("iam:UpdateAssumeRolePolicy", "sts:AssumeRole"),
    ("iam:AttachRolePolicy", "sts:AssumeRole"),
    ("iam:PutRolePolicy", "sts:AssumeRole"),
    ("iam:PassRole", "ec2:RunInstances"),
    ("iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"),
    ("iam:PassRole", "glue:CreateDevEndpoint"),
    ("iam:PassRole", "cloudformation:CreateStack"),
)
"""Routes that both tools say they know; what is planted beside them is noted where it is planted."""
_WORK: tuple[tuple[tuple[str, ...], str], ...] = (
    (("s3:GetObject", "s3:ListBucket"), "arn:aws:s3:::{name}-data*"),
    (("s3:PutObject",), "arn:aws:s3:::{name}-data/*"),
    (
        ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
        f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/{{name}}",
    ),
    (("logs:CreateLogStream", "logs:PutLogEvents"), "*"),
    (("ecs:DescribeServices", "ecs:UpdateService"), f"arn:aws:ecs:us-east-1:{ACCOUNT}:service/main/{{name}}"),
    (("ecr:GetAuthorizationToken",), "*"),
    (
        ("ecr:BatchGetImage", "ecr:PutImage", "ecr:UploadLayerPart"),
        f"arn:aws:ecr:us-east-1:{ACCOUNT}:repository/{{name}}",
    ),
    (("ec2:Describe*",), "*"),
    (("cloudwatch:PutMetricData", "cloudwatch:Get*", "cloudwatch:List*"), "*"),
    (("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"), f"arn:aws:sqs:us-east-1:{ACCOUNT}:{{name}}"),
    (("sns:Publish",), f"arn:aws:sns:us-east-1:{ACCOUNT}:{{name}}"),
    (
        ("kms:Decrypt", "kms:GenerateDataKey"),
        f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ),
    (("secretsmanager:GetSecretValue",), f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:{{name}}-*"),
    (("ssm:GetParameter", "ssm:GetParameters"), f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/{{name}}/*"),
    (("iam:GetRole", "iam:ListRoles"), "*"),
    (("cloudfront:CreateInvalidation",), "*"),
    (("route53:ChangeResourceRecordSets",), "arn:aws:route53:::hostedzone/Z0EXAMPLE"),
    (("xray:Put*",), "*"),
    (("elasticloadbalancing:Describe*",), "*"),
    (("tag:GetResources",), "*"),
)
GOOD_TRUST = {
    "StringEquals": {
        f"{ISSUER}:sub": "repo:example-org/{name}:environment:production",
        f"{ISSUER}:aud": "sts.amazonaws.com",
    }
}
BAD_TRUST: tuple[dict[str, Any], ...] = (
    {"StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}},
    {"StringLike": {f"{ISSUER}:sub": "*"}, "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}},
    {"StringLike": {f"{ISSUER}:sub": "repo:*"}, "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}},
    {"StringLike": {f"{ISSUER}:sub": "repo:example-org*"}, "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}},
    {"StringLike": {f"{ISSUER}:sub": "repo:example-org/*"}, "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"}},
    {
        "StringLike": {f"{ISSUER}:sub": "repo:example-org/{name}:*"},
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
    },
    {
        "StringLike": {f"{ISSUER}:sub": ["repo:example-org/{name}:ref:refs/heads/main", "repo:other-org/*"]},
        "StringEquals": {f"{ISSUER}:aud": "sts.amazonaws.com"},
    },
    {"StringLikeIfExists": {f"{ISSUER}:sub": "repo:example-org/{name}:pull_request"}},
)


def account(roles: int, seed: int = 19) -> tuple[dict[str, Any], dict[str, dict[str, str]]]:
    """Return authorization details, and by role what was planted: `escalation` (open, conditional or closed) and `trust`."""
    chance = random.Random(seed)
    found = [_role("admin-runner", _services(), [("all", [_allow(("*",), "*")])]), _role("plain-task", _services(), [])]
    truth: dict[str, dict[str, str]] = {}
    for n in range(roles - len(found)):
        name = f"svc-{n:05d}"
        policies = [
            (f"work-{k}", [_allow(*_named(chance.choice(_WORK), name)) for _ in range(chance.randint(1, 3))])
            for k in range(3)
        ]
        boundary = None
        draw, route = chance.random(), ROUTES[n % len(ROUTES)]
        kind, escalation = "none", "closed"
        if draw < 0.07:
            kind, escalation = "inline", "open"
            policies[0][1].append(_allow(route, "*"))
        elif draw < 0.10:
            kind, escalation = "split over policies", "open"
            for part, action in enumerate(route):
                policies[part % 3][1].append(_allow((action,), "*"))
        elif draw < 0.12:
            kind, escalation = "wildcard in lower case", "open"
            policies[1][1].append(_allow(("IAM:Attach*", "iam:put*", "STS:Assume*"), "*"))
        elif draw < 0.15:
            kind, escalation = "with a condition", "conditional"
            statement = _allow(route, "*")
            statement["Condition"] = {"StringEquals": {"aws:PrincipalTag/team": "platform"}}
            policies[0][1].append(statement)
        elif draw < 0.18:
            kind = "denied"
            policies[0][1].extend([_allow(route, "*"), {"Effect": "Deny", "Action": [route[0]], "Resource": "*"}])
        elif draw < 0.20:
            kind = "outside its boundary"
            policies[0][1].append(_allow(route, "*"))
            boundary = f"arn:aws:iam::{ACCOUNT}:policy/only-reads"
        elif draw < 0.23:
            kind = "passes one role that can do nothing"
            policies[0][1].extend(
                [_allow(("iam:PassRole",), TASK), _allow(("lambda:CreateFunction", "lambda:InvokeFunction"), "*")]
            )
        elif draw < 0.25:
            kind, escalation = "passes one role that is an administrator", "open"
            policies[0][1].extend(
                [_allow(("iam:PassRole",), RUNNER), _allow(("lambda:CreateFunction", "lambda:InvokeFunction"), "*")]
            )
        planted = {"kind": kind, "escalation": escalation, "trust": "none"}
        trust: Any = _services("ecs-tasks")
        lot = chance.random()
        if lot < 0.35:
            trust, planted["trust"] = _federated(GOOD_TRUST, name), "good"
        elif lot < 0.5:
            trust, planted["trust"] = _federated(BAD_TRUST[n % len(BAD_TRUST)], name), "bad"
        truth[name] = planted
        found.append(_role(name, trust, policies, boundary))
    details = {
        "UserDetailList": [_user("chief", [_allow(("*",), "*")])],
        "GroupDetailList": [],
        "RoleDetailList": found,
        "Policies": [_managed("only-reads", [_allow(("s3:Get*", "ec2:Describe*", "logs:*"), "*")])],
    }
    return details, truth


def write(path: Path, roles: int) -> dict[str, dict[str, str]]:
    """Write the details of an account of this size; return what was planted."""
    details, truth = account(roles)
    path.write_text(json.dumps(details))
    return truth


def _allow(actions: tuple[str, ...], resource: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource}


def _named(work: tuple[tuple[str, ...], str], name: str) -> tuple[tuple[str, ...], str]:
    return work[0], work[1].format(name=name)


def _services(*names: str) -> dict[str, Any]:
    principals = [f"{name}.amazonaws.com" for name in names or SERVICES]
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": principals}, "Action": "sts:AssumeRole"}],
    }


def _federated(conditions: dict[str, Any], name: str) -> dict[str, Any]:
    named = json.loads(json.dumps(conditions).replace("{name}", name))
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": PROVIDER},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": named,
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _role(name: str, trust: Any, policies: list[tuple[str, list[Any]]], boundary: str | None = None) -> dict[str, Any]:
    number = sum(ord(c) * 31**k for k, c in enumerate(name)) % 10**14
    found: dict[str, Any] = {
        "Path": "/",
        "RoleName": name,
        "RoleId": f"AROA{number:017d}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "CreateDate": "2025-01-01T00:00:00+00:00",
        "AssumeRolePolicyDocument": trust,
        "InstanceProfileList": [],
        "RolePolicyList": [
            {"PolicyName": title, "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
            for title, statements in policies
        ],
        "AttachedManagedPolicies": [],
        "Tags": [],
        "RoleLastUsed": {},
    }
    if boundary:
        found["PermissionsBoundary"] = {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": boundary}
    return found


def _user(name: str, statements: list[Any]) -> dict[str, Any]:
    return {
        "Path": "/",
        "UserName": name,
        "UserId": "AIDAEXAMPLE000000000001",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "CreateDate": "2025-01-01T00:00:00+00:00",
        "UserPolicyList": [
            {"PolicyName": "rights", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}
        ],
        "GroupList": [],
        "AttachedManagedPolicies": [],
    }


def _managed(name: str, statements: list[Any]) -> dict[str, Any]:
    return {
        "PolicyName": name,
        "PolicyId": "ANPAEXAMPLE000000000001",
        "Arn": f"arn:aws:iam::{ACCOUNT}:policy/{name}",
        "Path": "/",
        "DefaultVersionId": "v1",
        "AttachmentCount": 0,
        "PermissionsBoundaryUsageCount": 1,
        "IsAttachable": True,
        "CreateDate": "2025-01-01T00:00:00+00:00",
        "UpdateDate": "2025-01-01T00:00:00+00:00",
        "PolicyVersionList": [
            {
                "Document": {"Version": "2012-10-17", "Statement": statements},
                "VersionId": "v1",
                "IsDefaultVersion": True,
                "CreateDate": "2025-01-01T00:00:00+00:00",
            }
        ],
    }

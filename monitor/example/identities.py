"""The identities of the example organisation: roles and users of its accounts, good and bad, and what is true of them.

`TRUTH` tells, by name, what each check must say of a deploy identity; of all others nothing but that no pipeline uses them.
"""

from __future__ import annotations

from typing import Any

from monitor.example import cast
from monitor.example.chance import principal

Document = dict[str, Any]
PROVIDER = f"oidc-provider/{cast.ISSUER}"
CREATED = "2025-02-11T09:30:00Z"
MANAGEMENT = cast.TOOLING
ROOT_ID, UNIT_ID = "r-ex4m", "ou-ex4m-prod0001"
FULL, GUARD = "p-FullAWSAccess", "p-exampleguard1"
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
READER = "arn:aws:iam::aws:policy/ReadOnlyAccess"
TRUTH: dict[str, dict[str, str]] = {
    "payments-deploy": {"trust": "fail", "privilege": "pass", "unused": "pass", "credentials": "pass"},
    "accounts-deploy": {"trust": "pass", "privilege": "pass", "unused": "pass", "credentials": "pass"},
    "codebuild-release": {"trust": "fail", "privilege": "fail", "unused": "pass", "credentials": "pass"},
    "web-deploy": {"trust": "pass", "privilege": "fail", "unused": "fail", "credentials": "pass"},
    "media-deploy": {"trust": "pass", "privilege": "fail", "unused": "pass", "credentials": "pass"},
    "mail-deploy": {"trust": "fail", "privilege": "pass", "unused": "pass", "credentials": "pass"},
    "geo-deploy": {"trust": "pass", "privilege": "pass", "unused": "pass", "credentials": "pass"},
    "preview-deploy": {"trust": "fail", "privilege": "pass", "unused": "pass", "credentials": "pass"},
    "legacy-release": {"trust": "pass", "privilege": "pass", "unused": "pass", "credentials": "fail"},
    "scanner": {"trust": "fail"},
    "data-deploy": {"trust": "pass", "privilege": "pass", "unused": "fail", "credentials": "pass"},
    "pipeline-hub": {"trust": "pass", "privilege": "pass", "unused": "pass", "credentials": "pass"},
}


def allow(actions: list[str], resources: list[str] | str = "*", **more: Any) -> Document:
    """Return a statement that allows."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def document(*statements: Document) -> Document:
    """Return a policy document of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def token(account: str, subjects: list[str], operator: str = "StringEquals") -> Document:
    """Return a statement of trust in tokens of GitHub Actions with these subjects."""
    conditions: Document = {"StringEquals": {f"{cast.ISSUER}:aud": cast.AUDIENCE}}
    conditions.setdefault(operator, {})[f"{cast.ISSUER}:sub"] = subjects
    return {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{account}:{PROVIDER}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": conditions,
    }


def trusted(kind: str, principals: list[str] | str, **more: Any) -> Document:
    """Return a statement of trust in services (`Service`) or identities (`AWS`)."""
    return {"Effect": "Allow", "Principal": {kind: principals}, "Action": "sts:AssumeRole", **more}


def role(account: str, name: str, trust: Document, *rights: Document, path: str = "/", **more: Any) -> Document:
    """Return a role as IAM lists it; its rights are one inline policy, `attached` its managed policies by ARN."""
    arn = cast.role_arn(account, name, path)
    return {
        "Path": path,
        "RoleName": name,
        "RoleId": principal("AROA", arn),
        "Arn": arn,
        "CreateDate": CREATED,
        "AssumeRolePolicyDocument": trust,
        "RolePolicyList": [{"PolicyName": "rights", "PolicyDocument": document(*rights)}] if rights else [],
        "AttachedManagedPolicies": [
            {"PolicyName": one.rpartition("/")[2], "PolicyArn": one} for one in more.get("attached", ())
        ],
    }


def _payments() -> list[Document]:
    account = cast.PAYMENTS
    root, services = f"arn:aws:iam::{account}:root", f"arn:aws:ecs:*:{account}:service/payments/*"
    ship = allow(["ecs:RegisterTaskDefinition", "ecs:DescribeServices", "ecr:GetAuthorizationToken"])
    hand = allow(["iam:PassRole"], f"arn:aws:iam::{account}:role/payments-task-*")
    upload = allow(["s3:PutObject", "s3:GetObject"], "arn:aws:s3:::example-org-{}/*")

    def bucket(name: str) -> Document:
        return {**upload, "Resource": f"arn:aws:s3:::example-org-{name}/*"}

    functions = allow(["lambda:CreateFunction", "lambda:InvokeFunction", "lambda:UpdateFunctionCode"])
    made = [
        # A pull request's token may become it, and whoever the account's own policies let.
        role(
            account,
            "payments-deploy",
            document(
                token(account, [cast.PAYMENTS_SUBJECT, cast.PULL_REQUEST_SUBJECT]),
                trusted("AWS", root),
            ),
            ship,
            allow(["ecs:UpdateService"], services),
            hand,
        ),
        role(
            account,
            "accounts-deploy",
            document(token(account, ["repo:example-org/accounts:environment:production"])),
            bucket("accounts"),
        ),
        # People reach it through single sign-on, and it may do anything in S3.
        role(
            account,
            "codebuild-release",
            document(
                trusted("Service", "codebuild.amazonaws.com"),
                trusted("AWS", cast.role_arn(account, cast.SSO_ADMIN, cast.SSO_PATH)),
            ),
            allow(["s3:*"]),
        ),
        role(
            account,
            "web-deploy",
            document(token(account, ["repo:example-org/web-frontend:ref:refs/heads/main"])),
            attached=[ADMINISTRATOR],
        ),
        # It can hand a function of its own the role of an administrator.
        role(
            account,
            "media-deploy",
            document(token(account, ["repo:example-org/media:ref:refs/heads/main"])),
            allow(["iam:PassRole"]),
            functions,
        ),
        # The environment that its trust names does not exist.
        role(
            account,
            "mail-deploy",
            document(token(account, ["repo:example-org/mail:environment:production"])),
            bucket("mail"),
        ),
        # The same rights as media-deploy, but it may pass no role.
        role(
            account,
            "geo-deploy",
            document(token(account, ["repo:example-org/geo:ref:refs/heads/main"])),
            allow(["iam:PassRole"]),
            allow(["lambda:CreateFunction", "lambda:InvokeFunction"], f"arn:aws:lambda:*:{account}:function:geo-*"),
            {"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"},
        ),
        # Any organisation whose name begins so; and nobody has declared it.
        role(
            account,
            "preview-deploy",
            document(token(account, ["repo:example-org*"], "StringLike")),
            bucket("preview"),
        ),
        role(account, "scanner", document(trusted("AWS", "*")), attached=[READER]),
        role(account, "ops-runner", document(trusted("Service", "lambda.amazonaws.com")), attached=[ADMINISTRATOR]),
        role(account, "payments-task-api", document(trusted("Service", "ecs-tasks.amazonaws.com")), bucket("payments")),
        role(
            account,
            "log-forwarder",
            document(trusted("Service", "ec2.amazonaws.com")),
            allow(["logs:CreateLogStream", "logs:PutLogEvents"]),
        ),
        role(account, "operator", document(trusted("AWS", root)), allow(["ecs:UpdateService", "ec2:StopInstances"])),
        role(account, "developer", document(trusted("AWS", root)), allow(["ec2:*", "ecs:*"])),
        role(account, "BreakGlass", document(trusted("AWS", root)), attached=[ADMINISTRATOR]),
    ]
    return [*made, *_single_sign_on(account)]


def _single_sign_on(account: str) -> list[Document]:
    saml = {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{account}:saml-provider/AWSSSO_example_DO_NOT_DELETE"},
        "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
    }
    rights = ((cast.SSO_ADMIN, ADMINISTRATOR), (cast.SSO_READER, READER))
    return [role(account, name, document(saml), path=cast.SSO_PATH, attached=[policy]) for name, policy in rights]


def _data() -> list[Document]:
    account = cast.DATA
    hub = cast.role_arn(cast.TOOLING, "pipeline-hub")
    return [
        # Reached through the hub alone; of what it may do, Redshift was never used.
        role(
            account,
            "data-deploy",
            document(trusted("AWS", hub)),
            allow(["glue:UpdateJob", "glue:GetJob*"], f"arn:aws:glue:*:{account}:job/daily-*"),
            allow(["s3:PutObject"], "arn:aws:s3:::example-org-data/*"),
            allow(["redshift:Describe*", "redshift:ModifyCluster"], f"arn:aws:redshift:*:{account}:cluster:reports"),
        ),
        *_single_sign_on(account),
    ]


def _tooling() -> list[Document]:
    account = cast.TOOLING
    return [
        role(
            account,
            "pipeline-hub",
            document(token(account, [cast.DATA_SUBJECT])),
            allow(["sts:AssumeRole"], cast.role_arn(cast.DATA, "data-deploy")),
        ),
        *_single_sign_on(account),
    ]


ROLES = {cast.PAYMENTS: _payments(), cast.DATA: _data(), cast.TOOLING: _tooling()}
LEGACY = f"arn:aws:iam::{cast.PAYMENTS}:user/legacy-release"
USERS: dict[str, list[Document]] = {
    cast.PAYMENTS: [
        {
            "Path": "/",
            "UserName": "legacy-release",
            "UserId": principal("AIDA", LEGACY),
            "Arn": LEGACY,
            "CreateDate": "2024-01-15T08:00:00Z",
            "UserPolicyList": [
                {
                    "PolicyName": "rights",
                    "PolicyDocument": document(allow(["s3:PutObject"], "arn:aws:s3:::example-org-legacy/*")),
                }
            ],
            "GroupList": [],
            "AttachedManagedPolicies": [],
        }
    ]
}
USED: dict[str, tuple[str, ...]] = {
    "payments-deploy": ("ecr", "ecs", "iam"),
    "accounts-deploy": ("s3",),
    "codebuild-release": ("s3",),
    "web-deploy": ("cloudfront", "s3"),
    "media-deploy": ("iam", "lambda"),
    "mail-deploy": ("s3",),
    "geo-deploy": ("lambda",),
    "preview-deploy": ("s3",),
    "legacy-release": ("s3",),
    "data-deploy": ("glue", "s3"),
    "pipeline-hub": ("sts",),
}
"""By deploy identity: the services that AWS remembers it to have used in March."""
UNUSED: dict[str, tuple[str, ...]] = {"data-deploy": ("redshift",)}
"""Services that AWS has seen it never use."""
MANAGED: dict[str, Document] = {
    ADMINISTRATOR: document(allow(["*"])),
    READER: document(allow(["cloudwatch:Get*", "ec2:Describe*", "iam:Get*", "iam:List*", "s3:Get*", "s3:List*"])),
}
CEILINGS: dict[str, tuple[str, Document]] = {
    FULL: ("FullAWSAccess", document(allow(["*"]))),
    GUARD: (
        "keep-the-audit-log",
        document({"Effect": "Deny", "Action": ["cloudtrail:DeleteTrail", "cloudtrail:StopLogging"], "Resource": "*"}),
    ),
}

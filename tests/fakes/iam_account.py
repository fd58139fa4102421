"""An account of a moto server with 60 identities of every kind, good and bad, and what is true of each.

`iam_server.populate` plants them over the server's own API; `TRUTH` says by name what the checks must say. A verdict is pass,
fail or not-applicable; none where there must be no result; empty where nothing is planted that decides it. Where `joined`,
a pass of deploy-trust needs the forge's side of it too (the environment, the branch): where the forge is not watched, it is
unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

ACCOUNT, TOOLING, STRANGER = "111122223333", "777788889999", "999988887777"
GITHUB, GITLAB = "token.actions.githubusercontent.com", "gitlab.com"
BORN = datetime(2025, 6, 2, 9, 0, tzinfo=UTC)
"""When every identity and key was made, whatever the server's clock says."""
NA = "not-applicable"
NONE = "none"


class Verdicts(NamedTuple):
    """What deploy-trust, deploy-privilege and deploy-credentials say of an identity."""

    trust: str = NA
    privilege: str = NONE
    credentials: str = NONE
    joined: bool = False


class Planted(NamedTuple):
    """One identity. `policies` are inline ones by name; `attached` are names of managed ones; `boundary` is one of them."""

    name: str
    verdicts: Verdicts
    trust: dict[str, Any] | None = None
    policies: Mapping[str, Any] = {}
    attached: tuple[str, ...] = ()
    boundary: str = ""
    groups: tuple[str, ...] = ()
    keys: tuple[bool, ...] = ()
    password: bool = False
    mfa: bool = False
    profile: bool = False
    path: str = "/"
    declared: dict[str, Any] | None = None

    @property
    def arn(self) -> str:
        """Return its name in AWS."""
        return f"arn:aws:iam::{ACCOUNT}:{'role' if self.trust else 'user'}{self.path}{self.name}"


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    """Return a policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def allow(actions: str | list[str], resources: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    """Return a statement that allows."""
    return {"Effect": "Allow", "Action": actions, "Resource": resources, **more}


def token(
    sub: str | list[str] | None, operator: str = "StringEquals", issuer: str = GITHUB, **more: Any
) -> dict[str, Any]:
    """Return a statement that trusts tokens of an issuer with these subjects; with any subject if it is None."""
    condition: dict[str, Any] = {"StringEquals": {f"{issuer}:aud": "sts.amazonaws.com"}}
    if sub is not None:
        condition.setdefault(operator, {})[f"{issuer}:sub"] = sub
    federated = {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}"}
    action = "sts:AssumeRoleWithWebIdentity"
    return {"Effect": "Allow", "Principal": federated, "Action": action, "Condition": condition, **more}


def takes(principal: Any, **condition: Any) -> dict[str, Any]:
    """Return a statement that trusts a principal."""
    more = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", **more}


def service(name: str) -> dict[str, Any]:
    """Return a trust policy for a service of AWS."""
    return document(takes({"Service": f"{name}.amazonaws.com"}))


MAIN = "repo:example-org/payments:ref:refs/heads/main"
PRODUCTION = "repo:example-org/payments:environment:production"
GOOD = document(token(PRODUCTION))
CLUSTER = f"arn:aws:ecs:us-east-1:{ACCOUNT}:service/payments/*"
ROLLOUT = document(allow(["ecs:UpdateService", "ecs:DescribeServices"], CLUSTER))
ROLLS_OUT = [{"actions": ["ecs:UpdateService"], "resources": [CLUSTER], "reason": "Rolls out the service"}]
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
MANAGED = {
    "payments-rollout": ROLLOUT,
    "deploy-boundary": document(allow(["ecs:UpdateService", "ecs:DescribeServices"], CLUSTER)),
    "read-metrics": document(allow(["cloudwatch:GetMetricData", "cloudwatch:ListMetrics"])),
    "left-over": document(allow("sqs:SendMessage", f"arn:aws:sqs:us-east-1:{ACCOUNT}:jobs")),
}
PROVIDED = {ADMIN: document(allow("*"))}
GROUPS = {"developers": {"read": document(allow(["ecs:Describe*", "ecs:List*"]))}, "admins": {}, "empty": {}}


def deploy(
    name: str,
    trust: str = "pass",
    privilege: str = "pass",
    statements: dict[str, Any] = GOOD,
    rights: dict[str, Any] | None = None,
    *,
    proof: dict[str, Any] | None = None,
    allows: list[dict[str, Any]] | None = None,
    assumable_by: tuple[str, ...] = (),
    **more: Any,
) -> Planted:
    """Return a role that is declared as a deploy identity."""
    path = more.get("path", "/")
    declared: dict[str, Any] = {
        "id": name,
        "principals": [f"arn:aws:iam::{ACCOUNT}:role{path}{name}"],
        "proof": proof
        or {"token": {"issuer": GITHUB, "subjects": [PRODUCTION, MAIN], "audience": "sts.amazonaws.com"}},
        "allows": ROLLS_OUT if allows is None else allows,
    }
    if assumable_by:
        declared["assumable_by"] = list(assumable_by)
    joined = trust == "pass" and proof is None and not assumable_by
    policies = {"deploy": ROLLOUT if rights is None else rights} if rights != {} else {}
    verdicts = Verdicts(trust, privilege, "pass", joined)
    return Planted(name, verdicts, statements, policies, declared=declared, **more)


def _weak(name: str, *statements: dict[str, Any]) -> Planted:
    return deploy(name, "fail", "pass", document(*statements))


def _strong(name: str, *actions: str, privilege: str = "fail") -> Planted:
    return deploy(name, "pass", privilege, rights=document(allow(list(actions))))


def _user(name: str, credentials: str, **more: Any) -> Planted:
    declared = {
        "id": name,
        "principals": [f"arn:aws:iam::{ACCOUNT}:user/{name}"],
        "proof": {"token": {"issuer": GITHUB, "subjects": [PRODUCTION]}},
        "allows": ROLLS_OUT,
    }
    return Planted(name, Verdicts("", "pass", credentials), None, {"deploy": ROLLOUT}, declared=declared, **more)


def _other(name: str, trust: dict[str, Any], *actions: str, **more: Any) -> Planted:
    policies = {"work": document(allow(list(actions)))} if actions else {}
    return Planted(name, Verdicts(), trust, policies, **more)


_ECS_ONLY = {"Effect": "Deny", "NotAction": ["ecs:UpdateService", "ecs:DescribeServices"], "Resource": "*"}
_SESSION = {
    "session": {
        "pattern": f"arn:aws:sts::{ACCOUNT}:assumed-role/build-release/AWSCodeBuild-*",
        "assumed_by": ["codebuild.amazonaws.com"],
    }
}
_BY_HUB = f"arn:aws:iam::{TOOLING}:role/pipeline-hub"
_GITLAB_SUB = "project_path:example-org/payments:ref_type:branch:ref:main"
_GITLAB = {"token": {"issuer": GITLAB, "subjects": [_GITLAB_SUB], "audience": "sts.amazonaws.com"}}
_OWN_ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
_SAML = {"Federated": f"arn:aws:iam::{ACCOUNT}:saml-provider/example-idp"}
_SIGN_ON = {
    "Effect": "Allow",
    "Principal": _SAML,
    "Action": "sts:AssumeRoleWithSAML",
    "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}},
}
_MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}

PLANTED: tuple[Planted, ...] = (
    # Deploy roles as they should be.
    deploy("payments-rollout"),
    deploy("web-rollout", statements=document(token(MAIN)), path="/deploy/"),
    deploy("managed-rollout", rights={}, attached=("payments-rollout",)),
    deploy("bounded-rollout", rights={}, attached=(ADMIN,), boundary="deploy-boundary"),
    deploy("denied-rollout", rights=document(allow("*", CLUSTER), _ECS_ONLY)),
    deploy("build-release", statements=service("codebuild"), proof=_SESSION, assumable_by=("codebuild.amazonaws.com",)),
    deploy("chained-rollout", statements=document(takes({"AWS": _BY_HUB})), assumable_by=(_BY_HUB,)),
    deploy("gitlab-rollout", statements=document(token(_GITLAB_SUB, issuer=GITLAB)), proof=_GITLAB),
    # Deploy roles that others can become.
    _weak("weak-no-subject", token(None)),
    _weak("weak-any-subject", token("*", "StringLike")),
    _weak("weak-any-repository", token("repo:*", "StringLike")),
    _weak("weak-organisation-prefix", token("repo:example-org*", "StringLike")),
    _weak("weak-organisation", token("repo:example-org/*", "StringLike")),
    _weak("weak-repository", token("repo:example-org/payments:*", "StringLike")),
    _weak("weak-pull-request", token("repo:example-org/payments:pull_request")),
    _weak("weak-list", token([PRODUCTION, "repo:example-org/*"], "StringLike")),
    _weak("weak-second-door", token(PRODUCTION), token("repo:*", "StringLike")),
    _weak("weak-action", token("repo:*", "StringLike", Action="sts:*")),
    _weak("weak-everybody", takes("*")),
    _weak("weak-stranger", token(PRODUCTION), takes({"AWS": f"arn:aws:iam::{STRANGER}:root"})),
    _weak("weak-people", token(PRODUCTION), _SIGN_ON),
    # Deploy roles that can do too much.
    deploy("strong-admin", "pass", "fail", rights={}, attached=(ADMIN,)),
    _strong("strong-all", "*"),
    _strong("strong-iam", "iam:*"),
    _strong("strong-pass-role", "iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"),
    _strong("strong-policy-version", "iam:CreatePolicyVersion"),
    _strong("strong-attach", "iam:AttachRolePolicy"),
    _strong("strong-trust", "iam:UpdateAssumeRolePolicy"),
    _strong("strong-blinds", "cloudtrail:StopLogging", "cloudtrail:DeleteTrail"),
    _strong("strong-destroys", "s3:DeleteBucket", "rds:DeleteDBInstance", "kms:ScheduleKeyDeletion"),
    _strong("strong-service", "ec2:*"),
    deploy(
        "strong-all-but",
        "pass",
        "fail",
        rights=document({"Effect": "Allow", "NotAction": "organizations:*", "Resource": "*"}),
    ),
    # Deploy users.
    _user("robot-without-keys", "pass"),
    _user("robot-with-key", "fail", keys=(True,)),
    _user("robot-with-keys", "fail", keys=(True, False)),
    _user("robot-with-password", "fail", password=True),
    # Roles that a pipeline or anybody can become, and that nobody declared.
    Planted("undeclared-token", Verdicts("fail", "pass", "pass"), document(token(MAIN)), {"work": ROLLOUT}),
    Planted("undeclared-public", Verdicts("fail"), document(takes({"AWS": "*"}))),
    # People.
    Planted("alice", Verdicts(), groups=("developers", "admins"), password=True, mfa=True),
    Planted("bob", Verdicts(), groups=("developers",), password=True),
    Planted("carol", Verdicts(), groups=("developers",), keys=(True,)),
    Planted("dave", Verdicts(), policies={"own": document(allow("s3:GetObject"))}, keys=(False,), path="/staff/"),
    Planted("erin", Verdicts(), attached=("read-metrics",)),
    _other("people-admin", document(takes(_OWN_ROOT, **_MFA)), "*"),
    _other("people-sign-on", document(_SIGN_ON), "ecs:DescribeServices"),
    _other("BreakGlass", document(takes({"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"}, **_MFA)), "*"),
    # Machines.
    _other("log-forwarder", service("lambda"), "logs:CreateLogStream", "logs:PutLogEvents"),
    _other("function-reader", service("lambda"), "dynamodb:GetItem", path="/service-role/"),
    _other("task-payments", service("ecs-tasks"), "sqs:SendMessage", "sqs:ReceiveMessage"),
    _other("task-execution", service("ecs-tasks"), "ecr:GetAuthorizationToken", "ecr:BatchGetImage"),
    _other("host-web", service("ec2"), "s3:GetObject", profile=True),
    _other("host-batch", service("ec2"), "s3:PutObject", profile=True),
    _other("host-idle", service("ec2"), profile=True),
    _other("backup", service("backup"), "rds:CreateDBSnapshot"),
    _other("flow", service("states"), "lambda:InvokeFunction"),
    _other("pipeline-events", service("events"), "codebuild:StartBuild"),
    _other("metrics", service("monitoring.rds"), "logs:PutLogEvents", attached=("read-metrics",)),
    # Others' ways in, and leftovers.
    _other(
        "auditor",
        document(takes({"AWS": f"arn:aws:iam::{TOOLING}:root"}, StringEquals={"sts:ExternalId": "example-audit"})),
        "config:Describe*",
    ),
    _other("monitor-read", document(takes({"AWS": f"arn:aws:iam::{TOOLING}:role/monitor"})), "iam:Get*", "iam:List*"),
    _other("left-over", document(takes({"AWS": f"arn:aws:iam::{ACCOUNT}:user/dave"})), attached=("left-over",)),
)
TRUTH: dict[str, Verdicts] = {one.name: one.verdicts for one in PLANTED}
DECLARED: list[dict[str, Any]] = [one.declared for one in PLANTED if one.declared]
"""The deploy identities, as they stand in expected state."""

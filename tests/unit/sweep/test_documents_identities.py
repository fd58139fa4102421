"""`monitor evaluate` for documents of identities: what an experienced auditor would say of each, with nothing beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from monitor.expected.load import load
from monitor.sources.catalogue import aws_catalogue
from monitor.sweep import registry
from monitor.sweep.documents import Judged
from monitor.sweep.documents_identities import KINDS, judge

CONFIG = Path(__file__).parents[3] / "config"
EXPECTED = load(CONFIG / "expected")
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


def judged(kind: str, *documents: Any) -> list[Judged]:
    bodies = [one if isinstance(one, bytes) else json.dumps(one).encode() for one in documents]
    return list(judge(kind, bodies, CHECKS, EXPECTED, CATALOGUES))


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
    ("the organisation's prefix without a slash", trust(github("repo:example-org*")), "fail", "anybody can make"),
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
    ("a star taken literally", trust(github("repo:example-org/payments:*", EQUALS)), "fail", ""),
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
    ("all but one", trust({"Effect": "Allow", "NotPrincipal": {"AWS": ROOT}, "Action": "sts:AssumeRole"}), "fail", ""),
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
    ("get-role of a declared role with another's proof", {"Role": {"Arn": f"arn:aws:iam::{ACCOUNT}:role/web-deploy", "AssumeRolePolicyDocument": trust(github(MINE, EQUALS))}}, "fail", "web-deploy: "),
    ("URL-encoded inside", {"Arn": f"arn:aws:iam::{ACCOUNT}:role/web", "AssumeRolePolicyDocument": quote(json.dumps(trust(github(MINE, EQUALS))))}, "pass", "web: "),
]  # fmt: skip


@pytest.mark.parametrize(("document", "outcome", "told"), [row[1:] for row in TRUSTS], ids=[row[0] for row in TRUSTS])
def test_a_trust_policy_is_judged_by_who_it_lets_in(document: Any, outcome: str, told: str) -> None:
    (found,) = judged(TRUST, document)
    assert (found.outcome.value, told in found.reason) == (outcome, True), found.reason
    assert found.reason

"""Builders for what a review of deploy identities found: from documents to verdicts."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Any

from checks import deploy_privilege, deploy_trust
from checks.deploy_privilege import PrivilegeExpectations
from checks.deploy_trust import TrustExpectations
from monitor.decode.aws_policy import policy
from monitor.decode.aws_trust import OidcProvider, trust_paths
from monitor.expected.models import DeployIdentity, GitHubEstate, Production
from monitor.facts.identity import Identity
from monitor.facts.repository import Environment, Repository
from monitor.iam.analysis import analyse
from monitor.iam.catalogue import Catalogue
from monitor.model import Result, Sweep, Window
from monitor.sources.catalogue import aws_catalogue

AT = datetime(2026, 9, 1, tzinfo=UTC)
SWEEP = Sweep(id="s", planned_for=AT, at=AT, window=Window(AT, AT))
ACCOUNT, GITHUB = "111122223333", "token.actions.githubusercontent.com"
ARN = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}"
PROVIDERS = {ARN: OidcProvider(arn=ARN, issuer=GITHUB, client_ids=("sts.amazonaws.com",))}
DEPLOY, ROOT = f"arn:aws:iam::{ACCOUNT}:role/deploy", f"arn:aws:iam::{ACCOUNT}:root"
MINE = "repo:example-org/payments:environment:production"
PROTECTED = Environment(id=1, name="production", branch_policy="custom", deploys_from=("main",))
FUNCTIONS = f"arn:aws:lambda:*:{ACCOUNT}:function:app-*"
PASSES = f"arn:aws:iam::{ACCOUNT}:role/app-*"


@cache
def catalogue() -> Catalogue:
    return aws_catalogue()


def allow(*actions: str, on: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on, **more}


def deny(*actions: str, on: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, on=on, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def by_token(*subjects: str, operator: str = "StringLike", audience: str = "StringEquals") -> dict[str, Any]:
    conditions: dict[str, Any] = {audience: {f"{GITHUB}:aud": "sts.amazonaws.com"}}
    conditions.setdefault(operator, {})[f"{GITHUB}:sub"] = list(subjects)
    who = {"Effect": "Allow", "Principal": {"Federated": ARN}, "Action": "sts:AssumeRoleWithWebIdentity"}
    return {**who, "Condition": conditions}


def by(principal: Any, **conditions: Any) -> dict[str, Any]:
    found = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
    return {**found, "Condition": conditions} if conditions else found


def role(short: str, *statements: dict[str, Any], trust: tuple[dict[str, Any], ...] = (), **more: Any) -> Identity:
    given: dict[str, Any] = {
        "provider": "aws",
        "account": ACCOUNT,
        "id": f"ID{short}",
        "name": f"arn:aws:iam::{ACCOUNT}:role/{short}",
        "kind": "role",
        "at": AT,
        "policies": (policy(document(*statements), f"{short}-own", "inline"),) if statements else (),
        "trust": trust_paths(document(*trust), PROVIDERS, ACCOUNT) if trust else (),
    }
    return Identity(**(given | more))


def declared(*subjects: str, allows: list[dict[str, Any]] | None = None, name: str = DEPLOY) -> DeployIdentity:
    proof = {"token": {"issuer": GITHUB, "subjects": list(subjects or (MINE,)), "audience": "sts.amazonaws.com"}}
    entry: dict[str, Any] = {"id": "payments", "principals": [name], "proof": proof}
    return DeployIdentity.model_validate(entry | ({"allows": allows} if allows is not None else {}))


def trusted(
    *statements: dict[str, Any],
    others: tuple[Identity, ...] = (),
    place: Environment = PROTECTED,
    entry: DeployIdentity | None = None,
) -> Result:
    repository = Repository(organisation="example-org", id=7, name="example-org/payments", at=AT, environments=(place,))
    accesses = analyse([role("deploy", trust=statements), *others], {"aws": catalogue()})
    expect = TrustExpectations(
        production=Production(github=GitHubEstate(organizations=("example-org",))),
        deploy_identities=(entry or declared(),),
    )
    found = deploy_trust.evaluate([*accesses, repository], expect, SWEEP)
    return next(one for one in found if one.subject.endswith(":IDdeploy:trust"))


def able(
    *statements: dict[str, Any], others: tuple[Identity, ...] = (), allows: list[dict[str, Any]] | None = None
) -> Result:
    accesses = analyse([role("deploy", *statements), *others], {"aws": catalogue()})
    expect = PrivilegeExpectations(deploy_identities=(declared(allows=allows),))
    found = deploy_privilege.evaluate(accesses, expect, SWEEP)
    return next(one for one in found if one.subject.endswith(":IDdeploy:privilege"))


def kinds(found: Result) -> set[tuple[str, str]]:
    return {(one["kind"], one["rule"]) for one in found.observed["powers"]}

"""Builders of identities, policies and ways to become one, for the tests of escalation, chains and analysis."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from monitor.facts.identity import Identity
from monitor.facts.policy import Condition, Policy, Statement
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.iam.analysis import analyse
from monitor.iam.catalogue import Catalogue
from monitor.sources.catalogue import aws_catalogue

AT = datetime(2026, 9, 1, tzinfo=UTC)
ACCOUNT, OTHER = "111122223333", "444455556666"
PROJECT = "example-prod"
GITHUB = "token.actions.githubusercontent.com"
EVERYTHING: tuple[dict[str, Any], ...] = ({"actions": ("*",)},)


def arn(kind: str, name: str, account: str = ACCOUNT) -> str:
    return f"arn:aws:iam::{account}:{kind}/{name}"


def statement(n: int, **fields: Any) -> Statement:
    fields.setdefault("allow", True)
    if not fields.get("not_resources"):
        fields.setdefault("resources", ("*",))
    return Statement(n=n, **fields)


def policy(name: str, *statements: dict[str, Any], kind: str = "inline") -> Policy:
    return Policy(name=name, kind=kind, statements=tuple(statement(n, **one) for n, one in enumerate(statements, 1)))


def allow(*actions: str, on: str | tuple[str, ...] = "*", where: tuple[Condition, ...] = ()) -> dict[str, Any]:
    return {"actions": actions, "resources": (on,) if isinstance(on, str) else on, "conditions": where}


def deny(*actions: str, on: str | tuple[str, ...] = "*", where: tuple[Condition, ...] = ()) -> dict[str, Any]:
    return {**allow(*actions, on=on, where=where), "allow": False}


def equals(key: str, *values: str, operator: str = "StringEquals") -> Condition:
    return Condition(operator=operator, key=key, values=values)


def identity(
    name: str, *statements: dict[str, Any], kind: str = "role", account: str = ACCOUNT, **more: Any
) -> Identity:
    more.setdefault("policies", (policy(f"{name}-own", *statements),) if statements else ())
    return Identity(
        provider="aws", account=account, id=f"ID{name}", name=arn(kind, name, account), kind=kind, at=AT, **more
    )


def role(name: str, *statements: dict[str, Any], **more: Any) -> Identity:
    return identity(name, *statements, **more)


def user(name: str, *statements: dict[str, Any], **more: Any) -> Identity:
    return identity(name, *statements, kind="user", **more)


def account_of(
    name: str, *statements: dict[str, Any], trust: tuple[TrustPath, ...] = (), project: str = PROJECT
) -> Identity:
    return Identity(
        provider="gcp",
        account=project,
        id=f"ID{name}",
        name=f"{name}@{project}.iam.gserviceaccount.com",
        kind="service-account",
        at=AT,
        policies=(policy("roles/made", *statements, kind="role"),) if statements else (),
        trust=trust,
    )


def served(*services: str, tests: tuple[ClaimTest, ...] = ()) -> tuple[TrustPath, ...]:
    return tuple(
        TrustPath(kind="service", principal=one, action="sts:AssumeRole", by="trust#1", tests=tests) for one in services
    )


def by_identity(name: str, **more: Any) -> TrustPath:
    return TrustPath(kind="identity", principal=name, action="sts:AssumeRole", by="trust#1", **more)


def by_account(account: str = ACCOUNT, **more: Any) -> TrustPath:
    return TrustPath(
        kind="account", principal=f"arn:aws:iam::{account}:root", action="sts:AssumeRole", by="trust#1", **more
    )


def by_token(subject: str = "repo:example-org/shop:ref:refs/heads/main", **more: Any) -> TrustPath:
    return TrustPath(
        kind="token",
        principal=f"arn:aws:iam::{ACCOUNT}:oidc-provider/{GITHUB}",
        issuer=GITHUB,
        action="sts:AssumeRoleWithWebIdentity",
        by="trust#1",
        tests=(ClaimTest(claim="sub", patterns=(subject,)),),
        **more,
    )


def catalogues() -> dict[str, Catalogue]:
    return {"aws": aws_catalogue()}


def accesses(identities: Iterable[Identity]) -> dict[str, Any]:
    return {one.identity.name: one for one in analyse(identities, catalogues())}


def escalations(identities: Iterable[Identity], name: str) -> tuple[Any, ...]:
    return tuple(one for one in accesses(identities)[name].powers if one.kind == "escalation")


def by_rule(found: tuple[Any, ...], rule: str) -> list[Any]:
    return [one for one in found if one.rule == rule]


def only(found: tuple[Any, ...], rule: str) -> Any:
    (one,) = by_rule(found, rule)
    return one


def document(*statements: dict[str, Any]) -> Identity:
    return Identity(
        provider="aws",
        account="",
        id="document",
        name="policy.json",
        kind="role",
        at=AT,
        document=True,
        policies=(policy("policy.json", *statements),),
    )

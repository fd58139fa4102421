"""Facts about writes and exchanges, made short for tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.facts.change import Actor, ChangeEvent, ChangeSession, TokenExchange
from monitor.facts.session import Exchanges, join
from monitor.model import EvidenceRef

AT = datetime(2026, 3, 9, 10, tzinfo=UTC)
PAYMENTS, DATA, TOOLING = "111122223333", "444455556666", "777788889999"
ISSUER = "token.actions.githubusercontent.com"
SUBJECT = "repo:example-org/payments:environment:production"


def minute(n: float) -> datetime:
    return AT + timedelta(minutes=n)


def role_actor(role: str = "payments-deploy", key: str = "ASIA1", name: str = "run-1", **over: Any) -> Actor:
    account = over.pop("account", PAYMENTS)
    session = f"arn:aws:sts::{account}:assumed-role/{role}/{name}"
    values: dict[str, Any] = {
        "kind": "AssumedRole",
        "name": session,
        "account": account,
        "principals": (session, f"arn:aws:iam::{account}:role/{role}"),
        "principal_id": f"AROA{role.upper()}:{name}",
        "access_key": key,
        "session_name": name,
        "session_started": AT,
        **over,
    }
    return Actor(**values)


def user_actor(name: str = "admin", key: str = "AKIA1", **over: Any) -> Actor:
    arn = f"arn:aws:iam::{PAYMENTS}:user/{name}"
    values: dict[str, Any] = {
        "kind": "IAMUser",
        "name": arn,
        "account": PAYMENTS,
        "principals": (arn,),
        "principal_id": f"AIDA{name.upper()}",
        "access_key": key,
        "human": "user with keys of its own",
        **over,
    }
    return Actor(**values)


PERSON = role_actor(
    "AWSReservedSSO_PowerUser_0f1e2d3c4b5a6978", "ASIAPERSON", "ada.ruiz@example.org", human="single sign-on"
)


def write(event_id: str = "w1", actor: Actor | None = None, **over: Any) -> ChangeEvent:
    values: dict[str, Any] = {
        "id": event_id,
        "time": minute(3),
        "provider": "aws",
        "account": PAYMENTS,
        "region": "us-east-1",
        "action": "ecs:UpdateService",
        "actor": actor or role_actor(),
        "evidence": EvidenceRef(kind="log-object", name=f"object-of-{event_id}", sha256="ab" * 32),
        **over,
    }
    return ChangeEvent(**values)


def exchange(key: str = "ASIA1", kind: str = "web-identity", source: Actor | None = None, **over: Any) -> TokenExchange:
    token = {"issuer": ISSUER, "subject": SUBJECT, "audience": "sts.amazonaws.com"} if kind == "web-identity" else {}
    values: dict[str, Any] = {
        "id": f"x-{key}",
        "time": AT,
        "account": PAYMENTS,
        "kind": kind,
        "source": source or Actor(kind="WebIdentityUser", name=SUBJECT),
        "access_key": key,
        "evidence": EvidenceRef(kind="log-object", name=f"object-of-x-{key}", sha256="cd" * 32),
        **token,
        **over,
    }
    return TokenExchange(**values)


def joined(
    writes: Sequence[ChangeEvent], exchanges: Sequence[TokenExchange] = (), *, visible: bool = False
) -> tuple[ChangeSession, ...]:
    return join(writes, Exchanges(exchanges), lambda account, moment: visible)


def one(*writes: ChangeEvent, exchanges: Sequence[TokenExchange] = (), visible: bool = False) -> ChangeSession:
    (session,) = joined(writes or [write()], exchanges, visible=visible)
    return session

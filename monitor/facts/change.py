"""Facts about production writes: the event, who held the credentials, and how they came by them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec

from monitor.model import EvidenceRef, Severity, Unknown


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who made a call, as the provider recorded it. Every string comes from outside and is shown, never trusted.

    `principals` are the identifiers that patterns of expected state are matched against (role, session, user …);
    `service` names the provider's own service when the provider itself acted; `human` says why a person is to be seen
    behind it (console, root, single sign-on, user), and is empty when nothing says so.
    """

    kind: str = ""
    name: str = ""
    account: str = ""
    principals: tuple[str, ...] = ()
    principal_id: str = ""
    access_key: str = ""
    session_name: str = ""
    session_started: datetime | None = None
    federated_by: str = ""
    service: str = ""
    via: str = ""
    source_identity: str = ""
    on_behalf_of: str = ""
    human: str = ""
    mfa: bool | None = None
    holder: str = ""
    """Where credentials bear no key: who holds them and through whom; by it, and by the time, their exchange is found."""


class TokenExchange(msgspec.Struct, frozen=True, kw_only=True):
    """One issuing of temporary credentials: to whom, on what proof, and the access key that came of it.

    `kind` is web-identity, saml, role, session, federation or service; `subject` the token's subject (web-identity, saml).
    """

    id: str
    time: datetime
    account: str
    kind: str
    target: str = ""
    issuer: str = ""
    subject: str = ""
    audience: str = ""
    session_name: str = ""
    source: Actor = Actor()
    source_ip: str = ""
    user_agent: str = ""
    access_key: str = ""
    principal_id: str = ""
    holder: str = ""
    """Where the credentials bear no key: who holds them and through whom, as `Actor.holder`."""
    expires: datetime | None = None
    sha256: str = ""
    """Digest (hex) of the record's exact bytes."""
    evidence: EvidenceRef | None = None


class ChangeEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One successful write to a control plane. `action` is `service:Name`; `what` names what it was done to."""

    id: str
    time: datetime
    provider: str
    account: str
    region: str
    action: str
    actor: Actor
    what: tuple[str, ...] = ()
    source_ip: str = ""
    user_agent: str = ""
    severity: Severity = Severity.MEDIUM
    operation: str = ""
    """The long-running operation that the call belongs to; its first and last record are one change."""
    ends: bool = False
    """Whether this is the last record of an operation that began with another."""
    blinds: str = ""
    """Set when the call itself can blind the audit log: what it does."""
    sha256: str = ""
    """Digest (hex) of the record's exact bytes."""
    evidence: EvidenceRef | None = None


def operation(event: ChangeEvent) -> str:
    """Return which long-running operation an event belongs to: in which account, of which call, and whose it is."""
    actor = event.actor
    parts = (event.account, event.action, event.operation, actor.name, actor.principal_id, actor.holder, actor.via)
    return "\x1f".join(parts)


class ChangeSession(msgspec.Struct, frozen=True, kw_only=True):
    """All known writes of one session in one account, with the chain of credentials that led to them.

    `chain` runs from the exchange that gave these credentials back to the origin. `chain_end` tells why it stops where it
    does: None when its last exchange starts from an origin that needs none (a token, a user's key, root); else Unknown.
    """

    id: str
    provider: str
    account: str
    actor: Actor
    writes: tuple[ChangeEvent, ...]
    chain: tuple[TokenExchange, ...] = ()
    chain_end: Unknown | None = None
    exchange_visible: bool = False
    """Whether the logs of the moment at which the session started were read whole: then an absent exchange is proof."""

    @property
    def behind(self) -> str:
        """Return who sits behind the session and why a person is to be seen there; empty if nothing says so."""
        if self.actor.human:
            return f"a person is behind the session: {self.actor.human}"
        for exchange in self.chain:
            if exchange.source.human:
                call = f"{exchange.kind} credentials at {exchange.time:%Y-%m-%dT%H:%M:%SZ}"
                return f"{exchange.source.name} ({exchange.source.human}) took the role with {call}"
        return ""

    def story(self, accused: Collection[str] = ()) -> dict[str, Any]:
        """Return who, from where, with which credentials, and what was done in order, as plain data for a result.

        `accused` are the ids of the writes that fail; the others are told apart.
        """
        return {
            "account": self.account,
            "actor": _who(self.actor),
            "person": _person(self),
            "session_started": self.actor.session_started,
            "from": sorted({w.source_ip for w in self.writes if w.source_ip}),
            "user_agents": sorted({w.user_agent for w in self.writes if w.user_agent}),
            "credentials": [_issued(exchange) for exchange in self.chain],
            "credentials_unknown": self.chain_end.reason if self.chain_end else "",
            "writes": [_done(write, write.id in accused) for write in self.writes],
        }

    def references(self) -> tuple[EvidenceRef, ...]:
        """Return the log objects that hold the session's writes and its chain of credentials, each once, by name."""
        cited = [w.evidence for w in self.writes] + [e.evidence for e in self.chain]
        found = {ref.name: ref for ref in cited if ref}
        return tuple(found[name] for name in sorted(found))


def _who(actor: Actor) -> dict[str, Any]:
    shown = (
        "kind",
        "name",
        "account",
        "session_name",
        "human",
        "via",
        "federated_by",
        "source_identity",
        "on_behalf_of",
    )
    return {name: value for name in shown if (value := getattr(actor, name))} | (
        {} if actor.mfa is None else {"mfa": actor.mfa}
    )


def _person(session: ChangeSession) -> str:
    """Return who seems to sit behind the session: the nearest to the origin that is a person; empty if none is known."""
    for exchange in reversed(session.chain):
        if exchange.source.human:
            return exchange.source.on_behalf_of or exchange.source.session_name or exchange.source.name
        if exchange.kind == "saml":
            return exchange.session_name or exchange.subject
    actor = session.actor
    if actor.source_identity:
        return actor.source_identity
    return (actor.on_behalf_of or actor.session_name or actor.name) if actor.human else ""


def _issued(exchange: TokenExchange) -> dict[str, Any]:
    shown = ("time", "kind", "target", "issuer", "subject", "audience", "session_name", "source_ip", "access_key", "id")
    return {name: value for name in shown if (value := getattr(exchange, name))} | {"by": exchange.source.name}


def _done(write: ChangeEvent, accused: bool) -> dict[str, Any]:
    return {
        "time": write.time,
        "action": write.action,
        "what": list(write.what),
        "region": write.region,
        "severity": write.severity.value,
        "accused": accused,
        "id": write.id,
        "object": write.evidence.name if write.evidence else "",
    }

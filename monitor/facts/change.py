"""Facts about production writes: the event, who held the credentials, and how they came by them."""

from __future__ import annotations

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
    expires: datetime | None = None
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
    blinds: str = ""
    """Set when the call itself can blind the audit log: what it does."""
    details: dict[str, Any] = {}
    evidence: EvidenceRef | None = None


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

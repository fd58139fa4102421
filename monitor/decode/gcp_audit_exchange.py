"""The issuing of Google Cloud's credentials: for which token, to whom, and who became which service account. Pure.

Neither bears a key that later calls would name. They are found again by who holds them and through whom: a later call tells
both, authenticated by Google. https://cloud.google.com/iam/docs/audit-logging/examples-workload-identity
"""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta
from typing import Any

from monitor.decode import gcp_catalogue as names
from monitor.decode.gcp_audit import Record, event_id, happened
from monitor.decode.gcp_audit_bodies import body_of
from monitor.facts.change import TokenExchange
from monitor.model import EvidenceRef

_HOUR = 3600
_LONGEST = 12 * _HOUR
"""Seconds: https://cloud.google.com/iam/docs/create-short-lived-credentials-direct#sa-credentials-oauth"""
_SECONDS = re.compile(r"([0-9]{1,6})(?:\.[0-9]+)?s?", re.ASCII)
_PROVIDER = re.compile(
    r"(?://iam\.googleapis\.com/)?(projects/[^/]+/locations/global/workloadIdentityPools/[^/]+/providers/[^/]+)"
)


def exchange(item: Record, *, log_object: EvidenceRef | None = None) -> TokenExchange | None:
    """Return the issuing of credentials as a fact; None for sign-ins, failures, and what gives nobody credentials to call with.

    Raises Malformed.
    """
    method = names.last(item.audit.method_name)
    if item.audit.status.code or item.audit.service_name not in names.ISSUERS:
        return None
    if method == "ExchangeToken":
        return _federated(item, log_object)
    # Who may sign may make a token by himself, of which no log would tell; the call is kept, and stands for it.
    return _impersonated(item, log_object) if method in ("GenerateAccessToken", "SignJwt", "SignBlob") else None


def _federated(item: Record, ref: EvidenceRef | None) -> TokenExchange | None:
    mapped = _text(body_of(item.payload.metadata), "mapped_principal") or item.actor.principal_id
    if not mapped.startswith(("principal://", "principalSet://")):
        return None
    audience = _text(body_of(item.payload.request), "audience")
    provider = _PROVIDER.fullmatch(audience) or _PROVIDER.fullmatch(item.audit.resource_name)
    return _fact(
        item,
        ref,
        kind="web-identity",
        target=mapped,
        issuer=provider[1] if provider else "",
        subject=mapped.partition("/subject/")[2],
        audience=audience,
        holder=f"{mapped} through its token",
        seconds=_HOUR,
    )


def _impersonated(item: Record, ref: EvidenceRef | None) -> TokenExchange | None:
    labels = item.entry.resource.labels if item.entry.resource else {}
    request = body_of(item.payload.request)
    target = labels.get("email_id") or _text(request, "name").rpartition("/")[2]
    if "@" not in target:
        return None
    origin = item.actor.via or item.actor.name
    return _fact(
        item,
        ref,
        kind="role",
        target=target,
        holder=f"{target} through {origin}",
        seconds=_lifetime(request),
    )


def _fact(item: Record, ref: EvidenceRef | None, *, seconds: int, **told: str) -> TokenExchange:
    when = happened(item.entry)
    return TokenExchange(
        id=event_id(item),
        time=when,
        account=item.account,
        source=item.actor,
        source_ip=item.audit.request_metadata.caller_ip,
        user_agent=item.audit.request_metadata.caller_supplied_user_agent,
        expires=when + timedelta(seconds=seconds),
        sha256=hashlib.sha256(item.body).hexdigest(),
        evidence=ref,
        **told,
    )


def _lifetime(request: Any) -> int:
    """Return for how many seconds credentials are good: as was asked for, an hour where nothing was."""
    asked = request.get("lifetime") if isinstance(request, dict) else None
    text = asked.get("seconds") if isinstance(asked, dict) else asked
    matched = _SECONDS.fullmatch(str(text)) if isinstance(text, str | int) and not isinstance(text, bool) else None
    return min(int(matched[1]), _LONGEST) if matched else _HOUR


def _text(value: Any, name: str) -> str:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else ""

"""The bodies of an entry, whose types the service alone knows: read as plain data, where something in them matters. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from monitor.decode import gcp_catalogue as names
from monitor.decode.gcp_audit_entry import ERRORS, Payload

_any = msgspec.json.Decoder().decode


def body_of(raw: msgspec.Raw) -> dict[str, Any]:
    """Return a body (request, metadata, serviceData) as plain data; empty where it is no object, or cannot be read."""
    if not raw:
        return {}
    try:
        found = _any(raw)
    except ERRORS:
        return {}
    return found if isinstance(found, dict) else {}


def deltas(told: Payload, name: str) -> list[dict[str, Any]]:
    """Return what a change of a policy added and removed, as the service tells it."""
    if not told.serviceData:
        return []
    policy = body_of(told.serviceData).get("policyDelta")
    deltas = policy.get(name) if isinstance(policy, dict) else None
    return [one for one in deltas if isinstance(one, dict)] if isinstance(deltas, list) else []


def blinding(audit: Any, told: Payload, log_buckets: frozenset[str] = frozenset()) -> str:
    """Return how a call can blind the audit log, or nothing."""
    service, method = audit.service_name, audit.method_name
    if direct := names.blinding(service, method):
        return direct
    removed = [one for one in deltas(told, "auditConfigDeltas") if one.get("action") != "ADD"]
    exempt = [one for one in deltas(told, "auditConfigDeltas") if one.get("exemptedMember")]
    if removed:
        return "removes an audit config: data access logs of a service end"
    if exempt:
        return "exempts members from data access logs"
    if log_buckets and service == "storage.googleapis.com":
        bucket = audit.resource_name.partition("buckets/")[2].partition("/")[0]
        return names.blinding_bucket(method) if bucket in log_buckets else ""
    return ""


def may_blind(service: str) -> bool:
    """Return whether a service's calls can blind the audit log, so that none of them is passed over."""
    return service in ("logging.googleapis.com", "storage.googleapis.com", "cloudresourcemanager.googleapis.com")

"""One entry of Google Cloud's audit log to facts: what kind of entry it is, and what was written by whom.

Pure. The order of questions is design section 6.1. A kept entry is parsed as the provider's own message, so that a field of
another type is told and not guessed at; bodies are lifted out first, since their types are known to nobody but the service.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from google.cloud.audit.audit_log_pb2 import AuditLog, AuthenticationInfo  # type: ignore[import-untyped]
from google.protobuf.json_format import ParseDict, ParseError  # type: ignore[import-untyped]

from monitor.decode import gcp_catalogue as names
from monitor.decode.cloudtrail_identity import moment
from monitor.decode.gcp_audit_bodies import blinding, body_of, deltas
from monitor.decode.gcp_audit_entry import ABSENT, ERRORS, Entry, Payload, entry, log_of, payload, short
from monitor.decode.gcp_audit_identity import actor_of, agent_number
from monitor.decode.gcp_audit_wire import Flagged
from monitor.decode.record_kind import Kind
from monitor.errors import Malformed
from monitor.facts.change import Actor, ChangeEvent
from monitor.model import EvidenceRef

PROVIDER = "gcp"
NO_PROJECTS: Mapping[str, str] = {}
_any = msgspec.json.Decoder().decode
_TYPE = "type.googleapis.com/google.cloud.audit.AuditLog"
# Only what is asked for is parsed as the provider's message: `serviceData` is an Any of types that no descriptor here knows, so
# are the details of a status, and of a body a Struct would turn every number into a float.
# https://protobuf.dev/reference/protobuf/google.protobuf/#struct
_FIRST_YEAR, _LAST_YEAR = 2013, 2100
_MOST_TARGETS = 20


class Record(msgspec.Struct, gc=False):
    """An entry with its payload parsed, its caller and its kind told. `payload` holds the bodies as bytes."""

    body: bytes
    entry: Entry
    audit: Any
    payload: Payload
    actor: Actor
    kind: Kind
    place: str
    account: str
    log: str


def record(body: bytes, projects: Mapping[str, str] = NO_PROJECTS) -> Record:
    """Return one entry, classified. `projects` are ids by number of those that are known. Raises Malformed.

    Where numbers are known, an agent of a project with another number is not excused: what it was told to do stands in that
    project's log, which nobody reads.
    """
    found = entry(body)
    place, log = log_of(found.logName)
    if log not in names.LOGS:
        raise Malformed(f"not an entry of an audit log: {found.logName[:100]!r}")
    audit, told = _parsed(found)
    if not audit.method_name or not audit.service_name:
        raise Malformed("methodName or serviceName is missing")
    raw = bytes(told.authenticationInfo)
    actor = _actor(raw, audit.request_metadata.caller_supplied_user_agent)
    if actor.service and is_foreign(actor.name, projects):
        actor = msgspec.structs.replace(actor, service="")
    kind = kind_of(log, audit, told, actor)
    # An agent that somebody passed on is not itself the one who acted; and Google's systems have no name of their own.
    service = (actor.service or "google") if kind in (Kind.SERVICE, Kind.TELEMETRY) else ""
    if service != actor.service:
        actor = msgspec.structs.replace(actor, service=service)
    return Record(body, found, audit, told, actor, kind, place, account_of(place, found, projects), log)


def is_foreign(email: str, projects: Mapping[str, str]) -> bool:
    """Return whether an agent acts for a project that is not among those whose numbers are known."""
    number = agent_number(email)
    return bool(projects and number and number not in projects)


def _parsed(found: Entry) -> tuple[Any, Payload]:
    if found.protoPayload is ABSENT:
        raise Malformed("the entry has no protoPayload: what was done cannot be told")
    told = payload(found.protoPayload)
    if told.type not in ("", _TYPE):
        raise Malformed("protoPayload is no AuditLog")
    try:
        # The message's own constructor checks each type, and costs a twentieth of the way through JSON.
        audit = AuditLog(
            service_name=told.serviceName,
            method_name=told.methodName,
            resource_name=told.resourceName,
            status={"code": told.status.get("code", 0)},
            request_metadata={
                ours: told.requestMetadata[name] for name, ours in _METADATA if name in told.requestMetadata
            },
            authorization_info=[_asked(one) for one in told.authorizationInfo],
            resource_location={"current_locations": told.resourceLocation.get("currentLocations") or ()},
        )
    except (ValueError, TypeError, AttributeError, OverflowError) as wrong:
        raise Malformed(f"protoPayload: {short(wrong)}") from wrong
    if told.authenticationInfo is not ABSENT:
        audit.authentication_info.CopyFrom(_caller(bytes(told.authenticationInfo)))
    return audit, told


_METADATA = (("callerIp", "caller_ip"), ("callerSuppliedUserAgent", "caller_supplied_user_agent"))
_PERMISSION = ("resource", "permission", "granted")


def _asked(one: dict[str, Any]) -> dict[str, Any]:
    """Return a permission that was asked for, as the message's constructor takes it; a type that is new counts as none."""
    found = {name: one[name] for name in _PERMISSION if name in one}
    kind = one.get("permissionType")
    return found | {"permission_type": kind} if kind in _PERMISSIONS.values_by_name else found


@lru_cache(maxsize=4096)
def _caller(raw: bytes) -> Any:
    """Return who called, parsed; most entries of a log are of few callers. Raises Malformed."""
    try:
        told = _any(raw)
    except ERRORS as wrong:
        raise Malformed(f"authenticationInfo: {short(wrong)}") from wrong
    if isinstance(told, dict) and any("_" in name for name in told):
        # The message would take these names too, and the first look at an entry knows the others alone.
        raise Malformed("authenticationInfo has names that Google Cloud does not write")
    return _message(told or {}, AuthenticationInfo())


@lru_cache(maxsize=4096)
def _actor(raw: bytes, user_agent: str) -> Actor:
    return actor_of(_caller(raw) if raw else AuthenticationInfo(), user_agent)


def _message(told: Any, message: Any) -> Any:
    try:
        return ParseDict(told, message, ignore_unknown_fields=True, max_recursion_depth=20)
    # It raises more than its own error for what is deep, or has no such encoding.
    except (ParseError, ValueError, TypeError, AttributeError, RecursionError, OverflowError) as wrong:
        raise Malformed(f"protoPayload: {short(wrong)}") from wrong


def kind_of(log: str, audit: Any, told: Payload, actor: Actor) -> Kind:
    """Return what kind of entry this is; the first question that is answered with yes decides."""
    service, method = audit.service_name, audit.method_name
    if (service in names.ISSUERS and names.last(method) in names.ISSUING) or service in names.SIGN_IN:
        return Kind.CREDENTIALS
    interactive = service == "k8s.io" and bool(names.INTERACTIVE.fullmatch(method))
    if log == names.DATA_ACCESS and not interactive:
        return Kind.DATA
    # What stands in the activity log is there because it writes, whichever permissions it names.
    if service == "k8s.io" and names.K8S_READS.fullmatch(method):
        return Kind.READ
    if log == names.POLICY or audit.status.code or _denied(audit):
        return Kind.ATTEMPT
    if not interactive and _is_dry_run(service, method, told):
        return Kind.DRY_RUN
    if log == names.SYSTEM_EVENT:
        return Kind.SERVICE
    if actor.kind == "ClusterAccount" and actor.service and names.K8S_TELEMETRY.fullmatch(method):
        return Kind.TELEMETRY
    # Who passed an agent on is behind it: a person who deploys through an agent is that person.
    return Kind.SERVICE if actor.service and not actor.via else Kind.WRITE


_PERMISSIONS = (
    AuditLog.DESCRIPTOR.fields_by_name["authorization_info"].message_type.fields_by_name["permission_type"].enum_type
)


def _denied(audit: Any) -> bool:
    """Return whether a permission that was asked for was not granted, and none was."""
    asked = [one for one in audit.authorization_info if one.permission]
    return bool(asked) and audit.service_name == "k8s.io" and not any(one.granted for one in asked)


def _is_dry_run(service: str, method: str, told: Payload) -> bool:
    raw = bytes(told.request)
    if b"validateOnly" not in raw and b"dryRun" not in raw:
        return False
    request = body_of(told.request)
    if service != "k8s.io":
        return request.get("validateOnly") is True  # https://google.aip.dev/163
    # A cluster takes it from the address of a call, which is not logged. In a body, it counts for deletions alone; elsewhere
    # it is a member that the cluster drops: https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run
    deletes = method.endswith((".delete", ".deletecollection"))
    return deletes and request.get("dryRun") == ["All"] and str(request.get("@type", "")).endswith("DeleteOptions")


def account_of(place: str, found: Entry, projects: Mapping[str, str] = NO_PROJECTS) -> str:
    """Return the project of an entry by its id; `organization-1`, `folder-1` for what is above projects.

    Empty where only a number is told that nobody knows: it may be production.
    """
    kind, _, name = place.partition("/")
    if kind == "projects":
        if not name.isdigit():
            return name
        # Some services write the project's number: the resource names the project by its id.
        label = found.resource.labels.get("project_id", "") if found.resource else ""
        told = label if log_of(f"projects/{label}/logs/x")[0] and not label.isdigit() else ""
        return projects.get(name) or told
    return f"{kind.removesuffix('s')}-{name}" if kind in ("organizations", "folders", "billingAccounts") else ""


def happened(found: Entry) -> datetime:
    """Return when the call was made (UTC, to the microsecond). Raises Malformed where the entry does not tell."""
    when = moment(microseconds(found.timestamp))
    if when is None or not _FIRST_YEAR <= when.year <= _LAST_YEAR:
        raise Malformed("timestamp is missing or not a time in UTC")
    return when


def microseconds(text: str) -> str:
    """Return a time of nanoseconds as one that Python reads."""
    head, dot, rest = text.partition(".")
    digits = rest.rstrip("Zz")
    return f"{head}.{digits[:6]}Z" if dot and rest != digits and digits.isdigit() else text


def event_id(item: Record) -> str:
    """Return the entry's id; a digest of its bytes where it has none. Unique with project, log and time."""
    # https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry: entries of one log with the same timestamp and
    # insertId are duplicates.
    found = item.entry
    if not found.insertId:
        return "sha256:" + hashlib.sha256(item.body).hexdigest()
    return f"{found.timestamp}/{found.insertId}"


def event(
    item: Record, *, log_object: EvidenceRef | None = None, log_buckets: frozenset[str] = frozenset()
) -> ChangeEvent:
    """Return a write as a fact. Raises Malformed where it does not tell when it was."""
    found, audit = item.entry, item.audit
    operation = found.operation
    service = audit.service_name.removesuffix(".googleapis.com")
    return ChangeEvent(
        id=event_id(item),
        time=happened(found),
        provider=PROVIDER,
        account=item.account,
        region=_region(item),
        action=f"{service}:{audit.method_name}",
        actor=item.actor,
        what=_targets(item),
        source_ip=audit.request_metadata.caller_ip,
        user_agent=audit.request_metadata.caller_supplied_user_agent,
        severity=names.severity(audit.method_name),
        operation=operation.id if operation else "",
        ends=bool(operation and operation.id and operation.last and not operation.first),
        blinds=blinding(audit, item.payload, log_buckets),
        sha256=hashlib.sha256(item.body).hexdigest(),
        evidence=log_object,
    )


def _region(item: Record) -> str:
    places = list(item.audit.resource_location.current_locations)
    labels = item.entry.resource.labels if item.entry.resource else {}
    return places[0] if places else labels.get("location") or labels.get("zone") or labels.get("region") or "global"


def _targets(item: Record) -> tuple[str, ...]:
    found = [item.audit.resource_name]
    for delta in deltas(item.payload, "bindingDeltas"):
        found.append(" ".join(str(delta.get(name, "")) for name in ("action", "role", "member")).strip())
    return tuple(text for text in dict.fromkeys(found[:_MOST_TARGETS]) if text)


def understood(flagged: Flagged, projects: Mapping[str, str] = NO_PROJECTS) -> Record:
    """Return a flagged entry, classified. Raises Malformed."""
    if flagged.broken:
        raise Malformed(flagged.broken)
    return record(flagged.body, projects)

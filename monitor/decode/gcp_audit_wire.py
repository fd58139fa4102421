"""Google Cloud's log entries as bytes: lines of an hourly file, or the entries of an answer; which of them matter. Pure.

Each entry is decoded by itself, a few fields of it first: what is wrong with one costs no other. A kept entry's exact bytes
are its evidence. https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

import msgspec

from monitor.decode.gcp_catalogue import ACTIVITY, DATA_ACCESS, INTERACTIVE, ISSUERS, LOGS, POLICY, SYSTEM_EVENT
from monitor.errors import Malformed

ABSENT = msgspec.Raw(b"")
ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class _Caller(msgspec.Struct, gc=False):
    principalEmail: str | None = None
    serviceAccountDelegationInfo: msgspec.Raw = ABSENT


class _Call(msgspec.Struct, gc=False):
    serviceName: str = ""
    methodName: str = ""
    authenticationInfo: _Caller | None = None


class Slim(msgspec.Struct, gc=False):
    """What tells whether an entry needs a closer look."""

    protoPayload: _Call | None = None
    timestamp: str = ""
    logName: str = ""


class Operation(msgspec.Struct, gc=False):
    """https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#LogEntryOperation"""

    id: str = ""
    producer: str = ""
    first: bool = False
    last: bool = False


class Resource(msgspec.Struct, gc=False):
    """https://cloud.google.com/logging/docs/reference/v2/rest/v2/MonitoredResource"""

    type: str = ""
    labels: dict[str, str] = {}


class Entry(msgspec.Struct, gc=False):
    """One entry; its payload stays as bytes."""

    insertId: str = ""
    logName: str = ""
    timestamp: str = ""
    receiveTimestamp: str = ""
    protoPayload: msgspec.Raw = ABSENT
    operation: Operation | None = None
    resource: Resource | None = None


class _Page(msgspec.Struct, gc=False):
    entries: list[msgspec.Raw] = []


Plain = Callable[[str, str, str], str]
"""Given place, service and caller of a call that writes: under which word it can be counted as it is, or empty if not."""
_slim = msgspec.json.Decoder(Slim).decode
_entry = msgspec.json.Decoder(Entry).decode
_page = msgspec.json.Decoder(_Page).decode


class Flagged(msgspec.Struct, gc=False):
    """An entry that needs a closer look: its number, its exact bytes, and in `broken` why it cannot be understood."""

    number: int
    body: bytes
    broken: str = ""


class Pass(msgspec.Struct, gc=False):
    """What one pass over entries gave: how many, which need a closer look, how many count as what; the first and last time."""

    records: int
    flagged: list[Flagged]
    plain: dict[str, int]
    damage: str = ""
    first: str = ""
    last: str = ""


def entry(body: bytes) -> Entry:
    """Return one entry. Raises Malformed if it is none."""
    try:
        return _entry(body)
    except ERRORS as wrong:
        raise Malformed(f"not a log entry: {short(wrong)}") from wrong


def log_of(name: str) -> tuple[str, str]:
    """Return the place (`projects/…`) and the log's own name of a `logName`, which has its slash written as %2F."""
    place, _, log = name.partition("/logs/")
    return place, _NAMES.get(log) or unquote(log)


_NOBODY = (b"", b"[]", b"[{}]", b"null")
_NAMES = {log.replace("/", "%2F"): log for log in LOGS}


def lines(content: bytes | bytearray) -> list[bytes]:
    """Return the entries of an hourly file, one a line. https://cloud.google.com/logging/docs/export/storage"""
    return [line for line in bytes(content).split(b"\n") if line and not line.isspace()]


def page(content: bytes) -> list[bytes]:
    """Return the entries of an answer of entries:list, each with its exact bytes. Raises Malformed."""
    try:
        return [bytes(raw) for raw in _page(content).entries]
    except ERRORS as wrong:
        raise Malformed(f"not a page of log entries: {short(wrong)}") from wrong


def sift(bodies: list[bytes], plain: Plain) -> Pass:
    """Return which entries need a closer look, and count the others. Never raises."""
    flagged: list[Flagged] = []
    counted: dict[str, int] = {}
    first, last = "~", ""
    broken = -1
    for number, body in enumerate(bodies):
        try:
            slim = _slim(body)
        except ERRORS as wrong:
            broken = number if broken < 0 else broken
            flagged.append(Flagged(number, body, short(wrong)))
            continue
        when = slim.timestamp
        if when:
            first, last = min(first, when), max(last, when)
        word = _word(slim, plain)
        if word:
            counted[word] = counted.get(word, 0) + 1
        else:
            flagged.append(Flagged(number, body))
    damage = ""
    if broken >= 0:
        lost = sum(1 for one in flagged if one.broken)
        damage = f"{lost} of {len(bodies)} entries cannot be understood, the first is number {broken + 1}"
    return Pass(len(bodies), flagged, counted, damage, "" if first == "~" else first, last)


def _word(slim: Slim, plain: Plain) -> str:
    """Return under which word an entry counts; empty if it needs a closer look."""
    call = slim.protoPayload
    if call is None or not call.methodName:
        return ""
    place, log = log_of(slim.logName)
    if log == DATA_ACCESS:
        looked = call.serviceName in ISSUERS or INTERACTIVE.match(call.methodName)
        return "" if looked else "data_events"
    if log == SYSTEM_EVENT:
        return "service_writes"  # Google's own systems acted: https://cloud.google.com/logging/docs/audit#system-event
    if log == POLICY:
        return "attempts"
    if log != ACTIVITY:
        return ""
    caller = call.authenticationInfo
    # Whom somebody stands behind is looked at.
    alone = caller is not None and bytes(caller.serviceAccountDelegationInfo) in _NOBODY
    return plain(place, call.serviceName, (caller.principalEmail or "") if caller and alone else "")


def short(wrong: BaseException) -> str:
    """Return an error in one line of at most 160 characters."""
    return str(wrong).replace("\n", " ")[:160] or type(wrong).__name__

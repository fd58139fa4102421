"""Google Cloud's log entries as bytes: lines of an hourly file, or the entries of an answer; which of them matter. Pure.

Each entry is decoded by itself, a few fields of it first: what is wrong with one costs no other. A kept entry's exact bytes
are its evidence. https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import pyarrow as pa

from monitor.decode.gcp_audit_entry import ABSENT, ERRORS, log_of, short
from monitor.decode.gcp_catalogue import (
    ACTIVITY,
    DATA_ACCESS,
    INTERACTIVE,
    ISSUERS,
    POLICY,
    SYSTEM_EVENT,
    TAMPERING,
)
from monitor.errors import Malformed

_NOBODY = (b"", b"[]", b"[{}]", b"null")


class _Caller(msgspec.Struct, gc=False):
    principalEmail: str | None = None
    serviceAccountDelegationInfo: msgspec.Raw = ABSENT
    thirdPartyPrincipal: msgspec.Raw = ABSENT


class _Named(msgspec.Struct, gc=False):
    serviceName: str = ""
    methodName: str = ""


class _Call(_Named, gc=False):
    authenticationInfo: _Caller | None = None


class Slim(msgspec.Struct, gc=False):
    """What tells whether an entry needs a closer look."""

    protoPayload: _Call | None = None
    insertId: msgspec.Raw = ABSENT
    timestamp: str = ""
    logName: str = ""


class _SlimData(msgspec.Struct, gc=False):
    """The same for a file of data access, of whose entries nobody asks who called."""

    protoPayload: _Named | None = None
    insertId: msgspec.Raw = ABSENT
    timestamp: str = ""
    logName: str = ""


class _Page(msgspec.Struct, gc=False):
    entries: list[msgspec.Raw] = []


Plain = Callable[[str, str, str], str]
"""Given place, service and caller of a call that writes: under which word it can be counted as it is, or empty if not."""
_slim = msgspec.json.Decoder(Slim).decode
_slims = msgspec.json.Decoder(Slim).decode_lines
_slims_data = msgspec.json.Decoder(_SlimData).decode_lines
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


def lines(content: bytes | bytearray) -> list[bytes]:
    """Return the entries of an hourly file, one a line. https://cloud.google.com/logging/docs/export/storage"""
    return [line for line in bytes(content).split(b"\n") if line and not line.isspace()]


def page(content: bytes) -> list[bytes]:
    """Return the entries of an answer of entries:list, each with its exact bytes. Raises Malformed."""
    try:
        return [bytes(raw) for raw in _page(content).entries]
    except ERRORS as wrong:
        raise Malformed(f"not a page of log entries: {short(wrong)}") from wrong


def sift_lines(content: bytes | bytearray, plain: Plain, *, data: bool = False) -> Pass:
    """Return the same as `sift` of the lines of an hourly file; `data` if it is one of data access. Never raises.

    A piece of the file is decoded in one call: what is decoded stays in the processor's cache, and a file of many tiny lines
    costs no more memory than a piece. A flagged entry's line is found by the address of its `insertId` in the buffer; lines
    hold no line break, since JSON escapes it. Where anything differs (no insertId, an entry that cannot be understood), each
    line of the piece is decoded by itself.
    """
    whole = Pass(0, [], {})
    view, size, start = memoryview(content), len(content), 0
    base = pa.py_buffer(content).address
    broken = 0
    while start < size:
        end = content.find(b"\n", start + _PIECE) + 1 or size
        found = _piece(content, view[start:end], base, plain, _slims_data if data else _slims)
        if found is None:
            found = sift(lines(content[start:end]), plain)
            broken += sum(1 for one in found.flagged if one.broken)
            whole.damage = whole.damage or next((one.broken for one in found.flagged if one.broken), "")
        for one in found.flagged:
            one.number += whole.records
        whole.flagged += found.flagged
        whole.records += found.records
        for word, count in found.plain.items():
            whole.plain[word] = whole.plain.get(word, 0) + count
        whole.first = min(filter(None, (whole.first, found.first)), default="")
        whole.last = max(whole.last, found.last)
        start = end
    if broken:
        whole.damage = f"{broken} of {whole.records} entries cannot be understood: {whole.damage}"
    return whole


_PIECE = 1 << 20


def _piece(
    content: bytes | bytearray,
    view: memoryview,
    base: int,
    plain: Plain,
    decode: Callable[[memoryview], Sequence[_Slim]],
) -> Pass | None:
    """Return what a piece of whole lines holds, or None where its lines have to be looked at one by one."""
    try:
        slims = decode(view)
    except ERRORS:
        return None
    wanted: list[int] = []
    found = _counted(slims, plain, wanted)
    for number in wanted:
        raw = slims[number].insertId
        here = pa.py_buffer(raw).address - base if raw is not ABSENT else -1
        if not 0 <= here < len(content):
            return None
        end = content.find(b"\n", here)
        body = bytes(content[content.rfind(b"\n", 0, here) + 1 : end if end >= 0 else len(content)])
        found.flagged.append(Flagged(number, body))
    return found


def sift(bodies: list[bytes], plain: Plain) -> Pass:
    """Return which entries need a closer look, and count the others. Never raises."""
    slims: list[_Slim] = []
    broken: dict[int, str] = {}
    for number, body in enumerate(bodies):
        try:
            slims.append(_slim(body))
        except ERRORS as wrong:
            slims.append(Slim())
            broken[number] = short(wrong)
    wanted: list[int] = []
    found = _counted(slims, plain, wanted)
    found.flagged += [Flagged(number, bodies[number], broken.get(number, "")) for number in wanted]
    if broken:
        first = next(iter(broken)) + 1
        found.damage = f"{len(broken)} of {len(bodies)} entries cannot be understood, the first is number {first}"
    return found


def _counted(slims: Sequence[_Slim], plain: Plain, wanted: list[int]) -> Pass:
    """Return counts and times of all entries; `wanted` gets the numbers of those that need a closer look."""
    counted: dict[str, int] = {}
    data = 0
    for number, slim in enumerate(slims):
        call = slim.protoPayload
        # Nine entries in ten are data access: the shortest way for them.
        if call is not None and call.methodName and slim.logName.endswith(_DATA_ACCESS):
            if call.serviceName in _LOOKED_AT and _is_looked_at(call):
                wanted.append(number)
            else:
                data += 1
            continue
        word = _word(slim, plain)
        if word:
            counted[word] = counted.get(word, 0) + 1
        else:
            wanted.append(number)
    if data:
        counted["data_events"] = counted.get("data_events", 0) + data
    times = [slim.timestamp for slim in slims if slim.timestamp]
    return Pass(len(slims), [], counted, "", min(times, default=""), max(times, default=""))


_Slim = Slim | _SlimData
_DATA_ACCESS = "/logs/cloudaudit.googleapis.com%2Fdata_access"
_LOOKED_AT = ISSUERS | {"storage.googleapis.com", "k8s.io"}


def _is_looked_at(call: _Named) -> bool:
    """Return whether an entry of the data access log matters: it issues credentials, reaches into a cluster, or may tamper."""
    service, method = call.serviceName, call.methodName
    if service == "storage.googleapis.com":
        return method in TAMPERING
    return service in ISSUERS or (service == "k8s.io" and bool(INTERACTIVE.match(method)))


def _word(slim: _Slim, plain: Plain) -> str:
    """Return under which word an entry counts; empty if it needs a closer look."""
    call = slim.protoPayload
    if call is None or not call.methodName:
        return ""
    place, log = log_of(slim.logName)
    if log == DATA_ACCESS:
        return "" if _is_looked_at(call) else "data_events"
    if log == SYSTEM_EVENT:
        return "service_writes"  # Google's own systems acted: https://cloud.google.com/logging/docs/audit#system-event
    if log == POLICY:
        return "attempts"
    if log != ACTIVITY or not isinstance(call, _Call):
        return ""
    caller = call.authenticationInfo
    # Whom somebody stands behind is looked at.
    alone = (
        caller is not None
        and caller.thirdPartyPrincipal is ABSENT
        and bytes(caller.serviceAccountDelegationInfo) in _NOBODY
    )
    return plain(place, call.serviceName, (caller.principalEmail or "") if caller and alone else "")

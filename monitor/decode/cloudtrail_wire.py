"""CloudTrail log files as bytes: find the records that matter in one pass, exactly as a full parse would. Pure.

Nine records in ten are read-only, so the pass decodes five fields of each, and a flagged record is then found by the
address of its `userIdentity` in the buffer. The find is proven, not guessed: the bytes are taken for the record only if
they are one JSON object that holds that very `userIdentity` as a direct member, and a value has one parent only.
Where anything differs (another key order, white space, a record without `userIdentity`, a type that is not AWS's, a
syntax error), the whole object is split into its records and each is decoded by itself.

Record contents: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import msgspec
import pyarrow as pa

from monitor.decode.aws_catalogue import ISSUING
from monitor.errors import Malformed

ABSENT = msgspec.Raw(b"")
_START = b'{"eventVersion":'
_DEPTH_ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Slim(msgspec.Struct, gc=False):
    """What tells whether a record needs a closer look."""

    userIdentity: msgspec.Raw = ABSENT
    eventTime: str = ""
    eventName: str = ""
    readOnly: bool | None = None
    managementEvent: bool | None = None


Plain = Callable[[Slim], str]
"""Tells of a record that is not plainly a read whether it can be counted as it is: under which word, or empty if not."""


class _SlimFile(msgspec.Struct, gc=False):
    Records: list[Slim]


class _RawFile(msgspec.Struct, gc=False):
    Records: list[msgspec.Raw]


class Wide(msgspec.Struct, gc=False):
    """One record; what is not needed as a value stays as bytes. Fields stand in the order in which AWS writes them."""

    userIdentity: msgspec.Raw = ABSENT
    eventTime: str = ""
    eventSource: str = ""
    eventName: str = ""
    awsRegion: str = ""
    sourceIPAddress: str | None = None
    userAgent: str | None = None
    errorCode: str | None = None
    requestParameters: msgspec.Raw = ABSENT
    responseElements: msgspec.Raw = ABSENT
    eventID: str = ""
    readOnly: bool | None = None
    resources: msgspec.Raw = ABSENT
    eventType: str = ""
    managementEvent: bool | None = None
    recipientAccountId: str = ""
    eventCategory: str = ""
    sessionCredentialFromConsole: msgspec.Raw = ABSENT


_slim_file = msgspec.json.Decoder(_SlimFile).decode
_raw_file = msgspec.json.Decoder(_RawFile).decode
_slim = msgspec.json.Decoder(Slim).decode
_wide = msgspec.json.Decoder(Wide).decode


class Flagged(msgspec.Struct, gc=False):
    """A record that needs a closer look. `body` is its exact bytes, or empty with the reason in `broken`."""

    number: int
    body: bytes = b""
    wide: Wide | None = None
    broken: str = ""
    trusted: bool = True
    """False for what was salvaged after a syntax error: it may accuse, it may not prove."""


class Pass(msgspec.Struct, gc=False):
    """What one pass over a log file gave: how many records, which of them need a closer look, what could not be read."""

    records: int
    flagged: list[Flagged]
    plain: dict[str, int]
    damage: str = ""
    first: str = ""
    last: str = ""
    """The earliest and the latest eventTime, as written; RFC 3339 in UTC sorts as text."""


def needs_look(slim: Slim) -> bool:
    """Return whether a record is not plainly a read: a write, a missing flag, or an issuing of credentials."""
    return slim.readOnly is not True or slim.eventName in ISSUING


def wide(body: bytes) -> Wide:
    """Return one record decoded in full. Raises Malformed if it is not a record as AWS writes them."""
    try:
        return _wide(body)
    except _DEPTH_ERRORS as wrong:
        raise Malformed(f"not a CloudTrail record: {_short(wrong)}") from wrong


def sift(buffer: bytes | bytearray, plain: Plain) -> Pass:
    """Return all records of a log file that need a closer look, with their exact bytes. Never raises."""
    try:
        slims = _slim_file(buffer).Records
    except _DEPTH_ERRORS:
        return sift_slowly(buffer, plain)
    counted: dict[str, int] = {}
    flagged = []
    for i in [i for i, slim in enumerate(slims) if slim.readOnly is not True or slim.eventName in ISSUING]:
        word = plain(slims[i])
        if word:
            counted[word] = counted.get(word, 0) + 1
        else:
            flagged.append(i)
    found = _locate(buffer, slims, flagged) if flagged else []
    if found is None:
        return sift_slowly(buffer, plain)
    first, last = _span([slim.eventTime for slim in slims])
    return Pass(len(slims), found, counted, "", first, last)


def _locate(buffer: bytes | bytearray, slims: list[Slim], flagged: list[int]) -> list[Flagged] | None:
    base = pa.py_buffer(buffer).address
    size = len(buffer)
    last = len(slims) - 1
    view = memoryview(buffer)
    found: list[Flagged] = []
    for i in flagged:
        identity = slims[i].userIdentity
        here = pa.py_buffer(identity).address - base
        if not 0 <= here < size:
            return None
        start = buffer.rfind(_START, 0, here)
        if i == last:
            end = buffer.rfind(b"]", here)
        else:
            there = pa.py_buffer(slims[i + 1].userIdentity).address - base
            if not here < there < size:
                return None
            end = buffer.rfind(_START, here, there) - 1
        if start < 0 or end <= start:
            return None
        body = bytes(view[start:end]).rstrip(b" \t\r\n")
        try:
            record = _wide(body)
        except _DEPTH_ERRORS:
            return None
        if pa.py_buffer(record.userIdentity).address - pa.py_buffer(body).address != here - start:
            return None
        found.append(Flagged(i, body, record))
    return found


def sift_slowly(buffer: bytes | bytearray, plain: Plain) -> Pass:
    """Return the same as `sift`, record by record: the reference that the fast way must agree with. Never raises."""
    content = bytes(buffer)
    damage = ""
    if content.startswith(b"\xef\xbb\xbf"):
        content = content[3:]
    try:
        bodies: list[tuple[bytes, bool]] = [(bytes(raw), True) for raw in _raw_file(content).Records]
    except _DEPTH_ERRORS as wrong:
        damage = f"not a CloudTrail log file: {_short(wrong)}"
        bodies = list(_salvage(content))
    flagged: list[Flagged] = []
    counted: dict[str, int] = {}
    times: list[str] = []
    for number, (body, trusted) in enumerate(bodies):
        try:
            slim = _slim(body)
            times.append(slim.eventTime)
            if needs_look(slim):
                word = plain(slim)
                if word:
                    counted[word] = counted.get(word, 0) + 1
                else:
                    flagged.append(Flagged(number, body, _wide(body), trusted=trusted))
        except _DEPTH_ERRORS as wrong:
            flagged.append(Flagged(number, body, broken=_short(wrong), trusted=trusted))
    broken = [f.number for f in flagged if f.broken]
    if broken and not damage:
        damage = f"{len(broken)} of {len(bodies)} records cannot be understood, the first is number {broken[0] + 1}"
    return Pass(len(bodies), flagged, counted, damage, *_span(times))


def _span(times: list[str]) -> tuple[str, str]:
    first = min(times, default="")
    return first or min(filter(None, times), default=""), max(times, default="")


def _salvage(content: bytes) -> Iterator[tuple[bytes, bool]]:
    """Yield what stands whole in a file that is not valid JSON; all that follows a break is marked as not trusted."""
    text = content.decode("utf-8", "surrogateescape")
    decoder = json.JSONDecoder()
    at = text.find("[") + 1
    if not at or '"Records"' not in text[:at]:
        return
    trusted = True
    breaks = 0
    while True:
        while text[at : at + 1] in (" ", "\t", "\r", "\n", ","):
            at += 1
        if text[at : at + 1] in ("]", ""):
            return
        try:
            value, end = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            trusted = False
            breaks += 1
            if breaks > _BREAKS:
                return
            at = text.find(_START.decode(), at + 1)
            if at < 0:
                return
            continue
        if isinstance(value, dict):
            yield text[at:end].encode("utf-8", "surrogateescape"), trusted
        at = end


_BREAKS = 100
"""After so many breaks a file is no damaged log, but something else: what follows is not looked for."""


def _short(wrong: BaseException) -> str:
    return str(wrong).replace("\n", " ")[:160] or type(wrong).__name__

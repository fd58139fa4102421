"""One log entry of Google Cloud: its fields, as far as they are asked for; bodies stay bytes. Pure.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any
from urllib.parse import unquote

import msgspec

from monitor.decode.gcp_catalogue import LOGS
from monitor.errors import Malformed

ABSENT = msgspec.Raw(b"")
ERRORS = (msgspec.DecodeError, RecursionError, UnicodeDecodeError)


class Payload(msgspec.Struct, gc=False):
    """An AuditLog whose parts stay bytes: most of them are looked at for few entries only."""

    type: str = msgspec.field(default="", name="@type")
    status: dict[str, Any] = {}
    authenticationInfo: msgspec.Raw = ABSENT
    requestMetadata: dict[str, Any] = {}
    serviceName: str = ""
    methodName: str = ""
    authorizationInfo: list[dict[str, Any]] = []
    resourceName: str = ""
    resourceLocation: dict[str, Any] = {}
    request: msgspec.Raw = ABSENT
    metadata: msgspec.Raw = ABSENT
    serviceData: msgspec.Raw = ABSENT


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


_entry = msgspec.json.Decoder(Entry).decode
_payload = msgspec.json.Decoder(Payload).decode


def entry(body: bytes) -> Entry:
    """Return one entry. Raises Malformed if it is none."""
    try:
        return _entry(body)
    except ERRORS as wrong:
        raise Malformed(f"not a log entry: {short(wrong)}") from wrong


def payload(raw: msgspec.Raw) -> Payload:
    """Return an entry's payload. Raises Malformed if it is none."""
    try:
        return _payload(raw)
    except ERRORS as wrong:
        raise Malformed(f"protoPayload: {short(wrong)}") from wrong


@lru_cache(maxsize=4096)
def log_of(name: str) -> tuple[str, str]:
    """Return the place (`projects/…`) and the log's own name of a `logName`, which has its slash written as %2F.

    Both are empty for what is no such name: a place becomes part of paths and results.
    """
    place, _, log = name.partition("/logs/")
    return (place, _NAMES.get(log) or unquote(log)) if _PLACE.fullmatch(place) else ("", "")


# https://cloud.google.com/resource-manager/docs/creating-managing-projects, and `domain.com:project` of old ones.
_PLACE = re.compile(
    r"projects/(?:[a-z0-9][a-z0-9.-]{0,62}:)?[a-z0-9][a-z0-9-]{0,62}|(?:organizations|folders)/[0-9]{1,20}"
    r"|billingAccounts/[0-9A-F]{6}(?:-[0-9A-F]{6}){2}",
    re.ASCII,
)
_NAMES = {log.replace("/", "%2F"): log for log in LOGS}


def short(wrong: BaseException) -> str:
    """Return an error in one line of at most 160 characters."""
    return str(wrong).replace("\n", " ")[:160] or type(wrong).__name__

"""A judge of log files that shares nothing with the decoder: json.loads, and a plain reading of what must be looked at."""

from __future__ import annotations

import json
from typing import Any

from monitor.decode.cloudtrail_wire import Pass

ISSUING = {
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "CreateSession",
    "GetFederationToken",
    "GetSessionToken",
}


def records_of(content: bytes) -> list[Any] | None:
    """Return the records of a file that is valid JSON and has some; None for any other."""
    try:
        whole = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None
    found = whole.get("Records") if isinstance(whole, dict) else None
    return found if isinstance(found, list) else None


def plainly_read(record: Any) -> bool:
    """Return whether nobody has to look at a record: it says itself that it reads, and hands out no credentials."""
    if not isinstance(record, dict) or record.get("readOnly") is not True:
        return False
    name = record.get("eventName", "")
    return isinstance(name, str) and name not in ISSUING


def same(body: bytes, record: Any) -> bool:
    """Return whether the bytes are this record. Compared as text, since NaN differs from itself."""
    return json.dumps(json.loads(body)) == json.dumps(record)


def lost(content: bytes, found: Pass) -> list[int]:
    """Return the numbers of records that had to be looked at, and that a pass neither flagged nor complained about."""
    records = records_of(content)
    if records is None:
        return []
    flagged = {flagged.number: flagged for flagged in found.flagged}
    missing = [n for n, record in enumerate(records) if not plainly_read(record) and n not in flagged]
    if found.damage.startswith("not a CloudTrail log file"):
        # It is told that the file cannot be read as it is: then numbers may differ, and what is salvaged is not all.
        return []
    wrong = [n for n, f in flagged.items() if n >= len(records) or (f.body and not same(f.body, records[n]))]
    return sorted({*missing, *wrong})


def shown(found: Pass) -> tuple[Any, ...]:
    """Return all that a pass tells, but for the decoded form of each record, for comparison."""
    flagged = [(f.number, bytes(f.body), bool(f.broken), f.trusted, f.wide is None) for f in found.flagged]
    return found.records, flagged, found.plain, found.damage, found.first, found.last

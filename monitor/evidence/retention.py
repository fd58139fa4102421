"""Withdrawal of retained events past their term: what is removed is first written down in the log, and verification says so.

Entries of the log, results, manifests and captured answers are never withdrawn. A captured answer may be cited again as
long as what it told is remembered, so that its bytes are needed for longer than any term.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

import monitor
from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence.history import history
from monitor.evidence.log import EvidenceLog
from monitor.evidence.statement import WITHDRAWAL, ObjectRef, Statement, digest, encode, from_json, to_json
from monitor.facts.log_object import RetainedPart

_DAY = timedelta(days=1)
LEAST_DAYS = 30
"""No term is shorter: a sweep may still need what is younger."""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """Retained events that were removed since their term is over: all are of days before `before` (UTC).

    `parts` is the list of their paths in the content store; `count` and `bytes` are of the files. `at` is the clock, UTC.
    """

    at: datetime
    before: datetime
    retention_days: int
    parts: ObjectRef
    count: int
    bytes: int
    tool_version: str = ""


def past(log: EvidenceLog, before: datetime, needed: Iterable[tuple[str, str]]) -> list[RetainedPart]:
    """Return the parts whose term is over: sealed before then (UTC), of days that ended before then; sorted by path.

    `needed` are the (account, day) of events that open findings are judged by: their parts stay. Raises IntegrityError when
    the log is damaged.
    """
    stays = set(needed)
    found = {
        part.path: part
        for manifest in history(log)
        if manifest.predicate.at < before
        for part in manifest.parts()
        if is_past(part, before) and (part.account, part.day) not in stays
    }
    return [found[path] for path in sorted(found)]


def is_past(part: RetainedPart, before: datetime) -> bool:
    """Return whether the day of a part had ended by then (UTC); never for a day that is none."""
    try:
        return datetime.fromisoformat(f"{part.day}T00:00:00+00:00") + _DAY <= before
    except (ValueError, OverflowError):
        return False


def withdraw(log: EvidenceLog, parts: Sequence[RetainedPart], at: datetime, retention_days: int) -> int:
    """Seal that these parts are withdrawn, and return the index of the entry; only then may the files be removed.

    Raises EvidenceError when one of them is within the term, or the log cannot be written.
    """
    before = at - timedelta(days=retention_days)
    young = [part.path for part in parts if not is_past(part, before)]
    if young or retention_days < LEAST_DAYS:
        raise EvidenceError(
            f"{young[0] if young else 'what is younger than a month'} is evidence within its term",
            todo="prune what is older than evidence.retention_days only",
        )
    listed = to_json(sorted(part.path for part in parts))
    record = Withdrawal(
        at=at,
        before=before,
        retention_days=retention_days,
        parts=ObjectRef(digest(listed), len(listed)),
        count=len(parts),
        bytes=sum(part.size for part in parts),
        tool_version=monitor.__version__,
    )
    return log.append([encode(WITHDRAWAL, "retained-events", digest(listed), record)], [listed])


def read_withdrawal(found: Statement[msgspec.Raw], load: Callable[[str], bytes]) -> tuple[Withdrawal, tuple[str, ...]]:
    """Return a withdrawal and the paths that it lists; `load` gives an object by digest.

    Raises IntegrityError when it contradicts itself, or takes what its own term protects.
    """
    record = from_json(found.predicate, Withdrawal)
    if record.at.tzinfo is None or record.before.tzinfo is None:
        raise IntegrityError("a withdrawal whose times have no zone")
    if record.retention_days < LEAST_DAYS or record.before > record.at - timedelta(days=record.retention_days):
        raise IntegrityError("a withdrawal of evidence within its term")
    paths = from_json(load(record.parts.object), tuple[str, ...])
    if found.subject[0].digest.get("sha256") != record.parts.object or len(paths) != record.count:
        raise IntegrityError("a withdrawal that does not list what it says")
    return record, paths

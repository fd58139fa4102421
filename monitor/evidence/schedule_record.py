"""What the log says of the schedule: which slots there were to be, and which were lost. Pure.

Without it nobody could tell a night that was never planned from one that was missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from monitor.errors import IntegrityError
from monitor.evidence.statement import (
    SCHEDULE,
    SLOTS_LOST,
    SWEEP_START,
    Statement,
    SweepStart,
    digest,
    encode,
    from_json,
    parse,
    to_json,
)

MOST_SLOTS = 1000
"""So many lost slots fit into one entry of the log."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One schedule: five cron fields in UTC, what it reads (no sources: all), and how it treats what was missed."""

    name: str
    cron: str
    sources: tuple[str, ...] = ()
    keeps_seconds: int = 0
    grace_seconds: int = 0


class ScheduleRecord(msgspec.Struct, frozen=True, kw_only=True):
    """The schedules that are in force from `at` on (UTC); `previous_sha256` is the digest of those before."""

    at: datetime
    schedules: tuple[Planned, ...]
    schedules_sha256: str
    previous_sha256: str = ""
    config_sha256: str = ""
    tool_version: str = ""


class SlotsLost(msgspec.Struct, frozen=True, kw_only=True):
    """Slots of one schedule for which there never will be a sweep, and why. Times are UTC."""

    schedule: str
    slots: tuple[datetime, ...]
    at: datetime
    reason: str
    tool_version: str = ""


class Entries(Protocol):
    """The entries of a log."""

    size: int

    def read(self, index: int) -> bytes:
        """Return one entry's bytes."""


def schedules_digest(schedules: Sequence[Planned]) -> str:
    """Return the digest (SHA-256, hex) of schedules, whatever their order."""
    return digest(to_json(tuple(sorted(schedules, key=lambda one: one.name))))


def schedule_statement(record: ScheduleRecord) -> bytes:
    """Return the statement that these schedules are in force; its subject's digest is theirs."""
    return encode(SCHEDULE, "schedules", record.schedules_sha256, record)


def lost_statement(lost: SlotsLost) -> bytes:
    """Return the statement that slots are lost; its subject's digest is that of the list of them."""
    return encode(SLOTS_LOST, lost.schedule, digest(to_json(lost.slots)), lost)


def declared(entries: Entries) -> str:
    """Return the digest of the schedules that the log says are in force; empty where it says nothing of any.

    A sweep of a schedule names them too, so that what is looked for is near the end of the log.
    """
    for index in range(entries.size - 1, -1, -1):
        data = entries.read(index)
        if not data.startswith(b'{"_type"') or not (b"/schedule/v1" in data or b"/sweep-start/v1" in data):
            continue
        found = parse(data)
        if found.predicate_type == SCHEDULE:
            return from_json(found.predicate, ScheduleRecord).schedules_sha256
        if found.predicate_type == SWEEP_START:
            if named := from_json(found.predicate, SweepStart).schedules_sha256:
                return named
    return ""


def began(entries: Entries, schedule: str) -> datetime | None:
    """Return when (UTC) the log first says that a schedule of this name is in force; None if it never does."""
    for index in range(entries.size):
        data = entries.read(index)
        if data.startswith(b'{"_type"') and b"/schedule/v1" in data:
            statement = parse(data)
            if statement.predicate_type == SCHEDULE:
                record = from_json(statement.predicate, ScheduleRecord)
                if any(one.name == schedule for one in record.schedules):
                    return record.at
    return None


def lost_already(entries: Entries, schedule: str) -> frozenset[datetime]:
    """Return the slots of a schedule that the log says are lost."""
    found: set[datetime] = set()
    for index in range(entries.size):
        data = entries.read(index)
        if data.startswith(b'{"_type"') and b"/slots-lost/v1" in data:
            statement = parse(data)
            if statement.predicate_type == SLOTS_LOST:
                lost = from_json(statement.predicate, SlotsLost)
                if lost.schedule == schedule:
                    found.update(lost.slots)
    return frozenset(found)


def read_schedule(found: Statement[msgspec.Raw]) -> ScheduleRecord:
    """Return the schedules that a statement puts in force. Raises IntegrityError when it contradicts itself."""
    record = from_json(found.predicate, ScheduleRecord)
    _check_times((record.at,))
    stated = found.subject[0].digest.get("sha256")
    if not stated == record.schedules_sha256 == schedules_digest(record.schedules):
        raise IntegrityError("its schedules do not have the digest that it says")
    return record


def read_lost(found: Statement[msgspec.Raw]) -> SlotsLost:
    """Return the slots that a statement says are lost, each once. Raises IntegrityError when it contradicts itself."""
    lost = from_json(found.predicate, SlotsLost)
    _check_times((lost.at, *lost.slots))
    if found.subject[0].digest.get("sha256") != digest(to_json(lost.slots)):
        raise IntegrityError("its lost slots do not have the digest that it says")
    if not lost.slots or len(set(lost.slots)) != len(lost.slots):
        raise IntegrityError("names no lost slot, or one twice")
    if max(lost.slots) > lost.at:
        raise IntegrityError("says of a slot that it was lost before its time had come")
    return lost


def _check_times(times: Iterable[datetime]) -> None:
    if any(one.tzinfo is None for one in times):
        raise IntegrityError("has a time without a zone")

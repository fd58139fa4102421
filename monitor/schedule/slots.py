"""Which slots of a schedule are owed. Pure: times come in, and all of them are UTC, so that daylight saving cannot matter.

APScheduler's trigger counts the slots out, and no event of APScheduler's is asked whether a night was missed: it tells of
one missed tick where there were three, and of none after a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice

import msgspec
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]

from monitor.store.slots import Slot
from monitor.store.words import SlotState

PATIENCE = 5
"""So many attempts that failed hold up the later slots of the schedule; then they go on without it."""
_FIRST_DELAY = timedelta(minutes=1)
_LONGEST_DELAY = timedelta(hours=1)
_FIRST_LOOK = timedelta(hours=1)
_FURTHEST_LOOK = timedelta(days=366 * 9)
"""A leap day may be eight years away."""
_TICK = timedelta(microseconds=1)


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """When to sweep what. `keeps` is how far back a missed slot is made up for; after `grace` it is overdue."""

    name: str
    cron: str
    sources: tuple[str, ...] = ()
    keeps: timedelta = timedelta(days=30)
    grace: timedelta = timedelta(hours=1)


class Ledger(msgspec.Struct, frozen=True, kw_only=True):
    """What the ledger knows of one schedule at a moment.

    `settled` is the newest slot that is done or lost and not in the future; `rows` are all rows that are neither, and
    those from `settled` on. `began` is when the schedule was first put in force, where nothing else is known of it.
    """

    settled: datetime | None = None
    rows: Mapping[datetime, Slot] = {}
    began: datetime | None = None

    @property
    def blank(self) -> bool:
        """Return whether no slot was ever worked on."""
        return self.settled is None and not self.rows


class Owed(msgspec.Struct, frozen=True, kw_only=True):
    """One owed slot: how often it was tried, from when on it may be tried, and whether it is too old to be made up for."""

    planned_for: datetime
    attempts: int = 0
    not_before: datetime | None = None
    lost: bool = False
    made_up: bool = False
    """Whether a later slot of the schedule has come, and none of those is done: its events end with the slot."""

    def waits(self, now: datetime) -> bool:
        """Return whether it is not to be tried yet."""
        return self.not_before is not None and self.not_before > now

    @property
    def holds_up(self) -> bool:
        """Return whether later slots of the schedule wait until this one is done."""
        return self.attempts < PATIENCE


@lru_cache(maxsize=64)
def trigger(cron: str) -> CronTrigger:
    """Return what counts out the slots of five cron fields, in UTC."""
    minute, hour, day, month, weekday = cron.split()
    return CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, second=0, timezone=UTC)


def moments(cron: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the slots in (after, until], oldest first."""
    count = trigger(cron)
    moment = after
    while (found := count.get_next_fire_time(None, moment + _TICK)) is not None:
        moment = found.astimezone(UTC)
        if moment > until:
            return
        yield moment


def newest(cron: str, now: datetime) -> datetime | None:
    """Return the newest slot that is not in the future; None if there was none in nine years."""
    look = _FIRST_LOOK
    while look <= _FURTHEST_LOOK * 2:
        last = None
        for moment in moments(cron, now - look, now):
            last = moment
        if last is not None:
            return last
        look *= 2
    return None


def upcoming(cron: str, now: datetime) -> datetime | None:
    """Return the first slot that is in the future."""
    found: datetime | None = trigger(cron).get_next_fire_time(None, now + _TICK)
    return found.astimezone(UTC) if found else None


def owed(schedule: Schedule, ledger: Ledger, now: datetime) -> Iterator[Owed]:
    """Yield the slots that are owed now, oldest first.

    A slot in the future of the clock is never owed, and one that is done never again. A new schedule begins with the slot
    that was the newest when it was put in force.
    """
    last = newest(schedule.cron, now)
    for moment in _candidates(schedule, ledger, now, last):
        row = ledger.rows.get(moment)
        if row is not None and not is_open(row, now):
            continue
        # The newest is made up for however late it is: its sweep reads up to now anyway.
        lost = moment < now - schedule.keeps and last is not None and moment < last
        yield Owed(
            planned_for=moment,
            attempts=row.attempt if row else 0,
            not_before=_not_before(row, now) if row else None,
            lost=lost,
            made_up=last is not None and moment < last and not _later_done(ledger, moment, now),
        )


def overdue(schedule: Schedule, ledger: Ledger, now: datetime) -> list[Owed]:
    """Return the owed slots whose grace is over, oldest first, at most 100.

    One that is being tried for the first time has its grace from when it was claimed; a schedule of which the ledger knows
    nothing has not begun.
    """
    if ledger.blank:
        return []
    found = []
    for one in islice(owed(schedule, ledger, now), 100):
        row = ledger.rows.get(one.planned_for)
        trying = row is not None and row.state is SlotState.CLAIMED and row.attempt == 1 and row.claimed_at <= now
        since = max(one.planned_for, row.claimed_at) if row is not None and trying else one.planned_for
        if since + schedule.grace < now:
            found.append(one)
    return found


def is_open(row: Slot, now: datetime) -> bool:
    """Return whether a row's slot is owed: it was claimed or has failed; or a clock that ran ahead gave it up."""
    if row.state is SlotState.LOST:
        return row.ended_at is not None and row.ended_at > now
    return row.state is not SlotState.DONE


def _candidates(schedule: Schedule, ledger: Ledger, now: datetime, last: datetime | None) -> Iterator[datetime]:
    """Yield the slots that may be owed: those with a row, and all since the last that is settled."""
    begun = sorted(moment for moment, row in ledger.rows.items() if moment <= now and is_open(row, now))
    if ledger.blank:
        first = newest(schedule.cron, min(ledger.began or now, now))
        if first is not None:
            yield first
            yield from moments(schedule.cron, first, now)
        return
    start = ledger.settled if ledger.settled is not None else (begun[0] if begun else None)
    waiting = iter([*begun, None])
    following = next(waiting)
    for moment in moments(schedule.cron, start, now) if start is not None else ():
        while following is not None and following < moment:
            yield following
            following = next(waiting)
        if following == moment:
            following = next(waiting)
        yield moment
    while following is not None:
        yield following
        following = next(waiting)


def _later_done(ledger: Ledger, moment: datetime, now: datetime) -> bool:
    if ledger.settled is not None and ledger.settled > moment:
        return True
    return any(other > moment and row.state is SlotState.DONE for other, row in ledger.rows.items() if other <= now)


def _not_before(row: Slot, now: datetime) -> datetime | None:
    """Return when a failed slot may be tried again: 1, 2, 4 … minutes later, at most an hour."""
    if row.state is not SlotState.FAILED or row.ended_at is None:
        return None
    if row.ended_at > now:  # The clock was set back: nobody knows how long ago it was.
        return None
    delay: timedelta = min(_FIRST_DELAY * 2 ** min(row.attempt - 1, 10), _LONGEST_DELAY)
    return row.ended_at + delay

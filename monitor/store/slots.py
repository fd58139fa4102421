"""The ledger of slots: who works on which, and what is done. `monitor.store.claims` says what a claim hangs by."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Self

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from monitor.errors import LedgerError
from monitor.store.claims import TODO, Key, holder, name
from monitor.store.engine import translated
from monitor.store.store import Store
from monitor.store.tables import METADATA
from monitor.store.text import restored, stored
from monitor.store.words import SlotState

_SLOT = METADATA.tables["slot"]
_SWEEP = METADATA.tables["sweep"]
SETTLED = (SlotState.DONE, SlotState.LOST)


class Slot(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the ledger. Times are UTC; `attempt` counts the claims."""

    schedule: str
    planned_for: datetime
    state: SlotState
    attempt: int
    owner: str
    claimed_at: datetime
    ended_at: datetime | None = None
    sweep_id: str = ""
    reason: str = ""


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The right to work on one slot; `attempt` is 1 for the first who has it, `session` what it hangs by."""

    schedule: str
    planned_for: datetime
    owner: str
    attempt: int
    session: int


class Slots:
    """The slots of one database. Any thread may read; one thread claims, and holds what it claims until `close`.

    Every method raises LedgerError, naming the database, when it cannot be read or written.
    """

    def __init__(self, store: Store) -> None:
        self._engine = store._engine
        self._url = store._url
        self._holder = holder(self._engine, self._url)
        self._held: dict[Key, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back every claim, unfinished ones too: their slots stay owed."""
        self._held.clear()
        self._holder.close()

    def enter(self) -> None:
        """Take part as a scheduler. Raises LedgerError where another does so on the same SQLite database."""
        self._holder.enter()

    def claim(self, schedule: str, planned_for: datetime, owner: str, at: datetime) -> Claim | None:
        """Return the claim of a slot; None if somebody has it, or if it is done or lost.

        The slot of a holder that died is claimed anew, as the next attempt.
        """
        self.enter()
        key = (schedule, planned_for)
        with self._holder.connection() as connection:
            if self._held.get(key) == self._holder.session or not self._holder.lock(connection, key):
                return None
            attempt = connection.execute(_claim(connection, key, owner, at)).scalar()
            if attempt is None:
                self._holder.unlock(connection, key)
                return None
        self._held[key] = self._holder.session
        return Claim(
            schedule=schedule, planned_for=planned_for, owner=owner, attempt=attempt, session=self._holder.session
        )

    def finish(self, claim: Claim, state: SlotState, at: datetime, sweep_id: str = "", reason: str = "") -> None:
        """Write how it ended, and give the claim back. Raises LedgerError if the claim was lost meanwhile."""
        self._end(claim, {"state": state, "ended_at": at, "sweep_id": sweep_id, "reason": stored(reason)})

    def release(self, claim: Claim, at: datetime, reason: str) -> None:
        """Give a claim back unfinished: the slot stays owed, at once. Raises LedgerError as `finish` does."""
        self._end(claim, {"ended_at": at, "reason": stored(reason)})

    def rows(self, schedule: str | None = None, since: datetime | None = None) -> list[Slot]:
        """Return the rows of a schedule (None: of all) from then (UTC) on, oldest first."""
        query = select(_SLOT).order_by(_SLOT.c.planned_for, _SLOT.c.schedule)
        if schedule is not None:
            query = query.where(_SLOT.c.schedule == schedule)
        if since is not None:
            query = query.where(_SLOT.c.planned_for >= since)
        return self._slots(query)

    def last_done(self, schedule: str) -> datetime | None:
        """Return the newest slot that is done."""
        return self._newest(_SLOT.c.schedule == schedule, _SLOT.c.state == SlotState.DONE)

    def settled(self, schedule: str, now: datetime) -> datetime | None:
        """Return the newest slot not after now that is done or lost; what a clock that ran ahead gave up is not."""
        lost = and_(_SLOT.c.state == SlotState.LOST, _SLOT.c.ended_at <= now)
        ended = or_(_SLOT.c.state == SlotState.DONE, lost)
        return self._newest(_SLOT.c.schedule == schedule, _SLOT.c.planned_for <= now, ended)

    def unsettled(self, schedule: str, since: datetime | None) -> list[Slot]:
        """Return the rows that are neither done nor lost, and all from then (UTC; None: ever) on, oldest first."""
        query = select(_SLOT).where(_SLOT.c.schedule == schedule).order_by(_SLOT.c.planned_for)
        if since is not None:
            query = query.where(or_(_SLOT.c.state.not_in(SETTLED), _SLOT.c.planned_for >= since))
        return self._slots(query)

    def counts(self) -> dict[tuple[str, str], int]:
        """Return the number of rows by schedule and state."""
        query = select(_SLOT.c.schedule, _SLOT.c.state, func.count()).group_by(_SLOT.c.schedule, _SLOT.c.state)
        with translated(self._url, "reading the schedule", TODO), self._engine.connect() as connection:
            return {(row[0], row[1].value): row[2] for row in connection.execute(query)}

    def sweep_of(self, schedule: str, planned_for: datetime) -> str:
        """Return the id of the recorded sweep that was made for a slot; empty if there is none."""
        found = self._sweeps(_SWEEP.c.planned_for == planned_for)
        return next((sweep for name, _, sweep in found if name == schedule), "")

    def restore(self, schedule: str, at: datetime) -> int:
        """Make the rows again that recorded sweeps prove, where the ledger was lost; return how many there were."""
        known = {slot.planned_for for slot in self.rows(schedule)}
        proven = {planned: sweep for name, planned, sweep in self._sweeps() if name == schedule}
        new = [
            {
                "schedule": schedule,
                "planned_for": planned,
                "state": SlotState.DONE,
                "attempt": 1,
                "owner": "",
                "claimed_at": planned,
                "ended_at": at,
                "sweep_id": sweep,
                "reason": "made again from the recorded sweep",
            }
            for planned, sweep in proven.items()
            if planned not in known
        ]
        if new:
            with translated(self._url, "restoring the schedule", TODO), self._engine.begin() as connection:
                statement = _dialect(connection).insert(_SLOT).on_conflict_do_nothing()
                connection.execute(statement, new)
        return len(new)

    def _sweeps(self, *wanted: ColumnElement[bool]) -> list[tuple[str, datetime, str]]:
        """Return the schedule, slot and id of recorded sweeps."""
        query = select(_SWEEP.c.id, _SWEEP.c.planned_for, _SWEEP.c.notes).where(*wanted)
        with translated(self._url, "reading the sweeps", TODO), self._engine.connect() as connection:
            rows = connection.execute(query).all()
        return [(str(json.loads(row.notes).get("schedule", "")), row.planned_for, row.id) for row in rows]

    def _newest(self, *wanted: ColumnElement[bool]) -> datetime | None:
        query = select(_SLOT.c.planned_for).where(*wanted).order_by(_SLOT.c.planned_for.desc()).limit(1)
        with translated(self._url, "reading the schedule", TODO), self._engine.connect() as connection:
            found: datetime | None = connection.execute(query).scalar()
            return found

    def _slots(self, query: Any) -> list[Slot]:
        with translated(self._url, "reading the schedule", TODO), self._engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        return [Slot(**row | {"owner": restored(row["owner"]), "reason": restored(row["reason"])}) for row in rows]

    def _end(self, claim: Claim, values: dict[str, Any]) -> None:
        key = (claim.schedule, claim.planned_for)
        mine = and_(*_is(key), _SLOT.c.owner == stored(claim.owner), _SLOT.c.attempt == claim.attempt)
        held = self._held.pop(key, None)
        with self._holder.connection() as connection:
            if claim.session != self._holder.session or held != claim.session:
                raise LedgerError(f"the claim of {name(key)} went with its connection", todo=TODO)
            statement = update(_SLOT).where(mine, _SLOT.c.state == SlotState.CLAIMED).values(**values)
            kept = connection.execute(statement).rowcount == 1
            self._holder.unlock(connection, key)
        if not kept:
            raise LedgerError(f"the claim of {name(key)} was taken over by another", todo=TODO)


def _claim(connection: Connection, key: Key, owner: str, at: datetime) -> Any:
    """Return the statement that claims a slot unless it is settled, and answers which attempt this is."""
    new = (
        _dialect(connection)
        .insert(_SLOT)
        .values(
            schedule=key[0], planned_for=key[1], state=SlotState.CLAIMED, attempt=1, owner=stored(owner), claimed_at=at
        )
    )
    ahead = and_(_SLOT.c.state == SlotState.LOST, _SLOT.c.ended_at > at)
    return new.on_conflict_do_update(
        index_elements=["schedule", "planned_for"],
        set_={
            "state": SlotState.CLAIMED,
            "attempt": _SLOT.c.attempt + 1,
            "owner": stored(owner),
            "claimed_at": at,
            "ended_at": None,
        },
        where=or_(_SLOT.c.state.not_in(SETTLED), ahead),
    ).returning(_SLOT.c.attempt)


def _dialect(connection: Connection) -> Any:
    return sqlite if connection.dialect.name == "sqlite" else postgresql


def _is(key: Key) -> tuple[ColumnElement[bool], ...]:
    return _SLOT.c.schedule == key[0], _SLOT.c.planned_for == key[1]

"""The outbox: messages on their way to people, and the threads in which a finding's messages are kept together.

A message is pending, then sending (committed before it goes out), then sent. One that is sending may have arrived: whoever
takes it up again must look before it posts. Taking up is counted, so that of two processes only one takes a message.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select, update

from monitor.store.engine import _WRITES as WRITES
from monitor.store.engine import translated
from monitor.store.outbox import (
    OUTBOX,
    THREAD,
    UNSETTLED,
    KeptThread,
    Outgoing,
    add,
    by_id,
    changed,
    keep_thread,
    overtaken,
    put,
    read,
)
from monitor.store.text import restored, stored
from monitor.store.words import MessageState

if TYPE_CHECKING:
    from monitor.store.store import Store

__all__ = ["KeptThread", "Messages", "Outgoing", "put"]

_LONGEST_ERROR = 1000
_REACH = "check that the database runs and may be reached; nothing is lost, messages wait in the outbox"


class Messages:
    """The outbox of a store. Methods raise LedgerError when the database cannot be read or written; times are UTC."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, messages: Iterable[Outgoing]) -> int:
        """Insert messages in a transaction of their own; return how many are new."""
        with self._changing() as connection:
            return put(connection, messages)

    def waiting(self) -> dict[str, int]:
        """Return how many messages are not settled, by sink."""
        query = (
            select(OUTBOX.c.sink, func.count().label("many"))
            .where(OUTBOX.c.state.in_(UNSETTLED))
            .group_by(OUTBOX.c.sink)
        )
        with self._reading() as connection:
            return {row.sink: row.many for row in connection.execute(query)}

    def due(self, sink: str, at: datetime, limit: int) -> list[Outgoing]:
        """Return what a sink may deliver now, oldest first; nothing while an earlier one of the same finding is not settled."""
        columns = (OUTBOX.c.id, OUTBOX.c.target, OUTBOX.c.finding_id, OUTBOX.c.next_at)
        query = select(*columns).where(OUTBOX.c.sink == sink, OUTBOX.c.state.in_(UNSETTLED))
        ready: list[str] = []
        before: set[tuple[str, str]] = set()
        with self._reading() as connection:
            for row in connection.execute(query.order_by(OUTBOX.c.created_at, OUTBOX.c.id)):
                place = (row.target, row.finding_id)
                if row.next_at <= at and place not in before:
                    ready.append(row.id)
                if row.finding_id:
                    before.add(place)
            return by_id(connection, ready[:limit])

    def claim(self, message: Outgoing, until: datetime) -> bool:
        """Take a message up, so that nobody else does until then; return whether it was still to be had."""
        return self._change(message, state=MessageState.SENDING, attempts=message.attempts + 1, next_at=until)

    def sent(self, message: Outgoing, at: datetime, reference: str, thread: str = "") -> bool:
        """Note that a claimed message has arrived, and where its thread goes on, if it has one."""
        with self._changing() as connection:
            values = {"state": MessageState.SENT, "sent_at": at, "reference": stored(reference), "error": ""}
            if not changed(connection, message, values):
                return False
            if thread and message.finding_id:
                keep_thread(connection, message, thread, at)
            return True

    def later(self, message: Outgoing, next_at: datetime, error: str, *, arrived: bool) -> bool:
        """Note that a claimed message failed, and when to try again; `arrived` if it may have arrived all the same."""
        state = MessageState.SENDING if arrived else MessageState.PENDING
        return self._change(message, state=state, next_at=next_at, error=stored(error[:_LONGEST_ERROR]))

    def hold(self, sink: str, target: str, until: datetime) -> None:
        """Let nothing that waits go to a target before then."""
        place = (OUTBOX.c.sink == sink, OUTBOX.c.target == stored(target), OUTBOX.c.state == MessageState.PENDING)
        with self._changing() as connection:
            connection.execute(update(OUTBOX).where(*place, OUTBOX.c.next_at < until).values(next_at=until))

    def failed(self, message: Outgoing, error: str) -> bool:
        """Give a message up."""
        return self._change(message, state=MessageState.FAILED, error=stored(error[:_LONGEST_ERROR]))

    def move(self, message: Outgoing, instead: Outgoing, besides: Iterable[Outgoing], error: str) -> bool:
        """Drop a claimed message, and send one in its place to another target, unless that was told the same already."""
        with self._changing() as connection:
            values = {"state": MessageState.DROPPED, "error": stored(error[:_LONGEST_ERROR])}
            if not changed(connection, message, values):
                return False
            put(connection, besides)
            add(connection, instead)
            return True

    def thread(self, sink: str, target: str, finding_id: str) -> KeptThread | None:
        """Return the thread of a finding at a target of a sink, or None where it has none yet."""
        place = (THREAD.c.sink == sink, THREAD.c.finding_id == finding_id, THREAD.c.target == stored(target))
        of_it = (OUTBOX.c.sink == sink, OUTBOX.c.finding_id == finding_id, OUTBOX.c.target == stored(target))
        arrived = (OUTBOX.c.state == MessageState.SENT, OUTBOX.c.reference != "")
        with self._reading() as connection:
            kept = connection.scalar(select(THREAD.c.reference).where(*place))
            if kept is None:
                # A finding that is told to several targets of a sink: their threads begin with the first that was sent.
                query = select(OUTBOX.c.reference).where(*of_it, *arrived).order_by(OUTBOX.c.created_at).limit(1)
                kept = connection.scalar(query)
        return KeptThread(target, restored(kept)) if kept else None

    def heard(self, message: Outgoing) -> bool:
        """Return whether the target was told of the finding before, or the fallback in its place."""
        of_it = (OUTBOX.c.sink == message.sink, OUTBOX.c.target == stored(message.target))
        settled = OUTBOX.c.state.in_((MessageState.SENT, MessageState.DROPPED))
        query = select(OUTBOX.c.id).where(*of_it, OUTBOX.c.finding_id == message.finding_id, settled).limit(1)
        with self._reading() as connection:
            return connection.execute(query).first() is not None

    def listed(self, state: MessageState | None = None, limit: int = 1000) -> list[Outgoing]:
        """Return the messages in a state, or all, newest first, at most so many."""
        query = select(OUTBOX).order_by(OUTBOX.c.created_at.desc(), OUTBOX.c.id).limit(limit)
        if state is not None:
            query = query.where(OUTBOX.c.state == state)
        with self._reading() as connection:
            return [read(row) for row in connection.execute(query).mappings()]

    def counts(self) -> dict[MessageState, int]:
        """Return how many messages there are, by state."""
        query = select(OUTBOX.c.state, func.count().label("many")).group_by(OUTBOX.c.state)
        with self._reading() as connection:
            return {row.state: row.many for row in connection.execute(query)}

    def retry(self, at: datetime, ids: Sequence[str] | None = None) -> list[str]:
        """Let messages that were given up be tried again, all or those whose ids begin so; return the ids of these.

        One whose finding was told something later at the same target stays given up: it would come out of order.
        """
        with self._changing() as connection:
            query = select(OUTBOX).where(OUTBOX.c.state == MessageState.FAILED).order_by(OUTBOX.c.created_at)
            given = [read(row) for row in connection.execute(query).mappings()]
            chosen = [
                one
                for one in given
                if (ids is None or any(one.id.startswith(prefix) for prefix in ids)) and not overtaken(connection, one)
            ]
            for one in chosen:
                # It may have arrived at its last try, so that the sink is to look first.
                values = {"state": MessageState.SENDING, "attempts": 0, "next_at": at, "error": ""}
                connection.execute(update(OUTBOX).where(OUTBOX.c.id == one.id).values(**values))
            return [one.id for one in chosen]

    def _change(self, message: Outgoing, **values: Any) -> bool:
        with self._changing() as connection:
            return changed(connection, message, values)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        store = self._store
        with translated(store._url, "reading the outbox", _REACH), store._engine.connect() as connection:
            yield connection

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        store = self._store
        with (
            translated(store._url, "writing the outbox", _REACH),
            store._engine.connect().execution_options(**{WRITES: True}) as connection,
            connection.begin(),
        ):
            yield connection

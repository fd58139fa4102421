"""Rows of the outbox and of threads, over one connection: what is planned, and what has become of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, RowMapping, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from monitor.store.tables import METADATA
from monitor.store.text import restored, stored
from monitor.store.words import MessageState

OUTBOX = METADATA.tables["outbox"]
THREAD = METADATA.tables["thread"]
UNSETTLED = (MessageState.PENDING, MessageState.SENDING)
_TOLD = (*UNSETTLED, MessageState.SENT, MessageState.DROPPED)
"""States of what a target was told, or will be; what is dropped went to the fallback instead."""
_IDS_AT_ONCE = 1000
_TICK = timedelta(microseconds=1)
_TEXTS = ("target", "finding_id", "reference", "error", "body")


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the outbox. Times are UTC; `body` is JSON that only its writer reads."""

    id: str
    sink: str
    target: str
    kind: str
    finding_id: str = ""
    created_at: datetime
    next_at: datetime
    state: MessageState = MessageState.PENDING
    attempts: int = 0
    sent_at: datetime | None = None
    reference: str = ""
    error: str = ""
    body: str


class KeptThread(msgspec.Struct, frozen=True):
    """Where a sink keeps the messages of a finding: the target, and the sink's reference of the first of them."""

    target: str
    reference: str


def put(connection: Connection, messages: Iterable[Outgoing]) -> int:
    """Insert messages, in their order, and return how many are new: one whose id is there already changes nothing.

    `created_at` gives the order in which a finding is told to a target, so that each is made later than all before it.
    What is to be told at once also brings forward what quiet hours hold back of the same finding.
    """
    new = _unknown(connection, list({one.id: one for one in messages}.values()))
    latest = _latest(connection, {one.finding_id for one in new if one.finding_id})
    for number, one in enumerate(new):
        created = one.created_at + number * _TICK
        if one.finding_id:
            place = (one.sink, one.target, one.finding_id)
            created = max(created, latest[place] + _TICK) if place in latest else created
            latest[place] = created
            connection.execute(
                update(OUTBOX)
                .where(*_of_finding(one), OUTBOX.c.state == MessageState.PENDING, OUTBOX.c.attempts == 0)
                .where(OUTBOX.c.next_at > one.next_at)
                .values(next_at=one.next_at)
            )
        add(connection, msgspec.structs.replace(one, created_at=created))
    return len(new)


def told(connection: Connection, findings: Collection[str]) -> dict[str, set[tuple[str, str]]]:
    """Return, by finding, the (sink, target) that were told of it by a message of its own, or are about to be."""
    found: dict[str, set[tuple[str, str]]] = {}
    for ids in _chunks(sorted(findings)):
        for table, more in ((OUTBOX, OUTBOX.c.state.in_(_TOLD)), (THREAD, THREAD.c.finding_id != "")):
            query = select(table.c.finding_id, table.c.sink, table.c.target).where(table.c.finding_id.in_(ids), more)
            for row in connection.execute(query):
                found.setdefault(row.finding_id, set()).add((row.sink, restored(row.target)))
    return found


def last(connection: Connection, kind: str) -> Outgoing | None:
    """Return the newest message of a kind, or None."""
    query = select(OUTBOX).where(OUTBOX.c.kind == kind).order_by(OUTBOX.c.created_at.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return read(row) if row else None


def given_up(connection: Connection) -> int:
    """Return how many messages are given up."""
    query = select(func.count()).select_from(OUTBOX).where(OUTBOX.c.state == MessageState.FAILED)
    return int(connection.execute(query).scalar_one())


def changed(connection: Connection, message: Outgoing, values: dict[str, Any]) -> bool:
    """Change a message that is not settled, and that nobody has taken up since it was read."""
    mine = (OUTBOX.c.id == message.id, OUTBOX.c.attempts == message.attempts, OUTBOX.c.state.in_(UNSETTLED))
    return connection.execute(update(OUTBOX).where(*mine).values(**values)).rowcount == 1


def _unknown(connection: Connection, messages: Sequence[Outgoing]) -> list[Outgoing]:
    known: set[str] = set()
    for ids in _chunks([one.id for one in messages]):
        known.update(connection.scalars(select(OUTBOX.c.id).where(OUTBOX.c.id.in_(ids))))
    return [one for one in messages if one.id not in known]


def _latest(connection: Connection, findings: Collection[str]) -> dict[tuple[str, str, str], datetime]:
    found: dict[tuple[str, str, str], datetime] = {}
    place = (OUTBOX.c.sink, OUTBOX.c.target, OUTBOX.c.finding_id)
    for ids in _chunks(sorted(findings)):
        query = select(*place, func.max(OUTBOX.c.created_at).label("at")).where(OUTBOX.c.finding_id.in_(ids))
        for row in connection.execute(query.group_by(*place)):
            found[row.sink, restored(row.target), row.finding_id] = row.at
    return found


def _of_finding(message: Outgoing) -> tuple[Any, ...]:
    """Return the conditions that a row is of the same finding, to the same target."""
    return (
        OUTBOX.c.sink == message.sink,
        OUTBOX.c.target == stored(message.target),
        OUTBOX.c.finding_id == message.finding_id,
    )


def overtaken(connection: Connection, message: Outgoing) -> bool:
    """Return whether the target was told something later of the same finding."""
    if not message.finding_id:
        return False
    later = (OUTBOX.c.state == MessageState.SENT, OUTBOX.c.created_at > message.created_at)
    return connection.execute(select(OUTBOX.c.id).where(*_of_finding(message), *later)).first() is not None


def add(connection: Connection, message: Outgoing) -> None:
    """Insert a message as it is, unless its id is there already."""
    values = msgspec.structs.asdict(message) | {name: stored(getattr(message, name)) for name in _TEXTS}
    kind = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    connection.execute(kind(OUTBOX).values(**values).on_conflict_do_nothing(index_elements=["id"]))


def keep_thread(connection: Connection, message: Outgoing, reference: str, at: datetime) -> None:
    """Note where a finding's thread is; one that was begun anew at its target is the thread from then on."""
    place = (THREAD.c.sink == message.sink, THREAD.c.finding_id == message.finding_id)
    known = connection.execute(select(THREAD.c.target, THREAD.c.reference).where(*place)).first()
    values = {"target": stored(message.target), "reference": stored(reference), "created_at": at}
    if known is None:
        row = {"sink": message.sink, "finding_id": message.finding_id, **values}
        connection.execute(insert(THREAD).values(**row))
    elif known.target == values["target"] and known.reference != values["reference"]:
        connection.execute(update(THREAD).where(*place).values(**values))


def by_id(connection: Connection, ids: Sequence[str]) -> list[Outgoing]:
    """Return the messages of these ids, in their order."""
    found: dict[str, Outgoing] = {}
    for chunk in _chunks(ids):
        rows = connection.execute(select(OUTBOX).where(OUTBOX.c.id.in_(chunk))).mappings()
        found.update((row["id"], read(row)) for row in rows)
    return [found[identity] for identity in ids if identity in found]


def read(row: RowMapping) -> Outgoing:
    """Return the message of a row."""
    values = dict(row)
    return Outgoing(**(values | {name: restored(values[name]) for name in _TEXTS}))


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IDS_AT_ONCE):
        yield ids[start : start + _IDS_AT_ONCE]

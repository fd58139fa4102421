"""Removing rows past their term. Only what no sweep and no open finding can ask for again; findings and sweeps always stay.

Needs DELETE on four tables (`monitor.store.grants.PRUNE`), which the role that sweeps does not have.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from monitor.store.engine import build, parse, translated, writing
from monitor.store.queries import LONGEST_SESSION
from monitor.store.tables import METADATA
from monitor.store.words import MessageState

_SWEEP = METADATA.tables["sweep"]
_MARK = METADATA.tables["mark"]
_LOG_OBJECT = METADATA.tables["log_object"]
_EXCHANGE = METADATA.tables["token_exchange"]
_REMEMBERED = METADATA.tables["remembered"]
_OUTBOX = METADATA.tables["outbox"]
_OVER = (MessageState.SENT, MessageState.DROPPED)


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """Up to when (UTC) rows may go.

    `before`: by their age. `objects`: log objects that no listing reaches. `exchanges`: credentials that no write of an open
    finding was made with.
    """

    before: datetime
    objects: datetime
    exchanges: datetime


class Removed(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows of each table are past their term."""

    log_object: int
    token_exchange: int
    remembered: int
    outbox: int


def oldest_mark(url: str) -> datetime | None:
    """Return up to when (UTC) the source that lags most was read whole; None if nothing was read. Raises LedgerError."""
    address = parse(url)
    engine = build(address)
    try:
        with translated(address, "reading marks", "check the database"), engine.connect() as connection:
            found: datetime | None = connection.execute(select(func.min(_MARK.c.until))).scalar()
            return found
    finally:
        engine.dispose()


def prune(url: str, terms: Terms, *, dry_run: bool) -> Removed:
    """Remove the rows past their term in one transaction, and return how many; with `dry_run` they are only counted.

    Raises LedgerError if the database cannot be reached, or the role may not delete.
    """
    address = parse(url)
    engine = build(address)
    todo = "give MONITOR_DATABASE the role monitor_prune (deploy/postgres/roles.sql), then prune again: nothing is half done"
    try:
        with translated(address, "pruning", todo), writing(engine, "record") as connection:
            return Removed(**{table.name: _removed(connection, table, what, dry_run) for table, what in _past(terms)})
    finally:
        engine.dispose()


def _removed(connection: Connection, table: Table, what: ColumnElement[bool], dry_run: bool) -> int:
    if dry_run:
        return int(connection.execute(select(func.count()).select_from(table).where(what)).scalar() or 0)
    return connection.execute(delete(table).where(what)).rowcount


def _past(terms: Terms) -> list[tuple[Table, ColumnElement[bool]]]:
    """Return what is past its term, by table."""
    old_sweeps = select(_SWEEP.c.id).where(_SWEEP.c.at < terms.objects)
    # A damaged object is asked for again until it can be read.
    objects = and_(_LOG_OBJECT.c.damage == "", _LOG_OBJECT.c.sweep_id.in_(old_sweeps))
    exchanges = or_(
        _EXCHANGE.c.expires < terms.exchanges,
        _EXCHANGE.c.expires.is_(None) & (_EXCHANGE.c.time < terms.exchanges - LONGEST_SESSION),
    )
    later = _REMEMBERED.alias("later")
    # The last state before the term says what held when it began: it stays.
    superseded = and_(
        _REMEMBERED.c.at < terms.before,
        exists().where(
            later.c.kind == _REMEMBERED.c.kind,
            later.c.subject_sha256 == _REMEMBERED.c.subject_sha256,
            later.c.at > _REMEMBERED.c.at,
            later.c.at < terms.before,
        ),
    )
    sent = and_(_OUTBOX.c.state.in_(_OVER), _OUTBOX.c.created_at < terms.before)
    return [(_LOG_OBJECT, objects), (_EXCHANGE, exchanges), (_REMEMBERED, superseded), (_OUTBOX, sent)]

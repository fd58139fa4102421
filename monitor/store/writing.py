"""Recording a sweep: all statements of its transaction. Bulk inserts over tables: ORM objects cost ten times more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from sqlalchemy import (
    JSON,
    ColumnElement,
    Connection,
    Insert,
    Table,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    insert,
    literal,
    literal_column,
    select,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from monitor.model import Outcome, Sweep
from monitor.store import rows
from monitor.store.planning import Planner, Recorded
from monitor.store.reconcile import FindingState, Step, Transition, latest, reconcile, restand, tally
from monitor.store.record import Reconciliation, SealedResult, Sealing, SweepRecord
from monitor.store.tables import METADATA
from monitor.store.text import stored

CHUNK_ROWS = 2000

_Item = TypeVar("_Item")

_SWEEP = METADATA.tables["sweep"]
_COVERAGE = METADATA.tables["scope_coverage"]
_MARK = METADATA.tables["mark"]
_LOG_OBJECT = METADATA.tables["log_object"]
_EXCHANGE = METADATA.tables["token_exchange"]
_REMEMBERED = METADATA.tables["remembered"]
_PART = METADATA.tables["retained_part"]
_FINDING = METADATA.tables["finding"]
_SIGHTING = METADATA.tables["finding_sighting"]

_EVERY_JUDGEMENT = ("state", "outcome", "reason", "last_sweep", "last_step", "result_index", "result_sha256", "waiver")
_FAILING_ONLY = ("severity", "scope", "actor", "change_class", "last_seen", "owner")
_UNSEEN = (Outcome.UNKNOWN, Outcome.ERROR)


def record_sweep(
    connection: Connection,
    record: SweepRecord,
    results: Iterable[SealedResult],
    sealing: Sealing,
    plan: Planner | None = None,
) -> Reconciliation:
    """Write a sweep and reconcile its findings, and keep the messages that `plan` gives of it.

    A sweep that is there already is answered as it was then, unchanged.
    """
    sweep = record.sweep
    if is_recorded(connection, sweep.id):
        return reconciliation(connection, sweep.id)
    connection.execute(insert(_SWEEP), [rows.sweep_row(record, sealing)])
    _insert(connection, _COVERAGE, rows.coverage_rows(sweep))
    _upsert(connection, _LOG_OBJECT, rows.object_rows(record))
    _upsert(connection, _EXCHANGE, rows.exchange_rows(record), keep=True)
    _upsert(connection, _REMEMBERED, rows.remembered_rows(record), keep=True)
    _insert(connection, _PART, rows.part_rows(record))
    _advance(connection, record)
    moves = _moves(connection, results)
    planned = Recorded(connection, record, moves) if plan else None
    _upsert_findings(connection, moves, sweep)
    others = _restand(connection, record, {move.finding for move in moves})
    connection.execute(_sightings(sweep.id))
    if planned and plan:
        planned.keep(plan, others)
    return tally([*((move.finding, move.step) for move in moves), *others])


def is_recorded(connection: Connection, sweep: str) -> bool:
    """Return whether the sweep is in the database."""
    return connection.execute(select(_SWEEP.c.id).where(_SWEEP.c.id == sweep)).first() is not None


def reconciliation(connection: Connection, sweep: str) -> Reconciliation:
    """Return what a recorded sweep did to the findings."""
    query = select(_SIGHTING.c.finding_id, _SIGHTING.c.step).where(_SIGHTING.c.sweep_id == sweep)
    return tally((row.finding_id, row.step) for row in connection.execute(query))


def _moves(connection: Connection, results: Iterable[SealedResult]) -> tuple[Transition, ...]:
    chosen = latest(results)
    known: dict[str, FindingState] = {}
    waived: set[str] = set()
    for identities in _chunks(chosen):
        query = select(_FINDING.c.id, _FINDING.c.state, _FINDING.c.waiver).where(_FINDING.c.id.in_(identities))
        for row in connection.execute(query):
            known[row.id] = row.state
            if row.waiver:
                waived.add(row.id)
    return reconcile(known, chosen, waived)


def _restand(connection: Connection, record: SweepRecord, judged: Collection[str]) -> list[tuple[str, Step]]:
    """Write where open findings stand that the sweep did not judge, and return what that did to each."""
    steps: list[tuple[str, Step]] = []
    changes: list[rows.Row] = []
    for identities in _chunks(sorted(record.standing.keys() - judged)):
        query = select(_FINDING.c.id, _FINDING.c.state, _FINDING.c.waiver).where(
            _FINDING.c.id.in_(identities), _FINDING.c.state != FindingState.RESOLVED
        )
        for row in connection.execute(query):
            standing = record.standing[row.id]
            step, state = restand(row.state, row.waiver, standing)
            steps.append((row.id, step))
            changes.append(
                {
                    "which": row.id,
                    "state": state,
                    "last_step": step,
                    "last_sweep": record.sweep.id,
                    "waiver": stored(standing.waiver),
                    "owner": stored(standing.owner),
                }
            )
    if changes:
        _run(connection, update(_FINDING).where(_FINDING.c.id == bindparam("which")), changes)
    return steps


def _advance(connection: Connection, record: SweepRecord) -> None:
    """Move marks forward, never back: a sweep over an older window does not undo what is known to be read."""
    reached = {row.mark_sha256: row.until for row in connection.execute(select(_MARK.c.mark_sha256, _MARK.c.until))}
    further = (
        row
        for row in rows.mark_rows(record)
        if row["mark_sha256"] not in reached or reached[row["mark_sha256"]] < row["until"]
    )
    _upsert(connection, _MARK, further)


def _upsert_findings(connection: Connection, moves: Sequence[Transition], sweep: Sweep) -> None:
    """Write findings a chunk at a time, each chunk as one JSON document that the database takes apart.

    One document costs a third of what as many parameter rows do with psycopg, and two thirds with sqlite3.
    """
    source = _sqlite_rows() if connection.dialect.name == "sqlite" else _postgres_rows()
    fixed: dict[str, Any] = {
        "first_seen": sweep.at,
        "last_seen": sweep.at,
        "opened_by": sweep.id,
        "last_sweep": sweep.id,
    }
    now = literal(sweep.at, _FINDING.c.unknown_since.type)
    outcome = source[rows.FINDING_FIELDS.index("outcome")]
    columns = [
        *source,
        *(literal(value, _FINDING.c[name].type) for name, value in fixed.items()),
        case((outcome.in_([one.value for one in _UNSEEN]), now)),
    ]
    # Without a WHERE, SQLite would take ON CONFLICT for a join's ON: https://sqlite.org/lang_upsert.html#parsing_ambiguity
    rows_in = select(*columns).where(true())
    names = [*rows.FINDING_FIELDS, *fixed, "unknown_since"]
    statement = _statement(connection, _FINDING).from_select(names, rows_in)
    new, old = statement.excluded, _FINDING.c
    resolving = new.state == FindingState.RESOLVED
    changes: dict[str, Any] = {name: new[name] for name in _EVERY_JUDGEMENT}
    changes |= {name: case((resolving, old[name]), else_=new[name]) for name in _FAILING_ONLY}
    changes["times_seen"] = old.times_seen + new.times_seen
    # From when it was first unknown until it is seen: the new row tells only whether it is unknown now.
    changes["unknown_since"] = case(
        (new.unknown_since.is_not(None), func.coalesce(old.unknown_since, new.unknown_since))
    )
    upsert = statement.on_conflict_do_update(index_elements=["id"], set_=changes)
    for chunk in _chunks(moves):
        connection.execute(upsert, {"document": rows.finding_document(chunk)})


def _sqlite_rows() -> list[ColumnElement[Any]]:
    each = func.json_each(bindparam("document", type_=Text)).table_valued("value")
    return [func.json_extract(each.c.value, literal_column(f"'$.{name}'")) for name in rows.FINDING_FIELDS]


def _postgres_rows() -> list[ColumnElement[Any]]:
    named = [column(name, _FINDING.c[name].type) for name in rows.FINDING_FIELDS]
    document = cast(bindparam("document", type_=Text), JSON)
    each = func.json_to_recordset(document).table_valued(*named).render_derived(name="each", with_types=True)
    return list(each.c)


def _sightings(sweep: str) -> Insert:
    """Return the statement that notes what the sweep did to each finding, copied from the findings themselves."""
    columns = (_FINDING.c.id, _FINDING.c.last_sweep, _FINDING.c.result_index, _FINDING.c.outcome, _FINDING.c.last_step)
    names = ["finding_id", "sweep_id", "result_index", "outcome", "step"]
    return insert(_SIGHTING).from_select(names, select(*columns).where(_FINDING.c.last_sweep == sweep))


def _upsert(connection: Connection, table: Table, new: Iterable[rows.Row], *, keep: bool = False) -> None:
    statement = _statement(connection, table)
    keys = [column.name for column in table.primary_key]
    if keep:
        statement = statement.on_conflict_do_nothing(index_elements=keys)
    else:
        changes = {column.name: statement.excluded[column.name] for column in table.c if column.name not in keys}
        statement = statement.on_conflict_do_update(index_elements=keys, set_=changes)
    _run(connection, statement, new)


def _insert(connection: Connection, table: Table, new: Iterable[rows.Row]) -> None:
    _run(connection, insert(table), new)


def _statement(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def _run(connection: Connection, statement: Any, new: Iterable[rows.Row]) -> None:
    for chunk in _chunks(new):
        connection.execute(statement, chunk)


def _chunks(items: Iterable[_Item]) -> Iterator[Sequence[_Item]]:
    remaining = iter(items)
    while chunk := list(islice(remaining, CHUNK_ROWS)):
        yield chunk

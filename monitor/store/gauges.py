"""What is counted for those who watch the monitor itself: plain queries over one connection."""

from __future__ import annotations

from datetime import datetime

import msgspec
from sqlalchemy import func, select

from monitor.model import Outcome
from monitor.store.engine import translated
from monitor.store.reconcile import FindingState
from monitor.store.store import Store
from monitor.store.tables import METADATA
from monitor.store.words import SlotState

_FINDING = METADATA.tables["finding"]
_OUTBOX = METADATA.tables["outbox"]
_SLOT = METADATA.tables["slot"]
_SWEEP = METADATA.tables["sweep"]


class LastDone(msgspec.Struct, frozen=True, kw_only=True):
    """The newest slot of a schedule that is done: when it ended (UTC), and its sweep."""

    planned_for: datetime
    ended_at: datetime | None
    sweep_id: str


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of one moment. `findings` counts open ones by (severity, waived); `unknowns` those that nobody could look at."""

    sweeps: int
    findings: dict[tuple[str, bool], int]
    unknowns: dict[str, int]
    outbox: dict[str, int]
    slots: dict[tuple[str, str], int]
    done: dict[str, LastDone]


def gauges(store: Store) -> Gauges:
    """Return the counts. Raises LedgerError."""
    f, s = _FINDING.c, _SLOT.c
    waived = f.waiver != ""
    is_open = f.state != FindingState.RESOLVED
    newest = (
        select(s.schedule, func.max(s.planned_for).label("planned_for"))
        .where(s.state == SlotState.DONE)
        .group_by(s.schedule)
        .subquery()
    )
    last = select(s.schedule, s.planned_for, s.ended_at, s.sweep_id).join(
        newest, (s.schedule == newest.c.schedule) & (s.planned_for == newest.c.planned_for)
    )
    reach = "check that the database runs and may be reached"
    with translated(store._url, "counting", reach), store._engine.connect() as connection:
        run = connection.execute
        by_severity = select(f.severity, waived, func.count()).where(is_open).group_by(f.severity, waived)
        unknown = select(f.check_id, func.count()).where(is_open, f.outcome == Outcome.UNKNOWN).group_by(f.check_id)
        outbox = select(_OUTBOX.c.state, func.count()).group_by(_OUTBOX.c.state)
        slots = select(s.schedule, s.state, func.count()).group_by(s.schedule, s.state)
        return Gauges(
            sweeps=run(select(func.count()).select_from(_SWEEP)).scalar_one(),
            findings={(row[0].value, bool(row[1])): row[2] for row in run(by_severity)},
            unknowns={row[0]: row[1] for row in run(unknown)},
            outbox={row[0].value: row[1] for row in run(outbox)},
            slots={(row[0], row[1].value): row[2] for row in run(slots)},
            done={
                row.schedule: LastDone(planned_for=row.planned_for, ended_at=row.ended_at, sweep_id=row.sweep_id)
                for row in run(last)
            },
        )


def require_schema(store: Store) -> None:
    """Raise LedgerError unless the database can be reached and has the schema that this version knows."""
    store._require_head()

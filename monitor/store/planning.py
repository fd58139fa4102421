"""What a planner of messages may know of a sweep that is being recorded, read over the same transaction.

So messages are there if the sweep is, and only then. Nothing is read for a sweep that plans nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select

from monitor.model import Outcome, Result
from monitor.store import outbox, rows
from monitor.store.outbox import Outgoing
from monitor.store.reconcile import FindingState, Step, Transition
from monitor.store.record import SweepRecord
from monitor.store.tables import METADATA
from monitor.store.views import Finding

_FINDING = METADATA.tables["finding"]
_SIGHTING = METADATA.tables["finding_sighting"]
_SWEEP = METADATA.tables["sweep"]
_OPEN = (FindingState.OPEN, FindingState.REOPENED)
_IDS_AT_ONCE = 1000


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """A finding that a sweep moved: before, after, the result that did it, and the (sink, target) that know of it.

    Without a result, the sweep did not judge it: a waiver of it has begun or ended, or its owner is another.
    """

    step: Step
    before: Finding | None
    after: Finding
    result: Result | None = None
    told: tuple[tuple[str, str], ...] = ()


class Recorded:
    """A sweep within the transaction that records it. It is made before the findings are written, and asked after."""

    def __init__(self, connection: Connection, record: SweepRecord, moves: Sequence[Transition]) -> None:
        self._connection = connection
        self.sweep = record.sweep
        self._results = {move.finding: move.sealed.result for move in moves}
        self._steps = {move.finding: move.step for move in moves}
        met = [move.finding for move in moves if move.step is not Step.OPENED]
        self._before = _findings(connection, [*met, *record.standing])

    def keep(self, plan: Planner, others: Iterable[tuple[str, Step]]) -> None:
        """Plan and keep the messages. `others` are the findings that were moved without being judged."""
        self._steps.update(others)
        outbox.put(self._connection, plan(self))

    def moved(self) -> list[Moved]:
        """Return the findings of which something is new; those that were met again as they were are left out."""
        after = _findings(self._connection, [i for i, step in self._steps.items() if self._is_news(i, step)])
        told = outbox.told(self._connection, [i for i in after if self._steps[i] is not Step.OPENED])
        return [
            Moved(
                step=self._steps[identity],
                before=self._before.get(identity),
                after=found,
                result=self._results.get(identity),
                told=tuple(sorted(told.get(identity, ()))),
            )
            for identity, found in after.items()
        ]

    def last(self, kind: str) -> Outgoing | None:
        """Return the newest message of a kind, or None."""
        return outbox.last(self._connection, kind)

    def given_up(self) -> int:
        """Return how many messages are given up."""
        return outbox.given_up(self._connection)

    def open(self) -> dict[str, int]:
        """Return how many findings are open and not waived, by severity."""
        query = select(_FINDING.c.severity, func.count().label("many")).where(_FINDING.c.state.in_(_OPEN))
        found = self._connection.execute(query.where(_FINDING.c.waiver == "").group_by(_FINDING.c.severity))
        return {row.severity.value: row.many for row in found}

    def waived(self) -> int:
        """Return how many findings are open, and waived."""
        query = select(func.count()).where(_FINDING.c.state.in_(_OPEN), _FINDING.c.waiver != "")
        return int(self._connection.execute(query).scalar_one())

    def steps(self, since: datetime | None) -> dict[str, int]:
        """Return how often sweeps after then (UTC) did each step to a finding, this one included."""
        query = select(_SIGHTING.c.step, func.count().label("many")).group_by(_SIGHTING.c.step)
        if since is not None:
            query = query.join(_SWEEP, _SIGHTING.c.sweep_id == _SWEEP.c.id).where(_SWEEP.c.at > since)
        return {row.step.value: row.many for row in self._connection.execute(query)}

    def unknown(self, limit: int) -> list[Finding]:
        """Return the open findings about what nobody could look at, the longest first, at most so many."""
        since = func.coalesce(_FINDING.c.unknown_since, _FINDING.c.first_seen)
        query = select(_FINDING).where(_FINDING.c.state.in_(_OPEN), _FINDING.c.outcome == Outcome.UNKNOWN)
        found = self._connection.execute(query.order_by(since, _FINDING.c.id).limit(limit))
        return [rows.read_finding(row) for row in found.mappings()]

    def _is_news(self, identity: str, step: Step) -> bool:
        before, result = self._before.get(identity), self._results.get(identity)
        if step is not Step.KEPT or before is None or result is None:
            return True
        return any(getattr(before, name) != getattr(result, name) for name in ("severity", "reason", "waiver"))


Planner = Callable[[Recorded], Iterable[Outgoing]]
"""Gives the messages of a recorded sweep. What it raises undoes the recording."""


def _findings(connection: Connection, ids: Sequence[str]) -> dict[str, Finding]:
    found: dict[str, Finding] = {}
    for start in range(0, len(ids), _IDS_AT_ONCE):
        query = select(_FINDING).where(_FINDING.c.id.in_(ids[start : start + _IDS_AT_ONCE]))
        found.update((row["id"], rows.read_finding(row)) for row in connection.execute(query).mappings())
    return found

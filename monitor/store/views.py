"""What the store answers with: frozen copies of rows, free of the database and of SQLModel."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from monitor.model import ChangeClass, Outcome, Severity, Window
from monitor.store.reconcile import FindingState, Step
from monitor.store.record import Sealing


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The life of a failing (check, subject). Times are UTC.

    `outcome`, `reason`, `result_index` and `result_sha256` are of the latest judgement, which is a pass once it is
    resolved, and `last_step` is what the sweep `last_sweep` did to it; `severity`, `scope`, `actor` and `change_class`
    are of the latest failing one. `first_seen`, `last_seen` and `times_seen`
    count the sweeps that found it failing (or unknown, or in error). `waiver` is the id of the waiver that covered it in the
    last sweep, `owner` who is to act on it, `unknown_since` since when nobody could look.
    """

    id: str
    check: str
    subject: str
    state: FindingState
    outcome: Outcome
    severity: Severity
    scope: str
    actor: str
    change_class: ChangeClass | None
    reason: str
    first_seen: datetime
    last_seen: datetime
    opened_by: str
    last_sweep: str
    last_step: Step
    result_index: int
    result_sha256: str
    times_seen: int
    waiver: str = ""
    owner: str = ""
    unknown_since: datetime | None = None

    @property
    def standing(self) -> str:
        """Return where it stands in one word: open, reopened, waived or resolved."""
        return "waived" if self.waiver and self.is_open else self.state.value

    @property
    def is_open(self) -> bool:
        """Return whether it waits for someone: open, or open again."""
        return self.state is not FindingState.RESOLVED


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """What one sweep (judging at `at`, UTC) did to a finding, and the index of its result in the evidence log."""

    finding: str
    sweep: str
    at: datetime
    result_index: int
    outcome: Outcome
    step: Step


class RecordedSweep(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded sweep, where it was sealed, and the notes it carried. Times are UTC."""

    id: str
    planned_for: datetime
    at: datetime
    window: Window
    sealing: Sealing
    notes: dict[str, Any]

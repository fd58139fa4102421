"""What the scheduler has to tell a person, as notes for the alerts. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitor.alerts.notes import Note
from monitor.alerts.words import NoteKind, several
from monitor.model import Severity
from monitor.schedule.slots import Owed, Schedule


def stamp(moment: datetime) -> str:
    """Return a time (UTC) as `2026-03-14 02:05Z`."""
    return f"{moment:%Y-%m-%d %H:%M}Z"


def overdue_note(schedule: Schedule, slots: Sequence[Owed], now: datetime, reason: str) -> Note:
    """Return that slots are overdue; the oldest of them makes the note one, whoever notices it."""
    oldest = slots[0]
    return Note(
        kind=NoteKind.SLOT_OVERDUE,
        key=f"slot-overdue:{schedule.name}:{oldest.planned_for.isoformat()}",
        at=now,
        title=f"Schedule {schedule.name} is overdue since {stamp(oldest.planned_for)}",
        severity=Severity.HIGH,
        lines=(
            ("Schedule", f"{schedule.name}, {schedule.cron} UTC"),
            ("Owed", several(len(slots), "slot")),
            ("Attempts", str(oldest.attempts)),
            ("Last said", reason or "nothing"),
            ("Do", "see `monitor schedule status`, and whether a scheduler runs"),
        ),
    )


def lost_note(schedule: Schedule, slots: Sequence[datetime], now: datetime, reason: str) -> Note:
    """Return that slots are lost for good."""
    return Note(
        kind=NoteKind.SLOT_LOST,
        key=f"slot-lost:{schedule.name}:{slots[0].isoformat()}",
        at=now,
        title=f"Schedule {schedule.name} lost {several(len(slots), 'slot')}",
        severity=Severity.HIGH,
        lines=(
            ("Schedule", f"{schedule.name}, {schedule.cron} UTC"),
            ("First", stamp(slots[0])),
            ("Last", stamp(slots[-1])),
            ("Why", reason),
        ),
    )


def ping_note(where: str, now: datetime, reason: str) -> Note:
    """Return that the dead-man switch could not be called; once a day, and without its address, which often is a secret."""
    return Note(
        kind=NoteKind.TARGET_GONE,
        key=f"ping:{where}:{now:%Y-%m-%d}",
        at=now,
        title=f"The dead-man switch at {where} cannot be called",
        severity=Severity.MEDIUM,
        lines=(("Why", reason), ("Do", "check `schedules.ping`; it will raise its own alarm, though sweeps run")),
    )

"""What the runner works with, what it answers, and how schedules stand on the evidence log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

import msgspec

from monitor.alerts.notes import Note
from monitor.evidence.schedule_record import Planned
from monitor.schedule.slots import Schedule
from monitor.sources.ports import Progress
from monitor.sweep.run import Ports, Swept
from monitor.sweep.stopping import Stop, never


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What the runner works with. Times are UTC.

    `ports` opens all that a sweep works with, and raises LogBusy where another process writes to the log; `patience` is how
    many seconds are then waited. `tell` is given what a person must know, `say` a line for the record of the service, `swept`
    what came of each sweep. `stop` is asked at each safe point.
    """

    ports: Callable[[], AbstractContextManager[Ports]]
    clock: Callable[[], datetime]
    sleep: Callable[[float], None]
    owner: str
    tell: Callable[[Note], None]
    say: Callable[[str], None]
    swept: Callable[[Schedule, datetime, Swept], None] = lambda schedule, slot, swept: None
    stop: Stop = never
    progress: Progress = lambda step, done, total: None
    patience: float = 30.0


class Ran(msgspec.Struct):
    """What one pass came to: slots done, failed and lost, as (schedule, slot); `busy` if another process works."""

    done: list[tuple[str, datetime]] = []
    failed: list[tuple[str, datetime]] = []
    lost: list[tuple[str, datetime]] = []
    busy: bool = False


def planned(schedules: Sequence[Schedule]) -> tuple[Planned, ...]:
    """Return the schedules as the evidence log has them."""
    return tuple(
        Planned(
            name=one.name,
            cron=one.cron,
            sources=one.sources,
            keeps_seconds=one.keeps // timedelta(seconds=1),
            grace_seconds=one.grace // timedelta(seconds=1),
        )
        for one in schedules
    )

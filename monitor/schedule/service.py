"""The service: APScheduler as the clock, in memory, and nothing else. Which slots are owed, the ledger says.

A tick that comes late, twice or not at all therefore changes nothing but when a slot is looked for. Besides the ticks of
each schedule the ledger is looked at every minute: for what a crash has left, what has failed, and what nobody does.
https://apscheduler.readthedocs.io/en/3.x/userguide.html
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import msgspec
from apscheduler.executors.pool import ThreadPoolExecutor  # type: ignore[import-untyped]
from apscheduler.jobstores.memory import MemoryJobStore  # type: ignore[import-untyped]
from apscheduler.schedulers.background import BackgroundScheduler  # type: ignore[import-untyped]

from monitor.alerts.notes import Note
from monitor.errors import MonitorError
from monitor.schedule.health import PLAIN, Answer
from monitor.schedule.runner import Runner
from monitor.schedule.slots import trigger

LOOK_SECONDS = 60
_SILENT = timedelta(minutes=5)


class Job(msgspec.Struct, frozen=True):
    """Something else that the service does every so many seconds, as delivering alerts, in a thread of its own.

    Its name is its own: not `default`, `watch` or `schedule`.
    """

    name: str
    seconds: float
    run: Callable[[], object]


class _Clock(BackgroundScheduler):  # type: ignore[misc]
    """The clock of APScheduler, which can end while it ticks: its own end lets a tick that is under way raise."""

    _ended = False

    def end(self) -> None:
        """Let the tick that is under way come to its end, and no other begin; wait for the jobs that run."""
        with self._jobstores_lock:
            self._ended = True
        self.shutdown(wait=True)

    def _process_jobs(self) -> float | None:
        with self._jobstores_lock:
            return None if self._ended else super()._process_jobs()


class Service:
    """Runs a runner's schedules until it is told to stop.

    `tell` is given each overdue slot once; `say` a line for the record. `jobs` may raise MonitorError: it is said.
    """

    def __init__(
        self,
        runner: Runner,
        clock: Callable[[], datetime],
        tell: Callable[[Note], None],
        say: Callable[[str], None],
        *,
        jobs: Sequence[Job] = (),
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        self._runner = runner
        self._clock = clock
        self._tell = tell
        self._say = say
        self._jobs = tuple(jobs)
        self._look = look_seconds
        self._beat = clock()
        self._said: dict[str, str] = {}
        self._told: set[str] = set()

    def run(self, stop: threading.Event) -> None:
        """Work until `stop` is set; a sweep that is under way then ends at its next safe point, and is waited for."""
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # That a look is skipped during a sweep is no news.
        pools = {"default": ThreadPoolExecutor(1), "watch": ThreadPoolExecutor(1)}
        pools |= {job.name: ThreadPoolExecutor(1) for job in self._jobs}
        scheduler = _Clock(
            timezone=UTC,
            jobstores={"default": MemoryJobStore()},
            executors=pools,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        for schedule in self._runner.schedules:
            scheduler.add_job(self.tick, trigger(schedule.cron), id=f"tick {schedule.name}")
        regular = [(self.tick, self._look, "default"), (self.watch, self._look, "watch")]
        regular += [(self._guarded(job), job.seconds, job.name) for job in self._jobs]
        for run, seconds, pool in regular:
            scheduler.add_job(run, executor=pool)  # at once, and then
            scheduler.add_job(run, "interval", seconds=seconds, executor=pool)
        scheduler.start()
        try:
            stop.wait()
        finally:
            scheduler.end()

    def tick(self) -> None:
        """Work off what is owed. What prevents it is said, once until it changes; the next tick tries again."""
        self._guarded(Job("schedule", 0, self._runner.run_owed))()

    def watch(self) -> None:
        """Tell what is overdue, whether or not this process works on it."""
        self._beat = self._clock()
        self._guarded(Job("watch", 0, self._tell_overdue))()

    def alive(self) -> Answer:
        """Return the page /healthz: that the clock of this process goes on."""
        age = self._clock() - self._beat
        status = HTTPStatus.OK if age < _SILENT else HTTPStatus.SERVICE_UNAVAILABLE
        return status, PLAIN, f"last tick {max(0, round(age.total_seconds()))} seconds ago\n"

    def _tell_overdue(self) -> None:
        for note in self._runner.overdue(self._clock()):
            if note.key not in self._told:
                self._tell(note)
                self._told.add(note.key)

    def _guarded(self, job: Job) -> Callable[[], None]:
        def run() -> None:
            try:
                job.run()
            except MonitorError as error:
                if self._said.get(job.name) != error.what:
                    self._say(f"{job.name}: {error.diagnostics()}")
                self._said[job.name] = error.what
            else:
                self._said.pop(job.name, None)

        return run

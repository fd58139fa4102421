"""Schedulers in a small world: two sources, two checks, a clock that the test sets; as objects here, or as processes.

Run as `python -m tests.fakes.scheduling FOLDER URL DAYS WORKERS SEED`: forks workers that work off what is owed, kills them
at random and at the worst moments, cuts the database off, brings the workers back, until so many days have gone by. Prints
what it did as JSON.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from monitor.alerts.deliver import Deliverer
from monitor.alerts.notes import Message, Note, Target
from monitor.alerts.port import Delivered, Thread
from monitor.alerts.rules import AlertRules, Route
from monitor.errors import LedgerError, MonitorError
from monitor.evidence.keys import signing_key
from monitor.evidence.log import EvidenceLog
from monitor.model import Check, CoverageStatus, Expectation, Outcome, Result, ScopeCoverage, Severity, Sweep, Window
from monitor.schedule.runner import Runner
from monitor.schedule.slots import Schedule
from monitor.schedule.tools import Tools
from monitor.sources.ports import Collected, Memory, Progress, Request
from monitor.store.messages import Messages
from monitor.store.slots import Slots
from monitor.store.store import Store
from monitor.store.words import SlotState
from monitor.sweep.alerting import Alerting, StoreOutbox
from monitor.sweep.run import Ports

START = datetime(2026, 1, 1, tzinfo=UTC)
ORIGIN = "evidence.example.com/scheduled"
NIGHTLY = Schedule(name="nightly", cron="0 2 * * *")
LOGS = Schedule(name="logs", cron="0 */6 * * *", sources=("fake.log",))
SCHEDULES = (NIGHTLY, LOGS)


class Entry(msgspec.Struct, frozen=True):
    """What the fake log holds: one fact a window."""

    window: Window


class Setting(msgspec.Struct, frozen=True):
    """How something is set at a moment."""

    at: datetime


class Nothing(Expectation):
    """Nothing is expected."""


class Anything:
    """Expected state of which every check gets its defaults."""

    def build(self, cls: type[Any]) -> Any:
        return cls()


class FakeSource:
    """A source; what it does besides is `meanwhile`, called when it collects."""

    def __init__(self, name: str, *, events: bool, meanwhile: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.events = events
        self.meanwhile = meanwhile
        self.status = CoverageStatus.COMPLETE
        self.asked: list[Request] = []
        self.provides: tuple[type, ...] = (Entry,) if events else (Setting,)
        self.once: tuple[type, ...] = (Entry,) if events else ()

    def scopes(self) -> dict[str, tuple[str, ...]]:
        return {self.name: ("fake:1",)}

    def due(self, request: Request, memory: Memory) -> Window | None:
        if not self.events:
            return None
        start = memory.marks().get(f"{self.name}|fake:1", START)
        return Window(start, max(start, min(request.at, request.until or request.at)))

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        self.asked.append(request)
        window = self.due(request, memory)
        self.meanwhile()
        read = ScopeCoverage(scope="fake:1", source=self.name, status=self.status, window=window)
        fact = Entry(window) if window else Setting(request.at)
        marks = {f"{self.name}|fake:1": window.end} if window else {}
        return Collected(facts=[fact], coverage=[read], marks=marks, object_source=self.name)

    def recall(self, parts: Sequence[Any], sessions: Collection[str]) -> list[Any]:
        return []


def _judge(name: str) -> Callable[..., Iterator[Result]]:
    def evaluate(facts: Any, expect: Any, sweep: Sweep) -> Iterator[Result]:
        for _ in facts:
            bad = name == "setting-holds" and sweep.planned_for.day % 5 == 0
            outcome = Outcome.FAIL if bad else Outcome.PASS
            yield Result(check=name, subject="fake:1", outcome=outcome, reason="it was so", scope="fake:1")

    return evaluate


def check(name: str, *facts: type) -> Check:
    """Return a check that yields one result a fact; `setting-holds` fails for the slots of each fifth day of a month."""
    return Check(
        id=name,
        title=name,
        severity=Severity.HIGH,
        controls=("PS019-0.2",),
        facts=facts,
        expects=Nothing,
        evaluate=_judge(name),
    )


CHECKS = (check("log-holds", Entry), check("setting-holds", Setting))
ALERTS = Alerting(rules=AlertRules(routes=(Route(to=(Target("file", "told"),)),), summary_at=None), checks=CHECKS)


class FileSink:
    """Tells by a line in a file. Whoever tells may die when a line is written and nobody knows of it: `after` is called then."""

    name = "file"

    def __init__(self, path: Path, after: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self.after = after

    def deliver(self, message: Message, thread: Thread | None) -> Delivered:
        line = {"id": message.id, "kind": message.kind.value, "finding": message.finding_id}
        with self.path.open("a") as told:
            told.write(json.dumps(line) + "\n")
        self.after()
        return Delivered(message.id, thread.reference if thread else message.id)

    def find(self, message: Message, thread: Thread | None) -> Delivered | None:
        found = any(line["id"] == message.id for line in told(self.path))
        return Delivered(message.id, thread.reference if thread else message.id) if found else None


def told(path: Path) -> list[dict[str, str]]:
    """Return what a file sink has told, in order."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


class World:
    """A folder with an evidence log, a database, a clock; and what the scheduler told and said."""

    def __init__(self, folder: Path, url: str, now: datetime = START) -> None:
        self.folder = folder
        self.url = url
        self.now = now
        self.notes: list[Note] = []
        self.lines: list[str] = []
        self.stopped = False
        self.waits: list[float] = []
        self.log_source = FakeSource("fake.log", events=True)
        self.settings_source = FakeSource("fake.settings", events=False)
        self.store = Store.open(url)
        self.recording: Any = self.store
        self.planner: Callable[[datetime], Any] | None = None
        self.slots = Slots(self.store)
        self._instances: list[Slots] = []

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    def close(self) -> None:
        for slots in (*self._instances, self.slots):
            slots.close()
        self.store.close()

    @contextmanager
    def ports(self) -> Iterator[Ports]:
        key = signing_key(self.folder / "keys" / "key.pem", ORIGIN)
        with EvidenceLog.open(self.evidence, ORIGIN, key.signer) as log:
            yield Ports(
                sources=(self.log_source, self.settings_source),
                checks=CHECKS,
                expected=Anything(),
                log=log,
                store=self.recording,
                tidy=lambda cut_off: 0,
                discard=lambda paths: None,
                lacking=lambda parts: [],
                config_sha256="c" * 64,
                code_sha256="d" * 64,
                catalogues=dict,
                planner=self.planner,
            )

    def runner(
        self, schedules: Sequence[Schedule] = SCHEDULES, *, owner: str = "one", slots: Any = None, **more: Any
    ) -> Runner:
        """Return a scheduler's worker; each with slots of its own is as a process of its own."""
        tools: dict[str, Any] = {
            "ports": self.ports,
            "clock": lambda: self.now,
            "sleep": self.waits.append,
            "owner": owner,
            "tell": self.notes.append,
            "say": self.lines.append,
            "stop": lambda: self.stopped,
        }
        return Runner(schedules, slots or self.slots, Tools(**(tools | more)))

    def instance(self) -> Slots:
        """Return another process's slots of the same database."""
        self._instances.append(Slots(self.store))
        return self._instances[-1]

    def states(self, schedule: str = "nightly") -> dict[datetime, SlotState]:
        return {slot.planned_for: slot.state for slot in self.slots.rows(schedule)}


class FileClock:
    """The clock of several processes: a file, replaced whole."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> datetime:
        return datetime.fromisoformat(self.path.read_text())

    def set(self, now: datetime) -> None:
        new = self.path.with_name(f"{self.path.name}.new")
        new.write_text(now.isoformat())
        new.rename(self.path)


POINTS = ("claimed", "begun", "sealed", "recorded", "declared", "told", "told")


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _Deadly:
    """A store or ledger whose owner dies when it is asked for one thing, the n-th time."""

    def __init__(self, inner: Any, method: str, count: int, *, after: bool = False) -> None:
        self._inner, self._method, self._count, self._after = inner, method, count, after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name != self._method:
            return found

        def deadly(*given: Any, **named: Any) -> Any:
            self._count -= 1
            if not self._after and self._count == 0:
                _die()
            answer = found(*given, **named)
            if self._count == 0:
                _die()
            return answer

        return deadly


def work(folder: Path, url: str, number: int, seed: int) -> None:
    """Work off what is owed until a file says that it is over; die at a random point, sooner or later."""
    chance = random.Random(seed)
    clock = FileClock(folder / "clock")
    while True:
        try:
            world = World(folder, url)
            break
        except LedgerError:
            time.sleep(0.02)
    point, count = chance.choice([*POINTS, "", ""]), chance.randint(1, 12)
    slots: Any = world.slots
    if point == "claimed":
        slots = _Deadly(slots, "claim", count, after=True)
    if point == "recorded":
        slots = _Deadly(slots, "finish", count)
    if point == "sealed":
        world.recording = _Deadly(world.store, "record", count)
    if point == "declared":
        slots = _Deadly(slots, "settled", count * 5)
    remaining = [count]

    def begun() -> None:
        remaining[0] -= 1
        if point == "begun" and remaining[0] == 0:
            _die()

    def after() -> None:
        remaining[0] -= 1
        if point == "told" and remaining[0] <= 0:
            _die()

    world.log_source.meanwhile = begun
    world.planner = ALERTS.planner
    if point == "told":
        remaining[0] = chance.randint(1, 2)
    runner = world.runner(
        owner=f"worker-{number}-{os.getpid()}",
        slots=slots,
        clock=clock,
        sleep=lambda seconds: time.sleep(0.01),
        say=lambda line: None,
    )
    deliverer = Deliverer(StoreOutbox(world.store), [FileSink(folder / "told", after)], clock, patience=10.0)
    while not (folder / "over").exists():
        try:
            runner.run_owed()
            deliverer.run_once(clock())
        except MonitorError as error:
            with (folder / "errors").open("a") as said:
                said.write(f"{type(error).__name__}: {error.what}\n")
        time.sleep(0.01)


class Outage:
    """Cuts a PostgreSQL database off: nobody may connect, and whoever is connected no longer is."""

    def __init__(self, url: str) -> None:
        from sqlalchemy import make_url

        address = make_url(url)
        self.database = address.database
        self._admin = address.set(database="postgres").render_as_string(hide_password=False)

    def set(self, out: bool) -> None:
        import psycopg

        with psycopg.connect(self._admin, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {self.database} ALLOW_CONNECTIONS {str(not out).lower()}".encode())
            if out:
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [self.database]
                )


def supervise(folder: Path, url: str, days: int, workers: int, seed: int) -> dict[str, int]:
    """Let so many days go by over workers that die; return what was done to them."""
    chance = random.Random(seed)
    clock = FileClock(folder / "clock")
    now, end = START + timedelta(hours=1), START + timedelta(days=days, hours=3)
    clock.set(now)
    outage = Outage(url) if url.startswith("postgresql") else None
    counts: Counter[str] = Counter()
    running: dict[int, int] = {}

    def start(number: int) -> None:
        counts["started"] += 1
        child = os.fork()
        if child == 0:
            try:
                work(folder, url, number, seed * 100_000 + counts["started"])
            except BaseException as fault:
                sys.stderr.write(f"worker {number}: {type(fault).__name__}: {fault}\n")
                os._exit(1)
            os._exit(0)
        running[child] = number

    def bury() -> None:
        while running:
            child, ended = os.waitpid(-1, os.WNOHANG)
            if child == 0:
                return
            number = running.pop(child)
            counts["killed" if os.WIFSIGNALED(ended) else f"ended {os.waitstatus_to_exitcode(ended)}"] += 1
            start(number)

    def backlog() -> int:
        """Return how many slots are behind, by what lies in the log; reading the database would only be in the way."""
        due = (now - START) / timedelta(days=1) * 5
        return int(due) - len(list((folder / "evidence" / "checkpoints").glob("*"))) // 2

    for number in range(workers):
        start(number)
    deadline = time.monotonic() + 60 + days * 3
    while not (folder / "evidence/checkpoints/00000000000000000002").exists() and time.monotonic() < deadline:
        bury()  # Time stands still until the schedules are in force.
        time.sleep(0.02)
    drained = 0
    while drained < 40 and time.monotonic() < deadline:
        bury()
        time.sleep(0.02)
        if now >= end:
            now += timedelta(minutes=2)  # What has failed waits a minute of this world before it is tried again.
            drained += 1
            clock.set(now)
            if not _done(url, end):
                drained = 0
            continue
        if backlog() > 15:
            continue
        blow = chance.random()
        if blow < 0.08:
            counts["shot"] += 1
            with suppress(ProcessLookupError):
                os.kill(chance.choice(list(running)), signal.SIGKILL)
        elif blow < 0.09 and outage:
            counts["outages"] += 1
            outage.set(True)
            time.sleep(chance.uniform(0.05, 0.4))
            outage.set(False)
        elif blow < 0.10:
            counts["all down"] += 1
            for child in running:
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
            now += timedelta(days=chance.choice([1, 2, 3]))
            clock.set(now)
        else:
            now += timedelta(hours=chance.uniform(0.5, 5))
            clock.set(now)
    (folder / "over").touch()
    for child in running:
        with suppress(ChildProcessError):
            os.waitpid(child, 0)
    counts["seconds"] = round(time.monotonic() - deadline + 60 + days * 3)
    return dict(counts)


def _done(url: str, end: datetime) -> bool:
    """Return whether every slot up to the end has been worked off, and everybody told."""
    from monitor.schedule.slots import Ledger, owed

    try:
        with Store.open(url) as store:
            slots = Slots(store)
            for one in SCHEDULES:
                settled = slots.settled(one.name, end)
                rows = {slot.planned_for: slot for slot in slots.unsettled(one.name, settled)}
                if any(True for _ in owed(one, Ledger(settled=settled, rows=rows), end)):
                    return False
            return not Messages(store).waiting()
    except LedgerError:
        return False


def main() -> None:
    """Run the supervisor, and print what it did."""
    folder, url, days, workers, seed = sys.argv[1:]
    print(json.dumps(supervise(Path(folder), url, int(days), int(workers), int(seed))))


if __name__ == "__main__":
    main()

"""`monitor schedule`: the scheduler, until it is told to end; or once, over all that is owed; and what the ledger says."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import exits
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, clean, complain, moment, number, print_json, safe, say, table

if TYPE_CHECKING:
    from monitor.alerts.notes import Note
    from monitor.model import Check
    from monitor.schedule.runner import Runner
    from monitor.schedule.slots import Schedule
    from monitor.schedule.tools import Ran, Tools
    from monitor.settings import Config
    from monitor.store.store import Store
    from monitor.sweep.run import Ports, Swept

Outcomes = deque[tuple[int, int]]
"""Of the latest sweeps: how many results fail, and how many are unknown or scopes not read whole."""

app = typer.Typer(invoke_without_command=True)


@app.callback()
def schedule(
    context: typer.Context,
    config: ConfigDir = Path("config"),
    once: Annotated[
        bool, typer.Option("--once", help="Work off all slots that are owed now, then end: for cron, and for trying.")
    ] = False,
) -> None:
    """Sweep by the schedules of monitor.yaml until SIGTERM: then a sweep ends at its next safe point, and stays owed.

    A second SIGTERM ends it at once. Several may run on PostgreSQL. Example: monitor schedule --once
    """
    if context.invoked_subcommand is not None:
        return
    from monitor.cli import compose
    from monitor.cli.clock import now
    from monitor.cli.telling import deliver, keeps_delivering, listens, teller
    from monitor.schedule.runner import Runner
    from monitor.store.slots import Slots

    loaded = configuration(config)
    schedules = schedules_of(loaded)
    stop = threading.Event()
    outcomes: Outcomes = deque(maxlen=1000)
    with compose.open_store(loaded) as store, Slots(store) as slots:
        slots.enter()
        tools = tools_of(config, loaded, stop, outcomes, teller(loaded, store, log))
        runner = Runner(schedules, slots, tools)
        with _ending(stop):
            if once:
                ran = runner.run_owed()
                deliver(loaded, store, log)
                raise typer.Exit(_code(ran, outcomes))
            with keeps_delivering(loaded, store, log), listens(loaded, store, log):
                _serve(runner, store, loaded, tools, stop, now)


@app.command()
def status(config: ConfigDir = Path("config"), output: OutputFormat = Format.TABLE) -> None:
    """Show of each schedule what is done, owed, failed and lost, and what comes next.

    Example: monitor schedule status --format json
    """
    from monitor.cli import compose
    from monitor.cli.clock import now
    from monitor.store.slots import Slots

    loaded = configuration(config)
    with compose.open_store(loaded) as store:
        found = standing(schedules_of(loaded), Slots(store), now())
    if output is Format.JSON:
        print_json(found)
        return
    rows = [
        (
            safe(one["schedule"]),
            safe(one["cron"]),
            moment(one["last_done"]),
            number(one["owed"]),
            number(one["failed"]),
            number(one["lost"]),
            moment(one["next"]),
            "[bold red]overdue[/]" if one["overdue"] else "",
        )
        for one in found
    ]
    table(("schedule", "cron (UTC)", "last done", "owed", "failed", "lost", "next", ""), rows)
    for one in found:
        if one["reason"]:
            say(f"{safe(one['schedule'])}: {safe(one['reason'], 500)}")


def standing(schedules: Sequence[Schedule], slots: Any, at: datetime) -> list[dict[str, Any]]:
    """Return where each schedule stands, as docs/schedule.md describes it; times are UTC. Raises LedgerError."""
    from monitor.schedule.slots import Ledger, overdue, owed, upcoming
    from monitor.store.words import SlotState

    counts = slots.counts()
    found = []
    for one in schedules:
        settled = slots.settled(one.name, at)
        rows = {slot.planned_for: slot for slot in slots.unsettled(one.name, settled)}
        ledger = Ledger(settled=settled, rows=rows)
        waiting = list(owed(one, ledger, at))
        failed = [slot for slot in rows.values() if slot.state is SlotState.FAILED]
        found.append(
            {
                "schedule": one.name,
                "cron": one.cron,
                "sources": list(one.sources),
                "last_done": slots.last_done(one.name),
                "done": counts.get((one.name, "done"), 0),
                "owed": len(waiting),
                "oldest_owed": waiting[0].planned_for if waiting else None,
                "overdue": [late.planned_for for late in overdue(one, ledger, at)],
                "failed": len(failed),
                "lost": counts.get((one.name, "lost"), 0),
                "next": upcoming(one.cron, at),
                "reason": failed[0].reason if failed else "",
            }
        )
    return found


def schedules_of(config: Config) -> tuple[Schedule, ...]:
    """Return the schedules of the settings. Raises ConfigError if there is none, or one names a source that is not there."""
    from monitor.cli import compose
    from monitor.errors import ConfigError
    from monitor.schedule.slots import Schedule
    from monitor.sweep import registry
    from monitor.sweep.subset import subset

    found = tuple(
        Schedule(
            name=one.name,
            cron=one.cron,
            sources=one.sources,
            keeps=timedelta(days=one.keeps_days),
            grace=timedelta(minutes=one.grace_minutes),
        )
        for one in config.settings.schedules.sweeps
    )
    if not found:
        raise ConfigError(
            "there is no schedule in monitor.yaml",
            todo='write one: schedules: {sweeps: [{name: nightly, cron: "0 2 * * *"}]}',
        )
    limited = [one for one in found if one.sources]
    sources = compose.sources(config, None) if limited else []
    for one in limited:
        try:
            subset(sources, registry.discover(), one.sources)
        except ConfigError as wrong:
            raise ConfigError(f"schedule {one.name}: {wrong.what}", todo=wrong.todo) from wrong
    return found


def tools_of(
    folder: Path, config: Config, stop: threading.Event, outcomes: Outcomes, tell: Callable[[Note], None]
) -> Tools:
    """Return what the runner works with. The configuration is read anew for each sweep: what should be may have changed."""
    from monitor.cli.clock import now
    from monitor.schedule.deadman import host, ping
    from monitor.schedule.notes import ping_note
    from monitor.schedule.tools import Tools
    from monitor.sweep import registry
    from monitor.sweep.after import counts

    settings = config.settings.schedules
    available = registry.discover()

    def sleep(seconds: float) -> None:
        stop.wait(seconds)

    def swept(schedule: Schedule, slot: datetime, came: Swept) -> None:
        counted = counts(came.results)
        outcomes.append((counted.failing, counted.unknown + (not came.complete)))
        if settings.ping and (came.complete or settings.ping_partial):
            if reason := ping(settings.ping, time.sleep):
                where = host(settings.ping)
                log(f"the dead-man switch at {where} was not called: {reason}")
                tell(ping_note(where, now(), reason))

    return Tools(
        ports=lambda: _opened(folder, available),
        clock=now,
        sleep=sleep,
        owner=f"{socket.gethostname()}:{os.getpid()}",
        tell=tell,
        say=log,
        swept=swept,
        stop=stop.is_set,
    )


def log(text: str) -> None:
    """Write a line of the service's record to standard error, with the time (UTC)."""
    from monitor.cli.clock import now

    complain("\n".join(f"{now():%Y-%m-%dT%H:%M:%SZ} {clean(line, 480)}" for line in text.split("\n")))


@contextmanager
def _opened(folder: Path, available: tuple[Check, ...]) -> Iterator[Ports]:
    from monitor.cli import compose

    with compose.ports(configuration(folder), available, None) as (ports, _):
        yield ports


def _serve(
    runner: Runner, store: Store, config: Config, tools: Tools, stop: threading.Event, clock: Callable[[], datetime]
) -> None:
    from monitor.schedule import health, metrics
    from monitor.schedule.service import Service

    service = Service(runner, clock, tools.tell, tools.say)
    listen = config.settings.schedules.listen
    with ExitStack() as stack:
        if listen:
            served = stack.enter_context(
                health.Health(
                    listen,
                    {
                        "/healthz": service.alive,
                        "/readyz": lambda: health.readiness(store, config.settings.evidence.folder),
                        "/metrics": lambda: (
                            HTTPStatus.OK,
                            health.CONTENT_TYPE,
                            metrics.collect(runner, store, clock()),
                        ),
                    },
                )
            )
            log(f"health and metrics at http://{served.address}")
        if not runner.declare():
            log("another process writes to the evidence log; the schedules are put on it before the first sweep")
        log("scheduling " + ", ".join(f"{one.name} ({one.cron} UTC)" for one in runner.schedules))
        service.run(stop)
    log("ended; what is unfinished stays owed")


@contextmanager
def _ending(stop: threading.Event) -> Iterator[None]:
    """Let the first SIGTERM or SIGINT ask for an end, and the second be one."""

    def asked(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        sys.stderr.write("asked to end: at the next safe point; once more ends it at once\n")
        stop.set()

    before = {one: signal.signal(one, asked) for one in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


def _code(ran: Ran, outcomes: Outcomes) -> int:
    for name, slot in ran.done:
        log(f"done: {name} {moment(slot)}")
    if ran.busy:
        log("another process writes to the evidence log; what is owed is left to it, or to the next run")
    if ran.failed or ran.busy:
        return exits.EVIDENCE
    incomplete = bool(ran.lost) or any(unknown for _, unknown in outcomes)
    return exits.verdict(findings=any(failing for failing, _ in outcomes), incomplete=incomplete)

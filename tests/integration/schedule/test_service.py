"""The service and what it answers: health, readiness, metrics, the dead-man switch, and ending at a safe point."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from monitor.errors import ConfigError, LedgerError
from monitor.model import CoverageStatus, ScopeCoverage
from monitor.schedule import health, metrics
from monitor.schedule.deadman import host, ping
from monitor.schedule.metrics import Family, exposition, requests
from monitor.schedule.service import Job, Service
from monitor.schedule.slots import Schedule
from tests.fakes.scheduling import LOGS, NIGHTLY, START, Outage, World

MORNING = START + timedelta(hours=9)
_SAMPLE = re.compile(
    r'[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*"(,[a-zA-Z_][a-zA-Z0-9_]*="([^"\\\n]|\\["\\n])*")*\})? '
    r"(-?[0-9.]+(e[+-]?[0-9]+)?|NaN|[+-]Inf)"
)
"""A sample's line: https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information"""


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[World]:
    made = World(tmp_path, store_url, MORNING)
    yield made
    made.close()


def parsed(text: str) -> dict[str, float]:
    """Return the samples, and require that every line is as the format says, and each metric stands together."""
    assert text.endswith("\n")
    found: dict[str, float] = {}
    typed: list[str] = []
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            name, kind = line.split()[2:]
            assert name not in typed
            assert kind in ("gauge", "counter")
            typed.append(name)
        elif not line.startswith("# HELP "):
            assert _SAMPLE.fullmatch(line), line
            sample, _, value = line.rpartition(" ")
            assert sample.partition("{")[0] == typed[-1]
            assert sample not in found
            found[sample] = float(value)
    return found


def test_the_metrics_tell_what_was_done_and_what_is_owed(world: World) -> None:
    runner = world.runner([NIGHTLY, LOGS])
    world.now = datetime(2026, 1, 5, 9, tzinfo=UTC)  # a fifth day: one finding
    runner.run_owed()
    done_at = world.now
    world.now += timedelta(days=1)
    found = parsed(metrics.collect(runner, world.store, world.now))
    assert found['monitor_last_success_timestamp_seconds{schedule="nightly"}'] == done_at.timestamp()
    assert found['monitor_slots_owed{schedule="nightly"}'] == 1
    assert found['monitor_slots_owed{schedule="logs"}'] == 4
    assert found['monitor_oldest_owed_slot_seconds{schedule="nightly"}'] == 7 * 3600
    assert found['monitor_coverage_scopes{schedule="nightly",status="complete"}'] == 2
    assert found['monitor_coverage_scopes{schedule="logs",status="complete"}'] == 1
    assert found['monitor_findings_open{severity="medium",waived="false"}'] == 1
    assert found['monitor_outbox_messages{state="pending"}'] == 0
    assert found["monitor_sweeps_total"] == 2
    assert found['monitor_slots{schedule="nightly",state="done"}'] == 1


def test_the_metrics_of_an_empty_installation_are_there_too(world: World) -> None:
    found = parsed(metrics.collect(world.runner([NIGHTLY]), world.store, world.now))
    assert found["monitor_sweeps_total"] == 0
    assert found['monitor_slots_owed{schedule="nightly"}'] == 1


def test_labels_from_outside_cannot_break_the_format() -> None:
    hostile = 'a"b\\c\nd\ud800 é}'
    text = exposition([Family("monitor_x", "gauge", "line\nbreak \\", [({"check": hostile}, 1.5)])])
    assert (
        text
        == '# HELP monitor_x line\\nbreak \\\\\n# TYPE monitor_x gauge\nmonitor_x{check="a\\"b\\\\c\\nd\\\\ud800 é}"} 1.5\n'
    )
    assert parsed(text)


def test_requests_are_counted_by_provider() -> None:
    def read(scope: str, **counts: int) -> ScopeCoverage:
        return ScopeCoverage(scope=scope, source="x", status=CoverageStatus.COMPLETE, counts=counts)

    found = requests(
        [read("github:example-org", requests=7), read("aws:111122223333", calls=3), read("aws:1", calls=4)]
    )
    assert found == {"github": 7, "aws": 7}


@contextmanager
def served(world: World, service: Service, runner: Any) -> Iterator[httpx2.Client]:
    pages = {
        "/healthz": service.alive,
        "/readyz": lambda: health.readiness(world.store, world.evidence),
        "/metrics": lambda: (
            health.HTTPStatus.OK,
            metrics.CONTENT_TYPE,
            metrics.collect(runner, world.store, world.now),
        ),
    }
    with (
        health.Health("127.0.0.1:0", pages) as web,
        httpx2.Client(base_url=f"http://{web.address}", trust_env=False) as client,
    ):
        yield client


def of(world: World, *schedules: Schedule, **more: Any) -> tuple[Service, Any]:
    runner = world.runner(schedules or [NIGHTLY])
    return Service(runner, lambda: world.now, world.notes.append, world.lines.append, **more), runner


def test_health_tells_whether_the_clock_of_the_process_goes_on(world: World) -> None:
    service, runner = of(world)
    with served(world, service, runner) as client:
        assert client.get("/healthz").status_code == 200
        world.now += timedelta(minutes=6)
        stuck = client.get("/healthz")
        assert (stuck.status_code, stuck.text) == (503, "last tick 360 seconds ago\n")
        service.watch()
        assert client.get("/healthz").status_code == 200
        assert client.get("/metrics").headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert client.head("/metrics").text == ""
        assert client.get("/../etc/passwd").status_code == 404
        assert client.post("/healthz").status_code == 501


def test_ready_means_that_a_sweep_could_work(world: World) -> None:
    service, runner = of(world)
    with served(world, service, runner) as client:
        assert client.get("/readyz").text == "ready\n", "before the first sweep too"
        runner.run_owed()
        assert client.get("/readyz").text == "ready\n"
        newest = max((world.evidence / "checkpoints").iterdir())
        kept = newest.read_text()
        newest.write_text(kept.replace("\n", " \n", 1))
        assert client.get("/readyz").status_code == 503
        newest.unlink()
        lacking = client.get("/readyz")
        assert (lacking.status_code, "compared" in lacking.text) == (503, True)


def test_a_database_that_is_away_is_not_ready_and_the_process_is_still_alive(postgres_url: str, tmp_path: Path) -> None:
    world = World(tmp_path, postgres_url, MORNING)
    service, runner = of(world)
    outage = Outage(postgres_url)
    with served(world, service, runner) as client:
        outage.set(True)
        for page in ("/readyz", "/metrics"):
            away = client.get(page)
            assert away.status_code == 503
            assert "failed" in away.text
        assert client.get("/healthz").status_code == 200
        outage.set(False)
        assert client.get("/readyz").status_code == 200
    world.close()


def test_where_nothing_can_listen_is_a_mistake_of_configuration() -> None:
    with health.Health("127.0.0.1:0", {}) as web, pytest.raises(ConfigError, match="nothing can listen"):
        health.Health(web.address, {})


def test_the_service_works_off_what_is_owed_at_once_and_ends_when_it_is_told_to(world: World) -> None:
    stop = threading.Event()
    service, runner = of(world, NIGHTLY, LOGS)
    seen: list[str] = []

    def done() -> None:
        if len(world.slots.rows()) == 2 and all(row.ended_at for row in world.slots.rows()):
            seen.append("both")
            stop.set()

    service = Service(
        runner,
        lambda: world.now,
        world.notes.append,
        world.lines.append,
        jobs=[Job("look", 0.05, done)],
        look_seconds=3600,
    )
    late = threading.Timer(30, stop.set)
    late.start()
    service.run(stop)
    late.cancel()
    assert seen


def test_a_sweep_that_is_under_way_is_waited_for(world: World) -> None:
    stop = threading.Event()
    service, _ = of(world)
    world.settings_source.meanwhile = stop.set
    service.run(stop)
    assert [row.state.value for row in world.slots.rows()] == ["done"]


def test_what_prevents_all_work_is_said_once_until_it_changes(world: World) -> None:
    service, runner = of(world)
    runner.run_owed = lambda: (_ for _ in ()).throw(LedgerError("the database is away"))
    for _ in range(3):
        service.tick()
    assert len(world.lines) == 1
    assert "the database is away" in world.lines[0]


def test_what_is_overdue_is_told_once_by_each_instance(world: World) -> None:
    service, runner = of(world)
    runner.run_owed()
    world.now += timedelta(days=1)
    service.watch()
    service.watch()
    assert [note.key for note in world.notes] == ["slot-overdue:nightly:2026-01-02T02:00:00+00:00"]


class Switch:
    """A dead-man service on loopback that answers in turn what it is told to."""

    def __init__(self, *answers: int) -> None:
        self.asked: list[str] = []
        switch, left = self, list(answers)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                switch.asked.append(self.path)
                self.send_response(left.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/secret-4711"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_the_dead_man_switch_is_called_once_when_it_answers() -> None:
    switch, waits = Switch(200), list[float]()
    with switch as url:
        assert ping(url, waits.append) == ""
    assert (switch.asked, waits) == (["/secret-4711"], [])


def test_the_dead_man_switch_is_tried_three_times_and_then_given_up() -> None:
    switch, waits = Switch(500, 302, 429), list[float]()
    with switch as url:
        assert ping(url, waits.append) == "it answered 429"
    assert (len(switch.asked), waits) == (3, [1.0, 4.0])
    assert ping("http://127.0.0.1:1/secret-4711", waits.append) == "ConnectError"
    assert "4711" not in host("http://127.0.0.1:1/secret-4711")

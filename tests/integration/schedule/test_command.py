"""`monitor schedule` as a person and as a service manager run it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx2
import pytest

from monitor.store.slots import Slots
from tests.fakes.installation import ROOT, Installation, environment

SCHEDULES = """
schedules:
  sweeps:
    - {name: nightly, cron: "0 2 * * *"}
    - {name: audit-logs, cron: "*/15 * * * *", sources: [aws.logs, aws.trail-settings], keeps_days: 5}
"""


@pytest.fixture
def here(install: Callable[[Path | None], Installation], organisation: Path) -> Installation:
    made = install(organisation)
    made.edit("monitor.yaml", "start: 2026-03-01T", "start: 2026-03-30T")
    made.edit("monitor.yaml", "overlap_days: 3", "overlap_days: 0")
    return made


def scheduled(of: Installation, schedules: str = SCHEDULES) -> Installation:
    settings = of.config / "monitor.yaml"
    settings.write_text(settings.read_text() + schedules)
    return of


def test_once_sweeps_what_is_owed_and_the_status_tells_of_it(here: Installation) -> None:
    scheduled(here)
    before = here("schedule", "status", "--format", "json").json
    assert [(one["schedule"], one["owed"], one["last_done"]) for one in before] == [
        ("nightly", 1, None),
        ("audit-logs", 1, None),
    ]
    ran = here("schedule", "--once")
    assert ran.code in (1, 3), ran
    assert ran.errors.count("done, sweep") == 2
    after = here("schedule", "status", "--format", "json").json
    assert [(one["schedule"], one["owed"], one["done"], one["failed"], one["lost"]) for one in after] == [
        ("nightly", 0, 1, 0, 0),
        ("audit-logs", 0, 1, 0, 0),
    ]
    nightly, limited = here.manifests()
    assert nightly.predicate.planned_for <= limited.predicate.planned_for
    assert {c.source for c in limited.coverage()} == {"aws.logs", "aws.digests", "aws.trail-settings"}
    assert {r.check for r, _, _ in limited.results()} <= {
        "audit-log-integrity",
        "direct-production-change",
        "pipeline-session-proof",
    }
    assert {"monitoring-coverage", "deploy-trust"} <= {r.check for r, _, _ in nightly.results()}
    assert here.broken() <= {"coverage"}
    table = here("schedule", "status").text
    assert "nightly" in table
    assert "overdue" not in table
    assert here("schedule", "--once").code == 0, "nothing is owed"
    assert len(here.manifests()) == 2


def test_without_a_schedule_it_says_how_to_write_one(here: Installation) -> None:
    ran = here("schedule")
    assert ran.code == 2
    assert "there is no schedule" in ran.errors


@pytest.mark.parametrize(
    ("sources", "told"), [("[aws.log]", "no source is called aws.log"), ("[aws.logs]", "add aws.trail-settings")]
)
def test_a_schedule_that_cannot_work_is_refused_at_once(here: Installation, sources: str, told: str) -> None:
    scheduled(here, f'\nschedules: {{sweeps: [{{name: logs, cron: "0 * * * *", sources: {sources}}}]}}\n')
    for command in (("schedule", "--once"), ("schedule", "status")):
        ran = here(*command)
        assert ran.code == 2
        assert told in ran.errors
        assert "schedule logs" in ran.errors


def test_a_second_scheduler_on_sqlite_is_refused(here: Installation) -> None:
    scheduled(here)
    here("db", "upgrade")
    with here.store() as store, Slots(store) as slots:
        slots.enter()
        ran = here("schedule", "--once")
    assert ran.code == 4
    assert "another scheduler works on" in ran.errors
    assert "PostgreSQL" in ran.errors


@contextmanager
def service(of: Installation) -> Iterator[subprocess.Popen[str]]:
    program = [sys.executable, "-c", "from monitor.cli.app import main; main()", "schedule", "--config", str(of.config)]
    with subprocess.Popen(program, cwd=ROOT, env=environment(), stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            with suppress(ProcessLookupError):
                running.kill()


def said(running: subprocess.Popen[str], wanted: str) -> str:
    """Read what the service says until it says what is wanted; return that line."""
    assert running.stderr is not None
    heard = []
    for line in running.stderr:
        heard.append(line)
        if re.search(wanted, line):
            return line
    raise AssertionError(f"{wanted} was never said, but: {''.join(heard)}")


def test_the_service_sweeps_answers_and_ends_on_sigterm(here: Installation) -> None:
    scheduled(here, SCHEDULES + "  listen: 127.0.0.1:0\n")
    with service(here) as running:
        address = said(running, "health and metrics at").split()[-1]
        with httpx2.Client(base_url=address, trust_env=False, timeout=30) as client:
            said(running, "done, sweep")
            said(running, "done, sweep")
            assert client.get("/healthz").status_code == 200
            assert client.get("/readyz").text == "ready\n"
            assert 'monitor_slots_owed{schedule="nightly"} 0' in client.get("/metrics").text
        running.send_signal(signal.SIGTERM)
        said(running, "stays owed")
        assert running.wait(30) == 0
    assert here.broken() <= {"coverage"}


def test_a_second_sigterm_ends_it_at_once(here: Installation) -> None:
    scheduled(here)
    with service(here) as running:
        said(running, "scheduling nightly")
        os.kill(running.pid, signal.SIGTERM)
        said(running, "asked to end")
        with suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGTERM)
        assert running.wait(30) in (-signal.SIGTERM, 0)
    again = here("schedule", "--once")
    assert again.code in (0, 1, 3)
    assert json.loads(here("schedule", "status", "--format", "json").output)[0]["owed"] == 0


def test_help_has_an_example(here: Installation) -> None:
    assert "Example: monitor schedule --once" in " ".join(here("schedule", "--help").text.split())

"""Schedulers that are killed at random, and cut off from their database: every slot once, none missing, one valid log."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from monitor.evidence.history import history
from monitor.evidence.reader import LogReader
from monitor.evidence.statement import SWEEP_START, SweepStart, from_json, parse
from monitor.evidence.verify import verify
from monitor.model import Outcome
from monitor.schedule.slots import moments
from monitor.store.slots import Slots
from monitor.store.store import Store
from monitor.store.words import SlotState
from tests.fakes.installation import ROOT, environment
from tests.fakes.scheduling import SCHEDULES, START, told

SOAK = bool(os.environ.get("SOAK"))


def ran(folder: Path, url: str, days: int, workers: int, seed: int = 7) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fakes.scheduling", str(folder), url, str(days), str(workers), str(seed)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    counts: dict[str, int] = json.loads(done.stdout)
    return counts


def each_slot_was_done_once(folder: Path, url: str, days: int) -> Counter[int]:
    """Require it, by the ledger, by the log and by the log's own verification; return how many attempts slots took."""
    end = START + timedelta(days=days, hours=3)
    with Store.open(url) as store:
        rows = {(slot.schedule, slot.planned_for): slot for slot in Slots(store).rows()}
        recorded = store.recorded_sweeps()
        findings = store.findings()
    due = {(one.name, slot) for one in SCHEDULES for slot in moments(one.cron, START - timedelta(hours=23), end)}
    later = {key for key in rows if key[1] > end}
    assert rows.keys() - later == due - {("logs", START - timedelta(hours=6 * n)) for n in range(1, 4)}
    assert {slot.state for slot in rows.values()} == {SlotState.DONE}
    reader = LogReader.open(folder / "evidence")
    starts = {}
    for index in range(reader.size):
        data = reader.read(index)
        if data.startswith(b'{"_type"') and (found := parse(data)).predicate_type == SWEEP_START:
            starts[index] = from_json(found.predicate, SweepStart)
    sealed: Counter[tuple[str, datetime]] = Counter()
    by_slot = {}
    for manifest in history(folder / "evidence"):
        start = starts[manifest.predicate.started]
        key = (start.schedule, manifest.predicate.planned_for)
        sealed[key] += 1
        by_slot[key] = manifest.predicate.sweep
    assert {key for key, times in sealed.items() if times != 1} == set()
    assert sealed.keys() == rows.keys()
    assert {key: slot.sweep_id for key, slot in rows.items()} == by_slot
    assert recorded == set(by_slot.values())
    levels = verify(folder / "evidence", ((folder / "evidence/log.vkey").read_text().strip(),))
    assert [(level.name, level.problems) for level in levels if level.outcome is not Outcome.PASS] == []
    assert [finding.subject for finding in findings] == ["fake:1"]
    each_move_was_told_once(folder)
    return Counter(slot.attempt for slot in rows.values())


def each_move_was_told_once(folder: Path) -> None:
    """Require that each opening, reopening and resolution in the log was told, in order, and none twice."""
    moves: list[str] = []
    for manifest in history(folder / "evidence"):
        for result, _, _ in manifest.results():
            if result.check != "setting-holds":
                continue
            is_open = bool(moves) and moves[-1] != "resolved"
            if result.outcome is Outcome.FAIL and not is_open:
                moves.append("reopened" if moves else "opened")
            elif result.outcome is Outcome.PASS and is_open:
                moves.append("resolved")
    said = told(folder / "told")
    assert [one["kind"] for one in said] == moves
    assert len({one["id"] for one in said}) == len(said)
    assert len(moves) > 1


@pytest.mark.parametrize("seed", [7])
def test_three_schedulers_on_postgres_do_each_slot_once_whoever_dies(
    postgres_url: str, tmp_path: Path, seed: int
) -> None:
    days = 200 if SOAK else 15
    counts = ran(tmp_path, postgres_url, days, workers=3, seed=seed)
    attempts = each_slot_was_done_once(tmp_path, postgres_url, days)
    assert counts["killed"] > 3
    assert sum(times for attempt, times in attempts.items() if attempt > 1) > 0, "somebody died while they worked"


def test_one_scheduler_on_sqlite_does_each_slot_once_however_often_it_dies(sqlite_url: str, tmp_path: Path) -> None:
    days = 200 if SOAK else 8
    counts = ran(tmp_path, sqlite_url, days, workers=1)
    each_slot_was_done_once(tmp_path, sqlite_url, days)
    assert counts["killed"] > 1

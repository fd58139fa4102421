"""The schedule on the evidence log: what is there is verified, what contradicts itself is not believed, and gaps show."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from monitor.evidence import statement
from monitor.evidence.log import EvidenceLog
from monitor.evidence.schedule_record import (
    Planned,
    ScheduleRecord,
    SlotsLost,
    began,
    declared,
    lost_already,
    lost_statement,
    schedule_statement,
    schedules_digest,
)
from monitor.evidence.seal import begin, seal
from monitor.model import Outcome, Window
from tests.unit.evidence.sample import EXPECTED, ORIGIN, SCOPES, START, covered, day, levels, run, signer, sweep

NIGHTLY = Planned(name="nightly", cron="0 2 * * *", keeps_seconds=604800, grace_seconds=3600)
LOGS = Planned(name="logs", cron="*/15 * * * *", sources=("aws.logs",))


def in_force(*schedules: Planned, previous: str = "") -> ScheduleRecord:
    return ScheduleRecord(
        at=START, schedules=schedules, schedules_sha256=schedules_digest(schedules), previous_sha256=previous
    )


def lost(*days: int) -> SlotsLost:
    slots = tuple(START + timedelta(days=number) for number in days)
    return SlotsLost(schedule="nightly", slots=slots, at=START + timedelta(days=20), reason="nobody was there")


def written(folder: Path, *appended: bytes, sweeps: int = 2) -> None:
    with EvidenceLog.open(folder, ORIGIN, signer()) as log:
        run(log, 0)
        for data in appended:
            log.append([data])
        for number in range(1, sweeps):
            run(log, number)


def test_records_of_the_schedule_stand_between_sweeps(tmp_path: Path) -> None:
    written(tmp_path, schedule_statement(in_force(NIGHTLY, LOGS)))
    assert {level.outcome for level in levels(tmp_path).values()} == {Outcome.PASS}


def test_a_lost_slot_is_a_gap_in_its_period_and_in_no_other(tmp_path: Path) -> None:
    written(tmp_path, lost_statement(lost(0, 1)))
    level = levels(tmp_path)["coverage"]
    assert level.outcome is Outcome.FAIL
    assert level.problems == (
        "schedule nightly: 2 slots from 2026-03-01T00:00:00Z to 2026-03-02T00:00:00Z are lost: nobody was there",
    )
    assert "the slot 2026-03-02T00:00:00Z is lost" in levels(tmp_path, period=day(1))["coverage"].problems[0]
    assert levels(tmp_path)["log"].outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (schedule_statement(msgspec.structs.replace(in_force(NIGHTLY), schedules=(LOGS,))), "digest"),
        (schedule_statement(msgspec.structs.replace(in_force(NIGHTLY), at=START.replace(tzinfo=None))), "zone"),
        (statement.encode(statement.SCHEDULE, "schedules", "a" * 64, in_force(NIGHTLY)), "digest"),
        (statement.encode(statement.SLOTS_LOST, "nightly", "a" * 64, lost(1)), "digest"),
        (lost_statement(lost(1, 1)), "twice"),
        (lost_statement(lost()), "no lost slot"),
        (lost_statement(lost(21)), "before its time"),
        (statement.encode(statement.SLOTS_LOST, "nightly", "a" * 64, {"schedule": 7}), "not the JSON"),
    ],
)
def test_a_record_that_contradicts_itself_is_a_fault_of_the_log(tmp_path: Path, data: bytes, told: str) -> None:
    written(tmp_path, data)
    level = levels(tmp_path)["log"]
    assert level.outcome is Outcome.FAIL
    assert told in level.problems[0]


def test_a_record_amid_the_results_of_a_sweep_is_a_fault(tmp_path: Path) -> None:
    with EvidenceLog.open(tmp_path, ORIGIN, signer()) as log:
        run(log, 0)
        entries = list(log.read_range(0, log.size))
        result = next(data for data in entries if b"/check-result/" in data)
        log.append([result])
        log.append([schedule_statement(in_force(NIGHTLY))])
    assert any("without a manifest" in problem for problem in levels(tmp_path)["log"].problems)


def test_what_is_in_force_is_told_by_the_newest_record_or_scheduled_sweep(tmp_path: Path) -> None:
    old, new = in_force(NIGHTLY), in_force(NIGHTLY, LOGS)
    with EvidenceLog.open(tmp_path, ORIGIN, signer()) as log:
        assert declared(log.reader()) == ""
        assert began(log.reader(), "nightly") is None
        log.append([schedule_statement(old)])
        run(log, 0)
        assert declared(log.reader()) == old.schedules_sha256
        begin(log, sweep(1), EXPECTED, schedule="nightly", schedules_sha256="b" * 64)
        assert declared(log.reader()) == "b" * 64, "an instance that was not restarted still goes by other schedules"
        log.append([schedule_statement(msgspec.structs.replace(new, at=START + timedelta(days=3)))])
        assert declared(log.reader()) == new.schedules_sha256
        assert began(log.reader(), "nightly") == START
        assert began(log.reader(), "logs") == START + timedelta(days=3)
        log.append([lost_statement(lost(1, 2))])
        assert lost_already(log.reader(), "nightly") == {START + timedelta(days=1), START + timedelta(days=2)}
        assert lost_already(log.reader(), "logs") == frozenset()


def limited(folder: Path, *, last: bool) -> None:
    """Two whole sweeps; before or after them one that was limited to another source."""
    window = Window(START, START + timedelta(days=2))
    other = sweep(9, window, [covered(window, SCOPES[0], source="other")])
    with EvidenceLog.open(folder, ORIGIN, signer()) as log:
        for number in (0, 1) if last else ():
            run(log, number)
        begin(log, other, {"other": SCOPES[:1]}, sources=("other",))
        seal(log, other, [], [], {}, (), "c" * 64, "d" * 64, "0.1.0")
        for number in () if last else (0, 1):
            run(log, number)


def test_a_limited_sweep_that_comes_last_does_not_end_the_watch_of_other_sources(tmp_path: Path) -> None:
    limited(tmp_path, last=True)
    level = levels(tmp_path)["coverage"]
    assert level.outcome is Outcome.PASS
    assert f"{SCOPES[0]} (cloudtrail) is no longer watched" not in level.summary
    longer = levels(tmp_path, period=Window(START, START + timedelta(days=3)))["coverage"]
    assert any("(cloudtrail): not read from 2026-03-03" in problem for problem in longer.problems), longer.problems


def test_a_limited_sweep_that_comes_first_does_not_excuse_what_others_should_have_read(tmp_path: Path) -> None:
    limited(tmp_path, last=False)
    earlier = Window(START - timedelta(days=1), START + timedelta(days=2))
    level = levels(tmp_path, period=earlier)["coverage"]
    assert any("(cloudtrail): not read from 2026-02-28" in problem for problem in level.problems), level.problems

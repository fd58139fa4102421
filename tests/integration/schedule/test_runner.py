"""Working off what is owed: in order, with the window that each slot owes, once, and on record whatever becomes of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from monitor.alerts.words import NoteKind
from monitor.errors import EvidenceError, LedgerError
from monitor.evidence.history import history
from monitor.evidence.log import EvidenceLog, LogBusy
from monitor.evidence.reader import LogReader
from monitor.evidence.schedule_record import ScheduleRecord, SlotsLost
from monitor.evidence.statement import SCHEDULE, SLOTS_LOST, SWEEP_START, SweepStart, from_json, parse
from monitor.evidence.verify import verify
from monitor.model import CoverageStatus, Outcome
from monitor.schedule.slots import Schedule
from monitor.store.words import SlotState
from monitor.sweep.run import Plan, run
from tests.fakes.scheduling import LOGS, NIGHTLY, START, World

DAY = timedelta(days=1)
MORNING = START + timedelta(hours=9)
FIRST = START + timedelta(hours=2)


@pytest.fixture
def world(tmp_path: Path, store_url: str) -> Iterator[World]:
    made = World(tmp_path, store_url, MORNING)
    yield made
    made.close()


def statements(world: World, kind: str, record: type[Any]) -> list[Any]:
    reader = LogReader.open(world.evidence)
    found = [reader.read(index) for index in range(reader.size)]
    parsed = [parse(data) for data in found if data.startswith(b'{"_type"')]
    return [from_json(one.predicate, record) for one in parsed if one.predicate_type == kind]


def broken(world: World) -> dict[str, tuple[str, ...]]:
    levels = verify(world.evidence, ((world.evidence / "log.vkey").read_text().strip(),))
    return {level.name: level.problems for level in levels if level.outcome is not Outcome.PASS}


def test_the_first_pass_sweeps_the_newest_slot_and_the_next_pass_has_nothing_to_do(world: World) -> None:
    runner = world.runner([NIGHTLY])
    assert runner.run_owed().done == [("nightly", FIRST)]
    assert runner.run_owed().done == []
    (manifest,) = history(world.evidence)
    assert manifest.predicate.planned_for == FIRST
    (start,) = statements(world, SWEEP_START, SweepStart)
    assert (start.schedule, start.sources, start.schedules_sha256) == ("nightly", (), runner.sha256)
    assert broken(world) == {}


def test_missed_slots_are_made_up_oldest_first_each_with_the_window_that_it_owes(world: World) -> None:
    runner = world.runner([NIGHTLY])
    runner.run_owed()
    world.now = MORNING + 3 * DAY
    ran = runner.run_owed()
    assert [slot for _, slot in ran.done] == [FIRST + DAY, FIRST + 2 * DAY, FIRST + 3 * DAY]
    windows = [(m.predicate.window.start, m.predicate.window.end) for m in history(world.evidence)]
    assert windows == [
        (START, MORNING),
        (MORNING, FIRST + DAY),
        (FIRST + DAY, FIRST + 2 * DAY),
        (FIRST + 2 * DAY, MORNING + 3 * DAY),
    ]
    assert broken(world) == {}


def test_a_slot_before_which_was_read_already_is_made_up_for_without_an_end(world: World) -> None:
    runner = world.runner([NIGHTLY])
    runner.run_owed()
    world.now = MORNING + DAY + timedelta(hours=20)
    with world.ports() as ports:
        run(Plan(id="by-hand", planned_for=world.now, at=world.now), ports, lambda *_: None)
    world.now = MORNING + 3 * DAY
    assert len(runner.run_owed().done) == 3
    assert world.states() == dict.fromkeys((FIRST + n * DAY for n in range(4)), SlotState.DONE)
    assert broken(world) == {}


def test_slots_of_several_schedules_are_worked_off_by_time(world: World) -> None:
    runner = world.runner([NIGHTLY, LOGS])
    runner.run_owed()
    world.now = START + DAY + timedelta(hours=7)
    assert [(name, slot - START) for name, slot in runner.run_owed().done] == [
        ("logs", timedelta(hours=12)),
        ("logs", timedelta(hours=18)),
        ("logs", timedelta(hours=24)),
        ("nightly", timedelta(hours=26)),
        ("logs", timedelta(hours=30)),
    ]


def test_a_schedule_of_some_sources_reads_them_alone_and_judges_what_they_suffice_for(world: World) -> None:
    world.runner([LOGS]).run_owed()
    (manifest,) = history(world.evidence)
    assert {c.source for c in manifest.coverage()} == {"fake.log"}
    assert {result.check for result, _, _ in manifest.results()} == {"log-holds"}
    (start,) = statements(world, SWEEP_START, SweepStart)
    assert (start.sources, start.checks) == (("fake.log",), ("log-holds",))
    assert world.settings_source.asked == []


def test_scopes_that_a_limited_sweep_did_not_read_are_still_watched(world: World) -> None:
    runner = world.runner([NIGHTLY, LOGS])
    runner.run_owed()
    world.now = START + timedelta(hours=13)
    runner.run_owed()
    coverage = verify(world.evidence)[4]
    assert "no longer watched" not in coverage.summary
    assert coverage.outcome is Outcome.PASS


def test_a_failed_sweep_is_owed_again_after_a_while_and_says_why(world: World) -> None:
    runner = world.runner([NIGHTLY])

    def broken_disk() -> None:
        raise EvidenceError("the disk is full")

    world.log_source.meanwhile = broken_disk
    assert runner.run_owed().failed == [("nightly", FIRST)]
    assert runner.run_owed().failed == [], "it waits a minute"
    (row,) = world.slots.rows()
    assert (row.state, row.reason, row.attempt) == (SlotState.FAILED, "the disk is full", 1)
    world.log_source.meanwhile = lambda: None
    world.now += timedelta(minutes=1)
    assert runner.run_owed().done == [("nightly", FIRST)]
    assert world.slots.rows()[0].attempt == 2
    assert broken(world) == {}


def test_a_fault_of_a_source_that_nobody_foresaw_fails_the_slot_and_not_the_service(world: World) -> None:
    def fault() -> None:
        raise ZeroDivisionError("by chance")

    world.log_source.meanwhile = fault
    assert world.runner([NIGHTLY]).run_owed().failed == [("nightly", FIRST)]
    assert "ZeroDivisionError: by chance" in world.slots.rows()[0].reason


def test_what_keeps_failing_lets_later_slots_go_on_after_five_attempts(world: World) -> None:
    runner = world.runner([NIGHTLY])
    fails = {FIRST}

    def fail() -> None:
        if world.slots.rows()[-1].planned_for in fails:
            raise EvidenceError("this night cannot be read")

    world.log_source.meanwhile = fail
    runner.run_owed()
    world.now = MORNING + DAY
    for _ in range(3):
        assert ("nightly", FIRST + DAY) not in runner.run_owed().done
        world.now += timedelta(hours=1)
    runner.run_owed()
    assert world.states() == {FIRST: SlotState.FAILED, FIRST + DAY: SlotState.DONE}
    fails.clear()
    world.now += timedelta(hours=1)
    assert runner.run_owed().done == [("nightly", FIRST)]
    assert broken(world) == {}


class Died(BaseException):
    """Stands for the end of the process."""


class Failing:
    """A store that fails, or dies, when it is to record."""

    def __init__(self, inner: Any, error: BaseException) -> None:
        self._inner, self._error = inner, error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def record(self, *_: Any) -> None:
        raise self._error


def test_a_crash_between_seal_and_record_is_not_swept_again(world: World) -> None:
    world.recording = Failing(world.store, Died())
    with pytest.raises(Died):
        world.runner([NIGHTLY]).run_owed()
    world.slots.close()
    world.recording = world.store
    assert world.runner([NIGHTLY], owner="heir").run_owed().done == [("nightly", FIRST)]
    (manifest,) = history(world.evidence)
    (row,) = world.slots.rows()
    assert (row.sweep_id, row.attempt, row.owner) == (manifest.predicate.sweep, 2, "heir")
    assert len(world.log_source.asked) == 1
    assert broken(world) == {}


def test_a_ledger_that_fails_after_the_seal_does_not_cause_a_second_sweep(world: World) -> None:
    world.recording = Failing(world.store, LedgerError("the database went away"))
    runner = world.runner([NIGHTLY])
    assert runner.run_owed().failed == [("nightly", FIRST)]
    world.recording = world.store
    world.now += timedelta(minutes=2)
    assert runner.run_owed().done == [("nightly", FIRST)]
    assert len(list(history(world.evidence))) == 1


def test_a_sweep_of_another_schedule_for_the_same_time_is_not_taken_for_this_one(world: World) -> None:
    twin = Schedule(name="nightly-logs", cron=NIGHTLY.cron, sources=("fake.log",))
    assert len(world.runner([NIGHTLY, twin]).run_owed().done) == 2
    assert len(list(history(world.evidence))) == 2


def test_asked_to_end_it_does_so_between_sources_and_the_slot_stays_owed(world: World) -> None:
    def ask() -> None:
        world.stopped = True

    world.log_source.meanwhile = ask
    runner = world.runner([NIGHTLY])
    ran = runner.run_owed()
    assert (ran.done, ran.failed) == ([], [])
    assert world.settings_source.asked == []
    assert list(history(world.evidence)) == []
    assert world.states() == {FIRST: SlotState.CLAIMED}
    world.stopped, world.log_source.meanwhile = False, lambda: None
    assert runner.run_owed().done == [("nightly", FIRST)], "at once: it did not fail"
    assert broken(world) == {}


def test_asked_to_end_after_the_last_source_it_seals_nothing(world: World) -> None:
    def ask() -> None:
        world.stopped = True

    world.settings_source.meanwhile = ask
    world.runner([NIGHTLY]).run_owed()
    assert list(history(world.evidence)) == []


def test_a_log_that_another_process_writes_to_is_waited_for_a_while(world: World) -> None:
    with world.ports():
        ran = world.runner([NIGHTLY], patience=3.0).run_owed()
    assert ran.busy
    assert world.waits == [1.0, 1.0, 1.0]
    assert world.states() == {}, "nothing was claimed that another could do"
    assert world.runner([NIGHTLY]).run_owed().done == [("nightly", FIRST)]


def test_the_wait_for_the_log_ends_as_soon_as_it_is_free(world: World) -> None:
    other = world.ports()
    other.__enter__()

    def leave(seconds: float) -> None:
        other.__exit__(None, None, None)

    assert world.runner([NIGHTLY], sleep=leave).run_owed().done == [("nightly", FIRST)]


def test_slots_that_are_too_old_are_lost_on_the_log_in_the_ledger_and_told(world: World) -> None:
    short = msgspec.structs.replace(NIGHTLY, keeps=2 * DAY)
    runner = world.runner([short])
    runner.run_owed()
    world.now = MORNING + 6 * DAY
    ran = runner.run_owed()
    lost = [FIRST + n * DAY for n in (1, 2, 3, 4)]
    assert [slot for _, slot in ran.lost] == lost
    assert [slot for _, slot in ran.done] == [FIRST + n * DAY for n in (5, 6)]
    (told,) = statements(world, SLOTS_LOST, SlotsLost)
    assert (told.schedule, list(told.slots)) == ("nightly", lost)
    assert "2 days" in told.reason
    assert {world.states()[slot] for slot in lost} == {SlotState.LOST}
    (note,) = world.notes
    assert (note.kind, note.title) == (NoteKind.SLOT_LOST, "Schedule nightly lost 4 slots")
    problems = broken(world)
    assert problems.keys() == {"coverage"}, "a missed sweep never reads as a pass"
    assert "4 slots from 2026-01-02T02:00:00Z" in problems["coverage"][0]


def test_more_lost_slots_than_one_record_holds_are_all_recorded(world: World) -> None:
    minutely = Schedule(name="often", cron="*/5 * * * *", sources=("fake.log",), keeps=timedelta(minutes=20))
    runner = world.runner([minutely])
    runner.run_owed()
    world.now += DAY
    ran = runner.run_owed()
    records = statements(world, SLOTS_LOST, SlotsLost)
    assert [len(one.slots) for one in records] == [200, 83]
    assert len({slot for one in records for slot in one.slots}) == len(ran.lost) == 283
    assert len(ran.done) == 5


def test_a_crash_while_slots_are_given_up_records_them_once(world: World) -> None:
    short = msgspec.structs.replace(NIGHTLY, keeps=2 * DAY)
    world.runner([short]).run_owed()
    world.now = MORNING + 5 * DAY

    class Dying:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.slots, name)

        def finish(self, *_: Any, **__: Any) -> None:
            raise Died

    with pytest.raises(Died):
        world.runner([short], slots=Dying()).run_owed()
    world.slots.close()
    world.runner([short]).run_owed()
    (told,) = statements(world, SLOTS_LOST, SlotsLost)
    assert list(told.slots) == [FIRST + n * DAY for n in (1, 2, 3)]
    assert [world.states()[FIRST + n * DAY].value for n in range(6)] == ["done", "lost", "lost", "lost", "done", "done"]


def test_the_schedules_are_on_the_log_and_so_is_every_change_of_them(world: World) -> None:
    world.runner([NIGHTLY]).run_owed()
    world.runner([NIGHTLY]).declare()
    changed = msgspec.structs.replace(NIGHTLY, cron="0 3 * * *")
    world.now += timedelta(hours=1)
    world.runner([changed]).declare()
    first, second = statements(world, SCHEDULE, ScheduleRecord)
    assert [one.cron for one in first.schedules] == ["0 2 * * *"]
    assert (second.at, second.previous_sha256) == (world.now, first.schedules_sha256)
    assert broken(world) == {}


def test_the_order_of_the_schedules_is_no_change(world: World) -> None:
    world.runner([NIGHTLY, LOGS]).declare()
    world.runner([LOGS, NIGHTLY]).declare()
    assert len(statements(world, SCHEDULE, ScheduleRecord)) == 1


def test_a_clock_set_back_never_causes_a_second_sweep(world: World) -> None:
    runner = world.runner([NIGHTLY])
    runner.run_owed()
    world.now = MORNING + 2 * DAY
    assert len(runner.run_owed().done) == 2
    for back in (DAY, 2 * DAY, 40 * DAY):
        world.now = MORNING + 2 * DAY - back
        assert runner.run_owed().done == []
    world.now = MORNING + 3 * DAY
    assert runner.run_owed().done == [("nightly", FIRST + 3 * DAY)]


def test_a_clock_that_ran_ahead_for_years_does_not_silence_the_monitor(world: World) -> None:
    short = msgspec.structs.replace(NIGHTLY, keeps=2 * DAY)
    runner = world.runner([short])
    runner.run_owed()
    world.now = MORNING + 40 * DAY
    runner.run_owed()
    for day in (1, 2, 3):
        world.now = MORNING + day * DAY
        assert runner.run_owed().done == [("nightly", FIRST + day * DAY)]


def test_a_lost_ledger_is_made_again_from_the_log_and_nothing_is_swept_twice(
    tmp_path: Path, sqlite_url: str, sqlite_template: Path
) -> None:
    world = World(tmp_path, sqlite_url, MORNING)
    runner = world.runner([NIGHTLY])
    runner.run_owed()
    world.now = MORNING + DAY
    runner.run_owed()
    world.close()
    for file in Path(world.url.removeprefix("sqlite:///")).parent.glob("monitor.db*"):
        file.unlink()
    Path(world.url.removeprefix("sqlite:///")).write_bytes(sqlite_template.read_bytes())
    again = World(world.folder, world.url, MORNING + 3 * DAY)
    assert [slot for _, slot in again.runner([NIGHTLY]).run_owed().done] == [FIRST + 2 * DAY, FIRST + 3 * DAY]
    assert set(again.states().values()) == {SlotState.DONE}
    assert len(list(history(again.evidence))) == 4
    again.close()


def test_a_second_instance_notices_what_is_overdue_though_it_holds_nothing(postgres_url: str, tmp_path: Path) -> None:
    world = World(tmp_path, postgres_url, MORNING)
    world.runner([NIGHTLY]).run_owed()
    other = world.runner([NIGHTLY], owner="two", slots=world.instance())
    world.now = FIRST + DAY + timedelta(minutes=59)
    assert other.overdue(world.now) == []
    assert world.slots.claim("nightly", FIRST + DAY, "one", world.now) is not None
    assert other.overdue(world.now + timedelta(minutes=30)) == [], "it is being tried for the first time"
    (note,) = other.overdue(world.now + timedelta(hours=2))
    assert note.kind is NoteKind.SLOT_OVERDUE
    assert note.key == "slot-overdue:nightly:2026-01-02T02:00:00+00:00"
    world.close()


def test_two_instances_leave_a_schedule_alone_that_the_other_works_on(postgres_url: str, tmp_path: Path) -> None:
    world = World(tmp_path, postgres_url, MORNING)
    world.runner([NIGHTLY]).run_owed()
    world.now = MORNING + 2 * DAY
    assert world.slots.claim("nightly", FIRST + DAY, "one", world.now) is not None
    other = world.runner([NIGHTLY], owner="two", slots=world.instance())
    assert other.run_owed().done == [], "the later slot's window begins where the earlier one's ends"
    world.slots.close()
    assert len(other.run_owed().done) == 2
    world.close()


def test_an_incomplete_sweep_is_done_and_says_so(world: World) -> None:
    world.log_source.status = CoverageStatus.PARTIAL
    came: list[bool] = []
    runner = world.runner([NIGHTLY], swept=lambda schedule, slot, swept: came.append(swept.complete))
    assert runner.run_owed().done
    assert came == [False]


def test_a_busy_log_is_its_own_kind_of_error(tmp_path: Path) -> None:
    from monitor.evidence.keys import signing_key

    key = signing_key(tmp_path / "key.pem", "evidence.example.com/x")
    with (
        EvidenceLog.open(tmp_path / "log", "evidence.example.com/x", key.signer),
        pytest.raises(LogBusy, match="another sweep is running"),
    ):
        EvidenceLog.open(tmp_path / "log", "evidence.example.com/x", key.signer)


def test_a_schedule_may_be_changed_and_owes_nothing_of_the_past(world: World) -> None:
    runner = world.runner([NIGHTLY])
    runner.run_owed()
    changed = msgspec.structs.replace(NIGHTLY, cron="30 8 * * *")
    world.now = MORNING + timedelta(minutes=5)
    done = world.runner([changed]).run_owed().done
    assert [slot for _, slot in done] == [datetime.fromisoformat("2026-01-01T08:30:00+00:00")]

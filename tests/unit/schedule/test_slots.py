"""Which slots are owed: oldest first, never from the future, never twice, whatever the clock and the calendar do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.schedule.slots import Ledger, Owed, Schedule, moments, newest, overdue, owed, upcoming
from monitor.settings.schedules import cron_sets
from monitor.store.slots import Slot
from monitor.store.words import SlotState

NIGHTLY = Schedule(name="nightly", cron="0 2 * * *", keeps=timedelta(days=7), grace=timedelta(hours=1))
DAY = timedelta(days=1)


def at(day: int, hour: int = 2, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def row(planned: datetime, state: SlotState = SlotState.DONE, **more: object) -> Slot:
    given = {"attempt": 1, "owner": "one", "claimed_at": planned, "ended_at": planned + timedelta(minutes=5)} | more
    return Slot(schedule="nightly", planned_for=planned, state=state, **given)  # type: ignore[arg-type]


def ledger(*rows: Slot, settled: datetime | None = None, began: datetime | None = None) -> Ledger:
    return Ledger(settled=settled, rows={one.planned_for: one for one in rows}, began=began)


def slots(found: object) -> list[datetime]:
    return [one.planned_for for one in found]  # type: ignore[attr-defined]


def test_every_night_since_the_last_that_is_done_is_owed_oldest_first() -> None:
    found = list(owed(NIGHTLY, ledger(row(at(10)), settled=at(10)), at(13, 9)))
    assert slots(found) == [at(11), at(12), at(13)]
    assert [one.made_up for one in found] == [True, True, False], "the newest reads up to now, the others to their slot"


def test_nothing_is_owed_right_after_a_slot_is_done() -> None:
    assert list(owed(NIGHTLY, ledger(row(at(10)), settled=at(10)), at(10, 2, 1))) == []
    assert list(owed(NIGHTLY, ledger(row(at(10)), settled=at(10)), at(11, 1, 59))) == []
    assert slots(owed(NIGHTLY, ledger(row(at(10)), settled=at(10)), at(11))) == [at(11)]


def test_a_new_schedule_begins_with_the_slot_that_was_newest_when_it_was_put_in_force() -> None:
    assert slots(owed(NIGHTLY, ledger(), at(10, 14))) == [at(10)]
    assert slots(owed(NIGHTLY, ledger(began=at(8, 14)), at(10, 14))) == [at(8), at(9), at(10)]
    assert slots(owed(NIGHTLY, ledger(began=at(12)), at(10, 14))) == [at(10)], "a clock that was ahead then"


def test_what_failed_is_owed_again_a_while_later_and_longer_each_time() -> None:
    ended = at(10, 3)
    for attempt, minutes in ((1, 1), (2, 2), (3, 4), (7, 60), (500, 60)):
        failed = row(at(10), SlotState.FAILED, attempt=attempt, ended_at=ended)
        one = next(owed(NIGHTLY, ledger(failed, settled=at(9)), at(10, 9)))
        assert one.not_before == ended + timedelta(minutes=minutes)
        assert one.waits(ended + timedelta(minutes=minutes, seconds=-1))
        assert not one.waits(ended + timedelta(minutes=minutes))


def test_a_slot_that_keeps_failing_holds_up_later_ones_only_for_a_while() -> None:
    assert Owed(planned_for=at(1), attempts=4).holds_up
    assert not Owed(planned_for=at(1), attempts=5).holds_up


def test_a_failed_slot_stays_owed_behind_a_later_one_that_is_done_and_then_reads_up_to_now() -> None:
    failed = row(at(10), SlotState.FAILED, attempt=6)
    found = list(owed(NIGHTLY, ledger(failed, row(at(12)), settled=at(12)), at(12, 9)))
    assert slots(found) == [at(10)]
    assert not found[0].made_up


def test_a_claim_whose_holder_died_is_owed() -> None:
    claimed = row(at(11), SlotState.CLAIMED, ended_at=None)
    assert slots(owed(NIGHTLY, ledger(claimed, settled=at(10)), at(12, 9))) == [at(11), at(12)]


def test_what_is_older_than_is_kept_is_lost_but_the_newest_never_is() -> None:
    found = list(owed(NIGHTLY, ledger(settled=at(1)), at(12, 9)))
    assert [one.planned_for for one in found if one.lost] == [at(2), at(3), at(4), at(5)]
    weekly = msgspec.structs.replace(NIGHTLY, cron="0 2 * * sun", keeps=DAY)
    late = list(owed(weekly, ledger(settled=at(1)), at(12, 9)))
    assert [(one.planned_for, one.lost) for one in late] == [(at(8), False)]


def test_a_clock_set_back_owes_nothing_until_it_has_caught_up() -> None:
    rows = ledger(row(at(10)), row(at(11)), row(at(12)), settled=at(10))
    assert list(owed(NIGHTLY, rows, at(10, 9))) == []
    assert list(owed(NIGHTLY, ledger(row(at(11)), row(at(12))), at(9, 9))) == [], "all rows lie in the future"
    caught_up = ledger(row(at(12)), settled=at(12))
    assert slots(owed(NIGHTLY, caught_up, at(13, 9))) == [at(13)]


def test_what_a_clock_that_ran_ahead_gave_up_is_owed_when_its_time_comes() -> None:
    given_up = row(at(12), SlotState.LOST, ended_at=at(30))
    assert slots(owed(NIGHTLY, ledger(given_up, settled=at(11)), at(12, 9))) == [at(12)]
    lost = row(at(12), SlotState.LOST, ended_at=at(12, 3))
    assert slots(owed(NIGHTLY, ledger(lost, settled=at(11)), at(12, 9))) == []


def test_the_nights_on_which_clocks_change_have_one_slot_each() -> None:
    zone = ZoneInfo("Europe/Berlin")
    for first, last in (
        (datetime(2026, 3, 27), datetime(2026, 3, 31)),
        (datetime(2026, 10, 23), datetime(2026, 10, 27)),
    ):
        start, end = first.replace(tzinfo=zone), last.replace(tzinfo=zone)
        for cron in ("30 0 * * *", "30 1 * * *", "30 2 * * *"):
            found = list(moments(cron, start, end))
            assert len(found) == 4
            assert {b - a for a, b in zip(found, found[1:], strict=False)} == {DAY}
            assert {one.tzinfo for one in found} == {UTC}


def test_leap_days_are_found_and_waited_for() -> None:
    cron = "0 0 29 2 *"
    assert newest(cron, at(1)) == datetime(2024, 2, 29, tzinfo=UTC)
    assert upcoming(cron, at(1)) == datetime(2028, 2, 29, tzinfo=UTC)
    assert newest(cron, datetime(2104, 2, 28, tzinfo=UTC)) == datetime(2096, 2, 29, tzinfo=UTC)
    daily = list(moments("0 2 * * *", datetime(2028, 2, 27, 3, tzinfo=UTC), datetime(2028, 3, 1, 3, tzinfo=UTC)))
    assert [one.day for one in daily] == [28, 29, 1]


def test_a_slot_is_overdue_when_its_grace_is_over() -> None:
    done = ledger(row(at(10)), settled=at(10))
    assert overdue(NIGHTLY, done, at(11, 3)) == []
    assert slots(overdue(NIGHTLY, done, at(11, 3, 1))) == [at(11)]
    assert overdue(NIGHTLY, ledger(), at(11, 9)) == [], "nobody has begun yet"


def test_a_slot_that_is_tried_for_the_first_time_has_its_grace_from_then_on() -> None:
    first = row(at(11), SlotState.CLAIMED, claimed_at=at(11, 8), ended_at=None)
    assert overdue(NIGHTLY, ledger(first, settled=at(10)), at(11, 9)) == []
    assert slots(overdue(NIGHTLY, ledger(first, settled=at(10)), at(11, 9, 1))) == [at(11)]
    second = msgspec.structs.replace(first, attempt=2)
    assert slots(overdue(NIGHTLY, ledger(second, settled=at(10)), at(11, 8, 30))) == [at(11)], (
        "it must not go on for ever"
    )


@pytest.mark.parametrize(
    "cron", ["*/15 * * * *", "0 2 * * mon-fri", "5,35 8-18/2 * * *", "0 0 1 */3 *", "7 23 31 jan,mar *", "0 12 * * sun"]
)
@given(start=st.datetimes(datetime(2023, 12, 1), datetime(2028, 3, 2)), days=st.integers(1, 9))
def test_slots_are_those_minutes_that_the_five_fields_name(cron: str, start: datetime, days: int) -> None:
    minutes, hours, month_days, months, weekdays = cron_sets(cron)
    begin = start.replace(tzinfo=UTC)
    first = begin.replace(second=0, microsecond=0)
    named = [
        one
        for one in (first + timedelta(minutes=n) for n in range(days * 1440 + 1))
        if begin < one <= begin + days * DAY
        and (one.minute in minutes and one.hour in hours)
        and (one.day in month_days and one.month in months and one.weekday() in weekdays)
    ]
    assert list(moments(cron, begin, begin + days * DAY)) == named


@given(
    done=st.sets(st.integers(1, 28)),
    failed=st.sets(st.integers(1, 28)),
    now=st.integers(1, 28 * 24).map(lambda hours: at(1, 0) + timedelta(hours=hours)),
)
def test_what_is_owed_is_sorted_once_each_and_neither_done_nor_in_the_future(
    done: set[int], failed: set[int], now: datetime
) -> None:
    rows = [row(at(day)) for day in done] + [row(at(day), SlotState.FAILED) for day in failed - done]
    settled = max(
        (one.planned_for for one in rows if one.state is SlotState.DONE and one.planned_for <= now), default=None
    )
    kept = [one for one in rows if one.state is SlotState.FAILED or settled is None or one.planned_for >= settled]
    found = slots(owed(NIGHTLY, ledger(*kept, settled=settled), now))
    assert found == sorted(set(found))
    assert all(one <= now and one.day not in done for one in found)
    assert {at(day) for day in failed - done if at(day) <= now} <= set(found)

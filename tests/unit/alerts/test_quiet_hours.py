"""When something may be told: quiet hours by the clock on the wall, on the nights when it changes too."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.alerts.plan import plan
from monitor.alerts.rules import AlertRules, Quiet, Route
from monitor.model import Severity
from tests.unit.alerts.material import TEAM, change, opened

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Quiet(start=time(22), end=time(7), zone=BERLIN)
ZONES = [UTC, BERLIN, ZoneInfo("America/New_York"), ZoneInfo("Asia/Kathmandu"), ZoneInfo("Australia/Lord_Howe")]


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-01-14T12:00", "2026-01-14T12:00"),
        ("2026-01-14T20:59", "2026-01-14T20:59"),
        ("2026-01-14T21:00", "2026-01-15T06:00"),
        ("2026-01-15T05:59", "2026-01-15T06:00"),
        ("2026-01-15T06:00", "2026-01-15T06:00"),
        # The night of 29 March has 23 hours, that of 25 October 25.
        ("2026-03-28T21:00", "2026-03-29T05:00"),
        ("2026-03-29T04:59", "2026-03-29T05:00"),
        ("2026-10-24T20:00", "2026-10-25T06:00"),
        ("2026-10-25T05:30", "2026-10-25T06:00"),
        # A leap day is a day.
        ("2028-02-28T22:00", "2028-02-29T06:00"),
        ("2028-02-29T22:00", "2028-03-01T06:00"),
    ],
)
def test_quiet_hours_end_by_the_clock_on_the_wall(at: str, until: str):
    assert NIGHT.until(utc(at)) == utc(until)


def test_hours_that_end_in_the_hour_that_comes_twice_end_with_the_second():
    quiet = Quiet(start=time(22), end=time(2, 30), zone=BERLIN)

    assert quiet.until(utc("2026-10-25T00:45")) == utc("2026-10-25T01:30")
    assert quiet.until(utc("2026-10-25T01:15")) == utc("2026-10-25T01:30")


def test_hours_that_end_in_the_hour_that_is_skipped_end_after_the_gap():
    quiet = Quiet(start=time(22), end=time(2, 30), zone=BERLIN)

    assert quiet.until(utc("2026-03-29T00:45")) == utc("2026-03-29T01:30")


def test_quiet_days_and_the_hours_before_and_after_them_are_one_stretch():
    quiet = Quiet(start=time(18), end=time(9), zone=BERLIN, days=(5, 6))

    assert quiet.until(utc("2026-03-13T17:00")) == utc("2026-03-16T08:00")
    assert quiet.until(utc("2026-03-14T12:00")) == utc("2026-03-16T08:00")
    assert quiet.until(utc("2026-03-16T09:00")) == utc("2026-03-16T09:00")


def test_hours_within_a_day_are_quiet_within_it():
    quiet = Quiet(start=time(12), end=time(13))

    assert quiet.until(utc("2026-03-13T12:30")) == utc("2026-03-13T13:00")
    assert quiet.until(utc("2026-03-13T23:30")) == utc("2026-03-13T23:30")


def test_a_week_of_quiet_days_silences_nobody():
    quiet = Quiet(start=time(0), end=time(0), days=tuple(range(7)))

    assert quiet.until(utc("2026-03-13T12:30")) == utc("2026-03-13T12:30")


def test_what_is_critical_is_told_at_once_and_all_else_when_the_hours_end():
    rules = AlertRules(routes=(Route(to=(TEAM,)),), quiet=NIGHT, summary_at=None)
    at = utc("2026-03-14T23:00")
    messages = plan(change(opened(0, Severity.CRITICAL), opened(1, Severity.HIGH), at=at), rules)

    assert [(m.body.severity.value, m.next_at) for m in messages] == [
        ("critical", at),
        ("high", utc("2026-03-15T06:00")),
    ]
    assert all(m.created_at == at for m in messages)


@given(
    zone=st.sampled_from(ZONES),
    at=st.datetimes(datetime(2026, 1, 1), datetime(2029, 1, 1)),
    start=st.times(),
    end=st.times(),
    days=st.sets(st.integers(0, 6), max_size=3),
)
def test_hours_never_end_before_they_are_asked_for_nor_end_within_themselves(
    zone: ZoneInfo, at: datetime, start: time, end: time, days: set[int]
):
    quiet = Quiet(start=start.replace(tzinfo=None), end=end.replace(tzinfo=None), zone=zone, days=tuple(days))
    moment = at.replace(tzinfo=UTC)
    until = quiet.until(moment)

    assert moment <= until <= moment + timedelta(days=8)
    assert quiet.until(until) == until
    assert quiet.until(moment + (until - moment) / 2) == until


@pytest.mark.parametrize("at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)])
def test_the_ends_of_the_calendar_are_not_quiet(at: datetime):
    assert NIGHT.until(at) == at
    assert AlertRules().summary_due(at, None) is None or at > utc("2026-01-01T00:00")


@pytest.mark.parametrize(
    ("at", "last", "due"),
    [
        ("2026-03-14T05:30", None, "2026-03-14T05:00"),
        ("2026-03-14T04:30", None, "2026-03-13T05:00"),
        ("2026-03-14T05:30", "2026-03-14T05:10", None),
        ("2026-03-14T05:30", "2026-03-14T04:59", "2026-03-14T05:00"),
        ("2026-03-29T04:00", "2026-03-28T05:00", "2026-03-29T04:00"),
        ("2026-10-25T04:59", "2026-10-24T04:00", None),
        ("2026-10-25T05:00", "2026-10-24T04:00", "2026-10-25T05:00"),
    ],
)
def test_a_summary_is_due_once_a_day_from_its_time_on(at: str, last: str | None, due: str | None):
    rules = AlertRules(summary_at=time(6), zone=BERLIN)

    assert rules.summary_due(utc(at), utc(last) if last else None) == (utc(due) if due else None)

"""The section `schedules`: what is right is taken, and what is wrong says what to write."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from monitor.schedule.slots import trigger
from monitor.settings.schedules import ScheduledSweep, SchedulesSettings


@pytest.mark.parametrize(
    "cron",
    [
        "0 2 * * *",
        "*/15 * * * *",
        "0 2 * * MON-FRI",
        "0  2 * *  sun",
        "0 0 29 2 *",
        "0 0 1,15 jan-jun *",
        "59 23 31 12 *",
    ],
)
def test_a_cron_that_is_taken_counts_slots_out(cron: str) -> None:
    trigger(ScheduledSweep(name="nightly", cron=cron).cron)


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 2 * * 0", "mon, tue"),
        ("0 2 * * 1-5", "mon, tue"),
        ("0 2 1 * mon", "two schedules"),
        ("0 2 31 feb *", "none of its months"),
        ("0 2 31 4,6 *", "none of its months"),
        ("0 2 * *", "4 fields"),
        ("0 0 2 * * *", "6 fields"),
        ("60 2 * * *", "0 to 59"),
        ("0 24 * * *", "0 to 23"),
        ("0 2 0 * *", "1 to 31"),
        ("0 2 * 13 *", "1 to 12"),
        ("0 2 * * fri-mon", "ends before"),
        ("5/15 * * * *", "5-59/15"),
        ("*/0 * * * *", "leads nowhere"),
        ("*/90 * * * *", "leads nowhere"),
        ("@daily", "1 fields"),
        ("0 2 last * *", "1 to 31"),
        ("0 ٢ * * *", "no hour"),
        ("", "empty"),
    ],
)
def test_a_cron_that_would_surprise_is_refused(cron: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        ScheduledSweep(name="nightly", cron=cron)


def test_two_schedules_cannot_have_one_name() -> None:
    with pytest.raises(ValidationError, match="two schedules"):
        SchedulesSettings(sweeps=({"name": "a", "cron": "0 2 * * *"}, {"name": "a", "cron": "0 3 * * *"}))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Nightly", "9", "a b", "a" * 41, "", "nightly\n"])
def test_a_name_is_plain(name: str) -> None:
    with pytest.raises(ValidationError):
        ScheduledSweep(name=name, cron="0 2 * * *")


@pytest.mark.parametrize("listen", ["9464", "127.0.0.1", "127.0.0.1:", ":9464", "127.0.0.1:99999"])
def test_where_to_listen_is_a_host_and_a_port(listen: str) -> None:
    with pytest.raises(ValidationError, match=r"127\.0\.0\.1:9464"):
        SchedulesSettings(listen=listen)


@pytest.mark.parametrize(
    "ping", ["ftp://secret-4711.example.com", "https://user:secret-4711@example.com/", "secret-4711"]
)
def test_no_message_repeats_the_address_of_the_dead_man_switch(ping: str) -> None:
    with pytest.raises(ValidationError) as raised:
        SchedulesSettings(ping=ping)
    assert "4711" not in str(raised.value)
    assert "4711" not in repr(SchedulesSettings(ping="https://ping.example.com/4711"))

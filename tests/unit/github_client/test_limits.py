"""The gate: who waits, for how long, and when there is no more waiting."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from monitor.errors import Throttled
from monitor.sources.github.limits import Gate
from tests.unit.github_client.forge import AT, Time


def gate(time: Time, patience: float = 3900) -> Gate:
    return Gate(clock=time.clock, sleep=time.sleep, told=time.told.append, patience=patience)


def test_nobody_waits_where_there_is_no_limit():
    time = Time()

    gate(time).enter("s")

    assert time.slept == []
    assert time.told == []


def test_a_limit_holds_for_as_long_as_it_says_and_the_rest_is_told_every_half_minute():
    time = Time()
    one = gate(time)

    one.limited(one.enter("s"), 72, "s")
    one.enter("s")

    assert time.passed == 72
    assert time.slept == [30, 30, 12]
    assert time.told == [f"github: waiting {n} s for the rate limit" for n in (72, 42, 12)]


def test_a_limit_that_says_nothing_is_a_minute_and_then_twice_as_long_each_time():
    time = Time()
    one = gate(time, patience=10**6)
    waits = []
    for _ in range(4):
        before = time.passed
        one.limited(one.enter("s"), None, "s")
        one.enter("s")
        waits.append(time.passed - before)

    one.passed(one.enter("s"))
    before = time.passed
    one.limited(one.enter("s"), None, "s")
    one.enter("s")

    assert waits == [60, 120, 240, 480]
    assert time.passed - before == 60


def test_those_that_were_under_way_together_meet_one_limit():
    time = Time()
    one = gate(time)
    tickets = [one.enter("s") for _ in range(8)]
    for ticket in tickets:
        one.limited(ticket, None, "s")

    one.enter("s")

    assert time.passed == 60


def test_an_answer_from_before_the_limit_does_not_end_the_row():
    time = Time()
    one = gate(time)
    early = one.enter("s")
    one.limited(one.enter("s"), None, "s")
    one.enter("s")
    one.passed(early)
    one.limited(one.enter("s"), None, "s")
    one.enter("s")

    assert time.passed == 60 + 120


def test_a_reset_that_has_always_just_passed_is_not_asked_for_again_and_again():
    time = Time()
    one = gate(time, patience=1000)
    tries = 0
    with pytest.raises(Throttled):
        while True:
            tries += 1
            one.limited(one.enter("s"), 1, "s")

    assert tries < 25


def test_a_limit_beyond_the_patience_ends_at_once_and_nobody_asks_while_it_holds():
    time = Time()
    one = gate(time, patience=100)

    with pytest.raises(Throttled, match="until 2026-03-14T02:10:00Z") as first:
        one.limited(one.enter("github:a"), 600, "github:a")
    with pytest.raises(Throttled) as second:
        one.enter("github:b")

    assert (first.value.scope, second.value.scope) == ("github:a", "github:b")
    assert time.slept == []
    time.now += timedelta(seconds=600)
    one.enter("github:b")


def test_patience_is_for_all_limits_together():
    time = Time()
    one = gate(time, patience=100)
    one.limited(one.enter("s"), 70, "s")
    one.passed(one.enter("s"))

    with pytest.raises(Throttled):
        one.limited(one.enter("s"), 31, "s")

    time.now = AT + timedelta(hours=1)
    one.limited(one.enter("s"), 29, "s")
    one.enter("s")


def test_every_thread_waits_and_the_wait_is_paid_for_once():
    time = Time()
    one = gate(time, patience=60)
    one.limited(one.enter("s"), 60, "s")
    barrier = threading.Barrier(8)

    def work(_: int) -> float:
        barrier.wait(10)
        one.enter("s")
        return time.passed

    with ThreadPoolExecutor(8) as pool:
        assert min(pool.map(work, range(8))) >= 60


def test_a_clock_that_stands_still_does_not_hold_us_for_ever():
    time = Time()
    slept: list[float] = []
    one = Gate(clock=lambda: AT, sleep=slept.append, told=time.told.append, patience=100)

    one.limited(one.enter("s"), 45, "s")
    one.enter("s")

    assert sum(slept) == 45

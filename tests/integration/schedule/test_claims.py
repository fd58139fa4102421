"""Claims of slots: exactly one has each, a holder that dies gives it back at once, and what is done is never claimed again."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.errors import LedgerError
from monitor.store.slots import Slots
from monitor.store.store import Store
from monitor.store.words import SlotState
from tests.fakes.scheduling import Outage

SLOT = datetime(2026, 3, 14, 2, tzinfo=UTC)
NOW = SLOT + timedelta(minutes=1)


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    with Store.open(store_url) as opened:
        yield opened


@pytest.fixture
def postgres(postgres_url: str) -> Iterator[Store]:
    with Store.open(postgres_url) as opened:
        yield opened


def test_a_slot_is_claimed_finished_and_never_claimed_again(store: Store) -> None:
    with Slots(store) as slots:
        claim = slots.claim("nightly", SLOT, "one", NOW)
        assert claim is not None
        assert claim.attempt == 1
        assert slots.claim("nightly", SLOT, "one", NOW) is None, "nor by the same process, while it works on it"
        slots.finish(claim, SlotState.DONE, NOW, "sweep-1")
        assert slots.claim("nightly", SLOT, "one", NOW) is None
        (row,) = slots.rows("nightly")
    assert (row.state, row.sweep_id, row.attempt, row.owner) == (SlotState.DONE, "sweep-1", 1, "one")
    assert (row.planned_for, row.claimed_at, row.ended_at) == (SLOT, NOW, NOW)


def test_what_failed_is_claimed_again_as_the_next_attempt(store: Store) -> None:
    with Slots(store) as slots:
        for attempt in (1, 2, 3):
            claim = slots.claim("nightly", SLOT, "one", NOW)
            assert claim is not None
            assert claim.attempt == attempt
            slots.finish(claim, SlotState.FAILED, NOW, reason="the network was down; '\"\0")
        assert slots.rows()[0].reason.startswith("the network was down")


def test_what_was_given_back_is_owed_at_once(store: Store) -> None:
    with Slots(store) as slots:
        claim = slots.claim("nightly", SLOT, "one", NOW)
        assert claim is not None
        slots.release(claim, NOW, "asked to end")
        assert slots.unsettled("nightly", None)[0].state is SlotState.CLAIMED
        again = slots.claim("nightly", SLOT, "one", NOW)
        assert again is not None
        assert again.attempt == 2


def test_what_is_lost_is_not_claimed_unless_a_clock_that_ran_ahead_gave_it_up(store: Store) -> None:
    with Slots(store) as slots:
        claim = slots.claim("nightly", SLOT, "one", NOW)
        assert claim is not None
        slots.finish(claim, SlotState.LOST, NOW + timedelta(days=400))
        assert slots.settled("nightly", NOW) is None
        assert slots.claim("nightly", SLOT, "one", NOW + timedelta(days=401)) is None
        assert slots.claim("nightly", SLOT, "one", NOW) is not None


def test_of_two_processes_on_postgres_one_has_the_slot(postgres: Store) -> None:
    with Slots(postgres) as one, Slots(postgres) as two:
        claim = one.claim("nightly", SLOT, "one", NOW)
        assert claim is not None
        assert two.claim("nightly", SLOT, "two", NOW) is None
        other = two.claim("logs", SLOT, "two", NOW)
        assert other is not None, "another schedule's slot of the same time is another slot"
        one.finish(claim, SlotState.FAILED, NOW)
        assert two.claim("nightly", SLOT, "two", NOW) is not None


def test_the_slot_of_a_process_that_died_is_taken_over_at_once(postgres_url: str) -> None:
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        held = Slots(Store.open(postgres_url)).claim("nightly", SLOT, "dead", NOW)
        os.write(told, b"1" if held else b"0")
        signal.pause()
    assert os.read(ready, 1) == b"1"
    with Store.open(postgres_url) as opened, Slots(opened) as slots:
        assert slots.claim("nightly", SLOT, "heir", NOW) is None
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        claim = None
        for _ in range(1000):  # The server notices when it next looks at the socket: milliseconds.
            if claim := slots.claim("nightly", SLOT, "heir", NOW):
                break
        assert claim is not None
        assert claim.attempt == 2
        slots.finish(claim, SlotState.DONE, NOW)
    os.close(ready)
    os.close(told)


def test_a_claim_goes_with_its_connection_and_cannot_be_finished(postgres_url: str) -> None:
    outage = Outage(postgres_url)
    with Store.open(postgres_url) as opened, Slots(opened) as slots:
        claim = slots.claim("nightly", SLOT, "one", NOW)
        assert claim is not None
        outage.set(True)
        with pytest.raises(LedgerError):
            slots.finish(claim, SlotState.DONE, NOW)
        with pytest.raises(LedgerError):
            slots.claim("nightly", SLOT, "one", NOW)
        outage.set(False)
        with pytest.raises(LedgerError, match="went with its connection"):
            slots.finish(claim, SlotState.DONE, NOW)
        again = slots.claim("nightly", SLOT, "one", NOW)
        assert again is not None
        assert again.attempt == 2


def test_one_whose_claim_was_taken_over_changes_nothing(postgres_url: str) -> None:
    outage = Outage(postgres_url)
    with Store.open(postgres_url) as opened, Slots(opened) as slow, Slots(opened) as heir:
        claim = slow.claim("nightly", SLOT, "slow", NOW)
        outage.set(True)
        outage.set(False)
        taken = heir.claim("nightly", SLOT, "heir", NOW)
        assert claim is not None
        assert taken is not None
        with pytest.raises(LedgerError):
            slow.finish(claim, SlotState.DONE, NOW, "sweep-slow")
        heir.finish(taken, SlotState.DONE, NOW, "sweep-heir")
        assert [row.sweep_id for row in heir.rows()] == ["sweep-heir"]


def test_sqlite_refuses_a_second_scheduler_and_says_what_to_do(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as opened:
        with Slots(opened) as one:
            one.enter()
            with Slots(opened) as two, pytest.raises(LedgerError, match="another scheduler") as raised:
                two.enter()
            assert "PostgreSQL" in raised.value.todo
            assert two.rows() == [], "reading is free"
        with Slots(opened) as after:
            after.enter()


def test_a_child_of_the_sqlite_scheduler_does_not_keep_its_lock(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as opened:
        slots = Slots(opened)
        slots.enter()
        ready, told = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(told, b"1")
            signal.pause()
        assert os.read(ready, 1) == b"1"
        slots.close()
        try:
            with Slots(opened) as after:
                after.enter()
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            os.close(ready)
            os.close(told)


def test_a_lock_file_that_cannot_be_made_is_told(sqlite_url: str) -> None:
    with Store.open(sqlite_url) as opened:
        path = Path(sqlite_url.removeprefix("sqlite:///") + ".scheduler-lock")
        path.mkdir()
        with Slots(opened) as slots, pytest.raises(LedgerError, match="cannot be locked"):
            slots.enter()

"""What counts as read: silence, a clock that stands behind, a hole, damage read again, and workers that die."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monitor.example import cast
from monitor.model import CoverageStatus, Window
from monitor.sources.aws.trail_scopes import NAME, Scope, advances, coverage
from tests.unit.decode.samples import AT, call, person
from tests.unit.sweep.folder_trail import HERE, START, Trail, coverage_of, written

COMPLETE, PARTIAL = CoverageStatus.COMPLETE, CoverageStatus.PARTIAL
SETTLE = timedelta(minutes=20)
WRITE, LATER = call(who=person()), call(who=person())
END = START + timedelta(hours=12)


def hours(n: float) -> timedelta:
    return timedelta(hours=n)


def scope(end: datetime = END, **over: Any) -> Scope:
    values: dict[str, Any] = {"declared": True, "window": Window(START, end), "marked": START, **over}
    return Scope(HERE, cast.PAYMENTS, cast.EAST, **values)


@pytest.mark.parametrize(
    ("heard", "digest", "whole"),
    [
        (END - hours(3), None, True),
        (END - hours(3) - timedelta(minutes=1), None, False),
        (None, None, False),
        (None, END - hours(3), True),
        (END - hours(9), END - hours(1), True),
        (END - hours(1), END - hours(9), True),
        (END - hours(9), END - hours(4), False),
        (END + SETTLE, None, True),
    ],
)
def test_a_scope_that_fell_silent_is_partial_and_its_mark_stays(
    heard: datetime | None, digest: datetime | None, whole: bool
) -> None:
    quiet = scope(heard=heard)
    found = coverage(quiet, [], digest)
    assert found.status is (COMPLETE if whole else PARTIAL)
    assert bool(found.reason) is not whole
    assert advances(quiet, found, digest) is whole


@pytest.mark.parametrize(
    "over",
    [
        {"behind": True},
        {"failed": [("Denied", "a", "no", "grant")]},
        {"marked": START - timedelta(minutes=1)},
        {"marked": END},
        {"marked": END + hours(1)},
    ],
    ids=["behind", "failed", "hole", "nothing new", "backwards"],
)
def test_the_mark_does_not_move_over_what_was_not_read_nor_back(over: dict[str, Any]) -> None:
    one = scope(heard=END, **over)
    assert not advances(one, coverage(one, [], None), None)
    whole = scope(heard=END)
    assert advances(whole, coverage(whole, [], None), None)


def test_after_silence_the_same_span_is_owed_again_and_is_whole_once_something_came(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.deliver(WRITE)
    trail.sweep()
    read_to = trail.mark()
    assert read_to == AT + hours(3) - SETTLE
    silent = coverage_of(trail.sweep(AT + hours(8)))
    assert (silent.status, trail.mark()) == (PARTIAL, read_to)
    assert "nothing was delivered since 2026-03-09T10:12Z" in silent.reason
    trail.deliver(LATER, at=AT + hours(7))
    found = trail.sweep(AT + hours(8))
    again = coverage_of(found)
    assert (again.status, again.window, written(found)) == (
        COMPLETE,
        Window(read_to, AT + hours(8) - SETTLE),
        [LATER["eventID"]],
    )
    assert trail.mark() == AT + hours(8) - SETTLE


def test_a_clock_behind_the_mark_is_told_and_changes_no_mark(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.deliver(WRITE)
    trail.sweep()
    read_to = trail.mark()
    found = trail.sweep(AT + hours(1))
    behind = coverage_of(found)
    assert (behind.status, trail.mark()) == (PARTIAL, read_to)
    assert "the clock stands before 2026-03-09T12:52Z" in behind.reason


def test_material_that_is_over_is_not_a_clock_behind(tmp_path: Path) -> None:
    trail = Trail(tmp_path, until=AT + hours(1))
    trail.deliver(WRITE)
    assert coverage_of(trail.sweep(AT + hours(3))).status is COMPLETE
    assert trail.mark() == AT + hours(1)
    assert coverage_of(trail.sweep(AT + hours(30))).status is COMPLETE


def test_a_hole_left_by_since_keeps_the_mark_and_is_blind_until_it_is_read(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.deliver(WRITE)
    trail.sweep()
    read_to = trail.mark()
    assert read_to is not None
    since = AT + hours(10)
    trail.deliver(LATER, at=AT + hours(12))
    found = trail.sweep(AT + hours(13), since=since)
    assert (coverage_of(found).status, coverage_of(found).window) == (COMPLETE, Window(since, AT + hours(13) - SETTLE))
    assert written(found) == [LATER["eventID"]]
    assert trail.mark() == read_to
    assert (cast.PAYMENTS, read_to, since) in found.blind
    assert (cast.PAYMENTS, read_to, since) in trail.sweep(AT + hours(13)).blind
    assert trail.mark() == AT + hours(13) - SETTLE


def test_looking_again_from_before_the_mark_is_no_hole(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.deliver(WRITE)
    trail.sweep()
    trail.deliver(LATER, at=AT + hours(5))
    found = trail.sweep(AT + hours(6), since=START)
    assert (written(found), found.blind) == ([LATER["eventID"]], [])
    assert trail.mark() == AT + hours(6) - SETTLE


def test_a_damaged_object_is_read_again_only_for_the_window_in_which_it_lies(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.deliver(WRITE, at=AT + hours(2))
    key = trail.deliver(body=b"x")
    assert coverage_of(trail.sweep()).status is PARTIAL
    trail.deliver(LATER, at=AT + hours(5))
    assert key not in [o.key for o in trail.sweep(AT + hours(6)).objects]
    mended = gzip.compress(b'{"Records":[]}', mtime=0)
    trail.store.write(key, mended)
    found = trail.sweep(AT + hours(6), since=START)
    assert [(o.key, o.damage) for o in found.objects] == [(key, "")]
    assert coverage_of(found).status is COMPLETE


def test_a_folder_that_is_gone_is_read_nowhere_and_changes_no_mark(tmp_path: Path) -> None:
    trail = Trail(tmp_path)
    trail.deliver(WRITE)
    trail.sweep()
    before = trail.mark()
    shutil.rmtree(trail.store.root)
    found = trail.sweep(AT + hours(6))
    assert {c.status for c in found.coverage} == {PARTIAL}
    assert all("does not exist" in c.reason for c in found.coverage)
    assert trail.mark() == before


class Dying(Executor):
    """A pool of which some workers die: what they were given ends in BrokenExecutor, as a process pool has it."""

    def __init__(self, dies: Callable[[int], bool], at_submit: bool = False) -> None:
        self.dies = dies
        self.at_submit = at_submit
        self.given = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given += 1
        future: Future[Any] = Future()
        if not self.dies(self.given):
            future.set_result(fn(*args, **kwargs))
        elif self.at_submit:
            raise BrokenExecutor("a child process terminated abruptly, the process pool is not usable anymore")
        else:
            future.set_exception(BrokenExecutor("a process in the process pool was terminated abruptly"))
        return future


def large(trail: Trail, *records: Any, at: datetime) -> str:
    """Deliver an object that is large enough for a worker of its own."""
    padding = b'{"eventVersion":"1.11","readOnly":true,"requestParameters":{"x":"' + b"x" * (5 << 20) + b'"}}'
    key = trail.deliver(*records, padding, at=at)
    trail.store.write(key, gzip.compress(gzip.decompress(trail.store.read(key)), compresslevel=0, mtime=0))
    return key


@pytest.mark.parametrize("at_submit", [False, True], ids=["under way", "when it is given"])
@pytest.mark.parametrize(
    ("dies", "lost"), [(lambda n: n > 1, 2), (lambda n: True, 3)], ids=["all but the first", "all"]
)
def test_the_objects_of_a_worker_that_died_are_unread_and_read_the_next_time(
    tmp_path: Path, dies: Callable[[int], bool], lost: int, at_submit: bool
) -> None:
    trail = Trail(tmp_path, workers=2)
    events = [call(who=person()) for _ in range(3)]
    keys = [large(trail, event, at=AT + timedelta(minutes=n)) for n, event in enumerate(events)]
    healthy = trail.pool
    trail.pool = lambda: Dying(dies, at_submit)
    found = trail.sweep()
    assert sorted(o.key for o in found.objects) == sorted(keys[: 3 - lost])
    told = coverage_of(found)
    assert told.status is PARTIAL
    assert [gap.partition(":")[0] for gap in told.gaps] == keys[3 - lost :]
    assert all("died" in gap for gap in told.gaps)
    assert "memory" in told.grant
    assert f"{NAME}|{HERE}" not in found.marks
    assert [account for account, start, end in found.blind if start <= AT <= end] == [cast.PAYMENTS]
    trail.pool = healthy
    again = trail.sweep()
    assert sorted(o.key for o in again.objects) == sorted(keys[3 - lost :])
    assert written(again) == sorted(event["eventID"] for event in events[3 - lost :])
    assert coverage_of(again).status is COMPLETE

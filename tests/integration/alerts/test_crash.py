"""Killed with -9 between any two steps: nothing is lost, nothing is shown twice, and the order is kept."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import defaultdict
from typing import Any

import pytest

from tests.fakes.installation import ROOT, environment
from tests.fakes.receiver import Posted, Receiver
from tests.integration.alerts.world import fid


def crashed(url: str, receiver: Receiver, sink: str, mode: str) -> list[dict[str, Any]]:
    program = [sys.executable, "-m", "tests.integration.alerts.crashing", url, receiver.url, sink, mode]
    done = subprocess.run(program, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["ended"] for one in tries[:-1]} == {-signal.SIGKILL}, done.stderr[-3000:]
    assert tries[-1]["ended"] == 0
    return tries


def by_database(posted: list[Posted]) -> dict[str, list[Posted]]:
    found: dict[str, list[Posted]] = defaultdict(list)
    for one in posted:
        found[one.path].append(one)
    return found


def told(posted: list[Posted]) -> list[tuple[str, str]]:
    return [(one.json["kind"], one.json["finding_id"]) for one in posted]


EXPECTED = sorted([("opened", fid("a")), ("opened", fid("b")), ("resolved", fid("a"))])


@pytest.mark.parametrize("sink", ["board", "webhook"])
def test_a_kill_between_any_two_steps_loses_nothing_and_shows_nothing_twice(sqlite_url: str, sink: str) -> None:
    with Receiver() as receiver:
        receiver.fold_by_path = True
        tries = crashed(sqlite_url, receiver, sink, "anew")

    assert len(tries) > 30
    assert {json.dumps(one["states"]) for one in tries} == {json.dumps({"sent": 3})}
    databases = by_database(receiver.posted)
    assert len(databases) == len(tries)
    again = 0
    for posted in databases.values():
        keys = [one.key for one in posted]
        shown = [one for number, one in enumerate(posted) if one.key not in keys[:number]]
        again += len(posted) - len(shown)
        assert sorted(told(shown)) == EXPECTED
        about = [kind for kind, finding in told(shown) if finding == fid("a")]
        assert about == ["opened", "resolved"]
    # A sink that can be asked is never given anything twice; what cannot is given the same key again.
    assert (again == 0) is (sink == "board")


@pytest.mark.parametrize("sink", ["board", "webhook"])
def test_a_process_that_is_killed_again_and_again_gets_there(postgres_url: str, sink: str) -> None:
    with Receiver() as receiver:
        tries = crashed(postgres_url, receiver, sink, "onward")

    assert tries[-1]["states"] == {"sent": 3}
    assert sorted(told(receiver.taken)) == EXPECTED
    if sink == "board":
        assert len(receiver.posted) == 3

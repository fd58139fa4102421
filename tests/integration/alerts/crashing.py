"""A program: records two sweeps and delivers their alerts, killed with -9 one step later each time.

Usage: crashing.py URL BOARD SINK MODE. A step is a statement, a commit, the moment before a request goes out, or after its
answer came. MODE `anew` takes a copy of the (SQLite) database for each step, and lets a second process finish; `onward` goes
on with what the killed one left. Prints one JSON line a try: how it ended, and the states of the outbox afterwards.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from datetime import timedelta
from itertools import count
from typing import Any

import httpx2
from sqlalchemy import Engine, event

from monitor.alerts.notes import Message, Target
from monitor.alerts.port import Delivered, Thread
from monitor.alerts.rules import AlertRules, Route
from monitor.alerts.webhook import Endpoint, WebhookSink
from monitor.model import Outcome
from monitor.store.store import Store
from tests.integration.alerts.world import START, World, result

SECRET = b"an example of a secret"


class Board:
    """A sink that can be asked what it has: it posts as the webhook does, and looks by a GET."""

    name = "board"

    def __init__(self, url: str) -> None:
        self.url = url
        self.hook = WebhookSink({"x": Endpoint(url, SECRET)}, clock=lambda: START)

    def deliver(self, message: Message, thread: Thread | None) -> Delivered:
        return self.hook.deliver(message, thread)

    def find(self, message: Message, thread: Thread | None) -> Delivered | None:
        keys = httpx2.get(self.url).json()
        return Delivered(message.id, message.id if message.finding_id else "") if message.id in keys else None


def rules(sink: str) -> AlertRules:
    return AlertRules(routes=(Route(to=(Target(sink, "x"),)),), summary_at=None)


def main(url: str, board: str, sink: str, mode: str) -> None:
    for steps in count(1):
        place = url
        if mode == "anew":
            place = f"{url}-{steps}"
            shutil.copyfile(url.removeprefix("sqlite:///"), place.removeprefix("sqlite:///"))
        later = timedelta(minutes=10 * steps) if mode == "onward" else timedelta()
        ended = _forked(place, board, sink, later, steps)
        if mode == "anew":
            assert _forked(place, board, sink, later + timedelta(minutes=10), 0) == 0
        with Store.open(place) as store:
            states = World(store).states()
        print(json.dumps({"ended": ended, "states": states, "step": steps}), flush=True)
        if ended == 0:
            return


def _forked(url: str, board: str, sink: str, later: timedelta, steps: int) -> int:
    child = os.fork()
    if child == 0:
        try:
            _run(url, board + f"/{os.path.basename(url)}", sink, later, steps)
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _run(url: str, board: str, sink: str, later: timedelta, steps: int) -> None:
    remaining = count(steps, -1)

    def step(*_: Any) -> None:
        if next(remaining) == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with Store.open(url) as store:
        event.listen(Engine, "after_cursor_execute", step)
        event.listen(Engine, "commit", step)
        world = World(store, rules(sink))
        world.sweep(result("a"), result("b"))
        world.sweep(result("a", Outcome.PASS))
        found: Any = (
            Board(board) if sink == "board" else WebhookSink({"x": Endpoint(board, SECRET)}, clock=lambda: START)
        )
        post = found.deliver

        def deliver(message: Message, thread: Thread | None) -> Delivered:
            step()
            delivered: Delivered = post(message, thread)
            step()
            return delivered

        found.deliver = deliver
        world.at += later
        counts = world.round(found)
        assert not counts.errors, counts


if __name__ == "__main__":
    main(*sys.argv[1:])

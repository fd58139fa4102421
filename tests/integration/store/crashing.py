"""A program: records one sweep again and again, each time killed one statement later, until it gets through.

Prints one JSON line a try: how the process ended (a negative signal, or 0), and what the database held afterwards.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from itertools import count
from typing import Any

from sqlalchemy import Engine, event

from monitor.model import Outcome
from monitor.store.store import Store
from tests.integration.store.material import (
    KIND,
    SCOPE,
    SOURCE,
    START,
    exchange,
    judged,
    log_object,
    part,
    record,
    remembered,
    sealing,
)

RECORD = record(
    1,
    objects=tuple(log_object(f"key {number}") for number in range(600)),
    exchanges=(exchange("1"),),
    marks={f"{SOURCE}|{SCOPE}": START},
    parts=(part("2026-03-14"),),
    remembered=(remembered("1"),),
)
EARLIER = judged({"a": Outcome.FAIL, "b": Outcome.FAIL})
RESULTS = judged({"a": Outcome.PASS} | {f"subject {number}": Outcome.FAIL for number in range(600)})


def main(url: str) -> None:
    """Run until a try gets through."""
    with Store.open(url) as store:
        store.record(record(0), EARLIER, sealing(0))
    for statements in count(1):
        child = os.fork()
        if child == 0:
            _record_and_die(url, statements)
            os._exit(0)
        ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print(json.dumps({"ended": ended, "holds": _holdings(url)}), flush=True)
        if ended == 0:
            return


def _record_and_die(url: str, statements: int) -> None:
    with Store.open(url) as store:
        remaining = count(statements, -1)

        def step(*_: Any) -> None:
            if next(remaining) == 1:
                os.kill(os.getpid(), signal.SIGKILL)

        event.listen(Engine, "after_cursor_execute", step)
        event.listen(Engine, "commit", step)
        store.record(RECORD, RESULTS, sealing(1))


def _holdings(url: str) -> list[Any]:
    with Store.open(url) as store:
        states: dict[str, int] = {}
        for finding in store.findings():
            states[finding.state.value] = states.get(finding.state.value, 0) + 1
        kept = [store.read_keys(SOURCE), store.exchanges(START), store.marks(), store.parts(), store.remembered(KIND)]
        return [sorted(store.recorded_sweeps()), states, [len(found) for found in kept]]


if __name__ == "__main__":
    main(sys.argv[1])

"""A process that seals sweeps until it is killed: run by the crash tests, never imported by them.

`sweeper.py FOLDER lines N` seals on and on, and kills itself with SIGKILL at the N-th line of code that the evidence room
runs. `sweeper.py FOLDER steps` finds out how many operations on files one sweep takes; then, for each of them, copies the
log, has a child die right before that operation, lets the next sweep go on, and prints what `verify` says.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import monitor.evidence
from monitor.evidence.log import EvidenceLog
from monitor.evidence.seal import history
from tests.unit.evidence.sample import ORIGIN, build, failed, run, signer

ROOM = str(Path(monitor.evidence.__file__).parent)
OPERATIONS = frozenset({"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir"})


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def seal_next(folder: Path) -> None:
    with EvidenceLog.open(folder, ORIGIN, signer()) as log:
        run(log, sum(1 for _ in history(log)))


def by_lines(folder: Path, left: int) -> None:
    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(ROOM):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                die()
        return trace

    sys.settrace(trace)
    while True:
        seal_next(folder)


def by_steps(folder: Path) -> None:
    build(folder / "start", sweeps=1)
    watched = {"left": 0}

    def count(event: str, arguments: tuple[object, ...]) -> None:
        if event in OPERATIONS and watched["left"]:
            watched["left"] -= 1
            if watched["left"] == 0:
                die()

    sys.addaudithook(count)
    step, killed = 0, True
    while killed:
        step += 1
        log = Path(shutil.copytree(folder / "start", folder / str(step)))
        child = os.fork()
        if child == 0:
            watched["left"] = step
            seal_next(log)
            os._exit(0)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        seal_next(log)
        print(step, killed, ",".join(sorted(failed(log))) or "whole", flush=True)
        shutil.rmtree(log)


if __name__ == "__main__":
    if sys.argv[2] == "lines":
        by_lines(Path(sys.argv[1]), int(sys.argv[3]))
    else:
        by_steps(Path(sys.argv[1]))

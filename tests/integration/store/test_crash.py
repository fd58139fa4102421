"""A process killed while it records leaves the sweep unrecorded, whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).parents[3]
UNTOUCHED = [["sweep-0000"], {"open": 2}, [0, 0, 0, 0, 0]]
RECORDED = [["sweep-0000", "sweep-0001"], {"open": 601, "resolved": 1}, [600, 1, 1, 1, 1]]


def test_a_process_killed_at_any_statement_leaves_nothing_half_recorded(store_url: str) -> None:
    program = [sys.executable, "-m", "tests.integration.store.crashing", store_url]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(program, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    tries = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(tries) > 10
    assert tries[:-1] == [{"ended": -signal.SIGKILL, "holds": UNTOUCHED}] * (len(tries) - 1)
    assert tries[-1] == {"ended": 0, "holds": RECORDED}

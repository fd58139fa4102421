"""kill -9 anywhere in a sweep leaves the old checkpoint valid, and the next append heals the log."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from monitor.evidence import checkpoint
from monitor.evidence.log import EvidenceLog
from monitor.evidence.note import Verifier
from monitor.evidence.reader import LogReader
from monitor.evidence.seal import history
from tests.unit.evidence.sample import ORIGIN, VKEY, failed, run, signer

ROOT = Path(__file__).parents[3]


def sweeper(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.unit.evidence.sweeper", str(folder), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("seed", range(10))
def test_a_sweep_killed_anywhere_heals(tmp_path: Path, seed: int) -> None:
    folder = tmp_path / "evidence"
    chance = random.Random(seed)
    for _ in range(2):
        killed = sweeper(folder, "lines", str(chance.randrange(1, 12_000)))
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        sealed = sealed_sweeps(folder)
        with EvidenceLog.open(folder, ORIGIN, signer()) as log:
            run(log, len(sealed))
        assert failed(folder) == set()
        assert sealed_sweeps(folder)[: len(sealed)] == sealed


def sealed_sweeps(folder: Path) -> list[tuple[str, str]]:
    """The sealed sweeps of a log as it was left, read as its checkpoint says; the checkpoint must hold."""
    if not (folder / "checkpoint").exists():
        return []
    signed = checkpoint.verify((folder / "checkpoint").read_bytes(), [Verifier.parse(VKEY)])
    assert LogReader.open(folder).edge().root() == signed.root
    return [(manifest.predicate.sweep, manifest.sha256) for manifest in history(folder)]


def test_a_sweep_killed_before_any_operation_on_files_heals(tmp_path: Path) -> None:
    done = sweeper(tmp_path, "steps")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert len(lines) > 50
    assert [line for line in lines if line[2] != "whole"] == []
    assert [line[1] for line in lines] == ["True"] * (len(lines) - 1) + ["False"]

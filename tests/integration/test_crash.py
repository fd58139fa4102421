"""kill -9 anywhere in a sweep, then sweep again: the same results and findings, one valid log, nothing twice."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, NamedTuple

import msgspec
import pytest

from monitor.cli import compose
from monitor.evidence.reader import LogReader
from monitor.evidence.seal import begin
from monitor.model import Sweep, Window
from monitor.settings import load_config
from monitor.sweep import registry
from monitor.sweep.run import Plan, Ports, run
from tests.fakes.installation import ROOT, Installation, Judged, environment

UNTIL = ("--until", "2026-03-16")
POINTS = 10


class Outcome(NamedTuple):
    """What a sweep leaves behind that must not depend on how often it was killed."""

    judged: list[Judged]
    findings: dict[str, tuple[str, str, int]]
    levels: dict[str, tuple[str, tuple[str, ...]]]
    events: list[tuple[str, str, str]]
    read: set[str]
    marks: dict[str, datetime]


def outcome(of: Installation) -> Outcome:
    kept = Counter((row["account"], row["event_id"], row["kind"]) for row in of.retained())
    assert [event for event, times in kept.items() if times > 1] == []
    with of.store() as store:
        marks = store.marks()
    return Outcome(
        of.judged(),
        {i: (f.state.value, f.outcome.value, f.times_seen) for i, f in of.findings().items()},
        {name: (level["outcome"], tuple(level["problems"])) for name, level in of.verify().items()},
        sorted(kept),
        of.read_keys(),
        marks,
    )


def prepared(of: Installation) -> Installation:
    """Return the installation, made to begin where there is something to find and nothing is damaged."""
    of.edit("monitor.yaml", "start: 2026-03-01T", "start: 2026-03-13T")
    of.edit("monitor.yaml", "overlap_days: 3", "overlap_days: 1")
    return of


def command(of: Installation) -> list[str]:
    return ["sweep", "--config", str(of.config), *UNTIL]


def process(of: Installation, fatal: int) -> subprocess.CompletedProcess[str]:
    """Sweep in a process of its own that dies before its n-th operation on files; 0: it lives."""
    program = [sys.executable, "-m", "tests.fakes.crashing", str(of.state), str(fatal), *command(of)]
    return subprocess.run(program, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, organisation: Path) -> tuple[Outcome, int]:
    """What a sweep that nobody disturbs comes to, and the number of its operations on files."""
    made = prepared(Installation(tmp_path_factory.mktemp("undisturbed") / "installation", organisation))
    done = process(made, 0)
    assert done.returncode == 1, done.stderr
    found = re.search(r"operations: (\d+)", done.stderr)
    assert found
    whole = outcome(made)
    assert len(whole.findings) > 1
    assert {verdict for verdict, _ in whole.levels.values()} == {"pass"}
    return whole, int(found[1])


def starts(of: Installation) -> int:
    """Return how many sweeps the log says were begun, sealed or not."""
    reader = LogReader.open(of.evidence)
    return sum(b"/sweep-start/" in body for body in reader.read_range(0, reader.size))


def ended(of: Installation) -> int:
    """Return how many sweeps the log tells of: begun and sealed."""
    return len(of.manifests())


@pytest.mark.parametrize("point", range(POINTS))
def test_a_sweep_killed_before_an_operation_on_files_changes_nothing(
    install: Callable[[Path | None], Installation], organisation: Path, undisturbed: tuple[Outcome, int], point: int
) -> None:
    whole, operations = undisturbed
    here = prepared(install(organisation))
    fatal = 1 + (operations - 1) * (point + 1) // (POINTS + 1)
    killed = process(here, fatal)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    begun = starts(here) if (here.evidence / "checkpoint").exists() else 0
    sealed = ended(here) if begun else 0
    here.sweep(*UNTIL)
    assert outcome(here) == whole
    assert starts(here) == begun + 1
    assert ended(here) == sealed + 1, "and a start that was cut off stays on record"


def kill_when(of: Installation, seen: Callable[[], bool]) -> int:
    """Sweep in a process, and kill it as soon as something is seen; return how it ended."""
    program = [sys.executable, "-c", "from monitor.cli.app import main; main()", *command(of)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(program, cwd=ROOT, env=environment(), stdout=quiet, stderr=quiet) as running:
        while running.poll() is None and not seen():
            os.sched_yield()
        running.kill()
        return running.wait()


def exists(pattern: str) -> Callable[[Installation], Callable[[], bool]]:
    return lambda here: lambda: any(here.state.glob(pattern))


def sealed_it(here: Installation) -> Callable[[], bool]:
    # The key, the start, the results: each append is archived.
    return lambda: len(list(here.evidence.glob("checkpoints/*"))) > 2


def elapsed(fraction: float) -> Callable[[Installation], Callable[[], bool]]:
    def make(here: Installation) -> Callable[[], bool]:
        # A run of this window takes about a second of one core; at which point the blow falls does not matter.
        end = monotonic() + fraction
        return lambda: monotonic() > end

    return make


@pytest.mark.parametrize(
    "when",
    [
        pytest.param(exists("monitor.db-wal"), id="database-made"),
        pytest.param(exists("evidence/events/**/*.parquet*"), id="first-retained-part"),
        pytest.param(exists("evidence/.pending"), id="append-under-way"),
        pytest.param(sealed_it, id="sealed-not-recorded"),
        pytest.param(elapsed(0.6), id="elapsed-0.6"),
        pytest.param(elapsed(0.9), id="elapsed-0.9"),
    ],
)
def test_a_sweep_killed_from_outside_changes_nothing(
    install: Callable[[Path | None], Installation],
    organisation: Path,
    undisturbed: tuple[Outcome, int],
    when: Callable[[Installation], Callable[[], bool]],
) -> None:
    here = prepared(install(organisation))
    kill_when(here, when(here))
    begun = starts(here) if (here.evidence / "checkpoint").exists() else 0
    here.sweep(*UNTIL)
    found = outcome(here)
    if ended(here) == 1:
        assert found == undisturbed[0]
        assert starts(here) == begun + 1
    else:  # It was sealed before the blow fell: the second sweep found nothing new.
        assert (len(here.manifests()), here.record().objects) == (2, ())
        assert found.events == undisturbed[0].events
        assert here.judged(0) == undisturbed[0].judged
        assert found.findings.keys() == undisturbed[0].findings.keys()


class Died(BaseException):
    """Stands for the end of the process."""


class Unrecording:
    """A store that dies when it is to record."""

    def __init__(self, store: Any) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def record(self, *_: Any) -> None:
        raise Died


def cut_off_before_recording(of: Installation) -> str:
    """Sweep up to the moment between seal and record, and no further; return the sweep's id."""
    loaded = load_config(of.config, {})
    now = datetime.now(UTC).replace(microsecond=0)
    plan = Plan(id="cut-off", planned_for=now, at=now, until=datetime(2026, 3, 16, tzinfo=UTC))
    with compose.ports(loaded, registry.discover(), None) as (ports, _):
        dying: Ports = msgspec.structs.replace(ports, store=Unrecording(ports.store))
        with pytest.raises(Died):
            run(plan, dying, lambda step, done, total: None)
    return plan.id


def test_a_sweep_cut_off_between_seal_and_record_is_recorded_by_the_next(
    install: Callable[[Path | None], Installation], organisation: Path, undisturbed: tuple[Outcome, int]
) -> None:
    whole = undisturbed[0]
    here = prepared(install(organisation))
    lost = cut_off_before_recording(here)
    assert here.findings() == {}
    assert ended(here) == 1
    ran = here.sweep(*UNTIL)
    assert ran.json["recovered"] == [lost]
    assert ran.json["findings"]["opened"] == []
    assert here.judged(0) == whole.judged
    found = outcome(here)
    assert found.events == whole.events
    assert found.read == whole.read
    assert found.findings.keys() == whole.findings.keys()
    assert {f.opened_by for f in here.findings().values()} == {lost}
    assert here.sweep(*UNTIL).json["recovered"] == []


def test_a_lost_database_is_made_again_from_the_log(
    install: Callable[[Path | None], Installation], organisation: Path
) -> None:
    here = prepared(install(organisation))
    here.sweep("--until", "2026-03-14T12:00:00")
    here.sweep(*UNTIL)
    before = outcome(here)
    for file in here.state.glob("monitor.db*"):
        file.unlink()
    ran = here.sweep(*UNTIL)
    assert len(ran.json["recovered"]) == 2
    after = outcome(here)
    assert (after.events, after.read, after.marks) == (before.events, before.read, before.marks)
    assert {i: state for i, (state, _, _) in after.findings.items()} == {
        i: state for i, (state, _, _) in before.findings.items()
    }


def test_a_dry_run_takes_nothing_away_from_what_is_sealed(
    install: Callable[[Path | None], Installation], organisation: Path
) -> None:
    here = prepared(install(organisation))
    cut_off_before_recording(here)
    kept = here.retained()
    assert len(kept) > 10
    here.sweep("--dry-run", *UNTIL)
    assert here.retained() == kept
    assert "bytes" not in here.broken()


def test_a_dry_run_leaves_nothing_behind(install: Callable[[Path | None], Installation], organisation: Path) -> None:
    here = prepared(install(organisation))
    here.sweep("--until", "2026-03-14T12:00:00")
    before = outcome(here)
    files = {path: path.read_bytes() for path in here.evidence.rglob("*") if path.is_file()}
    ran = here.sweep("--dry-run", *UNTIL)
    assert ran.json["evidence"]["sealing"] is None
    assert {path: path.read_bytes() for path in here.evidence.rglob("*") if path.is_file()} == files
    assert outcome(here) == before


def test_a_start_that_no_sweep_followed_is_told_by_verify(
    install: Callable[[Path | None], Installation], organisation: Path
) -> None:
    here = prepared(install(organisation))
    here.sweep("--until", "2026-03-14T12:00:00")
    loaded = load_config(here.config, {})
    now = datetime.now(UTC).replace(microsecond=0)
    window = Window(datetime(2026, 3, 14, 12, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC))
    with compose.ports(loaded, registry.discover(), None) as (ports, _):
        begin(ports.log, Sweep(id="crashed", planned_for=now, at=now, window=window), {})
    assert any("crashed" in problem for problem in here.verify()["coverage"]["problems"])
    here.sweep(*UNTIL)
    level = here.verify()["coverage"]
    assert not any("crashed" in problem for problem in level["problems"])
    assert "sweep crashed crashed, a later one covers its window" in level["summary"]


POOLED = """
import sys
from monitor.sources.aws import trail_logs
if __name__ == "__main__":
    trail_logs._SMALL = 1  # so that the little there is to read is shared out among workers
    from monitor.cli.app import main
    main()
"""


def test_workers_end_with_the_sweep_that_was_killed(
    install: Callable[[Path | None], Installation],
    organisation: Path,
    undisturbed: tuple[Outcome, int],
    tmp_path: Path,
) -> None:
    here = prepared(install(organisation))
    here.edit("monitor.yaml", "workers: 0", "workers: 2")
    program = tmp_path / "pooled.py"
    program.write_text(POOLED)
    with subprocess.Popen(
        [sys.executable, str(program), *command(here)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
    ) as running:
        try:
            while running.poll() is None and not any(here.state.glob("evidence/events/**/*.parquet")):
                os.sched_yield()
            running.kill()
            assert running.wait() == -signal.SIGKILL
            here.sweep(*UNTIL)
            assert outcome(here) == undisturbed[0]
            # Each worker holds a copy of its standard output: it ends when the last of them is gone.
            assert running.stdout is not None
            gone, _, _ = select.select([running.stdout], [], [], 10)
            assert gone, "processes that the killed sweep has started are still there ten seconds later"
        finally:
            with suppress(ProcessLookupError):
                os.killpg(running.pid, signal.SIGKILL)

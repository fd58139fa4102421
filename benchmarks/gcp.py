"""Speed of reading Google Cloud's audit log: the floor (read, decode typed), and this project's scan, over the same hourly files.

Every figure is a median of three runs in processes of their own, interleaved; one process stays on one core.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

HERE = Path(__file__).parent
ROOT = HERE.parent
EVENTS, HOURS = 400_000, 100
GOAL = 0.65


def archive(events: int = EVENTS, hours: int = HOURS, seed: int = 7) -> Path:
    """Return a folder with a generated archive, made once for each size."""
    folder = ROOT / "build" / "bench" / f"gcp-{events}-{hours}-{seed}"
    if not (folder / "made").exists():
        from monitor.example.google_logs import write_bulk

        counts, size = write_bulk(folder, seed=seed, events=events, hours=hours)
        (folder / "made").write_text(json.dumps({"counts": counts, "size": size}))
    return folder


class Caller(msgspec.Struct, gc=False):
    principalEmail: str = ""
    principalSubject: str = ""


class Metadata(msgspec.Struct, gc=False):
    callerIp: str = ""
    callerSuppliedUserAgent: str = ""


class Payload(msgspec.Struct, gc=False):
    serviceName: str = ""
    methodName: str = ""
    resourceName: str = ""
    authenticationInfo: Caller | None = None
    requestMetadata: Metadata | None = None
    authorizationInfo: msgspec.Raw = msgspec.Raw(b"")
    status: msgspec.Raw = msgspec.Raw(b"")
    request: msgspec.Raw = msgspec.Raw(b"")
    response: msgspec.Raw = msgspec.Raw(b"")


class Resource(msgspec.Struct, gc=False):
    type: str = ""
    labels: dict[str, str] = {}


class Entry(msgspec.Struct, gc=False):
    insertId: str = ""
    logName: str = ""
    timestamp: str = ""
    receiveTimestamp: str = ""
    resource: Resource | None = None
    operation: msgspec.Raw = msgspec.Raw(b"")
    protoPayload: Payload | None = None


def floor(folder: Path) -> int:
    """Read, and decode every entry typed in one call a file; nothing else."""
    decode = msgspec.json.Decoder(Entry).decode_lines
    return sum(len(decode(file.read_bytes())) for file in sorted(folder.rglob("*.json")))


def scanned(folder: Path, out: Path, workers: int) -> int:
    """This project's scan, through decode, judgement and retention; with one worker in this process."""
    from monitor.sources.gcp.log_scan import Task, scan
    from monitor.sources.objects import Location, ObjectInfo
    from monitor.sources.scanned import groups, work
    from monitor.sources.workers import pool

    todo = [("gcp", "", ObjectInfo(str(f.relative_to(folder)), f.stat().st_size)) for f in folder.rglob("*.json")]
    where, keep = Location(folder=str(folder)), Location(folder=str(out))
    tasks = [
        Task(f"bench-{n}", where, keep, group, frozenset({"example-prod"}))
        for n, group in enumerate(groups(todo, workers))
    ]
    executor = (lambda: pool(workers)) if workers > 1 else None
    from monitor.sources.connect import connect

    answers = work(scan, tasks, executor, connect(keep), lambda done, total: None, "")
    return sum(sum(part.rows for part in one.parts) for one in answers)


def run(what: str, folder: Path) -> dict[str, float]:
    """One timed run, in this process."""
    import pyarrow.parquet  # noqa: F401

    import monitor.sources.gcp.log_scan  # noqa: F401

    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        kept = floor(folder) if what == "floor" else scanned(folder, Path(scratch), 2 if what == "all" else 1)
        wall = time.perf_counter() - began
    return {"wall": wall, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, "kept": kept}


def measured(what: str, folder: Path) -> dict[str, float]:
    """One run in a process of its own."""
    program = [sys.executable, "-m", "benchmarks.gcp", "--run", what, str(folder)]
    done = subprocess.run(program, capture_output=True, text=True, check=True, cwd=ROOT)
    found: dict[str, float] = json.loads(done.stdout.strip().split("\n")[-1])
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(run(chosen.run[0], Path(chosen.run[1]))))
        return
    folder = archive()
    made = json.loads((folder / "made").read_text())
    events = sum(made["counts"].values())
    print(f"\nGoogle Cloud: {events:,} entries of {made['size'] / events:,.0f} bytes in hourly files")
    labels = {
        "floor": "(a) floor: read, decode typed",
        "one": "(b) scan, one process",
        "all": "(c) scan, two processes",
    }
    runs: dict[str, list[dict[str, float]]] = {what: [] for what in labels}
    for _ in range(3):
        for what in labels:
            runs[what].append(measured(what, folder))
    median = {what: statistics.median(one["wall"] for one in found) for what, found in runs.items()}
    for what, label in labels.items():
        peak = max(one["rss"] for one in runs[what]) / 1e6
        print(
            f"{label:<34}{events / median[what]:>12,.0f} events/s{median[what]:>8.2f} s{peak:>7.0f} MB{runs[what][0]['kept']:>10,.0f}"
        )
    ratio = median["floor"] / median["one"]
    print(f"  (b) against (a)  {ratio:.2f} x  (goal {GOAL} x)  {'met' if ratio >= GOAL else 'NOT MET'}")
    print(f"  (c) against (b)  {median['one'] / median['all']:.2f} x")
    small = archive(40_000, 10)  # files of the same size, a tenth as many
    peaks = [measured("one", where)["rss"] / 1e6 for where in (small, folder)]
    print(f"  peak memory of a worker: {peaks[0]:.0f} MB for 40,000 entries, {peaks[1]:.0f} MB for 400,000")


if __name__ == "__main__":
    main()

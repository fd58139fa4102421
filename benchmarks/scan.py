"""Speed of reading logs: the floor of this machine, this project's scan, and what people use, over the same files.

Every figure is a median of three runs in processes of their own, interleaved. Events a second are of wall time; one
process stays on one core. `--small` adds the common real shape: ten events an object.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, wait
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
PRODUCTION = frozenset({"111122223333", "444455556666"})
PEERS = ROOT / "build" / "peers" / "bin" / "python"
"""They have an environment of their own: they bring packages that pyarrow would import, and so slow down what is measured."""
DEFAULT = (400_000, 200)
SMALL = (200_000, 20_000)


def archive(events: int, objects: int, seed: int = 7) -> Path:
    """Return a folder with a generated archive, made once for each size."""
    folder = ROOT / "build" / "bench" / f"{events}-{objects}-{seed}"
    if not (folder / "made").exists():
        from monitor.example.traffic import write_bulk

        folder.mkdir(parents=True, exist_ok=True)
        counts, raw, packed = write_bulk(folder, seed=seed, events=events, objects=objects, layout=False)
        (folder / "made").write_text(json.dumps({"counts": counts, "raw": raw, "packed": packed}))
    return folder


def floor(folder: Path) -> int:
    """Read, inflate with the fastest library there is, one pass over the bytes, and nothing else."""
    import deflate

    found = 0
    for name in os.listdir(folder):
        if not name.endswith(".json.gz"):
            continue
        with open(f"{folder}/{name}", "rb", buffering=0) as file:
            found += deflate.gzip_decompress(file.read()).count(b'"readOnly":false')
    return found


def tasks(folder: Path, out: Path, shares: int, hashes: bool) -> list:
    from monitor.sources.aws.scan import Task
    from monitor.sources.objects import Location, ObjectInfo
    from monitor.sources.scanned import groups

    todo = []
    for entry in os.scandir(folder):
        if entry.name.endswith(".json.gz"):
            _, account, _, region, *_ = entry.name.split("_")
            todo.append((f"aws:{account}:{region}", account, ObjectInfo(entry.name, entry.stat().st_size)))
    return [
        Task(f"bench.{n}", Location(folder=str(folder)), Location(folder=str(out)), group, PRODUCTION, hashes=hashes)
        for n, group in enumerate(groups(todo, shares))
    ]


def scan_one(folder: Path, out: Path, hashes: bool) -> int:
    """This project's scan in one process: decode, judgement, retention as Parquet."""
    from monitor.sources.aws.scan import scan

    return sum(sum(part.rows for part in scan(task).parts) for task in tasks(folder, out, 1, hashes))


def scan_all(pool: Executor, folder: Path, out: Path, shares: int, hashes: bool) -> int:
    """The same with all cores, through an Executor."""
    from monitor.sources.aws.scan import scan

    futures = [pool.submit(scan, task) for task in tasks(folder, out, shares, hashes)]
    return sum(sum(part.rows for part in future.result().parts) for future in futures)


def run(what: str, folder: Path) -> dict[str, float]:
    """One timed run, in this process."""
    import pyarrow.parquet

    import monitor.sources.aws.scan
    import monitor.sources.aws.trail_logs

    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch)
        if what.startswith("all"):
            from monitor.cli.compose import cores
            from monitor.sources.workers import pool as workers

            count = cores()
            with workers(count) as pool:
                warm = tasks(folder, out, 1, False)[0]
                few = type(warm)(
                    **{**{f: getattr(warm, f) for f in warm.__struct_fields__}, "objects": warm.objects[:2]}
                )
                wait([pool.submit(monitor.sources.aws.scan.scan, few) for _ in range(4 * count)])
                began = time.perf_counter()
                kept = scan_all(pool, folder, out, count, what == "all+hash")
                wall = time.perf_counter() - began
            usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        else:
            import pyarrow.parquet  # noqa: F401

            began = time.perf_counter()
            kept = floor(folder) if what == "floor" else scan_one(folder, out, what == "one+hash")
            wall = time.perf_counter() - began
            usage = resource.getrusage(resource.RUSAGE_SELF)
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "rss": usage.ru_maxrss * 1024, "kept": kept}


def measured(what: str, folder: Path) -> dict[str, float]:
    """One run in a process of its own."""
    program = [sys.executable, str(HERE / "scan.py"), "--run", what, str(folder)]
    if what in ("duckdb", "chdb", "rule-loop"):
        program = [str(PEERS), str(HERE / "peers.py"), what, str(folder), "1"]
    done = subprocess.run(program, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode:
        return {"error": 1, "said": done.stderr.strip().split("\n")[-1]}
    return json.loads(done.stdout.strip().split("\n")[-1])


LABELS = {
    "floor": "(a) floor: read, inflate, one pass",
    "one": "(b) scan, one process",
    "one+hash": "(b) with content hashes for digests",
    "all": "(c) scan, all cores",
    "all+hash": "(c) with content hashes for digests",
    "duckdb": "(d) DuckDB, one thread",
    "chdb": "(d) chDB, one thread",
    "rule-loop": "(d) rule loop, json.loads, 4 rules",
}
GOALS = {"floor": 0.6, "duckdb": 2.5, "chdb": 1.7, "rule-loop": 6.0}


def compare(events: int, objects: int, goals: dict[str, float]) -> None:
    folder = archive(events, objects)
    made = json.loads((folder / "made").read_text())
    print(
        f"\n{events:,} events of {made['raw'] / events:,.0f} bytes in {objects:,} objects, {made['packed'] / 1e6:,.0f} MB gzip"
    )
    runs: dict[str, list[dict[str, float]]] = {what: [] for what in LABELS}
    for turn in range(3):
        for what in LABELS:
            runs[what].append(measured(what, folder))
            print(f"\r  turn {turn + 1} of 3: {what:<12}", end="", file=sys.stderr, flush=True)
    print("\r" + " " * 40 + "\r", end="", file=sys.stderr)
    median: dict[str, float] = {}
    print(f"{'':<38}{'events/s':>12}{'wall s':>9}{'CPU s':>9}{'peak MB':>9}{'kept':>9}")
    for what, label in LABELS.items():
        found = [one for one in runs[what] if "error" not in one]
        if not found:
            print(f"{label:<38}  not measured: {runs[what][0].get('said')}")
            continue
        median[what] = statistics.median(one["wall"] for one in found)
        cpu = statistics.median(one["cpu"] for one in found)
        print(
            f"{label:<38}{events / median[what]:>12,.0f}{median[what]:>9.2f}{cpu:>9.2f}"
            f"{max(one['rss'] for one in found) / 1e6:>9.0f}{found[0]['kept']:>9,.0f}"
            + ("   (CPU and memory are the workers')" if not cpu else "")
        )
    one = median["one"]
    for what, goal in goals.items():
        if what in median:
            ratio = median[what] / one
            print(
                f"  (b) against {LABELS[what]:<38} {ratio:5.2f} x  (goal {goal} x)  {'met' if ratio >= goal else 'NOT MET'}"
            )
    print(f"  (c) against (b)                                    {one / median['all']:5.2f} x  (goal 1.7 x)")


def memory() -> None:
    """Peak memory of one worker over an archive and one ten times as large: it must not grow."""
    small, large = archive(40_000, 20), archive(*DEFAULT)
    peaks = [measured("one", folder)["rss"] / 1e6 for folder in (small, large)]
    print(f"\npeak memory of a worker: {peaks[0]:.0f} MB for 40,000 events, {peaks[1]:.0f} MB for 400,000")


def apart() -> None:
    """What a sweep of 10,000 results costs apart from the scan: seal and record."""
    done = subprocess.run(
        [sys.executable, str(HERE / "seal.py")], capture_output=True, text=True, check=False, cwd=ROOT
    )
    print("\n" + (done.stdout or done.stderr).strip())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=DEFAULT[0])
    parser.add_argument("--objects", type=int, default=DEFAULT[1])
    parser.add_argument("--run", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        print(json.dumps(run(chosen.run[0], Path(chosen.run[1]))))
        return
    compare(chosen.events, chosen.objects, GOALS)
    compare(*SMALL, dict.fromkeys(("duckdb", "chdb", "rule-loop"), 2.0))
    memory()
    apart()
    best = min(_help() for _ in range(5))
    print(f"monitor --help: {best:.2f} s, best of five")


def _help() -> float:
    began = time.perf_counter()
    subprocess.run([str(Path(sys.executable).parent / "monitor"), "--help"], capture_output=True, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()

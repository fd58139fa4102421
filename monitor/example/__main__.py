"""Writes the example organisation, or bulk traffic: `python -m monitor.example organisation --out DIR --seed 19`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from monitor.example.google_logs import write_project
from monitor.example.organisation import write_organisation
from monitor.example.traffic import write_bulk


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m monitor.example", description=__doc__)
    parts = parser.add_subparsers(dest="what", required=True)
    organisation = parts.add_parser("organisation", help="a month of the example organisation, with truth.json")
    project = parts.add_parser("project", help="a month of the example's project on Google Cloud, with truth.json")
    bulk = parts.add_parser("bulk", help="background traffic of any size")
    for part, seed in ((organisation, 19), (project, 19), (bulk, 7)):
        part.add_argument("--out", type=Path, required=True, help="folder to write to; must be empty")
        part.add_argument("--seed", type=int, default=seed)
        part.add_argument("--force", action="store_true", help="write into a folder that is not empty")
    bulk.add_argument("--events", type=int, default=400_000)
    bulk.add_argument("--objects", type=int, default=200)
    bulk.add_argument("--spread", type=float, default=0.0, help="sigma of log-normal object sizes; 0: all equal")
    bulk.add_argument("--layout", action="store_true", help="write in the layout of a trail's bucket, not flat")
    bulk.add_argument("--processes", type=int, default=1)
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0, or 2 when the folder or the numbers are wrong."""
    given = _arguments().parse_args(argv)
    out: Path = given.out
    if out.exists() and not out.is_dir():
        print(f"{out} is not a folder; name one that is empty or not there yet", file=sys.stderr)
        return 2
    if out.is_dir() and any(out.iterdir()) and not given.force:
        print(f"{out} is not empty; name another folder, or add --force", file=sys.stderr)
        return 2
    if given.what == "organisation":
        done = write_organisation(out, given.seed)
        print(
            f"{done.events:,} events, {done.objects:,} objects, {done.digests:,} digests, {done.size:,} bytes in {out}"
        )
        return 0
    if given.what == "project":
        print(f"{write_project(out, given.seed):,} hourly files in {out}")
        return 0
    try:
        counts, raw, packed = write_bulk(
            out, seed=given.seed, events=given.events, objects=given.objects,
            spread=given.spread, layout=given.layout, processes=given.processes,
        )  # fmt: skip
    except ValueError as wrong:
        print(wrong, file=sys.stderr)
        return 2
    kinds = ", ".join(f"{kind} {number:,}" for kind, number in sorted(counts.items()))
    print(
        f"{sum(counts.values()):,} events in {given.objects:,} objects, {raw:,} bytes, {packed:,} compressed, in {out}"
    )
    print(kinds)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

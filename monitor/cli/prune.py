"""`monitor prune`: what is past its term is removed; what an auditor needs stays, and what went is on the log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monitor.cli import clock
from monitor.cli.options import ConfigDir, OutputFormat, configuration
from monitor.cli.show import Format, number, print_json, safe, say

if TYPE_CHECKING:
    from monitor.evidence.log import EvidenceLog
    from monitor.facts.log_object import RetainedPart
    from monitor.settings import Config
    from monitor.store.pruning import Terms
    from monitor.store.store import Store

_OVERLAP = timedelta(days=90)
"""The most days before a mark that a source lists again (`aws.trail_logs.overlap_days`)."""
_KEPT = (
    (
        "log entries, results, manifests and checkpoints",
        "they are the evidence, and the log stands or falls as a whole",
    ),
    ("captured answers", "a result may cite one for as long as what it told is remembered"),
    ("findings, sightings, sweeps, coverage", "they tell the story of each finding"),
    ("the last state before the term of whatever is remembered", "it says what held when the term began"),
    ("log objects that are damaged", "they are asked for again until they can be read"),
)


def prune(
    older_than: Annotated[
        int | None, typer.Option(metavar="DAYS", help="Age in days; evidence.retention_days if not given.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")] = False,
    config: ConfigDir = Path("config"),
    output: OutputFormat = Format.TABLE,
) -> None:
    """Remove retained events and rows of the database that are past their term. Evidence within its term is never touched.

    What is withdrawn is written to the evidence log first, so that verification tells it from what was lost.

    Example: monitor prune --older-than 400 --dry-run
    """
    from monitor.store import pruning

    loaded = configuration(config)
    days = _days(loaded, older_than)
    now = clock.now().replace(microsecond=0)
    before = now - timedelta(days=days)
    with _opened(loaded) as (log, store):
        needed, earliest = _needed(log, store)
        parts = _there(loaded, log, before, needed)
        marks = pruning.oldest_mark(loaded.settings.database)
        terms = _terms(before, marks, earliest)
        if parts and not dry_run:
            _withdraw(loaded, log, parts, now, days)
    rows = pruning.prune(loaded.settings.database, terms, dry_run=dry_run)
    found = {
        "before": before,
        "days": days,
        "dry_run": dry_run,
        "retained": {"files": len(parts), "bytes": sum(part.size for part in parts)},
        "rows": rows,
        "kept": [{"what": what, "why": why} for what, why in _KEPT],
        "needed": sorted(f"{account} {day}" for account, day in needed),
    }
    if output is Format.JSON:
        print_json(found)
    else:
        _tell(found)


def _days(loaded: Config, asked: int | None) -> int:
    from monitor.errors import ConfigError

    term = loaded.settings.evidence.retention_days
    if asked is not None and asked < term:
        raise ConfigError(
            f"--older-than {asked} is within the term: evidence.retention_days is {term}",
            todo=f"give {term} or more; or shorten the term in monitor.yaml, by review",
        )
    return asked if asked is not None else term


@contextmanager
def _opened(loaded: Config) -> Iterator[tuple[EvidenceLog, Store]]:
    """Yield log and database; the log's writer lock is held, so that no sweep runs meanwhile."""
    from monitor.cli.compose import key_of
    from monitor.errors import ConfigError
    from monitor.evidence.log import EvidenceLog
    from monitor.store.store import Store

    evidence = loaded.settings.evidence
    if not (evidence.folder / "checkpoint").exists():
        raise ConfigError(f"nothing was sealed yet in {evidence.folder}", todo="there is nothing to prune")
    with (
        Store.open(loaded.settings.database) as store,
        EvidenceLog.open(evidence.folder, evidence.origin, key_of(loaded).signer) as log,
    ):
        yield log, store


def _needed(log: EvidenceLog, store: Store) -> tuple[set[tuple[str, str]], datetime | None]:
    """Return the (account, day) of the writes of open findings, which are judged again, and the earliest of their times."""
    from monitor.evidence.record import decode_result

    reader = log.reader()
    needed: set[tuple[str, str]] = set()
    times: list[str] = []
    for finding in store.open_findings():
        if ":session:" not in finding.subject:
            continue
        observed = decode_result(reader.read(finding.result_index), log.objects.read).result.observed
        mine = [str(one["time"]) for one in observed.get("writes", ())]
        needed |= {(str(observed.get("account", "")), moment[:10]) for moment in mine}
        times += mine
    earliest = min((datetime.fromisoformat(one) for one in times), default=None)
    return needed, earliest


def _terms(before: datetime, oldest_mark: datetime | None, earliest: datetime | None) -> Terms:
    from monitor.store.pruning import Terms
    from monitor.store.queries import LONGEST_SESSION

    return Terms(
        before=before,
        # What lies within reach of a listing would be read a second time.
        objects=min(before, oldest_mark - _OVERLAP) if oldest_mark else before - _OVERLAP,
        exchanges=min(before, earliest - LONGEST_SESSION) if earliest else before,
    )


def _there(loaded: Config, log: EvidenceLog, before: datetime, needed: set[tuple[str, str]]) -> list[RetainedPart]:
    """Return the retained parts past their term that are still there."""
    from monitor.evidence.retention import past
    from monitor.evidence.verify.disk import is_inside
    from monitor.sources import retained
    from monitor.sources.connect import connect
    from monitor.sources.objects import Location

    kept = connect(Location.parse(loaded.settings.retained))
    return [part for part in past(log, before, needed) if is_inside(part.path) and retained.is_there(kept, part)]


def _withdraw(loaded: Config, log: EvidenceLog, parts: list[RetainedPart], now: datetime, days: int) -> None:
    from monitor.evidence.retention import withdraw
    from monitor.sources.connect import connect
    from monitor.sources.objects import Location

    # On the log first: cut off after this, files are left that the next pruning removes; never a file that is only gone.
    withdraw(log, parts, now, days)
    kept = connect(Location.parse(loaded.settings.retained))
    for part in parts:
        kept.delete(part.path)


def _tell(found: dict[str, Any]) -> None:
    would = "would go" if found["dry_run"] else "went"
    say(f"Older than {found['days']} days, before {found['before']:%Y-%m-%d %H:%MZ}:")
    kept = found["retained"]
    say(f"  {number(kept['files'])} files of retained events ({number(kept['bytes'])} bytes) {would}, said on the log")
    rows = found["rows"]
    for name in ("log_object", "token_exchange", "remembered", "outbox"):
        say(f"  {number(getattr(rows, name))} rows of {name} {would}")
    say("What stays:")
    for one in found["kept"]:
        say(f"  {one['what']}: {one['why']}")
    if found["needed"]:
        some = ", ".join(map(safe, found["needed"][:5])) + (" …" if len(found["needed"]) > 5 else "")
        say(f"  retained events of open findings, whatever their age: {some}")

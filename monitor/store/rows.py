"""Records to table rows, and rows back to records. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from monitor.facts.change import TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import ScopeCoverage, Sweep, Window
from monitor.store.reconcile import Step, Transition
from monitor.store.record import Sealing, SweepRecord, clean_body
from monitor.store.text import digest, encode_json, indexed, restored, stored
from monitor.store.views import Finding, RecordedSweep, Sighting

Row = dict[str, Any]

FINDING_FIELDS = (
    "id",
    "check_id",
    "subject",
    "state",
    "outcome",
    "severity",
    "scope",
    "actor",
    "change_class",
    "reason",
    "last_step",
    "result_index",
    "result_sha256",
    "times_seen",
    "waiver",
    "owner",
)
"""What a result says of its finding; when and by which sweep is the same for all."""

_LOG_OBJECT_COPIED = tuple(
    name for name in LogObject.__struct_fields__ if name not in ("key", "scope", "sha256", "content_sha256", "damage")
)
_EXCHANGE = msgspec.json.Decoder(TokenExchange)


def sweep_row(record: SweepRecord, sealing: Sealing) -> Row:
    """Return the row of the sweep itself."""
    sweep = record.sweep
    return {
        "id": sweep.id,
        "planned_for": sweep.planned_for,
        "at": sweep.at,
        "window_start": sweep.window.start,
        "window_end": sweep.window.end,
        "manifest_index": sealing.manifest_index,
        "log_size": sealing.log_size,
        "root": sealing.root,
        "checkpoint": stored(sealing.checkpoint),
        "notes": _json(record.notes),
    }


def coverage_rows(sweep: Sweep) -> Iterator[Row]:
    """Yield a row for each scope the sweep was to read, in its order."""
    for number, coverage in enumerate(sweep.coverage):
        yield {
            "sweep_id": sweep.id,
            "number": number,
            "scope": stored(coverage.scope),
            "source": stored(coverage.source),
            "status": coverage.status,
            "window_start": coverage.window.start if coverage.window else None,
            "window_end": coverage.window.end if coverage.window else None,
            "reason": stored(coverage.reason),
            "grant_needed": stored(coverage.grant),
            "counts": _json(coverage.counts),
            "gaps": _json(coverage.gaps),
        }


def object_rows(record: SweepRecord) -> Iterator[Row]:
    """Yield a row for each log object, one a key: the last wins."""
    for item in {item.key: item for item in record.objects}.values():
        row = {name: getattr(item, name) for name in _LOG_OBJECT_COPIED}
        yield row | {
            "key_sha256": digest(item.key),
            "source": indexed(item.source or record.object_source),
            "key": stored(item.key),
            "scope": indexed(item.scope),
            "sweep_id": record.sweep.id,
            "sha256": stored(item.sha256),
            "content_sha256": stored(item.content_sha256),
            "damage": stored(item.damage),
        }


def exchange_rows(record: SweepRecord) -> Iterator[Row]:
    """Yield a row for each exchange, one an account and event id: the first wins."""
    seen: set[str] = set()
    for item in record.exchanges:
        identity = digest(item.account, item.id)
        if identity in seen:
            continue
        seen.add(identity)
        yield {
            "exchange_sha256": identity,
            "time": item.time,
            "expires": item.expires,
            "account": indexed(item.account),
            "access_key": indexed(item.access_key),
            "principal_id": indexed(item.principal_id),
            "sweep_id": record.sweep.id,
            "body": _json(item),
        }


def remembered_rows(record: SweepRecord) -> Iterator[Row]:
    """Yield a row for each thing to remember, one a kind and id: the first wins."""
    seen: set[tuple[str, str]] = set()
    for item in record.remembered:
        if (item.kind, item.id) in seen:
            continue
        seen.add((item.kind, item.id))
        yield {
            "kind": indexed(item.kind),
            "id_sha256": digest(item.id),
            "id": stored(item.id),
            "subject": stored(item.subject),
            "subject_sha256": digest(item.subject),
            "at": item.at,
            "sweep_id": record.sweep.id,
            "body": stored(bytes(clean_body(item)).decode()),
        }


def mark_rows(record: SweepRecord) -> Iterator[Row]:
    """Yield a row for each `source|scope`."""
    for name, until in record.marks.items():
        yield {"mark_sha256": digest(name), "name": stored(name), "until": until, "sweep_id": record.sweep.id}


def part_rows(record: SweepRecord) -> Iterator[Row]:
    """Yield a row for each Parquet file, in the sweep's order."""
    for number, part in enumerate(record.parts):
        yield {
            "sweep_id": record.sweep.id,
            "number": number,
            "path": stored(part.path),
            "sha256": stored(part.sha256),
            "rows": part.rows,
            "size": part.size,
            "account": indexed(part.account),
            "day": indexed(part.day),
        }


def finding_document(moves: Sequence[Transition]) -> str:
    """Return, as a JSON array, what a sweep says of each finding that it moved, by the names of `FINDING_FIELDS`."""
    return msgspec.json.encode([_finding_object(move) for move in moves]).decode()


def _finding_object(move: Transition) -> Row:
    result = move.sealed.result
    values = (
        move.finding,
        stored(result.check),
        stored(result.subject),
        move.state,
        result.outcome,
        result.severity,
        stored(result.scope),
        stored(result.actor),
        result.change_class,
        stored(result.reason),
        move.step,
        move.sealed.index,
        move.sealed.sha256,
        0 if move.step is Step.RESOLVED else 1,
        stored(result.waiver),
        stored(result.owner),
    )
    return dict(zip(FINDING_FIELDS, values, strict=True))


def read_finding(row: RowMapping) -> Finding:
    """Return the finding of a row."""
    values = dict(row)
    for name in ("subject", "scope", "actor", "reason", "waiver", "owner"):
        values[name] = restored(values[name])
    return Finding(check=restored(values.pop("check_id")), **values)


def read_sighting(row: RowMapping) -> Sighting:
    """Return the sighting of a row that was joined to its sweep."""
    values = dict(row)
    return Sighting(finding=values.pop("finding_id"), sweep=values.pop("sweep_id"), **values)


def read_sweep(row: RowMapping) -> RecordedSweep:
    """Return the recorded sweep of a row."""
    return RecordedSweep(
        id=row["id"],
        planned_for=row["planned_for"],
        at=row["at"],
        window=Window(row["window_start"], row["window_end"]),
        sealing=read_sealing(row),
        notes=msgspec.json.decode(restored(row["notes"])),
    )


def read_sealing(row: RowMapping) -> Sealing:
    """Return where the sweep of a row was sealed."""
    return Sealing(row["manifest_index"], row["log_size"], row["root"], restored(row["checkpoint"]))


def read_coverage(row: RowMapping) -> ScopeCoverage:
    """Return the coverage of a row."""
    start, end = row["window_start"], row["window_end"]
    return ScopeCoverage(
        scope=restored(row["scope"]),
        source=restored(row["source"]),
        status=row["status"],
        window=Window(start, end) if start is not None and end is not None else None,
        reason=restored(row["reason"]),
        grant=restored(row["grant_needed"]),
        counts=msgspec.json.decode(restored(row["counts"])),
        gaps=msgspec.json.decode(restored(row["gaps"]), type=tuple[str, ...]),
    )


def read_exchange(body: str) -> TokenExchange:
    """Return the exchange that a row's body holds."""
    return _EXCHANGE.decode(restored(body))


def read_remembered(kind: str, row: RowMapping) -> Remembered:
    """Return what a row of that kind remembers; the column may hold the kind cut."""
    return Remembered(
        kind=kind,
        id=restored(row["id"]),
        subject=restored(row["subject"]),
        at=row["at"],
        body=msgspec.Raw(restored(row["body"]).encode()),
    )


def read_part(row: RowMapping) -> RetainedPart:
    """Return the retained part of a row."""
    return RetainedPart(
        path=restored(row["path"]),
        sha256=restored(row["sha256"]),
        rows=row["rows"],
        size=row["size"],
        account=restored(row["account"]),
        day=restored(row["day"]),
    )


def _json(value: Any) -> str:
    return stored(encode_json(value).decode())

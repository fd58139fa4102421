"""Retained events as Parquet, partitioned by account and day, with their exact bytes.

Any engine reads them as they are: `account=…/day=…/*.parquet` is Hive partitioning, which DuckDB, Athena, BigQuery and
Spark know. Ten thousand rows a group, zstd.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.errors import EvidenceError, SourceError
from monitor.facts.log_object import RetainedPart
from monitor.facts.session import stem
from monitor.sources.objects import Objects

_FIELDS: list[tuple[str, Any]] = [
    ("event_id", pa.string()),
    ("event_time", pa.timestamp("us", tz="UTC")),
    ("kind", pa.string()),
    ("session", pa.string()),
    ("region", pa.string()),
    ("action", pa.string()),
    ("actor_kind", pa.string()),
    ("actor", pa.string()),
    ("access_key", pa.string()),
    ("source_ip", pa.string()),
    ("object", pa.string()),
    ("object_sha256", pa.string()),
    ("sha256", pa.string()),
    ("raw", pa.binary()),
]
SCHEMA = pa.schema(_FIELDS)
pa.array(
    [""], pa.string()
)  # pyarrow sets itself up at its first array: here, once, and not in each worker that is forked


class Row(NamedTuple):
    """One retained event. `kind` is write or exchange; `object` the log object it came in; `sha256` digests."""

    account: str
    day: str
    event_id: str
    event_time: datetime
    kind: str
    session: str
    region: str
    action: str
    actor_kind: str
    actor: str
    access_key: str
    source_ip: str
    object: str
    object_sha256: str
    sha256: str
    raw: bytes


def write(store: Objects, rows: Iterable[Row], name: str) -> list[RetainedPart]:
    """Write rows, one part for each account and day, named after `name`; return the parts, sorted by path."""
    by_day: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        by_day.setdefault((row.account, row.day), []).append(row)
    return [
        _write_part(store, f"account={account or 'unknown'}/day={day}/{name}.parquet", table(found), account, day)
        for (account, day), found in sorted(by_day.items())
    ]


def table(rows: Sequence[Row]) -> pa.Table:
    """Return rows as a table in the published schema."""
    columns = list(zip(*rows, strict=True))[len(Row._fields) - len(SCHEMA) :]
    arrays = [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _write_part(store: Objects, path: str, rows: pa.Table, account: str, day: str) -> RetainedPart:
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, **_OPTIONS)
    body = sink.getvalue().to_pybytes()
    store.write(path, body)
    return RetainedPart(
        path=path, sha256=hashlib.sha256(body).hexdigest(), rows=rows.num_rows, size=len(body), account=account, day=day
    )


_OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    "row_group_size": 10_000,
    "use_dictionary": [
        "kind",
        "session",
        "region",
        "action",
        "actor_kind",
        "actor",
        "access_key",
        "source_ip",
        "object",
        "object_sha256",
    ],
    "write_statistics": ["event_id", "event_time", "kind", "session", "action"],
}


def ids(store: Objects, parts: Iterable[RetainedPart]) -> set[tuple[str, str]]:
    """Return id and digest of all events in the parts. Raises EvidenceError if one is gone or damaged."""
    found: set[tuple[str, str]] = set()
    for part in parts:
        found.update(_pairs(_read(store, part, ["event_id", "sha256"])))
    return found


def _pairs(rows: pa.Table) -> list[tuple[str, str]]:
    columns = (map(str, rows.column(name).to_pylist()) for name in ("event_id", "sha256"))
    return list(zip(*columns, strict=True))


def without(store: Objects, part: RetainedPart, unwanted: set[tuple[str, str]]) -> RetainedPart | None:
    """Write a part again without some events (by id and digest); return it, or None where nothing is left of it."""
    rows = _read(store, part, None)
    keep = pa.array([event not in unwanted for event in _pairs(rows)])
    rows = rows.filter(keep)
    if not rows.num_rows:
        store.delete(part.path)
        return None
    return _write_part(store, part.path, rows, part.account, part.day)


def of_sessions(
    store: Objects, parts: Iterable[RetainedPart], stems: Collection[str]
) -> list[tuple[str, str, str, bytes]]:
    """Return account, log object, its digest, and exact bytes of every write of the sessions with these stems."""
    found: list[tuple[str, str, str, bytes]] = []
    for part in parts:
        rows = _read(store, part, ["session", "kind", "object", "object_sha256", "raw"])
        for session, kind, *rest in zip(*(rows.column(c).to_pylist() for c in rows.column_names), strict=True):
            if kind == "write" and stem(session) in stems:
                found.append((part.account, *rest))
    return found


def _read(store: Objects, part: RetainedPart, columns: list[str] | None) -> pa.Table:
    try:
        body = store.read(part.path)
    except SourceError as gone:
        raise EvidenceError(
            f"retained events are not to be had: {gone.what}",
            todo="restore the file from a backup, then sweep again; `monitor evidence verify` lists all that is missing",
        ) from gone
    if hashlib.sha256(body).hexdigest() != part.sha256:
        raise EvidenceError(
            f"retained events in {part.path} are not what was sealed",
            todo="run `monitor evidence verify`, and restore the file from a backup",
        )
    return pq.ParquetFile(pa.BufferReader(body)).read(columns=columns)


def left_by(store: Objects, sweeps: set[str]) -> list[str]:
    """Return the parts that these sweeps wrote: a part is named after its sweep."""
    return [info.key for info in store.walk("") if info.key.rpartition("/")[2].rpartition("-")[0] in sweeps]


def is_there(store: Objects, part: RetainedPart) -> bool:
    """Return whether a part is there as it was written."""
    try:
        return hashlib.sha256(store.read(part.path)).hexdigest() == part.sha256
    except SourceError:
        return False

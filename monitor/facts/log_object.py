"""Facts about the objects in which an audit log is delivered: what was read of each, and what was kept."""

from __future__ import annotations

from datetime import datetime

import msgspec


class LogObject(msgspec.Struct, frozen=True, kw_only=True):
    """One delivered log object, after it was read. Sizes are bytes; times are the first and last event's (UTC).

    `sha256` is of the bytes as stored (compressed); `content_sha256` of the inflated bytes where a digest asked for it.
    `damage` is empty when the object was read to its end and every record in it was understood.
    """

    key: str
    scope: str
    sha256: str = ""
    content_sha256: str = ""
    size: int = 0
    raw_size: int = 0
    events: int = 0
    reads: int = 0
    attempts: int = 0
    data_events: int = 0
    service_writes: int = 0
    telemetry: int = 0
    writes: int = 0
    exchanges: int = 0
    elsewhere: int = 0
    """Writes in accounts that are not production."""
    first: datetime | None = None
    last: datetime | None = None
    damage: str = ""
    source: str = ""
    """The name under which it is remembered; empty: that of the sweep's record."""


class RetainedPart(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file of retained events. `path` is relative to the retained root; the digest is of the file's bytes."""

    path: str
    sha256: str
    rows: int
    size: int
    account: str
    day: str

"""What a sweep hands to the store, and gets back. Pure; a SweepRecord's bytes are sealed in the evidence log.

After a crash the sealed bytes are decoded and recorded again, so they hold all that the database must know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from monitor.errors import IntegrityError
from monitor.facts.change import TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.model import Result, Sweep
from monitor.store.text import encode_json


class SealedResult(msgspec.Struct, frozen=True):
    """A result with its place in the evidence log and the SHA-256 (hex) of its record."""

    result: Result
    index: int
    sha256: str


class Sealing(msgspec.Struct, frozen=True):
    """Where a sweep was sealed: its manifest's log index, and the log's size, root (hex) and checkpoint then."""

    manifest_index: int
    log_size: int
    root: str
    checkpoint: str


class Reconciliation(msgspec.Struct, frozen=True):
    """The ids of the findings that a sweep opened, met again, reopened and resolved, each sorted."""

    opened: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    resolved: tuple[str, ...] = ()


class SweepRecord(msgspec.Struct, frozen=True, kw_only=True):
    """All that a sweep read, apart from its results.

    `objects` were read anew by the source `object_source`; `exchanges` are newly seen; `marks` tell, for each
    `source|scope`, up to when (UTC) events are read whole; `notes` must be plain JSON values.
    """

    sweep: Sweep
    object_source: str
    objects: tuple[LogObject, ...] = ()
    exchanges: tuple[TokenExchange, ...] = ()
    marks: dict[str, datetime] = {}
    parts: tuple[RetainedPart, ...] = ()
    notes: dict[str, Any] = {}

    def encode(self) -> bytes:
        """Return the record as JSON, the same bytes for the same record. A lone surrogate becomes U+FFFD."""
        return encode_json(self)

    @staticmethod
    def decode(data: bytes) -> SweepRecord:
        """Return the record that `encode` wrote. Raises IntegrityError if the bytes are not one."""
        try:
            return _DECODER.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise IntegrityError(
                f"a sealed sweep record cannot be read: {error}", todo="run `monitor evidence verify`"
            ) from error


_DECODER = msgspec.json.Decoder(SweepRecord)

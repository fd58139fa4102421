"""What a sweep hands to the store, and gets back. Pure; a SweepRecord's bytes are sealed in the evidence log.

After a crash the sealed bytes are decoded and recorded again, so they hold all that the database must know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from monitor.errors import EvidenceError, IntegrityError
from monitor.facts.change import TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import Result, Sweep
from monitor.store.text import clean_json, encode_json


class SealedResult(msgspec.Struct, frozen=True):
    """A result with its place in the evidence log and the SHA-256 (hex) of its record."""

    result: Result
    index: int
    sha256: str


class Standing(msgspec.Struct, frozen=True):
    """Where an open finding stands that a sweep did not judge: the waiver that covers it now, and who is to act on it."""

    waiver: str = ""
    owner: str = ""


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
    `source|scope`, up to when (UTC) events are read whole; `notes` must be plain JSON values; `remembered` is what later
    sweeps will ask for; `standing` tells, by finding id, where open findings stand now that were not judged.
    """

    sweep: Sweep
    object_source: str
    objects: tuple[LogObject, ...] = ()
    exchanges: tuple[TokenExchange, ...] = ()
    marks: dict[str, datetime] = {}
    parts: tuple[RetainedPart, ...] = ()
    notes: dict[str, Any] = {}
    remembered: tuple[Remembered, ...] = ()
    standing: dict[str, Standing] = {}

    def encode(self) -> bytes:
        """Return the record as JSON, the same bytes for the same record. A lone surrogate becomes U+FFFD.

        Raises EvidenceError if the body of something remembered is no JSON: sealed, it could never be read again.
        """
        bodies = tuple(msgspec.structs.replace(item, body=clean_body(item)) for item in self.remembered)
        return encode_json(msgspec.structs.replace(self, remembered=bodies))

    @staticmethod
    def decode(data: bytes) -> SweepRecord:
        """Return the record that `encode` wrote. Raises IntegrityError if the bytes are not one."""
        try:
            return _DECODER.decode(data)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise IntegrityError(
                f"a sealed sweep record cannot be read: {error}", todo="run `monitor evidence verify`"
            ) from error


def clean_body(item: Remembered) -> msgspec.Raw:
    """Return the body as it is sealed and stored: valid UTF-8, valid JSON. Raises EvidenceError if it is no JSON."""
    try:
        return msgspec.Raw(clean_json(bytes(item.body)))
    except ValueError as error:
        raise EvidenceError(
            f"{item.kind} {item.id!r} cannot be remembered, for its body is no JSON: {error}",
            todo="report it as a defect of the monitor; nothing was sealed",
        ) from error


_DECODER = msgspec.json.Decoder(SweepRecord)

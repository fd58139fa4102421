"""The sealed sweeps of a log, read back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from monitor.errors import EvidenceError, IntegrityError
from monitor.evidence import dsse, statement
from monitor.evidence.log import EvidenceLog
from monitor.evidence.objects import ObjectStore
from monitor.evidence.reader import LogReader
from monitor.evidence.record import decode_result
from monitor.evidence.statement import SWEEP_MANIFEST, CaptureRecord, EntryRef, SweepManifest, digest, from_json, member
from monitor.facts.log_object import RetainedPart
from monitor.model import Result, ScopeCoverage

_TODO = "run `monitor evidence verify`, and restore the evidence folder from a copy"


class Manifest:
    """A sealed sweep: its manifest's place in the log (`index`, `sha256` of the entry) and what it says (`predicate`).

    Members of the predicate that may be large are to be had by the methods, since they may lie in the content store.
    Every method raises IntegrityError when what it reads is damaged.
    """

    def __init__(self, index: int, sha256: str, predicate: SweepManifest, reader: LogReader) -> None:
        self.index = index
        self.sha256 = sha256
        self.predicate = predicate
        self._reader = reader
        self._objects = ObjectStore(reader.folder)

    def coverage(self) -> tuple[ScopeCoverage, ...]:
        """Return what the sweep covered."""
        found: tuple[ScopeCoverage, ...] = member(self.predicate, "coverage", self._objects.read)
        return found

    def captures(self) -> tuple[CaptureRecord, ...]:
        """Return the captures without their bodies; `body` gives those."""
        found: tuple[CaptureRecord, ...] = member(self.predicate, "captures", self._objects.read)
        return found

    def parts(self) -> tuple[RetainedPart, ...]:
        """Return the retained files of events."""
        found: tuple[RetainedPart, ...] = member(self.predicate, "parts", self._objects.read)
        return found

    def expected(self) -> dict[str, tuple[str, ...]]:
        """Return the scopes that the sweep was to read, by source."""
        found: dict[str, tuple[str, ...]] = member(self.predicate, "expected", self._objects.read)
        return found

    def attachments(self) -> dict[str, statement.ObjectRef]:
        """Return the attachments by name: digest and size."""
        found: dict[str, statement.ObjectRef] = member(self.predicate, "attachments", self._objects.read)
        return found

    def attachment(self, name: str) -> bytes:
        """Return an attachment's bytes. Raises EvidenceError when the sweep has none of that name."""
        try:
            return self._objects.read(self.attachments()[name].object)
        except KeyError:
            raise EvidenceError(
                f"sweep {self.predicate.sweep} has no attachment {name!r}", todo="list them with attachments()"
            ) from None

    def body(self, sha256: str) -> bytes:
        """Return the bytes of a capture or any other object by digest."""
        return self._objects.read(sha256)

    def results(self) -> list[tuple[Result, int, str]]:
        """Return the sweep's results, each with its log index and the SHA-256 (hex) of its record."""
        first, count = self.predicate.results.first, self.predicate.results.count
        return [
            (decode_result(data, self._objects.read).result, index, digest(data))
            for index, data in enumerate(self._reader.read_range(first, first + count), first)
        ]


def history(log: EvidenceLog | Path, *, newest_first: bool = False) -> Iterator[Manifest]:
    """Yield the sealed sweeps of a log or its folder, oldest first. Raises IntegrityError when the log is damaged.

    The newest first costs no more than how many of them are taken.
    """
    reader = LogReader.open(log) if isinstance(log, Path) else log.reader()
    found = _backwards(reader)
    yield from found if newest_first else reversed(list(found))


def _backwards(reader: LogReader) -> Iterator[Manifest]:
    newest = last_manifest(reader, reader.size)
    while newest:
        yield newest
        newest = _before(newest, reader)


def last_manifest(reader: LogReader, before: int) -> Manifest | None:
    """Return the newest manifest below an index. Raises IntegrityError when the log is damaged."""
    for index in range(before - 1, -1, -1):
        if found := read_manifest(reader.read(index)):
            return Manifest(index, digest(reader.read(index)), found, reader)
    return None


def read_manifest(data: bytes) -> SweepManifest | None:
    """Return the manifest that an entry holds, or None for another kind of entry; the signature is not checked here.

    Raises IntegrityError when the entry is an envelope, but not of a manifest.
    """
    try:
        envelope = dsse.parse(data)
    except IntegrityError:
        return None
    found = statement.parse(envelope.body)
    if found.predicate_type != SWEEP_MANIFEST:
        raise IntegrityError(f"the envelope holds no manifest but {found.predicate_type}", todo=_TODO)
    return from_json(found.predicate, SweepManifest)


def _before(manifest: Manifest, reader: LogReader) -> Manifest | None:
    previous: EntryRef | None = manifest.predicate.previous
    if previous is None:
        return None
    data = reader.read(previous.index) if 0 <= previous.index < manifest.index else b""
    found = read_manifest(data)
    if found is None or digest(data) != previous.sha256:
        raise IntegrityError(f"the manifest at {manifest.index} continues one that is not there", todo=_TODO)
    return Manifest(previous.index, previous.sha256, found, reader)

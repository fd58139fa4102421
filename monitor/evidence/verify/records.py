"""The grammar of the log's entries: a key, then for each sweep a start, its results, its manifest. Pure but for `load`.

Between sweeps stand records of the schedule: what it is from then on, and which slots of it are lost.

Fed entry by entry, it keeps what the levels ask about: what is cited, the sweeps begun and sealed, where appends ended.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from monitor.errors import IntegrityError
from monitor.evidence import dsse, merkle, statement
from monitor.evidence.dsse import Envelope
from monitor.evidence.record import read_result
from monitor.evidence.retention import is_past, read_withdrawal
from monitor.evidence.schedule_record import ScheduleRecord, SlotsLost, read_lost, read_schedule
from monitor.evidence.statement import (
    CHECK_RESULT,
    KEY,
    SCHEDULE,
    SLOTS_LOST,
    SWEEP_MANIFEST,
    SWEEP_START,
    WITHDRAWAL,
    CheckResult,
    KeyRecord,
    ObjectRef,
    Statement,
    SweepManifest,
    SweepStart,
    digest,
    from_json,
    member,
)
from monitor.evidence.verify.report import Problems
from monitor.facts.log_object import RetainedPart
from monitor.model import Window


class SealedSweep(msgspec.Struct, frozen=True):
    """A manifest as it lies in the log, with the envelope that signs it."""

    index: int
    sha256: str
    manifest: SweepManifest
    envelope: Envelope


class Records:
    """What the entries of a log say, and where they break its grammar (`problems`)."""

    def __init__(self, load: Callable[[str], bytes]) -> None:
        self.load = load
        self.problems = Problems()
        self.key: KeyRecord | None = None
        self.starts: dict[int, SweepStart] = {}
        self.sealed: list[SealedSweep] = []
        self.envelopes: list[tuple[int, Envelope]] = []
        self.schedules: list[tuple[int, ScheduleRecord]] = []
        self.lost: list[tuple[int, SlotsLost]] = []
        self.objects: dict[str, int | None] = {}
        """The objects that records cite, with their size where the record gives it."""
        self.parts: dict[str, RetainedPart] = {}
        self.withdrawn: dict[str, int] = {}
        """The parts, by path, that were withdrawn after their term, and its days."""
        self.ends: set[int] = set()
        """The log's sizes after each append."""
        self._claimed: set[int] = set()
        self._next = 0
        self._block: _Block | None = None

    def take(self, index: int, data: bytes) -> None:
        """Take the next entry."""
        try:
            self._take(index, data)
        except IntegrityError as error:
            self.problems.add(f"entry {index}: {error.what}")
        self._next = index + 1

    def finish(self) -> None:
        """Say that there are no more entries."""
        if self._block:
            self._broken(self._block, "end of the log")

    def _take(self, index: int, data: bytes) -> None:
        if data.startswith(b'{"payloadType"'):
            envelope = dsse.parse(data)
            self.envelopes.append((index, envelope))
            found = statement.parse(envelope.body)
            if envelope.payload_type != dsse.IN_TOTO or found.predicate_type != SWEEP_MANIFEST:
                raise IntegrityError("a signed envelope of something that is no manifest")
            self._manifest(index, data, envelope, found)
            return
        found = statement.parse(data)
        if found.predicate_type == CHECK_RESULT:
            self._result(index, data, found)
        elif found.predicate_type == SWEEP_START:
            self._start(index, found)
        elif found.predicate_type == KEY:
            self._key(index, found)
        elif found.predicate_type in (SCHEDULE, SLOTS_LOST):
            self._schedule(index, found)
        elif found.predicate_type == WITHDRAWAL:
            self._withdrawal(index, found)
        else:
            raise IntegrityError(f"a record of a kind that this log does not have: {found.predicate_type}")
        if index == 0 and self.key is None:
            raise IntegrityError("a log begins with its key")

    def _key(self, index: int, found: Statement[msgspec.Raw]) -> None:
        if index:
            raise IntegrityError("a key record that is not the first entry")
        self.key = from_json(found.predicate, KeyRecord)
        self.ends.add(1)

    def _start(self, index: int, found: Statement[msgspec.Raw]) -> None:
        if self._block:
            self._broken(self._block, f"start at {index}")
        start = from_json(found.predicate, SweepStart)
        _check_window(start.window)
        self.starts[index] = start
        self.ends.add(index + 1)
        self._cite(start.moved)

    def _schedule(self, index: int, found: Statement[msgspec.Raw]) -> None:
        if self._block:
            self._broken(self._block, f"schedule at {index}")
        self.ends.add(index + 1)
        if found.predicate_type == SCHEDULE:
            self.schedules.append((index, read_schedule(found)))
        else:
            self.lost.append((index, read_lost(found)))

    def _withdrawal(self, index: int, found: Statement[msgspec.Raw]) -> None:
        if self._block:
            self._broken(self._block, f"withdrawal at {index}")
        self.ends.add(index + 1)
        record, paths = read_withdrawal(found, self.load)
        self.objects[record.parts.object] = record.parts.bytes
        for path in paths:
            part = self.parts.get(path)
            if part is None or not is_past(part, record.before):
                self.problems.add(f"entry {index}: withdraws {path!r}, which is not evidence past its term")
            else:
                self.withdrawn[path] = record.retention_days

    def _result(self, index: int, data: bytes, found: Statement[msgspec.Raw]) -> None:
        block = self._block
        if block is None:
            block = self._block = _Block(index)
        block.tree.push(merkle.leaf_hash(data))
        record = from_json(found.predicate, CheckResult)
        self._cite(record.moved)
        if block.sweep is None:
            block.sweep = record.sweep
        if (record.sweep, record.seq) != (block.sweep, index - block.first):
            self.problems.add(
                f"entry {index}: result {record.seq} of sweep {record.sweep}, where result {index - block.first} of"
                f" sweep {block.sweep} belongs"
            )
        try:
            record = read_result(found, self.load)
        except IntegrityError as error:
            raise IntegrityError(f"its result cannot be read whole: {error.what}") from None
        block.count(record)
        for ref in record.result.evidence:
            if ref.kind == "capture" and ref.sha256:
                self.objects.setdefault(ref.sha256, None)

    def _manifest(self, index: int, data: bytes, envelope: Envelope, found: Statement[msgspec.Raw]) -> None:
        block, self._block = self._block or _Block(index), None
        self.ends.add(index + 1)
        manifest = from_json(found.predicate, SweepManifest)
        self._cite(manifest.moved)
        _check_window(manifest.window)
        sealed = SealedSweep(index, digest(data), manifest, envelope)
        for problem in self._faults(sealed, block, found):
            self.problems.add(f"entry {index}: the manifest of sweep {manifest.sweep} {problem}")
        self._claimed.add(manifest.started)
        self.sealed.append(sealed)
        for capture in member(manifest, "captures", self.load):
            self.objects[capture.sha256] = capture.size
        self._cite(member(manifest, "attachments", self.load))
        for part in member(manifest, "parts", self.load):
            if self.parts.setdefault(part.path, part).sha256 != part.sha256:
                self.problems.add(f"entry {index}: {part.path} was sealed before with another digest")

    def _faults(self, sealed: SealedSweep, block: _Block, found: Statement[msgspec.Raw]) -> list[str]:
        """Return how a manifest contradicts what stands around it."""
        manifest, faults = sealed.manifest, []
        if (manifest.results.first, manifest.results.count) != (block.first, sealed.index - block.first):
            faults.append(f"does not account for the entries {block.first} to {sealed.index}")
        if block.sweep not in (None, manifest.sweep):
            faults.append(f"ends the results of sweep {block.sweep}")
        counts = {check: found for check, found in member(manifest, "checks", self.load).items() if found}
        if counts != block.counts:
            faults.append("counts other results than there are")
        if found.subject[0].digest.get("sha256") != block.tree.root().hex():
            faults.append("has another digest over its results than they have")
        start = self.starts.get(manifest.started)
        if start is None or start.sweep != manifest.sweep or manifest.started in self._claimed:
            faults.append("names a start that is not its own")
        if manifest.number != len(self.sealed):
            faults.append(f"is number {manifest.number}, but {len(self.sealed)} come before it")
        last = self.sealed[-1] if self.sealed else None
        previous = (manifest.previous.index, manifest.previous.sha256) if manifest.previous else None
        if previous != ((last.index, last.sha256) if last else None):
            faults.append("does not continue the manifest before it")
        return faults

    def _cite(self, refs: dict[str, ObjectRef]) -> None:
        for ref in refs.values():
            self.objects[ref.object] = ref.bytes

    def _broken(self, block: _Block, before: str) -> None:
        self.problems.add(f"entries {block.first} to the {before}: results of sweep {block.sweep} without a manifest")
        self._block = None


class _Block:
    """The results between a start and its manifest."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.sweep: str | None = None
        self.counts: dict[str, dict[str, int]] = {}
        self.tree = merkle.CompactRange()

    def count(self, record: CheckResult) -> None:
        counts = self.counts.setdefault(record.result.check, {})
        outcome = record.result.outcome.value
        counts[outcome] = counts.get(outcome, 0) + 1


def _check_window(window: Window) -> None:
    if window.start.tzinfo is None or window.end.tzinfo is None or window.start > window.end:
        raise IntegrityError("its window has no zone, or ends before it starts")

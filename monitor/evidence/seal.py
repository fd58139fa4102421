"""Sealing a sweep: its start before it reads anything, then all its results under one signed checkpoint."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

import monitor
from monitor.errors import EvidenceError
from monitor.evidence import dsse, merkle, statement
from monitor.evidence.history import Manifest, history, last_manifest
from monitor.evidence.log import EvidenceLog
from monitor.evidence.record import encode_result
from monitor.evidence.statement import (
    MOVABLE,
    SWEEP_START,
    CaptureRecord,
    EntryRef,
    IndexRange,
    ObjectRef,
    SweepManifest,
    SweepStart,
    digest,
    from_json,
    to_json,
)
from monitor.facts.log_object import RetainedPart
from monitor.model import Capture, Result, ScopeCoverage, Sweep

__all__ = ["Manifest", "Sealed", "begin", "history", "seal"]

_MEMBER = 32 * 1024
_MANIFEST = 46 * 1024
"""In base64 a third longer, the manifest must fit a log entry of 65,535 bytes."""
_FAULT = "report this as a fault of the monitor"


class Sealed(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed sweep: each result with its log index and the SHA-256 (hex) of its record, and the log after it.

    `checkpoint` is the signed note, `size` the entries it covers, `root` the tree's root in hex.
    """

    results: tuple[tuple[Result, int, str], ...]
    manifest: int
    checkpoint: str
    size: int
    root: str


def begin(
    log: EvidenceLog,
    sweep: Sweep,
    scope: Mapping[str, Sequence[str]],
    *,
    checks: Sequence[str] = (),
    config_sha256: str = "",
    tool_version: str = monitor.__version__,
    schedule: str = "",
    schedules_sha256: str = "",
    sources: Sequence[str] = (),
) -> int:
    """Seal that a sweep starts, and what it is to read: `scope` maps each source to its expected scopes.

    `schedule`, `schedules_sha256` and `sources` are as `SweepStart` has them.
    Returns the log index of the start. Raises EvidenceError when it cannot be written.
    """
    _check_times(sweep)
    if any(isinstance(scopes, str) for scopes in scope.values()):
        raise EvidenceError("the expected scopes are a list for each source, not a text", todo=_FAULT)
    expected = {source: tuple(sorted(set(scopes))) for source, scopes in scope.items()}
    start = SweepStart(
        sweep=sweep.id,
        planned_for=sweep.planned_for,
        at=sweep.at,
        window=sweep.window,
        expected=expected,
        checks=tuple(sorted(checks)),
        config_sha256=config_sha256,
        tool_version=tool_version,
        schedule=schedule,
        schedules_sha256=schedules_sha256,
        sources=tuple(sources),
    )
    data = to_json(expected)
    if len(data) <= _MEMBER:
        return log.append([statement.sweep_start(start)])
    moved = {"expected": ObjectRef(digest(data), len(data))}
    return log.append([statement.sweep_start(msgspec.structs.replace(start, expected={}, moved=moved))], [data])


def seal(
    log: EvidenceLog,
    sweep: Sweep,
    results: Iterable[Result],
    captures: Iterable[Capture],
    attachments: Mapping[str, bytes],
    parts: Sequence[RetainedPart],
    config_sha256: str,
    code_sha256: str,
    tool_version: str,
) -> Sealed:
    """Seal a sweep that was begun: captures, attachments, a record a result, and the signed manifest, in one append.

    Raises EvidenceError when it was not begun, a result cites a capture that is not there, or it cannot be written.
    """
    _check_times(sweep)
    started, start = _start_of(log, sweep)
    first = log.size
    objects: list[bytes] = list(attachments.values())
    kept = []
    for capture in captures:
        kept.append(CaptureRecord.of(capture, digest(capture.body)))
        objects.append(capture.body)
    entries: list[bytes] = []
    sealed: list[tuple[Result, int, str]] = []
    cited: dict[str, str] = {}
    for seq, result in enumerate(results):
        data, payloads = encode_result(result, sweep, seq)
        entries.append(data)
        objects += payloads
        sealed.append((result, first + seq, digest(data)))
        for ref in result.evidence:
            if ref.kind == "capture" and ref.sha256:
                cited[ref.sha256] = result.check
    _check_cited(log, cited, {record.sha256 for record in kept})
    previous = last_manifest(log.reader(), started)
    expected = statement.start_expected(start, log.objects.read)
    manifest = SweepManifest(
        sweep=sweep.id,
        number=previous.predicate.number + 1 if previous else 0,
        planned_for=sweep.planned_for,
        at=sweep.at,
        window=sweep.window,
        started=started,
        results=IndexRange(first, len(entries)),
        checks=_counts(start.checks, [result for result, _, _ in sealed]),
        expected=expected,
        unseen=unseen(expected, sweep.coverage),
        coverage=sweep.coverage,
        captures=tuple(kept),
        attachments={name: ObjectRef(digest(data), len(data)) for name, data in attachments.items()},
        parts=tuple(parts),
        config_sha256=config_sha256,
        code_sha256=code_sha256,
        tool_version=tool_version,
        previous=EntryRef(previous.index, previous.sha256) if previous else None,
    )
    results_root = merkle.root_of(map(merkle.leaf_hash, entries))
    payload, moved = _fitting(manifest, results_root)
    entries.append(dsse.sign(payload, log.signer))
    log.append(entries, objects + moved)
    return Sealed(
        results=tuple(sealed),
        manifest=first + len(entries) - 1,
        checkpoint=log.checkpoint_text,
        size=log.size,
        root=log.root.hex(),
    )


def unseen(expected: Mapping[str, Sequence[str]], coverage: Iterable[ScopeCoverage]) -> dict[str, tuple[str, ...]]:
    """Return the expected scopes, by source, of which no coverage was reported.

    A coverage of `aws:111122223333` speaks for `aws:111122223333:eu-west-1`, and a coverage of a part for the whole
    that was expected: which parts a whole has, its own coverage says.
    """
    seen: dict[str, set[str]] = {}
    for one in coverage:
        steps = one.scope.split(":")
        seen.setdefault(one.source, set()).update(":".join(steps[: end + 1]) for end in range(len(steps)))
    exact = {(one.source, one.scope) for one in coverage}
    missing = {}
    for source, scopes in expected.items():
        lost = tuple(
            scope
            for scope in scopes
            if scope not in seen.get(source, ())
            and not any((source, scope.rsplit(":", cut)[0]) in exact for cut in range(1, scope.count(":") + 1))
        )
        if lost:
            missing[source] = lost
    return missing


def _counts(checks: Iterable[str], results: Iterable[Result]) -> dict[str, dict[str, int]]:
    """Return the number of results per check and outcome; a check that left none has an empty count."""
    counts: dict[str, dict[str, int]] = {check: {} for check in checks}
    for (check, outcome), number in Counter((result.check, result.outcome) for result in results).items():
        counts.setdefault(check, {})[outcome.value] = number
    return counts


def _fitting(manifest: SweepManifest, results_root: bytes) -> tuple[bytes, list[bytes]]:
    """Return the manifest's bytes, small enough for a log entry, and the members that were moved to objects for it."""
    sizes = {name: to_json(getattr(manifest, name)) for name in MOVABLE}
    moved: list[bytes] = []
    while True:
        payload = statement.sweep_manifest(manifest, results_root)
        name = max(sizes, key=lambda name: len(sizes[name]), default="")
        if not name or (len(payload) <= _MANIFEST and len(sizes[name]) <= _MEMBER):
            return payload, moved
        data = sizes.pop(name)
        moved.append(data)
        ref = manifest.moved | {name: ObjectRef(digest(data), len(data))}
        manifest = msgspec.structs.replace(manifest, moved=ref, **{name: type(getattr(manifest, name))()})


def _start_of(log: EvidenceLog, sweep: Sweep) -> tuple[int, SweepStart]:
    """Return the newest start of this sweep; only starts of sweeps that crashed may lie after it."""
    reader = log.reader()
    for index in range(log.size - 1, -1, -1):
        data = reader.read(index)
        found = statement.parse(data) if data.startswith(b'{"_type"') else None
        if found is None or found.predicate_type != SWEEP_START:
            break
        start = from_json(found.predicate, SweepStart)
        if start.sweep == sweep.id:
            return index, start
    raise EvidenceError(
        f"sweep {sweep.id} was not begun in this log, or is sealed already", todo="begin it, then seal it"
    )


def _check_cited(log: EvidenceLog, cited: Mapping[str, str], captured: set[str]) -> None:
    for sha256, check in cited.items():
        if sha256 not in captured and not log.objects.has(sha256):
            raise EvidenceError(
                f"a result of check {check!r} cites the capture {sha256}, which was not kept", todo=_FAULT
            )


def _check_times(sweep: Sweep) -> None:
    windows = [sweep.window, *(one.window for one in sweep.coverage if one.window)]
    times: list[datetime] = [sweep.planned_for, sweep.at]
    times += [moment for window in windows for moment in (window.start, window.end)]
    if any(moment.tzinfo is None for moment in times):
        raise EvidenceError(f"sweep {sweep.id} has a time without a zone", todo=_FAULT)

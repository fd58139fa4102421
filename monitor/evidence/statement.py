"""Evidence records as in-toto Statements: what each kind holds, and their one serialisation. Pure.

https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md

A record is serialised once, with the members of its open dictionaries sorted; those bytes are logged, hashed and never
rebuilt. A member too large for a log entry lies in the content store, and `moved` says where: see `ObjectRef`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, TypeVar

import msgspec

from monitor.errors import IntegrityError
from monitor.facts.log_object import RetainedPart
from monitor.model import Capture, Result, ScopeCoverage, Window

STATEMENT = "https://in-toto.io/Statement/v1"
_TYPES = "https://control-monitor.example/evidence/{}/v1"
KEY = _TYPES.format("key")
SWEEP_START = _TYPES.format("sweep-start")
CHECK_RESULT = _TYPES.format("check-result")
SWEEP_MANIFEST = _TYPES.format("sweep-manifest")
SCHEDULE = _TYPES.format("schedule")
SLOTS_LOST = _TYPES.format("slots-lost")
WITHDRAWAL = _TYPES.format("withdrawal")

P = TypeVar("P")
T = TypeVar("T")


class Subject(msgspec.Struct, frozen=True):
    """What a statement is about, and a digest of it."""

    name: str
    digest: dict[str, str]


class Statement(msgspec.Struct, Generic[P], frozen=True, rename={"type": "_type", "predicate_type": "predicateType"}):
    """An in-toto Statement."""

    type: str
    subject: tuple[Subject, ...]
    predicate_type: str
    predicate: P


class ObjectRef(msgspec.Struct, frozen=True):
    """Bytes in the content store: their SHA-256 (hex) and their number."""

    object: str
    bytes: int


class KeyRecord(msgspec.Struct, frozen=True):
    """The first entry of a log: the public key (vkey) that signs it."""

    vkey: str
    origin: str
    tool_version: str


class SweepStart(msgspec.Struct, frozen=True, kw_only=True):
    """A sweep began: what it was to read (source to scopes) and to check, written down before it read anything.

    `schedule` names the schedule whose slot `planned_for` is, and `schedules_sha256` is the digest of the schedules then in
    force. `sources` are the sources that it was limited to; none: it was to read all that there are.
    """

    sweep: str
    planned_for: datetime
    at: datetime
    window: Window
    expected: dict[str, tuple[str, ...]]
    checks: tuple[str, ...] = ()
    config_sha256: str = ""
    tool_version: str = ""
    schedule: str = ""
    schedules_sha256: str = ""
    sources: tuple[str, ...] = ()
    moved: dict[str, ObjectRef] = {}


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One result of a sweep; `seq` counts from 0, `collected` is the sweep's instant (UTC).

    `numbers` are JSON pointers into `result` to numbers that are written as strings, since other readers of JSON would
    lose them: integers beyond 2^53, infinities and NaN. `moved` may name `observed`, or `result` as a whole: then the
    member here is only a digest of it for people.
    """

    sweep: str
    seq: int
    window: Window
    collected: datetime
    result: Result
    numbers: tuple[str, ...] = ()
    moved: dict[str, ObjectRef] = {}


class CaptureRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A capture without its body, which is the object `sha256` of `size` bytes."""

    source: str
    name: str
    scope: str
    request: dict[str, str]
    status: int
    at: datetime
    sha256: str
    size: int

    @classmethod
    def of(cls, capture: Capture, sha256: str) -> CaptureRecord:
        """Return the record of a capture whose body has this digest."""
        return cls(
            source=capture.source,
            name=capture.name,
            scope=capture.scope,
            request=capture.request,
            status=capture.status,
            at=capture.at,
            sha256=sha256,
            size=len(capture.body),
        )


class IndexRange(msgspec.Struct, frozen=True):
    """The log entries [first, first + count)."""

    first: int
    count: int


class EntryRef(msgspec.Struct, frozen=True):
    """One log entry: its index and the SHA-256 (hex) of its bytes."""

    index: int
    sha256: str


class SweepManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The last entry of a sweep: expected against seen, and everything that was kept.

    `number` counts manifests from 0; `started` is the index of the sweep's start; `checks` counts results per check and
    outcome; `unseen` are the expected scopes of which no coverage was reported. Any of the members in `MOVABLE` may be
    empty here and lie in the content store instead: `moved` says which.
    """

    sweep: str
    number: int
    planned_for: datetime
    at: datetime
    window: Window
    started: int
    results: IndexRange
    checks: dict[str, dict[str, int]] = {}
    expected: dict[str, tuple[str, ...]] = {}
    unseen: dict[str, tuple[str, ...]] = {}
    coverage: tuple[ScopeCoverage, ...] = ()
    captures: tuple[CaptureRecord, ...] = ()
    attachments: dict[str, ObjectRef] = {}
    parts: tuple[RetainedPart, ...] = ()
    config_sha256: str
    code_sha256: str
    tool_version: str
    previous: EntryRef | None = None
    moved: dict[str, ObjectRef] = {}


MOVABLE: dict[str, Any] = {
    "checks": dict[str, dict[str, int]],
    "expected": dict[str, tuple[str, ...]],
    "unseen": dict[str, tuple[str, ...]],
    "coverage": tuple[ScopeCoverage, ...],
    "captures": tuple[CaptureRecord, ...],
    "attachments": dict[str, ObjectRef],
    "parts": tuple[RetainedPart, ...],
}
"""The members of a manifest that may be moved to the content store, and what each is there."""


def member(manifest: SweepManifest, name: str, load: Callable[[str], bytes]) -> Any:
    """Return a member of the manifest, from the content store where it was moved: `load` gives an object by digest.

    Raises IntegrityError when what was moved is not what it should be, and whatever `load` raises.
    """
    if ref := manifest.moved.get(name):
        return from_json(load(ref.object), MOVABLE[name])
    return getattr(manifest, name)


def start_expected(start: SweepStart, load: Callable[[str], bytes]) -> dict[str, tuple[str, ...]]:
    """Return the scopes that a sweep was to read, by source. Raises as `member` does."""
    if ref := start.moved.get("expected"):
        return from_json(load(ref.object), dict[str, tuple[str, ...]])
    return start.expected


_encoder = msgspec.json.Encoder(order="deterministic")
_header = msgspec.json.Decoder(Statement[msgspec.Raw])


def to_json(value: object) -> bytes:
    """Return the JSON bytes of a value; the same value gives the same bytes.

    Text that no UTF-8 can hold (a lone surrogate, as in a hostile file name) is written as its escape.
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        return _encoder.encode(_utf8(msgspec.to_builtins(value)))


def from_json(data: bytes, kind: type[T]) -> T:
    """Return the value that the bytes hold. Raises IntegrityError when they hold no such thing."""
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise IntegrityError(f"not the JSON that was expected: {error}") from None


def encode(predicate_type: str, subject: str, sha256: str, predicate: object) -> bytes:
    """Return the bytes of a Statement about one subject, which has this SHA-256 (hex)."""
    return to_json(Statement(STATEMENT, (Subject(subject, {"sha256": sha256}),), predicate_type, predicate))


def parse(data: bytes) -> Statement[msgspec.Raw]:
    """Return the Statement, its predicate still as JSON. Raises IntegrityError when the bytes hold none."""
    try:
        found = _header.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise IntegrityError(f"not an in-toto Statement: {error}") from None
    if found.type != STATEMENT or not found.subject or not all(s.digest for s in found.subject):
        raise IntegrityError("not an in-toto Statement v1 with a subject that has a digest")
    return found


def digest(data: bytes) -> str:
    """Return the SHA-256 of the bytes in hex."""
    return hashlib.sha256(data).hexdigest()


def key_record(vkey: str, origin: str, tool_version: str) -> bytes:
    """Return the statement that opens a log."""
    return encode(KEY, origin, digest(vkey.encode()), KeyRecord(vkey, origin, tool_version))


def sweep_start(start: SweepStart) -> bytes:
    """Return the statement of a sweep's start; its subject's digest is that of what the sweep was to read."""
    return encode(SWEEP_START, start.sweep, digest(to_json(start.expected)), start)


def sweep_manifest(manifest: SweepManifest, results_root: bytes) -> bytes:
    """Return the statement of a sweep's end; its subject's digest is the Merkle root over the sweep's results."""
    return encode(SWEEP_MANIFEST, manifest.sweep, results_root.hex(), manifest)


def utf8(text: str) -> str:
    """Return the text as UTF-8 can hold it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _utf8(value: Any) -> Any:
    if isinstance(value, str):
        return utf8(value)
    if isinstance(value, dict):
        return {_utf8(key): _utf8(member) for key, member in value.items()}
    return [_utf8(member) for member in value] if isinstance(value, list | tuple) else value

"""What every room speaks: outcomes, results, checks, scopes and their coverage. Pure; no provider is named here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

import msgspec
import pydantic


class Outcome(StrEnum):
    """The closed set of what a check can say. Only `pass` counts as a pass."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not-applicable"
    ERROR = "error"


class Severity(StrEnum):
    """How urgent a failing result is, most urgent first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class ChangeClass(StrEnum):
    """PS-019's classes of production change; `direct` is none of the permitted ones."""

    STANDARD = "standard"
    NORMAL = "normal"
    EMERGENCY = "emergency"
    DIRECT = "direct"


class CoverageStatus(StrEnum):
    """How much of a scope was read. Only `complete` lets a check pass on what it did not see."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    DENIED = "denied"
    THROTTLED = "throttled"
    LOST = "lost"


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """A field that could not be read: why, and what to grant or mend so that it can be."""

    reason: str
    grant: str = ""


class Window(msgspec.Struct, frozen=True):
    """The half-open span [start, end), both UTC."""

    start: datetime
    end: datetime

    def covers(self, moment: datetime) -> bool:
        """Return whether the moment (UTC) lies inside."""
        return self.start <= moment < self.end


class EvidenceRef(msgspec.Struct, frozen=True):
    """Where a statement comes from: a kind (`capture`, `log-object`, `event`), a name, and the SHA-256 (hex) of the bytes."""

    kind: str
    name: str
    sha256: str = ""


class Cites(Protocol):
    """Whatever says where it comes from."""

    @property
    def evidence(self) -> tuple[EvidenceRef, ...]:
        """Return the references."""


def cited(*sources: Cites) -> tuple[EvidenceRef, ...]:
    """Return the references of all sources, each once, in one order whatever the order of the sources."""
    found = {ref for source in sources for ref in source.evidence}
    return tuple(sorted(found, key=lambda ref: (ref.kind, ref.name, ref.sha256)))


class Capture(msgspec.Struct, frozen=True, kw_only=True):
    """The exact bytes that a source answered with, and what was asked for. `at` is UTC."""

    source: str
    name: str
    scope: str
    request: dict[str, str]
    status: int
    at: datetime
    body: bytes

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the body in hex: its address in the content store."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def ref(self) -> EvidenceRef:
        """Return the reference by which a result cites these bytes."""
        return EvidenceRef(kind="capture", name=self.name, sha256=self.sha256)


class ScopeCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """What one source was to read in one scope against what it read to the end.

    `scope` is `provider:account:region` (or a prefix of it); `gaps` name each object or call that could not be read.
    """

    scope: str
    source: str
    status: CoverageStatus
    window: Window | None = None
    reason: str = ""
    grant: str = ""
    counts: dict[str, int] = {}
    gaps: tuple[str, ...] = ()


class Sweep(msgspec.Struct, frozen=True, kw_only=True):
    """One run over a window. `at` is its only reading of the clock (UTC), so all is judged at one instant."""

    id: str
    planned_for: datetime
    at: datetime
    window: Window
    coverage: tuple[ScopeCoverage, ...] = ()

    def as_of(self, read: datetime) -> Sweep:
        """Return the sweep as at the time (UTC) at which something was read: captured material is older than its sweep."""
        return msgspec.structs.replace(self, at=min(self.at, read))


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One outcome for one subject, with what was observed, what was expected, and where it is proven."""

    check: str
    subject: str
    outcome: Outcome
    reason: str
    severity: Severity = Severity.MEDIUM
    change_class: ChangeClass | None = None
    actor: str = ""
    scope: str = ""
    expected: dict[str, Any] = {}
    observed: dict[str, Any] = {}
    remedy: str = ""
    evidence: tuple[EvidenceRef, ...] = ()
    waiver: str = ""
    """Id of the waiver that covers it. Set after evaluation: the outcome stays what it is."""
    owner: str = ""
    """Who is to act on it, by the rules of ownership. Set after evaluation."""


class Expectation(pydantic.BaseModel):
    """Base of all expected state: what *should be*. Frozen; a misspelt key is an error, never a default."""

    model_config = pydantic.ConfigDict(frozen=True, extra="forbid")


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """The automated test of one or more controls.

    `facts` are the fact types it judges; `expects` is an Expectation whose field names are sections of expected state.
    `evaluate` is total, deterministic, indifferent to the order of facts, and yields exactly one result a subject.
    """

    id: str
    title: str
    severity: Severity
    controls: tuple[str, ...]
    facts: tuple[type, ...]
    expects: type[Expectation]
    evaluate: Callable[[Iterable[Any], Any, Sweep], Iterator[Result]]
    needs: tuple[str, ...] = ()
    """Permissions without which the check is blind, in the provider's own words."""
    remedy: str = ""

"""How a sweep's results move findings through their lives. Pure: the rules apart from any database.

| result of this sweep | no finding | open or reopened | resolved |
|---|---|---|---|
| fail, error, unknown | opened | kept | reopened |
| pass, not-applicable | – | resolved | – |
| none | – | stays as it is | – |
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from monitor.model import Outcome
from monitor.store.record import Reconciliation, SealedResult


class FindingState(StrEnum):
    """Where a finding stands; `reopened` is open again after it was resolved."""

    OPEN = "open"
    RESOLVED = "resolved"
    REOPENED = "reopened"


class Step(StrEnum):
    """What one sweep did to a finding."""

    OPENED = "opened"
    KEPT = "kept"
    REOPENED = "reopened"
    RESOLVED = "resolved"


class Transition(msgspec.Struct, frozen=True):
    """One finding moved by one sweep: what happened, where it stands now, and the result that did it."""

    finding: str
    step: Step
    state: FindingState
    sealed: SealedResult


_WORST_FIRST = (Outcome.FAIL, Outcome.ERROR, Outcome.UNKNOWN, Outcome.PASS, Outcome.NOT_APPLICABLE)
_RANK = {outcome: rank for rank, outcome in enumerate(_WORST_FIRST)}
_VIOLATIONS = frozenset((Outcome.FAIL, Outcome.ERROR, Outcome.UNKNOWN))
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_PAIR_SHIFTS = (54, 44, 34, 24, 14)
"""Five pairs of base32 characters are the first 50 bits of 64; the standard encoder takes five times as long."""


def finding_id(check: str, subject: str) -> str:
    """Return the id of the finding of a check on a subject: `F-` and 10 characters of base32, the same for ever."""
    digest = hashlib.sha256(f"{check}\n{subject}".encode("utf-8", "surrogatepass")).digest()
    bits = int.from_bytes(digest[:8], "big")
    return "F-" + "".join(_PAIRS[bits >> shift & 1023] for shift in _PAIR_SHIFTS)


def latest(results: Iterable[SealedResult]) -> dict[str, SealedResult]:
    """Return one result a finding id. Of several the worst counts, then the first in the log: none can hide another."""
    chosen: dict[str, SealedResult] = {}
    for sealed in results:
        identity = finding_id(sealed.result.check, sealed.result.subject)
        other = chosen.get(identity)
        if other is None or _order(sealed) < _order(other):
            chosen[identity] = sealed
    return chosen


def reconcile(known: Mapping[str, FindingState], chosen: Mapping[str, SealedResult]) -> tuple[Transition, ...]:
    """Return what a sweep's results do to the known findings, sorted by finding id; the rest stay as they are."""
    moves = (_transition(identity, known.get(identity), chosen[identity]) for identity in sorted(chosen))
    return tuple(move for move in moves if move is not None)


def tally(steps: Iterable[tuple[str, Step]]) -> Reconciliation:
    """Return the findings that were moved, by what happened to them, each sorted."""
    moved: dict[Step, list[str]] = {step: [] for step in Step}
    for finding, step in steps:
        moved[step].append(finding)
    opened, kept, reopened, resolved = (tuple(sorted(moved[step])) for step in Step)
    return Reconciliation(opened=opened, kept=kept, reopened=reopened, resolved=resolved)


def _transition(identity: str, state: FindingState | None, sealed: SealedResult) -> Transition | None:
    if sealed.result.outcome in _VIOLATIONS:
        if state is None:
            return Transition(identity, Step.OPENED, FindingState.OPEN, sealed)
        if state is FindingState.RESOLVED:
            return Transition(identity, Step.REOPENED, FindingState.REOPENED, sealed)
        return Transition(identity, Step.KEPT, state, sealed)
    if state in (FindingState.OPEN, FindingState.REOPENED):
        return Transition(identity, Step.RESOLVED, FindingState.RESOLVED, sealed)
    return None


def _order(sealed: SealedResult) -> tuple[int, int, str]:
    return _RANK[sealed.result.outcome], sealed.index, sealed.sha256

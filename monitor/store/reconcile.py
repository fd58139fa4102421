"""How a sweep's results move findings through their lives. Pure: the rules apart from any database.

| result of this sweep | no finding | open or reopened | resolved |
|---|---|---|---|
| fail, error, unknown | opened | kept | reopened |
| pass, not-applicable | – | resolved | – |
| none | – | stays as it is | – |

A finding that was waived and no longer is, while it still fails, is reopened: for whoever must act it is there again. The
waiver of a finding that a sweep did not judge may begin or end all the same; the sweep's record tells of these.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum

import msgspec

from monitor.model import Outcome
from monitor.store.record import Reconciliation, SealedResult, Standing


class FindingState(StrEnum):
    """Where a finding stands; `reopened` is open again after it was resolved, or after its waiver ended."""

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


def reconcile(
    known: Mapping[str, FindingState], chosen: Mapping[str, SealedResult], waived: Collection[str] = ()
) -> tuple[Transition, ...]:
    """Return what a sweep's results do to the known findings, sorted by finding id; the rest stay as they are.

    `waived` are the ids of those that were under a waiver until now.
    """
    moves = (
        _transition(identity, known.get(identity), chosen[identity], identity in waived) for identity in sorted(chosen)
    )
    return tuple(move for move in moves if move is not None)


def restand(state: FindingState, waiver: str, standing: Standing) -> tuple[Step, FindingState]:
    """Return what it does to an open finding, under this waiver or none until now, that it stands so without a judgement."""
    return _still_open(state, waived=bool(waiver), waiver=standing.waiver)


def tally(steps: Iterable[tuple[str, Step]]) -> Reconciliation:
    """Return the findings that were moved, by what happened to them, each sorted."""
    moved: dict[Step, list[str]] = {step: [] for step in Step}
    for finding, step in steps:
        moved[step].append(finding)
    opened, kept, reopened, resolved = (tuple(sorted(moved[step])) for step in Step)
    return Reconciliation(opened=opened, kept=kept, reopened=reopened, resolved=resolved)


def _still_open(state: FindingState, *, waived: bool, waiver: str) -> tuple[Step, FindingState]:
    if waived and not waiver:
        return Step.REOPENED, FindingState.REOPENED
    return Step.KEPT, state


def _transition(identity: str, state: FindingState | None, sealed: SealedResult, waived: bool) -> Transition | None:
    if sealed.result.outcome in _VIOLATIONS:
        if state is None:
            return Transition(identity, Step.OPENED, FindingState.OPEN, sealed)
        if state is FindingState.RESOLVED:
            return Transition(identity, Step.REOPENED, FindingState.REOPENED, sealed)
        return Transition(identity, *_still_open(state, waived=waived, waiver=sealed.result.waiver), sealed)
    if state in (FindingState.OPEN, FindingState.REOPENED):
        return Transition(identity, Step.RESOLVED, FindingState.RESOLVED, sealed)
    return None


def _order(sealed: SealedResult) -> tuple[int, int, str]:
    return _RANK[sealed.result.outcome], sealed.index, sealed.sha256

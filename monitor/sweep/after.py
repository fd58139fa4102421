"""What is done to results after the checks have judged: who owns them, which waiver covers them, and how waivers are used.

An outcome is never changed here: what fails under a waiver still failed, and says so in the evidence. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

import msgspec

from monitor.expected.changes import EmergencyChange
from monitor.expected.waivers import NEVER, Waivers
from monitor.facts.governance import EmergencyUse, Former, LongUnknown, StoreAsked, WaiverUse, looked_at
from monitor.facts.remembered import Remembered
from monitor.model import Check, Expectation, Outcome, Result, Sweep
from monitor.store.reconcile import finding_id
from monitor.store.record import Standing
from monitor.sweep.evaluate import Expected, run
from monitor.sweep.standing import UNSEEN, Asked, as_result, current, emergency_uses, long_unknown, waiver_uses

_GOVERNING = (StoreAsked, LongUnknown, WaiverUse, EmergencyUse, Former)
_OPEN = frozenset((Outcome.FAIL, Outcome.UNKNOWN, Outcome.ERROR))
_GONE = {
    "waiver": "the waiver is no longer in config/waivers.yaml",
    "emergency": "the emergency is no longer declared",
}


class Owner(Protocol):
    """A rule of ownership."""

    @property
    def owner(self) -> str:
        """Return who is to act."""

    def fits(self, result: Result) -> bool:
        """Return whether the result is what the rule speaks of."""


class Governing(msgspec.Struct, frozen=True, kw_only=True):
    """By what results are governed: waivers, rules of ownership (the first that fits decides), and days.

    `waiver_warning_days` is how long before its end a waiver is told to expire; `review_days` how long after an emergency
    its review is due.
    """

    waivers: Waivers = Waivers()
    owners: Sequence[Owner] = ()
    unknown_days: int = 3
    waiver_warning_days: int = 14
    review_days: int = 7


class Settled(msgspec.Struct, frozen=True, kw_only=True):
    """The results as they are sealed, sorted by check and subject, and what is to be remembered.

    `standing` tells, by finding id, where open findings stand now that this sweep did not judge.
    """

    results: tuple[Result, ...]
    standing: dict[str, Standing] = {}
    remember: tuple[Remembered, ...] = ()


class Counts(NamedTuple):
    """How many results fail, how many are unknown or in error, and how many of both are waived, which counts apart."""

    failing: int
    unknown: int
    waived: int


class _Emergencies(Expectation):
    emergency_changes: tuple[EmergencyChange, ...] = ()


def counts(results: Iterable[Result]) -> Counts:
    """Return what a sweep's exit code rests on: what is waived does not count."""
    failing = unknown = waived = 0
    for one in results:
        if one.outcome not in _OPEN:
            continue
        if one.waiver:
            waived += 1
        elif one.outcome is Outcome.FAIL:
            failing += 1
        else:
            unknown += 1
    return Counts(failing, unknown, waived)


def after(results: Iterable[Result], waivers: Waivers, owners: Sequence[Owner], at: datetime) -> tuple[Result, ...]:
    """Return the results with waiver and owner of what is open at a moment (UTC); all else stays as it is."""
    return tuple(_told(one, waivers, owners, at) if one.outcome in _OPEN else one for one in results)


def settle(
    results: Sequence[Result],
    asked: Asked,
    governing: Governing,
    expected: Expected,
    checks: Sequence[Check],
    sweep: Sweep,
) -> Settled:
    """Return the results of a sweep with waivers and owners, and those of the checks that judge the monitor's own record.

    `results` are of all checks over what was collected; those of the checks of governance are made anew here, for only
    here is known what waivers cover. `asked` is what the store answered before the sweep.
    """
    governors = [check for check in checks if all(issubclass(fact, _GOVERNING) for fact in check.facts)]
    mine = {check.id for check in governors}
    judged = after((r for r in results if r.check not in mine), governing.waivers, governing.owners, sweep.at)
    standing = _standing(judged, mine, asked, governing, sweep.at)
    facts: list[Any] = [_asked(judged, standing, asked, governing, sweep)]
    facts += long_unknown(asked, judged, standing, governing.unknown_days, checks, sweep.at)
    facts += _former(facts, judged, standing, asked, governing)
    remember: list[Remembered] = []
    # Those that judge the use of waivers come last: the results of the others may be waived.
    for check in sorted(governors, key=lambda one: (WaiverUse in one.facts, one.id)):
        if WaiverUse in check.facts:
            changes = expected.build(_Emergencies).emergency_changes
            uses, remember = emergency_uses(changes, asked, judged, sweep, governing.review_days)
            facts += uses
            facts += waiver_uses(governing.waivers, asked, judged, standing, governing.waiver_warning_days, sweep.at)
        found = run(check, facts, expected, sweep)
        judged += after(found, governing.waivers, governing.owners, sweep.at)
    return Settled(
        results=tuple(sorted(judged, key=lambda one: (one.check, one.subject))),
        standing=_changed(standing, asked),
        remember=tuple(remember),
    )


def _told(one: Result, waivers: Waivers, owners: Sequence[Owner], at: datetime) -> Result:
    covering = waivers.covering(one, at)
    owner = next((rule.owner for rule in owners if rule.fits(one)), "")
    if covering is None and not owner and not one.waiver and not one.owner:
        return one
    return msgspec.structs.replace(one, waiver=covering.id if covering else "", owner=owner)


def _standing(
    judged: Sequence[Result], mine: set[str], asked: Asked, governing: Governing, at: datetime
) -> dict[str, Result]:
    """Return the open findings that this sweep did not judge, by id, each as it stands by the rules of now."""
    identities = {finding_id(one.check, one.subject) for one in judged}
    found = {}
    for identity, finding in asked.findings.items():
        if identity in identities or finding.check in mine:
            continue
        was = as_result(finding)
        told = _told(was, governing.waivers, governing.owners, at)
        before = governing.waivers.get(finding.waiver) if finding.waiver and not told.waiver else None
        # The record does not tell which identity was judged: what such a waiver covered, it covers until it is judged.
        if before and before.kind == "identities" and before.in_force(at) and finding.check in before.checks:
            told = msgspec.structs.replace(told, waiver=before.id)
        found[identity] = told
    return found


def _changed(standing: dict[str, Result], asked: Asked) -> dict[str, Standing]:
    return {
        identity: Standing(one.waiver, one.owner)
        for identity, one in sorted(standing.items())
        if (one.waiver, one.owner) != (asked.findings[identity].waiver, asked.findings[identity].owner)
    }


def _asked(
    judged: Sequence[Result], standing: dict[str, Result], asked: Asked, governing: Governing, sweep: Sweep
) -> StoreAsked:
    opened = current(judged, standing).values()
    return StoreAsked(
        at=sweep.at,
        open=len(opened),
        waived=sum(1 for one in opened if one.waiver),
        unknown_days=governing.unknown_days,
    )


def _former(
    facts: Sequence[Any], judged: Sequence[Result], standing: dict[str, Result], asked: Asked, governing: Governing
) -> Iterator[Former]:
    """Yield the findings of governance that nothing stands behind any longer, so that they can be resolved."""
    unseen = {
        f"monitoring:{one.check}:{looked_at(one.subject, one.scope)}": one
        for one in current(judged, standing).values()
        if one.outcome in UNSEEN
    }
    lasting = {f"monitoring:{one.check}:{one.subject}" for one in facts if isinstance(one, LongUnknown)}
    for finding in asked.findings.values():
        kind, _, name = finding.subject.partition(":")
        if finding.check in NEVER and kind in _GONE:
            yield Former(check=finding.check, subject=finding.subject, scope=finding.scope, why=_GONE[kind])
        elif finding.check == "monitoring-coverage" and name and finding.subject not in lasting:
            left = unseen.get(finding.subject)
            if left is None:
                why = "it could be looked at again"
            elif left.waiver:
                why = f"that it cannot be looked at is accepted under waiver {left.waiver}"
            else:
                why = "the spans that nobody could look at are over; each stays on record"
            yield Former(check=finding.check, subject=finding.subject, scope=finding.scope, why=why, seen=left is None)

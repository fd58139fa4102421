"""What the record of findings tells a sweep about itself: what stays unknown, and what waivers and emergencies do.

Only `ask` reads the store; all else is pure.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from monitor.expected.changes import EmergencyChange
from monitor.expected.reach import within_repository
from monitor.expected.waivers import Waivers
from monitor.facts.governance import Covered, EmergencyUse, LongUnknown, WaiverUse, is_window, looked_at
from monitor.facts.remembered import Remembered
from monitor.model import ChangeClass, Check, Outcome, Result, Sweep
from monitor.store.reconcile import finding_id
from monitor.store.views import Finding

EMERGENCY_USE = "governance.emergency"
"""Of each declared emergency: whether sweeps have met what it excuses, and read all of its time."""
UNSEEN = frozenset((Outcome.UNKNOWN, Outcome.ERROR))
_OPEN = frozenset((Outcome.FAIL, Outcome.UNKNOWN, Outcome.ERROR))
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\S{0,20}")
_DEEPEST = 8


class Record(Protocol):
    """The part of the store that is asked."""

    def open_findings(self, checks: Collection[str] | None = None) -> list[Finding]:
        """Return the findings that are open or reopened."""

    def latest(self, kind: str) -> Mapping[str, Remembered]:
        """Return, by subject, the newest that is remembered of a kind."""

    def watched_since(self) -> datetime | None:
        """Return from when (UTC) events were read by any sweep."""


class Excused(msgspec.Struct, frozen=True):
    """What is known of a declared emergency: whether it excused anything, and up to which end (UTC) of it was read."""

    used: bool = False
    read_to: datetime | None = None


class Asked(msgspec.Struct, frozen=True):
    """What the store answered before a sweep is recorded.

    Open findings by id, from when (UTC) it has watched, and what it knows of declared emergencies by id.
    """

    findings: dict[str, Finding] = {}
    since: datetime | None = None
    emergencies: dict[str, Excused] = {}


def ask(store: Record) -> Asked:
    """Return what the store knows before this sweep is recorded. Raises LedgerError."""
    found = {one.id: one for one in store.open_findings(None)}
    known = {name: msgspec.json.decode(kept.body, type=Excused) for name, kept in store.latest(EMERGENCY_USE).items()}
    return Asked(found, store.watched_since(), known)


def as_result(finding: Finding) -> Result:
    """Return an open finding as the result it last was, as far as the record tells: what it observed is not in it."""
    return Result(
        check=finding.check,
        subject=finding.subject,
        outcome=finding.outcome,
        reason=finding.reason,
        severity=finding.severity,
        change_class=finding.change_class,
        actor=finding.actor,
        scope=finding.scope,
        waiver=finding.waiver,
        owner=finding.owner,
    )


def current(results: Iterable[Result], standing: Mapping[str, Result]) -> dict[str, Result]:
    """Return all that is open after a sweep by finding id: what it judged, and what it did not (`standing`)."""
    judged = {finding_id(one.check, one.subject): one for one in results}
    return {identity: one for identity, one in {**standing, **judged}.items() if one.outcome in _OPEN}


class _Unseen(msgspec.Struct):
    """What one check cannot look at: a finding that is unknown, since when, and when that was judged last."""

    finding: str
    since: datetime
    last: datetime
    result: Result


def long_unknown(
    asked: Asked,
    results: Sequence[Result],
    standing: Mapping[str, Result],
    days: int,
    checks: Iterable[Check],
    at: datetime,
) -> Iterator[LongUnknown]:
    """Yield what could not be looked at for so many days, and is not accepted, by check and subject.

    A window of a log is never judged again, so that windows count together: for as long as one follows another within
    that time, and the last of them is no older.
    """
    limit = timedelta(days=days)
    needs = {check.id: "; ".join(check.needs) for check in checks}
    groups: dict[tuple[str, str], list[_Unseen]] = {}
    for identity, one in current(results, standing).items():
        if one.outcome not in UNSEEN or one.waiver:
            continue
        known = asked.findings.get(identity)
        since = known.unknown_since if known and known.unknown_since else at
        last = known.last_seen if identity in standing and known else at
        groups.setdefault((one.check, looked_at(one.subject, one.scope)), []).append(
            _Unseen(identity, since, last, one)
        )
    seen = {
        (one.check, looked_at(one.subject, one.scope))
        for one in results
        if is_window(one.subject) and one.outcome not in UNSEEN
    }
    for (check, subject), group in sorted(groups.items()):
        group.sort(key=lambda one: (one.since, one.finding))
        if is_window(group[0].result.subject):
            # Seen again in this sweep: the windows that were missed stay findings of their own.
            lasting = [] if (check, subject) in seen and group[-1].last < at else _running(group, limit, at)
        else:
            lasting = [one for one in group if at - one.since >= limit]
        if lasting:
            newest, since = lasting[-1].result, lasting[0].since
            yield LongUnknown(
                check=check,
                subject=subject,
                scope=newest.scope,
                since=since,
                days=(at - since).days,
                reason=newest.reason,
                grant=newest.remedy or needs.get(check, ""),
                findings=tuple(sorted(one.finding for one in lasting)),
            )


def _running(group: Sequence[_Unseen], limit: timedelta, at: datetime) -> list[_Unseen]:
    """Return the windows, sorted, that follow one another up to now, if together they last long enough."""
    latest = max(one.last for one in group)
    if at - latest >= limit:
        return []
    run: list[_Unseen] = []
    for one in reversed(group):
        if run and run[-1].since - one.last > limit:
            break
        run.append(one)
    run.reverse()
    return run if latest - run[0].since >= limit else []


def waiver_uses(
    waivers: Waivers,
    asked: Asked,
    results: Sequence[Result],
    standing: Mapping[str, Result],
    warning: int,
    at: datetime,
) -> Iterator[WaiverUse]:
    """Yield each waiver with what it reaches of all that is open after this sweep."""
    opened = current(results, standing)
    ran = {one.check for one in results}
    idle = {
        one.subject
        for one in asked.findings.values()
        if one.check == "waiver-governance" and one.outcome is Outcome.FAIL
    }
    for waiver in waivers:
        over = waiver.until <= at
        covers = [
            Covered(one.check, one.subject, one.outcome, identity)
            for identity, one in opened.items()
            if (one.waiver == waiver.id or waiver.reaches(one)) and not (over and one.waiver)
        ]
        yield WaiverUse(
            id=waiver.id,
            checks=waiver.checks,
            kind=waiver.kind,
            patterns=waiver.patterns,
            reason=waiver.reason,
            ticket=waiver.ticket,
            requester=waiver.requester,
            approver=waiver.approver,
            start=waiver.from_,
            until=waiver.until,
            warning=timedelta(days=warning),
            covers=tuple(sorted(covers)),
            judged=bool(ran & {*waiver.checks}),
            idle_before=f"waiver:{waiver.id}" in idle,
        )


def emergency_uses(
    changes: Iterable[EmergencyChange], asked: Asked, results: Sequence[Result], sweep: Sweep, review_days: int
) -> tuple[list[EmergencyUse], list[Remembered]]:
    """Return each declared emergency with what became of it, and what is to be remembered of those used just now."""
    excused = [one for one in results if one.change_class is ChangeClass.EMERGENCY]
    since = min(filter(None, (asked.since, sweep.window.start)))
    uses, remember = [], []
    for change in changes:
        known = asked.emergencies.get(change.id, Excused())
        # A sweep of settings alone has an empty window: it has read no events.
        whole = sweep.window.start < sweep.window.end and since < change.to <= sweep.window.end
        now = Excused(
            used=known.used or any(_excuses(change, one) for one in excused),
            read_to=change.to if whole else known.read_to,
        )
        if now != known:
            body = msgspec.Raw(msgspec.json.encode(now))
            name = f"{change.id}@{sweep.at.isoformat()}"
            remember.append(Remembered(kind=EMERGENCY_USE, id=name, subject=change.id, at=sweep.at, body=body))
        uses.append(
            EmergencyUse(
                id=change.id,
                ticket=change.ticket,
                approver=change.approver,
                start=change.from_,
                end=change.to,
                used=now.used,
                read=now.read_to == change.to,
                review=change.review or "",
                review_due=change.to + timedelta(days=review_days),
            )
        )
    return uses, remember


def _excuses(change: EmergencyChange, result: Result) -> bool:
    """Return whether this emergency is one that excuses what the result tells."""
    if re.search(rf"(?<![\w.-]){re.escape(change.id)}(?![\w.-])", result.reason):
        return True
    reached = any(within_repository(pattern, result.scope) for pattern in change.repositories)
    return reached and any(change.covers(moment) for moment in _moments(result.observed, 0))


def _moments(value: Any, depth: int) -> Iterator[datetime]:
    if isinstance(value, str) and _ISO.fullmatch(value):
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            return
        yield found if found.tzinfo else found.replace(tzinfo=UTC)
    elif isinstance(value, (dict, list, tuple)) and depth < _DEEPEST:
        for one in value.values() if isinstance(value, dict) else value:
            yield from _moments(one, depth + 1)

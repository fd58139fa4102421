"""The rules of alerts: who is told of what, and when not. Pure: a zone is passed in, already read."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta, tzinfo

import msgspec

from monitor.alerts.notes import FindingView, Target
from monitor.alerts.words import URGENCY
from monitor.facts.globs import glob_matches
from monitor.model import Severity

_DAY = timedelta(days=1)
_MOST_STRETCHES = 16


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Which findings go to which targets.

    All that is given must match; a list matches if one of its patterns does (`*` does not cross a `/`, `**` does; anchored,
    case-exact). `also`: those below are asked too. `burst`: how many new ones of a sweep are told one by one to its
    targets; 0 is any number.
    """

    to: tuple[Target, ...]
    at_least: Severity | None = None
    owners: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    repositories: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()
    scopes: tuple[str, ...] = ()
    also: bool = False
    burst: int | None = None

    def matches(self, finding: FindingView) -> bool:
        """Return whether the finding goes this way."""
        if self.at_least is not None and URGENCY[finding.severity] > URGENCY[self.at_least]:
            return False
        asked = (
            (self.owners, finding.owner),
            (self.checks, finding.check),
            (self.repositories, finding.repository),
            (self.accounts, finding.account),
            (self.scopes, finding.scope),
        )
        return all(not patterns or _any(patterns, text) for patterns, text in asked)


class Quiet(msgspec.Struct, frozen=True, kw_only=True):
    """When only what is critical is told: from one time of the day to another, in a zone; and all of some weekdays.

    `days` are weekdays (0 is Monday). The times are those of the clock on the wall: on a night when clocks change, the
    hours are longer or shorter. Equal times are no hours.
    """

    start: time
    end: time
    zone: tzinfo = UTC
    days: tuple[int, ...] = ()

    def until(self, at: datetime) -> datetime:
        """Return when (UTC) something may be told that is ready at a moment (UTC): that moment, or the end of the hours."""
        moved = at
        # Hours that meet a quiet day make one stretch. Seven quiet days never end, and are then not honoured at all.
        for _ in range(_MOST_STRETCHES):
            ends = [end for start, end in self._stretches(moved) if start <= moved < end]
            if not ends:
                return moved
            moved = max(ends)
        return at

    def _stretches(self, around: datetime) -> Iterable[tuple[datetime, datetime]]:
        try:
            today = around.astimezone(self.zone).date()
            days = [today + offset * _DAY for offset in (-1, 0, 1)]
            for day in days:
                if self.start != self.end:
                    last = day if self.start < self.end else day + _DAY
                    yield self._begin(day, self.start), self._end(last, self.end)
                if day.weekday() in self.days:
                    yield self._begin(day, time()), self._end(day + _DAY, time())
        except (OverflowError, ValueError):
            return  # At an end of the calendar nothing is quiet.

    def _begin(self, day: date, wall: time) -> datetime:
        return datetime.combine(day, wall, self.zone).astimezone(UTC)

    def _end(self, day: date, wall: time) -> datetime:
        # Of an hour that comes twice the second counts; one that is skipped ends after the gap, which is fold 0.
        # https://docs.python.org/3/library/datetime.html#datetime.datetime.fold
        moment = datetime.combine(day, wall, self.zone)
        return max(moment.astimezone(UTC), moment.replace(fold=1).astimezone(UTC))


class AlertRules(msgspec.Struct, frozen=True, kw_only=True):
    """All rules. `operations` are told of the monitor itself, `summary` of each night; without, the last route's targets.

    `burst`: how many new findings of a sweep are told one by one to a target before they become a digest. `listed`: how
    many lines a digest or a list has. `heads`: how many critical ones of a burst are told one by one after all.
    `summary_at` (time of day in `zone`): the first sweep after it tells the summary. `stale`: a sweep that is recorded so
    much later (from the evidence log, after a loss) tells nothing. `warnings`: days before its end that a waiver is told.
    """

    routes: tuple[Route, ...] = ()
    operations: tuple[Target, ...] = ()
    summary: tuple[Target, ...] = ()
    quiet: Quiet | None = None
    burst: int = 10
    listed: int = 20
    heads: int = 50
    summary_at: time | None = time(6)
    zone: tzinfo = UTC
    stale: timedelta = timedelta(days=7)
    warnings: tuple[int, ...] = (14, 3)

    def targets(self, finding: FindingView) -> dict[Target, int]:
        """Return where a finding is told, each target once, with the burst that its first route allows."""
        found: dict[Target, int] = {}
        for route in self.routes:
            if route.matches(finding):
                for to in route.to:
                    found.setdefault(to, self.burst if route.burst is None else route.burst)
                if not route.also:
                    break
        return found

    def operators(self) -> tuple[Target, ...]:
        """Return who is told of the monitor itself."""
        return self.operations or (self.routes[-1].to if self.routes else ())

    def readers(self) -> tuple[Target, ...]:
        """Return who is told the summary."""
        return self.summary or (self.routes[-1].to if self.routes else ())

    def due(self, at: datetime, severity: Severity) -> datetime:
        """Return from when (UTC) something of that severity may be told: quiet hours hold back all but the critical."""
        return at if self.quiet is None or severity is Severity.CRITICAL else self.quiet.until(at)

    def summary_due(self, at: datetime, last: datetime | None) -> datetime | None:
        """Return the time of summary (UTC) that has passed since the last summary, or None where none has."""
        if self.summary_at is None:
            return None
        try:
            today = at.astimezone(self.zone).date()
            for day in (today, today - _DAY):
                mark = datetime.combine(day, self.summary_at, self.zone).astimezone(UTC)
                if mark <= at:
                    return mark if last is None or last < mark else None
        except (OverflowError, ValueError):
            return None
        return None


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(glob_matches(pattern, text) for pattern in patterns)

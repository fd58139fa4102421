"""The level `coverage`: was every scope read over the whole period. Nothing that was not read counts as read.

Event sources report the window that they read, so a later sweep can make good what an earlier one missed. State sources
report none: they cannot be read back in time, and only their last reading shows whether they can be read at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from monitor.errors import IntegrityError
from monitor.evidence.seal import unseen
from monitor.evidence.spans import Spans
from monitor.evidence.statement import member, start_expected
from monitor.evidence.verify.records import Records, SealedSweep
from monitor.evidence.verify.report import Level, Problems
from monitor.model import CoverageStatus, Outcome, ScopeCoverage, Window


class _Scope:
    """One scope of one source over all sweeps; sweeps are added newest first."""

    def __init__(self) -> None:
        self.complete = Spans()
        self.is_event = False
        self.readable_later = False
        self.span: Window | None = None
        self.oldest = self.newest = -1
        self.lacking: list[tuple[str, Window]] = []

    def seen_in(self, number: int, window: Window) -> None:
        """Note that the sweep of this number knew of the scope, and which window that concerns."""
        self.newest = max(self.newest, number)
        self.oldest = number
        self.span = window if self.span is None else _hull(self.span, window)


def coverage(records: Records, period: Window | None) -> Level:
    """Judge whether the sweeps read what they were to, over the period or from the first start to the last end."""
    problems = Problems()
    notes = _crashed(records, period, problems)
    scopes = _scopes(records, period, problems)
    sweeps = records.sealed
    asked, held = _Asked(records), 0
    _lost(records, period, problems)
    for (source, scope), one in sorted(scopes.items()):
        name = f"{scope} ({source})"
        for text, window in one.lacking:
            problems.add(f"{name}: {text} from {_span(window)}, and no later sweep made it good")
        first, newest = asked.of(source)
        if one.is_event and (target := _target(one, period, first, newest)):
            held += 1
            for hole in one.complete.holes(target):
                problems.add(f"{name}: not read from {_span(hole)}")
        if one.newest < newest:
            notes.append(f"{name} is no longer watched")
    if not sweeps:
        if period:
            problems.add(f"no sweep was sealed: nothing covers the period from {_span(period)}")
        return problems.level("coverage", "; ".join(["no sweep is sealed yet", *notes]), Outcome.UNKNOWN)
    if period and not held:
        problems.add(f"no scope of an event source was watched in the period from {_span(period)}")
    whole = period
    for sealed in () if period else sweeps:
        whole = sealed.manifest.window if whole is None else _hull(whole, sealed.manifest.window)
    summary = (
        f"{len(sweeps)} sweeps, {len(scopes)} scopes, {held} of event sources, from {_span(whole) if whole else ''}"
    )
    return problems.level("coverage", "; ".join([summary, *notes[:20]]))


class _Asked:
    """Which sweeps were to read a source: a sweep that was limited to some sources says nothing of the others."""

    def __init__(self, records: Records) -> None:
        self._whole: list[int] = []
        self._limited: dict[str, list[int]] = {}
        for number, sealed in enumerate(records.sealed):
            start = records.starts.get(sealed.manifest.started)
            if start is None or not start.sources:
                self._whole.append(number)
                continue
            try:
                names = tuple(start_expected(start, records.load))
            except IntegrityError:  # Told of where what it expected is compared with what it reported.
                names = ()
            for name in names:
                self._limited.setdefault(name, []).append(number)

    def of(self, source: str) -> tuple[int, int]:
        """Return the numbers of the first and the last sweep that was to read the source."""
        numbers = [*self._whole[:1], *self._whole[-1:], *self._limited.get(source, ())]
        return min(numbers, default=0), max(numbers, default=-1)


def _lost(records: Records, period: Window | None, problems: Problems) -> None:
    """Report the slots of schedules for which there never will be a sweep."""
    for _, lost in records.lost:
        slots = [slot for slot in lost.slots if period is None or period.covers(slot)]
        if slots:
            many = f"{len(slots)} slots from {_time(min(slots))} to {_time(max(slots))} are"
            one = many if len(slots) > 1 else f"the slot {_time(slots[0])} is"
            problems.add(f"schedule {lost.schedule}: {one} lost: {lost.reason}")


def _scopes(records: Records, period: Window | None, problems: Problems) -> dict[tuple[str, str], _Scope]:
    scopes: dict[tuple[str, str], _Scope] = {}
    for number in range(len(records.sealed) - 1, -1, -1):
        sealed = records.sealed[number]
        window = sealed.manifest.window
        reports = _reports(sealed, records, problems)
        for report in reports:
            one = scopes.setdefault((report.source, report.scope), _Scope())
            one.is_event |= report.window is not None
            one.seen_in(number, report.window or window)
            if report.status is not CoverageStatus.COMPLETE:
                _lacking(one, _told(report), report.window, window, period)
        for source, missing in _unseen(sealed, reports, records, problems):
            one = scopes.setdefault((source, missing), _Scope())
            one.seen_in(number, window)
            _lacking(one, "expected, but never reported on", window if one.is_event else None, window, period)
        for report in reports:
            if report.status is CoverageStatus.COMPLETE:
                one = scopes[report.source, report.scope]
                one.readable_later = True
                if report.window:
                    one.complete.add(report.window)
    return scopes


def _lacking(one: _Scope, text: str, window: Window | None, sweep: Window, period: Window | None) -> None:
    """Note what was not read, unless a later sweep read it, or nobody asks about that time."""
    asked = _within(window or sweep, period)
    if asked is None:
        return
    if window is None:
        if not one.readable_later:
            one.lacking.append((text, asked))
        return
    one.lacking += [(text, hole) for hole in one.complete.holes(asked)]


def _reports(sealed: SealedSweep, records: Records, problems: Problems) -> list[ScopeCoverage]:
    """Return what a sweep reported that can be understood."""
    reports = []
    try:
        found = member(sealed.manifest, "coverage", records.load)
    except IntegrityError as error:
        problems.add(f"sweep {sealed.manifest.sweep}: its coverage cannot be read: {error.what}")
        return []
    for report in found:
        window = report.window
        if window and (window.start.tzinfo is None or window.end.tzinfo is None or window.start > window.end):
            problems.add(f"sweep {sealed.manifest.sweep}: {report.scope} ({report.source}) has no proper window")
            report = msgspec.structs.replace(report, window=None, status=CoverageStatus.PARTIAL)
        reports.append(report)
    return reports


def _unseen(
    sealed: SealedSweep, reports: list[ScopeCoverage], records: Records, problems: Problems
) -> Iterable[tuple[str, str]]:
    """Yield the scopes, with their source, that the sweep's start expected and nothing was reported on."""
    try:
        expected = _expected(sealed, records)
    except IntegrityError as error:
        problems.add(f"sweep {sealed.manifest.sweep}: what it was to read cannot be told: {error.what}")
        return
    for source, scopes in unseen(expected, reports).items():
        for scope in scopes:
            yield source, scope


def _expected(sealed: SealedSweep, records: Records) -> dict[str, tuple[str, ...]]:
    start = records.starts.get(sealed.manifest.started)
    if start is None:
        raise IntegrityError("its start is not in the log")
    return start_expected(start, records.load)


def _crashed(records: Records, period: Window | None, problems: Problems) -> list[str]:
    """Report sweeps that were begun and never sealed; return those whose window a later sweep took over."""
    claimed = {sealed.manifest.started for sealed in records.sealed}
    notes = []
    for index, start in records.starts.items():
        if index in claimed:
            continue
        later = Spans()
        for sealed in records.sealed:
            if sealed.index > index:
                later.add(sealed.manifest.window)
        asked = _within(start.window, period)
        if asked and later.holes(asked):
            problems.add(
                f"sweep {start.sweep}, begun {_time(start.at)}, did not end, and no later one covers its window"
            )
        else:
            notes.append(f"sweep {start.sweep} crashed, a later one covers its window")
    return notes


def _target(one: _Scope, period: Window | None, first: int, newest: int) -> Window | None:
    """Return the span over which an event source's scope must have been read.

    A scope that the first sweep of its source knew is owed from the period's start; one that appeared later, from when it
    did. One that the newest sweep of its source knew is owed to the period's end.
    """
    if one.span is None or period is None:
        return one.span
    start = period.start if one.oldest == first else max(period.start, one.span.start)
    end = period.end if one.newest == newest else min(period.end, one.span.end)
    return Window(start, end) if start < end else None


def _told(report: ScopeCoverage) -> str:
    told = report.status.value
    if report.reason:
        told += f" ({report.reason})"
    if report.gaps:
        told += f", {len(report.gaps)} gaps, first {report.gaps[0]}"
    return told


def _within(window: Window, period: Window | None) -> Window | None:
    if period is None:
        return window
    start, end = max(window.start, period.start), min(window.end, period.end)
    return Window(start, end) if start < end else None


def _hull(one: Window, other: Window) -> Window:
    return Window(min(one.start, other.start), max(one.end, other.end))


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds").replace("+00:00", "Z")


def _span(window: Window) -> str:
    return f"{_time(window.start)} to {_time(window.end)}"

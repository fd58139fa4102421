"""Notes in words: one finding, many at once, the night's summary. Pure; what is outside text stays as it came.

Sinks escape. Here lists are bounded and long texts cut, so that a note always fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from monitor.alerts.change import Gap, Move, SweepChange, Unseen, WaiverEnd
from monitor.alerts.notes import FindingView, Note
from monitor.alerts.words import URGENCY, NoteKind, by_severity, several
from monitor.model import Severity

_LONGEST = 300
_MOST_UNKNOWN = 5
_TITLES = {
    NoteKind.OPENED: "",
    NoteKind.REOPENED: "Back again: ",
    NoteKind.RESOLVED: "Resolved: ",
    NoteKind.WAIVED: "Waived: ",
    NoteKind.WAIVER_EXPIRED: "No longer waived: ",
}
_LISTING = "monitor findings list"


def finding_note(kind: NoteKind, key: str, move: Move, at: datetime) -> Note:
    """Return the note of what happened to one finding."""
    finding, before = move.finding, move.before
    lines: list[tuple[str, str]] = []
    title = _TITLES.get(kind, "Changed: ")
    if kind is NoteKind.KEPT and before is not None:
        if before.severity is not finding.severity:
            title = f"Now {finding.severity.value}, was {before.severity.value}: "
            lines.append(("Severity", f"{before.severity.value} → {finding.severity.value}"))
        if before.reason != finding.reason:
            lines.append(("Before", cut(before.reason)))
    if kind is NoteKind.WAIVER_EXPIRED and before is not None:
        lines.append(("Waiver", f"{cut(before.waiver)} covers it no longer"))
    if kind is NoteKind.RESOLVED:
        lines.append(("Was open for", lasting(at - finding.first_seen)))
    if kind is NoteKind.REOPENED:
        lines.append(("First seen", f"{finding.first_seen:%Y-%m-%d}"))
    return Note(
        kind=kind,
        key=key,
        at=at,
        title=title + heading(finding),
        severity=finding.severity,
        finding=finding,
        lines=tuple(lines),
        links=finding.links,
    )


def digest(key: str, happened: str, moves: Sequence[Move], at: datetime, listed: int, *, singly: int = 0) -> Note:
    """Return the one note that tells of many findings: the most urgent by name, of the rest how many.

    `singly` are told by messages of their own besides.
    """
    found = sorted((move.finding for move in moves), key=lambda f: (URGENCY[f.severity], f.check, f.id))
    counts = Counter(f.severity.value for f in found)
    checks = Counter(f.check for f in found)
    lines = [("By check", ", ".join(f"{cut(name, 80)} {count:,}" for name, count in checks.most_common(8)))]
    lines += [(f"{f.severity.value} {f.id}", cut(f"{heading(f)}: {f.reason}")) for f in found[:listed]]
    if len(found) > listed:
        lines.append(("And", f"{len(found) - listed:,} more: {_LISTING}"))
    if singly:
        lines.append(("Besides", f"{several(singly, 'critical finding')} told one by one"))
    return Note(
        kind=NoteKind.DIGEST,
        key=key,
        at=at,
        title=f"{several(len(found), 'finding')} {happened}: {by_severity(counts)}",
        severity=found[0].severity if found else Severity.LOW,
        lines=tuple(lines),
        findings=tuple(f.id for f in found),
        counts=dict(counts),
    )


def summary(key: str, change: SweepChange, listed: int, warned: timedelta) -> Note:
    """Return the night's summary: coverage, the trend, what nobody could look at, waivers that end, what was not told."""
    standing, previous = change.standing, change.standing.previous
    lines = [("Coverage", _coverage(change)), *_gaps(change.gaps, listed), ("Open now", by_severity(standing.open))]
    if previous is not None:
        lines.append(("Open then", f"{by_severity(previous.open)} ({previous.at:%Y-%m-%d %H:%MZ})"))
    moved = ", ".join(f"{standing.steps.get(step, 0):,} {step}" for step in ("opened", "reopened", "resolved"))
    lines.append(("Since then" if previous else "So far", moved))
    if standing.waived:
        lines.append(("Waived", several(standing.waived, "finding")))
    lines += [("Nobody could look", _unseen(one, change.at)) for one in standing.unknown[:_MOST_UNKNOWN]]
    ending = sorted((w for w in change.waivers if timedelta() < w.until - change.at <= warned), key=_end)
    lines += [("Waiver ends", waiver_line(one)) for one in ending[:listed]]
    if standing.given_up:
        told = f"{several(standing.given_up, 'message')} given up: monitor alerts list --state failed"
        lines.append(("Not delivered", told))
    total = sum(standing.open.values())
    return Note(
        kind=NoteKind.NIGHTLY_SUMMARY,
        key=key,
        at=change.at,
        title=f"Summary: {several(total, 'finding')} open, coverage {'incomplete' if change.gaps else 'complete'}",
        severity=Severity.MEDIUM if change.gaps or standing.given_up else Severity.LOW,
        lines=tuple(lines),
        counts=dict(standing.open),
    )


def waiver_note(key: str, waiver: WaiverEnd, at: datetime) -> Note:
    """Return the note that a waiver is about to end."""
    lines = [("Ends", f"{waiver.until:%Y-%m-%d %H:%MZ}, in {lasting(waiver.until - at)}")]
    lines += [(label, cut(text)) for label, text in (("Reason", waiver.reason), ("Owner", waiver.owner)) if text]
    return Note(
        kind=NoteKind.WAIVER_EXPIRING,
        key=key,
        at=at,
        title=f"Waiver {cut(waiver.id, 80)} ends soon; what it covers is told again then",
        severity=Severity.MEDIUM,
        lines=tuple(lines),
    )


def heading(finding: FindingView) -> str:
    """Return what and where in a few words."""
    where = finding.place or finding.scope or finding.subject
    return f"{cut(finding.check, 80).replace('-', ' ')} · {cut(where, 120)}"


def lasting(span: timedelta) -> str:
    """Return a span in its largest unit: `3 days`, `5 hours`, `12 minutes`."""
    minutes = max(0, int(span.total_seconds() // 60))
    if minutes >= 2 * 24 * 60:
        return several(minutes // (24 * 60), "day")
    return several(minutes // 60, "hour") if minutes >= 120 else several(minutes, "minute")


def cut(text: str, longest: int = _LONGEST) -> str:
    """Return the text, visibly shortened if it is too long."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def waiver_line(waiver: WaiverEnd) -> str:
    """Return a waiver and its end in a line."""
    return cut(f"{waiver.id} on {waiver.until:%Y-%m-%d}: {waiver.reason}".rstrip(": "))


def _coverage(change: SweepChange) -> str:
    whole = f"{change.reads - len(change.gaps):,} of {change.reads:,} reads are whole"
    return f"{'incomplete' if change.gaps else 'complete'}: {whole}"


def _gaps(gaps: Sequence[Gap], listed: int) -> Iterable[tuple[str, str]]:
    """Yield a line for all scopes that lack the same for the same reason."""
    alike: dict[tuple[str, str, str, str], list[str]] = {}
    for gap in gaps:
        alike.setdefault((gap.source, gap.status, gap.reason, gap.grant), []).append(gap.scope)
    for (source, status, reason, grant), scopes in list(alike.items())[:listed]:
        more = f" and {len(scopes) - 1:,} more" if len(scopes) > 1 else ""
        mend = f"; grant or mend: {grant}" if grant else ""
        yield "Not read", cut(f"{cut(scopes[0], 100)}{more}, {source}: {status}: {cut(reason, 150)}{mend}", 500)
    if len(alike) > listed:
        yield "And", f"{len(alike) - listed:,} more: monitor evidence coverage"


def _unseen(one: Unseen, at: datetime) -> str:
    return cut(f"{one.id} for {lasting(at - one.since)}: {one.check}, {one.subject}")


def _end(waiver: WaiverEnd) -> tuple[datetime, str]:
    return waiver.until, waiver.id

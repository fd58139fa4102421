"""The scopes of a trail: which there are, what is due in each, what is new, and how much of it was read.

A scope is one account and region. What cannot be listed is a failure of its scope alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from monitor.errors import SourceError
from monitor.expected.models import AwsEstate
from monitor.facts.log_object import LogObject
from monitor.model import CoverageStatus, ScopeCoverage, Window
from monitor.sources.aws import layout
from monitor.sources.objects import Location, ObjectInfo, Objects
from monitor.sources.ports import Collected, Memory, Request

NAME = "aws.logs"
_STATUS = {"Denied": CoverageStatus.DENIED, "Throttled": CoverageStatus.THROTTLED}
_SILENCE = timedelta(hours=3)
"""CloudTrail delivers a digest every hour, also where nothing happened: a longer silence is not quiet, it is unread."""
_FAILURES = 3
"""So many folders of a scope that cannot be listed one after another, and the others are not asked for any more."""
_SINCE = "aws.since"
_BLIND = "aws.blind"
_LATE = timedelta(hours=1)
"""How long before it was made an object's events may lie, usually; CloudTrail speaks of minutes."""
_JITTER = timedelta(minutes=5)


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the log is read. `limit` is in bytes; `until` ends the material for good, as in an example that is over."""

    logs: Location
    retained: Location
    start: datetime
    until: datetime | None = None
    settle: timedelta = timedelta(minutes=20)
    overlap_days: int = 3
    limit: int = 256 << 20
    workers: int = 1
    hashes: bool = True


class Scope(msgspec.Struct):
    """One account and region: what is due, and what came of it."""

    name: str
    account: str
    region: str
    declared: bool
    window: Window
    marked: datetime | None = None
    """Up to when earlier sweeps have read it; None before the first."""
    behind: bool = False
    """Whether the clock stands before the mark."""
    heard: datetime | None = None
    """When the newest object that is there was made, read or not."""
    new: list[ObjectInfo] = []
    strangers: int = 0
    failed: list[tuple[str, str, str, str]] = []
    """Kind of error, key or prefix, reason, what to grant."""


def window_of(scope: str, reading: Reading, request: Request, marks: Mapping[str, datetime]) -> Window:
    """Return what is due in a scope: from its mark to what has settled."""
    start = request.since or marks.get(f"{NAME}|{scope}") or reading.start
    return Window(start, max(start, _settled(reading, request)))


def _settled(reading: Reading, request: Request) -> datetime:
    return min(filter(None, (request.at - reading.settle, request.until, reading.until)))


def location_of(reading: Reading) -> str:
    """Return the name under which the objects of a trail are remembered."""
    return f"aws.logs {reading.logs}"


def find(
    store: Objects, estate: AwsEstate, reading: Reading, request: Request, marks: Mapping[str, datetime]
) -> tuple[list[Scope], list[str]]:
    """Return every scope that is declared or found, and the accounts that are found but not declared."""
    organization = estate.organization
    declared = {a.id: a.regions for a in (*estate.accounts, *estate.watched)}
    scopes: list[Scope] = []
    settled = _settled(reading, request)
    failure: tuple[str, str, str, str] | None = None
    found: list[str] = []
    try:
        found = [name for name in store.folders(layout.root(organization)) if len(name) == 12 and name.isdigit()]
    except SourceError as failed:
        failure = (type(failed).__name__, layout.root(organization), failed.what, failed.todo)
    for account, regions in declared.items():
        lacking = [failure] if failure else []
        there: list[str] = []
        try:
            there = [r for r in store.folders(layout.logs(organization, account)) if layout.REGION.fullmatch(r)]
        except SourceError as failed:
            # Without the list of regions nobody knows what else is there, so none of the account was read whole.
            lacking.append((type(failed).__name__, layout.logs(organization, account), failed.what, failed.todo))
        for region in sorted({*regions, *there}):
            name = f"aws:{account}:{region}"
            window = window_of(name, reading, request, marks)
            scope = Scope(name, account, region, region in regions, window, marks.get(f"{NAME}|{name}"))
            scope.behind = settled < window.start and not (reading.until and reading.until <= window.start)
            scope.failed += lacking
            scopes.append(scope)
    return scopes, sorted(set(found) - set(declared))


def list_new(store: Objects, estate: AwsEstate, reading: Reading, scope: Scope, memory: Memory) -> None:
    """Find the objects of a scope that were not read yet, made before the window's end has settled."""
    source = location_of(reading)
    known = memory.read_keys(source, scope.name)
    damaged = memory.damaged_keys(source, scope.name)
    prefix = f"{layout.logs(estate.organization, scope.account)}{scope.region}/"
    # Before the first sweep nothing can be late.
    overlap = timedelta(days=reading.overlap_days if scope.marked else 0)
    first = (scope.window.start - overlap).date()
    limit = scope.window.end + reading.settle
    failures = 0
    for day in layout.days(first, limit.date()):
        try:
            for info in store.walk(prefix + day):
                made = layout.log_time(info.key)
                if made is None:
                    scope.strangers += 1
                elif made <= limit:
                    scope.heard = max(made, scope.heard or made)
                    # What was damaged is read again only for the window in which it lies: it is that window's gap.
                    again = info.key in damaged and made >= scope.window.start
                    if info.key not in known or again:
                        scope.new.append(info)
            failures = 0
        except SourceError as failed:
            scope.failed.append((type(failed).__name__, prefix + day, failed.what, failed.todo))
            failures += 1
            if failures >= _FAILURES:
                return


def sight(scopes: list[Scope], marks: Mapping[str, datetime], answer: Collected) -> None:
    """Tell from when each account's events are read, and which spans may lack some: what may be concluded from absence."""
    for scope in scopes:
        first = marks.get(f"{_SINCE}|{scope.name}") or scope.window.start
        answer.marks[f"{_SINCE}|{scope.name}"] = first
        answer.since[scope.account] = max(first, answer.since.get(scope.account, first))
        read_to = marks.get(f"{NAME}|{scope.name}")
        if read_to and scope.window.start > read_to:
            answer.blind.append((scope.account, read_to, scope.window.start))
        if scope.failed:
            answer.blind.append((scope.account, scope.window.start, scope.window.end))
    accounts = {scope.name: scope.account for scope in scopes}
    for damaged in (found for found in answer.objects if found.damage):
        made = layout.log_time(damaged.key)
        if made:
            answer.blind.append((accounts[damaged.scope], made - _LATE, made + _JITTER))
    for account, start, end in answer.blind:
        answer.marks[f"{_BLIND}|{account}|{start.isoformat()}"] = end
    for name, until in marks.items():
        source, _, rest = name.partition("|")
        if source == _BLIND:
            account, _, began = rest.partition("|")
            answer.blind.append((account, datetime.fromisoformat(began), until))


_COUNTED = (
    "size", "raw_size", "events", "reads", "attempts", "data_events", "service_writes", "telemetry", "writes",
    "exchanges", "elsewhere",
)  # fmt: skip


def coverage(scope: Scope, objects: list[LogObject], digest: datetime | None) -> ScopeCoverage:
    """Return how much of a scope was read; `digest` is when the newest digest that is there ends."""
    counts = {"objects": len(objects)}
    for field in _COUNTED:
        counts[field] = sum(getattr(found, field) for found in objects)
    if scope.strangers:
        counts["strangers"] = scope.strangers
    damaged = [found for found in objects if found.damage]
    gaps = [f"{key}: {reason}" for _, key, reason, _ in scope.failed]
    gaps += [f"{found.key}: {found.damage}" for found in damaged]
    status, reason = CoverageStatus.COMPLETE, ""
    if scope.failed:
        status = _STATUS.get(scope.failed[0][0], CoverageStatus.PARTIAL)
        reason = f"{len(scope.failed)} objects or folders could not be read: {scope.failed[0][2]}"
    elif damaged:
        status, reason = CoverageStatus.PARTIAL, f"{len(damaged)} damaged object{'s' if len(damaged) > 1 else ''}"
    elif scope.behind:
        status, reason = (
            CoverageStatus.PARTIAL,
            f"the clock stands before {scope.window.start:%Y-%m-%dT%H:%MZ}, up to where was read",
        )
    elif (heard := max(filter(None, (scope.heard, digest)), default=None)) is None:
        status, reason = CoverageStatus.PARTIAL, "no log object and no digest was delivered"
    elif scope.window.end - heard > _SILENCE:
        status, reason = CoverageStatus.PARTIAL, f"nothing was delivered since {heard:%Y-%m-%dT%H:%MZ}"
    return ScopeCoverage(
        scope=scope.name,
        source=NAME,
        status=status,
        window=scope.window,
        reason=reason if scope.declared else f"region is not declared; {reason}".strip("; "),
        grant=next((grant for _, _, _, grant in scope.failed if grant), ""),
        counts=counts,
        gaps=tuple(gaps),
    )


def advances(scope: Scope, found: ScopeCoverage, digest: datetime | None) -> bool:
    """Return whether the mark moves to the window's end: not over what could not be read, nor over silence or a hole."""
    heard = max(filter(None, (scope.heard, digest)), default=None)
    silent = heard is None or found.window is None or found.window.end - heard > _SILENCE
    hole = scope.marked is not None and scope.window.start > scope.marked
    forward = scope.window.end > (scope.marked or scope.window.start)
    return forward and not (scope.failed or silent or hole or scope.behind)

"""The CloudTrail log as a source: list what is new, read each object once, verify the digest chain, report coverage.

Events are read by object, not by time: an object that is delivered late is new when it appears, and is read then, as long
as its folder's day is within the overlap. A scope is one account and region.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor, as_completed
from datetime import datetime, timedelta

import msgspec

from monitor.decode import cloudtrail as decode
from monitor.errors import SourceError
from monitor.expected.models import AwsEstate
from monitor.facts.change import ChangeEvent, TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.model import CoverageStatus, EvidenceRef, ScopeCoverage, Window
from monitor.sources import retained
from monitor.sources.aws import layout
from monitor.sources.aws.digests import NAME as DIGESTS
from monitor.sources.aws.digests import DigestReader
from monitor.sources.aws.scan import Scanned, Task, scan
from monitor.sources.objects import Location, ObjectInfo, Objects, connect
from monitor.sources.ports import OBJECTS, Collected, Memory, Progress, Request

NAME = "aws.logs"
_STATUS = {"Denied": CoverageStatus.DENIED, "Throttled": CoverageStatus.THROTTLED}
_QUIET = timedelta(hours=2)
"""CloudTrail delivers a digest every hour, also where nothing happened: a longer silence is not quiet, it is unread."""
_SMALL = 4 << 20
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
    marked: bool = False
    new: list[ObjectInfo] = []
    strangers: int = 0
    failed: list[tuple[str, str, str, str]] = []
    """Kind of error, key or prefix, reason, what to grant."""


class TrailLogs:
    """Reads one trail's log files. `executor` gives the pool of workers, made only if there is enough to share out."""

    name = NAME

    def __init__(
        self,
        estate: AwsEstate,
        reading: Reading,
        executor: Callable[[], Executor],
        digests: DigestReader | None,
        log_buckets: frozenset[str] = frozenset(),
    ) -> None:
        self.estate = estate
        self.reading = reading
        self.executor = executor
        self.digests = digests
        self.log_buckets = log_buckets
        self.production = frozenset(account.id for account in estate.accounts)

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return the declared scopes, under the names of the log and of its digests."""
        declared = tuple(
            f"aws:{account.id}:{region}"
            for account in (*self.estate.accounts, *self.estate.watched)
            for region in account.regions
        )
        return {NAME: declared, DIGESTS: declared} if self.digests else {NAME: declared}

    def due(self, request: Request, memory: Memory) -> Window:
        """Return the span from the oldest mark of a declared scope to what has settled."""
        marks = memory.marks()
        windows = [self._window(scope, request, marks) for scope in self.scopes()[NAME]]
        return Window(min(w.start for w in windows), max(w.end for w in windows))

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return the writes and token exchanges that are new, the chain of digests, and coverage of every scope."""
        answer = Collected()
        store = connect(self.reading.logs)
        marks = memory.marks()
        scopes, undeclared = self._scopes(store, request, marks)
        if undeclared:
            answer.notes["undeclared_accounts"] = undeclared
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda scope: self._list(store, scope, memory), scopes))
        scanned = self._scan(request, scopes, progress)
        self._merge(scanned, memory, answer)
        by_scope = {scope.name: scope for scope in scopes}
        for unread in (entry for one in scanned for entry in one.unread):
            by_scope[unread[0]].failed.append((unread[2], unread[1], unread[3], unread[4]))
        hours: dict[str, int] = {}
        if self.digests:
            hours = self.digests.collect(scopes, marks, memory, answer, progress)
        self._sight(scopes, marks, answer)
        for scope in scopes:
            coverage = self._coverage(
                scope, [o for o in answer.objects if o.scope == scope.name], hours.get(scope.name, 0)
            )
            answer.coverage.append(coverage)
            if not scope.failed and scope.window.end > scope.window.start:
                answer.marks[f"{NAME}|{scope.name}"] = scope.window.end
        return answer

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return the writes of these sessions from the retained parts, judged anew from their exact bytes."""
        keep = connect(self.reading.retained)
        found: list[ChangeEvent] = []
        for account, key, raw in retained.of_sessions(keep, parts, set(sessions)):
            item = decode.record(raw, None, account)
            blinds = decode.blinding(item.wide, self.log_buckets)
            found.append(decode.event(item, log_object=EvidenceRef(kind="log-object", name=key), blinds=blinds))
        return found

    def _sight(self, scopes: list[Scope], marks: Mapping[str, datetime], answer: Collected) -> None:
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

    def _window(self, scope: str, request: Request, marks: Mapping[str, datetime]) -> Window:
        reading = self.reading
        start = request.since or marks.get(f"{NAME}|{scope}") or reading.start
        end = min(filter(None, (request.at - reading.settle, request.until, reading.until)))
        return Window(start, max(start, end))

    def _scopes(self, store: Objects, request: Request, marks: Mapping[str, datetime]) -> tuple[list[Scope], list[str]]:
        """Return every scope that is declared or found, and the accounts that are found but not declared."""
        organization = self.estate.organization
        declared = {a.id: a.regions for a in (*self.estate.accounts, *self.estate.watched)}
        scopes: list[Scope] = []
        found: list[str] = []
        try:
            found = [name for name in store.folders(layout.root(organization)) if len(name) == 12 and name.isdigit()]
        except SourceError:
            pass  # Each scope's own listing fails in the same way, and says so.
        for account, regions in declared.items():
            try:
                there = [r for r in store.folders(layout.logs(organization, account)) if layout.REGION.fullmatch(r)]
            except SourceError:
                there = []
            for region in sorted({*regions, *there}):
                name = f"aws:{account}:{region}"
                window = self._window(name, request, marks)
                scopes.append(Scope(name, account, region, region in regions, window, f"{NAME}|{name}" in marks))
        return scopes, sorted(set(found) - set(declared))

    def _list(self, store: Objects, scope: Scope, memory: Memory) -> None:
        """Find the objects of a scope that were not read yet, made before the window's end has settled."""
        reading = self.reading
        known = memory.read_keys(OBJECTS, scope.name)
        prefix = f"{layout.logs(self.estate.organization, scope.account)}{scope.region}/"
        # Before the first sweep nothing can be late.
        overlap = timedelta(days=reading.overlap_days if scope.marked else 0)
        first = (scope.window.start - overlap).date()
        limit = scope.window.end + reading.settle
        for day in layout.days(first, limit.date()):
            try:
                for info in store.walk(prefix + day):
                    made = layout.log_time(info.key)
                    if made is None:
                        scope.strangers += 1
                    elif made <= limit and info.key not in known:
                        scope.new.append(info)
            except SourceError as failed:
                scope.failed.append((type(failed).__name__, prefix + day, failed.what, failed.todo))

    def _scan(self, request: Request, scopes: list[Scope], progress: Progress) -> list[Scanned]:
        reading = self.reading
        todo = [(scope.name, scope.account, info) for scope in scopes for info in scope.new]
        total = len(todo)
        tasks = [
            Task(
                name=f"{request.sweep}-{number}",
                logs=reading.logs,
                retained=reading.retained,
                objects=group,
                production=self.production,
                log_buckets=self.log_buckets,
                limit=reading.limit,
                hashes=reading.hashes and self.digests is not None,
                threads=8 if reading.logs.bucket else 1,
            )
            for number, group in enumerate(groups(todo, reading.workers))
        ]
        progress("reading log objects", 0, total)
        if len(tasks) <= 1 or reading.workers <= 1:
            done = 0
            answers = []
            for task in tasks:
                answers.append(scan(task))
                done += len(task.objects)
                progress("reading log objects", done, total)
            return answers
        with self.executor() as pool:
            futures = {pool.submit(scan, task): task for task in tasks}
            done = 0
            for future in as_completed(futures):
                done += len(futures[future].objects)
                progress("reading log objects", done, total)
            return [future.result() for future in futures]

    def _merge(self, scanned: list[Scanned], memory: Memory, answer: Collected) -> None:
        """Join the workers' answers in order; an event that was delivered twice, now or earlier, counts once."""
        keep = connect(self.reading.retained)
        seen = self._earlier(scanned, memory, keep)
        untrusted = {key for one in scanned for key in one.untrusted}
        repeated = sum(one.repeated for one in scanned)
        for one in scanned:
            again: dict[str, set[str]] = {}
            fresh: list[ChangeEvent | TokenExchange] = []
            found: list[ChangeEvent | TokenExchange] = [*one.events, *one.exchanges]
            for fact in found:
                identity = (fact.account, fact.id)
                if identity in seen:
                    again.setdefault(fact.account, set()).add(fact.id)
                else:
                    seen.add(identity)
                    fresh.append(fact)
            repeated += sum(map(len, again.values()))
            answer.facts += [fact for fact in fresh if isinstance(fact, ChangeEvent)]
            answer.exchanges += [
                fact for fact in fresh if isinstance(fact, TokenExchange) and fact.access_key not in untrusted
            ]
            answer.objects += one.objects
            for part in one.parts:
                unwanted = again.get(part.account)
                kept: RetainedPart | None = retained.without(keep, part, unwanted) if unwanted else part
                if kept:
                    answer.parts.append(kept)
        if repeated:
            answer.notes["delivered_again"] = repeated

    def _earlier(self, scanned: list[Scanned], memory: Memory, keep: Objects) -> set[tuple[str, str]]:
        days: dict[str, set[str]] = {}
        for part in (part for one in scanned for part in one.parts):
            days.setdefault(part.account, set()).add(part.day)
        return {
            (account, event)
            for account, found in days.items()
            for event in retained.ids(
                keep, [p for p in memory.parts(account, min(found), max(found)) if p.day in found]
            )
        }

    def _coverage(self, scope: Scope, objects: list[LogObject], digests: int) -> ScopeCoverage:
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
        elif not objects and not digests and scope.window.end - scope.window.start >= _QUIET:
            status, reason = CoverageStatus.PARTIAL, "no log object and no digest was delivered"
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


_COUNTED = (
    "size", "raw_size", "events", "reads", "attempts", "data_events", "service_writes", "telemetry", "writes",
    "exchanges", "elsewhere",
)  # fmt: skip


def groups(todo: Iterable[tuple[str, str, ObjectInfo]], workers: int) -> list[tuple[tuple[str, str, ObjectInfo], ...]]:
    """Return shares of about equal size in bytes, in order, a few for each worker so that none waits long for another."""
    entries = sorted(todo, key=lambda entry: entry[2].key)
    total = sum(entry[2].size for entry in entries)
    share = max(_SMALL, total // max(1, workers * 8)) if workers > 1 else max(_SMALL, total)
    found: list[tuple[tuple[str, str, ObjectInfo], ...]] = []
    group: list[tuple[str, str, ObjectInfo]] = []
    size = 0
    for entry in entries:
        group.append(entry)
        size += entry[2].size
        if size >= share:
            found.append(tuple(group))
            group, size = [], 0
    if group:
        found.append(tuple(group))
    return found

"""The CloudTrail log as a source: list what is new, read each object once, verify the digest chain, report coverage.

Events are read by object, not by time: an object that is delivered late is new when it appears, and is read then, as long
as its folder's day is within the overlap. A scope is one account and region.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, as_completed
from datetime import datetime

import msgspec

from monitor.decode import cloudtrail as decode
from monitor.errors import SourceError
from monitor.expected.models import AwsEstate
from monitor.facts.audit_log import LogChain
from monitor.facts.change import ChangeEvent, TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.model import EvidenceRef, Window
from monitor.sources import retained
from monitor.sources.aws.digests import NAME as DIGESTS
from monitor.sources.aws.digests import DigestReader
from monitor.sources.aws.scan import Scanned, Task, scan
from monitor.sources.aws.trail_scopes import (
    NAME,
    Reading,
    Scope,
    advances,
    coverage,
    find,
    list_new,
    location_of,
    sight,
    window_of,
)
from monitor.sources.connect import connect
from monitor.sources.objects import ObjectInfo, Objects
from monitor.sources.ports import Collected, Memory, Progress, Request

_SMALL = 4 << 20


class TrailLogs:
    """Reads one trail's log files. `executor` gives the pool of workers, made only if there is enough to share out."""

    name = NAME
    provides = (ChangeEvent, LogChain)
    once = provides

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
        windows = [window_of(scope, self.reading, request, marks) for scope in self.scopes()[NAME]]
        return Window(min(w.start for w in windows), max(w.end for w in windows))

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return the writes and token exchanges that are new, the chain of digests, and coverage of every scope."""
        answer = Collected()
        store = connect(self.reading.logs)
        marks = memory.marks()
        scopes, undeclared = find(store, self.estate, self.reading, request, marks)
        if undeclared:
            answer.notes["undeclared_accounts"] = undeclared
        answer.object_source = location_of(self.reading)
        answer.notes["locations"] = {NAME: str(self.reading.logs)}
        with ThreadPoolExecutor(8) as pool:
            listed = pool.map(lambda scope: list_new(store, self.estate, self.reading, scope, memory), scopes)
            for done, _ in enumerate(listed):
                progress("listing log objects", done + 1, len(scopes))
        scanned = self._scan(request, scopes, progress)
        self._merge(scanned, memory, answer)
        by_scope = {scope.name: scope for scope in scopes}
        for unread in (entry for one in scanned for entry in one.unread):
            by_scope[unread[0]].failed.append((unread[2], unread[1], unread[3], unread[4]))
        newest: dict[str, datetime] = {}
        if self.digests:
            newest = self.digests.collect(scopes, marks, memory, answer, progress)
        sight(scopes, marks, answer)
        answer.blind += self.digests.awaited if self.digests else []
        for scope in scopes:
            objects = [found for found in answer.objects if found.scope == scope.name]
            read = coverage(scope, objects, newest.get(scope.name))
            answer.coverage.append(read)
            if advances(scope, read, newest.get(scope.name)):
                answer.marks[f"{NAME}|{scope.name}"] = scope.window.end
        return answer

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return the writes of these sessions from the retained parts, judged anew from their exact bytes."""
        keep = connect(self.reading.retained)
        found: list[ChangeEvent] = []
        for account, key, digest, raw in retained.of_sessions(keep, parts, sessions):
            item = decode.record(raw, None, account)
            blinds = decode.blinding(item.wide, self.log_buckets)
            ref = EvidenceRef(kind="log-object", name=key, sha256=digest)
            found.append(decode.event(item, log_object=ref, blinds=blinds))
        return found

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
            futures = [_given(pool, task) for task in tasks]
            done = 0
            for future in as_completed(futures):
                done += len(tasks[futures.index(future)].objects)
                progress("reading log objects", done, total)
            return [self._answer(future, task) for future, task in zip(futures, tasks, strict=True)]

    def _answer(self, future: Future[Scanned], task: Task) -> Scanned:
        """Return a worker's answer; of a worker that died, that none of its objects was read. What it wrote is removed."""
        try:
            return future.result()
        except BrokenExecutor:
            keep = connect(self.reading.retained)
            with contextlib.suppress(SourceError):  # Where nothing was written yet there is nothing to remove.
                for path in retained.left_by(keep, {task.name.rpartition("-")[0]}):
                    if path.rpartition("/")[2].startswith(f"{task.name}."):
                        keep.delete(path)
            why = "the worker that read it died: out of memory, or killed"
            todo = (
                "give the monitor more memory or fewer workers, or lower aws.trail_logs.max_object_mb; then sweep again"
            )
            return Scanned(unread=[(scope, info.key, "Unavailable", why, todo) for scope, _, info in task.objects])

    def _merge(self, scanned: list[Scanned], memory: Memory, answer: Collected) -> None:
        """Join the workers' answers in order. An event that was delivered twice, now or earlier, counts once.

        One that bears the id of another and says something else is kept too, and its object is damaged: AWS delivers the
        same bytes again, so that somebody else wrote one of the two.
        """
        keep = connect(self.reading.retained)
        seen = self._earlier(scanned, memory, keep)
        contents = {(account, event): digest for account, event, digest in sorted(seen)}
        untrusted = {key for one in scanned for key in one.untrusted}
        repeated = sum(one.repeated for one in scanned)
        strange: Counter[str] = Counter()
        for one in scanned:
            again: dict[str, set[tuple[str, str]]] = {}
            found: list[ChangeEvent | TokenExchange] = [*one.events, *one.exchanges]
            for fact in found:
                identity = (fact.account, fact.id, fact.sha256)
                if identity in seen:
                    again.setdefault(fact.account, set()).add((fact.id, fact.sha256))
                    continue
                seen.add(identity)
                if contents.setdefault((fact.account, fact.id), fact.sha256) != fact.sha256 and fact.evidence:
                    strange[fact.evidence.name] += 1
                if isinstance(fact, ChangeEvent):
                    answer.facts.append(fact)
                elif fact.access_key not in untrusted:
                    answer.exchanges.append(fact)
            repeated += sum(map(len, again.values()))
            answer.objects += one.objects
            for part in one.parts:
                unwanted = again.get(part.account)
                kept: RetainedPart | None = retained.without(keep, part, unwanted) if unwanted else part
                if kept:
                    answer.parts.append(kept)
        if strange:
            answer.objects[:] = [_suspected(found, strange[found.key]) for found in answer.objects]
        if repeated:
            answer.notes["delivered_again"] = repeated

    def _earlier(self, scanned: list[Scanned], memory: Memory, keep: Objects) -> set[tuple[str, str, str]]:
        """Return account, id and digest of each event that earlier sweeps kept for the same accounts and days."""
        days: dict[str, set[str]] = {}
        for part in (part for one in scanned for part in one.parts):
            days.setdefault(part.account, set()).add(part.day)
        return {
            (account, event, digest)
            for account, found in days.items()
            for event, digest in retained.ids(
                keep, [p for p in memory.parts(account, min(found), max(found)) if p.day in found]
            )
        }


def _suspected(found: LogObject, count: int) -> LogObject:
    if not count:
        return found
    what = f"{count} of its records bear the id of another event and say something else"
    return msgspec.structs.replace(found, damage=f"{found.damage}; {what}".strip("; "))


def _given(pool: Executor, task: Task) -> Future[Scanned]:
    """Return a task's future; of a pool that is broken already, one that says so."""
    try:
        return pool.submit(scan, task)
    except BrokenExecutor as broken:
        future: Future[Scanned] = Future()
        future.set_exception(broken)
        return future


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

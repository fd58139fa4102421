"""The CloudTrail log as a source: list what is new, read each object once, verify the digest chain, report coverage.

Events are read by object, not by time: an object that is delivered late is new when it appears, and is read then, as long
as its folder's day is within the overlap. A scope is one account and region.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from datetime import datetime
from functools import partial

import msgspec

from monitor.decode import cloudtrail as decode
from monitor.expected.models import AwsEstate
from monitor.facts.audit_log import LogChain
from monitor.facts.change import ChangeEvent
from monitor.facts.log_object import RetainedPart
from monitor.model import EvidenceRef, Window
from monitor.sources import retained
from monitor.sources.aws.digests import NAME as DIGESTS
from monitor.sources.aws.digests import DigestReader
from monitor.sources.aws.scan import Task, scan
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
from monitor.sources.ports import Collected, Memory, Progress, Request
from monitor.sources.scanned import Scanned, groups, merge, work


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
        merge(scanned, memory, connect(self.reading.retained), answer)
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
            if self.reading.logs.bucket:
                # One GetObject each; what lists them is some calls a day and scope.
                read = msgspec.structs.replace(read, counts=read.counts | {"requests": len(objects)})
            answer.coverage.append(read)
            if advances(scope, read, newest.get(scope.name)):
                answer.marks[f"{NAME}|{scope.name}"] = scope.window.end
        return answer

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return the writes of these sessions from the retained parts, judged anew from their exact bytes."""
        keep = connect(self.reading.retained)
        found: list[ChangeEvent] = []
        mine = [session for session in sessions if session.startswith(f"{decode.PROVIDER}:")]
        for account, key, digest, raw in retained.of_sessions(keep, parts, mine) if mine else ():
            item = decode.record(raw, None, account)
            blinds = decode.blinding(item.wide, self.log_buckets)
            ref = EvidenceRef(kind="log-object", name=key, sha256=digest)
            found.append(decode.event(item, log_object=ref, blinds=blinds))
        return found

    def _scan(self, request: Request, scopes: list[Scope], progress: Progress) -> list[Scanned]:
        reading = self.reading
        todo = [(scope.name, scope.account, info) for scope in scopes for info in scope.new]
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
        return work(
            scan,
            tasks,
            self.executor if reading.workers > 1 else None,
            connect(reading.retained),
            partial(progress, "reading log objects"),
            "aws.trail_logs.max_object_mb",
        )

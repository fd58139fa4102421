"""Google Cloud's audit log as a source: from hourly files that a sink writes, or asked of Cloud Logging; each entry once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from functools import partial
from operator import itemgetter

import msgspec

from monitor.decode import gcp_audit as decode
from monitor.errors import SourceError
from monitor.expected.models import GcpEstate
from monitor.facts.change import ChangeEvent, operation
from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import EvidenceRef, ScopeCoverage, Window
from monitor.sources import retained
from monitor.sources.connect import connect
from monitor.sources.gcp.log_scan import Reader, Task, scan
from monitor.sources.gcp.log_scopes import FILES, NAME, Failure, Files, Reading, coverage, list_new, silence
from monitor.sources.objects import ObjectInfo
from monitor.sources.ports import Collected, Memory, Progress, Request
from monitor.sources.scanned import Scanned, groups, merge, work

OPERATION, ENDED = "gcp.operation", "gcp.operation-ended"
_LONGEST_OPERATION = timedelta(days=14)


Asker = Callable[[str, Window, timedelta, Callable[[int, bytes], None]], SourceError | None]
"""Asks Cloud Logging for a project's entries that were received in a window, however late (up to the overlap); gives each
page with its number; returns why there are no more, or None at the end."""


def _scope(place: str) -> str:
    """Return the scope of a project (`gcp:example-prod`), or of what is above (`gcp:organization-1`, as entries are placed)."""
    kind, slash, number = place.partition("/")
    return f"gcp:{kind.removesuffix('s')}-{number}" if slash else f"gcp:{place}"


class GcpLogs:
    """Reads the audit logs of all declared projects. `executor` gives the pool of workers; `asker` asks where no files are."""

    name = NAME
    provides = (ChangeEvent,)
    once = provides

    def __init__(
        self,
        estate: GcpEstate,
        reading: Reading,
        executor: Callable[[], Executor],
        asker: Asker | None = None,
        log_buckets: frozenset[str] = frozenset(),
    ) -> None:
        self.estate = estate
        self.reading = reading
        self.executor = executor
        self.asker = asker
        self.log_buckets = log_buckets
        self.production = frozenset(project.id for project in estate.projects)
        self.projects = {one.number: one.id for one in (*estate.projects, *estate.watched) if one.number}

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return the declared projects, and what is declared above them."""
        return {NAME: tuple(_scope(name) for name in self._places)}

    @property
    def _places(self) -> tuple[str, ...]:
        """Return projects by their ids, and what is above them by its name."""
        projects = (*self.estate.projects, *self.estate.watched)
        return (*(project.id for project in projects), *self.estate.above)

    def due(self, request: Request, memory: Memory) -> Window:
        """Return the span from the oldest mark of a declared project to what has settled."""
        marks = memory.marks()
        windows = [self.reading.window(scope, request, marks) for scope in self.scopes()[NAME]]
        return Window(min(w.start for w in windows), max(w.end for w in windows))

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return the writes and token exchanges that are new, and coverage of every project."""
        answer = Collected(object_source=self.reading.source)
        answer.notes["locations"] = {NAME: str(self.reading.logs or "entries:list")}
        read = self._files if self.reading.logs else self._asked
        read(request, memory, progress, answer)
        self._join_operations(self.due(request, memory).start, memory, answer)
        return answer

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return the writes of these sessions from the retained parts, judged anew from their exact bytes."""
        keep = connect(self.reading.retained)
        mine = [session for session in sessions if session.startswith(f"{decode.PROVIDER}:")]
        found: list[ChangeEvent] = []
        for _, key, digest, raw in retained.of_sessions(keep, parts, mine) if mine else ():
            ref = EvidenceRef(kind="log-object", name=key, sha256=digest)
            item = decode.record(raw, self.projects)
            found.append(decode.event(item, log_object=ref, log_buckets=self.log_buckets))
        return found

    def _task(self, name: str, objects: tuple[tuple[str, str, ObjectInfo], ...] = ()) -> Task:
        reading = self.reading
        logs = reading.logs or reading.retained
        return Task(
            name=name,
            logs=logs,
            retained=reading.retained,
            objects=objects,
            production=self.production,
            projects=self.projects,
            source=reading.source,
            log_buckets=self.log_buckets,
            limit=reading.limit,
            threads=8 if logs.bucket else 1,
        )

    def _files(self, request: Request, memory: Memory, progress: Progress, answer: Collected) -> None:
        reading = self.reading
        assert reading.logs
        marks = memory.marks()
        scopes = self.scopes()[NAME]
        window = self.due(request, memory)
        marked = [f"{NAME}|{scope}" in marks for scope in scopes]
        progress("listing log files", 0, 1)
        files = list_new(
            connect(reading.logs),
            reading,
            window,
            memory,
            first=not any(marked),
            joined=any(marked) and not all(marked),
        )
        scanned = self._scan(request, files, progress)
        files.failed += [(kind, key, what, todo) for one in scanned for _, key, kind, what, todo in one.unread]
        merge(scanned, memory, connect(reading.retained), answer)
        files.failed += [
            (
                "Malformed",
                key,
                "its name is not that of a sink's file, so that it was not read",
                "move it away, or report it",
            )
            for key in files.strangers
        ]
        for scope in scopes:
            due = reading.window(scope, request, marks)
            silent = silence(files.heard, due, reading) if due.end > due.start else ""
            read = coverage(scope, due, answer.objects, files.failed, behind=self._behind(due, request), silent=silent)
            self._covered(read, due, files.failed or silent, marks, answer)

    def _scan(self, request: Request, files: Files, progress: Progress) -> list[Scanned]:
        todo = [(FILES, "", info) for info in files.new]
        shares = groups(todo, self.reading.workers)
        tasks = [self._task(f"{request.sweep}-gcp{number}", share) for number, share in enumerate(shares)]
        return work(
            scan,
            tasks,
            self.executor if self.reading.workers > 1 else None,
            connect(self.reading.retained),
            partial(progress, "reading log files"),
            "gcp.logs.max_object_mb",
        )

    def _asked(self, request: Request, memory: Memory, progress: Progress, answer: Collected) -> None:
        assert self.asker
        marks = memory.marks()
        read: list[tuple[str, Window, Scanned, list[Failure]]] = []
        for number, place in enumerate(self._places):
            scope = _scope(place)
            window = self.reading.window(scope, request, marks)
            reader = Reader(self._task(f"{request.sweep}-gcp{number}"))
            span = f"{window.start:%Y-%m-%dT%H:%M:%SZ}/{window.end:%Y-%m-%dT%H:%M:%SZ}"
            failed: list[Failure] = []
            if window.start < window.end:

                def took(page: int, body: bytes, reader: Reader = reader, scope: str = scope, span: str = span) -> None:
                    progress(f"reading the log of {scope}", page, 0)
                    reader.page(f"entries:list {scope} {span} page {page}", scope, body)

                error = self.asker(place, window, self.reading.overlap, took)
                if error is not None:
                    failed.append((type(error).__name__, f"entries:list {scope}", error.what, error.todo))
            reader.flush()
            read.append((scope, window, reader.answer, failed))
        merge([one for _, _, one, _ in read], memory, connect(self.reading.retained), answer)
        for scope, window, _, failed in read:
            mine = [found for found in answer.objects if found.scope == scope]
            told = coverage(scope, window, mine, failed, behind=self._behind(window, request), silent="")
            told = msgspec.structs.replace(told, counts=told.counts | {"requests": len(mine)})
            self._covered(told, window, failed, marks, answer)

    def _behind(self, window: Window, request: Request) -> bool:
        until = self.reading.until
        return self.reading.settled(request) < window.start and not (until and until <= window.start)

    def _covered(
        self, read: ScopeCoverage, window: Window, lacking: object, marks: Mapping[str, datetime], answer: Collected
    ) -> None:
        """Report a project. Its mark moves on unless something is lacking, which a later sweep reads then."""
        answer.coverage.append(read)
        known = marks.get(f"{NAME}|{read.scope}")
        hole = known is not None and window.start > known
        if not lacking and not hole and window.end > (known or window.start):
            answer.marks[f"{NAME}|{read.scope}"] = window.end
        answer.since[read.scope.partition(":")[2]] = window.start

    def _join_operations(self, start: datetime, memory: Memory, answer: Collected) -> None:
        """Let the last entry of an operation be no second change, where its first one was seen, now or in an earlier sweep.

        An operation ends once, and by whom it was begun.
        """
        events = [fact for fact in answer.facts if isinstance(fact, ChangeEvent) and fact.operation]
        if not events:
            return
        since = start - _LONGEST_OPERATION
        ended = {one.subject: msgspec.json.decode(one.body, type=str) for one in memory.remembered(ENDED, since=since)}
        begun = {one.subject for one in memory.remembered(OPERATION, since=since)}
        first = {operation(event): event for event in events if not event.ends}
        begun |= first.keys()
        gone: dict[str, ChangeEvent] = {}
        for event in events:
            name = operation(event)
            # A window may be read again: the entry that ended it then ends it still, and no other does.
            if event.ends and name in begun | ended.keys() and ended.setdefault(name, event.id) == event.id:
                gone[name] = event
        last = {id(event) for event in gone.values()}
        answer.facts[:] = [fact for fact in answer.facts if id(fact) not in last]
        self._forget(gone.values(), answer)
        answer.remember += [
            Remembered(kind=kind, id=name, subject=name, at=event.time, body=msgspec.Raw(msgspec.json.encode(event.id)))
            for kind, found in ((OPERATION, first), (ENDED, gone))
            for name, event in sorted(found.items(), key=itemgetter(0))
        ]

    def _forget(self, events: Iterable[ChangeEvent], answer: Collected) -> None:
        """Take events out of the retained parts: they would be judged again without the entry that began them."""
        unwanted: dict[tuple[str, str], set[tuple[str, str]]] = {}
        for event in events:
            place = (event.account, event.time.isoformat()[:10])
            unwanted.setdefault(place, set()).add((event.id, event.sha256))
        keep = connect(self.reading.retained)
        kept = [
            retained.without(keep, part, unwanted[part.account, part.day])
            if (part.account, part.day) in unwanted
            else part
            for part in answer.parts
        ]
        answer.parts[:] = [part for part in kept if part]

"""What the workers that read log objects answer, and how their answers become one. For every provider's log."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, as_completed
from itertools import islice
from typing import Protocol, TypeVar

import msgspec

from monitor.errors import SourceError
from monitor.facts.change import ChangeEvent, TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.sources import retained
from monitor.sources.objects import ObjectInfo, Objects
from monitor.sources.ports import Collected, Memory

_SMALL = 4 << 20


class Scanned(msgspec.Struct):
    """What a worker answers: facts, coverage of each object, the retained parts, and what could not be read at all."""

    objects: list[LogObject] = []
    repeated: int = 0
    events: list[ChangeEvent] = []
    exchanges: list[TokenExchange] = []
    untrusted: list[str] = []
    """Access keys that were issued by records salvaged after a syntax error: they prove nothing."""
    parts: list[RetainedPart] = []
    unread: list[tuple[str, str, str, str, str]] = []
    """Of each object that could not be fetched: scope, key, kind of error, reason, what to grant."""


Listed = tuple[str, str, ObjectInfo]
"""An object that is to be read: its scope, its account, and its listing."""


def fetch(store: Objects, objects: Sequence[Listed], threads: int) -> Iterator[tuple[Listed, bytes | SourceError]]:
    """Yield objects with their bytes, or why they could not be read.

    With several threads they are fetched ahead: latency is the cost of a bucket.
    """

    def get(entry: Listed) -> bytes | SourceError:
        try:
            return store.read(entry[2].key)
        except SourceError as failed:
            return failed

    if threads <= 1:
        for entry in objects:
            yield entry, get(entry)
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[bytes | SourceError]] = deque()
        waiting = iter(objects)
        for entry in islice(waiting, 2 * threads):
            ahead.append(pool.submit(get, entry))
        for entry in objects:
            body = ahead.popleft().result()
            ahead.extend(pool.submit(get, following) for following in islice(waiting, 1))
            yield entry, body


class Task(Protocol):
    """One worker's share of the objects: of each its scope, its account, and its listing."""

    @property
    def name(self) -> str:
        """Return the name that its retained parts bear."""

    @property
    def objects(self) -> tuple[Listed, ...]:
        """Return its objects."""


T = TypeVar("T", bound=Task)


def work(
    scan: Callable[[T], Scanned],
    tasks: Sequence[T],
    executor: Callable[[], Executor] | None,
    keep: Objects,
    progress: Callable[[int, int], None],
    bound: str,
) -> list[Scanned]:
    """Return the answers of all tasks, in order; in this process where there is no pool or just one task.

    Of a worker that died, none of its objects counts as read. `bound` names the setting that bounds an object's size.
    """
    total = sum(len(task.objects) for task in tasks)
    progress(0, total)
    done = 0
    if executor is None or len(tasks) <= 1:
        answers = []
        for task in tasks:
            answers.append(scan(task))
            done += len(task.objects)
            progress(done, total)
        return answers
    with executor() as pool:
        futures = [_given(pool, scan, task) for task in tasks]
        shares = {id(future): len(task.objects) for future, task in zip(futures, tasks, strict=True)}
        for future in as_completed(futures):
            done += shares[id(future)]
            progress(done, total)
        return [_answer(future, task, keep, bound) for future, task in zip(futures, tasks, strict=True)]


def _given(pool: Executor, scan: Callable[[T], Scanned], task: T) -> Future[Scanned]:
    """Return a task's future; of a pool that is broken already, one that says so."""
    try:
        return pool.submit(scan, task)
    except BrokenExecutor as broken:
        future: Future[Scanned] = Future()
        future.set_exception(broken)
        return future


def _answer(future: Future[Scanned], task: Task, keep: Objects, bound: str) -> Scanned:
    """Return a worker's answer; of a worker that died, that none of its objects was read. What it wrote is removed."""
    try:
        return future.result()
    except BrokenExecutor:
        with contextlib.suppress(SourceError):  # Where nothing was written yet there is nothing to remove.
            for path in retained.left_by(keep, {task.name.rpartition("-")[0]}):
                if path.rpartition("/")[2].startswith(f"{task.name}."):
                    keep.delete(path)
        why = "the worker that read it died: out of memory, or killed"
        todo = f"give the monitor more memory or fewer workers, or lower {bound}; then sweep again"
        return Scanned(unread=[(scope, info.key, "Unavailable", why, todo) for scope, _, info in task.objects])


def merge(scanned: list[Scanned], memory: Memory, keep: Objects, answer: Collected) -> None:
    """Join the workers' answers in order. An event that was delivered twice, now or earlier, counts once.

    One that bears the id of another and says something else is kept too, and its object is damaged: providers deliver the
    same bytes again, so that somebody else wrote one of the two.
    """
    seen = _earlier(scanned, memory, keep)
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
            elif not fact.access_key or fact.access_key not in untrusted:
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
        answer.notes["delivered_again"] = answer.notes.get("delivered_again", 0) + repeated


def _earlier(scanned: list[Scanned], memory: Memory, keep: Objects) -> set[tuple[str, str, str]]:
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


def groups(todo: Iterable[Listed], workers: int) -> list[tuple[Listed, ...]]:
    """Return shares of about equal size in bytes, in order, a few for each worker so that none waits long for another."""
    entries = sorted(todo, key=lambda entry: entry[2].key)
    total = sum(entry[2].size for entry in entries)
    share = max(_SMALL, total // max(1, workers * 8)) if workers > 1 else max(_SMALL, total)
    found: list[tuple[Listed, ...]] = []
    group: list[Listed] = []
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

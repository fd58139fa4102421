"""The heavy work: read log files, inflate, judge what kind each record is, keep what matters. Runs in a worker.

A worker is given a group of objects and answers with facts; it holds one object at a time. What it answers with is small
next to what it read: one LogObject for each file, and the writes and token exchanges among the records.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import msgspec

from monitor.decode import cloudtrail as decode
from monitor.decode.aws_catalogue import BLINDING_NAMES
from monitor.decode.cloudtrail import Kind, moment
from monitor.decode.cloudtrail_wire import Flagged, sift
from monitor.decode.inflate import inflate
from monitor.errors import Malformed, SourceError
from monitor.facts.change import Actor, ChangeEvent, TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.model import EvidenceRef
from monitor.sources import retained
from monitor.sources.objects import Location, ObjectInfo, Objects, connect

FLUSH = 20_000
"""Rows held before they are written: bounds a worker's memory whatever the archive's size."""


class Task(msgspec.Struct, frozen=True):
    """One worker's share. `limit` bounds an inflated object, in bytes; `hashes` asks for each object's content digest."""

    name: str
    logs: Location
    retained: Location
    objects: tuple[tuple[str, str, ObjectInfo], ...]
    """Of each object: its scope, its account, and its listing."""
    production: frozenset[str]
    log_buckets: frozenset[str] = frozenset()
    limit: int = 256 << 20
    hashes: bool = True
    threads: int = 1


class Scanned(msgspec.Struct):
    """What a worker answers: facts, coverage of each object, the retained parts, and what could not be read at all."""

    objects: list[LogObject] = []
    repeated: int = 0
    events: list[ChangeEvent] = []
    exchanges: list[TokenExchange] = []
    untrusted: list[str] = []
    """Access keys that were issued by records salvaged after a syntax error: they prove nothing."""
    malformed: list[str] = []
    parts: list[RetainedPart] = []
    unread: list[tuple[str, str, str, str, str]] = []
    """Of each object that could not be fetched: scope, key, kind of error, reason, what to grant."""


class Memory:
    """What a worker remembers from object to object: identities that it decoded, and events that it has kept."""

    def __init__(self) -> None:
        self.holders = decode.Holders()
        self._kept: set[tuple[str, str]] = set()

    def met(self, account: str, event: str, answer: Scanned) -> bool:
        """Return whether an event was kept before: CloudTrail delivers at least once. Counts it if so."""
        if (account, event) in self._kept:
            answer.repeated += 1
            return True
        self._kept.add((account, event))
        return False


def scan(task: Task) -> Scanned:
    """Read every object of a task to its end. Never raises for what an object holds or for one that cannot be read."""
    store = connect(task.logs)
    keep = connect(task.retained)
    answer = Scanned()
    rows: list[retained.Row] = []
    memory = Memory()
    part = 0
    for scope, account, info, body in _fetch(store, task, answer):
        read_object(info.key, scope, account, body, task, answer, rows, memory)
        if len(rows) >= FLUSH:
            answer.parts += retained.write(keep, rows, f"{task.name}.{part}")
            rows.clear()
            part += 1
    if rows:
        answer.parts += retained.write(keep, rows, f"{task.name}.{part}")
    return answer


def _fetch(store: Objects, task: Task, answer: Scanned) -> Iterator[tuple[str, str, ObjectInfo, bytes]]:
    """Yield objects with their bytes; a bucket's are fetched ahead by a few threads, since latency is the cost there."""

    def get(entry: tuple[str, str, ObjectInfo]) -> bytes | SourceError:
        try:
            return store.read(entry[2].key)
        except SourceError as failed:
            return failed

    def bodies() -> Iterator[bytes | SourceError]:
        if task.threads <= 1:
            yield from map(get, task.objects)
            return
        with ThreadPoolExecutor(task.threads) as pool:
            ahead = [pool.submit(get, entry) for entry in task.objects[: 2 * task.threads]]
            for at in range(len(task.objects)):
                body = ahead.pop(0).result()
                if at + 2 * task.threads < len(task.objects):
                    ahead.append(pool.submit(get, task.objects[at + 2 * task.threads]))
                yield body

    for (scope, account, info), body in zip(task.objects, bodies(), strict=True):
        if isinstance(body, SourceError):
            answer.unread.append((scope, info.key, type(body).__name__, body.what, body.todo))
        else:
            yield scope, account, info, body


def read_object(
    key: str,
    scope: str,
    account: str,
    body: bytes,
    task: Task,
    answer: Scanned,
    rows: list[retained.Row],
    memory: Memory,
) -> None:
    """Judge one object's bytes; add what was found to the answer, and what is to be kept to the rows."""
    digest = hashlib.sha256(body).hexdigest()
    try:
        content = inflate(body, task.limit)
    except Malformed as damaged:
        answer.objects.append(LogObject(key=key, scope=scope, sha256=digest, size=len(body), damage=damaged.what))
        return
    content_digest = hashlib.sha256(content).hexdigest() if task.hashes else ""
    memory.holders.elsewhere = account not in task.production
    found = sift(content, memory.holders.plain)
    tally = _Tally()
    region = scope.rsplit(":", 1)[-1]
    ref = EvidenceRef(kind="log-object", name=key, sha256=digest)
    for flagged in found.flagged:
        try:
            _judge(flagged, account, region, ref, task, answer, rows, tally, memory)
        except Malformed as wrong:
            tally.malformed += 1
            tally.example = tally.example or f"record {flagged.number + 1}: {wrong.what}"
    damage = found.damage
    if tally.malformed and not damage:
        damage = f"{tally.malformed} of {found.records} records cannot be understood ({tally.example})"
    answer.objects.append(
        LogObject(
            key=key,
            scope=scope,
            sha256=digest,
            content_sha256=content_digest,
            size=len(body),
            raw_size=len(content),
            events=found.records,
            reads=found.records - len(found.flagged) - sum(found.plain.values()) + tally.reads,
            attempts=tally.attempts,
            data_events=tally.data + found.plain.get("data_events", 0),
            service_writes=tally.service + found.plain.get("service_writes", 0),
            telemetry=tally.telemetry + found.plain.get("telemetry", 0),
            writes=tally.writes,
            exchanges=tally.exchanges,
            elsewhere=tally.elsewhere + found.plain.get("elsewhere", 0),
            first=moment(found.first),
            last=moment(found.last),
            damage=damage,
        )
    )


class _Tally(msgspec.Struct):
    reads: int = 0
    attempts: int = 0
    data: int = 0
    service: int = 0
    telemetry: int = 0
    writes: int = 0
    exchanges: int = 0
    elsewhere: int = 0
    malformed: int = 0
    example: str = ""


def _judge(
    flagged: Flagged,
    account: str,
    region: str,
    ref: EvidenceRef,
    task: Task,
    answer: Scanned,
    rows: list[retained.Row],
    tally: _Tally,
    memory: Memory,
) -> None:
    if flagged.broken:
        raise Malformed(flagged.broken)
    item = decode.record(flagged.body, flagged.wide, account, memory.holders)
    kind = item.kind
    if kind is Kind.CREDENTIALS:
        tally.exchanges += 1
        exchange = decode.exchange(item, log_object=ref)
        if exchange is None or memory.met(exchange.account, exchange.id, answer):
            return
        if flagged.trusted:
            answer.exchanges.append(exchange)
        else:
            answer.untrusted.append(exchange.access_key)
        action = f"{item.wide.eventSource.removesuffix('.amazonaws.com')}:{item.wide.eventName}"
        rows.append(_row(item, exchange.id, exchange.time, "exchange", "", action, exchange.source, region, ref))
        return
    if kind is Kind.WRITE or (kind is Kind.SERVICE and item.wide.eventName in BLINDING_NAMES):
        blinds = decode.blinding(item.wide, task.log_buckets)
        if item.account and item.account not in task.production and not blinds:
            tally.elsewhere += 1
            return
        tally.writes += 1
        event = decode.event(item, region=region, log_object=ref, blinds=blinds)
        if memory.met(event.account, event.id, answer):
            return
        answer.events.append(event)
        session = memory.holders.session(item, event)
        rows.append(_row(item, event.id, event.time, "write", session, event.action, event.actor, region, ref))
    elif kind is Kind.SERVICE:
        tally.service += 1
    elif kind is Kind.READ:
        tally.reads += 1
    elif kind is Kind.DATA:
        tally.data += 1
    elif kind is Kind.TELEMETRY:
        tally.telemetry += 1
    else:
        tally.attempts += 1


def _row(
    item: decode.Record,
    event_id: str,
    when: datetime,
    kind: str,
    session: str,
    action: str,
    actor: Actor,
    region: str,
    ref: EvidenceRef,
) -> retained.Row:
    wide = item.wide
    # In the order of the fields: names would cost half of a row's making.
    return retained.Row(
        item.account,
        when.isoformat()[:10],
        event_id,
        when,
        kind,
        session,
        wide.awsRegion or region,
        action,
        actor.kind,
        actor.name,
        actor.access_key,
        wide.sourceIPAddress or "",
        ref.name,
        item.body,
    )

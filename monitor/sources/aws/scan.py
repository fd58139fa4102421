"""The heavy work: read log files, inflate, judge what kind each record is, keep what matters. Runs in a worker.

A worker is given a group of objects and answers with facts; it holds one object at a time. What it answers with is small
next to what it read: one LogObject for each file, and the writes and token exchanges among the records.
"""

from __future__ import annotations

import hashlib

import msgspec

from monitor.decode import cloudtrail as decode
from monitor.decode.aws_catalogue import BLINDING_NAMES
from monitor.decode.cloudtrail_exchange import exchange as exchange_of
from monitor.decode.cloudtrail_identity import Holders, moment
from monitor.decode.cloudtrail_wire import Flagged, Pass, sift
from monitor.decode.inflate import inflate
from monitor.decode.record_kind import COUNTED, Kind
from monitor.errors import Malformed, SourceError
from monitor.facts.change import Actor, ChangeEvent, TokenExchange
from monitor.facts.log_object import LogObject
from monitor.model import EvidenceRef
from monitor.sources import retained
from monitor.sources.connect import connect
from monitor.sources.objects import Location, ObjectInfo
from monitor.sources.scanned import Scanned, fetch

_DENSE, _RECORD = 40, 64
"""A log file inflates tenfold, and no record is so short (bytes): what is otherwise would cost a worker all its memory."""
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


def scan(task: Task) -> Scanned:
    """Read every object of a task to its end. Never raises for what an object holds or for one that cannot be read."""
    store = connect(task.logs)
    reader = _Reader(task)
    for (scope, account, info), body in fetch(store, task.objects, task.threads):
        if isinstance(body, SourceError):
            reader.answer.unread.append((scope, info.key, type(body).__name__, body.what, body.todo))
        else:
            reader.read(info.key, scope, account, body)
    reader.flush()
    return reader.answer


class _Reader:
    """One task under way: what was found, the rows that are not written yet, and what is remembered from object to object."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.answer = Scanned()
        self._keep = connect(task.retained)
        self._rows: list[retained.Row] = []
        self._written = 0
        self._holders = Holders()
        self._kept: set[tuple[str, str, str]] = set()

    def flush(self) -> None:
        """Write the rows that are held."""
        if self._rows:
            self.answer.parts += retained.write(self._keep, self._rows, f"{self.task.name}.{self._written}")
            self._rows.clear()
            self._written += 1

    def read(self, key: str, scope: str, account: str, body: bytes) -> None:
        """Judge one object's bytes."""
        task, answer = self.task, self.answer
        digest = hashlib.sha256(body).hexdigest()
        try:
            content = inflate(body, task.limit)
            if len(content) > _DENSE * len(body) and content.count(b"},{") > len(content) // _RECORD:
                raise Malformed("holds more records than a log file of its size can")
        except Malformed as damaged:
            answer.objects.append(LogObject(key=key, scope=scope, sha256=digest, size=len(body), damage=damaged.what))
            return
        self._holders.elsewhere = account not in task.production
        found = sift(content, self._holders.plain)
        counts = found.plain
        counts["reads"] = found.records - len(found.flagged) - sum(counts.values())
        damage = found.damage
        if found.flagged:
            damage = self._judge(found, account, scope, EvidenceRef("log-object", key, digest), counts) or damage
        answer.objects.append(
            LogObject(
                key=key,
                scope=scope,
                sha256=digest,
                content_sha256=hashlib.sha256(content).hexdigest() if task.hashes else "",
                size=len(body),
                raw_size=len(content),
                events=found.records,
                first=moment(found.first),
                last=moment(found.last),
                damage=damage,
                **counts,  # type: ignore[arg-type]
            )
        )
        if len(self._rows) >= FLUSH:
            self.flush()

    def _judge(self, found: Pass, account: str, scope: str, ref: EvidenceRef, counts: dict[str, int]) -> str:
        """Judge the records that need a look; return what cannot be understood, empty if all of it can."""
        region = scope.rpartition(":")[2]
        malformed, example = 0, ""
        for flagged in found.flagged:
            try:
                field = self._record(flagged, account, region, ref)
                counts[field] = counts.get(field, 0) + 1
            except Malformed as wrong:
                malformed += 1
                example = example or f"record {flagged.number + 1}: {wrong.what}"
        return f"{malformed} of {found.records} records cannot be understood ({example})" if malformed else ""

    def _record(self, flagged: Flagged, account: str, region: str, ref: EvidenceRef) -> str:
        """Judge one record; return the field of LogObject under which it counts. Raises Malformed."""
        if flagged.broken:
            raise Malformed(flagged.broken)
        item = decode.record(flagged.body, flagged.wide, account, self._holders)
        kind = item.kind
        if kind is Kind.CREDENTIALS:
            exchange = exchange_of(item, log_object=ref)
            if exchange is not None and not self._met(exchange):
                self._exchange(item, exchange, flagged.trusted, region, ref)
            return "exchanges"
        if kind is not Kind.WRITE and not (kind is Kind.SERVICE and item.wide.eventName in BLINDING_NAMES):
            return COUNTED[kind]
        blinds = decode.blinding(item.wide, self.task.log_buckets)
        if item.account and item.account not in self.task.production and not blinds:
            return "elsewhere"
        event = decode.event(item, region=region, log_object=ref, blinds=blinds)
        if not self._met(event):
            self.answer.events.append(event)
            session = self._holders.session(item.holder, event)
            self._rows.append(_row(item, event, "write", session, event.action, event.actor, region, ref))
        return "writes"

    def _exchange(
        self, item: decode.Record, exchange: TokenExchange, trusted: bool, region: str, ref: EvidenceRef
    ) -> None:
        if trusted:
            self.answer.exchanges.append(exchange)
        else:
            self.answer.untrusted.append(exchange.access_key)
        action = f"{item.wide.eventSource.removesuffix('.amazonaws.com')}:{item.wide.eventName}"
        self._rows.append(_row(item, exchange, "exchange", "", action, exchange.source, region, ref))

    def _met(self, fact: ChangeEvent | TokenExchange) -> bool:
        """Return whether the very same event was kept before: CloudTrail delivers at least once. Counts it if so."""
        identity = (fact.account, fact.id, fact.sha256)
        if identity in self._kept:
            self.answer.repeated += 1
            return True
        self._kept.add(identity)
        return False


def _row(
    item: decode.Record,
    fact: ChangeEvent | TokenExchange,
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
        fact.time.isoformat()[:10],
        fact.id,
        fact.time,
        kind,
        session,
        wide.awsRegion or region,
        action,
        actor.kind,
        actor.name,
        actor.access_key,
        wide.sourceIPAddress or "",
        ref.name,
        ref.sha256,
        fact.sha256,
        item.body,
    )

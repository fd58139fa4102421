"""The heavy work: read entries, judge what kind each is, keep what matters. Runs in a worker; holds one object at a time."""

from __future__ import annotations

import hashlib
from datetime import datetime

import msgspec

from monitor.decode import gcp_audit as decode
from monitor.decode import gcp_audit_wire as wire
from monitor.decode.cloudtrail_identity import moment
from monitor.decode.gcp_audit_bodies import may_blind
from monitor.decode.gcp_audit_exchange import exchange as exchange_of
from monitor.decode.gcp_audit_identity import agent
from monitor.decode.inflate import MAGIC, inflate
from monitor.decode.record_kind import COUNTED, Kind
from monitor.errors import Malformed, SourceError
from monitor.facts.change import ChangeEvent, TokenExchange
from monitor.facts.log_object import LogObject
from monitor.facts.session import session_id
from monitor.model import EvidenceRef
from monitor.sources import retained
from monitor.sources.connect import connect
from monitor.sources.gcp.log_layout import is_data_access
from monitor.sources.objects import Location, ObjectInfo
from monitor.sources.scanned import Scanned, fetch

FLUSH = 20_000
"""Rows held before they are written: bounds a worker's memory whatever the archive's size."""


class Task(msgspec.Struct, frozen=True):
    """One worker's share. `limit` bounds an inflated object, in bytes; `production` are the projects whose writes count."""

    name: str
    logs: Location
    retained: Location
    objects: tuple[tuple[str, str, ObjectInfo], ...]
    """Of each object: its scope, nothing, and its listing."""
    production: frozenset[str]
    projects: dict[str, str] = {}
    """Ids of declared projects by number, as far as the numbers are known."""
    source: str = ""
    log_buckets: frozenset[str] = frozenset()
    limit: int = 256 << 20
    threads: int = 1


def scan(task: Task) -> Scanned:
    """Read every object of a task to its end. Never raises for what an object holds or for one that cannot be read."""
    store = connect(task.logs)
    reader = Reader(task)
    for (scope, _, info), body in fetch(store, task.objects, task.threads):
        if isinstance(body, SourceError):
            reader.answer.unread.append((scope, info.key, type(body).__name__, body.what, body.todo))
        else:
            reader.file(info.key, scope, body)
    reader.flush()
    return reader.answer


class Reader:
    """One task under way: what was found, and the rows that are not written yet."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.answer = Scanned()
        self._keep = connect(task.retained)
        self._rows: list[retained.Row] = []
        self._written = 0
        self._kept: set[tuple[str, str, str]] = set()
        self._words: dict[tuple[str, str, str], str] = {}

    def flush(self) -> None:
        """Write the rows that are held."""
        if self._rows:
            self.answer.parts += retained.write(self._keep, self._rows, f"{self.task.name}.{self._written}")
            self._rows.clear()
            self._written += 1

    def file(self, key: str, scope: str, body: bytes) -> None:
        """Judge one hourly file."""
        digest = hashlib.sha256(body).hexdigest()
        try:
            content = inflate(body, self.task.limit) if body.startswith(MAGIC) else body
            if len(content) > self.task.limit:
                raise Malformed(f"is larger than {self.task.limit} bytes")
        except Malformed as damaged:
            self._damaged(key, scope, body, digest, damaged.what)
            return
        self._judge(
            key, scope, body, digest, len(content), wire.sift_lines(content, self._plain, data=is_data_access(key))
        )

    def page(self, key: str, scope: str, body: bytes) -> None:
        """Judge one answer of entries:list."""
        digest = hashlib.sha256(body).hexdigest()
        try:
            found = wire.sift(wire.page(body), self._plain)
        except Malformed as damaged:
            self._damaged(key, scope, body, digest, damaged.what)
            return
        self._judge(key, scope, body, digest, len(body), found)

    def _damaged(self, key: str, scope: str, body: bytes, digest: str, what: str) -> None:
        self.answer.objects.append(
            LogObject(key=key, scope=scope, sha256=digest, size=len(body), damage=what, source=self.task.source)
        )

    def _judge(self, key: str, scope: str, body: bytes, digest: str, raw: int, found: wire.Pass) -> None:
        counts = found.plain
        ref = EvidenceRef("log-object", key, digest)
        malformed, example = 0, ""
        for flagged in found.flagged:
            try:
                field = self._record(flagged, ref)
                counts[field] = counts.get(field, 0) + 1
            except Malformed as wrong:
                malformed += 1
                example = example or f"entry {flagged.number + 1}: {wrong.what}"
        lost = f"{malformed} of {found.records} entries cannot be understood ({example})" if malformed else ""
        self.answer.objects.append(
            LogObject(
                key=key,
                scope=scope,
                sha256=digest,
                size=len(body),
                raw_size=raw,
                events=found.records,
                first=_time(found.first),
                last=_time(found.last),
                damage=lost or found.damage,
                source=self.task.source,
                **counts,  # type: ignore[arg-type]
            )
        )
        if len(self._rows) >= FLUSH:
            self.flush()

    def _plain(self, place: str, service: str, caller: str) -> str:
        """Return under which word a call that writes can be counted as it is, or nothing."""
        asked = (place, service, caller)
        word = self._words.get(asked)
        if word is None:
            if len(self._words) > 1 << 16:
                self._words.clear()
            word = self._words[asked] = self._told(place, service, caller)
        return word

    def _told(self, place: str, service: str, caller: str) -> str:
        if may_blind(service):
            return ""
        kind, _, name = place.partition("/")
        if kind == "projects" and not name.isdigit() and name not in self.task.production:
            return "elsewhere"
        return "service_writes" if agent(caller) and not decode.is_foreign(caller, self.task.projects) else ""

    def _record(self, flagged: wire.Flagged, ref: EvidenceRef) -> str:
        """Judge one entry; return the field of LogObject under which it counts. Raises Malformed."""
        item = decode.understood(flagged, self.task.projects)
        if item.kind is Kind.CREDENTIALS:
            issued = exchange_of(item, log_object=ref)
            if issued is not None and not self._met(issued):
                self.answer.exchanges.append(issued)
                self._row(item, issued, "exchange", "", ref)
            return "exchanges"
        event = decode.event(item, log_object=ref, log_buckets=self.task.log_buckets)
        blinds = bool(event.blinds) and item.kind in (Kind.SERVICE, Kind.DATA)
        if item.kind is not Kind.WRITE and not blinds:
            return COUNTED[item.kind]
        if item.account and item.account not in self.task.production and not event.blinds:
            return "elsewhere"
        if not self._met(event):
            self.answer.events.append(event)
            self._row(item, event, "write", session_id(event), ref)
        return "writes"

    def _met(self, fact: ChangeEvent | TokenExchange) -> bool:
        """Return whether the very same entry was kept before: sinks may write it more than once. Counts it if so."""
        identity = (fact.account, fact.id, fact.sha256)
        if identity in self._kept:
            self.answer.repeated += 1
            return True
        self._kept.add(identity)
        return False

    def _row(
        self, item: decode.Record, fact: ChangeEvent | TokenExchange, kind: str, session: str, ref: EvidenceRef
    ) -> None:
        audit = item.audit
        self._rows.append(
            retained.Row(
                item.account,
                fact.time.isoformat()[:10],
                fact.id,
                fact.time,
                kind,
                session,
                "global",
                f"{audit.service_name.removesuffix('.googleapis.com')}:{audit.method_name}",
                item.actor.kind,
                item.actor.name,
                item.actor.access_key,
                audit.request_metadata.caller_ip,
                ref.name,
                ref.sha256,
                fact.sha256,
                item.body,
            )
        )


def _time(text: str) -> datetime | None:
    return moment(decode.microseconds(text)) if text else None

"""Judge saved documents without a sweep: to try expected state, and new rules, on real material. Stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import msgspec

from monitor.decode import cloudtrail
from monitor.decode.cloudtrail_exchange import exchange as exchange_of
from monitor.decode.record_kind import WHY, Kind
from monitor.errors import Malformed
from monitor.expected.models import Production
from monitor.facts.change import ChangeEvent, ChangeSession, TokenExchange, operation
from monitor.facts.session import Exchanges, join
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Window
from monitor.sweep.evaluate import Expected, run

E = TypeVar("E", bound=Expectation)
_JUDGED_BY = "direct-production-change"
ORDER = (Outcome.FAIL, Outcome.ERROR, Outcome.UNKNOWN, Outcome.PASS, Outcome.NOT_APPLICABLE)
"""Of several results of one document, the first of these is told."""
_UNTIMED = datetime(1970, 1, 1, tzinfo=UTC)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one document; `n` counts them from 1."""

    n: int
    outcome: Outcome
    check: str
    subject: str = ""
    change_class: str | None = msgspec.field(default=None, name="class")
    actor: str = ""
    reason: str = ""
    expected: dict[str, Any] = {}
    observed: dict[str, Any] = {}


class Built:
    """Expected state that builds each check's expectation once."""

    def __init__(self, expected: Expected) -> None:
        self.expected = expected
        self.built: dict[type[Expectation], Any] = {}

    def build(self, cls: type[E]) -> E:
        """Return the expectation that a check asks for."""
        if cls not in self.built:
            self.built[cls] = self.expected.build(cls)
        found: E = self.built[cls]
        return found


def documents(content: bytes | bytearray) -> list[bytes]:
    """Return each document's bytes: of one JSON document, an array, a CloudTrail file, or one document a line. Never raises."""
    whole = bytes(content).removeprefix(b"\xef\xbb\xbf").strip()
    if not whole:
        return []
    try:
        return _of(whole)
    except (msgspec.DecodeError, RecursionError):
        pass
    found: list[bytes] = []
    for line in whole.splitlines():
        text = line.strip()
        if text:
            try:
                found += _of(text)
            except (msgspec.DecodeError, RecursionError):
                found.append(text)
    return found


class _File(msgspec.Struct):
    Records: list[msgspec.Raw]
    eventName: msgspec.Raw = msgspec.Raw(b"")


class _LookedUp(msgspec.Struct):
    CloudTrailEvent: str


class _Lookup(msgspec.Struct):
    Events: list[_LookedUp]


class _Entries(msgspec.Struct):
    """What Cloud Logging's entries:list answers."""

    entries: list[msgspec.Raw]
    insertId: msgspec.Raw = msgspec.Raw(b"")


_entries = msgspec.json.Decoder(_Entries).decode
_lookup = msgspec.json.Decoder(_Lookup).decode
_list = msgspec.json.Decoder(list[msgspec.Raw]).decode
_file = msgspec.json.Decoder(_File).decode
_valid = msgspec.json.Decoder(msgspec.Raw).decode


def _of(text: bytes) -> list[bytes]:
    if text.startswith(b"["):
        return [bytes(raw) for raw in _list(text)]
    _valid(text)
    if b'"CloudTrailEvent"' in text:
        try:
            # What `aws cloudtrail lookup-events` prints: each record as a string within a list.
            return [event.CloudTrailEvent.encode() for event in _lookup(text).Events]
        except (msgspec.ValidationError, UnicodeEncodeError):
            return [text]
    if b'"entries"' in text:
        try:
            listed = _entries(text)
            return [text] if listed.insertId else [bytes(raw) for raw in listed.entries]
        except msgspec.ValidationError:
            return [text]
    if b'"Records"' in text:
        try:
            file = _file(text)
            return [text] if file.eventName else [bytes(raw) for raw in file.Records]
        except msgspec.ValidationError:
            return [text]
    return [text]


class _Places(Expectation):
    """What is production."""

    production: Production = Production()


Item = Malformed | TokenExchange | ChangeEvent | tuple[Kind, str, str]
"""What a document is: not to be understood; an issuing of credentials; a write; else its kind, who called, and its id."""


def judge_events(
    found: Sequence[bytes], item_of: Callable[[bytes, Production], Item], checks: Sequence[Check], expected: Expected
) -> Iterator[Judged]:
    """Yield one verdict a document, in order. Token exchanges anywhere among the documents serve as session proof.

    Documents alone do not show that a log was read whole, so an exchange that is not among them is unknown, never absent.
    """
    built = Built(expected)
    mine = [check for check in checks if ChangeSession in check.facts]
    production = built.build(_Places).production
    items = [item_of(body, production) for body in found]
    exchanges = Exchanges(item for item in items if isinstance(item, TokenExchange))
    begun = {
        operation(item): n
        for n, item in enumerate(items, 1)
        if isinstance(item, ChangeEvent) and item.operation and not item.ends
    }
    sweep = Sweep(id="evaluate", planned_for=_UNTIMED, at=_UNTIMED, window=Window(_UNTIMED, _UNTIMED))
    for n, item in enumerate(items, 1):
        if isinstance(item, Malformed):
            yield Judged(n=n, outcome=Outcome.ERROR, check=_JUDGED_BY, reason=item.what)
        elif isinstance(item, TokenExchange):
            reason = f"{WHY[Kind.CREDENTIALS]}, kept for session proof"
            yield _not_judged(n, item.source.name, reason, item.id)
        elif isinstance(item, ChangeEvent) and item.ends and operation(item) in begun:
            reason = f"the end of an operation that began with document {begun[operation(item)]}: one change"
            yield _not_judged(n, item.actor.name, reason, item.id)
        elif isinstance(item, ChangeEvent):
            yield _judged(n, item, exchanges, mine, built, sweep)
        else:
            kind, who, event = item
            yield _not_judged(n, who, WHY[kind], event)


def _not_judged(n: int, who: str, reason: str, event: str) -> Judged:
    return Judged(n=n, outcome=Outcome.NOT_APPLICABLE, check=_JUDGED_BY, actor=who, reason=reason, subject=event)


def judge_cloudtrail(found: Sequence[bytes], checks: Sequence[Check], expected: Expected) -> Iterator[Judged]:
    """Yield one verdict for each record of CloudTrail."""
    return judge_events(found, _cloudtrail, checks, expected)


def _cloudtrail(body: bytes, production: Production) -> Item:
    try:
        record = cloudtrail.record(body)
        if record.kind is Kind.CREDENTIALS and (exchange := exchange_of(record)):
            return exchange
        if record.kind in (Kind.WRITE, Kind.SERVICE):
            return cloudtrail.event(record)
        who = record.holder.identity
        name = who.arn or who.userName or who.principalId or ""
        return record.kind, name, cloudtrail.event_id(record)
    except Malformed as wrong:
        return wrong


def _gcp(body: bytes, production: Production) -> Item:
    # Google's own library costs a tenth of a second, and most documents are of other kinds.
    from monitor.decode import gcp_audit
    from monitor.decode.gcp_audit_exchange import exchange as issued

    try:
        estate = production.gcp
        numbers = {p.number: p.id for p in (*estate.projects, *estate.watched) if p.number} if estate else {}
        record = gcp_audit.record(body, numbers)
        if record.kind is Kind.CREDENTIALS and (exchange := issued(record)):
            return exchange
        if record.kind in (Kind.WRITE, Kind.SERVICE):
            return gcp_audit.event(record)
        return record.kind, record.actor.name, gcp_audit.event_id(record)
    except Malformed as wrong:
        return wrong


KINDS: dict[str, Callable[[bytes, Production], Item]] = {"cloudtrail": _cloudtrail, "gcp-audit": _gcp}


def _judged(
    n: int, event: ChangeEvent, exchanges: Exchanges, checks: list[Check], expected: Expected, sweep: Sweep
) -> Judged:
    (session,) = join([event], exchanges, lambda account, moment: False)
    results = [
        result
        for check in checks
        for result in run(check, [session], expected, sweep)
        if result.subject.startswith(session.id) or result.outcome is Outcome.ERROR
    ]
    if not results:
        reason = f"account {event.account} is not production"
        return Judged(
            n=n, outcome=Outcome.NOT_APPLICABLE, check=_JUDGED_BY, subject=session.id, actor=event.actor.name,
            reason=reason,
        )  # fmt: skip
    first = min(results, key=_rank)
    return Judged(
        n=n,
        outcome=first.outcome,
        check=first.check,
        subject=first.subject,
        change_class=first.change_class.value if first.change_class else None,
        actor=first.actor,
        reason=first.reason,
        expected=first.expected,
        observed=first.observed,
    )


def _rank(result: Result) -> tuple[int, int, str]:
    return ORDER.index(result.outcome), list(Severity).index(result.severity), result.check

"""Sweeps and results to record: plain ones, and ones from a hostile world."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.facts.change import Actor, TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import (
    ChangeClass,
    CoverageStatus,
    EvidenceRef,
    Outcome,
    Result,
    ScopeCoverage,
    Severity,
    Sweep,
    Window,
)
from monitor.store.record import SealedResult, Sealing, SweepRecord
from monitor.store.text import encode_json

START = datetime(2026, 3, 14, tzinfo=UTC)
DAY = timedelta(days=1)
END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
SOURCE = "cloudtrail"
SCOPE = "aws:111122223333:eu-west-1"
KIND = "github.change"
REPOSITORY = "github:repository:1042"
CHECK = "direct-production-change"

HOSTILE = (
    "nul \0 here",
    "\0",
    "lone \ud800 surrogate \udfff",
    "␀ ␀0 ␀␀ ␀uD800 ␀uZZZZ",
    "'; DROP TABLE finding; --",
    "%s %(name)s :name $1 ? {}",
    '=HYPERLINK("https://example.com")',
    "\x1b[2J\x07 \r\n\t \u202e \ufeff \uffff \U0010ffff",
    "é e\u0301 ß İ 🏴‍☠️",
    "",
    "x" * 100_000,
    "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(20_000)),
)


def sweep(number: int, **more: Any) -> Sweep:
    """Return the sweep of a day."""
    at = START + number * DAY
    return Sweep(id=f"sweep-{number:04d}", planned_for=at, at=at, window=Window(at - DAY, at), **more)


def record(number: int = 0, **more: Any) -> SweepRecord:
    """Return the record of a sweep that read nothing, unless told."""
    return SweepRecord(sweep=sweep(number), object_source=SOURCE, **more)


def sealing(number: int = 0) -> Sealing:
    """Return where that sweep was sealed."""
    return Sealing(100 * number + 99, 100 * number + 100, "ab" * 32, f"evidence.example.com/controls\n{number}\n")


def sealed(
    subject: str,
    outcome: Outcome = Outcome.FAIL,
    *,
    index: int = 0,
    check: str = CHECK,
    severity: Severity = Severity.HIGH,
    reason: str = "written by hand",
    actor: str = "maria",
    change_class: ChangeClass | None = ChangeClass.DIRECT,
) -> SealedResult:
    """Return a sealed result on a subject."""
    result = Result(
        check=check,
        subject=subject,
        outcome=outcome,
        reason=reason,
        severity=severity,
        change_class=change_class,
        actor=actor,
        scope=SCOPE,
    )
    return SealedResult(result, index, hashlib.sha256(f"{index}".encode()).hexdigest())


def judged(outcomes: Mapping[str, Outcome]) -> list[SealedResult]:
    """Return one sealed result a subject."""
    return [sealed(subject, outcome, index=index) for index, (subject, outcome) in enumerate(outcomes.items())]


def log_object(key: str, scope: str = SCOPE, **more: Any) -> LogObject:
    """Return a log object that was read."""
    return LogObject(key=key, scope=scope, sha256="cd" * 32, size=10, raw_size=100, events=3, **more)


def exchange(identity: str, *, time: datetime = START, **more: Any) -> TokenExchange:
    """Return a token exchange."""
    values = {"account": "111122223333", "kind": "web-identity", "access_key": f"ASIAEXAMPLE{identity}"} | more
    return TokenExchange(id=identity, time=time, **values)


def part(day: str, account: str = "111122223333") -> RetainedPart:
    """Return a file of retained events."""
    path = f"account={account}/day={day}/sweep-0000-0.parquet"
    return RetainedPart(path=path, sha256="ef" * 32, rows=7, size=4096, account=account, day=day)


def remembered(
    identity: str, value: Any = None, *, kind: str = KIND, subject: str = REPOSITORY, at: datetime = START
) -> Remembered:
    """Return a value that a source asks to be remembered."""
    return Remembered(kind=kind, id=identity, subject=subject, at=at, body=msgspec.Raw(encode_json(value)))


def hostile_record(text: str, number: int) -> SweepRecord:
    """Return the record of a sweep in which every outside string is this one."""
    covered = ScopeCoverage(
        scope=text,
        source=text,
        status=CoverageStatus.PARTIAL,
        window=Window(START, START + DAY),
        reason=text,
        grant=text,
        counts={text: 3},
        gaps=(text,),
    )
    given = TokenExchange(
        id=text,
        time=datetime(1, 1, 1, tzinfo=UTC),
        account=text,
        kind="role",
        subject=text,
        session_name=text,
        source=Actor(name=text, principals=(text,)),
        access_key=text,
        principal_id=text,
        expires=END_OF_TIME,
        evidence=EvidenceRef("log-object", text),
    )
    read = log_object(text, text, damage=text, content_sha256="12" * 32, first=datetime(1, 1, 1, tzinfo=UTC))
    return SweepRecord(
        sweep=sweep(number, coverage=(covered,)),
        object_source=SOURCE,
        objects=(read,),
        exchanges=(given,),
        marks={text: END_OF_TIME},
        parts=(RetainedPart(path=text, sha256="ef" * 32, rows=1, size=2, account=text, day="2026-03-14"),),
        notes={text: [text, {"deep": text}]},
        remembered=(remembered(text, {text: text}, kind=text, subject=text, at=END_OF_TIME),),
    )

"""Findings, notes and messages to be told, as short as a test can write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.alerts.notes import FindingView, Message, Note, Target, message
from monitor.alerts.words import NoteKind
from monitor.model import Outcome, Severity

AT = datetime(2026, 4, 1, 1, 0, tzinfo=UTC)
CHANNEL = "C0000000001"
OTHER = "C0000000002"


def finding(**more: Any) -> FindingView:
    given = {
        "id": "F-0a1b2c3d",
        "check": "direct-production-change",
        "subject": "aws:111122223333:eu-west-1/session/ASIAEXAMPLE",
        "standing": "open",
        "outcome": Outcome.FAIL,
        "severity": Severity.CRITICAL,
        "scope": "aws:111122223333:eu-west-1",
        "actor": "AWSReservedSSO_Admin_0123/jo@example.com",
        "owner": "payments",
        "reason": "3 writes by a person: PutRolePolicy, PutBucketPolicy, RunInstances",
        "remedy": "Undo the change and bring it in by a pull request, or declare an emergency.",
        "controls": ("PS019-1.1",),
        "first_seen": AT - timedelta(days=3),
        "last_seen": AT,
        "times_seen": 4,
        "links": (("Console", "https://eu-west-1.console.aws.amazon.com/cloudtrailv2/home?region=eu-west-1#/events"),),
    }
    return FindingView(**{**given, **more})


def note(kind: NoteKind = NoteKind.OPENED, at: datetime = AT, view: FindingView | None = None, **more: Any) -> Note:
    view = view or finding()
    given = {
        "key": f"{kind}:{at.isoformat()}:{view.id}",
        "title": f"{kind}: {view.check}",
        "severity": view.severity,
        "finding": view,
    }
    return Note(kind=kind, at=at, **{**given, **more})


def summary(at: datetime = AT, **more: Any) -> Note:
    given: dict[str, Any] = {
        "key": f"nightly-summary:{at.isoformat()}",
        "title": "Summary: 6 findings open, coverage complete",
        "lines": (("Coverage", "complete: 12 of 12 reads are whole"), ("Trend", "9, 8, 6, 0")),
        "counts": {"critical": 1, "high": 5},
    }
    return Note(kind=NoteKind.NIGHTLY_SUMMARY, at=at, **{**given, **more})


def to(note: Note, channel: str = CHANNEL, **more: Any) -> Message:
    sent = message(note, Target("slack", channel), note.at)
    return msgspec.structs.replace(sent, **more)

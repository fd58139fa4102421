"""Findings, moves and sweeps to tell of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.alerts.change import Earlier, Move, SweepChange
from monitor.alerts.notes import FindingView, Message, Target
from monitor.alerts.rules import AlertRules, Route
from monitor.alerts.words import Step
from monitor.model import Outcome, Severity

NOON = datetime(2026, 3, 14, 12, tzinfo=UTC)
TEAM = Target("slack", "C0123456789")
PAGER = Target("smtp", "oncall@example.com")
HOOK = Target("webhook", "siem")
EVERYTHING = AlertRules(routes=(Route(to=(TEAM,)),), summary_at=None)
HOSTILE = (
    "<!channel> <@U0123456789> <https://example.com|click>",
    "a\r\nBcc: everyone@example.com\r\n\r\n<script>alert(1)</script>",
    "nul \0 lone \ud800 \x1b[2J \u202e",
    '=HYPERLINK("https://example.com")',
    "{finding} {0} %s ${x}",
    "",
    "x" * 100_000,
)


def finding(number: int = 0, severity: Severity = Severity.HIGH, **more: Any) -> FindingView:
    given: dict[str, Any] = {
        "id": f"F-{'ABCDEFGHIJ'[number // 10 % 10] * 9}{'ABCDEFGHIJ'[number % 10]}",
        "check": "branch-protection",
        "subject": f"github:repository:{number}",
        "standing": "open",
        "outcome": Outcome.FAIL,
        "severity": severity,
        "scope": "github:example-org/payments",
        "reason": "nobody must review",
        "first_seen": NOON - timedelta(days=3),
        "last_seen": NOON,
    }
    return FindingView(**(given | more))


def opened(number: int = 0, severity: Severity = Severity.HIGH, **more: Any) -> Move:
    return Move(step=Step.OPENED, finding=finding(number, severity, **more))


def kept(
    number: int = 0,
    severity: Severity = Severity.HIGH,
    *,
    was: Severity = Severity.HIGH,
    before: str = "nobody must review",
    waiver: str = "",
    told: tuple[Target, ...] = (TEAM,),
    **more: Any,
) -> Move:
    earlier = Earlier(severity=was, reason=before, waiver=waiver)
    return Move(step=Step.KEPT, finding=finding(number, severity, **more), before=earlier, told=told)


def resolved(number: int = 0, *, told: tuple[Target, ...] = (TEAM,), waiver: str = "") -> Move:
    earlier = Earlier(severity=Severity.HIGH, reason="nobody must review", waiver=waiver)
    return Move(
        step=Step.RESOLVED,
        finding=finding(number, standing="resolved", outcome=Outcome.PASS, reason="protected"),
        before=earlier,
        told=told,
    )


def change(*moves: Move, sweep: str = "sweep-1", at: datetime = NOON, **more: Any) -> SweepChange:
    return SweepChange(**({"sweep": sweep, "at": at, "recorded_at": at, "moves": moves} | more))


def told(messages: tuple[Message, ...]) -> list[tuple[str, str, str]]:
    """Return (kind, finding, target) of each."""
    return [(one.kind.value, one.finding_id, one.target) for one in messages]

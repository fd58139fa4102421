"""PS019-0.2: every control can be looked at; what nobody could look at for days is a finding of its own.

A result that is unknown says that a control could not be tested this time. When that lasts, the control is not known to be
on, and nobody may mistake silence for a pass. So each thing that a check could not look at for longer than `unknown_days`
of the settings fails here, with what would let it be seen, until a sweep sees it again. What is accepted under a waiver is
left out. The record of findings must itself have been asked: without it the outcome is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.facts.governance import Former, LongUnknown, StoreAsked
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep

ID = "monitoring-coverage"
SUBJECT = "monitoring:coverage"
SHOWN = 50


class Nothing(Expectation):
    """The check needs no expected state."""


def evaluate(facts: Iterable[StoreAsked | LongUnknown | Former], expect: Nothing, sweep: Sweep) -> Iterator[Result]:
    """Yield one result for the record of findings, one for each long unknown, and one for each that is over."""
    asked: list[StoreAsked] = []
    unseen: dict[str, LongUnknown] = {}
    former: dict[str, Former] = {}
    for fact in facts:
        if isinstance(fact, StoreAsked):
            asked.append(fact)
        elif isinstance(fact, LongUnknown):
            subject = subject_of(fact.check, fact.subject)
            unseen[subject] = min(unseen.get(subject, fact), fact, key=repr)
        elif fact.check == ID and fact.subject != SUBJECT:
            former[fact.subject] = min(former.get(fact.subject, fact), fact, key=repr)
    yield _whole(min(asked, key=repr) if asked else None, unseen)
    for subject, one in sorted(unseen.items()):
        yield _unseen(subject, one)
    for subject, over in sorted(former.items()):
        if subject not in unseen:
            yield Result(
                check=ID,
                subject=subject,
                outcome=Outcome.PASS if over.seen else Outcome.NOT_APPLICABLE,
                reason=over.why,
                severity=Severity.HIGH,
                scope=over.scope,
            )


def subject_of(check: str, what: str) -> str:
    """Return the subject of the result on what a check could not look at."""
    return f"monitoring:{check}:{what}"


def _whole(asked: StoreAsked | None, unseen: dict[str, LongUnknown]) -> Result:
    days = asked.unknown_days if asked else 0
    if asked is None:
        outcome, reason = Outcome.UNKNOWN, "the record of findings was not asked what stays unknown"
    elif unseen:
        # Each is told apart: this one must neither fail again nor pass.
        told = "thing" if len(unseen) == 1 else "things"
        outcome, reason = (
            Outcome.NOT_APPLICABLE,
            f"{len(unseen)} {told} could not be looked at for {days} days, each told apart",
        )
    else:
        outcome, reason = Outcome.PASS, f"every control could be looked at within {days} days"
    return Result(
        check=ID,
        subject=SUBJECT,
        outcome=outcome,
        reason=reason,
        severity=Severity.HIGH,
        expected={"unknown_days_at_most": days} if asked else {},
        observed={"open_findings": asked.open, "waived": asked.waived, "long_unknown": len(unseen)} if asked else {},
        remedy="" if asked else "sweep with the database that records findings",
    )


def _unseen(subject: str, one: LongUnknown) -> Result:
    several = f" ({len(one.findings)} findings)" if len(one.findings) > 1 else ""
    because = f": {one.reason}" if one.reason else ""
    grant = f"grant or mend: {one.grant}" if one.grant else CHECK.remedy
    return Result(
        check=ID,
        subject=subject,
        outcome=Outcome.FAIL,
        reason=f"nobody could look at {one.subject} for {one.days} days{several}, so {one.check} is not tested{because}",
        severity=Severity.HIGH,
        scope=one.scope,
        expected={"outcome": "known"},
        observed={
            "check": one.check,
            "what": one.subject,
            "unknown_since": one.since.isoformat(),
            "days": one.days,
            "findings": list(one.findings[:SHOWN]),
            "findings_in_all": len(one.findings),
        },
        remedy=grant,
    )


CHECK = Check(
    id=ID,
    title="Every control can be looked at",
    severity=Severity.HIGH,
    controls=("PS019-0.2",),
    facts=(StoreAsked, LongUnknown, Former),
    expects=Nothing,
    evaluate=evaluate,
    needs=("nothing besides the monitor's own database",),
    remedy="grant what the unknown findings name (monitor findings list shows them), then sweep again",
)

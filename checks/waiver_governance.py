"""PS019-1.4 and PS019-0.2: exceptions are few, approved by somebody else, used, reviewed, and over when they say.

A waiver accepts a failure for a time; a declared emergency excuses changes for hours. Both are told in every sweep with what
they cover now, so that their use is evidence. A waiver that has expired while what it covered still fails is a finding, and
so is one that matches nothing and should be taken out. A declared emergency that excused nothing, or whose review is not
written when it is due, is a finding as well. That requester and approver differ, and that a waiver ends, is seen to when the
file is read: one that breaks these rules is never applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.facts.governance import EmergencyUse, Former, StoreAsked, WaiverUse
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep

ID = "waiver-governance"
SUBJECT = "waivers:register"
SHOWN = 50
_TAKE_OUT = "take it out of config/waivers.yaml"


class Nothing(Expectation):
    """The check needs no expected state: what is declared comes as facts, with its use."""


Fact = StoreAsked | WaiverUse | EmergencyUse | Former


def evaluate(facts: Iterable[Fact], expect: Nothing, sweep: Sweep) -> Iterator[Result]:
    """Yield one result for the register, and one for each waiver, each emergency, and each that is no longer declared."""
    asked = False
    waivers: dict[str, WaiverUse] = {}
    emergencies: dict[str, EmergencyUse] = {}
    former: dict[str, Former] = {}
    for fact in facts:
        if isinstance(fact, StoreAsked):
            asked = True
        elif isinstance(fact, WaiverUse):
            waivers[f"waiver:{fact.id}"] = min(waivers.get(f"waiver:{fact.id}", fact), fact, key=repr)
        elif isinstance(fact, EmergencyUse):
            emergencies[f"emergency:{fact.id}"] = min(emergencies.get(f"emergency:{fact.id}", fact), fact, key=repr)
        elif fact.check == ID and fact.subject != SUBJECT:
            former[fact.subject] = min(former.get(fact.subject, fact), fact, key=repr)
    yield _register(asked, len(waivers), len(emergencies))
    for subject, waiver in sorted(waivers.items()):
        yield _waiver(subject, waiver, sweep)
    for subject, emergency in sorted(emergencies.items()):
        yield _emergency(subject, emergency, sweep)
    for subject, gone in sorted(former.items()):
        if subject not in waivers and subject not in emergencies:
            yield Result(check=ID, subject=subject, outcome=Outcome.NOT_APPLICABLE, reason=gone.why)


def _register(asked: bool, waivers: int, emergencies: int) -> Result:
    told = f"{waivers} waivers and {emergencies} declared emergencies, each told apart"
    return Result(
        check=ID,
        subject=SUBJECT,
        outcome=Outcome.PASS if asked else Outcome.UNKNOWN,
        reason=told if asked else "the record of findings was not asked which waivers are used",
        severity=CHECK.severity,
        observed={"waivers": waivers, "emergencies": emergencies},
        remedy="" if asked else "sweep with the database that records findings",
    )


def _waiver(subject: str, one: WaiverUse, sweep: Sweep) -> Result:
    count, left = len(one.covers), one.days_left(sweep.at)
    covers = f"{count} failure{'s' if count != 1 else ''}"
    outcome, severity, remedy = Outcome.PASS, CHECK.severity, ""
    if one.future(sweep.at):
        state, reason = "future", f"counts from {one.start:%Y-%m-%d %H:%M}Z"
    elif not count and (one.judged or one.idle_before):
        state = "expired" if one.expired(sweep.at) else "idle"
        ended = f"expired at {one.until:%Y-%m-%d %H:%M}Z and " if one.expired(sweep.at) else ""
        outcome, severity, remedy = Outcome.FAIL, Severity.LOW, _TAKE_OUT
        reason = f"{ended}matches nothing: take it out"
    elif one.expired(sweep.at):
        state, reason = "expired", f"expired at {one.until:%Y-%m-%d %H:%M}Z"
        if count:
            outcome, remedy = (
                Outcome.FAIL,
                "mend what it covered; or have it renewed, with a new approval; or take it out",
            )
            reason = f"{reason}, and {covers} that it covered still stand{'s' if count == 1 else ''}"
    elif one.expiring(sweep.at):
        state = "expiring"
        reason = f"covers {covers}, and expires at {one.until:%Y-%m-%d %H:%M}Z: {left} days left"
        remedy = "mend what it covers, or have it renewed before it ends"
    else:
        state = "in force"
        reason = f"covers {covers}; {left} days left"
    return Result(
        check=ID,
        subject=subject,
        outcome=outcome,
        reason=f"waiver {one.id} {reason}",
        severity=severity,
        expected={"used": True, "expired": False},
        observed={
            "state": state,
            "expiring": state == "expiring",
            "days_left": left,
            "checks": list(one.checks),
            one.kind or "reach": list(one.patterns),
            "reason": one.reason,
            "ticket": one.ticket,
            "requester": one.requester,
            "approver": one.approver,
            "from": one.start.isoformat(),
            "until": one.until.isoformat(),
            "covers": [
                {"finding": c.finding, "check": c.check, "subject": c.subject, "outcome": c.outcome.value}
                for c in sorted(one.covers)[:SHOWN]
            ],
            "covers_in_all": count,
        },
        remedy=remedy,
    )


def _emergency(subject: str, one: EmergencyUse, sweep: Sweep) -> Result:
    wrong: list[tuple[Severity, str, str]] = []
    if one.read and not one.used:
        wrong.append(
            (Severity.LOW, "it matches nothing that was changed", "correct its times and identities, or take it out")
        )
    if not one.review and sweep.at >= one.review_due:
        due = f"its review was due at {one.review_due:%Y-%m-%d %H:%M}Z and is not written"
        wrong.append((Severity.MEDIUM, due, "review it, and write in `review` of the declaration where that is kept"))
    used = "excused changes" if one.used else "excused nothing that was read so far"
    review = f"reviewed: {one.review}" if one.review else f"its review is due at {one.review_due:%Y-%m-%d %H:%M}Z"
    return Result(
        check=ID,
        subject=subject,
        outcome=Outcome.FAIL if wrong else Outcome.PASS,
        reason=f"emergency change {one.id} ({one.ticket}): "
        + ("; ".join(why for _, why, _ in wrong) if wrong else f"{used}; {review}"),
        severity=min((severity for severity, _, _ in wrong), key=tuple(Severity).index, default=CHECK.severity),
        expected={"used": True, "reviewed": True},
        observed={
            "ticket": one.ticket,
            "approver": one.approver,
            "from": one.start.isoformat(),
            "to": one.end.isoformat(),
            "used": one.used,
            "review": one.review,
            "review_due": one.review_due.isoformat(),
        },
        remedy="; ".join(remedy for _, _, remedy in wrong),
    )


CHECK = Check(
    id=ID,
    title="Waivers and emergencies are used, reviewed and over in time",
    severity=Severity.MEDIUM,
    controls=("PS019-0.2", "PS019-1.4"),
    facts=(StoreAsked, WaiverUse, EmergencyUse, Former),
    expects=Nothing,
    evaluate=evaluate,
    needs=("nothing besides the configuration and the monitor's own database",),
    remedy="mend what the waiver covered, have it renewed with a new approval, or take it out",
)

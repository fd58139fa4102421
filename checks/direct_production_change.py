"""No production change is made outside the approved ways of deploying, apart from documented break-glass.

Every successful write to the control plane of a production account is traced to the provider's own service, a declared
machine, a proven pipeline session, a declared emergency, or a pre-approved standard change. A write that none of these
explains is a direct change, and fails. All writes of one session are one result that lists them. A session held by a
deploy identity whose proof does not hold is the finding of `pipeline-session-proof`, and is not reported twice.
A region whose log was not read whole is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from checks.pipeline_session_proof import Proof, proof_of
from monitor.expected.models import (
    BreakGlass,
    DeployIdentity,
    EmergencyChange,
    Production,
    StandardChange,
    TrustedService,
)
from monitor.facts.change import ChangeEvent, ChangeSession
from monitor.model import (
    ChangeClass,
    Check,
    CoverageStatus,
    Expectation,
    Outcome,
    Result,
    ScopeCoverage,
    Severity,
    Sweep,
)


class Expect(Expectation):
    """What is production, and each of the ways in which it may change."""

    production: Production
    deploy_identities: tuple[DeployIdentity, ...] = ()
    trusted_services: tuple[TrustedService, ...] = ()
    break_glass: tuple[BreakGlass, ...] = ()
    emergency_changes: tuple[EmergencyChange, ...] = ()
    standard_changes: tuple[StandardChange, ...] = ()


Verdict = tuple[Outcome, ChangeClass | None, str]


def verdict(write: ChangeEvent, session: ChangeSession, proof: Proof | None, expect: Expect) -> Verdict:
    """Return what explains one write: outcome, class and reason. The first way that explains it decides."""
    principals = write.actor.principals
    if write.actor.service:
        return Outcome.PASS, None, f"the provider's own service acted: {write.actor.service}"
    for service in expect.trusted_services:
        if service.matches(principals) and service.allows(write.action) and not (write.actor.human or session.behind):
            return Outcome.PASS, None, f"trusted service {service.id}"
    if proof is not None:
        return Outcome.PASS, ChangeClass.NORMAL, f"deploy identity {proof.identity.id}: {proof.reason}"
    late = ""
    for glass in expect.break_glass:
        if glass.matches(principals):
            for change in expect.emergency_changes:
                if change.names(glass.id) and change.covers(write.time):
                    return (
                        Outcome.PASS,
                        ChangeClass.EMERGENCY,
                        f"break-glass {glass.id} under emergency change {change.id}",
                    )
            late = f": break-glass {glass.id} outside any emergency change that was declared"
    for standard in expect.standard_changes:
        if standard.matches(principals) and standard.allows(write.action):
            if standard.in_date(write.time):
                return Outcome.PASS, ChangeClass.STANDARD, f"standard change {standard.id}"
            late = f": standard change {standard.id} was to be reviewed by {standard.review_by}"
    return Outcome.FAIL, ChangeClass.DIRECT, f"direct change{late}"


def evaluate(facts: Iterable[ChangeSession], expect: Expect, sweep: Sweep) -> Iterator[Result]:
    """Yield one result for each session that wrote to production, and one for the log of each scope of production."""
    written: Counter[str] = Counter()
    for session in sorted(facts, key=lambda s: s.id):
        if not session.account:
            yield _unplaced(session)
        if not expect.production.is_production(session.provider, session.account):
            continue
        written[f"{session.provider}:{session.account}"] += len(session.writes)
        proof = proof_of(session, expect.deploy_identities)
        if proof is None or proof.outcome is Outcome.PASS:
            yield _session(session, proof, expect)
    yield from _logs(expect, sweep, written)


def _session(session: ChangeSession, proof: Proof | None, expect: Expect) -> Result:
    judged = [(write, *verdict(write, session, proof, expect)) for write in session.writes]
    direct = [(write, reason) for write, outcome, _, reason in judged if outcome is Outcome.FAIL]
    reasons = Counter(reason for _, reason in direct) or Counter(reason for _, _, _, reason in judged)
    classes = Counter(c.value for _, _, c, _ in judged if c)
    total = sum(reasons.values())
    person = f" by a person ({session.actor.human})" if direct and session.actor.human else ""
    actions = Counter(write.action for write in ([w for w, _ in direct] or session.writes)).most_common(4)
    what = ", ".join(action for action, _ in actions[:3]) + (" …" if len(actions) > 3 else "")
    why = "; ".join(reason for reason, _ in reasons.most_common(3))
    return Result(
        check=CHECK.id,
        subject=session.id,
        outcome=Outcome.FAIL if direct else Outcome.PASS,
        reason=f"{total} write{'s' if total != 1 else ''}{person}: {what}: {why}",
        severity=min((w.severity for w, _ in direct), key=list(Severity).index, default=CHECK.severity),
        change_class=ChangeClass.DIRECT if direct else next((c for _, _, c, _ in judged if c), None),
        actor=session.actor.name,
        scope=f"{session.provider}:{session.account}",
        expected={"any_of": ["proven pipeline session", "declared emergency", "standard change", "trusted service"]},
        observed={"classes": dict(classes), **session.story([w.id for w, _ in direct])},
        remedy=CHECK.remedy if direct else "",
        evidence=session.references(),
    )


def _logs(expect: Expect, sweep: Sweep, written: Counter[str]) -> Iterator[Result]:
    """Yield for each scope of production whether its log was read whole, so that what was not seen did not happen."""
    accounts = expect.production.identity_scopes()
    told = [read for read in sweep.coverage if read.source.endswith(LOGS)]
    regions = {read.scope for read in told if any(read.scope.startswith(f"{account}:") for account in accounts)}
    for scope in sorted(regions | set(expect.production.log_scopes())):
        # What is told of a whole account or provider holds for each of its scopes.
        reads = [read for read in told if f"{scope}:".startswith(f"{read.scope}:")]
        yield _log(scope, reads, sweep, written[":".join(scope.split(":")[:2])])


def _log(scope: str, reads: list[ScopeCoverage], sweep: Sweep, written: int) -> Result:
    events = [read for read in reads if read.source.endswith(LOGS[0])]
    lacking = [] if events else ["nothing was read"]
    lacking += sorted(
        f"{read.source} {read.status.value}: {read.reason}"
        for read in reads
        if read.status is not CoverageStatus.COMPLETE
    )
    start = min((read.window.start for read in events if read.window), default=sweep.window.start)
    grants = sorted({read.grant for read in reads if read.grant})
    counts: Counter[str] = Counter()
    for read in reads:
        counts.update(read.counts)
    told = f"the log was read whole: {written} writes in the account, each accounted for apart"
    mend = "see `monitor evidence coverage --sweeps 0` for each object that could not be read"
    return Result(
        check=CHECK.id,
        # A window's gap stays on record: a later window that is whole does not make it good.
        subject=f"{scope}:log@{start:%Y-%m-%dT%H:%MZ}",
        outcome=Outcome.UNKNOWN if lacking else Outcome.PASS,
        reason="; ".join(lacking[:5]) if lacking else told,
        severity=CHECK.severity,
        scope=scope,
        expected={"status": "complete"},
        observed={"counts": dict(sorted(counts.items())), "gaps": [gap for read in reads for gap in read.gaps][:50]},
        remedy="; ".join([*grants, mend]) if lacking else "",
    )


def _unplaced(session: ChangeSession) -> Result:
    return Result(
        check=CHECK.id,
        subject=session.id,
        outcome=Outcome.UNKNOWN,
        reason="the record does not tell in which account the write was made",
        severity=CHECK.severity,
        actor=session.actor.name,
        observed=session.story(),
        remedy="look at the record, and at the object it came in",
        evidence=session.references(),
    )


LOGS = ("logs", "digests")
"""How the sources end whose coverage tells whether a log was read whole: its events, and the proof that none is lacking."""

CHECK = Check(
    id="direct-production-change",
    title="No direct production change",
    severity=Severity.HIGH,
    controls=("PS019-1.1",),
    facts=(ChangeSession,),
    expects=Expect,
    evaluate=evaluate,
    needs=(
        "s3:ListBucket and s3:GetObject on the trail's bucket",
        "kms:Decrypt on its key",
        "logging.logEntries.list on each project, or storage.objects.list and storage.objects.get on the sink's bucket",
    ),
    remedy="undo it, or bring it through the pipeline; if it was an emergency, declare it in emergency_changes with its "
    "ticket and approver; if it is routine, have it approved as a standard change",
)

"""PS019-0.2: the audit log of every production account, and of every account that production leans on, is on and whole.

For each declared account, one of the declared trails records every management event that writes, in all regions; it is
logging now; validation of its log files is on; it fills the declared bucket, which nobody outside can read, and nothing
deletes the log before its declared retention. For each declared project of a cloud that always keeps a log of changes,
each declared sink on it or above it is on, takes every change, leads where it must and keeps it long enough; and, where it
is demanded, the issuing of credentials is logged and kept, with nobody exempted. For each account and region, the
provider's own signed digests prove that no log file was altered or taken away, without a gap. And whoever makes a call
that can blind the audit log (to stop it, delete it, narrow what it records) is reported, wherever the call comes from:
pipeline and emergency excuse nobody. What could not be read never passes, and what is known to be wrong is a failure even
where something else is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from monitor.expected.audit_logs import GcpAuditLogs
from monitor.expected.models import AuditLogs, AwsAuditLogs, Production
from monitor.facts.audit_log import ChainProblem, LogChain, LogState, LogTrail, TrailList
from monitor.facts.change import ChangeSession
from monitor.facts.log_state_judging import LogDemand, WantedRoute, judge, shown
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Unknown, cited

ID = "audit-log-integrity"
SHOWN = 20


class LogExpectations(Expectation):
    """The accounts whose logs matter, and what must hold for these logs."""

    production: Production = Production()
    audit_logs: AuditLogs = AuditLogs()


def evaluate(
    facts: Iterable[TrailList | LogChain | LogState | ChangeSession], expect: LogExpectations, sweep: Sweep
) -> Iterator[Result]:
    """Yield a result for each account, project and scope that is declared, and each session that made a blinding call."""
    states: dict[str, list[LogState]] = {}
    lists: dict[str, list[TrailList]] = {}
    chains: dict[str, list[LogChain]] = {}
    sessions: dict[str, list[ChangeSession]] = {}
    for fact in facts:
        if isinstance(fact, TrailList):
            lists.setdefault(f"{fact.provider}:{fact.account}", []).append(fact)
        elif isinstance(fact, LogChain):
            chains.setdefault(fact.scope, []).append(fact)
        elif isinstance(fact, LogState):
            states.setdefault(f"{fact.provider}:{fact.account}", []).append(fact)
        elif any(write.blinds for write in fact.writes):
            sessions.setdefault(fact.id, []).append(fact)
    where = expect.production
    for account in sorted({*where.accounts(), *where.watched_accounts()}):
        yield _trail_result(account, where, expect.audit_logs.aws, lists.get(account, []))
    for project in sorted({f"gcp:{one.id}" for one in where.gcp.projects} if where.gcp else ()):
        yield _state_result(project, where, expect.audit_logs.gcp, states.get(project, []))
    # A chain outside the declared scopes was read all the same, so what it shows is told as well.
    for scope in sorted({*where.scopes(), *where.watched_scopes(), *chains}):
        found = chains.get(scope, [])
        due = [chain for chain in found if chain.window.start < chain.window.end]
        if due or not found:  # where no hour has ended since the last sweep, what that one said still stands
            yield _chain_result(scope, due)
    for _, parts in sorted(sessions.items()):
        yield _blinding_result(parts)


def _trail_result(account: str, where: Production, expected: AwsAuditLogs | None, lists: list[TrailList]) -> Result:
    trails = {trail for one in lists if isinstance(one.trails, tuple) for trail in one.trails}
    lost = sorted({(one.trails.reason, one.trails.grant) for one in lists if isinstance(one.trails, Unknown)})
    judged = sorted((_judge(trail, account, expected) for trail in trails), key=lambda j: (len(j[1]), len(j[2]), j))
    name, wrong, doubts = judged[0] if judged else ("", ["the account has no trail"], [])
    if wrong and (lost or not lists):  # the good trail may be among those that were not read
        wrong, doubts = [], lost or [("its trails were not read", "")]
    faults = "; ".join([*wrong, *(why for why, _ in doubts)])
    if wrong or doubts:
        outcome, reason = Outcome.FAIL if wrong else Outcome.UNKNOWN, f"trail {name}: {faults}" if name else faults
    else:
        outcome, reason = Outcome.PASS, f"trail {name} records all writes, is on, validated, and kept"
    label = where.name_of("aws", account.partition(":")[2])
    return Result(
        check=ID,
        subject=f"{account}:trail",
        scope=account,
        outcome=outcome,
        severity=Severity.HIGH,
        reason=f"{label}: {reason}",
        expected={} if expected is None else expected.model_dump(mode="json"),
        observed={"trails": [{"name": n, "wrong": w, "unknown": [why for why, _ in d]} for n, w, d in judged[:SHOWN]]},
        remedy=_remedy(outcome, "set the trail as declared, or declare the trail that is meant, in audit_logs", doubts),
        evidence=cited(*lists, *trails, *(trail.store for trail in trails if trail.store)),
    )


def _judge(
    trail: LogTrail, account: str, expected: AwsAuditLogs | None
) -> tuple[str, list[str], list[tuple[str, str]]]:
    """Return the trail's identifier, what is wrong with it, and what is unknown of it with what to grant or mend."""
    wrong: list[str] = []
    doubts: list[tuple[str, str]] = []

    def demand(value: bool | Unknown, fault: str) -> None:
        if isinstance(value, Unknown):
            doubts.append((f"cannot tell whether it {fault}: {value.reason}", value.grant))
        elif not value:
            wrong.append(fault)

    demand(trail.logging, "is stopped")
    demand(trail.management_writes, "leaves out management events that write")
    demand(trail.all_regions, "does not cover all regions")
    demand(trail.validated, "has no log file validation")
    if f"{trail.provider}:{trail.account}" != account:
        demand(trail.organisation_wide, "belongs to another account and does not cover this one")
    store, days = trail.store, expected.retention_days if expected else 1
    if store is None:
        doubts.append(("its bucket was not read", ""))
    else:
        demand(
            store.public if isinstance(store.public, Unknown) else not store.public, "fills a bucket open to the public"
        )
        kept = store.expires_after_days
        after = f" (after {kept})" if isinstance(kept, int) else ""
        long_enough = kept if isinstance(kept, Unknown) else kept is None or kept >= days
        demand(long_enough, f"lets its logs be deleted before {days} days{after}")
    if expected:
        meant = [one.bucket for one in expected.trails if (one.name, one.account) == (trail.name, trail.account)]
        if not meant:
            wrong.append("is not declared in audit_logs")
        elif store and store.name not in meant:
            wrong.append(f"fills bucket {store.name}, not {meant[0]}")
    return trail.identifier or trail.name, wrong, doubts


def _state_result(project: str, where: Production, expected: GcpAuditLogs | None, states: list[LogState]) -> Result:
    # Where the section is missing, what needs no declaration is judged all the same, as it is of a trail: that the log of
    # changes, which the provider keeps by itself, was seen. Sinks, days and data access are matters of what is declared.
    demand = LogDemand()
    if expected:
        routes = tuple(WantedRoute(name=s.name, owner=s.parent, destination=s.destination) for s in expected.sinks)
        demand = LogDemand(days=expected.retention_days, routes=routes, issuing=expected.session_proof)
    judged = [judge(state, demand) for state in states]
    wrong = sorted({fault for faults, _ in judged for fault in faults})
    doubts = sorted({doubt for _, some in judged for doubt in some})
    if not states:
        doubts = [("its log settings were not read", "")]
    outcome = Outcome.FAIL if wrong else Outcome.UNKNOWN if doubts else Outcome.PASS
    told = (
        "; ".join([*wrong, *(why for why, _ in doubts)][:SHOWN])
        or "every change is logged, and kept as long as it must be"
    )
    seen = [route for state in states for route in state.routes]
    return Result(
        check=ID,
        subject=f"{project}:log",
        scope=project,
        outcome=outcome,
        severity=Severity.HIGH,
        reason=f"{where.name_of(*project.split(':', 1))}: {told}",
        expected={} if expected is None else expected.model_dump(mode="json"),
        observed={
            "wrong": wrong[:SHOWN],
            "unknown": [why for why, _ in doubts[:SHOWN]],
            "sinks": sorted(map(shown, seen), key=str)[:SHOWN],
        },
        remedy=_remedy(outcome, "set the log as declared in audit_logs, or declare there what is meant", doubts),
        evidence=cited(*states, *seen),
    )


def _chain_result(scope: str, chains: list[LogChain]) -> Result:
    problems = sorted({p for c in chains for p in c.problems}, key=lambda p: (p.kind, p.name, p.detail, str(p.start)))
    doubts = sorted({(doubt.reason, doubt.grant) for c in chains for doubt in c.unproven})
    digests, files = sum(chain.digests for chain in chains), sum(chain.files for chain in chains)
    verified = sum(chain.files_verified for chain in chains)
    if problems:
        outcome, reason = Outcome.FAIL, "; ".join(_told(p) for p in problems[:3]) + _more(len(problems) - 3)
    elif doubts:
        outcome, reason = Outcome.UNKNOWN, "; ".join(why for why, _ in doubts[:3]) + _more(len(doubts) - 3)
    elif not chains:
        outcome, reason = Outcome.UNKNOWN, "no digest chain was read"
    elif not digests or verified != files:
        outcome, reason = Outcome.UNKNOWN, f"{digests} digests prove {verified} of {files} log files"
    else:
        outcome, reason = Outcome.PASS, f"{digests} signed digests without a gap prove {files} log files unaltered"
    return Result(
        check=ID,
        # A window's gap stays on record: a later window that is whole does not make it good.
        subject=f"{scope}:chain"
        + "".join(f"@{start:%Y-%m-%dT%H:%MZ}" for start in sorted({c.window.start for c in chains})[:1]),
        scope=scope,
        outcome=outcome,
        severity=Severity.HIGH,
        reason=reason,
        expected={"chain": "signed digests without a gap, and every log file that they name, unaltered"},
        observed={
            "windows": sorted(f"{c.window.start.isoformat()}/{c.window.end.isoformat()}" for c in chains),
            "digests": digests,
            "files": files,
            "files_verified": verified,
            "problems": [{"kind": p.kind, "name": p.name, "detail": p.detail} for p in problems[:SHOWN]],
            "problem_count": len(problems),
            "unproven": [{"reason": why, "grant": grant} for why, grant in doubts[:SHOWN]],
        },
        remedy=_remedy(
            outcome, "treat the log of this time as untrusted; find out who could write to the bucket", doubts
        ),
        evidence=cited(*chains),
    )


def _blinding_result(parts: list[ChangeSession]) -> Result:
    first = min(parts, key=lambda session: (session.provider, session.account, session.actor.name))
    writes = {write.id: write for session in parts for write in session.writes}
    merged = msgspec.structs.replace(first, writes=tuple(sorted(writes.values(), key=lambda w: (str(w.time), w.id))))
    calls = [write for write in merged.writes if write.blinds]
    who = first.actor.name + (f" (a person: {first.actor.human})" if first.actor.human else "")
    told = [f"{call.action} at {call.time:%Y-%m-%dT%H:%M:%SZ} {call.blinds}" for call in calls]
    return Result(
        check=ID,
        subject=f"{first.id}:blinding",
        scope=f"{first.provider}:{first.account}",
        outcome=Outcome.FAIL,
        severity=Severity.CRITICAL,
        actor=first.actor.name,
        reason="; ".join(told[:SHOWN]) + _more(len(told) - SHOWN) + f"; by {who}",
        expected={"calls": "none that can stop, delete or narrow the audit log"},
        observed=merged.story([call.id for call in calls]),
        remedy="see that the log is on again, as declared; then look at what was done while it was not",
        evidence=merged.references(),
    )


def _told(problem: ChainProblem) -> str:
    spanned = problem.start and problem.end
    span = f" from {problem.start:%Y-%m-%dT%H:%M:%SZ} to {problem.end:%Y-%m-%dT%H:%M:%SZ}" if spanned else ""
    return f"{problem.kind}{span}: {problem.name.rsplit('/', 1)[-1]}: {problem.detail}"


def _more(count: int) -> str:
    return f"; and {count} more" if count > 0 else ""


def _remedy(outcome: Outcome, mend: str, doubts: Iterable[tuple[str, str]] = ()) -> str:
    grants = "; ".join(dict.fromkeys(grant for _, grant in doubts if grant))
    if outcome is Outcome.UNKNOWN:
        return grants or "see the coverage of this scope, and sweep again"
    return mend if outcome is Outcome.FAIL else ""


CHECK = Check(
    id=ID,
    title="Audit logs are on and whole",
    severity=Severity.HIGH,
    controls=("PS019-0.2",),
    facts=(TrailList, LogChain, LogState, ChangeSession),
    expects=LogExpectations,
    evaluate=evaluate,
    needs=(
        "cloudtrail:DescribeTrails, GetTrailStatus, GetEventSelectors and ListPublicKeys, in each account",
        "s3:GetBucketPolicyStatus, GetBucketPublicAccessBlock and GetBucketOwnershipControls, on the trail's bucket",
        "s3:GetLifecycleConfiguration and GetBucketVersioning, on the trail's bucket",
        "s3:ListBucket and s3:GetObject on the trail's bucket, and kms:Decrypt on its key",
        "logging.sinks.list, logging.exclusions.list and logging.buckets.list, on each project and what is above it",
        "getIamPolicy of each project and of what is above it, which has the audit configs",
    ),
    remedy="switch the trail on as declared; treat a log that was altered, or of which a part is gone, as untrusted",
)

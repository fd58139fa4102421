"""PS019-3.2: a deploy identity can do what its declaration allows it, and nothing beyond that needs a reason.

Judged is what it can do in effect: its own and its groups' policies, what they deny, its permission boundary, and the policies of
the organisation. Full or nearly full administration, every write of a service, rights that destroy data, blind the audit log or
give others rights, and every known way to come by more rights, also through identities that it can pass or become, fail unless
`allows` declares them; with a declaration, so does each further write. What is open only under conditions that this check cannot
decide is unknown. Rights that were not used for the set number of days are a result of their own, with the smaller policy that
would have sufficed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import msgspec

from monitor.expected.models import Allowance, DeployIdentity, IdentityRules, Production
from monitor.facts.access import Access, Granted, Power
from monitor.facts.allowing import Allowed, places_of
from monitor.facts.pipeline import concerned, one_each, unwatched
from monitor.facts.power_words import narrows, told
from monitor.facts.rightsizing import sufficing, unused
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Unknown

ID = "deploy-privilege"
MOST_SHOWN = 200
"""Names that one list in a result holds at most; how many there are is told beside it."""
MOST_TOLD = 5
"""Powers that the reason of a result names; all of them stand in what was observed."""


class PrivilegeExpectations(Expectation):
    """What the pipeline's identities may do, and after how many days a right counts as unused."""

    production: Production = Production()
    deploy_identities: tuple[DeployIdentity, ...] = ()
    identities: IdentityRules = IdentityRules()


def evaluate(facts: Iterable[Access], expect: PrivilegeExpectations, sweep: Sweep) -> Iterator[Result]:
    """Yield two results for each deploy identity: what it can do, and what of that it does not use."""
    if not expect.identities.watched:
        yield from unwatched(ID, expect.production.identity_scopes())
        return
    for access in one_each(facts):
        declared = [one for one in expect.deploy_identities if one.matches((access.identity.name,))]
        if declared or concerned(access):
            yield _privilege(access, declared)
            if not access.identity.document:
                yield _unused(access, expect.identities, sweep)


class _Weighed(msgspec.Struct, frozen=True, kw_only=True):
    """Powers and writes, by whether a declaration names them."""

    open: list[Power]
    conditional: list[Power]
    declared: list[tuple[Power, str]]
    beyond: list[str]


def _privilege(access: Access, declared: list[DeployIdentity]) -> Result:
    identity = access.identity
    policies = identity.policies
    lost = (
        [policies]
        if isinstance(policies, Unknown)
        else [p.statements for p in policies if isinstance(p.statements, Unknown)]
    )
    if isinstance(access.granted, Unknown) or isinstance(access.powers, Unknown):
        why = access.granted if isinstance(access.granted, Unknown) else access.powers
        assert isinstance(why, Unknown)
        return _result(access, Outcome.UNKNOWN, Severity.HIGH, why.reason, remedy=why.grant or _AGAIN)
    found = _weigh(access.powers, access.granted, declared)
    notes = [one.reason for one in access.unclear]
    observed: dict[str, Any] = {
        "identity": identity.name,
        "powers": [_shown(one) for one in (*found.open, *found.conditional)],
        "declared": [_shown(one) | {"why": why} for one, why in found.declared],
        "beyond": found.beyond[:MOST_SHOWN],
        "beyond_in_all": len(found.beyond),
    }
    if notes:
        observed["unclear"] = notes
    expected = {"allows": [one.model_dump(mode="json") for entry in declared for one in entry.allows or ()]}
    wrong = [told(one) for one in found.open[:MOST_TOLD]]
    if len(found.open) > MOST_TOLD:
        wrong.append(f"{len(found.open) - MOST_TOLD} more powers")
    if found.beyond:
        wrong.append(
            f"{len(found.beyond)} writes beyond its declaration ({', '.join(found.beyond[:3])}{_more(found.beyond)})"
        )
    if wrong:
        # What could not be read of boundaries and ceilings can only take away; the policy itself gives too much all the same.
        severity = min((one.severity for one in found.open), key=_urgency, default=Severity.MEDIUM)
        return _result(access, Outcome.FAIL, severity, "; ".join(wrong), expected, observed)
    if lost:
        why = lost[0]
        return _result(access, Outcome.UNKNOWN, Severity.HIGH, why.reason, expected, observed, why.grant or _AGAIN)
    if found.conditional:
        because = "; ".join(f"{told(one)}, where {' and '.join(one.conditions)}" for one in found.conditional)
        severity = min((one.severity for one in found.conditional), key=_urgency)
        return _result(
            access,
            Outcome.UNKNOWN,
            severity,
            because,
            expected,
            observed,
            "declare it in `allows`, or take the right away",
        )
    reason = "nothing that it can do needs a reason"
    if found.declared:
        reason = f"{len(found.declared)} powers that would alarm elsewhere are declared; nothing is beyond them"
    return _result(access, Outcome.PASS, Severity.HIGH, reason, expected, observed)


def _weigh(powers: Iterable[Power], granted: Iterable[Granted], declared: list[DeployIdentity]) -> _Weighed:
    entries: list[Allowance] = [one for entry in declared for one in entry.allows or ()]
    allowed = Allowed((one.actions, one.resources, one.reason) for one in entries)
    found = _Weighed(open=[], conditional=[], declared=[], beyond=[])
    powers, granted = tuple(powers), tuple(granted)
    given = places_of(powers, granted) if entries else {}
    for power in powers:
        why = allowed.covers(power.actions, power.resources)
        if (
            not why and power.reaches != "admin"
        ):  # what makes an administrator is declared by one entry that names it all
            why = allowed.combined(power.actions, power.resources, given)
        if why:
            found.declared.append((power, why))
        elif any(narrows(words, power) for words in power.conditions):
            found.conditional.append(power)
        else:
            found.open.append(power)
    if any(entry.allows is not None for entry in declared):
        # What a power names is told there, once.
        named = {action for power in (*found.open, *found.conditional) for action in power.actions}
        names = {name for one in granted for name in allowed.missing(one.writes, one.resources)}
        everything = any(power.kind in ("admin", "near-admin") for power in found.open)
        found.beyond.extend(sorted(names - named) if not everything else ())
    found.open.sort(key=_order)
    found.conditional.sort(key=_order)
    return found


def _unused(access: Access, rules: IdentityRules, sweep: Sweep) -> Result:
    identity, days = access.identity, rules.unused_after_days
    since = sweep.as_of(identity.at).at - timedelta(days=days)
    expected = {"unused_after_days": days}
    part = "unused"
    if identity.provider == "gcp":
        why = "what a service account uses is not read on Google Cloud yet"
        return _result(access, Outcome.NOT_APPLICABLE, Severity.LOW, why, expected, part=part)
    if identity.created_at is not None and identity.created_at > since:
        return _result(
            access, Outcome.NOT_APPLICABLE, Severity.LOW, f"is younger than {days} days", expected, part=part
        )
    found = unused(access, since)
    if isinstance(found, Unknown):
        return _result(
            access, Outcome.UNKNOWN, Severity.LOW, found.reason, expected, remedy=found.grant or _AGAIN, part=part
        )
    observed: dict[str, Any] = {
        "identity": identity.name,
        "unused_services": found.services[:MOST_SHOWN],
        "unused_services_in_all": len(found.services),
        "unused_actions": found.actions[:MOST_SHOWN],
        "unused_actions_in_all": len(found.actions),
        "used": {service: at.isoformat() for service, at in found.used.items()},
    }
    if not found.services and not found.actions:
        return _result(
            access,
            Outcome.PASS,
            Severity.LOW,
            f"all it may do was used within {days} days",
            expected,
            observed,
            part=part,
        )
    parts = []
    if found.services:
        parts.append(f"{len(found.services)} services ({', '.join(found.services[:4])}{_more(found.services, 4)})")
    if found.actions:
        parts.append(f"{len(found.actions)} actions ({', '.join(found.actions[:3])}{_more(found.actions)})")
    if identity.provider == "aws":
        observed["smaller_policy"] = sufficing(access, found)
    reason = f"not used for {days} days: {'; '.join(parts)}"
    remedy = "put the smaller policy of this result in the place of its policies, or take the rights away"
    return _result(access, Outcome.FAIL, Severity.LOW, reason, expected, observed, remedy, part)


_AGAIN = "see the coverage of this scope, and sweep again"
_REMEDY = "take the right away, or narrow its resources; what the pipeline needs is declared in `allows`, by review"
_RANK = ("admin", "near-admin", "escalation", "gives-rights", "blinds-logs", "destroys-data", "service-wide")


def _result(
    access: Access,
    outcome: Outcome,
    severity: Severity,
    reason: str,
    expected: dict[str, Any] | None = None,
    observed: dict[str, Any] | None = None,
    remedy: str = "",
    part: str = "privilege",
) -> Result:
    identity = access.identity
    return Result(
        check=ID,
        subject=identity.subject(part),
        scope=identity.scope,
        outcome=outcome,
        severity=severity,
        reason=f"{identity.short}: {reason}",
        expected=expected or {},
        observed=observed or {"identity": identity.name},
        remedy=remedy or (_REMEDY if outcome is Outcome.FAIL else ""),
        evidence=identity.evidence,
    )


def _order(power: Power) -> tuple[int, int, str]:
    return _urgency(power.severity), _RANK.index(power.kind) if power.kind in _RANK else len(_RANK), power.rule


def _urgency(severity: Severity) -> int:
    return list(Severity).index(severity)


def _shown(power: Power) -> dict[str, Any]:
    found = msgspec.to_builtins(power)
    assert isinstance(found, dict)
    shown: dict[str, Any] = {key: value for key, value in found.items() if value not in ("", [], ())}
    for name in ("actions", "resources"):
        shown[name] = list(found[name])[:MOST_SHOWN]
    return shown


def _more(names: Iterable[str], shown: int = 3) -> str:
    return ", …" if len(tuple(names)) > shown else ""


CHECK = Check(
    id=ID,
    title="Deploy identities can do what is declared, and nothing beyond",
    severity=Severity.HIGH,
    controls=("PS019-3.2",),
    facts=(Access,),
    expects=PrivilegeExpectations,
    evaluate=evaluate,
    needs=(
        "iam:GetAccountAuthorizationDetails in each account",
        "organizations:ListPoliciesForTarget and DescribePolicy, for what the organisation takes away",
        "iam:GenerateServiceLastAccessedDetails and GetServiceLastAccessedDetails, for what is not used",
        "resourcemanager.projects.getIamPolicy, iam.roles.get and iam.serviceAccounts.getIamPolicy on GCP",
    ),
    remedy=_REMEDY,
)

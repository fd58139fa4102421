"""PS019-3.3: an environment of production lets a deployment pass only as the standard demands.

For each environment that is declared production: enough reviewers, and only those who are named; whoever started a deployment
cannot approve it alone; administrators cannot pass the rules by; only the branches and tags that are expected may deploy; the
wait timer and the apps that gate deployments are there. What could not be read is unknown and never passes. Edits of its rules,
passes by them, and changes of its secrets and variables count as changes of the environment and are on record, with who and when.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from monitor.expected.models import (
    EnvironmentExpectation,
    Production,
    RepositoryExpectation,
    environment_expectation,
)
from monitor.facts.globs import glob_matches
from monitor.facts.repository import Environment, EnvironmentChange, Repository
from monitor.model import Check, EvidenceRef, Expectation, Outcome, Result, Severity, Sweep, Unknown

ID = "environment-protection"
SHOWN = 50
PROTECTED = "~PROTECTED"
_QUIET = ("secret", "variable")


class EnvironmentExpectations(Expectation):
    """What must hold for environments."""

    production: Production = Production()
    repositories: tuple[RepositoryExpectation, ...] = ()


def evaluate(
    facts: Iterable[Repository | EnvironmentChange], expect: EnvironmentExpectations, sweep: Sweep
) -> Iterator[Result]:
    """Yield a result for each expected environment, for repositories where they could not be read, and for edits of them."""
    repositories: dict[int, Repository] = {}
    changes: dict[str, EnvironmentChange] = {}
    for fact in facts:
        if isinstance(fact, Repository):
            repositories[fact.id] = min(repositories.get(fact.id, fact), fact, key=repr)
        else:
            changes[fact.id] = min(changes.get(fact.id, fact), fact, key=repr)
    for _, repository in sorted(repositories.items()):
        yield from _repository(repository, expect)
    groups: dict[tuple[int, str], list[EnvironmentChange]] = {}
    for change in sorted(changes.values(), key=lambda one: (one.at, one.id)):
        if environment_expectation(expect.repositories, change.repository, change.environment) is not None:
            groups.setdefault((change.repository_id, change.environment), []).append(change)
    for _, group in sorted(groups.items()):
        yield _edited(group)


def _repository(repository: Repository, expect: EnvironmentExpectations) -> Iterator[Result]:
    if repository.archived or not any(e.environments and e.fits(repository.name) for e in expect.repositories):
        return
    lost = repository.blind or repository.environments
    if isinstance(lost, Unknown):
        yield Result(
            check=ID,
            subject=repository.subject("environments"),
            scope=repository.scope,
            outcome=Outcome.UNKNOWN,
            severity=Severity.HIGH,
            reason=f"environments of {repository.name}: {lost.reason}",
            remedy=lost.grant or "see the coverage of this scope, and sweep again",
            evidence=_cited(repository),
        )
        return
    judged = 0
    environments = repository.environments if isinstance(repository.environments, tuple) else ()
    found = {one.name: one for one in environments}
    for name, environment in sorted(found.items()):
        wanted = environment_expectation(expect.repositories, repository.name, name)
        if wanted is not None:
            judged += 1
            yield _environment(repository, environment, wanted)
    if not judged:
        yield Result(
            check=ID,
            subject=repository.subject("environments"),
            scope=repository.scope,
            outcome=Outcome.NOT_APPLICABLE,
            reason=f"{repository.name} has no environment that an expectation speaks of",
            evidence=_cited(repository),
        )


def _environment(repository: Repository, one: Environment, wanted: EnvironmentExpectation) -> Result:
    wrong: list[str] = []
    doubts: list[Unknown] = []
    for fault in (*_reviewers(one, wanted), *_rules(one, wanted), *_branches(one, wanted)):
        (doubts if isinstance(fault, Unknown) else wrong).append(fault)  # type: ignore[arg-type]
    faults = [*wrong, *(doubt.reason for doubt in doubts)]
    outcome = Outcome.FAIL if wrong else Outcome.UNKNOWN if doubts else Outcome.PASS
    grants = "; ".join(dict.fromkeys(doubt.grant for doubt in doubts if doubt.grant))
    return Result(
        check=ID,
        subject=repository.subject("environment", one.name),
        scope=repository.scope,
        outcome=outcome,
        severity=Severity.HIGH,
        reason=f"{one.name} of {repository.name}: "
        + ("; ".join(dict.fromkeys(faults)) or "it is protected as expected"),
        expected=wanted.model_dump(mode="json", exclude_none=True, exclude={"match"}),
        observed={
            "reviewers": _names(one),
            "prevent_self_review": _shown(one.prevent_self_review),
            "admins_may_bypass": _shown(one.admins_may_bypass),
            "branch_policy": _shown(one.branch_policy),
            "deploys_from": _shown(one.deploys_from),
            "wait_minutes": _shown(one.wait_minutes),
            "custom_rules": _shown(one.custom_rules),
        },
        remedy={
            Outcome.FAIL: "set the environment as expected, or change the expectation by review",
            Outcome.UNKNOWN: grants,
        }.get(outcome, ""),
        evidence=_cited(repository, one),
    )


def _reviewers(one: Environment, wanted: EnvironmentExpectation) -> Iterator[str | Unknown]:
    reviewers = one.reviewers
    if isinstance(reviewers, Unknown):
        if wanted.min_reviewers or wanted.reviewers is not None:
            yield reviewers
        return
    least = wanted.min_reviewers or 0
    if len(reviewers) < least:
        yield f"needs {least} reviewers, has {len(reviewers)}" if reviewers else "nobody must review a deployment"
    if wanted.reviewers is not None:
        allowed = {name.lower() for name in wanted.reviewers}
        for reviewer in reviewers:
            if f"{reviewer.kind}:{reviewer.name}".lower() not in allowed:
                yield f"{reviewer.kind}:{reviewer.name} may approve and is not expected to"
    if least and one.prevent_self_review is False and len(reviewers) == 1 and reviewers[0].kind == "user":
        yield f"its only reviewer, {reviewers[0].name}, may approve a deployment of their own"


def _rules(one: Environment, wanted: EnvironmentExpectation) -> Iterator[str | Unknown]:
    if wanted.prevent_self_review:
        if isinstance(one.prevent_self_review, Unknown):
            yield one.prevent_self_review
        elif not one.prevent_self_review:
            yield "whoever starts a deployment may approve it"
    if wanted.admins_may_bypass is False:
        if isinstance(one.admins_may_bypass, Unknown):
            yield one.admins_may_bypass
        elif one.admins_may_bypass:
            yield "administrators may pass its rules by"
    if wanted.wait_minutes:
        if isinstance(one.wait_minutes, Unknown):
            yield one.wait_minutes
        elif one.wait_minutes < wanted.wait_minutes:
            yield f"waits {one.wait_minutes} minutes, not {wanted.wait_minutes}"
    if wanted.custom_rules:
        if isinstance(one.custom_rules, Unknown):
            yield one.custom_rules
        else:
            yield from (f"is not gated by {slug}" for slug in wanted.custom_rules if slug not in one.custom_rules)


def _branches(one: Environment, wanted: EnvironmentExpectation) -> Iterator[str | Unknown]:
    if wanted.deploys_from is None:
        return
    if isinstance(one.branch_policy, Unknown):
        yield one.branch_policy
    elif one.branch_policy == "none":
        yield "every branch may deploy"
    elif one.branch_policy == "protected":
        if PROTECTED not in wanted.deploys_from:
            yield "every protected branch may deploy"
    elif isinstance(one.deploys_from, Unknown):
        yield one.deploys_from
    else:
        for pattern in one.deploys_from:
            # A pattern is within what is expected if it is the same, or one name that an expected pattern stands for.
            plain = not any(c in pattern for c in "*?[")
            if pattern not in wanted.deploys_from and not (
                plain and any(glob_matches(allowed, pattern) for allowed in wanted.deploys_from)
            ):
                yield f"{pattern} may deploy and is not expected to"


def _edited(group: list[EnvironmentChange]) -> Result:
    first = group[0]
    loud = [change for change in group if not any(word in change.action for word in _QUIET)]
    told = "; ".join(dict.fromkeys(f"{c.action} by {c.actor or 'somebody'}" for c in (loud or group)[:3]))
    where = f"{first.environment} of {first.repository}"
    passed = any("bypass" in change.action for change in loud)
    return Result(
        check=ID,
        subject=f"github:repository:{first.repository_id}:environment:{first.environment}:changes@{first.at:%Y-%m-%dT%H:%MZ}",
        scope=f"github:{first.repository}",
        outcome=Outcome.FAIL if any(_weakens(change) for change in loud) else Outcome.NOT_APPLICABLE,
        severity=Severity.HIGH if passed else Severity.MEDIUM,
        actor=(loud or group)[0].actor,
        reason=f"{where}: {told}" + ("" if loud else ", counted as changes of the environment"),
        expected={"changes": "none that weaken its rules"},
        observed={
            "changes": [
                {"at": c.at.isoformat(), "action": c.action, "by": c.actor, "what": c.what} for c in group[:SHOWN]
            ],
            "count": len(group),
        },
        remedy="see that its rules are as expected, and what was deployed meanwhile" if loud else "",
        evidence=_cited(*group),
    )


def _weakens(change: EnvironmentChange) -> bool:
    """Return whether an edit may have weakened the environment: whatever is not plainly a rule more."""
    return not change.action.endswith((".create", "add_protection_rule"))


def _names(one: Environment) -> Any:
    return one.reviewers.reason if isinstance(one.reviewers, Unknown) else [f"{r.kind}:{r.name}" for r in one.reviewers]


def _shown(value: Any) -> Any:
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    return list(value) if isinstance(value, tuple) else value


def _cited(*sources: Any) -> tuple[EvidenceRef, ...]:
    found = {ref for source in sources for ref in source.evidence}
    return tuple(sorted(found, key=lambda ref: (ref.kind, ref.name, ref.sha256)))


CHECK = Check(
    id=ID,
    title="Environments of production are protected as expected",
    severity=Severity.HIGH,
    controls=("PS019-3.3",),
    facts=(Repository, EnvironmentChange),
    expects=EnvironmentExpectations,
    evaluate=evaluate,
    needs=(
        "actions:read on all repositories, for environments, their reviewers and branch policies",
        "organization_administration:read, for edits of environments, secrets and variables in the audit log",
    ),
    remedy="set the environment as expected; whoever needs an exception changes the expectation by review",
)

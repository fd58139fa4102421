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
from monitor.facts.globs import covers
from monitor.facts.population import Missing, missing, one_each
from monitor.facts.repository import Environment, EnvironmentChange, Repository, RepositoryList
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Unknown, cited

ID = "environment-protection"
SHOWN = 50
PROTECTED = "~PROTECTED"
_TAG = "tag:"
_QUIET = ("secret", "variable")


class EnvironmentExpectations(Expectation):
    """What must hold for environments."""

    production: Production = Production()
    repositories: tuple[RepositoryExpectation, ...] = ()


def evaluate(
    facts: Iterable[Repository | RepositoryList | EnvironmentChange], expect: EnvironmentExpectations, sweep: Sweep
) -> Iterator[Result]:
    """Yield a result for each expected environment, for what could not be read of them, and for edits of them."""
    found = tuple(facts)
    lists = [fact for fact in found if isinstance(fact, RepositoryList)]
    repositories = one_each(fact for fact in found if isinstance(fact, Repository))
    watched = expect.production.github.organizations if expect.production.github else ()
    if any(entry.environments for entry in expect.repositories):
        for gone in missing(watched, lists, repositories):
            yield _unknown(gone.subject, gone.scope, f"{gone.what}: {gone.why.reason}", gone.why, gone)
    for repository in repositories:
        yield from _repository(repository, expect)
    changes: dict[str, EnvironmentChange] = {}
    for fact in found:
        if isinstance(fact, EnvironmentChange):
            changes[fact.id] = min(changes.get(fact.id, fact), fact, key=repr)
    groups: dict[str, list[EnvironmentChange]] = {}
    by_id = {repository.id: repository for repository in repositories if repository.id}
    by_name = {repository.name.lower(): repository for repository in repositories if repository.id}
    for change in sorted(changes.values(), key=lambda one: (one.at, one.id)):
        home = by_id.get(change.repository_id) or by_name.get(change.repository.lower())
        # It was expected of the repository under the name of then or of now: a rename hides nothing.
        names = {change.repository, home.name if home else ""}
        if any(environment_expectation(expect.repositories, name, change.environment) for name in names):
            where = home.id if home else change.repository_id or change.repository
            groups.setdefault(f"github:repository:{where}:environment:{change.environment}", []).append(change)
    for subject, group in sorted(groups.items()):
        yield _edited(subject, group)


def _repository(repository: Repository, expect: EnvironmentExpectations) -> Iterator[Result]:
    fitting = [entry for entry in expect.repositories if entry.environments and entry.fits(repository.name)]
    if not fitting or repository.archived:
        why = "it is archived: nothing is deployed from it" if fitting else "no expectation speaks of its environments"
        yield _aside(repository, f"{repository.name}: {why}", "environments")
        return
    lost = repository.blind or repository.environments
    if isinstance(lost, Unknown):
        reason = f"environments of {repository.name}: {lost.reason}"
        yield _unknown(repository.subject("environments"), repository.scope, reason, lost, repository)
        return
    judged = 0
    environments = repository.environments if isinstance(repository.environments, tuple) else ()
    found = {one.name: one for one in environments}
    for name, environment in sorted(found.items()):
        wanted = environment_expectation(expect.repositories, repository.name, name)
        if wanted is not None:
            judged += 1
            yield _environment(repository, environment, wanted)
    there = {name.lower() for name in found}
    named = {pattern for entry in fitting for one in entry.environments for pattern in one.match}
    plain = {pattern.lower(): pattern for pattern in sorted(named) if not set(pattern) & set("*?")}
    absent = [name for key, name in sorted(plain.items()) if key not in there]
    for name in absent:
        reason = f"the environments of {repository.name} were read, and there is no {name}"
        yield _aside(repository, reason, "environment", name)
    if not judged and not absent:
        reason = f"{repository.name} has no environment that an expectation speaks of"
        yield _aside(repository, reason, "environments")


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
        evidence=cited(repository, one),
    )


def _reviewers(one: Environment, wanted: EnvironmentExpectation) -> Iterator[str | Unknown]:
    reviewers = one.reviewers
    if isinstance(reviewers, Unknown):
        if wanted.min_reviewers or wanted.reviewers is not None:
            yield reviewers
        return
    # Where some are named who may approve, somebody must.
    least = wanted.min_reviewers or (1 if wanted.reviewers and wanted.min_reviewers is None else 0)
    if len(reviewers) < least:
        yield f"needs {least} reviewers, has {len(reviewers)}" if reviewers else "nobody must review a deployment"
    if wanted.reviewers is not None:
        allowed = {name.lower() for name in wanted.reviewers}
        for reviewer in reviewers:
            if f"{reviewer.kind}:{reviewer.name}".lower() not in allowed:
                yield f"{reviewer.kind}:{reviewer.name} may approve and is not expected to"
    if least and wanted.prevent_self_review is None and len(reviewers) == 1 and reviewers[0].kind == "user":
        if isinstance(one.prevent_self_review, Unknown):
            yield one.prevent_self_review
        elif not one.prevent_self_review:
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
    elif one.branch_policy != "custom":
        yield Unknown(f"the branch policy '{one.branch_policy}' is not one that the monitor knows")
    elif isinstance(one.deploys_from, Unknown):
        yield one.deploys_from
    else:
        for pattern in one.deploys_from:
            if not any(_within(pattern, allowed) for allowed in wanted.deploys_from):
                yield f"{pattern} may deploy and is not expected to"


def _within(pattern: str, allowed: str) -> bool:
    """Return whether an expected pattern covers an observed one; branches and tags do not cover each other."""
    if pattern == allowed:
        return True
    alike = pattern.startswith(_TAG) == allowed.startswith(_TAG)
    return alike and allowed != PROTECTED and covers(allowed.removeprefix(_TAG), pattern.removeprefix(_TAG))


def _edited(subject: str, group: list[EnvironmentChange]) -> Result:
    first = group[0]
    loud = [change for change in group if not any(word in change.action for word in _QUIET)]
    told = "; ".join(list(dict.fromkeys(map(_told, loud or group)))[:3])
    where = f"{first.environment} of {first.repository}"
    passed = any("bypass" in change.action for change in loud)
    return Result(
        check=ID,
        subject=f"{subject}:changes@{first.at:%Y-%m-%dT%H:%MZ}",
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
        evidence=cited(*group),
    )


def _told(change: EnvironmentChange) -> str:
    unclear = (
        " (the log does not tell whether it got weaker)" if change.action.endswith("update_protection_rule") else ""
    )
    return f"{change.action} by {change.actor or 'somebody'}{unclear}"


def _weakens(change: EnvironmentChange) -> bool:
    """Return whether an edit may have weakened the environment: whatever is not plainly a rule more."""
    return not change.action.endswith((".create", "add_protection_rule"))


def _aside(repository: Repository, reason: str, *more: str) -> Result:
    return Result(
        check=ID,
        subject=repository.subject(*more),
        scope=repository.scope,
        outcome=Outcome.NOT_APPLICABLE,
        severity=Severity.LOW,
        reason=reason,
        evidence=cited(repository),
    )


def _unknown(subject: str, scope: str, reason: str, lost: Unknown, source: Repository | Missing) -> Result:
    return Result(
        check=ID,
        subject=subject,
        scope=scope,
        outcome=Outcome.UNKNOWN,
        severity=Severity.HIGH,
        reason=reason,
        remedy=lost.grant or "see the coverage of this scope, and sweep again",
        evidence=cited(source),
    )


def _names(one: Environment) -> Any:
    return one.reviewers.reason if isinstance(one.reviewers, Unknown) else [f"{r.kind}:{r.name}" for r in one.reviewers]


def _shown(value: Any) -> Any:
    if isinstance(value, Unknown):
        return {"unknown": value.reason}
    return list(value) if isinstance(value, tuple) else value


CHECK = Check(
    id=ID,
    title="Environments of production are protected as expected",
    severity=Severity.HIGH,
    controls=("PS019-3.3",),
    facts=(Repository, RepositoryList, EnvironmentChange),
    expects=EnvironmentExpectations,
    evaluate=evaluate,
    needs=(
        "actions:read on all repositories, for environments, their reviewers and branch policies",
        "organization_administration:read, for edits of environments, secrets and variables in the audit log",
    ),
    remedy="set the environment as expected; whoever needs an exception changes the expectation by review",
)

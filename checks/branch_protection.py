"""PS019-3.1: every branch that must be protected is protected as the standard demands, and nobody can pass the rules by.

Classic protection and rulesets of the repository, the organisation and the enterprise are combined as the forge does: the
strictest rule applies; only enforced rules that really match the branch count. Each demand (pull requests, approvals, dismissal
of stale ones, code owners, approval of the last push, resolved conversations, status checks by name and app, no forced push, no
deletion, signatures, linear history, merge queue, lock) is compared with what is expected. An absent, empty or zero setting is
no protection. A list of bypass actors that may not be seen, or any setting that could not be read, is unknown and never passes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from monitor.expected.models import BranchExpectation, Production, RepositoryExpectation, branch_expectation
from monitor.facts.population import Missing, missing, one_each
from monitor.facts.protection import DEMANDS, BypassActor, StatusCheck
from monitor.facts.repository import Repository, RepositoryList
from monitor.facts.weighing import MET, UNKNOWN, Held, of_branch, weigh
from monitor.model import Check, Expectation, Outcome, Result, Severity, Sweep, Unknown, cited

ID = "branch-protection"
ADMINS = ("organisation-admin", "enterprise-owner", "role:admin")
_WORDS = {
    "pull_request": "pull requests are not required",
    "dismiss_stale": "a new push does not dismiss approvals",
    "code_owners": "code owners need not approve",
    "last_push_approval": "whoever pushed last may approve",
    "conversation_resolution": "conversations need not be resolved",
    "strict": "the branch need not be up to date",
    "block_force_push": "forced pushes are allowed",
    "block_deletion": "the branch may be deleted",
    "signatures": "commits need not be signed",
    "linear_history": "merge commits are allowed",
    "merge_queue": "no merge queue is required",
    "lock": "the branch is not locked",
}


class RepositoryExpectations(Expectation):
    """Which organisations are watched, and what must hold in their repositories."""

    production: Production = Production()
    repositories: tuple[RepositoryExpectation, ...] = ()


def evaluate(
    facts: Iterable[Repository | RepositoryList], expect: RepositoryExpectations, sweep: Sweep
) -> Iterator[Result]:
    """Yield a result for each expected branch, for each repository that cannot be judged, and for what is not listed."""
    found = tuple(facts)
    lists = [fact for fact in found if isinstance(fact, RepositoryList)]
    repositories = one_each(fact for fact in found if isinstance(fact, Repository))
    watched = expect.production.github.organizations if expect.production.github else ()
    for gone in missing(watched, lists, repositories):
        yield _unknown(gone.subject, gone.scope, f"{gone.what}: {gone.why.reason}", gone.why, gone)
    for repository in repositories:
        yield from _repository(repository, expect)


def _repository(repository: Repository, expect: RepositoryExpectations) -> Iterator[Result]:
    entries, name = expect.repositories, repository.name
    if not any(entry.branches and entry.fits(name) for entry in entries):
        yield _aside(repository, "no expectation speaks of its branches")
    elif repository.archived:
        yield _aside(repository, "it is archived: nothing can be pushed to it")
    elif repository.blind is not None or isinstance(repository.branches, Unknown):
        lost = repository.blind or repository.branches
        assert isinstance(lost, Unknown)
        yield _unknown(repository.subject(), repository.scope, f"{name}: {lost.reason}", lost, repository)
    elif not repository.default_branch:
        yield _aside(repository, "it is empty: it has no branch yet")
    else:
        assert isinstance(repository.branches, tuple)
        there = {*repository.branches, repository.default_branch}
        named = {pattern for entry in entries if entry.fits(name) for one in entry.branches for pattern in one.match}
        absent = sorted(pattern for pattern in named - there if not set(pattern) & set("*?~"))
        judged = 0
        for branch in sorted(there):
            wanted = branch_expectation(entries, name, branch, repository.default_branch)
            if wanted is not None:
                judged += 1
                yield _branch(repository, branch, wanted)
        for branch in absent:
            yield _aside(repository, f"its branches were read, and there is no {branch}", "branch", branch)
        if not judged and not absent:
            yield _aside(repository, "none of its branches is one that an expectation speaks of")


def _branch(repository: Repository, branch: str, wanted: BranchExpectation) -> Result:
    subject, where = repository.subject("branch", branch), f"{branch} of {repository.name}"
    if isinstance(repository.rules, Unknown):
        return _unknown(subject, repository.scope, f"{where}: {repository.rules.reason}", repository.rules, repository)
    rules = of_branch(repository.rules, branch, repository.default_branch)
    wrong: list[str] = []
    doubts: list[Unknown] = []
    observed: dict[str, Any] = {}
    passed: dict[str, list[str]] = {}

    def allowed(actor: BypassActor) -> bool:
        return _allowed(actor, wanted)

    for demand, told, want in _demands(wanted):
        held = weigh(rules, demand, lambda value, want=want: _enough(value, want), allowed)  # type: ignore[misc]
        observed[told] = _shown(held)
        if held.standing == UNKNOWN:
            doubts.append(held.doubt or Unknown("it could not be read"))
        elif held.standing != MET and held.by:
            who = ", ".join(dict.fromkeys(f"{one['actor']} ({one['mode']})" for one in _actors(held.passers)))
            passed.setdefault(who, []).append(_told(demand, want))
        elif held.standing != MET:
            wrong.append(_fault(demand, want, held))
    wrong += [f"{who} can pass by: {', '.join(demands)}" for who, demands in passed.items()]
    unprotected = not any(rule.enforced is True for rule in rules)
    if wrong:
        outcome, reason = Outcome.FAIL, "; ".join([*(["no rule protects it"] if unprotected else []), *wrong])
    elif doubts:
        outcome, reason = Outcome.UNKNOWN, "; ".join(dict.fromkeys(doubt.reason for doubt in doubts))
    elif not observed:  # who may pass by is a matter of what is demanded: a pass would tell that something holds
        outcome, reason = Outcome.NOT_APPLICABLE, "nothing is demanded of it"
    else:
        outcome, reason = (
            Outcome.PASS,
            f"{len(observed)} demands are met by {', '.join(rule.name for rule in rules) or 'nothing'}",
        )
    grants = "; ".join(dict.fromkeys(doubt.grant for doubt in doubts if doubt.grant))
    return Result(
        check=ID,
        subject=subject,
        scope=repository.scope,
        outcome=outcome,
        severity=Severity.CRITICAL if unprotected and wrong else Severity.HIGH,
        reason=f"{where}: {reason}",
        expected=wanted.model_dump(mode="json", exclude_none=True, exclude={"match"}),
        observed={
            "demands": observed,
            "rules": [
                {"name": r.name, "kind": r.kind, "enforcement": r.enforcement, "bypass": _actors(r.bypass)}
                for r in rules
            ],
        },
        remedy={
            Outcome.FAIL: "set the rule as expected, or change the expectation by review",
            Outcome.UNKNOWN: grants,
        }.get(outcome, ""),
        evidence=cited(repository, *rules),
    )


def _demands(wanted: BranchExpectation) -> Iterator[tuple[str, str, Any]]:
    """Yield what is demanded: the name of the demand, how it is told, and the least that is enough."""
    for demand in DEMANDS:
        want = getattr(wanted, demand)
        if demand == "status_checks":
            for check in want or ():
                yield demand, f"check {check.name}", StatusCheck(check.name, check.app or 0)
        elif want:
            yield demand, demand, want


def _enough(value: Any, want: Any) -> bool:
    if isinstance(want, StatusCheck):
        return any(one.name == want.name and want.app in (0, one.app) for one in value)
    return bool(value >= want)


def _allowed(actor: BypassActor, wanted: BranchExpectation) -> bool:
    name = f"{actor.kind}:{actor.name}" if actor.kind in ("role", "team", "app", "user", "unknown") else actor.kind
    if name in ADMINS and wanted.admins_included is False:
        return True
    modes = {one.mode for one in wanted.bypass or () if one.actor.lower() == name.lower()}
    return "always" in modes or ("pull-request" in modes and actor.mode == "pull-request")


def _fault(demand: str, want: Any, held: Held) -> str:
    if demand == "approvals":
        return f"needs {want} approvals, has {held.value or 0}"
    if demand == "status_checks":
        return f"check {want.name}" + (f" of app {want.app}" if want.app else "") + " is not required"
    return _WORDS[demand]


def _told(demand: str, want: Any) -> str:
    return f"check {want.name}" if isinstance(want, StatusCheck) else demand.replace("_", " ")


def _shown(held: Held) -> dict[str, Any]:
    value = (
        [{"name": check.name, "app": check.app} for check in held.value]
        if isinstance(held.value, tuple)
        else held.value
    )
    found: dict[str, Any] = {"value": value, "standing": held.standing, "by": list(held.by)}
    if held.passers:
        found["bypass"] = _actors(held.passers)
    if held.doubt:
        found["unknown"] = held.doubt.reason
    return found


def _actors(actors: tuple[BypassActor, ...] | Unknown) -> Any:
    if isinstance(actors, Unknown):
        return {"unknown": actors.reason}
    return [
        {"actor": f"{a.kind}:{a.name}".rstrip(":"), "mode": a.mode, **({"only": list(a.only)} if a.only else {})}
        for a in actors
    ]


def _aside(repository: Repository, reason: str, *more: str) -> Result:
    return Result(
        check=ID,
        subject=repository.subject(*more),
        scope=repository.scope,
        outcome=Outcome.NOT_APPLICABLE,
        severity=Severity.LOW,
        reason=f"{repository.name}: {reason}",
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


CHECK = Check(
    id=ID,
    title="Branches are protected as expected",
    severity=Severity.HIGH,
    controls=("PS019-3.1",),
    facts=(Repository, RepositoryList),
    expects=RepositoryExpectations,
    evaluate=evaluate,
    needs=(
        "metadata:read on all repositories",
        "administration:read, for classic protection",
        "write access to each ruleset (administration:write, organization_administration:write), for who may pass it by",
    ),
    remedy="set protection as expected; whoever needs an exception changes the expectation by review",
)

"""PS019-1.2: nothing arrives on a protected branch but through a pull request.

Every move of a branch for which pull requests are expected is looked at: merges by pull request or merge queue pass. A push
passes only if every commit of its first-parent line belongs to a merged pull request. A forced push, the deletion of the branch,
and a push with a commit that belongs to none fail, whoever did it. Where it could not be asked, the move is unknown.
A declared emergency change that covers the time makes it a change of class emergency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from monitor.expected.models import EmergencyChange, RepositoryExpectation, branch_expectation
from monitor.facts.protection import BranchUpdate
from monitor.facts.repository import HistoryCoverage, Repository
from monitor.model import ChangeClass, Check, Expectation, Outcome, Result, Severity, Sweep, Unknown, cited

ID = "direct-push"
SHOWN = 50
_ORDER = (Outcome.FAIL, Outcome.UNKNOWN, Outcome.PASS, Outcome.NOT_APPLICABLE)


class PushExpectations(Expectation):
    """For which branches pull requests are expected, and the emergencies that excuse a push."""

    repositories: tuple[RepositoryExpectation, ...] = ()
    emergency_changes: tuple[EmergencyChange, ...] = ()


def evaluate(
    facts: Iterable[Repository | BranchUpdate | HistoryCoverage], expect: PushExpectations, sweep: Sweep
) -> Iterator[Result]:
    """Yield a result for each expected branch, person and day on which it moved, and each repository where none can tell."""
    unread: dict[int, Unknown] = {}
    repositories: dict[int, Repository] = {}
    updates: dict[str, BranchUpdate] = {}
    for fact in facts:
        if isinstance(fact, Repository):
            repositories[fact.id] = min(repositories.get(fact.id, fact), fact, key=repr)
        elif isinstance(fact, HistoryCoverage):
            if fact.source == "activity" and fact.unknown is not None and fact.repository_id:
                unread[fact.repository_id] = min(unread.get(fact.repository_id, fact.unknown), fact.unknown, key=repr)
        else:
            updates[fact.id] = min(updates.get(fact.id, fact), fact, key=repr)
    named = {one.name.lower(): number for number, one in sorted(repositories.items(), reverse=True)}
    groups: dict[tuple[int, str, str, str], list[BranchUpdate]] = {}
    for update in updates.values():
        # An event may name its repository and not tell the id.
        repository = repositories.get(update.repository_id or named.get(update.repository.lower(), 0))
        if repository is None or repository.archived:
            continue
        wanted = branch_expectation(expect.repositories, repository.name, update.branch, repository.default_branch)
        if wanted is not None and (wanted.pull_request or wanted.approvals):
            key = (repository.id, update.branch, f"{update.at:%Y-%m-%d}", update.actor.name)
            groups.setdefault(key, []).append(update)
    for number, lost in sorted(unread.items()):
        if number in repositories:
            yield _unread(repositories[number], lost, sweep)
    for (number, branch, day, name), group in sorted(groups.items()):
        yield _result(repositories[number], branch, day, name, sorted(group, key=lambda u: (u.at, u.id)), expect)


def _result(
    repository: Repository, branch: str, day: str, name: str, group: list[BranchUpdate], expect: PushExpectations
) -> Result:
    judged = [(update, *_judged(update)) for update in group]
    # An emergency excuses the moves that it covers, and hides none of the others.
    excused = {u.id for u, found, _ in judged if found is Outcome.FAIL and _emergency(repository, u, expect)}
    outcome = min((Outcome.PASS if u.id in excused else found for u, found, _ in judged), key=_ORDER.index)
    covered = outcome is Outcome.PASS and bool(excused)
    worst = [(u, why) for u, found, why in judged if (u.id in excused if covered else found is outcome)]
    told = "; ".join(dict.fromkeys(f"{why} ({update.after[:7] or update.before[:7]})" for update, why in worst[:3]))
    return Result(
        check=ID,
        subject=repository.subject("branch", branch, f"updates@{day}", name),
        scope=repository.scope,
        outcome=outcome,
        severity=Severity.HIGH,
        change_class=ChangeClass.EMERGENCY if covered else None,
        actor=name,
        reason=f"{branch} of {repository.name} on {day}, {name or 'somebody'}: {told}"
        + (", in a declared emergency" * covered),
        expected={"arrives": "by pull request or merge queue"},
        observed={
            "updates": [
                {
                    "at": u.at.isoformat(),
                    "kind": u.kind,
                    "before": u.before,
                    "after": u.after,
                    "outcome": found.value,
                    "change_requests": list(u.change_requests) if isinstance(u.change_requests, tuple) else None,
                }
                for u, found, _ in judged[:SHOWN]
            ],
            "count": len(judged),
        },
        remedy={
            Outcome.FAIL: "review what was pushed, and let a pull request tell of it; see how it could pass protection",
            Outcome.UNKNOWN: "; ".join(
                sorted({u.change_requests.grant for u, _ in worst if isinstance(u.change_requests, Unknown)})
            ),
        }.get(outcome, ""),
        evidence=cited(*group),
    )


def _unread(repository: Repository, lost: Unknown, sweep: Sweep) -> Result:
    return Result(
        check=ID,
        # A window that nobody saw stays on record; it is owed again, and resolves when it is read after all.
        subject=repository.subject(f"updates@{sweep.window.start:%Y-%m-%dT%H:%MZ}"),
        scope=repository.scope,
        outcome=Outcome.UNKNOWN,
        severity=Severity.HIGH,
        reason=f"what moved the branches of {repository.name} could not be read: {lost.reason}",
        remedy=lost.grant or "see the coverage of this scope, and sweep again",
    )


def _judged(update: BranchUpdate) -> tuple[Outcome, str]:
    if update.kind in ("merge", "merge-queue"):
        return Outcome.PASS, "merged by pull request"
    if update.kind == "creation":
        return Outcome.NOT_APPLICABLE, "the branch was made"
    if update.kind == "deletion":
        return Outcome.FAIL, "the branch was deleted"
    if update.kind == "force-push":
        return Outcome.FAIL, "a forced push rewrote history"
    if isinstance(update.change_requests, Unknown):
        return Outcome.UNKNOWN, f"pushed, and it is not known by which pull request: {update.change_requests.reason}"
    if update.change_requests:
        numbers = ", ".join(f"#{number}" for number in update.change_requests[:5])
        return Outcome.PASS, f"pushed, and every commit belongs to a pull request: {numbers}"
    return Outcome.FAIL, "pushed without a pull request"


def _emergency(repository: Repository, update: BranchUpdate, expect: PushExpectations) -> bool:
    return any(one.frees(repository.name) and one.covers(update.at) for one in expect.emergency_changes)


CHECK = Check(
    id=ID,
    title="Protected branches move by pull request only",
    severity=Severity.HIGH,
    controls=("PS019-1.2", "PS019-3.1"),
    facts=(Repository, BranchUpdate, HistoryCoverage),
    expects=PushExpectations,
    evaluate=evaluate,
    needs=("contents:read, for what moved a branch", "pull_requests:read, for the pull request of a commit"),
    remedy="protect the branch so that nobody can push to it; review what was pushed",
)

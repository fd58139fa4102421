"""Through which pull request a pushed commit came."""

from __future__ import annotations

import msgspec

from monitor.decode import github_history
from monitor.errors import SourceError
from monitor.expected.models import RepositoryExpectation, branch_expectation
from monitor.facts.protection import BranchUpdate
from monitor.facts.repository import Repository
from monitor.model import EvidenceRef, Unknown
from monitor.sources.github.client import Answer, GitHub


def arrived(
    forge: GitHub, entries: tuple[RepositoryExpectation, ...], repository: Repository, update: BranchUpdate
) -> BranchUpdate:
    """Ask of a push to a branch that wants pull requests whether its commit came through one."""
    expected = branch_expectation(entries, repository.name, update.branch, repository.default_branch)
    wanted = expected is not None and (expected.pull_request or expected.approvals)
    if update.kind not in ("push", "force-push") or not wanted or not update.after.strip("0"):
        return update
    path = f"/repos/{repository.name}/commits/{update.after}/pulls"
    try:
        answer: Answer = forge.get(path, scope=repository.scope, permission="pull_requests:read")
        numbers = github_history.pulls(answer.body)
    except SourceError as failed:
        return msgspec.structs.replace(update, change_requests=Unknown(failed.what, failed.todo))
    evidence: tuple[EvidenceRef, ...] = (*update.evidence, *answer.evidence)
    return msgspec.structs.replace(update, change_requests=numbers, evidence=evidence)

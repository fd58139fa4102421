"""Through which pull requests the commits of a push came."""

from __future__ import annotations

import msgspec

from monitor.decode import github_history
from monitor.errors import Malformed, SourceError
from monitor.expected.models import RepositoryExpectation, branch_expectation
from monitor.facts.protection import BranchUpdate
from monitor.facts.repository import Repository
from monitor.model import EvidenceRef, Unknown
from monitor.sources.github.client import GitHub

MOST = 100
"""Commits of one push that are asked for one by one."""
_CONTENTS, _PULLS = "contents:read", "pull_requests:read"


def arrived(
    forge: GitHub, entries: tuple[RepositoryExpectation, ...], repository: Repository, update: BranchUpdate
) -> BranchUpdate:
    """Ask of a push to a branch that wants pull requests whether every commit of its first-parent line came through one.

    The numbers of the pull requests are what the update bears then; none if a single commit came through none.
    """
    expected = branch_expectation(entries, repository.name, update.branch, repository.default_branch)
    wanted = expected is not None and (expected.pull_request or expected.approvals)
    if update.kind != "push" or not wanted or not update.after.strip("0"):
        return update
    evidence: list[EvidenceRef] = list(update.evidence)
    numbers: set[int] = set()
    try:
        for commit in _line(forge, repository, update, evidence):
            path = f"/repos/{repository.name}/commits/{commit}/pulls"
            answer = forge.get(path, scope=repository.scope, permission=_PULLS)
            evidence += answer.evidence
            found = github_history.pulls(answer.body)
            if not found:
                return msgspec.structs.replace(update, change_requests=(), evidence=tuple(evidence))
            numbers.update(found)
    except SourceError as failed:
        return msgspec.structs.replace(update, change_requests=Unknown(failed.what, failed.todo))
    return msgspec.structs.replace(update, change_requests=tuple(sorted(numbers)), evidence=tuple(evidence))


def _line(forge: GitHub, repository: Repository, update: BranchUpdate, evidence: list[EvidenceRef]) -> list[str]:
    """Return the commits of a push along first parents, the newest first. Raises SourceError.

    https://docs.github.com/en/rest/commits/commits#compare-two-commits
    """
    path = f"/repos/{repository.name}/compare/{update.before}...{update.after}"
    parents: dict[str, str] = {}
    for answer in forge.pages(path, scope=repository.scope, permission=_CONTENTS, params={"per_page": "100"}):
        parents.update(github_history.first_parents(answer.body))
        evidence += answer.evidence
    line, commit = [update.after], parents.get(update.after, "")
    while commit in parents and commit not in line:
        line.append(commit)
        commit = parents[commit]
    if len(line) > MOST:
        raise Malformed(
            f"a push to {update.branch} of {repository.name} brings more than {MOST} commits", source="github"
        )
    return line

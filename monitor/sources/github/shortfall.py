"""What is told where something could not be read: coverage, and Unknown in just the place where it belongs. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from monitor.decode.github_graphql import RepositoryNode, RulesetRef
from monitor.errors import Denied, SourceError, Throttled
from monitor.facts.protection import DEMANDS, Demands, ProtectionRule, Targets
from monitor.facts.repository import Environment, Repository
from monitor.model import CoverageStatus, ScopeCoverage, Unknown
from monitor.sources.github.client import Access

SETTINGS = "github.settings"
IDENTITIES = "github.identities"
_ENFORCED = {"active": True, "enabled": True, "disabled": False, "evaluate": False}
_KINDS = {"Repository": "repository-ruleset", "Organization": "organisation-ruleset"}


def status_of(failures: Sequence[SourceError]) -> CoverageStatus:
    """Return what these failures make of a scope."""
    if any(isinstance(failed, Throttled) for failed in failures):
        return CoverageStatus.THROTTLED
    if any(isinstance(failed, Denied) for failed in failures):
        return CoverageStatus.DENIED
    return CoverageStatus.PARTIAL if failures else CoverageStatus.COMPLETE


def shortfall(repository: Repository, failures: Sequence[SourceError]) -> ScopeCoverage:
    """Return how much of a repository was read: what failed, and what came back as Unknown."""
    lost = [Unknown(failed.what, failed.todo) for failed in failures]
    for value in (repository.blind, repository.branches, repository.rules, repository.environments):
        if isinstance(value, Unknown) and value not in lost:
            lost.append(value)
    status = status_of(failures)
    if lost and status is CoverageStatus.COMPLETE:
        status = CoverageStatus.PARTIAL
    return ScopeCoverage(
        scope=repository.scope,
        source=SETTINGS,
        status=status,
        reason=lost[0].reason if lost else "",
        grant=", ".join(dict.fromkeys(one.grant for one in lost if one.grant)),
        gaps=tuple(dict.fromkeys(one.reason for one in lost)),
    )


def unread_rule(ref: RulesetRef, failure: SourceError | None) -> ProtectionRule:
    """Return a ruleset of which only the name is known: whatever it demands, and of which branch, is Unknown."""
    lost = Unknown(failure.what if failure else "not read", failure.todo if failure else "")
    return ProtectionRule(
        key=f"ruleset:{ref.id}",
        kind=_KINDS.get(ref.source_type, "enterprise-ruleset"),
        name=ref.name,
        enforced=_ENFORCED.get(ref.enforcement.lower(), lost),
        enforcement=ref.enforcement.lower(),
        targets=Targets(include=("~ALL",)),
        demands=Demands(**dict.fromkeys(DEMANDS, lost)),
        bypass=lost,
    )


def cut(node: RepositoryNode, failed: SourceError) -> RepositoryNode:
    """Return a repository whose further pages failed: the lists that are cut short are Unknown, not short."""
    lost = Unknown(failed.what, failed.todo)
    repository = node.repository
    if "refs" in node.more:
        repository = msgspec.structs.replace(repository, branches=lost, rules=lost)
    if "branchProtectionRules" in node.more:
        repository = msgspec.structs.replace(repository, rules=lost)
    return msgspec.structs.replace(
        node,
        repository=repository,
        rulesets=lost if "rulesets" in node.more else node.rulesets,
        environment_names=lost if "environments" in node.more else node.environment_names,
        more={},
    )


def unseen(access: Access, failures: Sequence[SourceError]) -> Unknown | None:
    """Return why the list of repositories may lack some; None if nothing says so."""
    if failures:
        return Unknown(failures[0].what, failures[0].todo)
    if access.selected:
        return Unknown(
            "the app is installed on selected repositories only; the others are not seen",
            "install the app on all repositories of the organisation",
        )
    return None


def not_asked(name: str) -> Environment:
    """Return an environment of which only the name was read, since nothing is expected of it."""
    lost = Unknown("not asked: nothing is expected of it")
    return Environment(
        id=0,
        name=name,
        reviewers=lost,
        prevent_self_review=lost,
        admins_may_bypass=lost,
        branch_policy=lost,
        deploys_from=lost,
        wait_minutes=lost,
        custom_rules=lost,
    )

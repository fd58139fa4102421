"""The settings of an organisation's repositories: one GraphQL page for a hundred of them, REST for what that lacks.

A repository costs one request more for its environments, if expected state speaks of any of them, and one for each ruleset of
its own, since only REST tells whether the list of bypass actors was left out:
https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset
One repository's failure costs its own coverage alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TypeVar
from urllib.parse import quote

import msgspec

from monitor.decode import github_environments, github_graphql, github_rules
from monitor.decode.github_graphql import Page, RepositoryNode, RulesetRef
from monitor.errors import Malformed, SourceError
from monitor.expected.models import RepositoryExpectation, branch_expectation, environment_expectation
from monitor.facts.protection import ProtectionRule
from monitor.facts.repository import Environment, Repository, RepositoryList
from monitor.model import CoverageStatus, ScopeCoverage, Unknown
from monitor.sources.github.client import Access, GitHub
from monitor.sources.github.shortfall import SETTINGS, cut, not_asked, shortfall, status_of, unread_rule, unseen
from monitor.sources.ports import Progress

PAGE = 100
_STEP = "reading repositories of {}"
A = TypeVar("A")
B = TypeVar("B")


class Settings(msgspec.Struct, kw_only=True):
    """What one organisation's settings are: facts, coverage, and which ruleset was edited when (UTC)."""

    listing: RepositoryList
    repositories: list[Repository] = []
    coverage: list[ScopeCoverage] = []
    edited: dict[str, tuple[RulesetRef, str]] = {}
    """By rule key: the ruleset, and the repository through which it was seen."""
    ended: bool = False
    """Whether the list was read to its end: a repository that is missing from it is gone only then."""


def read(
    forge: GitHub,
    organisation: str,
    entries: tuple[RepositoryExpectation, ...],
    at: datetime,
    workers: int,
    progress: Progress,
) -> Settings:
    """Return the settings of all repositories that can be seen. Never raises for what the forge does."""
    scope = f"github:{organisation}"
    try:
        access = forge.access()
    except SourceError as failed:
        return _nothing(organisation, at, failed)
    nodes, failures, taken, points = _nodes(forge, organisation, access, at, progress)
    if not nodes and failures:
        return _nothing(organisation, at, failures[0])
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="github") as pool:
        reading = _Reading(forge, organisation, entries, access, pool, progress)
        repositories, coverage = reading.complete(nodes)
    hidden = unseen(access, failures)
    ids = tuple(sorted(one.id for one in repositories))
    listing = RepositoryList(organisation=organisation, at=taken, ids=ids, unseen=hidden)
    whole = ScopeCoverage(
        scope=scope,
        source=SETTINGS,
        status=status_of(failures) if failures else CoverageStatus.PARTIAL if hidden else CoverageStatus.COMPLETE,
        reason=failures[0].what if failures else hidden.reason if hidden else "",
        grant=failures[0].todo if failures else hidden.grant if hidden else "",
        counts={"repositories": len(repositories), "requests": forge.requests, "points": points},
    )
    edited = {f"ruleset:{ref.id}": (ref, name) for ref, name in reading.owners.values()}
    return Settings(
        listing=listing, repositories=repositories, coverage=[whole, *coverage], edited=edited, ended=not failures
    )


def _nodes(
    forge: GitHub, organisation: str, access: Access, at: datetime, progress: Progress
) -> tuple[list[RepositoryNode], list[SourceError], datetime, int]:
    """Return all repositories that the pages hold, what went wrong, when the last page was read (UTC), and its cost in points."""
    scope, cursor, taken, points = f"github:{organisation}", None, at, 0
    nodes: dict[int, RepositoryNode] = {}
    failures: list[SourceError] = []
    while True:
        variables = {"organization": organisation, "first": PAGE, "after": cursor}
        try:
            answer = forge.graphql(github_graphql.REPOSITORIES, variables, scope=scope)
            taken = answer.at
            page: Page = github_graphql.repositories_page(
                answer.body, organisation, answer.at, answer.evidence, admin=access.may("administration") is not False
            )
        except SourceError as failed:
            failures.append(failed)
            break
        points += page.cost or 0
        failures += [Malformed(f"a repository of {organisation} cannot be read: {why}") for why in page.lost]
        nodes.update((node.repository.id, _seen_by(node, access)) for node in page.nodes)
        progress(_STEP.format(organisation), len(nodes), page.total or 0)
        if page.cursor is None or page.cursor == cursor:
            break
        cursor = page.cursor
    return list(nodes.values()), failures, taken, points


def _seen_by(node: RepositoryNode, access: Access) -> RepositoryNode:
    """Take an empty list of classic rules for Unknown where nobody says that it could be seen: it is empty for the blind too."""
    if access.may("administration") is None and node.can_administer is not True and node.repository.rules == ():
        lost = Unknown("classic protection may not be seen by this token", "administration:read on the repository")
        return msgspec.structs.replace(node, repository=msgspec.structs.replace(node.repository, rules=lost))
    return node


class _Reading:
    """One organisation under way: what the pages left open is asked here, by a few threads."""

    def __init__(
        self,
        forge: GitHub,
        organisation: str,
        entries: tuple[RepositoryExpectation, ...],
        access: Access,
        pool: ThreadPoolExecutor,
        progress: Progress,
    ) -> None:
        self.forge = forge
        self.organisation = organisation
        self.entries = entries
        self.access = access
        self.pool = pool
        self.progress = progress
        self.owners: dict[int, tuple[RulesetRef, str]] = {}

    def complete(self, nodes: Sequence[RepositoryNode]) -> tuple[list[Repository], list[ScopeCoverage]]:
        """Return the repositories with rulesets and environments, and the coverage of each."""
        joined = list(self._each(self._rest, nodes, "reading long lists"))
        live = [(node, failed) for node, failed in joined if not node.repository.archived]
        for node, _ in live:
            for ref in node.rulesets if isinstance(node.rulesets, tuple) else ():
                self.owners.setdefault(ref.id, (ref, node.repository.name))
        rules = dict(self._each(self._ruleset, sorted(self.owners), "reading rulesets"))
        done = list(self._each(lambda one: self._repository(*one, rules), joined, "reading environments"))
        return [one for one, _ in done], [coverage for _, coverage in done]

    def _each(self, ask: Callable[[A], B], items: Iterable[A], step: str) -> Iterable[B]:
        waiting = list(items)
        for number, answer in enumerate(self.pool.map(ask, waiting), 1):
            self.progress(f"{step} of {self.organisation}", number, len(waiting))
            yield answer

    def _rest(self, node: RepositoryNode) -> tuple[RepositoryNode, list[SourceError]]:
        """Read the further pages of a repository's own lists."""
        scope, failures, rounds = node.repository.scope, [], 0
        owner, _, name = node.repository.name.partition("/")
        while node.more and rounds < 200:
            rounds += 1
            try:
                variables = {"owner": owner, "name": name, **github_graphql.cursors(node.more)}
                answer = self.forge.graphql(github_graphql.REPOSITORY, variables, scope=scope)
                more = github_graphql.repository_page(
                    answer.body,
                    self.organisation,
                    answer.at,
                    answer.evidence,
                    admin=self.access.may("administration") is not False,
                )
                node = github_graphql.joined(node, more)
            except SourceError as failed:
                failures.append(failed)
                node = cut(node, failed)
        return node, failures

    def _ruleset(self, number: int) -> tuple[int, tuple[ProtectionRule, SourceError | None]]:
        """Read one ruleset. Its own level is asked first: that is where the bypass actors show."""
        ref, repository = self.owners[number]
        scope, own = f"github:{repository}", f"/repos/{repository}/rulesets/{number}"
        paths = [own]
        if ref.source_type == "Organization":
            paths.insert(0, f"/orgs/{self.organisation}/rulesets/{number}")
        failure: SourceError | None = None
        for path in paths:
            params = {"includes_parents": "true"} if path == own else None
            try:
                answer = self.forge.get(path, scope=scope, permission="metadata:read", params=params)
                rule = github_rules.ruleset(answer.body, answer.evidence)
                return number, (rule, None)
            except SourceError as failed:
                failure = failed
        return number, (unread_rule(ref, failure), failure)

    def _repository(
        self,
        node: RepositoryNode,
        failures: list[SourceError],
        rules: Mapping[int, tuple[ProtectionRule, SourceError | None]],
    ) -> tuple[Repository, ScopeCoverage]:
        """Return a repository with everything that was read of it."""
        repository, failures = node.repository, list(failures)
        if repository.archived:
            names = node.environment_names
            known = names if isinstance(names, Unknown) else tuple(not_asked(name) for name in names)
            repository = msgspec.structs.replace(repository, environments=known)
            return repository, shortfall(repository, failures)
        if isinstance(node.rulesets, Unknown):
            repository = msgspec.structs.replace(repository, rules=node.rulesets)
        elif isinstance(repository.rules, tuple):
            found = [rules[ref.id] for ref in node.rulesets if ref.id in rules]
            failures += [failed for _, failed in found if failed]
            more = tuple(rule for rule, _ in found)
            if any(failed for _, failed in found):
                more += self._effective(repository, failures)
            repository = msgspec.structs.replace(repository, rules=(*repository.rules, *more))
        repository = msgspec.structs.replace(repository, environments=self._environments(node, failures))
        return repository, shortfall(repository, failures)

    def _effective(self, repository: Repository, failures: list[SourceError]) -> tuple[ProtectionRule, ...]:
        """Ask which rules are in effect on the expected branches, where a ruleset itself may not be read."""
        found: list[ProtectionRule] = []
        branches = repository.branches if isinstance(repository.branches, tuple) else (repository.default_branch,)
        for branch in branches:
            if branch_expectation(self.entries, repository.name, branch, repository.default_branch) is None:
                continue
            path = f"/repos/{repository.name}/rules/branches/{branch}"
            try:
                for answer in self.forge.pages(path, scope=repository.scope, permission="metadata:read"):
                    found += github_rules.effective(answer.body, branch, answer.evidence)
            except SourceError as failed:
                failures.append(failed)
        return tuple(found)

    def _environments(self, node: RepositoryNode, failures: list[SourceError]) -> tuple[Environment, ...] | Unknown:
        """Read the environments of a repository if expected state speaks of any of them."""
        if isinstance(node.environment_names, Unknown):
            return node.environment_names
        repository = node.repository
        wanted = {n for n in node.environment_names if environment_expectation(self.entries, repository.name, n)}
        if not wanted:
            return tuple(not_asked(name) for name in node.environment_names)
        path, scope = f"/repos/{repository.name}/environments", repository.scope
        found: list[Environment] = []
        try:
            for answer in self.forge.pages(path, scope=scope, permission="actions:read", params={"per_page": "100"}):
                found += github_environments.environments(answer.body, answer.evidence)
        except SourceError as failed:
            failures.append(failed)
            return Unknown(failed.what, failed.todo)
        return tuple(self._environment(repository, one, failures) if one.name in wanted else one for one in found)

    def _environment(
        self, repository: Repository, environment: Environment, failures: list[SourceError]
    ) -> Environment:
        expected = environment_expectation(self.entries, repository.name, environment.name)
        path = f"/repos/{repository.name}/environments/{quote(environment.name, safe='')}"
        if environment.branch_policy == "custom":
            patterns = self._list(
                repository, f"{path}/deployment-branch-policies", github_environments.branch_policies, failures
            )
            environment = msgspec.structs.replace(environment, deploys_from=patterns)
        if expected and expected.custom_rules is not None:
            rules = self._list(
                repository, f"{path}/deployment_protection_rules", github_environments.custom_rules, failures
            )
            return msgspec.structs.replace(environment, custom_rules=rules)
        return msgspec.structs.replace(environment, custom_rules=Unknown("not asked: nothing is expected of them"))

    def _list(
        self, repository: Repository, path: str, decode: Callable[[bytes], tuple[str, ...]], failures: list[SourceError]
    ) -> tuple[str, ...] | Unknown:
        found: list[str] = []
        try:
            for answer in self.forge.pages(
                path, scope=repository.scope, permission="actions:read", params={"per_page": "100"}
            ):
                found += decode(answer.body)
        except SourceError as failed:
            failures.append(failed)
            return Unknown(failed.what, failed.todo)
        return tuple(found)


def _nothing(organisation: str, at: datetime, failed: SourceError) -> Settings:
    """Return that not even the list of repositories could be had."""
    lost = Unknown(failed.what, failed.todo)
    coverage = ScopeCoverage(
        scope=f"github:{organisation}",
        source=SETTINGS,
        status=status_of([failed]),
        reason=failed.what,
        grant=failed.todo,
    )
    return Settings(listing=RepositoryList(organisation=organisation, at=at, ids=lost), coverage=[coverage])

"""GitHub's side of the deploy identities: templates of token subjects, names and ages of secrets, deploy keys.

Two requests are for the organisation. A repository costs four, and one for each of its environments, so only those are asked
from which the pipeline is trusted, and those whose environments expected state speaks of. Deploy keys come by REST: GraphQL
does not tell when a key was last used, and would make every page of repositories dearer.
https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TypeVar
from urllib.parse import quote

import msgspec

from monitor.decode import github_secrets, github_trust
from monitor.decode.github_secrets import ENVIRONMENT, ORGANISATION, REPOSITORY
from monitor.errors import SourceError, Unavailable
from monitor.expected.models import RepositoryExpectation, environment_expectation
from monitor.expected.patterns import matches
from monitor.facts.repository import Repository
from monitor.facts.stored_secret import DeployKey, KeptCredentials, StoredSecret
from monitor.facts.trust import SubjectTemplate
from monitor.model import EvidenceRef, ScopeCoverage, Unknown
from monitor.sources.github.client import GitHub
from monitor.sources.github.shortfall import IDENTITIES, status_of
from monitor.sources.ports import Progress

MOST_ENVIRONMENTS = 200
"""Environments of one repository whose secrets are asked for; a repository with one for each pull request has no end of them."""
A = TypeVar("A")


class Identities(msgspec.Struct, frozen=True, kw_only=True):
    """What was read. Where a part of a place's secrets could not be, a further fact of the same subject is Unknown for it."""

    facts: tuple[SubjectTemplate | KeptCredentials, ...] = ()
    coverage: tuple[ScopeCoverage, ...] = ()


def concerned(
    repositories: Iterable[Repository], entries: tuple[RepositoryExpectation, ...], trusted: Iterable[str]
) -> tuple[Repository, ...]:
    """Return the repositories that matter: trusted ones (patterns of OWNER/NAME) and those with an expected environment.

    Archived ones do not: no job runs in them.
    """
    patterns = [pattern.lower() for pattern in trusted]

    def matter(one: Repository) -> bool:
        if any(matches(pattern, one.name.lower()) for pattern in patterns):
            return True
        places = one.environments if isinstance(one.environments, tuple) else ()
        return any(environment_expectation(entries, one.name, place.name) for place in places)

    return tuple(one for one in repositories if not one.archived and matter(one))


def unseen(
    organisation: str, repositories: Iterable[Repository], trusted: Iterable[str], *, ended: bool
) -> tuple[str, ...]:
    """Return the trusted repositories of an organisation that are not among those that were seen.

    A pattern with a wildcard is among them where the list was not read to its end (`ended`): more may fit it.
    """
    seen = {one.name.lower() for one in repositories}
    mine = sorted({pattern.lower() for pattern in trusted if pattern.lower().startswith(f"{organisation.lower()}/")})
    return tuple(one for one in mine if (not ended if set(one) & set("*?") else one not in seen))


def read(
    forge: GitHub,
    organisation: str,
    names: Iterable[Repository],
    at: datetime,
    workers: int,
    progress: Progress,
    lacking: Iterable[str] = (),
) -> Identities:
    """Return what the organisation and these repositories keep, and how their subjects are made.

    Never raises for what the forge does. `at` (UTC) is the clock of the sweep; `lacking` are trusted repositories that were
    not seen: what they keep is told as unknown of the organisation, since their ids are not known.
    """
    wanted = sorted(names, key=lambda one: one.name)
    reading = _Reading(forge, organisation, at)
    template = reading.organisation_template()
    facts: list[SubjectTemplate | KeptCredentials] = [template, *reading.organisation_secrets()]
    facts += [reading.unseen(name) for name in lacking]
    step = f"reading secrets' names and deploy keys of {organisation}"
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="github") as pool:
        found = pool.map(lambda one: reading.repository(one, template), wanted)
        for number, more in enumerate(found, 1):
            facts += more
            progress(step, number, len(wanted))
    failures = sorted(reading.failures, key=lambda one: one.what)
    coverage = ScopeCoverage(
        scope=f"github:{organisation}",
        source=IDENTITIES,
        status=status_of(failures),
        reason=failures[0].what if failures else "",
        grant=", ".join(dict.fromkeys(one.todo for one in failures if one.todo)),
        counts={"repositories": len(wanted)},
        gaps=tuple(dict.fromkeys(one.what for one in failures)),
    )
    return Identities(facts=tuple(facts), coverage=(coverage,))


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """One list of secrets of a place: where it is asked for, by which permission, and of which level its secrets are."""

    path: str
    permission: str
    level: str
    environment: str = ""


class _Reading:
    """One organisation under way. Thread-safe: a list's append is the only thing that threads share."""

    def __init__(self, forge: GitHub, organisation: str, at: datetime) -> None:
        self.forge = forge
        self.organisation = organisation
        self.scope = f"github:{organisation}"
        self.at = at
        self.failures: list[SourceError] = []

    def organisation_template(self) -> SubjectTemplate:
        """Return the organisation's template; its keys are Unknown where it could not be read."""
        path = f"/orgs/{self.organisation}/actions/oidc/customization/sub"
        try:
            answer = self.forge.get(path, scope=self.scope, permission="organization_administration:read")
            return github_trust.organisation_template(answer.body, self.organisation, answer.at, answer.evidence)
        except SourceError as failed:
            return SubjectTemplate(organisation=self.organisation, keys=self._lost(failed), at=self.at)

    def organisation_secrets(self) -> list[KeptCredentials]:
        """Return what the organisation keeps. It has no deploy keys."""
        path = f"/orgs/{self.organisation}/actions/secrets"
        part = _Part(path=path, permission="organization_secrets:read", level=ORGANISATION)
        return self._kept(None, [part])

    def unseen(self, name: str) -> KeptCredentials:
        """Return that nothing is known of what a repository keeps."""
        what = f"{name} is trusted by a deploy identity, and was not seen: nobody knows what it keeps"
        todo = "let the monitor see it, or take it out of the declared subjects"
        lost = self._lost(Unavailable(what, source="github", scope=self.scope, todo=todo))
        return KeptCredentials(organisation=self.organisation, at=self.at, secrets=lost)

    def repository(
        self, repository: Repository, organisation: SubjectTemplate
    ) -> list[SubjectTemplate | KeptCredentials]:
        """Return the template of a repository, and what it keeps."""
        base = f"/repos/{repository.name}"
        parts = [
            _Part(path=f"{base}/actions/secrets", permission="secrets:read", level=REPOSITORY),
            _Part(path=f"{base}/actions/organization-secrets", permission="secrets:read", level=ORGANISATION),
        ]
        places = repository.environments if isinstance(repository.environments, tuple) else ()
        parts += [
            _Part(
                path=f"{base}/environments/{quote(place, safe='')}/secrets",
                permission="environments:read",
                level=ENVIRONMENT,
                environment=place,
            )
            for place in sorted({one.name for one in places})[:MOST_ENVIRONMENTS]
        ]
        return [self._template(repository, organisation), *self._kept(repository, parts)]

    def _template(self, repository: Repository, organisation: SubjectTemplate) -> SubjectTemplate:
        path = f"/repos/{repository.name}/actions/oidc/customization/sub"
        try:
            answer = self.forge.get(path, scope=repository.scope, permission="actions:read")
            return github_trust.repository_template(
                answer.body, organisation, repository.id, repository.name, answer.at, answer.evidence
            )
        except SourceError as failed:
            return SubjectTemplate(
                organisation=self.organisation,
                repository_id=repository.id,
                repository=repository.name,
                keys=self._lost(failed),
                at=self.at,
            )

    def _kept(self, repository: Repository | None, parts: Sequence[_Part]) -> list[KeptCredentials]:
        """Return one fact with all that was read, and one more for each list that was not."""
        scope = repository.scope if repository else self.scope
        secrets: list[StoredSecret] = []
        lost: list[Unknown] = []
        evidence: list[EvidenceRef] = []
        for part in parts:
            rows, refs, failed = self._pages(
                part.path,
                scope,
                part.permission,
                partial(github_secrets.secrets, level=part.level, environment=part.environment),
            )
            secrets += rows
            evidence += refs
            lost += [failed] if failed else []
        keys: tuple[DeployKey, ...] | Unknown = ()
        if repository:
            lost += self._unasked(repository)
            path = f"/repos/{repository.name}/keys"
            found, refs, failed = self._pages(path, scope, "administration:read", github_secrets.deploy_keys)
            evidence += refs
            keys = failed or tuple(found)
        whole = KeptCredentials(
            organisation=self.organisation,
            repository_id=repository.id if repository else 0,
            repository=repository.name if repository else "",
            at=self.at,
            secrets=tuple(secrets),
            deploy_keys=keys,
            evidence=tuple(dict.fromkeys(evidence)),
        )
        more = [msgspec.structs.replace(whole, secrets=one, deploy_keys=(), evidence=()) for one in lost]
        return [whole, *more]

    def _unasked(self, repository: Repository) -> list[Unknown]:
        """Return that environments of a repository are not known, or too many to ask for."""
        places = repository.environments
        if isinstance(places, Unknown):
            what = f"environments of {repository.name}, so their secrets: {places.reason}"
            return [self._lost(Unavailable(what, source="github", scope=repository.scope, todo=places.grant))]
        if len({one.name for one in places}) > MOST_ENVIRONMENTS:
            what = (
                f"{repository.name} has more than {MOST_ENVIRONMENTS} environments: secrets of the others were not read"
            )
            todo = "delete the environments that nothing uses"
            return [self._lost(Unavailable(what, source="github", scope=repository.scope, todo=todo))]
        return []

    def _pages(
        self, path: str, scope: str, permission: str, decode: Callable[[bytes], tuple[A, ...]]
    ) -> tuple[list[A], list[EvidenceRef], Unknown | None]:
        """Return the entries of all pages, their evidence, and why there may be more: what came before a failure counts."""
        found: list[A] = []
        evidence: list[EvidenceRef] = []
        try:
            for answer in self.forge.pages(path, scope=scope, permission=permission, params={"per_page": "100"}):
                evidence += answer.evidence
                found += decode(answer.body)
        except SourceError as failed:
            return found, evidence, self._lost(failed)
        return found, evidence, None

    def _lost(self, failed: SourceError) -> Unknown:
        self.failures.append(failed)
        return Unknown(failed.what, failed.todo)

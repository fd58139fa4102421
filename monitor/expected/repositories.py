"""Section `repositories`: how branches and environments must be protected. Later entries override earlier ones by field."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, TypeVar

from pydantic import ConfigDict, Field

from monitor.expected.fields import Text, shaped
from monitor.expected.patterns import compiled
from monitor.facts.globs import environment_matches, pattern_matches
from monitor.model import Expectation

RepositoryPattern = Annotated[
    str,
    # https://docs.github.com/en/rest/repos/repos#create-an-organization-repository
    shaped(
        r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._*?-]{1,100}",
        "is not a pattern of repositories; write ORGANISATION/NAME, as example-org/payments or example-org/*",
    ),
]
"""An anchored pattern of OWNER/NAME; wildcards only in the name."""
BranchPattern = Annotated[
    str,
    shaped(
        r"~DEFAULT_BRANCH|(?!refs/)[^\s~^:\\\[\x00-\x1f\x7f]{1,244}",
        "is not a pattern of branches; write main, release/*, release/** or ~DEFAULT_BRANCH, without refs/heads/",
    ),
]
"""A branch's name or pattern: `*` and `?` never cross a `/`, `**` does."""
ActorName = Annotated[
    str,
    shaped(
        r"(role|team|app|user):[A-Za-z0-9][A-Za-z0-9_.\[\]-]{0,98}|deploy-key|organisation-admin|enterprise-owner",
        "is no actor; write role:admin, team:SLUG, app:SLUG, user:LOGIN, deploy-key or organisation-admin",
    ),
]
"""Who may pass a rule by."""


class RequiredCheck(Expectation):
    """A status check that must be required: by name, and by the app that must report it."""

    name: Text = Field(description="The check's name (context)")
    app: int | None = Field(
        default=None, strict=True, ge=1, description="Id of the app that must report it; any when left out"
    )


class AllowedBypass(Expectation):
    """Somebody who may pass the rules by, and how far."""

    actor: ActorName = Field(description="role:admin, team:SLUG, app:SLUG, user:LOGIN, deploy-key, organisation-admin")
    mode: Literal["always", "pull-request"] = Field(
        default="pull-request", description="pull-request: only when merging a pull request; always: pushes too"
    )


class BranchExpectation(Expectation):
    """What must hold for the branches that match. A field that is left out is not judged, or is as earlier entries say."""

    match: tuple[BranchPattern, ...] = Field(
        min_length=1, description="Names or patterns of branches, or ~DEFAULT_BRANCH"
    )
    pull_request: bool | None = Field(default=None, description="Changes arrive by pull request only")
    approvals: int | None = Field(default=None, strict=True, ge=0, le=10, description="Approvals at least")
    dismiss_stale: bool | None = Field(default=None, description="A new push dismisses approvals")
    code_owners: bool | None = Field(default=None, description="Code owners must approve")
    last_push_approval: bool | None = Field(
        default=None, description="Somebody other than the last pusher must approve"
    )
    conversation_resolution: bool | None = Field(default=None, description="All conversations must be resolved")
    status_checks: tuple[RequiredCheck, ...] | None = Field(
        default=None, description="Checks that must be required at least"
    )
    strict: bool | None = Field(default=None, description="The branch must be up to date before it merges")
    block_force_push: bool | None = Field(default=None, description="Nobody rewrites history")
    block_deletion: bool | None = Field(default=None, description="Nobody deletes the branch")
    signatures: bool | None = Field(default=None, description="Commits must be signed")
    linear_history: bool | None = Field(default=None, description="No merge commits")
    merge_queue: bool | None = Field(default=None, description="Merges pass a queue")
    lock: bool | None = Field(default=None, description="The branch is read-only")
    admins_included: bool | None = Field(default=None, description="Administrators are held to it too")
    bypass: tuple[AllowedBypass, ...] | None = Field(
        default=None, description="Who may pass the rules by; [] is nobody. Left out, nobody may"
    )


class EnvironmentExpectation(Expectation):
    """What must hold for the environments that match. A field that is left out is not judged."""

    match: tuple[Text, ...] = Field(
        min_length=1, description="Names or patterns of environments, as production or prod-*"
    )
    reviewers: tuple[ActorName, ...] | None = Field(
        default=None, description="Who may approve: team:SLUG or user:LOGIN; anybody else is too much"
    )
    min_reviewers: int | None = Field(
        default=None, strict=True, ge=0, le=6, description="Reviewers (persons or teams) at least"
    )
    prevent_self_review: bool | None = Field(default=None, description="Who started the deployment cannot approve it")
    admins_may_bypass: bool | None = Field(default=None, description="Whether administrators may pass the rules by")
    deploys_from: tuple[Text, ...] | None = Field(
        default=None,
        description="Patterns of branches (tag:PATTERN for tags) that may deploy; ~PROTECTED: protected branches",
    )
    wait_minutes: int | None = Field(default=None, strict=True, ge=0, le=43200, description="Wait timer at least")
    custom_rules: tuple[Text, ...] | None = Field(
        default=None, description="Slugs of the apps that must gate deployments"
    )


class RepositoryExpectation(Expectation):
    """What must hold in the repositories that match. Later entries override earlier ones, field by field."""

    model_config = ConfigDict(populate_by_name=True)

    match: tuple[RepositoryPattern, ...] = Field(min_length=1, description="Patterns of repositories, as example-org/*")
    except_: tuple[RepositoryPattern, ...] = Field(
        default=(), alias="except", description="Repositories that this leaves out"
    )
    branches: tuple[BranchExpectation, ...] = Field(default=(), description="What must hold for branches")
    environments: tuple[EnvironmentExpectation, ...] = Field(default=(), description="What must hold for environments")

    def fits(self, repository: str) -> bool:
        """Return whether this entry speaks of the repository (OWNER/NAME); names are compared without case, as GitHub does."""
        name = repository.lower()
        hit = any(compiled(pattern.lower()).fullmatch(name) for pattern in self.match)
        return hit and not any(compiled(pattern.lower()).fullmatch(name) for pattern in self.except_)


T = TypeVar("T", BranchExpectation, EnvironmentExpectation)


def merged(entries: Iterable[T]) -> T | None:
    """Return one expectation in which each later entry overrides, field by field, what earlier ones say; None of none."""
    whole: dict[str, Any] = {}
    kind: type[T] | None = None
    for entry in entries:
        kind = type(entry)
        whole.update((name, value) for name in kind.model_fields if (value := getattr(entry, name)) is not None)
    return kind.model_construct(**{**dict.fromkeys(kind.model_fields), **whole}) if kind else None


def branch_expectation(
    entries: Iterable[RepositoryExpectation], repository: str, branch: str, default_branch: str
) -> BranchExpectation | None:
    """Return what must hold for a branch of a repository (OWNER/NAME), all entries together; None if none speaks of it."""
    return merged(
        expected
        for entry in entries
        if entry.fits(repository)
        for expected in entry.branches
        if any(pattern_matches(pattern, branch, default_branch) for pattern in expected.match)
    )


def environment_expectation(
    entries: Iterable[RepositoryExpectation], repository: str, environment: str
) -> EnvironmentExpectation | None:
    """Return what must hold for an environment of a repository (OWNER/NAME); None if no entry speaks of it."""
    return merged(
        expected
        for entry in entries
        if entry.fits(repository)
        for expected in entry.environments
        if any(environment_matches(pattern, environment) for pattern in expected.match)
    )

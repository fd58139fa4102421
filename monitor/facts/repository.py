"""Facts about repositories: their branches, the rules that protect these, and their environments."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.facts.protection import ProtectionRule
from monitor.model import EvidenceRef, Unknown, Window


class Reviewer(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Who must approve a deployment: `kind` is user or team, `name` a login or a slug."""

    kind: str
    name: str
    id: int = 0


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """One deployment environment of a repository.

    `branch_policy`: none (every branch deploys), protected (protected branches only) or custom (patterns in
    `deploys_from`; a pattern of tags is written `tag:PATTERN`). `wait_minutes` is the wait timer. `custom_rules` are the slugs
    of the apps that gate deployments.
    """

    id: int
    name: str
    reviewers: tuple[Reviewer, ...] | Unknown = ()
    prevent_self_review: bool | Unknown = False
    admins_may_bypass: bool | Unknown = True
    branch_policy: str | Unknown = "none"
    deploys_from: tuple[str, ...] | Unknown = ()
    wait_minutes: int | Unknown = 0
    custom_rules: tuple[str, ...] | Unknown = ()
    evidence: tuple[EvidenceRef, ...] = ()


class Repository(msgspec.Struct, frozen=True, kw_only=True):
    """One repository as it was when it was read (`at`, UTC).

    `id` is permanent over renames and transfers; `name` is OWNER/NAME as it is now. `default_branch` is empty for an empty
    repository. `branches` are the names of its branches (no `refs/heads/`). `rules` are all that could apply to any branch.
    `blind` tells what could not be read at all, which makes every judgement of it unknown.
    """

    provider: str = "github"
    organisation: str
    id: int
    name: str
    at: datetime
    default_branch: str = ""
    archived: bool = False
    fork: bool = False
    visibility: str = ""
    created_at: datetime | None = None
    pushed_at: datetime | None = None
    branches: tuple[str, ...] | Unknown = ()
    rules: tuple[ProtectionRule, ...] | Unknown = ()
    environments: tuple[Environment, ...] | Unknown = ()
    blind: Unknown | None = None
    evidence: tuple[EvidenceRef, ...] = ()

    @property
    def scope(self) -> str:
        """Return the scope that its results bear: `github:OWNER/NAME`."""
        return f"{self.provider}:{self.name}"

    def subject(self, *more: str) -> str:
        """Return the subject of a result about it, stable over renames: `github:repository:ID[:…]`."""
        return ":".join((self.provider, "repository", str(self.id), *more))


class RepositoryList(msgspec.Struct, frozen=True, kw_only=True):
    """The repositories of an organisation that could be listed, and those of an earlier sweep that no longer are.

    `unseen` tells why the list may lack some (an app that is installed on selected repositories only, pages that failed).
    """

    provider: str = "github"
    organisation: str
    at: datetime
    ids: tuple[int, ...] | Unknown
    vanished: dict[int, str] = {}
    """Id and last known name of each repository that was there at the last sweep and is not now."""
    unseen: Unknown | None = None
    evidence: tuple[EvidenceRef, ...] = ()


class HistoryCoverage(msgspec.Struct, frozen=True, kw_only=True):
    """From which source the history of protection is known over which window (UTC), for one repository or organisation.

    `source`: audit-log, rule-suites, ruleset-history, activity or samples. `repository_id` 0: all of the organisation.
    `shows` are the kinds of fact that it can show: changes, bypasses, updates. With `unknown`, the window was owed and is not
    known, and why; without a window then, something inside what is otherwise known is not.
    """

    organisation: str
    repository_id: int = 0
    source: str
    shows: tuple[str, ...]
    window: Window | None = None
    unknown: Unknown | None = None


class EnvironmentChange(msgspec.Struct, frozen=True, kw_only=True):
    """One edit of an environment, of its rules, secrets or variables: when (UTC), who, how, of what."""

    id: str
    at: datetime
    organisation: str
    repository_id: int = 0
    repository: str = ""
    environment: str
    action: str
    actor: str = ""
    what: str = ""
    evidence: tuple[EvidenceRef, ...] = ()

"""The things of the fake's world: organisations, repositories, rules, environments, people; as GitHub's documentation has them.

Names of fields are those of GitHub's REST API where it has one. Actors are written `user:LOGIN`, `team:SLUG`, `app:SLUG`.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

LONG_AGO = datetime(2024, 1, 15, 9, 0, tzinfo=UTC)
ZERO_SHA = "0" * 40


def node_id(prefix: str, number: int) -> str:
    """Return a node id: the prefix of its kind and its number, opaque to whoever receives it."""
    return f"{prefix}_{base64.urlsafe_b64encode(b'fake:%d' % number).decode().rstrip('=')}"


def sha(*of: object) -> str:
    """Return a commit's hash: the same for the same arguments."""
    return hashlib.sha1(repr(of).encode()).hexdigest()


@dataclass(eq=False)
class User:
    id: int
    login: str
    type: str = "User"
    name: str | None = None

    @property
    def node_id(self) -> str:
        return node_id("BOT" if self.type == "Bot" else "U", self.id)


@dataclass(eq=False)
class Team:
    id: int
    slug: str
    name: str
    organisation: Organisation

    @property
    def node_id(self) -> str:
        return node_id("T", self.id)


@dataclass(eq=False)
class App:
    id: int
    slug: str
    name: str
    client_id: str

    @property
    def node_id(self) -> str:
        return node_id("A", self.id)


@dataclass(eq=False)
class Installation:
    """An app installed in an organisation. `repositories` counts only when `selection` is "selected"."""

    id: int
    app: App
    organisation: Organisation
    permissions: dict[str, str]
    selection: str = "all"
    repositories: list[Repository] = field(default_factory=list)
    suspended_at: datetime | None = None


@dataclass(eq=False)
class ClassicRule:
    """A classic branch protection rule. What is None or empty is not demanded, as in the form on GitHub's page.

    `required_approving_review_count` is None when no pull request is required. `required_status_checks` is None when no
    checks are required, else pairs of name and app id (None: any). `restrictions` and `dismissal_restrictions` are None when
    anybody with write access may push or dismiss.
    """

    id: int
    pattern: str
    enforce_admins: bool = False
    required_approving_review_count: int | None = None
    dismiss_stale_reviews: bool = False
    require_code_owner_reviews: bool = False
    require_last_push_approval: bool = False
    required_status_checks: list[tuple[str, int | None]] | None = None
    strict: bool = False
    required_conversation_resolution: bool = False
    required_signatures: bool = False
    required_linear_history: bool = False
    allow_force_pushes: bool = False
    allow_deletions: bool = False
    block_creations: bool = False
    lock_branch: bool = False
    allow_fork_syncing: bool = False
    restrictions: list[str] | None = None
    dismissal_restrictions: list[str] | None = None
    bypass_pull_request_allowances: list[str] = field(default_factory=list)
    bypass_force_push_allowances: list[str] = field(default_factory=list)
    required_deployment_environments: list[str] | None = None
    creator: str = "user:olivia"
    repository: Repository | None = None

    @property
    def node_id(self) -> str:
        return node_id("BPR", self.id)


@dataclass
class Version:
    """One version of a ruleset, as its history keeps it."""

    version_id: int
    actor: User
    updated_at: datetime
    state: dict[str, Any]


@dataclass(eq=False)
class Ruleset:
    """A ruleset of a repository or an organisation. `conditions`, `rules` and `bypass_actors` are as REST writes them."""

    id: int
    name: str
    owner: Repository | Organisation
    target: str = "branch"
    enforcement: str = "active"
    conditions: dict[str, Any] | None = None
    rules: list[dict[str, Any]] = field(default_factory=list)
    bypass_actors: list[dict[str, Any]] = field(default_factory=list)
    created_at: datetime = LONG_AGO
    updated_at: datetime = LONG_AGO
    history: list[Version] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        return node_id("RRS", self.id)

    @property
    def source_type(self) -> str:
        return "Repository" if isinstance(self.owner, Repository) else "Organization"

    @property
    def source(self) -> str:
        return self.owner.full_name if isinstance(self.owner, Repository) else self.owner.login


@dataclass(eq=False)
class Environment:
    """A deployment environment. `branch_policy`: None (any branch), "protected" or "custom" (then `policies` say which)."""

    id: int
    name: str
    repository: Repository
    reviewers: list[str] = field(default_factory=list)
    prevent_self_review: bool = False
    can_admins_bypass: bool = True
    wait_timer: int = 0
    branch_policy: str | None = None
    policies: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of pattern and type (branch or tag)."""
    custom_rules: list[str] = field(default_factory=list)
    """Slugs of apps."""
    created_at: datetime = LONG_AGO
    updated_at: datetime = LONG_AGO

    @property
    def node_id(self) -> str:
        return node_id("EN", self.id)


@dataclass
class Commit:
    sha: str
    author: User
    at: datetime
    message: str = "Change"
    parents: tuple[str, ...] = ()
    pull_requests: list[int] = field(default_factory=list)


@dataclass
class PullRequest:
    number: int
    id: int
    title: str
    author: User
    base: str
    head: str
    head_sha: str
    created_at: datetime
    merged_at: datetime | None = None
    merge_commit_sha: str | None = None
    merged_by: User | None = None
    state: str = "open"


@dataclass
class Activity:
    id: int
    before: str
    after: str
    ref: str
    timestamp: datetime
    activity_type: str
    actor: User | None


@dataclass
class RuleSuite:
    """The judgement of one push by rulesets. `evaluations` are as REST writes `rule_evaluations`."""

    id: int
    repository: Repository
    actor: User | None
    before_sha: str
    after_sha: str
    ref: str
    pushed_at: datetime
    result: str = "pass"
    evaluation_result: str | None = None
    evaluations: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class AuditEvent:
    """One event of the audit log. `git` events are seven days old at most in GitHub's answers, and only if asked for."""

    document_id: str
    at: datetime
    action: str
    fields: dict[str, Any]
    git: bool = False


@dataclass(eq=False)
class Repository:
    id: int
    name: str
    organisation: Organisation
    default_branch: str | None = "main"
    branches: dict[str, str] = field(default_factory=dict)
    """The head of each branch."""
    visibility: str = "private"
    archived: bool = False
    fork: bool = False
    disabled: bool = False
    created_at: datetime = LONG_AGO
    pushed_at: datetime | None = LONG_AGO
    updated_at: datetime = LONG_AGO
    classic_rules: list[ClassicRule] = field(default_factory=list)
    classic_off: bool = False
    """The whole-repository switch: classic rules are there, and not evaluated."""
    rulesets: list[Ruleset] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    commits: dict[str, Commit] = field(default_factory=dict)
    pull_requests: dict[int, PullRequest] = field(default_factory=dict)
    activities: list[Activity] = field(default_factory=list)
    rule_suites: list[RuleSuite] = field(default_factory=list)
    properties: dict[str, str | list[str] | None] = field(default_factory=dict)
    old_names: list[str] = field(default_factory=list)

    @property
    def node_id(self) -> str:
        return node_id("R", self.id)

    @property
    def full_name(self) -> str:
        return f"{self.organisation.login}/{self.name}"


@dataclass(eq=False)
class Organisation:
    """An organisation. `plan`: free, team or enterprise; only enterprise (Enterprise Cloud) has an audit log to read."""

    id: int
    login: str
    plan: str = "enterprise"
    repositories: list[Repository] = field(default_factory=list)
    rulesets: list[Ruleset] = field(default_factory=list)
    teams: dict[str, Team] = field(default_factory=dict)
    audit: list[AuditEvent] = field(default_factory=list)
    created_at: datetime = LONG_AGO
    name: str = "Example organisation"

    @property
    def node_id(self) -> str:
        return node_id("O", self.id)

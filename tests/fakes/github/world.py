"""What there is on the fake GitHub. Everything may be changed while it serves; edits leave the traces that GitHub leaves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.fakes.github.matching import fnmatch

BORN = datetime(2024, 1, 8, 9, 0, tzinfo=UTC)


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class ClassicRule:
    id: int
    pattern: str = "main"
    approvals: int | None = 1
    dismiss_stale: bool = True
    code_owners: bool = False
    last_push: bool = False
    checks: list[tuple[str, int | None]] = field(default_factory=list)
    strict: bool = True
    admins: bool = True
    conversations: bool = False
    signatures: bool = False
    linear: bool = False
    force_push: bool = False
    deletion: bool = False
    lock: bool = False
    skip_reviews: list[tuple[str, str, int]] = field(default_factory=list)
    """Kind (User, Team, App), name, id."""
    pushers: list[tuple[str, str, int]] | None = None
    """Who may push, None for everybody with write access."""
    force_pushers: list[tuple[str, str, int]] = field(default_factory=list)


@dataclass
class Ruleset:
    id: int
    name: str
    rules: list[dict[str, Any]]
    enforcement: str = "active"
    include: list[str] = field(default_factory=lambda: ["~DEFAULT_BRANCH"])
    exclude: list[str] = field(default_factory=list)
    repositories: list[str] | None = None
    """Of an organisation's ruleset: names of its repositories; ~ALL for all."""
    bypass: list[dict[str, Any]] = field(default_factory=list)
    updated_at: datetime = BORN
    target: str = "branch"
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Environment:
    id: int
    name: str
    reviewers: list[tuple[str, str, int]] = field(default_factory=list)
    """Type (User, Team), name, id."""
    self_review_prevented: bool = True
    admins_bypass: bool = False
    policy: str | None = "protected"
    """protected, custom, or None for every branch."""
    patterns: list[tuple[str, str]] = field(default_factory=list)
    """Name and type (branch, tag) of custom policies."""
    wait: int = 0
    gates: list[str] = field(default_factory=list)
    kept: Any = None
    """Its secrets: see `rest_secrets.vault`."""


@dataclass
class Repository:
    id: int
    owner: str
    name: str
    default_branch: str = "main"
    branches: list[str] = field(default_factory=lambda: ["main"])
    archived: bool = False
    fork: bool = False
    empty: bool = False
    visibility: str = "private"
    pushed_at: datetime = BORN
    classic: list[ClassicRule] = field(default_factory=list)
    rulesets: list[Ruleset] = field(default_factory=list)
    environments: list[Environment] = field(default_factory=list)
    activity: list[dict[str, Any]] = field(default_factory=list)
    pulls: dict[str, list[int]] = field(default_factory=dict)
    """By commit: the numbers of merged pull requests."""
    properties: dict[str, str | list[str] | None] = field(default_factory=dict)
    classic_off: bool = False
    """The switch for the whole repository: classic rules are there, and nobody is held to them."""

    lines: dict[str, list[str]] = field(default_factory=dict)
    """By the head of a push: the commits below it that came with it, the newest first."""
    kept: Any = None
    """Its secrets, deploy keys and template of subjects: see `rest_secrets.vault`."""

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.name}"


@dataclass
class World:
    organisation: str = "example-org"
    repositories: list[Repository] = field(default_factory=list)
    rulesets: list[Ruleset] = field(default_factory=list)
    audit: list[dict[str, Any]] = field(default_factory=list)
    suites: list[dict[str, Any]] = field(default_factory=list)
    has_audit_log: bool = True
    permissions: dict[str, str] = field(
        default_factory=lambda: {
            "metadata": "read",
            "administration": "write",
            "organization_administration": "write",
            "actions": "read",
            "contents": "read",
            "pull_requests": "read",
            "secrets": "read",
            "environments": "read",
            "organization_secrets": "read",
        }
    )
    """What the app or token may do; taken away by tests."""
    selected: bool = False
    hidden: set[str] = field(default_factory=set)
    """Names of repositories that are there, and that the app or token does not see."""
    now: datetime | None = None
    """What time it is for whatever looks back (the last day, the last three months); None: everything is recent."""
    kept: Any = None
    """The organisation's secrets and template of subjects: see `rest_secrets.vault`."""
    _next: int = 7000

    def number(self) -> int:
        self._next += 1
        return self._next

    def add(self, name: str, **more: Any) -> Repository:
        found = Repository(self.number(), self.organisation, name, **more)
        self.repositories.append(found)
        return found

    def repository(self, full_name: str) -> Repository | None:
        return next((r for r in self.repositories if r.full_name.lower() == full_name.lower()), None)

    def seen(self) -> list[Repository]:
        return [one for one in self.repositories if one.name not in self.hidden]

    def may(self, permission: str, level: str = "read") -> bool:
        held = self.permissions.get(permission, "")
        return held == "write" or held == level

    def ruleset(self, name: str, rules: list[dict[str, Any]], **more: Any) -> Ruleset:
        return Ruleset(self.number(), name, rules, **more)

    def parents(self, repository: Repository) -> list[Ruleset]:
        return [
            r
            for r in self.rulesets
            if r.repositories is None or repository.name in r.repositories or "~ALL" in r.repositories
        ]

    def applied(self, repository: Repository, branch: str) -> ClassicRule | None:
        """Which classic rule holds for a branch: the one of that name first, then the first pattern that fits."""
        exact = [r for r in repository.classic if r.pattern == branch]
        fits = [r for r in repository.classic if fnmatch(r.pattern, branch)]
        return (exact or fits or [None])[0]

    # What people and bots do, with the traces that it leaves.

    def log(
        self, action: str, at: datetime, actor: str, repository: Repository | None = None, **more: Any
    ) -> dict[str, Any]:
        bot = actor.endswith("[bot]")
        event = {
            "@timestamp": int(at.timestamp() * 1000),
            "created_at": int(at.timestamp() * 1000),
            "_document_id": hashlib.sha256(f"{action}{at}{len(self.audit)}".encode()).hexdigest()[:22],
            "action": action,
            "actor": actor,
            "actor_id": sum(actor.encode()) * 7,
            "actor_is_bot": bot,
            "org": self.organisation,
            "operation_type": "modify",
            "user_agent": "Mozilla/5.0" if not bot else "probot/13.0",
            **({"repo": repository.full_name, "repo_id": repository.id} if repository else {}),
            **({"programmatic_access_type": "GitHub App server-to-server token"} if bot else {}),
            **more,
        }
        self.audit.append(event)
        return event

    def remove_classic(self, repository: Repository, at: datetime, actor: str) -> ClassicRule:
        rule = repository.classic.pop()
        self.log(
            "protected_branch.destroy",
            at,
            actor,
            repository,
            name=rule.pattern,
            branch=rule.pattern,
            protected_branch_id=rule.id,
        )
        return rule

    def restore_classic(self, repository: Repository, rule: ClassicRule, at: datetime, actor: str) -> None:
        rule = ClassicRule(**{**rule.__dict__, "id": self.number()})
        repository.classic.append(rule)
        self.log(
            "protected_branch.create",
            at,
            actor,
            repository,
            name=rule.pattern,
            branch=rule.pattern,
            protected_branch_id=rule.id,
            required_approving_review_count=rule.approvals or 0,
            admin_enforced=rule.admins,
        )

    def edit_ruleset(
        self, repository: Repository | None, rule: Ruleset, at: datetime, actor: str, **changes: Any
    ) -> None:
        """Edit a ruleset: enforcement, rules, include, exclude, bypass; the history and the audit log tell of it."""
        from copy import deepcopy

        if not rule.history:
            rule.history.append(self._version(rule, "founder", BORN, deepcopy(rule.__dict__)))
        old = deepcopy(rule)
        for name, value in changes.items():
            setattr(rule, name, value)
        rule.updated_at = at
        rule.history.append(self._version(rule, actor, at, deepcopy(rule.__dict__)))
        words = {"active": "enabled"}
        event: dict[str, Any] = {
            "ruleset_id": rule.id,
            "ruleset_name": rule.name,
            "ruleset_old_name": old.name,
            "ruleset_source_type": "Repository" if repository else "Organization",
            "ruleset_enforcement": words.get(rule.enforcement, rule.enforcement),
            "ruleset_old_enforcement": words.get(old.enforcement, old.enforcement),
        }
        before, after = ({r["type"]: r for r in one.rules} for one in (old, rule))
        event["ruleset_rules_added"] = [r for t, r in after.items() if t not in before]
        event["ruleset_rules_deleted"] = [r for t, r in before.items() if t not in after]
        event["ruleset_rules_updated"] = [
            {"type": t, "parameters": r.get("parameters"), "old_parameters": before[t].get("parameters")}
            for t, r in after.items()
            if t in before and before[t] != r
        ]
        event["ruleset_bypass_actors_added"] = [a for a in rule.bypass if a not in old.bypass]
        event["ruleset_bypass_actors_deleted"] = [a for a in old.bypass if a not in rule.bypass]
        if (old.include, old.exclude) != (rule.include, rule.exclude):
            event["ruleset_conditions_updated"] = [
                {
                    "target": "ref_name",
                    "parameters": {"include": rule.include, "exclude": rule.exclude},
                    "old_parameters": {"include": old.include, "exclude": old.exclude},
                }
            ]
        self.log("repository_ruleset.update", at, actor, repository, **event)

    def _version(self, rule: Ruleset, actor: str, at: datetime, state: dict[str, Any]) -> dict[str, Any]:
        state.pop("history", None)
        kind = "Bot" if actor.endswith("[bot]") else "User"
        return {
            "version_id": self.number(),
            "actor": {"id": sum(actor.encode()), "type": kind, "login": actor},
            "updated_at": stamp(at),
            "state": state,
        }

    def move(
        self,
        repository: Repository,
        at: datetime,
        actor: str,
        kind: str = "pr_merge",
        branch: str = "main",
        pull: int | None = None,
    ) -> str:
        """Move a branch: pr_merge, push, force_push, merge_queue_merge, branch_deletion; return the new head."""
        head = hashlib.sha1(f"{repository.id}{at}{kind}{len(repository.activity)}".encode()).hexdigest()
        before = (
            repository.activity[0]["after"]
            if repository.activity
            else hashlib.sha1(str(repository.id).encode()).hexdigest()
        )
        repository.activity.insert(
            0,
            {
                "id": self.number(), "node_id": "PSH_x", "before": before, "after": head, "ref": f"refs/heads/{branch}",
                "timestamp": stamp(at), "activity_type": kind,
                "actor": {"login": actor, "id": sum(actor.encode()), "type": "Bot" if actor.endswith("[bot]") else "User"},
            },
        )  # fmt: skip
        repository.pushed_at = max(repository.pushed_at, at)
        if pull is not None:
            repository.pulls[head] = [pull]
        return head

    def bypassed(
        self, repository: Repository, at: datetime, actor: str, after: str, rules: tuple[str, ...], branch: str = "main"
    ) -> None:
        """Tell that a push or merge passed rules by."""
        self.suites.insert(
            0,
            {
                "id": self.number(), "actor_id": sum(actor.encode()), "actor_name": actor, "before_sha": "0" * 39 + "1", "after_sha": after,
                "ref": f"refs/heads/{branch}", "repository_id": repository.id, "repository_name": repository.name,
                "pushed_at": stamp(at), "result": "bypass", "evaluation_result": "fail",
                "rule_evaluations": [{"rule_type": t, "enforcement": "active", "result": "fail"} for t in rules],
            },
        )  # fmt: skip

"""Facts about the protection of branches: what a rule demands, who may pass it by, and how it changed."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.model import EvidenceRef, Unknown


class StatusCheck(msgspec.Struct, frozen=True, order=True):
    """A status check that must succeed: its name, and the id of the app that must report it (0: anybody may)."""

    name: str
    app: int = 0


class Demands(msgspec.Struct, frozen=True, kw_only=True):
    """What one rule demands of a branch. The zero value of each field is no protection; Unknown could not be read."""

    pull_request: bool | Unknown = False
    approvals: int | Unknown = 0
    dismiss_stale: bool | Unknown = False
    code_owners: bool | Unknown = False
    last_push_approval: bool | Unknown = False
    conversation_resolution: bool | Unknown = False
    status_checks: tuple[StatusCheck, ...] | Unknown = ()
    strict: bool | Unknown = False
    block_force_push: bool | Unknown = False
    block_deletion: bool | Unknown = False
    signatures: bool | Unknown = False
    linear_history: bool | Unknown = False
    merge_queue: bool | Unknown = False
    lock: bool | Unknown = False


DEMANDS: tuple[str, ...] = tuple(Demands.__struct_fields__)
"""The names of all demands, in the order in which they are told."""


class BypassActor(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Who may pass a rule by. `kind`: role, team, app, user, deploy-key, organisation-admin, enterprise-owner, unknown.

    `name` is what expected state calls it: for a role its name (admin, maintain, write), for a team or an app its slug, for a
    user the login; the id as text when no name is known. `mode` is always, pull-request or exempt. `only` names the demands
    that it passes; empty means all of the rule.
    """

    kind: str
    name: str = ""
    id: int = 0
    mode: str = "always"
    only: tuple[str, ...] = ()


class Targets(msgspec.Struct, frozen=True, kw_only=True):
    """To which branches a rule applies, as the forge writes it: patterns of branch names without `refs/heads/`.

    `~DEFAULT_BRANCH` and `~ALL` are the forge's own words. Excludes win. No include and no exclude is nothing; no include
    and some exclude is all but these.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class ProtectionRule(msgspec.Struct, frozen=True, kw_only=True):
    """One classic protection rule or ruleset.

    `key` is stable over time: `classic:ID`, `ruleset:ID`. `kind`: classic, repository-ruleset, organisation-ruleset,
    enterprise-ruleset. `enforced` is false for a ruleset that is disabled or only evaluates. `branches` are the branches that
    the forge itself says it applies to; None where it does not say, and then `targets` decide.
    """

    key: str
    kind: str
    name: str
    enforced: bool | Unknown = True
    enforcement: str = "active"
    targets: Targets = Targets()
    branches: tuple[str, ...] | None = None
    demands: Demands = Demands()
    bypass: tuple[BypassActor, ...] | Unknown = ()
    evidence: tuple[EvidenceRef, ...] = ()


class ForgeActor(msgspec.Struct, frozen=True, kw_only=True):
    """Who acted on the forge. `kind`: person, bot, app, deploy-key, unknown. `via` names a token, an app or a key, if told."""

    name: str = ""
    kind: str = "unknown"
    id: int = 0
    via: str = ""


class DemandChange(msgspec.Struct, frozen=True, kw_only=True):
    """One demand (or `bypass`, `targets`, `enforcement`) of one rule before and after. None: the log does not say.

    `direction`: weaker, stronger, or unclear where the log does not tell which.
    """

    demand: str
    direction: str
    before: str | None = None
    after: str | None = None
    value: int | bool | None = None
    """The value afterwards of a demand that is a number or a switch, where the log tells."""


class ProtectionChange(msgspec.Struct, frozen=True, kw_only=True):
    """One edit of a rule that protects branches: when (UTC), who, how, and which demands it weakened or strengthened.

    `rule` is the key of the rule; `repository:classic` is the whole-repository switch. `not_before` is set where only two
    samples show the change: it happened between it and `at`. An edit with the demand `*` concerns all of the rule's demands.
    `organisation` is set and `repository_id` 0 for a rule of a whole organisation.
    """

    id: str
    at: datetime
    not_before: datetime | None = None
    organisation: str
    repository_id: int = 0
    repository: str = ""
    rule: str
    rule_name: str = ""
    action: str
    actor: ForgeActor = ForgeActor()
    targets: Targets | None = None
    changes: tuple[DemandChange, ...] = ()
    evidence: tuple[EvidenceRef, ...] = ()


class ProtectionBypass(msgspec.Struct, frozen=True, kw_only=True):
    """One push or merge that passed a rule by: when (UTC), by whom, and which demands were not met."""

    id: str
    at: datetime
    organisation: str
    repository_id: int = 0
    repository: str = ""
    branch: str
    before: str = ""
    after: str = ""
    actor: ForgeActor = ForgeActor()
    demands: tuple[str, ...] = ()
    evidence: tuple[EvidenceRef, ...] = ()


class BranchUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One move of a branch: a push, a forced push, a merge of a change request, a deletion, a creation.

    `kind`: push, force-push, merge, merge-queue, creation, deletion. `change_requests` are the numbers of the change requests
    (pull requests) that the arrived head belongs to; Unknown where nobody asked or could tell.
    """

    id: str
    at: datetime
    organisation: str
    repository_id: int = 0
    repository: str = ""
    branch: str
    before: str = ""
    after: str = ""
    kind: str = "push"
    actor: ForgeActor = ForgeActor()
    change_requests: tuple[int, ...] | Unknown = Unknown("not asked")
    evidence: tuple[EvidenceRef, ...] = ()

"""The audit log of an organisation on GitHub, to facts: edits of protection, bypasses, moves of branches, environments. Pure.

An action that concerns none of these gives nothing. One that does and cannot be read is either told as unclear (it is known
what was edited, but not how) or raises Malformed (it is not known of what, or when): it is never passed over.

https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from monitor.decode import github_audit_actions as table
from monitor.decode.github_audit_origin import EITHER, Event, Evidence, change, identity, moment, origin, shown
from monitor.decode.github_audit_rulesets import ruleset_event
from monitor.decode.github_event_fields import (
    branch_of,
    entries,
    event_actor,
    first,
    malformed,
    names,
    number,
    objects,
    words,
)
from monitor.decode.github_ruleset_edits import unclear
from monitor.decode.protection_changes import ALL, STRONGER, WEAKER
from monitor.facts.protection import BranchUpdate, DemandChange, ProtectionBypass, ProtectionChange, Targets
from monitor.facts.repository import EnvironmentChange
from monitor.model import Unknown

__all__ = ["Fact", "events", "fact", "moment"]

Fact = ProtectionChange | ProtectionBypass | BranchUpdate | EnvironmentChange
_WHOLE_REPOSITORY = "repository:classic"
# What of a repository decides which rules apply to which of its branches: the old value's and the new value's fields.
_REPOSITORY = {
    "repo.rename": ("name", ("old_name", "old_repo"), ("repo",)),
    "repo.transfer": ("name", ("repo_was", "old_user"), ("repo",)),
    "repo.transfer_outgoing": ("name", ("repo",), ("new_nwo",)),
    "repo.update_default_branch": (
        "default-branch",
        ("old_default_branch", "changes_from"),
        ("default_branch", "branch"),
    ),
    "repo.rename_branch": ("branch-name", ("old_branch", "old_name"), ("new_branch", "branch", "new_name")),
    "repo.archived": ("archived", (), ()),
    "repo.unarchived": ("archived", (), ()),
}
_PULL_REQUEST = re.compile(r"/pull/([0-9]{1,18})(?:/|$)")


def events(body: bytes) -> list[dict[str, Any]]:
    """Return the events of a page of `GET /orgs/{org}/audit-log`; raises Malformed if it is no array of objects.

    https://docs.github.com/en/enterprise-cloud@latest/rest/orgs/orgs#get-the-audit-log-for-an-organization
    """
    return entries(body, "the audit log")


def fact(event: Event, evidence: Evidence = ()) -> Fact | None:
    """Return what an event tells; None for an action that concerns none of our facts, and for a tag.

    Raises Malformed if it is one of ours and of what, or when, cannot be read.
    """
    action = event.get("action")
    if not isinstance(action, str) or not action:
        raise malformed("an audit log event names no action")
    action = words(action)
    category, _, verb = action.partition(".")
    read = _READERS.get(action) or _CATEGORIES.get(category)
    return None if read is None else read(event, action, verb, evidence)


def _classic(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    if verb == "rejected_ref_update":  # the rule held: nothing was changed, and nothing passed
        return None
    if verb in table.OVERRIDES:
        return _override(event, action, verb, evidence)
    pattern = words(first(event, "name", "protected_branch", "branch")).removeprefix("refs/heads/")
    changes: list[DemandChange]
    if verb == "create":
        changes = table.came(event)
    elif verb == "destroy":
        changes = [DemandChange(demand=ALL, direction=WEAKER)]
    elif verb == "update_name":
        changes = [unclear("targets", words(table.told_before(event, "name")) or None, pattern or None)]
    elif verb in table.BYPASS_LISTS:
        changes = _bypass_list(event)
    elif verb in table.ACTIONS:
        fields = table.ACTIONS[verb]
        name = next((field for field in fields if event.get(field) is not None), fields[0])
        changes = table.field_changes(name, table.told_before(event, name), event.get(name))
    else:
        changes = [unclear(ALL)]
    return _classic_change(event, action, pattern, changes, evidence)


def _status_check(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    pattern = words(first(event, "protected_branch", "branch", "name")).removeprefix("refs/heads/")
    check = words(first(event, "context", "required_status_check")) or None
    direction = {"create": STRONGER, "destroy": WEAKER}.get(verb)
    if direction is None:
        edit = unclear("status_checks")
    else:
        before, after = (None, check) if direction == STRONGER else (check, None)
        edit = DemandChange(demand="status_checks", direction=direction, before=before, after=after)
    return _classic_change(event, action, pattern, [edit], evidence)


def _classic_change(
    event: Event, action: str, pattern: str, changes: list[DemandChange], evidence: Evidence
) -> ProtectionChange:
    """Return the edit of a classic rule. Its id is not told, so its pattern is its key; an event may lack even that."""
    targets = Targets(include=(pattern,)) if pattern else None
    return change(event, action, f"classic:{pattern}", pattern, changes, evidence, targets)


def _bypass_list(event: Event) -> list[DemandChange]:
    """Compare the lists that the event has in two versions; which fields it has is not documented, so mostly unclear."""
    found: list[DemandChange] = []
    for name, value in event.items():
        old = table.told_before(event, name)
        if names(value) is not None and names(old) is not None:
            found += table.field_changes("authorized_actor_names", old, value)
    return found or [unclear("bypass")]


def _evaluation(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    direction = {"disable": WEAKER, "enable": STRONGER}.get(verb)
    edit = DemandChange(demand=ALL, direction=direction) if direction else unclear(ALL)
    return change(event, action, _WHOLE_REPOSITORY, "all classic rules", [edit], evidence)


def _repository(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    what, old, new = _REPOSITORY[action]
    edit = unclear("targets", words(first(event, *old)) or None, words(first(event, *new)) or None)
    return change(event, action, f"repository:{what}", what.replace("-", " "), [edit], evidence)


def _property(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    # Rulesets of an organisation may choose their repositories by property.
    edit = unclear("targets", words(event.get("old_value")) or None, words(first(event, "new_value", "value")) or None)
    name = words(first(event, "property_name", "custom_property", "name"))
    return change(event, action, "repository:properties", name, [edit], evidence, of=EITHER)


def _override(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    branch = branch_of(first(event, "branch", "ref"))
    if branch is None:
        return None
    codes = names(event.get("overridden_codes"))
    if codes is None:
        reasons = objects(first(event, "reasons", "overridden_codes"), "code") or ()
        codes = tuple(filter(None, (words(reason.get("code")) for reason in reasons)))
    demands = (*table.OVERRIDES[verb], *table.overridden(codes))
    return _bypass(event, action, branch, tuple(dict.fromkeys(demands)), evidence)


def _queue_jump(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    """A jump whose branch is not told is kept as an edit of the queue: who jumps it is known, and what it did is not."""
    told = first(event, "branch", "base_ref", "ref")
    if told is None:
        return change(event, action, "repository:merge-queue", "merge queue", [unclear("merge_queue")], evidence)
    branch = branch_of(told)
    return None if branch is None else _bypass(event, action, branch, ("merge_queue",), evidence)


def _bypass(event: Event, action: str, branch: str, demands: tuple[str, ...], evidence: Evidence) -> ProtectionBypass:
    organisation, number_of, repository = origin(event, action)
    return ProtectionBypass(
        id=identity(event),
        at=moment(event),
        organisation=organisation,
        repository_id=number_of,
        repository=repository,
        branch=branch,
        before=words(event.get("before")),
        after=words(event.get("after")),
        actor=event_actor(event),
        demands=demands,
        evidence=evidence,
    )


def _update(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    """A move of a branch, where its branch is told; else the activity of the repository tells it."""
    merged = action == "pull_request.merge"
    told = first(event, *(("base_ref", "base_branch", "branch") if merged else ("ref", "branch")))
    branch = None if told is None else branch_of(told)
    if branch is None:
        return None
    organisation, number_of, repository = origin(event, action)
    found = _PULL_REQUEST.search(words(first(event, "pull_request_url", "url")))
    asked = (int(found[1]),) if merged and found else Unknown("not asked")
    return BranchUpdate(
        id=identity(event),
        at=moment(event),
        organisation=organisation,
        repository_id=number_of,
        repository=repository,
        branch=branch,
        before=words(event.get("before")),
        after=words(first(event, "after", "merge_commit_sha")),
        kind="merge" if merged else "push",
        actor=event_actor(event),
        change_requests=asked,
        evidence=evidence,
    )


def _environment(event: Event, action: str, verb: str, evidence: Evidence) -> Fact | None:
    organisation, number_of, repository = origin(event, action)
    place = number(event.get("environment_id"))
    name = words(first(event, "environment_name", "environment", "name")) or (f"#{place}" if place else "")
    if not name:
        raise malformed(f"{action} at {moment(event).isoformat()} names no environment")
    # Values are told of protection rules alone: those of secrets and variables are nobody's business.
    parts = _ENVIRONMENT_PARTS if "rule" in verb else _ENVIRONMENT_PARTS[:1]
    told = (f"{label} {shown(event[key])}" for key, label in parts if event.get(key) is not None)
    return EnvironmentChange(
        id=identity(event),
        at=moment(event),
        organisation=organisation,
        repository_id=number_of,
        repository=repository,
        environment=name,
        action=action,
        actor=event_actor(event).name,
        what=words("; ".join(told))[:1000],
        evidence=evidence,
    )


_ENVIRONMENT_PARTS = (
    ("key", "key"),
    ("approvers_was", "approvers were"),
    ("approvers", "approvers are"),
    ("prevent_self_review", "prevent self-review"),
    ("can_admins_bypass", "administrators may bypass"),
    ("old_value", "was"),
    ("new_value", "is"),
)


_Reader = Callable[[Event, str, str, Evidence], Fact | None]
_CATEGORIES: dict[str, _Reader] = {
    "protected_branch": _classic,
    "required_status_check": _status_check,
    "repository_branch_protection_evaluation": _evaluation,
    "repository_ruleset": ruleset_event,
    "environment": _environment,
    "custom_property_value": _property,
}
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(_REPOSITORY, _repository),
    "workflows.bypass_protection_rules": _environment,
    "merge_queue.pull_request_queue_jump": _queue_jump,
    "pull_request.merge": _update,
    "git.push": _update,
}

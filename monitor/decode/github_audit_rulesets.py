"""Edits of rulesets in GitHub's audit log, which tells the parts that were added, changed and taken away. Pure.

https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization#repository_ruleset
"""

from __future__ import annotations

from monitor.decode.github_audit_origin import EITHER, ORGANISATION, REPOSITORY, Event, Evidence, change, moment
from monitor.decode.github_event_fields import enforced, first, malformed, number, words
from monitor.decode.github_ruleset_edits import (
    bypass_changed,
    conditions_changed,
    rules_changed,
    ruleset_whole,
    targets_of,
    unclear,
)
from monitor.decode.protection_changes import ALL, enforcement_change
from monitor.facts.protection import DemandChange, ProtectionChange

_SCOPES = {
    "Repository": REPOSITORY,
    "Organization": ORGANISATION,
    "Enterprise": ORGANISATION,
    "Business": ORGANISATION,
}
_PARTS = tuple(
    tuple(f"ruleset_{part}_{how}" for how in ("added", "updated", "deleted"))
    for part in ("rules", "conditions", "bypass_actors")
)
_TOLD = ("ruleset_old_enforcement", "ruleset_old_name", "old_name", *(name for part in _PARTS for name in part))


def ruleset_event(event: Event, action: str, verb: str, evidence: Evidence) -> ProtectionChange | None:
    """Return the edit; None for a ruleset of tags or pushes. Raises Malformed if it is not told of which, when or where."""
    if words(event.get("ruleset_target")) in ("tag", "push", "repository"):
        return None
    identity = number(event.get("ruleset_id"))
    if not identity:
        raise malformed(f"{action} at {moment(event).isoformat()} names no ruleset")
    if verb in ("create", "destroy"):
        changes = _came_or_went(event, came=verb == "create")
    else:
        changes = _updated(event) if verb == "update" else [unclear(ALL)]
    told = first(event, "ruleset_conditions_updated", "ruleset_conditions_added", "ruleset_conditions")
    targets = targets_of(told, changes)
    of = _SCOPES.get(words(event.get("ruleset_source_type")), EITHER)
    name = words(event.get("ruleset_name"))
    return change(event, action, f"ruleset:{identity}", name, changes, evidence, targets, of)


def _came_or_went(event: Event, *, came: bool) -> list[DemandChange]:
    return ruleset_whole(event.get("ruleset_rules"), enforced(event.get("ruleset_enforcement")), came=came)


def _updated(event: Event) -> list[DemandChange]:
    changes: list[DemandChange] = []
    was, now = event.get("ruleset_old_enforcement"), event.get("ruleset_enforcement")
    if was is not None and was != now:
        edit = enforcement_change(enforced(was), enforced(now), words(was) or None, words(now) or None)
        changes += [] if edit is None else [edit]
    rules, conditions, actors = ((event.get(a), event.get(u), event.get(d)) for a, u, d in _PARTS)
    changes += rules_changed(*rules) + conditions_changed(*conditions) + bypass_changed(*actors)
    return changes if first(event, *_TOLD) is not None else [unclear(ALL)]

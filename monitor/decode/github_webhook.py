"""GitHub's webhooks about protection, to facts: classic rules, the switch for all of them, and rulesets. Pure.

The name of the event is a header, which is not part of the body: the events are told apart by their keys. A body tells no
time of its own; of what was edited it tells when that was last changed, and of what was deleted nothing later than the last
change or push before, so the edit was then or after it.

https://docs.github.com/en/webhooks/webhook-events-and-payloads
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from monitor.decode import github_audit_actions as table
from monitor.decode.github_event_fields import account, enforced, malformed, moment_of, number, words
from monitor.decode.github_ruleset_edits import (
    conditions_changed,
    rules_changed,
    ruleset_whole,
    targets_of,
    unclear,
)
from monitor.decode.github_wire import dig, loaded, mapping
from monitor.decode.protection_changes import ALL, STRONGER, WEAKER, enforcement_change
from monitor.errors import Malformed
from monitor.facts.protection import DemandChange, ProtectionChange, Targets
from monitor.model import EvidenceRef

Evidence = tuple[EvidenceRef, ...]
Payload = Mapping[str, Any]
_ENVELOPE = {"action", "repository", "organization", "enterprise", "installation", "sender"}
# What an edit of a classic rule may name that makes none of our demands.
_OTHER = frozenset(
    {"id", "created_at", "updated_at", "create_protected", "required_deployments_enforcement_level", "repository_id"}
)


def webhook(body: bytes, evidence: Evidence = ()) -> ProtectionChange | None:
    """Return the edit of protection that a webhook's body tells; None for a webhook about anything else.

    Raises Malformed if the body is no JSON object, or is about protection and cannot be read.
    """
    payload = mapping(loaded(body, "a webhook"), "a webhook")
    action = words(payload.get("action"))
    switch = action in ("enabled", "disabled") and payload.keys() <= _ENVELOPE and "repository" in payload
    if "repository_ruleset" in payload:
        return _ruleset(payload, action, body, evidence)
    if "rule" in payload:
        return _classic(payload, action, body, evidence)
    if not switch:
        return None
    edit = DemandChange(demand=ALL, direction=STRONGER if action == "enabled" else WEAKER)
    event = "branch_protection_configuration"
    return _change(payload, event, {}, "repository:classic", "all classic rules", [edit], None, body, evidence)


def _classic(payload: Payload, action: str, body: bytes, evidence: Evidence) -> ProtectionChange:
    rule = mapping(payload["rule"], "the rule of a webhook")
    pattern, identity = words(rule.get("name")), number(rule.get("id"))
    if not pattern and not identity:
        raise malformed("a webhook about a rule does not say which")
    if action == "created":
        changes = table.came(rule)
    elif action == "deleted":
        changes = [DemandChange(demand=ALL, direction=WEAKER)]
    else:
        changes = _fields_changed(rule, payload.get("changes")) if action == "edited" else [unclear(ALL)]
    key = f"classic:{identity or pattern}"
    targets = Targets(include=(pattern,)) if pattern else None
    return _change(payload, "branch_protection_rule", rule, key, pattern, changes, targets, body, evidence)


def _fields_changed(rule: Payload, changes: Any) -> list[DemandChange]:
    """Return what the edit did. One that names no field was of something that webhooks do not tell, as who may bypass."""
    if not isinstance(changes, Mapping) or not changes:
        return [unclear(ALL)]
    found: list[DemandChange] = []
    for name, change in changes.items():
        before = dig(change, "from")
        if name == "name":
            found.append(unclear("targets", words(before) or None, words(rule.get("name")) or None))
        elif name in table.FIELDS:
            found += table.field_changes(name, before, rule.get(name))
        elif name not in _OTHER:
            found.append(unclear(ALL))
    return list(dict.fromkeys(found))


def _ruleset(payload: Payload, action: str, body: bytes, evidence: Evidence) -> ProtectionChange | None:
    rule = mapping(payload["repository_ruleset"], "the ruleset of a webhook")
    if rule.get("target") in ("tag", "push", "repository"):
        return None
    identity = number(rule.get("id"))
    if not identity:
        raise malformed("a webhook about a ruleset does not say which")
    word = words(rule.get("enforcement"))
    if action in ("created", "deleted"):
        changes = ruleset_whole(rule.get("rules"), enforced(word), came=action == "created")
    else:
        changes = _parts_changed(word, payload.get("changes")) if action == "edited" else [unclear(ALL)]
    targets = targets_of(rule.get("conditions"), changes)
    key, name = f"ruleset:{identity}", words(rule.get("name"))
    return _change(payload, "repository_ruleset", rule, key, name, changes, targets, body, evidence)


def _parts_changed(word: str, changes: Any) -> list[DemandChange]:
    """Return what the edit did. One that names no part was of something that webhooks do not tell, as who may bypass."""
    if not isinstance(changes, Mapping) or not changes:
        return [unclear("bypass"), unclear(ALL)]
    found: list[DemandChange] = []
    if changes.get("enforcement") is not None:
        was = words(dig(changes, "enforcement", "from"))
        edit = enforcement_change(enforced(was), enforced(word), was or None, word or None)
        found += [] if edit is None else [edit]
    for part, read in (("rules", rules_changed), ("conditions", conditions_changed)):
        lists = changes.get(part)
        if lists is not None and not isinstance(lists, Mapping):
            found.append(unclear(ALL if part == "rules" else "targets"))
        elif lists is not None:
            found += read(*(lists.get(how) for how in ("added", "updated", "deleted")))
    if not changes.keys() <= {"name", "enforcement", "rules", "conditions"}:
        found.append(unclear(ALL))
    return found


def _change(
    payload: Payload,
    event: str,
    rule: Payload,
    key: str,
    name: str,
    changes: list[DemandChange],
    targets: Targets | None,
    body: bytes,
    evidence: Evidence,
) -> ProtectionChange:
    own = event != "repository_ruleset" or words(rule.get("source_type")) not in ("Organization", "Enterprise")
    repository = words(dig(payload, "repository", "full_name")) if own else ""
    organisation = words(dig(payload, "organization", "login")) or repository.partition("/")[0]
    identity = number(dig(payload, "repository", "id")) if own else 0
    if not organisation or (own and not (repository and identity)):
        raise malformed(f"a webhook about {name or key} does not say where it happened")
    return ProtectionChange(
        # A delivery's id is a header; the same body delivered again is the same event.
        id=f"webhook:{hashlib.sha256(body).hexdigest()}",
        at=_moment(payload, rule, f"a webhook about {name or key}"),
        organisation=organisation,
        repository_id=identity,
        repository=repository,
        rule=key,
        rule_name=name,
        action=f"{event}.{words(payload.get('action'))}",
        actor=account(payload.get("sender")),
        targets=targets,
        changes=tuple(changes),
        evidence=evidence,
    )


def _moment(payload: Payload, rule: Payload, what: str) -> datetime:
    """Return the latest time (UTC) that the body tells: of the rule, and unless that was edited, of the repository too."""
    repository = payload.get("repository")
    told = [rule.get("updated_at"), rule.get("created_at")]
    if payload.get("action") not in ("created", "edited") or not any(told):
        told += [dig(repository, name) for name in ("updated_at", "pushed_at", "created_at")]
    found = []
    for value in told:
        try:
            found.append(moment_of(value, what))
        except Malformed:
            continue
    if not found:
        raise malformed(f"{what} tells no time")
    return max(found)

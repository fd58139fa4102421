"""Rules, conditions and bypass actors of a ruleset that an event says were added, changed or taken away. Pure.

An event tells fragments, not whole rulesets: of each, what it demanded and demands is compared. A rule of a kind that is
not known may have demanded anything, so its removal or change is unclear; its arrival weakens nothing.
Kinds of rules and their parameters: https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from monitor.decode.github_event_fields import flag, names, number, objects, words
from monitor.decode.github_rules import bypass
from monitor.decode.protection_changes import (
    ALL,
    STRONGER,
    UNCLEAR,
    WEAKER,
    Value,
    actor_text,
    bypass_change,
    came_or_went,
    demand_change,
    targets_change,
)
from monitor.facts.protection import BypassActor, DemandChange, Demands, StatusCheck, Targets
from monitor.model import Unknown

Fragment = Mapping[str, Any]
_UNREAD = Unknown("the event does not tell it in a form that is known")
_ABSENT = Unknown("the event does not tell it")
_SWITCHES = {
    "non_fast_forward": "block_force_push",
    "deletion": "block_deletion",
    "required_signatures": "signatures",
    "required_linear_history": "linear_history",
    "merge_queue": "merge_queue",
    "update": "lock",
}
_REVIEW_SWITCHES = {
    "dismiss_stale": "dismiss_stale_reviews_on_push",
    "code_owners": "require_code_owner_review",
    "last_push_approval": "require_last_push_approval",
    "conversation_resolution": "required_review_thread_resolution",
}
# Kinds of rules that make none of our demands.
_OTHER = frozenset(
    {
        "creation", "commit_message_pattern", "commit_author_email_pattern", "committer_email_pattern",
        "branch_name_pattern", "tag_name_pattern", "file_path_restriction", "max_file_path_length",
        "file_extension_restriction", "max_file_size", "workflows", "code_scanning", "code_quality",
        "copilot_code_review", "required_deployments", "license_compliance",
    }
)  # fmt: skip
_NOTHING: dict[str, Value] = {name: getattr(Demands(), name) for name in Demands.__struct_fields__}


def unclear(demand: str, before: str | None = None, after: str | None = None) -> DemandChange:
    """Return a change of which the event does not tell what it did."""
    return DemandChange(demand=demand, direction=UNCLEAR, before=before, after=after)


def demands_of(kind: str, parameters: Any) -> dict[str, Value] | None:
    """Return what a rule of this kind demands, by demand; None for a kind that is not known."""
    if kind in _SWITCHES:
        return {_SWITCHES[kind]: True}
    if kind in _OTHER:
        return {}
    told = parameters if isinstance(parameters, Mapping) else None
    if kind == "pull_request":
        switches: dict[str, Value] = {name: _switch(told, key) for name, key in _REVIEW_SWITCHES.items()}
        return {"pull_request": True, "approvals": _count(told, "required_approving_review_count"), **switches}
    if kind == "required_status_checks":
        strict = _switch(told, "strict_required_status_checks_policy")
        return {"status_checks": _checks(told), "strict": strict}
    return None


def rules_changed(added: Any, updated: Any, deleted: Any) -> list[DemandChange]:
    """Return the changes of demands by three lists of rules, each as the event has it; None is a list that it has not."""
    found: list[DemandChange] = []
    for listed, came in ((added, True), (deleted, False)):
        for rule in _listed(listed, "type", found):
            found += _came_or_went(rule, came)
    for rule in _listed(updated, "type", found):
        found += _rule_updated(rule)
    return found


def ruleset_whole(rules: Any, state: bool | None, *, came: bool) -> list[DemandChange]:
    """Return the changes by a ruleset that came or went, from all of its rules; `state`: whether it is enforced, if known.

    One that was not enforced changed nothing. Where its rules cannot be read, it came or went as a whole; a kind that is not
    known may demand anything, so that it went is weaker, and that it came brings nothing back. Where it is not known whether
    it is enforced, neither does it.
    """
    if state is False:
        return []
    listed = None if rules is None else objects(rules, "type")
    if state is None and came:
        return [unclear(ALL)]
    if listed is None:
        return [DemandChange(demand=ALL, direction=STRONGER if came else WEAKER)]
    made: dict[str, Value] = {}
    for rule in listed:
        found = demands_of(words(rule.get("type")), rule.get("parameters"))
        if found is None and not came:
            return [DemandChange(demand=ALL, direction=WEAKER)]
        made.update(_there(found or {}))
    return came_or_went(made, came=came)


def conditions_changed(added: Any, updated: Any, deleted: Any) -> list[DemandChange]:
    """Return the changes of targets by three lists of conditions, each as the event has it."""
    found: list[DemandChange] = []
    for listed, came in ((added, True), (deleted, False)):
        for condition in _listed(listed, "target", found, "targets"):
            patterns = _patterns(condition)
            if patterns is None:
                found.append(unclear("targets"))
                continue
            sides = (Targets(), patterns) if came else (patterns, Targets())
            found += _some(targets_change(*sides))
    for condition in _listed(updated, "target", found, "targets"):
        found += _condition_updated(condition)
    return found


def bypass_changed(added: Any, updated: Any, deleted: Any) -> list[DemandChange]:
    """Return the changes of who may pass the ruleset by, from three lists of actors, each as the event has it."""
    found: list[DemandChange] = []
    for listed, came in ((added, True), (deleted, False)):
        for entry in _listed(listed, "actor_type", found, "bypass"):
            shown = actor_text(bypass_actor(entry))
            found.append(
                DemandChange(
                    demand="bypass",
                    direction=WEAKER if came else STRONGER,
                    before=None if came else shown,
                    after=shown if came else None,
                )
            )
    for entry in _listed(updated, "actor_type", found, "bypass"):
        now = bypass_actor(entry)
        old = words(entry.get("old_bypass_mode"))
        was = bypass_actor({**entry, "bypass_mode": old})
        found += _some(bypass_change((was,), (now,))) if old else [unclear("bypass", None, actor_text(now))]
    return found


def bypass_actor(entry: Fragment) -> BypassActor:
    """Return one bypass actor, named as in the ruleset itself; its kind is unknown where GitHub's word is not known."""
    listed = bypass({"bypass_actors": [{**entry, "actor_id": number(entry.get("actor_id"))}]})
    actor = listed[0] if isinstance(listed, tuple) else BypassActor(kind="unknown")
    return msgspec.structs.replace(actor, name=words(actor.name))


def targets_of(conditions: Any, changes: Iterable[DemandChange] = ()) -> Targets | None:
    """Return the branches that the conditions name; None where they do not tell, or an edit changed more than these.

    An edit may change for which repositories a ruleset is, and then its branches alone do not tell to what it applies.
    """
    if any(change.demand == "targets" and change.after is None for change in changes):
        return None
    for condition in objects(conditions, "target") or ():
        patterns = _patterns(condition)
        if patterns is not None:
            return patterns
    return None


def _listed(value: Any, alone: str, found: list[DemandChange], demand: str = ALL) -> Sequence[Fragment]:
    """Return the entries of a list; one that is there and cannot be read is told as unclear."""
    if value is None:
        return ()
    listed = objects(value, alone)
    if listed is None:
        found.append(unclear(demand))
    return listed or ()


def _came_or_went(rule: Fragment, came: bool) -> list[DemandChange]:
    kind = words(rule.get("type"))
    demands = demands_of(kind, rule.get("parameters"))
    if demands is None:
        return [] if came and kind else [unclear(ALL, None if came else kind or None, None)]
    changes = (
        demand_change(name, *((_NOTHING[name], value) if came else (value, _NOTHING[name])))
        for name, value in _there(demands).items()
    )
    return [change for change in changes if change is not None]


def _there(demands: Mapping[str, Value]) -> dict[str, Value]:
    """Return the demands of a whole rule: what it does not tell, it does not demand."""
    return {name: _NOTHING[name] if value == _ABSENT else value for name, value in demands.items()}


def _rule_updated(rule: Fragment) -> list[DemandChange]:
    """Compare what a rule demanded and demands. https://docs.github.com/en/webhooks/webhook-events-and-payloads#repository_ruleset"""
    inner, edits = rule.get("rule"), rule.get("changes")
    if isinstance(inner, Mapping):  # a webhook tells the rule, and beside it what of it was changed
        moved = edits if isinstance(edits, Mapping) else {}
        was, kind = _before(moved.get("configuration")), words(inner.get("type"))
        if isinstance(was, str):
            was = next(iter(objects(was) or ()), None)
        old_kind, now = words(_before(moved.get("rule_type"))) or kind, inner.get("parameters")
    else:
        kind, was, now = words(rule.get("type")), rule.get("old_parameters"), rule.get("parameters")
        old_kind = words(rule.get("old_type")) or kind
    if old_kind != kind:
        went, came = {"type": old_kind, "parameters": was}, {"type": kind, "parameters": now}
        return [*_came_or_went(went, False), *_came_or_went(came, True)]
    before, after = demands_of(kind, was), demands_of(kind, now)
    if before is None or after is None:
        return [unclear(ALL, kind or None, kind or None)]
    return [change for name in before for change in _demand_updated(name, before[name], after[name])]


def _demand_updated(name: str, before: Value, after: Value) -> list[DemandChange]:
    if isinstance(before, Unknown) and isinstance(after, Unknown):
        return [
            unclear(name)
        ]  # the rule was edited: that neither side can be read does not mean that they are the same
    return _some(demand_change(name, before, after))


def _condition_updated(condition: Fragment) -> list[DemandChange]:
    inner, edits = condition.get("condition"), condition.get("changes")
    if isinstance(inner, Mapping):
        now = _patterns(inner)
        moved = edits if isinstance(edits, Mapping) else {}
        if now is None or not {"include", "exclude"} & moved.keys() or {"target", "condition_type"} & moved.keys():
            return [unclear("targets")]
        include = _refs(_before(moved["include"])) if "include" in moved else now.include
        exclude = _refs(_before(moved["exclude"])) if "exclude" in moved else now.exclude
        was = None if include is None or exclude is None else Targets(include=include, exclude=exclude)
    else:
        target = condition.get("target")
        now = _patterns(condition)
        was = _patterns({"target": target, "parameters": condition.get("old_parameters")})
    if was is None or now is None:
        return [unclear("targets")]
    return _some(targets_change(was, now))


def _patterns(condition: Fragment) -> Targets | None:
    """Return the branches that a condition names; None where it is about repositories, or cannot be read."""
    told = condition.get("parameters") if condition.get("target") == "ref_name" else condition.get("ref_name")
    if not isinstance(told, Mapping):
        return None
    include, exclude = _refs(told.get("include", [])), _refs(told.get("exclude", []))
    return None if include is None or exclude is None else Targets(include=include, exclude=exclude)


def _refs(value: Any) -> tuple[str, ...] | None:
    listed = names(value)
    return None if listed is None else tuple(ref.removeprefix("refs/heads/") for ref in listed)


def _before(change: Any) -> Any:
    return change.get("from") if isinstance(change, Mapping) else None


def _some(change: DemandChange | None) -> list[DemandChange]:
    return [] if change is None else [change]


def _switch(told: Fragment | None, key: str) -> bool | Unknown:
    if told is None or told.get(key) is None:
        return _UNREAD if told is None else _ABSENT
    value = flag(told[key])
    return _UNREAD if value is None else value


def _count(told: Fragment | None, key: str) -> int | Unknown:
    if told is None or told.get(key) is None:
        return _UNREAD if told is None else _ABSENT
    value = told[key]
    return number(value) or (0 if not isinstance(value, bool) and value in (0, "0") else _UNREAD)


def _checks(told: Fragment | None) -> tuple[StatusCheck, ...] | Unknown:
    key = "required_status_checks"
    if told is None or told.get(key) is None:
        return _UNREAD if told is None else _ABSENT
    listed = objects(told[key], "context")
    if listed is None or not all(words(check.get("context")) for check in listed):
        return _UNREAD
    return tuple(
        sorted({StatusCheck(words(check["context"]), number(check.get("integration_id"))) for check in listed})
    )

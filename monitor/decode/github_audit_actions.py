"""The table of what GitHub's events say of classic rules: which field is which demand, which action tells which field.

The audit log and the webhooks name the fields alike. What an event tells of a field is read here; only the value after the
edit is always told, so a number that did not fall to nothing may have risen or fallen: unclear.

https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization#protected_branch
https://docs.github.com/en/webhooks/webhook-events-and-payloads#branch_protection_rule
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from monitor.decode.github_event_fields import first, flag, level, names, number
from monitor.decode.protection_changes import ALL, STRONGER, UNCLEAR, WEAKER, demand_change, text
from monitor.facts.protection import DemandChange, StatusCheck

_LEVEL_NAMES = ("off", "all but administrators", "everyone")
_REVIEWS = ("approvals", "dismiss_stale", "code_owners", "last_push_approval")


class Field(msgspec.Struct, frozen=True):
    """How a field of a classic rule is read: of which demand it tells, and as what.

    `kind`: switch, level (0 off, 1 all but administrators, 2 everyone), count, checks or people. `allows`: on is weaker.
    `holds`: the field's value is the demand's value, not just a part of it.
    """

    demand: str
    kind: str = "switch"
    allows: bool = False
    holds: bool = True


FIELDS = {
    "pull_request_reviews_enforcement_level": Field("pull_request", "level"),
    "required_approving_review_count": Field("approvals", "count"),
    "dismiss_stale_reviews_on_push": Field("dismiss_stale"),
    "dismiss_stale_reviews": Field("dismiss_stale"),
    "require_code_owner_review": Field("code_owners"),
    "require_last_push_approval": Field("last_push_approval"),
    "ignore_approvals_from_contributors": Field("approvals", holds=False),
    "required_conversation_resolution_level": Field("conversation_resolution", "level"),
    "required_status_checks_enforcement_level": Field("status_checks", "level", holds=False),
    "required_status_checks": Field("status_checks", "checks"),
    "strict_required_status_checks_policy": Field("strict"),
    "allow_force_pushes_enforcement_level": Field("block_force_push", "level", allows=True),
    "allow_deletions_enforcement_level": Field("block_deletion", "level", allows=True),
    "signature_requirement_enforcement_level": Field("signatures", "level"),
    "linear_history_requirement_enforcement_level": Field("linear_history", "level"),
    "merge_queue_enforcement_level": Field("merge_queue", "level"),
    "lock_branch_enforcement_level": Field("lock", "level"),
    "lock_allows_fetch_and_merge": Field("lock", allows=True, holds=False),
    "lock_allows_fork_sync": Field("lock", allows=True, holds=False),
    "admin_enforced": Field("bypass", holds=False),
    "authorized_actors_only": Field("bypass", holds=False),
    "authorized_dismissal_actors_only": Field("bypass", holds=False),
    "authorized_actor_names": Field("bypass", "people"),
}
"""By name of the field in events and in webhooks."""

ACTIONS: dict[str, tuple[str, ...]] = {
    **{f"update_{name}": (name,) for name in FIELDS},
    "dismiss_stale_reviews": ("dismiss_stale_reviews_on_push", "dismiss_stale_reviews"),
    "update_required_conversation_resolution_enforcement_level": ("required_conversation_resolution_level",),
}
"""By what follows `protected_branch.`: the fields, of which the event has one, that the action tells of."""

BYPASS_LISTS = frozenset({"authorized_users_teams", "branch_allowances", "dismissal_restricted_users_teams"})
"""Actions that edit who may pass a rule by, or who may do what it forbids others."""

OVERRIDES = {
    "policy_override": (),
    "required_status_override": ("status_checks",),
    "review_policy_override": ("pull_request", "approvals"),
    "review_policy_and_required_status_override": ("pull_request", "approvals", "status_checks"),
}
"""Actions by which somebody passed a rule by, and the demands that these name by themselves."""

CODES = (
    ("review", ("pull_request", "approvals")),
    ("pull_request", ("pull_request",)),
    ("status", ("status_checks",)),
    ("strict", ("strict",)),
    ("signature", ("signatures",)),
    ("linear", ("linear_history",)),
    ("merge_commit", ("linear_history",)),
    ("force_push", ("block_force_push",)),
    ("fast_forward", ("block_force_push",)),
    ("delet", ("block_deletion",)),
    ("queue", ("merge_queue",)),
    ("lock", ("lock",)),
    ("conversation", ("conversation_resolution",)),
    ("thread", ("conversation_resolution",)),
)
"""Parts of the codes of demands that were overridden, as `review_policy_not_satisfied` and `required_status_checks`."""


def overridden(codes: Iterable[str]) -> tuple[str, ...]:
    """Return the demands that these codes name; a code that is not known stands for itself, so that it is not lost."""
    found: list[str] = []
    for code in codes:
        named = [demand for part, demands in CODES if part in code.lower() for demand in demands]
        found += named or [code]
    return tuple(dict.fromkeys(found))


def field_changes(name: str, before: Any, after: Any) -> list[DemandChange]:
    """Return what an edit of a field did; `before` None is not told. A value that cannot be read is unclear."""
    field = FIELDS[name]
    if field.kind == "people":
        return _people(before, after)
    if field.kind == "checks":
        return _checks(field, before, after)
    was, now = _read(field, before), _read(field, after)
    if now is None:
        return [DemandChange(demand=field.demand, direction=UNCLEAR, before=_shown(field, was))]
    if was == now:
        return []
    change = DemandChange(
        demand=field.demand,
        direction=_direction(field, was, now),
        before=_shown(field, was),
        after=_shown(field, now),
        value=_value(field, now),
    )
    return [change, *_with_reviews(change)] if name == "pull_request_reviews_enforcement_level" else [change]


def came(fields: Mapping[str, Any]) -> list[DemandChange]:
    """Return the changes by a classic rule that came to be: the rule as a whole, and each demand that the event tells of.

    Its bypasses are no change: before it, everybody could do what it forbids.
    """
    found: dict[str, DemandChange] = {ALL: DemandChange(demand=ALL, direction=STRONGER)}
    for name, field in FIELDS.items():
        part = not field.holds and field.demand != "status_checks"
        if fields.get(name) is None or field.demand == "bypass" or part:
            continue
        for change in _came(field, fields[name]):
            found.setdefault(change.demand, change)
    return list(found.values())


def _came(field: Field, value: Any) -> list[DemandChange]:
    if field.kind == "checks":
        return _checks(field, [], value)
    now = _read(field, value)
    if now is None:
        return [DemandChange(demand=field.demand, direction=UNCLEAR)]
    on = not now if field.allows else bool(now)
    shown = _shown(field, now)
    return [DemandChange(demand=field.demand, direction=STRONGER, after=shown, value=_value(field, now))] if on else []


def _with_reviews(change: DemandChange) -> list[DemandChange]:
    """Return what becomes of the demands on reviews: they are off with these, and on again with these as they are set."""
    return [DemandChange(demand=name, direction=change.direction) for name in _REVIEWS]


def _read(field: Field, value: Any) -> int | None:
    if field.kind == "level":
        return level(value)
    if field.kind == "count":
        zero = not isinstance(value, bool) and isinstance(value, int | str) and value in (0, "0")
        return number(value) or (0 if zero else None)
    told = flag(value)
    return None if told is None else int(told)


def _direction(field: Field, was: int | None, now: int) -> str:
    if was is not None:
        return STRONGER if (now > was) != field.allows else WEAKER
    if now == 0:
        return STRONGER if field.allows else WEAKER
    if field.allows:
        return WEAKER
    if field.kind == "level":
        # 1 is less than 2 and more than 0, and the event does not say which of these it was.
        return STRONGER if now == len(_LEVEL_NAMES) - 1 else UNCLEAR
    return UNCLEAR if field.kind == "count" else STRONGER


def _value(field: Field, now: int) -> int | bool | None:
    if not field.holds or (field.kind == "level" and now == 1 and not field.allows):
        return None  # a level that leaves administrators out is neither on nor off
    return now if field.kind == "count" else (not now if field.allows else bool(now))


def _shown(field: Field, value: int | None) -> str | None:
    if value is None:
        return None
    if field.kind == "level":
        shown = _LEVEL_NAMES[value]
        return f"allowed: {shown}" if field.allows else shown
    return text(value) if field.kind == "count" else text(bool(value))


def _checks(field: Field, before: Any, after: Any) -> list[DemandChange]:
    was, now = names(before), names(after)
    if was is None or now is None:
        return [DemandChange(demand=field.demand, direction=UNCLEAR)]
    change = demand_change(field.demand, tuple(map(StatusCheck, was)), tuple(map(StatusCheck, now)))
    return [] if change is None else [change]


def _people(before: Any, after: Any) -> list[DemandChange]:
    was, now = names(before), names(after)
    if was is None or now is None:
        return [DemandChange(demand="bypass", direction=UNCLEAR)]
    if set(was) == set(now):
        return []
    direction = STRONGER if set(now) < set(was) else WEAKER
    return [
        DemandChange(
            demand="bypass",
            direction=direction,
            before=", ".join(was) or "nobody",
            after=", ".join(now) or "nobody",
        )
    ]


def told_before(event: Mapping[str, Any], name: str) -> Any:
    """Return the value of a field before the edit, under the names that the audit log uses for such; None if not told."""
    return first(event, f"old_{name}", f"{name}_was", f"previous_{name}")

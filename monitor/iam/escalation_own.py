"""The rules by which an identity changes its own rights, or those of one that it can become. Pure; never raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from monitor.facts.identity import Identity
from monitor.facts.policy import Policy
from monitor.iam import escalation_asking as asking
from monitor.iam.escalation_asking import Met
from monitor.iam.escalation_openings import Opening, anonymous, place
from monitor.iam.escalation_rule import Reach, Rule
from monitor.iam.rights import Rights, rights
from monitor.model import Unknown

_PROJECT = "//cloudresourcemanager.googleapis.com/projects/"
_MOST = 64
"""Identities that it can become of which is tried whether their rights can be changed."""
_TAKES_OFF = {"detach": ("managed", "provider-managed"), "delete": ("inline",)}


class Own(NamedTuple):
    """One rule by which it gets more rights of its own. `admin`: any right at all. `through`: whom it changes and becomes."""

    rule: Rule
    met: Met
    admin: bool
    through: tuple[str, ...] = ()


class Owning:
    """Evaluates the rules on own rights. `becomes` gives, of an opening, the rights of those whom it leads to."""

    def __init__(self, becomes: Callable[[Opening], Iterator[tuple[Rights, Met]]]) -> None:
        self._becomes = becomes
        self._free: dict[tuple[str, bool], bool] = {}

    def of(self, own: Rights, rule: Rule, openings: Iterable[Opening]) -> Own | None:
        """Return what a rule opens; None if it is closed. `openings` are those to others."""
        needed = asking.somewhere(own, rule.needs)
        if needed is None:
            return None
        if rule.given:
            needed = needed._replace(conditions=(*needed.conditions, rule.given))
        if rule.reaches is Reach.UNBOUND:
            return self._unbound(own, rule, needed)
        for met, through, target in self._ways(own, rule, openings):
            told = met.and_(needed)
            admin = not told.limited and self._anything(target, boundary=not rule.of.startswith("any-"))
            if admin or asking.surplus(own, asking.unlimited(target.identity, target.catalogue, boundary=True)):
                return Own(rule, told, admin, through)
        return None

    def _ways(
        self, own: Rights, rule: Rule, openings: Iterable[Opening]
    ) -> Iterator[tuple[Met, tuple[str, ...], Rights]]:
        """Yield how the rule's demands are met on itself, or on one whom it becomes (the second says through whom)."""
        identity = own.identity
        if rule.of == "anything":
            met = asking.somewhere(own, rule.on)
            if met is not None:
                yield met, (), own
        elif rule.of.startswith("any-"):
            met = asking.together(own, rule.on, rule.of.removeprefix("any-"))
            if met is not None and (rule.of != "any-group" or identity.kind == "user" or anonymous(identity)):
                yield met, (), own
        elif rule.of in ("project", "custom-role"):
            yield from ((met, (), own) for met in _of_project(own, rule))
        else:
            yield from ((met, (), own) for met in _on_itself(own, rule, identity, itself=True))
            if rule.of in ("role", "user", "policy"):
                others = (one for opening in openings for one in self._becomes(opening))
                for other, how in islice(others, _MOST):
                    for met in _on_itself(own, rule, other.identity, itself=False):
                        yield met.and_(how), (other.identity.name,), other

    def _anything(self, target: Rights, *, boundary: bool) -> bool:
        """Return whether any right that its policies give holds in effect: no boundary, ceiling or deny keeps it."""
        key = (target.identity.name, boundary)
        found = self._free.get(key)
        if found is None:
            found = asking.is_admin(asking.unlimited(target.identity, target.catalogue, boundary=boundary))
            self._free[key] = found
        return found

    def _unbound(self, own: Rights, rule: Rule, needed: Met) -> Own | None:
        identity = own.identity
        if anonymous(identity) and identity.boundary is None and not rule.of.endswith("-policy"):
            met = asking.together(own, rule.on, rule.of)
            why = "it has a boundary, which keeps it from more"
            return None if met is None else Own(rule, met._replace(conditions=(*met.conditions, why)), False)
        if rule.of.endswith("-policy"):
            freed = _without_denies(own, rule)
        elif identity.boundary is None or rule.of not in ("boundary", identity.kind):
            return None
        else:
            where = identity.boundary.name if isinstance(identity.boundary, Policy) else "*"
            met = asking.on(own, rule.on, where if rule.of == "boundary" else identity.name, {})
            freed = None if met is None else (met, msgspec.structs.replace(identity, boundary=None))
        if freed is None:
            return None
        met, without = freed
        other = rights(without, own.catalogue)
        admin = asking.is_admin(other)
        return Own(rule, met.and_(needed), admin) if admin or asking.surplus(own, other) else None


def _without_denies(own: Rights, rule: Rule) -> tuple[Met, Identity] | None:
    """Return the identity without those policies with a deny that it can take off, and how; None if there are none."""
    identity = own.identity
    if isinstance(identity.policies, Unknown) or not rule.of.startswith(identity.kind):
        return None
    met: Met | None = None
    kept: tuple[Policy, ...] = identity.policies
    for action in rule.on[0]:
        kinds = _TAKES_OFF[action.partition(":")[2][:6].lower()]
        off = [one for one in kept if one.kind in kinds and _denies(one)]
        one_way = asking.on(own, ((action,),), identity.name, {}) if off else None
        if one_way is not None:
            met = one_way if met is None else met.and_(one_way)
            kept = tuple(one for one in kept if one not in off)
    return None if met is None else (met, msgspec.structs.replace(identity, policies=kept))


def _denies(policy: Policy) -> bool:
    return isinstance(policy.statements, tuple) and any(not one.allow for one in policy.statements)


def _on_itself(own: Rights, rule: Rule, target: Identity, *, itself: bool) -> Iterator[Met]:
    """Yield how the demands are met on an identity: on its own ARN, on its policies, or on its groups."""
    if anonymous(target):
        met = asking.together(own, rule.on, rule.of)
        if met is not None:
            exact = "*" not in met.resources[0] and "?" not in met.resources[0]
            why = f"it is, or has, {met.resources[0]}"
            yield met._replace(conditions=(*met.conditions, why)) if exact else met
    elif rule.of == "policy":
        yield from _best(asking.on(own, rule.on, name, {}) for name in _changeable(target))
    elif rule.of == "group":
        if itself and target.kind == "user":
            yield from _of_groups(own, rule, target)
    elif rule.of == target.kind or (rule.of == "role" and target.kind == "service-account"):
        boundary = target.boundary.name if isinstance(target.boundary, Policy) else ""
        yield from _best((asking.on(own, rule.on, place(target), {"iam:permissionsboundary": boundary}),))


def _best(found: Iterable[Met | None]) -> tuple[Met, ...]:
    return tuple(sorted((one for one in found if one is not None), key=lambda one: len(one.conditions)))


def _changeable(target: Identity) -> tuple[str, ...]:
    """Return the ARNs of its organisation's own managed policies: a provider's cannot be changed."""
    if isinstance(target.policies, Unknown):
        return ()
    return tuple(
        one.name
        for one in target.policies
        if one.kind in ("managed", "group") and one.name.startswith("arn:") and ":iam::aws:policy/" not in one.name
    )


def _of_groups(own: Rights, rule: Rule, target: Identity) -> Iterator[Met]:
    # Which groups a user is in is told by the groups' policies alone; a group without any is not seen. An inline policy of a
    # group is named after the group: GROUP/POLICY.
    policies = target.policies if isinstance(target.policies, tuple) else ()
    own_groups = {
        one.name.partition("/")[0] for one in policies if one.kind == "group" and not one.name.startswith("arn:")
    }
    place = ":".join((*target.name.split(":")[:2], f"iam::{target.account}:group"))
    yield from _best(asking.on(own, rule.on, f"{place}/{name}", {}) for name in sorted(own_groups))
    met = asking.together(own, rule.on, "group")
    if met is not None:
        yield met._replace(conditions=(*met.conditions, f"it is in a group of {' or '.join(met.resources)}"))


def _of_project(own: Rights, rule: Rule) -> Iterator[Met]:
    identity = own.identity
    if rule.of == "custom-role" and not identity.document:
        policies = identity.policies if isinstance(identity.policies, tuple) else ()
        if not any(one.name.startswith(("projects/", "organizations/")) for one in policies):
            return
    found = asking.on(own, rule.on, _PROJECT + identity.account, {}) or asking.somewhere(own, rule.on)
    if found is not None:
        yield found

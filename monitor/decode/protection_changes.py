"""What an edit did to a rule: two states of it, or of one part of it, compared to weaker, stronger or unclear. Pure.

Where a part was made both weaker and stronger, it was made weaker: something that was demanded no longer is. Targets are the
exception: patterns overlap, so that only the branches can tell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from monitor.facts.protection import (
    DEMANDS,
    BypassActor,
    DemandChange,
    Demands,
    ProtectionRule,
    StatusCheck,
    Targets,
)
from monitor.model import Unknown

WEAKER, STRONGER, UNCLEAR = "weaker", "stronger", "unclear"
ALL = "*"
ALL_BRANCHES = "~ALL"
_NOTHING = Demands()
# How far a bypass reaches; `exempt` is not even asked. https://docs.github.com/en/rest/repos/rules
_REACH = {"pull-request": 0, "always": 1, "exempt": 2}

Value = bool | int | tuple[StatusCheck, ...] | Unknown
Bypass = tuple[BypassActor, ...] | Unknown


def compared(before: ProtectionRule | None, after: ProtectionRule | None) -> tuple[DemandChange, ...]:
    """Return how the second state of a rule differs from the first; None is a rule that does not exist.

    A rule that came or went is told as a whole (`*`), and of one that came each demand too. While it was not enforced, or
    where it demanded nothing, it changed nothing. Of a rule that is there, every difference is told, enforced or not: what
    was weakened while it was off is weak when it is on again.
    """
    if before is None or after is None:
        there = before or after
        if there is None or there.enforced is False:
            return ()
        sure = there.enforced is True
        return tuple(came_or_went(_demanded(there.demands), came=before is None, sure=sure))
    found = [
        enforcement_change(before.enforced, after.enforced, before.enforcement, after.enforcement),
        *(demand_change(name, getattr(before.demands, name), getattr(after.demands, name)) for name in DEMANDS),
        targets_change(before.targets, after.targets),
        bypass_change(before.bypass, after.bypass),
    ]
    return _told(found)


def came_or_went(demands: Mapping[str, Value], *, came: bool, sure: bool = True) -> list[DemandChange]:
    """Return the changes by a rule that came or went, from what it demands; none if that is nothing at all.

    `sure`: that it is enforced, and that it demands nothing else, is known; else what it did is unclear.
    """
    nothing = _demanded(_NOTHING)
    made = {name: value for name, value in demands.items() if value != nothing[name]}
    if not made and sure:
        return []
    shown = ", ".join(f"{name} {text(value) or 'not told'}" for name, value in made.items()) or None
    direction = (STRONGER if came else WEAKER) if sure else UNCLEAR
    whole = DemandChange(demand=ALL, direction=direction, before=None if came else shown, after=shown if came else None)
    parts = [demand_change(name, nothing[name], value) for name, value in made.items()] if came and sure else []
    return [whole, *_told(parts)]


def demand_change(demand: str, before: Value, after: Value) -> DemandChange | None:
    """Return the change of one demand; None if there is none. What could not be read on either side is unclear."""
    if isinstance(before, Unknown) or isinstance(after, Unknown):
        # Two states that both could not be read tell nothing new; one that could and one that could not may differ.
        if isinstance(before, Unknown) and isinstance(after, Unknown):
            return None
        direction = UNCLEAR
    elif before == after:
        return None
    elif isinstance(before, tuple) and isinstance(after, tuple):
        kept = all(_still_required(check, after) for check in before)
        if kept and all(_still_required(check, before) for check in after):
            return None
        direction = STRONGER if kept else WEAKER
    elif isinstance(before, tuple) or isinstance(after, tuple):
        direction = UNCLEAR
    else:
        direction = STRONGER if after > before else WEAKER
    value = None if isinstance(after, tuple | Unknown) else after
    return DemandChange(demand=demand, direction=direction, before=text(before), after=text(after), value=value)


def enforcement_change(
    before: bool | Unknown | None, after: bool | Unknown | None, was: str | None, now: str | None
) -> DemandChange | None:
    """Return the change of enforcement; None if it is enforced as before. A word that is not known is unclear."""
    if before is after and isinstance(before, bool):
        return None
    if isinstance(before, Unknown) and isinstance(after, Unknown):
        return None
    known = isinstance(before, bool) and isinstance(after, bool)
    direction = (STRONGER if after else WEAKER) if known else UNCLEAR
    return DemandChange(
        demand="enforcement",
        direction=direction,
        before=was,
        after=now,
        value=after if isinstance(after, bool) else None,
    )


def targets_change(before: Targets, after: Targets) -> DemandChange | None:
    """Return the change of targets; None if there is none. Where some came and some went, only the branches can tell."""
    was, now = (Targets(include=_included(one), exclude=one.exclude) for one in (before, after))
    lost = (not set(was.include) <= set(now.include) and ALL_BRANCHES not in now.include) or not set(
        now.exclude
    ) <= set(was.exclude)
    gained = (not set(now.include) <= set(was.include) and ALL_BRANCHES not in was.include) or not set(
        was.exclude
    ) <= set(now.exclude)
    if not lost and not gained:
        return None
    if not was.include:
        direction = STRONGER
    elif not now.include:
        direction = WEAKER
    else:
        direction = UNCLEAR if lost and gained else WEAKER if lost else STRONGER
    return DemandChange(demand="targets", direction=direction, before=told(before), after=told(after))


def bypass_change(before: Bypass, after: Bypass) -> DemandChange | None:
    """Return the change of who may pass a rule by; None if there is none. One actor more, or one farther, is weaker."""
    if isinstance(before, Unknown) or isinstance(after, Unknown):
        if isinstance(before, Unknown) and isinstance(after, Unknown):
            return None
        direction = UNCLEAR
    else:
        wider = not all(any(_reaches(one, other) for one in before) for other in after)
        narrower = not all(any(_reaches(one, other) for one in after) for other in before)
        if not wider and not narrower:
            return None
        direction = WEAKER if wider else STRONGER
    return DemandChange(demand="bypass", direction=direction, before=_actors(before), after=_actors(after))


def text(value: Any) -> str | None:
    """Return the value of a demand as it is shown; None for what is not known."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return ", ".join(f"{one.name} (app {one.app})" if one.app else one.name for one in sorted(set(value))) or "none"
    return None


def told(targets: Targets) -> str:
    """Return targets as they are shown: the patterns, and after `except` those that are left out."""
    include = ", ".join(targets.include) or ("all" if targets.exclude else "nothing")
    return include + (f" except {', '.join(targets.exclude)}" if targets.exclude else "")


def _demanded(demands: Demands) -> dict[str, Value]:
    return {name: getattr(demands, name) for name in DEMANDS}


def _told(found: Iterable[DemandChange | None]) -> tuple[DemandChange, ...]:
    return tuple(change for change in found if change is not None)


def _still_required(check: StatusCheck, checks: tuple[StatusCheck, ...]) -> bool:
    """Return whether one of the checks demands at least what this one does: the name, and its app if it named one."""
    return any(one.name == check.name and check.app in (0, one.app) for one in checks)


def _included(targets: Targets) -> tuple[str, ...]:
    return targets.include or ((ALL_BRANCHES,) if targets.exclude else ())


def _reaches(one: BypassActor, other: BypassActor) -> bool:
    """Return whether the one is the same actor as the other, and may do at least as much."""
    same = one.kind == other.kind and (one.id == other.id if one.id and other.id else one.name == other.name)
    far = one.mode == other.mode or (
        one.mode in _REACH and other.mode in _REACH and _REACH[one.mode] > _REACH[other.mode]
    )
    return same and far and (not one.only or (bool(other.only) and set(other.only) <= set(one.only)))


def actor_text(actor: BypassActor) -> str:
    """Return an actor as it is shown: kind, name or id, mode, and which demands alone it passes."""
    who = ":".join(filter(None, (actor.kind, actor.name or (str(actor.id) if actor.id else ""))))
    return f"{who} ({', '.join((actor.mode, *(('only ' + ' '.join(actor.only),) if actor.only else ())))})"


def _actors(bypass: Bypass) -> str | None:
    return None if isinstance(bypass, Unknown) else ", ".join(sorted(map(actor_text, bypass))) or "nobody"

"""How one demand stands on one branch: met, unmet, or unknown; by which rules, and who may pass them by. Pure.

A demand is met if an enforced rule that applies to the branch makes it, and lets nobody pass by but those who are allowed. So a
redundant rule with a bypass does not weaken a strict one, and a strict rule does not hide that another, which alone makes some
other demand, can be passed by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from monitor.facts.combining import applicable
from monitor.facts.protection import BypassActor, ProtectionRule
from monitor.model import Unknown

MET, UNMET, UNKNOWN = "met", "unmet", "unknown"
Allowed = Callable[[BypassActor], bool]
"""Tells whether this actor may pass rules by."""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """How one demand stands on one branch.

    `standing` is met, unmet or unknown; `value` the strongest that is known to be demanded; `by` the names of the rules that
    demand enough; `passers` those who may pass all of these by and are not allowed to; `doubt` why it is unknown.
    """

    standing: str
    value: Any
    by: tuple[str, ...] = ()
    passers: tuple[BypassActor, ...] = ()
    doubt: Unknown | None = None


def of_branch(rules: Iterable[ProtectionRule], branch: str, default_branch: str) -> tuple[ProtectionRule, ...]:
    """Return the rules that apply to a branch and are enforced, or may be, in the order of their keys."""
    return tuple(rule for rule in applicable(rules, branch, default_branch) if rule.enforced is not False)


def weigh(rules: Sequence[ProtectionRule], demand: str, enough: Callable[[Any], bool], allowed: Allowed) -> Held:
    """Return how a demand stands under the rules of one branch. `enough` tells whether a known value meets what is expected."""
    known = [(rule, getattr(rule.demands, demand)) for rule in rules]
    values = [value for _, value in known if not isinstance(value, Unknown)]
    strongest: Any = max(values, key=_strength, default=None)
    meeting: list[ProtectionRule] = []
    passers: list[BypassActor] = []
    doubt: Unknown | None = None
    for rule, value in known:
        actors = () if isinstance(rule.bypass, Unknown) else rule.bypass
        loose = [one for one in actors if _concerns(one, demand) and not allowed(one)]
        if not isinstance(value, Unknown):
            if not enough(value):
                continue
            meeting.append(rule)
            passers += loose
        if loose:  # whatever else is unknown of it, this rule is not enough
            continue
        lost = next((one for one in (value, rule.enforced, rule.bypass) if isinstance(one, Unknown)), None)
        if lost is None:
            return Held(standing=MET, value=strongest, by=(rule.name,))
        doubt = doubt or lost
    return Held(
        standing=UNKNOWN if doubt else UNMET,
        value=strongest,
        by=tuple(rule.name for rule in meeting),
        passers=tuple(dict.fromkeys(passers)),
        doubt=doubt,
    )


def _concerns(actor: BypassActor, demand: str) -> bool:
    return not actor.only or demand in actor.only


def _strength(value: Any) -> int:
    return len(value) if isinstance(value, tuple) else int(value)

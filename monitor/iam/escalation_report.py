"""What is told of the paths of escalation that are open: where each ends, through whom, on what conditions. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from monitor.facts.access import Power
from monitor.iam import escalation_asking as asking
from monitor.iam.escalation_accounts import Way
from monitor.iam.escalation_openings import Opening
from monitor.iam.escalation_own import Own
from monitor.iam.escalation_rule import Reach, Rule
from monitor.iam.rights import Rights
from monitor.model import Severity, Unknown

ADMIN = "admin"
NAMED = 5
"""Identities that one rule leads to and that are told by name; more are told by their number."""
_DEPTH, _VISITED = 5, 48
_TRIED = 8


class Rise(NamedTuple):
    """The shortest way on to an administrator: how many steps, through whom, on what conditions, by which statements."""

    steps: int
    through: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


class _Group(NamedTuple):
    ways: tuple[Way, ...]
    """Kept, so that no other tuple has its id."""
    rising: tuple[Way, ...]
    bits: int


class Report:
    """Tells the paths of each identity. `onward` gives what is open to an identity, `rises` who leads to an administrator."""

    def __init__(
        self,
        held: Mapping[str, Rights],
        rises: Mapping[str, Rise],
        onward: Callable[[str], tuple[Opening, ...]],
    ) -> None:
        self._held = held
        self._rises = rises
        self._onward = onward
        self._groups: dict[int, _Group] = {}

    def powers(self, name: str, own: tuple[Own, ...], openings: tuple[Opening, ...]) -> tuple[Power, ...]:
        """Return the paths of one identity, each once, in the order of the rules."""
        found = [self._own(name, one) for one in own]
        for opening in openings:
            found += self._opening(name, opening)
        return tuple(dict.fromkeys(found))

    def _own(self, name: str, one: Own) -> Power:
        conditions = one.met.conditions
        if one.admin:
            severity = Severity.HIGH if conditions else Severity.CRITICAL
            return _power(one.rule, one.met, severity, ADMIN, one.through, conditions, "it can then do anything")
        severity = Severity.MEDIUM if conditions or one.met.limited else Severity.HIGH
        reaches = one.through[-1] if one.through else name
        return _power(one.rule, one.met, severity, reaches, one.through[:-1], conditions, "it has more rights then")

    def _opening(self, name: str, opening: Opening) -> Iterator[Power]:
        rule, met = opening.rule, opening.met
        if opening.group is None:
            yield self._unread(opening)
            return
        if rule.reaches is Reach.MADE:
            yield from self._made(name, opening)
            return
        group = self._of(opening.group)
        for way in group.rising:
            rise = self._rises[way.name]
            if way.name != name and name not in rise.through:
                conditions = _once(met.conditions + way.conditions + rise.conditions)
                severity = Severity.HIGH if conditions else Severity.CRITICAL
                through = (way.name, *rise.through)
                told = _told(through, self._held)
                yield _power(rule, _cited(met, way, rise.by), severity, ADMIN, through, conditions, told)
                return
        yield from self._others(name, opening, group)

    def _made(self, name: str, opening: Opening) -> Iterator[Power]:
        way = next((one for one in opening.group or () if one.name != name), None)
        if way is not None:
            conditions = _once(opening.met.conditions + way.conditions)
            severity = Severity.HIGH if conditions else Severity.CRITICAL
            told = "it can then do anything"
            yield _power(opening.rule, _cited(opening.met, way), severity, ADMIN, (way.name,), conditions, told)

    def _others(self, name: str, opening: Opening, group: _Group) -> Iterator[Power]:
        """Yield the paths to those who have more rights, but are no administrators."""
        own, met = self._held[name], opening.met
        others = [way for way in group.ways[: 4 * NAMED] if way.name != name]
        if len(group.ways) > NAMED + 1:
            more = group.bits & ~own.possible or any(self._more(own, way.name) for way in others)
            if more:
                severity = Severity.MEDIUM if met.conditions else Severity.HIGH
                reaches = f"any of {len(group.ways)} {'users' if opening.rule.of == 'user' else 'roles'}"
                yield _power(opening.rule, met, severity, reaches, (), met.conditions, "some of them have more rights")
            return
        seen = {name}
        for way in others:
            conditions = _once(met.conditions + way.conditions)
            seen.add(way.name)
            if self._more(own, way.name):
                yield self._to(opening, way, way.name, (), conditions)
        for way in others:
            conditions = _once(met.conditions + way.conditions)
            for target, through, words in self._beyond(way.name, seen):
                if self._more(own, target):
                    yield self._to(opening, way, target, (way.name, *through), _once(conditions + words))

    def _to(
        self, opening: Opening, way: Way, target: str, through: tuple[str, ...], conditions: tuple[str, ...]
    ) -> Power:
        unread = isinstance(self._held[target].identity.policies, Unknown)
        severity = Severity.MEDIUM if conditions or unread else Severity.HIGH
        told = "whose rights could not be read" if unread else "who has more rights"
        so = f"it can then act as {self._held[target].identity.short}, {told}"
        return _power(opening.rule, _cited(opening.met, way), severity, target, through, conditions, so)

    def _beyond(self, first: str, seen: set[str]) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
        """Yield those to whom one leads in turn, each once: the name, those in between, the conditions."""
        row: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [(first, (), ())]
        for _ in range(_DEPTH):
            following: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = []
            for name, through, words in row:
                for opening in self._onward(name):
                    for way in (opening.group or ())[:_TRIED]:
                        if way.name in seen or len(seen) > _VISITED:
                            continue
                        seen.add(way.name)
                        between = (*through, name) if name != first else through
                        one = (way.name, between, _once(words + opening.met.conditions + way.conditions))
                        following.append(one)
                        yield one
            row = following

    def _more(self, own: Rights, target: str) -> bool:
        other = self._held[target]
        return isinstance(other.identity.policies, Unknown) or asking.surplus(own, other)

    def _unread(self, opening: Opening) -> Power:
        """Return what is told where those whom the rule leads to were not read."""
        rule, met, toward = opening.rule, opening.met, opening.toward
        if toward == ADMIN:
            severity = Severity.HIGH if met.conditions else Severity.CRITICAL
            return _power(rule, met, severity, ADMIN, (), met.conditions, "it can then do anything")
        wide = toward.startswith("any-") and rule.reaches is not Reach.RESOURCE
        severity = Severity.HIGH if wide and not met.conditions else Severity.MEDIUM
        # What one named role can do may be nothing: it is open as far as that role has more rights.
        unread = () if wide else (f"{toward}, which was not read, has more rights",)
        return _power(rule, met, severity, toward, (), met.conditions + unread, "what that gives was not read")

    def _of(self, ways: tuple[Way, ...]) -> _Group:
        found = self._groups.get(id(ways))
        if found is None:
            bits = 0
            for way in ways:
                bits |= self._held[way.name].possible
            rising = sorted(
                (way for way in ways if way.name in self._rises),
                key=lambda way: (
                    bool(way.conditions or self._rises[way.name].conditions),
                    self._rises[way.name].steps,
                    way.name,
                ),
            )
            found = self._groups[id(ways)] = _Group(ways, tuple(rising[:_TRIED]), bits)
        return found


def _power(
    rule: Rule,
    met: asking.Met,
    severity: Severity,
    reaches: str,
    through: tuple[str, ...],
    conditions: tuple[str, ...],
    so: str,
) -> Power:
    return Power(
        kind="escalation",
        rule=rule.id,
        severity=severity,
        actions=tuple(sorted(met.actions)),
        resources=met.resources or ("*",),
        by=met.by,
        reaches=reaches,
        through=through,
        conditions=conditions,
        source=rule.source,
        told=f"It {rule.told}; {so}.",
    )


def _cited(met: asking.Met, way: Way, more: tuple[str, ...] = ()) -> asking.Met:
    """Return what is met, with the statement of the one that it leads to. By that one's trust alone, it holds on that one."""
    by = _once(met.by + ((way.by,) if way.by else ()) + more)
    return met._replace(by=by, resources=met.resources or (way.name,))


def _told(through: tuple[str, ...], held: Mapping[str, Rights]) -> str:
    names = ", then ".join(held[name].identity.short for name in through)
    return f"it can do anything as {names}"


def _once(words: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))

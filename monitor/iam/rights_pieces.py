"""What each statement gives in effect: its actions, split by what denies, boundary and ceilings leave of them. Pure.

A right that something narrows is told as exactly as resources and words can: a deny on some resources becomes an exception,
a deny with conditions an `unless`, a boundary on some resources the part that both have. Where two patterns overlap without
one holding the other, the wider one stands, and words say what it is within.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from monitor.facts.access import Granted
from monitor.iam.rights_clauses import Actions, Clause, acts
from monitor.iam.rights_places import EVERYWHERE, Places


class Level(NamedTuple):
    """One level that must allow an action too: the boundary, or one of the organisation's.

    `full` are the actions that it allows always and everywhere, `some` those that it allows at all.
    """

    told: str
    allows: tuple[Clause, ...]
    full: int
    some: int


class Piece:
    """Actions that hold alike: on `resources` but not on `excepts`, where `conditions` (in words) hold. `clause` gives it."""

    __slots__ = ("_granted", "actions", "clause", "conditions", "excepts", "resources")

    def __init__(
        self,
        actions: Actions,
        resources: tuple[str, ...],
        excepts: tuple[str, ...],
        conditions: tuple[str, ...],
        clause: Clause,
    ) -> None:
        self.actions = actions
        self.resources = resources
        self.excepts = excepts
        self.conditions = conditions
        self.clause = clause
        self._granted: Granted | None = None

    @property
    def plain(self) -> bool:
        """Whether it holds without conditions and exceptions."""
        return not self.conditions and not self.excepts

    @property
    def granted(self) -> Granted:
        """The fact about it."""
        if self._granted is None:
            self._granted = Granted(
                writes=self.actions.writes,
                reads=self.actions.reads,
                services=self.actions.services,
                resources=self.resources,
                except_resources=self.excepts,
                conditions=self.conditions,
                by=self.clause.by,
            )
        return self._granted


class Denies:
    """The denies that bear on an identity: `gone` are the actions denied always and everywhere, `partial` the other denies."""

    __slots__ = ("gone", "partial", "touched")

    def __init__(self, clauses: Iterable[Clause]) -> None:
        self.gone = self.touched = 0
        always: list[Clause] = []
        perhaps: list[Clause] = []
        for clause in clauses:
            if clause.whole and not clause.conditions:
                self.gone |= clause.actions.bits
            else:
                (perhaps if clause.conditions else always).append(clause)
                self.touched |= clause.actions.bits
        # What is gone anyway needs no words; and what they say must not hang on the order of statements.
        self.partial = (*sorted(always, key=lambda one: sorted(one.not_resources)), *perhaps)


def whole_piece(clause: Clause) -> Piece:
    """Return what a statement gives where nothing narrows it. The same object each time."""
    found: Piece | None = clause.piece
    if found is None:
        resources = clause.resources or EVERYWHERE
        excepts = () if clause.resources else clause.not_resources
        found = clause.piece = Piece(clause.actions, resources, excepts, clause.words, clause)
    return found


def pieces(allows: Sequence[Clause], denies: Denies, levels: Sequence[Level], how: Places) -> Iterator[Piece]:
    """Yield what the statements give in effect."""
    for clause in allows:
        bits = clause.actions.bits
        left = bits & ~denies.gone
        narrowing = [level for level in levels if left & ~level.full]
        if not left:
            continue
        start = whole_piece(clause)
        if left == bits and not narrowing and not left & denies.touched:
            yield start
            continue
        parts = [_Part(left, start.resources, start.excepts, start.conditions, ())]
        for level in narrowing:
            parts = [one for part in parts for one in _within(part, level, how)]
        for deny in denies.partial:
            if deny.actions.bits & left:
                parts = [one for part in parts for one in _barred(part, deny, how)]
        for part in parts:
            resources = _left(part, start.resources, how) if part.excepts or part.within else part.resources
            if resources:  # sorted, so that the order of statements changes nothing
                excepts = {no for no in part.excepts if any(how.meets(no, one) for one in resources)}
                conditions = tuple(sorted(set(part.conditions)))
                actions = acts(part.bits, clause.actions.catalogue)
                yield Piece(actions, resources, tuple(sorted(excepts)), conditions, clause)


class _Part(NamedTuple):
    """A part of what a statement gives. `within` are lists of patterns, of each of which one must hold."""

    bits: int
    resources: tuple[str, ...]
    excepts: tuple[str, ...]
    conditions: tuple[str, ...]
    within: tuple[tuple[str, ...], ...]


def _left(part: _Part, start: tuple[str, ...], how: Places) -> tuple[str, ...]:
    """Return the resources that are left of a part, of those that it started with; none if it reaches none."""
    alive = tuple(one for one in start if _reaches(one, part, how))
    if not alive:
        return ()
    # What was narrowed one by one is what people read; whether anything is left does not hang on that order.
    return tuple(one for one in part.resources if not any(how.includes(no, one) for no in part.excepts)) or alive


def _reaches(resource: str, part: _Part, how: Places) -> bool:
    """Return False if all of a resource pattern is excepted, or outside what it must be within. More limits never undo it."""
    live = [
        [one for one in one_of if how.meets(one, resource) and not any(how.includes(no, one) for no in part.excepts)]
        for one_of in ((resource,), *part.within)
    ]
    while all(live):
        kept = [
            [one for one in some if all(any(how.meets(one, at) for at in others) for others in live)] for some in live
        ]
        if kept == live:
            return True
        live = kept
    return False


def _barred(part: _Part, deny: Clause, how: Places) -> Iterator[_Part]:
    """Yield what a deny leaves of a part."""
    hit = part.bits & deny.actions.bits
    if not hit:
        yield part
        return
    if hit != part.bits:
        yield _Part(part.bits & ~hit, *part[1:])
        part = _Part(hit, *part[1:])
    if deny.conditions:
        yield _unless(part, deny, how)
    elif deny.resources:
        yield part._replace(excepts=part.excepts + deny.resources)
    elif deny.not_resources:
        left, plain = _common(part.resources, deny.not_resources, how)
        words = () if plain else ("only on " + " or ".join(sorted(deny.not_resources)),)
        within = (*part.within, deny.not_resources)
        yield part._replace(resources=left, conditions=part.conditions + words, within=within)
    else:
        yield part


def _unless(part: _Part, deny: Clause, how: Places) -> _Part:
    words = "unless " + " and ".join(deny.words)
    if deny.whole:
        pass
    elif deny.resources:
        if not any(how.meets(no, one) for no in deny.resources for one in part.resources):
            return part
        if not all(any(how.includes(no, one) for no in deny.resources) for one in part.resources):
            words += ", on " + " or ".join(deny.resources)
    elif deny.not_resources:
        if all(any(how.includes(yes, one) for yes in deny.not_resources) for one in part.resources):
            return part
        words += ", on anything but " + " or ".join(deny.not_resources)
    else:
        return part
    return part._replace(conditions=(*part.conditions, words))


def _common(left: Sequence[str], right: Sequence[str], how: Places) -> tuple[tuple[str, ...], bool]:
    """Return what two lists of patterns have in common, and whether that is exact; else it is the left one's."""
    found: list[str] = []
    plain = True
    for one in left:
        if any(how.includes(other, one) for other in right):
            found.append(one)
            continue
        met = [other for other in right if how.meets(one, other)]
        inside = [other for other in met if how.includes(one, other)]
        plain = plain and len(inside) == len(met)
        found += inside if len(inside) == len(met) else [one]
    return tuple(dict.fromkeys(found)), plain


def _within(part: _Part, level: Level, how: Places) -> Iterator[_Part]:
    """Yield what a level that must allow it too leaves of a part."""
    if free := part.bits & level.full:
        yield part._replace(bits=free)
    left = part.bits & ~level.full & level.some
    groups: list[tuple[int, tuple[Clause, ...]]] = [(left, ())] if left else []
    for clause in level.allows:
        bits = clause.actions.bits
        if not bits & left:
            continue
        groups = [
            group for had, who in groups for group in ((had & bits, (*who, clause)), (had & ~bits, who)) if group[0]
        ]
    for bits, who in groups:
        narrowed = _allowed_by(part._replace(bits=bits), who, level.told, how)
        if narrowed is not None:
            yield narrowed


def _allowed_by(part: _Part, who: Sequence[Clause], told: str, how: Places) -> _Part | None:
    """Return the part where any of some statements allows it too; None where none does."""
    if all(clause.resources for clause in who):
        part = part._replace(within=(*part.within, tuple(one for clause in who for one in clause.resources)))
    elif len(who) == 1:
        part = part._replace(excepts=part.excepts + who[0].not_resources)
    if any(not clause.conditions and _covers(clause, part, how) for clause in who):
        return part
    found: list[str] = []
    plain = len({clause.conditions for clause in who}) == 1
    for clause in who:
        if clause.resources:
            common, exact = _common(part.resources, clause.resources, how)
            plain = plain and exact
        else:
            others = clause.not_resources
            common = tuple(one for one in part.resources if not any(how.includes(no, one) for no in others))
            plain = plain and len(who) == 1
        found += common
    if not found:
        return None
    if plain:
        words = tuple(f"{told}: {one}" for one in who[0].words)
        return part._replace(resources=tuple(dict.fromkeys(found)), conditions=part.conditions + words)
    choices = sorted({" and ".join((*clause.words, *_where(clause))) for clause in who})
    return part._replace(conditions=(*part.conditions, f"{told}: {' or '.join(choices)}"))


def _covers(clause: Clause, part: _Part, how: Places) -> bool:
    """Return whether a statement's resources cover all that the part reaches."""
    if clause.resources:
        return all(any(how.includes(yes, one) for yes in clause.resources) for one in part.resources)
    beyond = (no for no in clause.not_resources if not any(how.includes(out, no) for out in part.excepts))
    return not any(how.meets(no, one) for no in beyond for one in part.resources)


def _where(clause: Clause) -> tuple[str, ...]:
    if clause.resources:
        return () if clause.whole else ("on " + " or ".join(clause.resources),)
    return ("on anything but " + " or ".join(clause.not_resources),)

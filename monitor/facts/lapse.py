"""From edits of protection to the windows in which it was off or weaker. Pure.

A window opens with an edit that weakens something which is demanded of the branch, and ends when all that it weakened is back:
by an edit that undoes it, by a rule made again, or at the latest when a sample shows the branch as it should be. An edit that
makes protection stricter opens nothing and resets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

import msgspec

from monitor.facts.combining import applies, targeted
from monitor.facts.protection import DemandChange, ProtectionChange, ProtectionRule
from monitor.facts.repository import Repository
from monitor.model import Window

ALL, WEAKER, STRONGER = "*", "weaker", "stronger"
WHOLE = frozenset({ALL, "enforcement", "targets", "bypass"})
"""Aspects of a rule that concern all its demands."""
SWITCH = "repository:classic"
"""The switch for all classic rules of a repository."""


class Lapse(msgspec.Struct, frozen=True, kw_only=True):
    """One window on one branch: [start, end), UTC; `end` None while it is open.

    `start_after` and `end_after` are set where the moment is known only to lie after them. `unclear`: no edit in it is known to
    have weakened anything, but one may have. `assumed`: that the rule applied to the branch could not be told.
    """

    branch: str
    start: datetime
    start_after: datetime | None = None
    end: datetime | None = None
    end_after: datetime | None = None
    aspects: tuple[str, ...]
    unclear: bool = False
    assumed: bool = False
    opened: ProtectionChange
    edits: tuple[ProtectionChange, ...]
    """The edit that opened it first, then all that belong to it."""


class Demanded(msgspec.Struct, frozen=True):
    """What is demanded of a branch.

    `names` are the demands; `enough(demand, value)` tells whether a value still meets one; `met(demand, without)` whether
    the sample meets it when rules of these keys are left out.
    """

    names: frozenset[str]
    enough: Callable[[str, int], bool]
    met: Callable[[str, frozenset[str]], bool]


class _Open(msgspec.Struct):
    first: ProtectionChange
    edits: list[ProtectionChange]
    left: dict[tuple[str, str], bool]
    """By rule and aspect: whether it is only unclear that it was weakened."""
    aspects: set[str]
    lost: set[str]
    """The demands that may no longer have been made."""
    clear: bool = False
    assumed: bool = False
    end: datetime | None = None
    end_after: datetime | None = None
    again: ProtectionChange | None = None
    """The last edit that made a rule anew while this window was open."""


def lapses(
    repository: Repository, branch: str, changes: Iterable[ProtectionChange], demanded: Demanded
) -> tuple[Lapse, ...]:
    """Return the windows in which something that is demanded of the branch was weaker, in the order of their start."""
    mine = sorted((c for c in changes if _concerns(c, repository)), key=lambda c: (c.at, c.id))
    known = {rule.key: rule for rule in repository.rules} if isinstance(repository.rules, tuple) else {}
    found: list[_Open] = []
    for change in mine:
        hit, assumed = _applies(change, branch, repository, known, mine)
        if not hit:
            continue
        weaker: dict[tuple[str, str], bool] = {}
        made = change.action.endswith(("create", "created"))
        if made:
            _made_again(found, change)
        for edit in (_resolved(one, change, branch, repository) for one in change.changes):
            if edit.demand not in WHOLE and edit.demand not in demanded.names:
                continue
            if edit.direction == STRONGER or _still_enough(edit, demanded):
                again = made and edit.demand == ALL
                if not _too_little(edit, demanded) and not (again and not _enough_anew(change, demanded)):
                    _close(found, change, edit.demand)
            elif not made:
                # What a new rule leaves open was open before: to make a rule weakens nothing.
                weaker[(_rule(change), edit.demand)] = edit.direction != WEAKER
        # What is now known to be weaker is a lapse of its own where it was only unclear before.
        already = {key for one in found for key, doubt in one.left.items() if not (doubt and weaker.get(key) is False)}
        fresh = {key: doubt for key, doubt in weaker.items() if key not in already}
        aspects = {aspect for _, aspect in fresh}
        lost = (aspects - WHOLE) | (_demands_of(change, known.values(), mine, demanded) if aspects & WHOLE else set())
        if lost:
            clear = not all(fresh.values())
            found.append(_Open(change, [change], fresh, aspects, lost, clear=clear, assumed=assumed))
    done = [_ended(one, branch, repository, mine, demanded) for one in found]
    return tuple(sorted((one for one in done if one), key=lambda one: (one.start, one.opened.id)))


def _concerns(change: ProtectionChange, repository: Repository) -> bool:
    if change.repository_id:
        return change.repository_id == repository.id
    if change.repository:  # an event may name its repository and not tell the id
        if change.repository.lower() != repository.name.lower():
            return False
    return change.organisation.lower() == repository.organisation.lower()


def _applies(
    change: ProtectionChange,
    branch: str,
    repository: Repository,
    known: Mapping[str, ProtectionRule],
    mine: Iterable[ProtectionChange],
) -> tuple[bool, bool]:
    """Return whether a change is of a rule that applies to the branch, and whether that had to be assumed."""
    if change.rule == SWITCH:
        return True, False
    if any(edit.demand == "targets" for edit in change.changes):
        if change.targets is None:
            return True, False
        # A rule that is moved away from the branch concerns it; one that was never meant for it does not.
        told = [
            c.targets for c in mine if c.rule == change.rule and c.targets and (c.at, c.id) < (change.at, change.id)
        ]
        hit = any(targeted(targets, branch, repository.default_branch) for targets in (*told[-1:], change.targets))
        grew = all(edit.direction == STRONGER for edit in change.changes if edit.demand == "targets")
        return hit or not (told or grew), not hit
    if change.targets is not None:
        asked = ProtectionRule(key=change.rule, kind="", name="", targets=change.targets)
        return applies(asked, branch, repository.default_branch), False
    rule = known.get(change.rule)
    if rule is not None:
        return applies(rule, branch, repository.default_branch), False
    return True, True


def _demands_of(
    change: ProtectionChange, rules: Iterable[ProtectionRule], mine: Iterable[ProtectionChange], demanded: Demanded
) -> set[str]:
    """Return the demands that go with a whole rule: those that it makes or that some edit of it names; all if it is gone."""
    its = [rule for rule in rules if _touches(change, rule)]
    named = {edit.demand for c in mine if any(_touches(c, rule) for rule in its) for edit in c.changes}
    if not its or ALL in named:
        return set(demanded.names)
    return {name for name in demanded.names if name in named or any(getattr(rule.demands, name) for rule in its)}


def _resolved(edit: DemandChange, change: ProtectionChange, branch: str, repository: Repository) -> DemandChange:
    """Return an edit of a rule's targets as what it means for this branch: whether the rule still applies to it."""
    if edit.demand != "targets" or change.targets is None:
        return edit
    asked = ProtectionRule(key=change.rule, kind="", name="", targets=change.targets)
    direction = STRONGER if applies(asked, branch, repository.default_branch) else WEAKER
    return msgspec.structs.replace(edit, direction=direction)


def _still_enough(edit: DemandChange, demanded: Demanded) -> bool:
    return edit.demand not in WHOLE and edit.value is not None and demanded.enough(edit.demand, edit.value)


def _too_little(edit: DemandChange, demanded: Demanded) -> bool:
    """Return whether a value is known not to be enough: raised from none to one, it ends no lapse of two."""
    return edit.demand not in WHOLE and edit.value is not None and not demanded.enough(edit.demand, edit.value)


def _rule(change: ProtectionChange) -> str:
    """Return what tells a rule from another; a classic rule that is made again has the name of the old one, not its key."""
    kind = change.rule.partition(":")[0]
    return f"classic:{change.rule_name}" if kind == "classic" and change.rule_name else change.rule


def _close(found: list[_Open], change: ProtectionChange, aspect: str) -> None:
    for one in found:
        closed = [key for key in one.left if _undoes(change, aspect, *key)]
        for key in closed:
            del one.left[key]
        if closed:
            one.edits.append(change)
            if not one.left and one.end is None:
                one.end, one.end_after = change.at, change.not_before


def _enough_anew(change: ProtectionChange, demanded: Demanded) -> bool:
    """Return whether a rule that was made demands all that is expected, as far as the log tells; else a sample must."""
    told = {edit.demand: edit.value for edit in change.changes if edit.value is not None}
    return all(name in told and demanded.enough(name, told[name]) for name in demanded.names)


def _made_again(found: list[_Open], change: ProtectionChange) -> None:
    """Note of each open window that lost a whole rule that there is a rule again; whether it is enough, a sample tells."""
    for one in found:
        if any(aspect == ALL for _, aspect in one.left):
            one.edits.append(change)
            one.again = change


def _undoes(change: ProtectionChange, aspect: str, rule: str, lost: str) -> bool:
    """Return whether a stricter edit brings back what was lost. A rule made anew brings back all that another's end took."""
    if _rule(change) == rule:
        return aspect in (lost, ALL) or (aspect == "enforcement" and lost == ALL)
    return aspect == ALL and lost == ALL and SWITCH not in (change.rule, rule)


def _ended(
    one: _Open, branch: str, repository: Repository, mine: list[ProtectionChange], demanded: Demanded
) -> Lapse | None:
    """Return the window; None where other rules, which nobody touched in it, made the same demands all the time."""
    end, end_after = one.end, one.end_after
    lost = one.lost
    last = max(change.at for change in one.edits)
    nobody: frozenset[str] = frozenset()
    if end is None and repository.at > last and all(demanded.met(name, nobody) for name in lost):
        end, end_after = (one.again.at, one.again.not_before) if one.again else (repository.at, last)
        # A rule that was made anew too weak was mended by a later edit, at the latest by the last.
        mends = [c.at for c in mine if end < c.at <= repository.at and one.again and _may_make(c, lost, demanded)]
        end, end_after = (mends[-1], end) if mends else (end, end_after)
    # What was made, or made stricter, after the window says nothing of the time in it.
    within = [c for c in mine if c.at >= one.first.at and (end is None or c.at <= end or _may_make(c, lost, demanded))]
    rules = repository.rules if isinstance(repository.rules, tuple) else ()
    touched = frozenset(rule.key for rule in rules if any(_touches(c, rule) for c in within))
    if all(demanded.met(name, touched) for name in lost):
        return None
    return Lapse(
        branch=branch,
        start=one.first.at,
        start_after=one.first.not_before,
        end=end,
        end_after=end_after,
        aspects=tuple(sorted(one.aspects)),
        unclear=not one.clear,
        assumed=one.assumed,
        opened=one.first,
        edits=tuple(_once(one.edits)),
    )


def _may_make(change: ProtectionChange, lost: set[str], demanded: Demanded) -> bool:
    """Return whether a rule may make one of these demands only since this edit."""

    def held_before(edit: DemandChange) -> bool:
        told = edit.before or ""
        return told.isascii() and told.isdigit() and len(told) < 10 and demanded.enough(edit.demand, int(told))

    return any(
        edit.direction != WEAKER and edit.demand in WHOLE | lost and not held_before(edit) for edit in change.changes
    )


def _touches(change: ProtectionChange, rule: ProtectionRule) -> bool:
    """Return whether an edit may be of this rule: logs name a classic rule by its pattern, not by its id."""
    if change.rule == rule.key:
        return True
    if rule.kind != "classic" or not change.rule.startswith(("classic:", SWITCH)):
        return False
    return change.rule == SWITCH or not change.rule_name or change.rule_name == rule.name


def _once(edits: Iterable[ProtectionChange]) -> list[ProtectionChange]:
    found: dict[str, ProtectionChange] = {}
    for edit in edits:
        found.setdefault(edit.id, edit)
    return list(found.values())


def tiled(windows: list[Window], whole: Window) -> bool:
    """Return whether the windows cover the whole one without a hole."""
    reached = whole.start
    for window in sorted(windows, key=lambda w: (w.start, w.end)):
        if window.start <= reached:
            reached = max(reached, window.end)
    return reached >= whole.end

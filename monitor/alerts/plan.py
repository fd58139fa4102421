"""What a recorded sweep gives to tell, and to whom. Pure and total: the same sweep gives the same messages, always.

| the sweep's step | is told |
|---|---|
| opened, reopened, no longer waived | to the targets of its routes; a burst as a digest, critical ones singly; threads go on |
| more urgent than before | to the targets of its routes, and to where it was told |
| another reason, or less urgent | where it was told, once a day |
| resolved | where it was told; where a digest told it, as one digest |
| waived | once, where it was told, or else to the targets of its routes; and nothing more while the waiver holds |

A message's id is made of its sink, target and what it tells, so that planning twice tells once.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import msgspec

from monitor.alerts import telling
from monitor.alerts.change import Earlier, Gap, Move, Previous, Standing, SweepChange, Unseen, WaiverEnd
from monitor.alerts.notes import FindingView, Message, Note, Target, message, message_id
from monitor.alerts.rules import AlertRules, Quiet, Route
from monitor.alerts.words import URGENCY, NoteKind, Step
from monitor.model import Severity

__all__ = [
    "AlertRules",
    "Earlier",
    "FindingView",
    "Gap",
    "Message",
    "Move",
    "Note",
    "NoteKind",
    "Previous",
    "Quiet",
    "Route",
    "Standing",
    "Step",
    "SweepChange",
    "Target",
    "Unseen",
    "WaiverEnd",
    "message",
    "message_id",
    "messages_of",
    "plan",
]

_NEWS = {NoteKind.OPENED, NoteKind.REOPENED, NoteKind.WAIVER_EXPIRED}


def plan(change: SweepChange, rules: AlertRules) -> tuple[Message, ...]:
    """Return the messages of a recorded sweep, each id once, in the order in which they are to be told."""
    if change.recorded_at - change.at > rules.stale:
        return ()
    found = [*_news(change, rules), *_follow_ups(change, rules), *_operations(change, rules)]
    return tuple({one.id: one for one in found}.values())


def messages_of(note: Note, rules: AlertRules) -> tuple[Message, ...]:
    """Return the messages of a note about the monitor itself (a slot that is overdue, a target that is gone)."""
    return tuple(_message(note, to, rules) for to in dict.fromkeys(rules.operators()))


def kind_of(move: Move) -> NoteKind | None:
    """Return what is to be told of a move, or None where that is nothing."""
    finding, before = move.finding, move.before
    if move.step is Step.RESOLVED:
        return NoteKind.RESOLVED
    if finding.waiver:
        return NoteKind.WAIVED if before is None or before.waiver != finding.waiver else None
    if move.step is Step.OPENED:
        return NoteKind.OPENED
    if before is not None and before.waiver:
        return NoteKind.WAIVER_EXPIRED
    if move.step is Step.REOPENED:
        return NoteKind.REOPENED
    if before is None:
        return None
    changed = before.severity is not finding.severity or before.reason != finding.reason
    return NoteKind.KEPT if changed else None


def _sorted(change: SweepChange) -> list[Move]:
    return sorted(change.moves, key=lambda m: (URGENCY[m.finding.severity], m.finding.id))


def _news(change: SweepChange, rules: AlertRules) -> Iterator[Message]:
    """Yield what is new, target by target: singly, or as a digest with the critical ones after it."""
    fresh: dict[Target, list[Move]] = {}
    allowed: dict[Target, int] = {}
    for move in _sorted(change):
        if kind_of(move) in _NEWS:
            routes = rules.targets(move.finding)
            # A thread whose last word is "resolved" must not go on saying so, wherever the routes lead now.
            yield from (
                _message(_again(move, change), to, rules, follows=True) for to in sorted({*move.told} - {*routes})
            )
            for to, burst in routes.items():
                fresh.setdefault(to, []).append(move)
                # Several routes may lead to a target: the most patient of them counts, and 0 is without end.
                allowed[to] = 0 if 0 in (burst, allowed.get(to, burst)) else max(burst, allowed.get(to, burst))
    for to, moves in sorted(fresh.items()):
        singly = moves
        if allowed[to] and len(moves) > allowed[to]:
            singly = [m for m in moves if m.finding.severity is Severity.CRITICAL][: rules.heads]
            named = {m.finding.id for m in singly}
            rest = [m for m in moves if m.finding.id not in named]
            if rest:
                key = f"digest:{change.sweep}:opened"
                note = telling.digest(key, "opened at once", rest, change.at, rules.listed, singly=len(singly))
                yield _message(note, to, rules)
            # The threads of those that came back are told quietly, for the digest is loud.
            yield from (_message(_again(m, change), to, rules, follows=True) for m in rest if to in m.told)
        for move in singly:
            kind = kind_of(move)
            if kind is not None:
                yield _message(_note(kind, move, change), to, rules)


def _follow_ups(change: SweepChange, rules: AlertRules) -> Iterator[Message]:
    """Yield what became of findings that were told before."""
    unheard: dict[Target, list[Move]] = {}
    for move in _sorted(change):
        kind = kind_of(move)
        if kind is None or kind in _NEWS:
            continue
        note = _note(kind, move, change)
        told = sorted(set(move.told))
        routes = sorted(rules.targets(move.finding))
        if kind is NoteKind.KEPT and _rises(move):
            yield from (_message(note, to, rules) for to in sorted({*told, *routes}))
        elif kind is NoteKind.WAIVED and move.step is Step.REOPENED and told:
            yield from (_message(_again(move, change), to, rules, follows=True) for to in told)
        elif kind is NoteKind.WAIVED:
            yield from (_message(note, to, rules) for to in told or routes)
        else:
            yield from (_message(note, to, rules, follows=True) for to in told)
        if kind is NoteKind.RESOLVED and not (move.before and move.before.waiver):
            for to in set(routes) - set(told):
                unheard.setdefault(to, []).append(move)
    for to, moves in sorted(unheard.items()):
        key = f"digest:{change.sweep}:resolved"
        yield _message(telling.digest(key, "resolved", moves, change.at, rules.listed), to, rules)


def _operations(change: SweepChange, rules: AlertRules) -> Iterator[Message]:
    """Yield what concerns no finding: waivers that end, and the summary."""
    for waiver in sorted(change.waivers, key=lambda w: (w.until, w.id)):
        left = waiver.until - change.at
        near = [days for days in rules.warnings if timedelta() < left <= timedelta(days=days)]
        if near:
            key = f"waiver-expiring:{waiver.id}:{waiver.until.isoformat()}:{min(near)}"
            yield from messages_of(telling.waiver_note(key, waiver, change.at), rules)
    if change.summary is not None:
        key = f"nightly-summary:{change.summary.isoformat()}"
        warned = timedelta(days=max(rules.warnings, default=0))
        note = telling.summary(key, change, rules.listed, warned)
        yield from (_message(note, to, rules) for to in dict.fromkeys(rules.readers()))


def _note(kind: NoteKind, move: Move, change: SweepChange) -> Note:
    identity = move.finding.id
    key = f"{kind.value}:{change.sweep}:{identity}"
    if kind is NoteKind.KEPT:
        day = change.at.date().isoformat()
        key = f"raised:{identity}:{day}:{move.finding.severity.value}" if _rises(move) else f"kept:{identity}:{day}"
    return telling.finding_note(kind, key, move, change.at)


def _again(move: Move, change: SweepChange) -> Note:
    note = _note(kind_of(move) or NoteKind.KEPT, move, change)
    return msgspec.structs.replace(note, kind=NoteKind.KEPT, key=f"again:{change.sweep}:{move.finding.id}")


def _rises(move: Move) -> bool:
    return move.before is not None and URGENCY[move.finding.severity] < URGENCY[move.before.severity]


def _message(note: Note, to: Target, rules: AlertRules, *, follows: bool = False) -> Message:
    return message(note, to, rules.due(note.at, note.severity), follows=follows)

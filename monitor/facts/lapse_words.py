"""Words for what happened to protection: how long, by whom, and what moved a branch. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from monitor.facts.lapse import Lapse
from monitor.facts.protection import BranchUpdate, DemandChange, ForgeActor


def described(one: Lapse) -> tuple[str, str, str]:
    """Return what a lapse was, when and how long, and how it came about."""
    if one.end is None:
        span = f"since {one.start:%Y-%m-%d %H:%M} UTC, and still so"
    else:
        about = "at most " if one.start_after or one.end_after else ""
        day = "" if one.end.date() == one.start.date() else f"{one.end:%Y-%m-%d} "
        lasted = length(one.start_after or one.start, one.end)
        span = f"for {about}{lasted}, from {one.start:%Y-%m-%d %H:%M} to {day}{one.end:%H:%M} UTC"
    what = "may have been weaker" if one.unclear else "was weaker" if "*" not in one.aspects else "was off"
    how = ", then ".join(dict.fromkeys(f"{edit.action} by {who(edit.actor)}" for edit in one.edits[:3]))
    return what, span, how


def told(update: BranchUpdate) -> str:
    """Return a move of a branch in few words."""
    numbers = update.change_requests if isinstance(update.change_requests, tuple) else ()
    return f"{update.kind} {update.after[:7]} by {update.actor.name}" + "".join(f" (#{n})" for n in numbers[:3])


def edit_told(change: DemandChange) -> str:
    """Return what became of a demand: weaker, stronger or unclear, and from what to what where the log tells."""
    what = "the whole rule" if change.demand == "*" else change.demand
    if change.before is None and change.after is None:
        return f"{what} {change.direction}"
    return f"{what} {change.direction}: {change.before or 'not told'} → {change.after or 'not told'}"


def length(start: datetime, end: datetime) -> str:
    """Return how long a window lasted, in minutes, hours or days."""
    minutes = max(1, round((end - start).total_seconds() / 60))
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes / 60:.1f} h" if minutes < 2880 else f"{minutes / 1440:.1f} days"


def who(actor: ForgeActor) -> str:
    """Return who acted, what kind of actor that is, and with what."""
    article = "an" if actor.kind[:1] in "aeiou" else "a"
    kind = "" if actor.kind in ("person", "unknown") else f" ({article} {actor.kind})"
    return (actor.name or "somebody") + kind + (f" with {actor.via}" if actor.via else "")


def update_row(update: BranchUpdate) -> dict[str, Any]:
    """Return a move of a branch as plain data."""
    numbers = update.change_requests
    return {
        "at": update.at.isoformat(),
        "kind": update.kind,
        "before": update.before,
        "after": update.after,
        "actor": update.actor.name,
        "change_requests": list(numbers) if isinstance(numbers, tuple) else numbers.reason,
    }

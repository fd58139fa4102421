"""How long-lived credentials are told in a result: on one line for its reason, and as entries of what was observed. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from monitor.facts.identity import Credential
from monitor.facts.stored_secret import DeployKey, StoredSecret
from monitor.model import Unknown

LONGEST = 200
"""Characters of a name that a reason shows."""


def plain(text: str) -> str:
    """Return a name from outside on one line, cut short, with a mark for what cannot be shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:LONGEST]) + ("…" if len(text) > LONGEST else "")


def days(at: datetime | Unknown | None, now: datetime) -> int | None:
    """Return how many whole days ago a moment (UTC) was; None where it is not known, 0 for the future."""
    return max(0, (now - at) // timedelta(days=1)) if isinstance(at, datetime) else None


def aged(age: int | None) -> str:
    """Return an age in words."""
    return "of unknown age" if age is None else f"{age} days old"


def changed(one: StoredSecret) -> datetime | None:
    """Return when (UTC) a secret got the value that it has."""
    return one.updated_at or one.created_at


def credential(one: Credential) -> str:
    """Return what a credential is called."""
    return f"{plain(one.kind)} {plain(one.id)}".strip()


def idle(used_at: datetime | Unknown | None, now: datetime, most: int) -> str:
    """Return that a credential was not used for more than `most` days, as a part of a sentence; empty if it was, or may be."""
    if used_at is None:
        return ", never used as far as is known"
    used = days(used_at, now)
    return f", not used for {used} days" if used is not None and used > most else ""


def place(one: StoredSecret) -> str:
    """Return where a secret is kept."""
    return f"environment {plain(one.environment)}" if one.environment else plain(one.level)


def credential_shown(one: Credential, now: datetime) -> dict[str, Any]:
    """Return a credential as an entry of what was observed."""
    active = one.active if isinstance(one.active, bool) else "unknown"
    return {"kind": one.kind, "id": one.id, "active": active} | _ages(one.created_at, one.used_at, now)


def secret_shown(one: StoredSecret, now: datetime) -> dict[str, Any]:
    """Return a secret as an entry of what was observed: its name and age, as its value is never read."""
    shown = {"name": one.name, "level": one.level} | ({"environment": one.environment} if one.environment else {})
    return shown | {"days_old": days(changed(one), now)}


def key_shown(one: DeployKey, now: datetime) -> dict[str, Any]:
    """Return a deploy key as an entry of what was observed."""
    shown = {"id": one.id, "title": one.title, "read_only": one.read_only, "added_by": one.added_by}
    return shown | _ages(one.created_at, one.used_at, now)


def _ages(created: datetime | Unknown | None, used: datetime | Unknown | None, now: datetime) -> dict[str, Any]:
    return {"days_old": days(created, now), "days_since_use": days(used, now)}

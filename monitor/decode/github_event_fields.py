"""Fields that GitHub's events share: time, actor, branch, enforcement, read from values that may be anything. Pure.

Whatever is read here can be stored: text is valid Unicode, a number fits 64 bits, a moment is UTC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from monitor.decode.github_wire import loaded
from monitor.errors import Malformed
from monitor.facts.protection import ForgeActor

READ_ANEW = "read it again, and report it if it stays: GitHub answered in a form that the monitor does not know"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# GitHub went public in 2008; what is earlier is no time of an event, such as seconds that were taken for milliseconds.
_EARLIEST = datetime(2008, 1, 1, tzinfo=UTC)
_WIDEST = 2**63 - 1
_ENFORCED = {"active": True, "enabled": True, "disabled": False, "evaluate": False}
_LEVELS = {"off": 0, "non_admins": 1, "everyone": 2, "0": 0, "1": 1, "2": 2}


def malformed(what: str) -> Malformed:
    """Return the error that tells what of GitHub's answer cannot be read."""
    return Malformed(what, source="github", todo=READ_ANEW)


def entries(body: bytes, what: str) -> list[dict[str, Any]]:
    """Return the JSON objects of a page that must be an array of these; raises Malformed."""
    page = loaded(body, what)
    if not isinstance(page, list) or not all(isinstance(entry, dict) for entry in page):
        raise malformed(f"{what} is no list of objects")
    return page


def words(value: Any) -> str:
    """Return the value if it is text, else nothing. Half of a surrogate pair is replaced: it could not be stored."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def number(value: Any) -> int:
    """Return a count or an id, from a number or from digits; 0 if it is neither, or negative, or beyond 64 bits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        value = int(value)
    known = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _WIDEST
    return value if known else 0


def flag(value: Any) -> bool | None:
    """Return a switch, from true and false or from their names; None if it is neither."""
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value)
    return value if isinstance(value, bool) else None


def level(value: Any) -> int | None:
    """Return an enforcement level of a classic rule: 0 off, 1 all but administrators, 2 everyone; None if it is none."""
    if isinstance(value, bool):
        return None
    return _LEVELS.get(str(value)) if isinstance(value, int | str) else None


def enforced(value: Any) -> bool | None:
    """Return whether a ruleset of this enforcement is enforced; the audit log says enabled where REST says active.

    https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset
    """
    return _ENFORCED.get(value) if isinstance(value, str) else None


def moment_of(value: Any, what: str) -> datetime:
    """Return a time (UTC) from epoch milliseconds or ISO 8601 text with an offset; raises Malformed."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    try:
        if isinstance(value, str) and not value.isdigit():
            told = datetime.fromisoformat(value)
            found = None if told.tzinfo is None else told.astimezone(UTC)
        else:
            found = _EPOCH + timedelta(milliseconds=number(value))
    except (ValueError, OverflowError):
        found = None
    if found is None or found < _EARLIEST:
        raise malformed(f"{what} tells no time")
    return found


def branch_of(ref: Any) -> str | None:
    """Return the branch's name without `refs/heads/`; None for a tag or another ref; raises Malformed if it is no ref."""
    name = words(ref)
    if name.startswith("refs/heads/"):
        name = name.removeprefix("refs/heads/")
    elif name.startswith("refs/"):
        return None
    if not name:
        raise malformed("an event names no branch")
    return name


def account(value: Any) -> ForgeActor:
    """Return who acted, from an account object (login, id, type) of REST and of webhooks.

    https://docs.github.com/en/rest/users/users#get-a-user
    """
    if not isinstance(value, Mapping):
        return ForgeActor()
    name, kind = words(value.get("login")), value.get("type")
    if kind == "Bot" or name.endswith("[bot]"):
        told = "bot"
    elif kind == "DeployKey":
        told = "deploy-key"
    else:
        told = "person" if kind == "User" else "unknown"
    return ForgeActor(name=name, kind=told, id=number(value.get("id")))


def event_actor(event: Mapping[str, Any]) -> ForgeActor:
    """Return who acted, from an event of the audit log; nothing that it says of itself is believed to be of its type.

    https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization
    """
    name, access = words(event.get("actor")), words(event.get("programmatic_access_type"))
    marks = [flag(event[mark]) for mark in ("actor_is_bot", "actor_is_agent") if event.get(mark) is not None]
    if "deploy key" in access.lower():
        kind = "deploy-key"
    elif "server-to-server" in access.lower():
        kind = "app"
    elif name.endswith("[bot]") or True in marks:
        kind = "bot"
    else:
        kind = "person" if name and None not in marks else "unknown"
    token = number(event.get("token_id"))
    told = (words(event.get("user_programmatic_access_name")) or access, f"token {token}" if token else "")
    return ForgeActor(name=name, kind=kind, id=number(event.get("actor_id")), via=", ".join(filter(None, told)))


def objects(value: Any, alone: str = "") -> list[Mapping[str, Any]] | None:
    """Return a list of objects that may come as one object, or as the JSON text of it; None if it cannot be read.

    An entry that is text stands for an object of which only the field `alone` is told.
    """
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError, UnicodeError):
            return None
    listed = [value] if isinstance(value, Mapping) else value
    if not isinstance(listed, list):
        return None
    found = [{alone: entry} if alone and isinstance(entry, str) else entry for entry in listed]
    return found if all(isinstance(entry, Mapping) for entry in found) else None


def names(value: Any) -> tuple[str, ...] | None:
    """Return a list of texts, each once, in order; None if it is none."""
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return None
    return tuple(dict.fromkeys(map(words, value))) if all(isinstance(one, str) for one in value) else None


def first(event: Mapping[str, Any], *keys: str) -> Any:
    """Return the first of these fields that the event has and that is not null; None if it has none."""
    return next(_present(event, keys), None)


def _present(event: Mapping[str, Any], keys: Sequence[str]) -> Iterator[Any]:
    return (event[key] for key in keys if event.get(key) is not None)

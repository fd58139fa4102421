"""JSON of any shape, looked at safely: what is not of the type that is asked for is told, never guessed. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.errors import Malformed
from monitor.model import Unknown

REFS = "refs/heads/"
_WIDEST = 2**63 - 1
"""The largest number that can be stored."""


def loaded(body: bytes, what: str) -> Any:
    """Return the JSON in the bytes. Raises Malformed, naming what it should have been."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise Malformed(f"{what} is no JSON: {str(wrong)[:200]}", source="github") from None


def mapping(value: Any, what: str) -> dict[str, Any]:
    """Return the value if it is an object. Raises Malformed."""
    if isinstance(value, dict):
        return value
    raise Malformed(f"{what} is not an object", source="github")


def listing(value: Any, what: str) -> list[Any]:
    """Return the value if it is a list. Raises Malformed."""
    if isinstance(value, list):
        return value
    raise Malformed(f"{what} is not a list", source="github")


def dig(value: Any, *path: str) -> Any:
    """Return what lies at the path of keys; None where there is nothing."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: Any) -> str:
    """Return the value if it is a text, else an empty one."""
    return value if isinstance(value, str) else ""


def number(value: Any) -> int:
    """Return the value if it is a whole number that is not negative, else 0."""
    return integer(value) or 0


def integer(value: Any) -> int | None:
    """Return the value if it is a whole number from 0 to what 64 bits hold, else None."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _WIDEST else None


def switch(value: Any, name: str) -> bool | Unknown:
    """Return a switch: absent and null are off, what is no switch is Unknown."""
    if value is None or isinstance(value, bool):
        return bool(value)
    return Unknown(f"{name} is neither true nor false in the forge's answer")


def count(value: Any, name: str) -> int | Unknown:
    """Return a number: absent and null are 0, what is no number is Unknown."""
    if value is None:
        return 0
    known = integer(value)
    return Unknown(f"{name} is no number in the forge's answer") if known is None else known


def moment(value: Any) -> datetime | None:
    """Return a time in UTC; None where there is none that can be read."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is None:
            return None
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):  # the first or last day of all, in another zone, has no UTC
        return None


def objects(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the objects of a list; nothing of what is no list."""
    if isinstance(value, list):
        yield from (one for one in value if isinstance(one, dict))


def branch_of(ref: Any) -> str:
    """Return the branch that a ref names; empty for a tag and for anything else."""
    found = text(ref)
    return found.removeprefix(REFS) if found.startswith(REFS) else "" if found.startswith("refs/") else found

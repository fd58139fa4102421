"""Which checks are blind without a permission: from what each check says that it needs, and from access/README.md."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property

from monitor.model import Check

_TICKED = re.compile(r"`([^`]+)`")
_AWS = re.compile(r"\b(?:s3|sts|iam|kms|cloudtrail|organizations):[A-Z]")
_GITHUB = re.compile(r"\b[a-z_]+:(?:read|write)\b")
_GOOGLE = re.compile(r"\b(?:iam|resourcemanager|logging)\.[a-zA-Z]+\.[a-zA-Z]+")
_PROVIDERS = {"AWS": _AWS, "GitHub": _GITHUB, "Google": _GOOGLE}


class Blindness:
    """Answers from the checks and from the guide's tables (`| not granted | blind |`)."""

    def __init__(self, checks: Sequence[Check], guide: str) -> None:
        self._checks = checks
        self._guide = guide

    def without(self, permission: str, provider: str = "") -> tuple[str, ...]:
        """Return the ids of the checks that are blind without it, sorted.

        `provider` (AWS, GitHub, Google Cloud) says whose it is, for what no text names: then all that need that provider.
        """
        found = {one.id for one in self._checks if any(_names(need, permission) for need in one.needs)}
        found |= self._table.get(permission, set())
        if permission == "sts:AssumeRole":
            # Without the role in an account, nothing is seen of what is read in each account.
            found |= {one.id for one in self._checks if any("in each account" in need for need in one.needs)}
        return tuple(sorted(found)) if found else self.of(provider)

    def of(self, provider: str) -> tuple[str, ...]:
        """Return the ids of the checks that need anything of a provider, sorted."""
        pattern = _PROVIDERS.get(provider.partition(" ")[0])
        if pattern is None:
            return ()
        return tuple(sorted(one.id for one in self._checks if any(pattern.search(need) for need in one.needs)))

    @cached_property
    def _table(self) -> dict[str, set[str]]:
        """The guide's rows: permission to the ids of checks that the row names."""
        ids = {one.id for one in self._checks}
        found: dict[str, set[str]] = {}
        for line in self._guide.splitlines():
            cells = line.strip().strip("|").split("|") if line.startswith("|") else []
            if len(cells) == 2:
                named = ids & set(_TICKED.findall(cells[1]))
                for permission in _TICKED.findall(cells[0]):
                    found.setdefault(permission, set()).update(named)
        return found


def _names(need: str, permission: str) -> bool:
    """Return whether a need names a permission: whole, or as `service:One, Two and Three` names Two."""
    if re.search(rf"(?<![\w.:]){re.escape(permission)}(?![\w:]|\.\w)", need):
        return True
    service, _, action = permission.partition(":")
    if not action[:1].isupper() or f"{service}:" not in need:
        return False
    return re.search(rf"(?<![\w:]){re.escape(action)}(?!\w)", need) is not None

"""Whether declared allowances cover what an identity can do: actions and resources, pattern against pattern. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from monitor.facts.access import Granted, Power

_ACCOUNTS, _PROJECTS = "//iam.googleapis.com/projects/", "//cloudresourcemanager.googleapis.com/projects/"
"""What is bound to a project holds for both: https://cloud.google.com/iam/docs/full-resource-names"""


class Allowed:
    """Allowances: each a set of action patterns, of resource patterns, and the reason that is given for them."""

    def __init__(self, entries: Iterable[tuple[tuple[str, ...], tuple[str, ...], str]]) -> None:
        self._entries = tuple(entries)

    def covers(self, actions: Iterable[str], resources: Iterable[str]) -> str:
        """Return why all these actions are allowed on all these resources: the reasons given; empty if one is not."""
        places = tuple(resources) or ("*",)
        reasons: list[str] = []
        found = False
        for action in actions:
            mine = [entry for entry in self._entries if any(includes(one, action, cased=False) for one in entry[0])]
            for place in places:
                fits = [entry for entry in mine if any(_holds(one, place) for one in entry[1])]
                if not fits:
                    return ""
                found = True
                reasons += [entry[2] for entry in fits]
        return "; ".join(dict.fromkeys(reasons)) if found else ""

    def combined(self, actions: Iterable[str], resources: Iterable[str], given: Mapping[str, tuple[str, ...]]) -> str:
        """Return why these actions together are allowed: the reasons given; empty if one is not.

        `given` tells where the identity may do each of them, so that a role that is passed and a function that is made with
        it are compared with what is declared of each. Where they hold together must be allowed for one of them at least.
        """
        names, places = tuple(actions), tuple(resources) or ("*",)
        if not all(any(self.covers((name,), (place,)) for name in names) for place in places):
            return ""
        found = [self.covers((name,), given.get(name, places)) for name in names]
        return "; ".join(dict.fromkeys(found)) if found and all(found) else ""

    def missing(self, actions: tuple[str, ...], resources: tuple[str, ...]) -> tuple[str, ...]:
        """Return the actions that are not allowed on all these resources."""
        return tuple(action for action in actions if not self.covers((action,), resources))


def _holds(outer: str, place: str) -> bool:
    """Return whether all of a place is in a pattern. Of Google Cloud, what holds for a project holds for its accounts too."""
    if includes(outer, place):
        return True
    project = place.removeprefix(_ACCOUNTS)
    return project != place and "/" not in project and includes(outer, _PROJECTS + project)


def places_of(powers: Iterable[Power], granted: Iterable[Granted]) -> dict[str, tuple[str, ...]]:
    """Return where each action that a power names may be done."""
    named = {action for power in powers for action in power.actions}
    found: dict[str, dict[str, None]] = {}
    for one in granted:
        for action in named.intersection(one.writes):
            found.setdefault(action, {}).update(dict.fromkeys(one.resources))
    return {action: tuple(places) for action, places in found.items()}


@lru_cache(maxsize=65536)
def includes(outer: str, inner: str, *, cased: bool = True) -> bool:
    """Return whether everything that the inner pattern stands for is also what the outer one stands for.

    In both, `*` is any run of characters and `?` any one. May say no where the answer is yes; never the other way round:
    a wildcard of the inner pattern is covered by a `*` of the outer one, or by the same wildcard.
    """
    if not cased:
        outer, inner = outer.lower(), inner.lower()
    return outer == inner or _compiled(outer).fullmatch(inner) is not None


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    # `?` of the outer pattern must not swallow a `*` of the inner one, which stands for more than one character.
    pieces = [
        "".join("[^*]" if c == "?" else re.escape(c) for c in piece)
        for piece in re.sub(r"\*+", "*", pattern).split("*")
    ]
    first, *rest = pieces
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)

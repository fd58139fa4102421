"""Whether declared allowances cover what an identity can do: actions and resources, pattern against pattern. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


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
                fits = [entry for entry in mine if any(includes(one, place) for one in entry[1])]
                if not fits:
                    return ""
                found = True
                reasons += [entry[2] for entry in fits]
        return "; ".join(dict.fromkeys(reasons)) if found else ""

    def missing(self, actions: tuple[str, ...], resources: tuple[str, ...]) -> tuple[str, ...]:
        """Return the actions that are not allowed on all these resources."""
        return tuple(action for action in actions if not self.covers((action,), resources))


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

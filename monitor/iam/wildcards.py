"""Patterns of policies: `*` stands for any run of characters and `?` for one, across `/` and `:` too. Pure; never raises.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
Time is at most the product of the two lengths, whatever is written: every run but the last takes the first fit and never
gives it back, which loses no match as runs cross everything.
"""

from __future__ import annotations

import re
from functools import lru_cache

_WILD = frozenset("*?")
_MOST = 400_000
"""Steps that a comparison of two patterns may take; beyond it, they are taken to have something in common."""


def wild(pattern: str) -> bool:
    """Return whether anything in the pattern stands for more than itself."""
    return not _WILD.isdisjoint(pattern)


@lru_cache(maxsize=16_384)
def compiled(pattern: str, one: str = ".") -> re.Pattern[str]:
    """Return the regular expression that fully matches what the pattern stands for; `one` is what `?` becomes."""
    first, *rest = ("".join(one if c == "?" else re.escape(c) for c in piece) for piece in pattern.split("*"))
    if not rest:
        return re.compile(first, re.DOTALL)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)


def fits(pattern: str, text: str) -> bool:
    """Return whether the pattern stands for the whole text, taken literally."""
    if "?" not in pattern:
        start, star, rest = pattern.partition("*")
        if not star:
            return pattern == text
        if not rest:
            return text.startswith(start)
    return compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=65_536)
def includes(outer: str, inner: str) -> bool:
    """Return whether one pattern stands for all that another does; False where that is not plain."""
    if "?" not in outer:
        start, star, rest = outer.partition("*")
        if not star:
            return outer == inner
        if not rest:
            return inner.startswith(start)
    # Read as a text, a run of the inner one is met by a run alone, and its `?` by `?` or a run.
    return compiled(outer, "[^*]").fullmatch(inner) is not None


@lru_cache(maxsize=65_536)
def meets(left: str, right: str) -> bool:
    """Return whether some text is matched by both patterns; True where telling would take too long."""
    head = min(_plain(left), _plain(right))
    if left[:head] != right[:head]:
        return False
    tail = min(_plain(left[::-1]), _plain(right[::-1]))
    if tail and left[-tail:] != right[-tail:]:
        return False
    if not wild(left) or not wild(right):
        return includes(left, right) or includes(right, left)
    if len(left) * len(right) > _MOST:
        return True
    # reach[j]: the pieces of `left` so far and the first j of `right` stand for a common text.
    reach = [True]
    for letter in right:
        reach.append(reach[-1] and letter == "*")
    for mine in left:
        row = [reach[0] and mine == "*"]
        for j, theirs in enumerate(right):
            if mine == "*" or theirs == "*":
                row.append(reach[j] or reach[j + 1] if mine == "*" else False)
                row[-1] = row[-1] or (mine == "*" and row[j]) or (theirs == "*" and (row[j] or reach[j + 1]))
            else:
                row.append(reach[j] and (mine == theirs or mine == "?" or theirs == "?"))
        reach = row
    return reach[-1]


def _plain(pattern: str) -> int:
    return min((at for at in (pattern.find("*"), pattern.find("?")) if at >= 0), default=len(pattern))

"""Regular expressions as simple patterns: those that people write for claims, as far as `*` and `?` can say the same. Pure.

CEL's `matches` looks anywhere in the text, unless the expression has anchors: https://github.com/google/re2/wiki/Syntax
"""

from __future__ import annotations

import re

MOST = 64
LONGEST = 1024
_SPECIAL = frozenset("\\.+*?()|[]{}^$")
# A set of letters, with how often it may come. What it stands for is told by the widest pattern.
_SET = re.compile(r"(?:\[\^?\]?(?:\\.|[^\]\\])*\]|\\[dDwWsS]|\.)(?P<often>[*+?]|\{[0-9]+(?:,[0-9]*)?\})?\??")
_Made = tuple[tuple[str, ...], bool, bool]


def globs(expression: str) -> _Made | None:
    """Return the patterns that together stand for the expression, whether they have wildcards, and whether they are exact.

    Patterns that are not exact stand for more than the expression, never for less. None where it is not of a simple form.
    """
    if len(expression) > LONGEST:
        return None
    patterns: list[str] = []
    exact = True
    for part in _alternatives(expression) or ():
        found = _anchored(part)
        if found is None:
            return None
        patterns += found[0]
        exact = exact and found[1]
        if len(patterns) > MOST:
            return None
    if not patterns:
        return None
    wild = any(set(one) & set("*?") for one in patterns)
    return tuple(dict.fromkeys(patterns)), wild, exact


def _alternatives(text: str) -> list[str] | None:
    """Return what stands between the bars that no bracket holds."""
    parts, depth, start, at = [], 0, 0, 0
    while at < len(text):
        letter = text[at]
        if letter == "\\":
            at += 1
        elif letter == "[":
            match = _SET.match(text, at)
            if match is None:
                return None
            at = match.end() - 1
        elif letter == "(":
            depth += 1
        elif letter == ")":
            depth -= 1
        elif letter == "|" and depth == 0:
            parts.append(text[start:at])
            start = at + 1
        at += 1
    return [*parts, text[start:]] if depth == 0 else None


def _anchored(text: str) -> tuple[list[str], bool] | None:
    body = text.removeprefix("^")
    opening = "" if text.startswith("^") else "*"
    closing = "*"
    inner = body.removesuffix("$")
    # An even number of backslashes escapes themselves, not the anchor.
    if body.endswith("$") and (len(inner) - len(inner.rstrip("\\"))) % 2 == 0:
        body, closing = inner, ""
    found = _body(body)
    if found is None:
        return None
    made = [re.sub(r"\*+", "*", f"{opening}{one}{closing}") for one in found[0]]
    return made, found[1]


def _body(text: str) -> tuple[list[str], bool] | None:
    """Return the patterns of what stands between anchors."""
    made, exact, at = [""], True, 0
    while at < len(text):
        letter = text[at]
        if letter == "(":
            end = _closing(text, at)
            inner = text[at + 1 : end].removeprefix("?:")
            parts = _alternatives(inner) if end > 0 and not inner.startswith("?") else None
            if parts is None or text[end + 1 : end + 2] in ("*", "+", "?", "{"):
                return None
            more: list[str] = []
            for part in parts:
                found = _body(part)
                if found is None:
                    return None
                more += found[0]
                exact = exact and found[1]
            made = [one + other for one in made for other in more]
            at = end + 1
        elif match := _SET.match(text, at):
            made, known = _widest(match, made)
            exact = exact and known
            at = match.end()
        else:
            plain = text[at + 1 : at + 2] if letter == "\\" else letter
            at += 2 if letter == "\\" else 1
            # A letter after a backslash means something of its own; a repeated letter is no simple form.
            meant = letter == "\\" and plain and not plain.isalnum() and plain.isascii()
            if (
                not (meant or letter not in _SPECIAL)
                or plain in ("*", "?")
                or text[at : at + 1] in ("*", "+", "?", "{")
            ):
                return None
            made = [one + plain for one in made]
        if len(made) > MOST:
            return None
    return made, exact


def _widest(match: re.Match[str], made: list[str]) -> tuple[list[str], bool]:
    """Add what stands for any set of letters. A dot is taken for any letter: no claim has more than one line."""
    often, dot = match.group("often"), match.group().startswith(".")
    if often == "*":
        return [f"{one}*" for one in made], dot
    if often == "+":
        return [f"{one}?*" for one in made], dot
    if often is None:
        return [f"{one}?" for one in made], dot
    return [f"{one}*" for one in made], False


def _closing(text: str, at: int) -> int:
    depth = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "[" and (match := _SET.match(text, at)):
            at = match.end() - 1
        elif text[at] in "()":
            depth += 1 if text[at] == "(" else -1
            if depth == 0:
                return at
        at += 1
    return -1

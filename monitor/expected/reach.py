"""How patterns reach what results speak of: scopes with all that lies within them, repositories, whole names. Pure."""

from __future__ import annotations

import re

from monitor.expected.patterns import compiled

_FORGE = "github:"
_END = re.compile(r"[:/]")


def within(pattern: str, text: str, *, whole: bool = False) -> bool:
    """Return whether the text is what the pattern stands for or, unless `whole`, lies within that, behind a ':' or '/'.

    So `aws:111122223333` reaches `aws:111122223333:eu-west-1`, and `aws:1111` does not.
    """
    expression = compiled(pattern)
    if expression.fullmatch(text):
        return True
    return not whole and any(expression.fullmatch(text, 0, end.start()) for end in _END.finditer(text))


def within_repository(pattern: str, scope: str) -> bool:
    """Return whether a scope is of a repository (OWNER/NAME) that the pattern stands for; without case, as the forge."""
    if not scope.startswith(_FORGE):
        return False
    return within(pattern.lower(), ":".join(scope.removeprefix(_FORGE).lower().split(":")[:1]), whole=True)


def account_of_scope(scope: str) -> str:
    """Return the account or project of a scope; for a forge, its organisation."""
    return scope.partition(":")[2].partition(":")[0].partition("/")[0]

"""Which names a pattern of GitHub's takes in, written from its documentation alone: a witness beside `monitor.facts.globs`.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository#using-fnmatch-syntax
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


def fnmatch(pattern: str, name: str) -> bool:
    """Return whether a name fits a pattern, as Ruby's File.fnmatch with FNM_PATHNAME has it."""
    found = _compiled(pattern)
    return found is not None and found.fullmatch(name) is not None


def refs(include: Sequence[str], exclude: Sequence[str], branch: str, default: str) -> bool:
    """Return whether a ruleset's `ref_name` takes in a branch. Excludes win; excludes alone take in all the rest."""

    def fits(pattern: str) -> bool:
        if pattern == "~DEFAULT_BRANCH":
            return branch == default
        return pattern == "~ALL" or fnmatch(pattern.removeprefix("refs/heads/"), branch)

    if any(map(fits, exclude)):
        return False
    return any(map(fits, include)) if include else bool(exclude)


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str] | None:
    out, at = [], 0
    while at < len(pattern):
        char = pattern[at]
        if pattern.startswith("**/", at):
            out.append(r"(?:[^/]+/)*")
            at += 3
            continue
        if char == "*":
            out.append("[^/]*")
        elif char == "?":
            out.append("[^/]")
        elif char == "\\" and at + 1 < len(pattern):
            at += 1
            out.append(re.escape(pattern[at]))
        elif char == "[" and (end := pattern.find("]", at + 2)) > 0:
            body = pattern[at + 1 : end]
            negated = body[:1] in ("!", "^")
            out.append("(?!/)[" + "^" * negated + re.escape(body[negated:]).replace(r"\-", "-") + "]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:
        return None

"""To which branches a ruleset applies; to which repositories one of an organisation does, the forge itself says. Pure.

https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset (conditions)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monitor.decode.github_wire import REFS, dig
from monitor.facts.protection import Targets
from monitor.model import Unknown

_TAGS = "refs/tags/"
_UNREAD = Unknown("the ruleset does not tell in a form that is known which branches it is for")


def targets(conditions: Any) -> Targets | Unknown:
    """Return the branches that a ruleset's conditions name; patterns of tags are left out.

    Both lists must be there: a lost list of exclusions would make a rule apply to more branches than it does.
    """
    include, exclude = (_texts(dig(conditions, "ref_name", side)) for side in ("include", "exclude"))
    if include is None or exclude is None:
        return _UNREAD
    named = _branches(include)
    if include and not named:  # tags only: without an include, the excludes would stand for all other branches
        return Targets()
    return Targets(include=named, exclude=_branches(exclude))


def _texts(found: Any) -> list[str] | None:
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def _branches(patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(one.removeprefix(REFS) for one in patterns if not one.startswith(_TAGS))

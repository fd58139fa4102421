"""To which branches and repositories a ruleset applies. Pure.

https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset and
https://docs.github.com/en/rest/orgs/rules#get-an-organization-repository-ruleset (conditions)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monitor.decode.github_wire import REFS, dig, text
from monitor.facts.globs import fnmatches
from monitor.facts.protection import Targets
from monitor.facts.repository import Repository
from monitor.model import Unknown

_TAGS = "refs/tags/"
_UNREAD = Unknown("the ruleset does not tell in a form that is known which branches it is for")
_ELSEWHERE = Unknown("the ruleset does not tell in a form that is known which repositories it is for")
_UNKNOWN_PROPERTIES = Unknown(
    "the ruleset chooses its repositories by properties", "read the organisation's properties"
)


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


def applies_to_repository(conditions: Any, repository: Repository) -> bool | Unknown:
    """Return whether an organisation's ruleset is for this repository: by name, by id, or by property.

    Unknown where it names no condition of repositories that is known, or where a property was not read.
    """
    answers = []
    if isinstance(conditions, dict):
        for name in conditions:
            if name in _CONDITIONS:
                answers.append(_CONDITIONS[name](conditions[name], repository))
            elif name != "ref_name":  # of organisations, in a ruleset of an enterprise
                answers.append(_ELSEWHERE)
    return _all(answers) if answers else _ELSEWHERE


def _by_id(found: Any, repository: Repository) -> bool | Unknown:
    ids = dig(found, "repository_ids")
    known = isinstance(ids, list) and all(isinstance(one, int) and not isinstance(one, bool) for one in ids)
    return repository.id in ids if known else _ELSEWHERE


def _by_name(found: Any, repository: Repository) -> bool | Unknown:
    include, exclude = (_texts(dig(found, side)) for side in ("include", "exclude"))
    if include is None or exclude is None or (exclude and not include):
        return _ELSEWHERE
    name = repository.name.rpartition("/")[2]
    return _all([_named(include, name), _not(_named(exclude, name))])


def _named(patterns: Iterable[str], name: str) -> bool | Unknown:
    return _any([one == "~ALL" or _alike(one, name) for one in patterns])


def _alike(pattern: str, name: str) -> bool | Unknown:
    # Names of repositories are one whatever their case; of patterns the documentation does not say it.
    exact, loose = fnmatches(pattern, name), fnmatches(pattern.lower(), name.lower())
    return exact if exact == loose else Unknown(f"whether the pattern {pattern} fits {name} is a matter of case")


def _by_property(found: Any, repository: Repository) -> bool | Unknown:
    """All of the included properties must match, and none of the excluded ones."""
    include, exclude = (dig(found, side) for side in ("include", "exclude"))
    if not isinstance(include, list) or not isinstance(exclude, list):
        return _ELSEWHERE
    wanted = [_property(one, repository) for one in include]
    return _all([*wanted, *(_not(_property(one, repository)) for one in exclude)]) if wanted or exclude else False


def _property(one: Any, repository: Repository) -> bool | Unknown:
    name, values = text(dig(one, "name")), _texts(dig(one, "property_values"))
    # The forge's own properties (language, fork, visibility …) are not among those that organisations make.
    if not name or values is None or dig(one, "source") not in (None, "custom"):
        return _ELSEWHERE
    if isinstance(repository.properties, Unknown):
        return _UNKNOWN_PROPERTIES
    held = repository.properties.get(name)
    return any(value in values for value in (held if isinstance(held, list) else [held]))


_CONDITIONS = {"repository_id": _by_id, "repository_name": _by_name, "repository_property": _by_property}


def _texts(found: Any) -> list[str] | None:
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else None


def _branches(patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(one.removeprefix(REFS) for one in patterns if not one.startswith(_TAGS))


def _all(answers: list[bool | Unknown]) -> bool | Unknown:
    """Return whether all hold: one that does not settles it, whatever is unknown."""
    return next((one for one in answers if one is False), next((one for one in answers if one is not True), True))


def _any(answers: list[bool | Unknown]) -> bool | Unknown:
    return _not(_all([_not(one) for one in answers]))


def _not(answer: bool | Unknown) -> bool | Unknown:
    return answer if isinstance(answer, Unknown) else not answer

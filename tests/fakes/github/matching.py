"""Which branches and repositories a rule of GitHub's applies to, written from its documentation alone.

https://docs.github.com/en/repositories/configuring-branches-and-merges-in-your-repository/managing-rulesets/creating-rulesets-for-a-repository#using-fnmatch-syntax
"""

from __future__ import annotations

import re
from functools import lru_cache

from tests.fakes.github.things import ClassicRule, Repository, Ruleset


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
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
            out.append("[" + ("^/" if negated else "") + re.escape(body[negated:]).replace(r"\-", "-") + "]")
            at = end
        else:
            out.append(re.escape(char))
        at += 1
    return re.compile("".join(out))


def fnmatch(pattern: str, name: str) -> bool:
    """Return whether a name fits a pattern as Ruby's File.fnmatch with FNM_PATHNAME has it."""
    return _compiled(pattern).fullmatch(name) is not None


def applies(ruleset: Ruleset, repository: Repository, branch: str) -> bool:
    """Return whether a ruleset's conditions take in a branch of a repository, whatever its enforcement."""
    if ruleset.target != "branch" or not covers(ruleset, repository):
        return False
    names = (ruleset.conditions or {}).get("ref_name") or {}
    return _chosen(names.get("include", []), names.get("exclude", []), lambda one: _ref(one, repository, branch))


def covers(ruleset: Ruleset, repository: Repository) -> bool:
    """Return whether a ruleset's conditions take in a repository."""
    if isinstance(ruleset.owner, Repository):
        return ruleset.owner is repository
    if ruleset.owner is not repository.organisation:
        return False
    conditions = ruleset.conditions or {}
    if (names := conditions.get("repository_name")) is not None:
        return _chosen(names.get("include", []), names.get("exclude", []), lambda one: _named(one, repository))
    if (ids := conditions.get("repository_id")) is not None:
        return repository.id in ids.get("repository_ids", [])
    if (properties := conditions.get("repository_property")) is not None:
        return _chosen(
            properties.get("include", []), properties.get("exclude", []), lambda one: _property(one, repository)
        )
    return False


def classic_rule(repository: Repository, branch: str) -> ClassicRule | None:
    """Return the classic rule of a branch: that of its exact name, else the oldest whose pattern fits; None without."""
    exact = [rule for rule in repository.classic_rules if rule.pattern == branch]
    fitting = [rule for rule in repository.classic_rules if fnmatch(rule.pattern, branch)]
    return next(iter(exact + fitting), None)


def rulesets_of(repository: Repository, parents: bool = True) -> list[Ruleset]:
    """Return the rulesets of a repository and, if asked for, those of its organisation that cover it."""
    inherited = [one for one in repository.organisation.rulesets if covers(one, repository)] if parents else []
    return [*repository.rulesets, *inherited]


def protected(repository: Repository, branch: str) -> bool:
    """Return what GitHub says of a branch in a list: any classic rule, or any rule of an active ruleset."""
    if classic_rule(repository, branch) is not None and not repository.classic_off:
        return True
    return any(
        one.enforcement == "active" and one.rules and applies(one, repository, branch)
        for one in rulesets_of(repository)
    )


def _chosen(include: list, exclude: list, fits) -> bool:  # type: ignore[no-untyped-def, type-arg]
    if any(fits(one) for one in exclude):
        return False
    return any(fits(one) for one in include) if include else bool(exclude)


def _ref(pattern: str, repository: Repository, branch: str) -> bool:
    if pattern == "~ALL":
        return True
    if pattern == "~DEFAULT_BRANCH":
        return branch == repository.default_branch
    return fnmatch(pattern.removeprefix("refs/heads/"), branch)


def _named(pattern: str, repository: Repository) -> bool:
    return pattern == "~ALL" or fnmatch(pattern.lower(), repository.name.lower())


def _property(one: dict, repository: Repository) -> bool:  # type: ignore[type-arg]
    own = repository.properties.get(one["name"])
    values = own if isinstance(own, list) else [own]
    return any(value in one.get("property_values", []) for value in values)

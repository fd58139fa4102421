"""Repositories by the hundred: what GraphQL answers, to facts. Pure.

An error of GraphQL costs just the part of just the repository that its path names; one without a path costs all. An empty list
of classic rules is what those get who may not see them, and is Unknown for these. A list of which one entry cannot be read is
Unknown, not shorter.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from monitor.decode.github_classic import NOT_READ, branches_by_rule, classic_rule, key_of, unread_rule
from monitor.decode.github_graphql_answer import Lists, concerning, errors_of, following
from monitor.decode.github_queries import LISTS, REPOSITORIES, REPOSITORY, cursors
from monitor.decode.github_wire import dig, integer, listing, loaded, mapping, moment, number, text
from monitor.errors import Malformed
from monitor.facts.protection import ProtectionRule
from monitor.facts.repository import Repository
from monitor.model import EvidenceRef, Unknown

__all__ = [
    "LISTS", "REPOSITORIES", "REPOSITORY", "Page", "RepositoryNode", "RulesetRef", "cursors", "joined", "repositories_page",
    "repository_page",
]  # fmt: skip
_SEEING = "administration:read"
_BYPASS = ".bypass"
_OWN_RIGHT = "viewerCanAdminister"
_NOTHING = {"nodes": [], "pageInfo": {"hasNextPage": False}}
"""The branches of an empty repository, where these are null."""


class RulesetRef(msgspec.Struct, frozen=True):
    """A ruleset of which the name and the place are known. `source_type`: Repository, Organization or Enterprise."""

    id: int
    source_type: str
    source: str
    name: str
    enforcement: str
    updated_at: datetime | None = None


class RepositoryNode(msgspec.Struct, frozen=True, kw_only=True):
    """One repository of a page. `more` tells, for each list that goes on, its end cursor."""

    repository: Repository
    rulesets: tuple[RulesetRef, ...] | Unknown
    environment_names: tuple[str, ...] | Unknown
    can_administer: bool | None
    more: dict[str, str]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page: repositories, the cursor of the next page (None at the last), and what the query cost in points.

    `errors` are the path (steps joined by dots, empty for an error of the whole query) and message of each error.
    """

    nodes: tuple[RepositoryNode, ...]
    cursor: str | None
    total: int | None
    cost: int | None
    remaining: int | None
    reset_at: datetime | None
    errors: tuple[tuple[str, str], ...]
    lost: tuple[str, ...] = ()


def repositories_page(
    body: bytes, organisation: str, at: datetime, evidence: tuple[EvidenceRef, ...], *, admin: bool
) -> Page:
    """Return a page of REPOSITORIES. `admin`: classic protection may be seen.

    A repository that cannot be told (null, without id or name) is in `lost`: a list that lacks one is no list of all.
    Raises Malformed if it is no page.
    """
    answer = mapping(loaded(body, "a page of repositories"), "a page of repositories")
    errors = errors_of(answer)
    found = dig(answer, "data", "organization", "repositories")
    if not isinstance(found, dict):
        why = errors[0][1] if errors else "it has no repositories"
        raise Malformed(f"a page of repositories cannot be read: {why}", source="github")
    prefix = "organization.repositories.nodes"
    nodes: list[RepositoryNode] = []
    lost: list[str] = []
    for n, one in enumerate(listing(found.get("nodes"), "a page's repositories")):
        try:
            nodes.append(_node(one, organisation, at, evidence, admin, concerning(errors, f"{prefix}.{n}")))
        except Malformed as hidden:
            lost.append(hidden.what)
    after = following(found)
    if isinstance(after, Unknown):
        raise Malformed(f"a page of repositories cannot be read: {after.reason}", source="github")
    rate = dig(answer, "data", "rateLimit")
    return Page(
        nodes=tuple(nodes),
        lost=tuple(lost),
        cursor=after or None,
        total=integer(found.get("totalCount")),
        cost=integer(dig(rate, "cost")),
        remaining=integer(dig(rate, "remaining")),
        reset_at=moment(dig(rate, "resetAt")),
        errors=errors,
    )


def repository_page(
    body: bytes, organisation: str, at: datetime, evidence: tuple[EvidenceRef, ...], *, admin: bool
) -> RepositoryNode:
    """Return the repository of an answer to REPOSITORY. Raises Malformed if there is none."""
    answer = mapping(loaded(body, "a repository"), "a repository")
    errors = errors_of(answer)
    found = dig(answer, "data", "repository")
    return _node(found, organisation, at, evidence, admin, concerning(errors, "repository"))


def joined(first: RepositoryNode, more: RepositoryNode) -> RepositoryNode:
    """Return a repository with one page more of each list that went on.

    Raises Malformed if the two are of different repositories, or if a list does not come further.
    """
    one, two = first.repository, more.repository
    if one.id != two.id:
        raise Malformed(f"the further pages of {one.name} are those of another repository", source="github")
    ongoing = {name: cursor for name, cursor in more.more.items() if name in first.more}
    if stuck := [name for name, cursor in ongoing.items() if cursor == first.more[name]]:
        raise Malformed(f"{', '.join(stuck)} of {one.name}: the next page is this one again", source="github")
    repository = msgspec.structs.replace(
        one,
        branches=_both(first, "refs", one.branches, two.branches),
        rules=_rules(one.rules, two.rules),
        blind=one.blind or two.blind,
        evidence=_cited(one.evidence, two.evidence),
    )
    return msgspec.structs.replace(
        first,
        repository=repository,
        rulesets=_both(first, "rulesets", first.rulesets, more.rulesets),
        environment_names=_both(first, "environments", first.environment_names, more.environment_names),
        more=ongoing,
    )


def _both(first: RepositoryNode, name: str, one: Any, two: Any) -> Any:
    if name not in first.more or isinstance(one, Unknown):
        return one
    return two if isinstance(two, Unknown) else tuple(dict.fromkeys((*one, *two)))


def _rules(one: Any, two: Any) -> Any:
    """Join rules by key: a page of branches tells of more branches of a rule, a page of rules what the rule demands."""
    if isinstance(one, Unknown) or isinstance(two, Unknown):
        return one if isinstance(one, Unknown) else two
    found: dict[str, ProtectionRule] = {rule.key: rule for rule in one}
    for rule in two:
        old = found.get(rule.key, rule)
        found[rule.key] = msgspec.structs.replace(
            rule if old.demands == NOT_READ else old,
            branches=tuple(dict.fromkeys((*(old.branches or ()), *(rule.branches or ())))),
            evidence=_cited(old.evidence, rule.evidence),
        )
    return tuple(found.values())


def _cited(one: Sequence[EvidenceRef], two: Sequence[EvidenceRef]) -> tuple[EvidenceRef, ...]:
    return tuple(dict.fromkeys((*one, *two)))


def _node(
    one: Any,
    organisation: str,
    at: datetime,
    evidence: tuple[EvidenceRef, ...],
    admin: bool,
    errors: dict[str, str],
) -> RepositoryNode:
    if not isinstance(one, dict) or not number(one.get("databaseId")) or not text(one.get("nameWithOwner")):
        why = next(iter(errors.values()), "it lacks its id or its name")
        raise Malformed(f"a repository cannot be read: {why}", source="github")
    name = text(one["nameWithOwner"])
    if one.get("refs", "") is None and one.get("isEmpty") is True:
        one = {**one, "refs": _NOTHING}
    lists = Lists(one, name, errors)
    refs = lists.read("refs", "name", spared=".branchProtectionRule")
    rules = _classic(lists, refs, evidence) if admin else Unknown("classic protection may not be seen", _SEEING)
    rulesets, places = lists.read("rulesets", "databaseId", number), lists.read("environments", "name")
    branches = refs if isinstance(refs, Unknown) else tuple(text(ref["name"]) for ref in refs)
    default = _default_branch(one, branches)
    broken = next((why for path, why in errors.items() if path.partition(".")[0] not in (*LISTS, _OWN_RIGHT)), "")
    can = one.get(_OWN_RIGHT)
    return RepositoryNode(
        repository=Repository(
            organisation=organisation,
            id=number(one["databaseId"]),
            name=name,
            at=at,
            default_branch=default if isinstance(default, str) else "",
            archived=one.get("isArchived") is True,
            fork=one.get("isFork") is True,
            visibility=text(one.get("visibility")).lower(),
            created_at=moment(one.get("createdAt")),
            pushed_at=moment(one.get("pushedAt")),
            branches=branches,
            rules=rules,
            environments=Unknown("not read yet"),
            blind=Unknown(f"{name}: {broken}") if broken else default if isinstance(default, Unknown) else None,
            evidence=evidence,
        ),
        rulesets=rulesets
        if isinstance(rulesets, Unknown)
        else tuple(_ruleset(r) for r in rulesets if r.get("target") not in ("TAG", "PUSH", "REPOSITORY")),
        environment_names=places if isinstance(places, Unknown) else tuple(text(p["name"]) for p in places),
        can_administer=can if isinstance(can, bool) else None,
        more=lists.more,
    )


def _classic(
    lists: Lists, refs: list[dict[str, Any]] | Unknown, evidence: tuple[EvidenceRef, ...]
) -> tuple[ProtectionRule, ...] | Unknown:
    found = lists.read("branchProtectionRules", "pattern", spared=_BYPASS)
    if isinstance(found, Unknown):
        return found
    if isinstance(refs, Unknown):  # without rules, it does not matter to which branches they apply
        return refs if found or "branchProtectionRules" in lists.more else ()
    hidden = lists.hidden("refs")
    applied = Unknown(f"to which branches the rules apply: {hidden}") if hidden else branches_by_rule(refs)
    if isinstance(applied, Unknown):
        return applied
    rules = [
        classic_rule(
            rule,
            applied.pop(key_of(rule), ()),
            evidence,
            lists.hidden(f"branchProtectionRules.nodes.{n}"),
        )
        for n, rule in enumerate(found)
    ]
    return (*rules, *(unread_rule(key, branches, evidence) for key, branches in sorted(applied.items())))


def _default_branch(one: dict[str, Any], branches: tuple[str, ...] | Unknown) -> str | Unknown:
    """Return the default branch, empty for a repository without branches; Unknown if it is not told."""
    name = text(dig(one, "defaultBranchRef", "name"))
    empty = one.get("defaultBranchRef", "") is None and (one.get("isEmpty") is True or branches == ())
    return name if name or empty else Unknown(f"the default branch of {text(one['nameWithOwner'])} is not told")


def _ruleset(found: dict[str, Any]) -> RulesetRef:
    return RulesetRef(
        number(found.get("databaseId")),
        text(dig(found, "source", "__typename")),
        text(dig(found, "source", "nameWithOwner")) or text(dig(found, "source", "login")),
        text(found.get("name")),
        text(found.get("enforcement")).lower(),
        moment(found.get("updatedAt")),
    )

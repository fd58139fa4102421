"""GitHub's deployment environments as REST sends them. Pure.

https://docs.github.com/en/rest/deployments/environments
"""

from __future__ import annotations

from typing import Any

from monitor.decode.github_wire import count, dig, listing, loaded, mapping, number, objects, switch, text
from monitor.errors import Malformed
from monitor.facts.repository import Environment, Reviewer
from monitor.model import EvidenceRef, Unknown

_KINDS = {"User": ("user", "login"), "Team": ("team", "slug")}
_UNREAD = Unknown("the environment's protection rules cannot be read")


def environments(body: bytes, evidence: tuple[EvidenceRef, ...]) -> tuple[Environment, ...]:
    """Return the environments of one page of `GET …/environments`. Raises Malformed if it is none.

    Which branches a custom policy lets in, and which apps gate, is Unknown until it is read elsewhere.
    """
    page = mapping(loaded(body, "environments"), "environments")
    return tuple(environment(one, evidence) for one in listing(page.get("environments"), "the list of environments"))


def environment(found: Any, evidence: tuple[EvidenceRef, ...]) -> Environment:
    """Return one environment; `wait_minutes` is in minutes. Raises Malformed if it has no name."""
    one = mapping(found, "an environment")
    if not text(one.get("name")):
        raise Malformed("an environment has no name", source="github")
    rules = _Rules(one.get("protection_rules"))
    policy = _policy(one)
    review = rules.one("required_reviewers")
    return Environment(
        id=number(one.get("id")),
        name=text(one.get("name")),
        reviewers=review if isinstance(review, Unknown) else _reviewers(review),
        prevent_self_review=review
        if isinstance(review, Unknown)
        else switch(dig(review, "prevent_self_review"), "prevent_self_review"),
        admins_may_bypass=_admins(one),
        branch_policy=policy,
        deploys_from=Unknown("the custom policies were not read")
        if policy == "custom"
        else policy
        if isinstance(policy, Unknown)
        else (),
        wait_minutes=wait
        if isinstance(wait := rules.one("wait_timer"), Unknown)
        else count(dig(wait, "wait_timer"), "wait_timer"),
        custom_rules=Unknown("the apps that gate it were not read"),
        evidence=evidence,
    )


class _Rules:
    """The protection rules of an environment. Where one of them cannot be read, it may be any that is not among the others."""

    def __init__(self, found: Any) -> None:
        self._by_type = {text(rule.get("type")): rule for rule in objects(found)}
        self._whole = isinstance(found, list) and all(text(dig(rule, "type")) for rule in found)

    def one(self, kind: str) -> dict[str, Any] | None | Unknown:
        return self._by_type.get(kind, None if self._whole else _UNREAD)


def _policy(one: dict[str, Any]) -> str | Unknown:
    if "deployment_branch_policy" not in one:
        return Unknown("the environment's branch policy is not shown")
    policy = one["deployment_branch_policy"]
    if policy is None:
        return "none"
    told = dig(policy, "protected_branches"), dig(policy, "custom_branch_policies")
    # The two may not be the same: https://docs.github.com/en/rest/deployments/environments#create-or-update-an-environment
    if not all(isinstance(one, bool) for one in told) or told[0] == told[1]:
        return Unknown("the environment's branch policy cannot be read")
    return "protected" if told[0] else "custom"


def _admins(one: dict[str, Any]) -> bool | Unknown:
    value = one.get("can_admins_bypass")
    return value if isinstance(value, bool) else Unknown("whether administrators may pass by is not shown")


def _reviewers(rule: Any) -> tuple[Reviewer, ...] | Unknown:
    if rule is None:
        return ()
    found = dig(rule, "reviewers")
    if not isinstance(found, list):
        return Unknown("the environment's reviewers cannot be read")
    reviewers = set()
    for one in found:
        kind, field = _KINDS.get(text(dig(one, "type")), ("", ""))
        name = text(dig(one, "reviewer", field))
        if not name:
            return Unknown("a reviewer of the environment cannot be read")
        reviewers.add(Reviewer(kind=kind, name=name, id=number(dig(one, "reviewer", "id"))))
    return tuple(sorted(reviewers))


def branch_policies(body: bytes) -> tuple[str, ...]:
    """Return the patterns of one page of `GET …/deployment-branch-policies`; those of tags as `tag:PATTERN`.

    Raises Malformed if one cannot be read. https://docs.github.com/en/rest/deployments/branch-policies
    """
    page = mapping(loaded(body, "branch policies"), "branch policies")
    found = listing(page.get("branch_policies"), "the list of branch policies")
    if not all(text(dig(one, "name")) and one.get("type", "branch") in ("branch", "tag") for one in found):
        raise Malformed("a branch policy has no name, or is neither of branches nor of tags", source="github")
    return tuple(("tag:" if one.get("type") == "tag" else "") + text(one.get("name")) for one in found)


def custom_rules(body: bytes) -> tuple[str, ...]:
    """Return the slugs of the enabled apps of `GET …/deployment_protection_rules`. Raises Malformed if one cannot be read.

    https://docs.github.com/en/rest/deployments/protection-rules
    """
    page = mapping(loaded(body, "protection rules"), "protection rules")
    found = listing(page.get("custom_deployment_protection_rules"), "the list of protection rules")
    if not all(isinstance(dig(one, "enabled"), bool) and text(dig(one, "app", "slug")) for one in found):
        raise Malformed("an app that gates an environment cannot be read", source="github")
    return tuple(text(dig(one, "app", "slug")) for one in found if one["enabled"])

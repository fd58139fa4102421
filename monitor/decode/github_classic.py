"""Classic branch protection, as GraphQL and REST send it. Pure.

https://docs.github.com/en/graphql/reference/branches#object-branchprotectionrule and
https://docs.github.com/en/rest/branches/branch-protection#get-branch-protection
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from monitor.decode.github_demands import REVIEW, allowed, gated, inverted, reviews, status_checks
from monitor.decode.github_wire import count, dig, loaded, mapping, number, switch, text
from monitor.errors import Malformed
from monitor.facts.protection import DEMANDS, BypassActor, Demands, ProtectionRule, StatusCheck, Targets
from monitor.model import EvidenceRef, Unknown

_UNREAD = Unknown("the rule was not read: a branch names it, but it is not in the list of rules")
NOT_READ = Demands(**dict.fromkeys(DEMANDS, _UNREAD))
"""The demands of a rule of which only a branch tells."""
_REVIEWS = {
    "dismissesStaleReviews": "dismiss_stale",
    "requiresCodeOwnerReviews": "code_owners",
    "requireLastPushApproval": "last_push_approval",
}
_FORCE_PUSH = ("block_force_push",)
_FIELDS = {"User": ("user", "login"), "Team": ("team", "slug"), "App": ("app", "slug")}
_NO_QUEUE = Unknown("GitHub does not tell whether a classic rule requires a merge queue", "use a ruleset")
_REST = frozenset(
    {
        "required_status_checks", "enforce_admins", "required_pull_request_reviews", "restrictions",
        "required_linear_history", "allow_force_pushes", "allow_deletions", "required_conversation_resolution",
        "required_signatures", "lock_branch", "block_creations", "allow_fork_syncing",
    }
)  # fmt: skip
_REST_REVIEWS = {
    "dismiss_stale": "dismiss_stale_reviews",
    "code_owners": "require_code_owner_reviews",
    "last_push_approval": "require_last_push_approval",
}
_PASSING = "bypass_pull_request_allowances"
_REST_ALLOWANCES = (("users", "user", "login"), ("teams", "team", "slug"), ("apps", "app", "slug"))


def key_of(rule: Any) -> str:
    """Return the key of a rule: by its database id, else by its pattern; empty if it has neither."""
    identity = number(dig(rule, "databaseId")) or text(dig(rule, "pattern"))
    return f"classic:{identity}" if identity else ""


def branches_by_rule(refs: Iterable[dict[str, Any]]) -> dict[str, tuple[str, ...]] | Unknown:
    """Return, for each key of a rule, the branches that name it: GitHub applies one classic rule at most to a branch."""
    found: dict[str, tuple[str, ...]] = {}
    for ref in refs:
        rule = ref.get("branchProtectionRule", "")
        if rule is None:
            continue
        key = key_of(rule)
        if not key:
            return Unknown("which classic rule applies to a branch cannot be read")
        found[key] = (*found.get(key, ()), text(ref.get("name")))
    return found


def unread_rule(key: str, branches: tuple[str, ...], evidence: tuple[EvidenceRef, ...]) -> ProtectionRule:
    """Return a rule that branches name and no list has shown yet: whatever it demands is Unknown."""
    name = key.partition(":")[2]
    return ProtectionRule(
        key=key,
        kind="classic",
        name=name,
        branches=branches,
        demands=NOT_READ,
        bypass=_UNREAD,
        evidence=evidence,
    )


def classic_rule(
    rule: dict[str, Any], branches: tuple[str, ...], evidence: tuple[EvidenceRef, ...], hidden: str = ""
) -> ProtectionRule:
    """Return one rule that applies to these branches. `hidden` tells why its bypass actors cannot be seen, if so."""
    pattern = text(rule.get("pattern"))
    reviewed = switch(rule.get("requiresApprovingReviews"), "requiresApprovingReviews")
    checked = switch(rule.get("requiresStatusChecks"), "requiresStatusChecks")
    checks = gated(checked, status_checks(rule.get("requiredStatusChecks"), "app", "databaseId"), ())
    approvals = count(rule.get("requiredApprovingReviewCount"), "requiredApprovingReviewCount")
    review: dict[str, Any] = {"approvals": gated(reviewed, approvals, 0)}
    for field, name in _REVIEWS.items():
        review[name] = gated(reviewed, switch(rule.get(field), field), False)
    return ProtectionRule(
        key=key_of(rule),
        kind="classic",
        name=pattern,
        targets=Targets(include=(pattern,) if pattern else ()),
        branches=branches,
        demands=Demands(
            pull_request=reviewed,
            **review,
            status_checks=checks,
            # Meaningless while no checks are required: the API then says true.
            strict=gated(checks, switch(rule.get("requiresStrictStatusChecks"), "requiresStrictStatusChecks"), False),
            conversation_resolution=switch(
                rule.get("requiresConversationResolution"), "requiresConversationResolution"
            ),
            signatures=switch(rule.get("requiresCommitSignatures"), "requiresCommitSignatures"),
            linear_history=switch(rule.get("requiresLinearHistory"), "requiresLinearHistory"),
            block_force_push=inverted(rule.get("allowsForcePushes"), "allowsForcePushes"),
            block_deletion=inverted(rule.get("allowsDeletions"), "allowsDeletions"),
            lock=switch(rule.get("lockBranch"), "lockBranch"),
            merge_queue=_NO_QUEUE,
        ),
        bypass=Unknown(hidden) if hidden else _bypass(rule, pattern),
        evidence=evidence,
    )


def _bypass(rule: dict[str, Any], pattern: str) -> tuple[BypassActor, ...] | Unknown:
    admins = switch(rule.get("isAdminEnforced"), "isAdminEnforced")
    if isinstance(admins, Unknown):
        return admins
    actors = [] if admins else [BypassActor(kind="role", name="admin")]
    for name, only in (("bypassPullRequestAllowances", REVIEW), ("bypassForcePushAllowances", _FORCE_PUSH)):
        nodes = dig(rule, name, "nodes")
        if not isinstance(nodes, list):
            return Unknown(f"{name} of rule {pattern} is not in the answer")
        if dig(rule, name, "pageInfo", "hasNextPage") is not False:
            return Unknown(f"{name} of rule {pattern} may go on for more than a page")
        for one in nodes:
            actor = dig(one, "actor")
            # An actor that is null is hidden, or gone: it is nobody whom anyone can expect, and it may still act.
            kind, field = _FIELDS.get(text(dig(actor, "__typename")), ("unknown", ""))
            actors.append(allowed(kind, dig(actor, field), dig(actor, "databaseId"), only))
    return tuple(sorted(set(actors)))


def classic(body: bytes, branch: str, evidence: tuple[EvidenceRef, ...]) -> ProtectionRule:
    """Return the rule of `GET …/branches/{branch}/protection`. Raises Malformed if it is none.

    REST tells neither the rule's id nor its pattern, so both are the branch's name.
    """
    found = mapping(loaded(body, "branch protection"), "branch protection")
    if not _REST & set(found):
        raise Malformed("the answer holds nothing of a branch's protection", source="github")
    required = found.get("required_status_checks")
    checks = _rest_checks(required)
    return ProtectionRule(
        key=f"classic:{branch}",
        kind="classic",
        name=branch,
        branches=(branch,),
        targets=Targets(include=(branch,)),
        demands=Demands(
            **_rest_reviews(found.get("required_pull_request_reviews")),
            conversation_resolution=_enabled(found, "required_conversation_resolution"),
            status_checks=checks,
            strict=gated(checks, switch(dig(required, "strict"), "strict"), False),
            block_force_push=inverted(dig(found, "allow_force_pushes", "enabled"), "allow_force_pushes"),
            block_deletion=inverted(dig(found, "allow_deletions", "enabled"), "allow_deletions"),
            signatures=_enabled(found, "required_signatures"),
            linear_history=_enabled(found, "required_linear_history"),
            lock=_enabled(found, "lock_branch"),
            merge_queue=_NO_QUEUE,
        ),
        bypass=_rest_bypass(found),
        evidence=evidence,
    )


def _rest_reviews(found: Any) -> dict[str, Any]:
    if found is None:
        return {}
    if not isinstance(found, dict) or not found:
        return dict.fromkeys(REVIEW, Unknown("required_pull_request_reviews cannot be read"))
    return reviews(found, "required_approving_review_count", _REST_REVIEWS)


def _rest_checks(found: Any) -> tuple[StatusCheck, ...] | Unknown:
    """Return the checks by name and app; `contexts` are their names alone, and stand in where `checks` are left out."""
    if found is not None and not isinstance(found, dict):
        return Unknown("required_status_checks cannot be read")
    checks, names = dig(found, "checks"), dig(found, "contexts")
    if checks is None and isinstance(names, list):
        return status_checks([{"context": name} for name in names])
    return status_checks(names if checks is None else checks, "app_id")


def _enabled(found: dict[str, Any], name: str) -> bool | Unknown:
    value = found.get(name)
    if value is None or isinstance(dig(value, "enabled"), bool):
        return value is not None and value["enabled"]
    return Unknown(f"{name} cannot be read")


def _rest_bypass(found: dict[str, Any]) -> tuple[BypassActor, ...] | Unknown:
    admins, review = _enabled(found, "enforce_admins"), found.get("required_pull_request_reviews")
    if isinstance(admins, Unknown):
        return admins
    actors = [] if admins else [BypassActor(kind="role", name="admin")]
    people = review.get(_PASSING, {}) if isinstance(review, dict) and review else {} if review is None else None
    for key, kind, field in _REST_ALLOWANCES:
        some = people.get(key, []) if isinstance(people, dict) else None
        if not isinstance(some, list) or not all(isinstance(one, dict) for one in some):
            return Unknown(f"{_PASSING} cannot be read")
        actors += [allowed(kind, one.get(field), one.get("id"), REVIEW) for one in some]
    return tuple(sorted(set(actors)))

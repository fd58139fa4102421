"""GitHub's rulesets, and the rules in effect on a branch, as REST sends them. Pure.

https://docs.github.com/en/rest/repos/rules

What is absent or null is no protection. What is not of its type is Unknown. What would narrow a rule, or let somebody pass it
by, is Unknown where it is absent too: so no answer that lost a part says more than it said whole.
"""

from __future__ import annotations

from typing import Any

from monitor.decode.github_classic import classic
from monitor.decode.github_demands import REVIEW, gated, reviews, status_checks
from monitor.decode.github_ruleset_conditions import targets
from monitor.decode.github_wire import dig, listing, loaded, mapping, number, objects, switch, text
from monitor.errors import Malformed
from monitor.facts.protection import DEMANDS, BypassActor, Demands, ProtectionRule, Targets
from monitor.model import EvidenceRef, Unknown

__all__ = [
    "KINDS", "REVIEW", "bypass", "classic", "demands", "effective", "ruleset", "ruleset_of", "targets",
]  # fmt: skip
KINDS = {
    "repository": "repository-ruleset",
    "organization": "organisation-ruleset",
    "enterprise": "enterprise-ruleset",
}
# REST says active; the audit log and its webhooks say enabled.
_ENFORCED = {"active": True, "enabled": True, "disabled": False, "evaluate": False}
_SWITCHES = {
    "non_fast_forward": "block_force_push",
    "deletion": "block_deletion",
    "required_signatures": "signatures",
    "required_linear_history": "linear_history",
    "merge_queue": "merge_queue",
    "update": "lock",
}
_REVIEW = {
    "dismiss_stale": "dismiss_stale_reviews_on_push",
    "code_owners": "require_code_owner_review",
    "last_push_approval": "require_last_push_approval",
    "conversation_resolution": "required_review_thread_resolution",
}
_ACTORS = {
    "OrganizationAdmin": "organisation-admin",
    "RepositoryRole": "role",
    "Team": "team",
    "Integration": "app",
    "DeployKey": "deploy-key",
    "EnterpriseOwner": "enterprise-owner",
    "User": "user",
}
# Ids of the roles that every repository has; own roles have others.
# https://docs.github.com/en/rest/repos/rules#create-a-repository-ruleset (bypass_actors.actor_id)
_ROLES = {1: "read", 2: "maintain", 3: "triage", 4: "write", 5: "admin"}
_MODES = {"always": "always", "pull_request": "pull-request", "exempt": "exempt"}
_SEEING = "write access to the ruleset (administration:write): GitHub leaves the list out for others"


def ruleset(body: bytes, evidence: tuple[EvidenceRef, ...]) -> ProtectionRule:
    """Return the ruleset of `GET …/rulesets/{id}`. Raises Malformed if it is none."""
    return ruleset_of(mapping(loaded(body, "a ruleset"), "a ruleset"), evidence)


def ruleset_of(found: dict[str, Any], evidence: tuple[EvidenceRef, ...]) -> ProtectionRule:
    """Return the ruleset in an object as REST and webhooks send it. Raises Malformed if it is none."""
    if not number(found.get("id")) or not isinstance(found.get("enforcement"), str):
        raise Malformed("a ruleset lacks its id or its enforcement", source="github")
    enforcement = text(found.get("enforcement")).lower()
    enforced: bool | Unknown = _ENFORCED.get(enforcement, Unknown("the ruleset's enforcement is none that is known"))
    aimed, target = targets(found.get("conditions")), found.get("target")
    if target in ("tag", "push", "repository"):
        enforced, aimed = False, Targets()  # it protects, but no branch
    elif enforced is not False and target != "branch":
        enforced = Unknown("the ruleset does not tell that it is one of branches")
    elif enforced is not False and isinstance(aimed, Unknown):
        enforced = aimed
    return ProtectionRule(
        key=f"ruleset:{number(found['id'])}",
        kind=KINDS.get(text(found.get("source_type")).lower(), "repository-ruleset"),
        name=text(found.get("name")),
        enforced=enforced,
        enforcement=enforcement,
        # Where it is not told, it may be for any branch; `enforced` keeps it from counting.
        targets=Targets(include=("~ALL",)) if isinstance(aimed, Unknown) else aimed,
        demands=demands(found.get("rules")),
        bypass=bypass(found),
        evidence=evidence,
    )


def bypass(found: dict[str, Any]) -> tuple[BypassActor, ...] | Unknown:
    """Return who may pass a ruleset by. An absent list is Unknown: it is left out for those who may not see it."""
    if "bypass_actors" not in found or found["bypass_actors"] is None:
        return Unknown("the ruleset's list of bypass actors is not shown", _SEEING)
    if not isinstance(found["bypass_actors"], list):
        return Unknown("the ruleset's list of bypass actors cannot be read", _SEEING)
    return tuple(sorted(_bypass_actor(one) for one in found["bypass_actors"]))


def _bypass_actor(one: Any) -> BypassActor:
    kind = _ACTORS.get(text(dig(one, "actor_type")), "unknown")
    identity = number(dig(one, "actor_id"))
    name = _ROLES.get(identity, "") if kind == "role" else text(dig(one, "actor_name"))
    # A mode that cannot be read is taken for the widest.
    mode = _MODES.get(text(dig(one, "bypass_mode")), "always")
    return BypassActor(kind=kind, name=name or (str(identity) if identity else ""), id=identity, mode=mode)


def demands(rules: Any) -> Demands:
    """Return what a list of rules demands together. A rule that cannot be read may demand all that no other does."""
    if not isinstance(rules, list):
        return Demands(**dict.fromkeys(DEMANDS, Unknown("the ruleset's rules are not in the answer")))
    found: dict[str, Any] = {}
    for rule in objects(rules):
        kind, parameters = text(rule.get("type")), rule.get("parameters")
        if kind in _SWITCHES:
            found[_SWITCHES[kind]] = True
        elif kind == "pull_request":
            _strengthen(found, reviews(parameters, "required_approving_review_count", _REVIEW))
        elif kind == "required_status_checks":
            _strengthen(found, _checks(parameters))
    if not all(text(dig(rule, "type")) for rule in rules):
        unread = Unknown("a rule of the ruleset cannot be read")
        found = {name: found.get(name) or unread for name in DEMANDS}
    return Demands(**found)


def _checks(parameters: Any) -> dict[str, Any]:
    if parameters is not None and not isinstance(parameters, dict):
        return dict.fromkeys(("status_checks", "strict"), Unknown("the required status checks cannot be read"))
    checks = status_checks(dig(parameters, "required_status_checks"), "integration_id")
    name = "strict_required_status_checks_policy"
    # "This setting will not take effect unless at least one status check is enabled."
    return {"status_checks": checks, "strict": gated(checks, switch(dig(parameters, name), name), False)}


def _strengthen(found: dict[str, Any], more: dict[str, Any]) -> None:
    """Join two rules of one type: the stronger value holds, and what is Unknown does not hide what is known."""
    for name, value in more.items():
        old = found.get(name)
        known = [one for one in (old, value) if one and not isinstance(one, Unknown)]
        unread = [one for one in (old, value) if isinstance(one, Unknown)]
        if len(known) == 2:
            found[name] = tuple(sorted({*known[0], *known[1]})) if isinstance(value, tuple) else max(known)
        else:
            found[name] = next(iter((*known, *unread)), value)


def effective(body: bytes, branch: str, evidence: tuple[EvidenceRef, ...]) -> tuple[ProtectionRule, ...]:
    """Return the rules of one page of `GET …/rules/branches/{branch}`, one for each ruleset; it never tells who may bypass.

    Raises Malformed if it is no list of rules. Rules that are only evaluated are not among them:
    https://docs.github.com/en/rest/repos/rules#get-rules-for-a-branch
    """
    rules: dict[int, list[dict[str, Any]]] = {}
    for one in listing(loaded(body, "the rules in effect"), "the rules in effect"):
        identity = number(dig(one, "ruleset_id"))
        if not identity or not text(dig(one, "type")):
            raise Malformed("a rule in effect lacks its type or its ruleset", source="github")
        rules.setdefault(identity, []).append(one)
    return tuple(
        ProtectionRule(
            key=f"effective:{identity}",
            kind=KINDS.get(text(found[0].get("ruleset_source_type")).lower(), "repository-ruleset"),
            name=f"ruleset {identity}",
            branches=(branch,),
            targets=Targets(include=(branch,)),
            demands=demands(found),
            bypass=Unknown("rules in effect do not tell who may pass them by", _SEEING),
            evidence=evidence,
        )
        for identity, found in sorted(rules.items())
    )

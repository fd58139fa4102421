"""More of what people do on the fake GitHub, with the traces that it leaves in audit log and history.

Actions and fields: https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/audit-log-events-for-your-organization#protected_branch
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from tests.fakes.github.world import ClassicRule, Repository, Ruleset, World


def _level(on: Any) -> int:
    """Write a switch as the audit log does: 0 off, 2 for everyone."""
    return 2 if on else 0


def _same(value: Any) -> Any:
    return value


_CLASSIC: dict[str, tuple[tuple[str, str, Callable[[Any], Any]], ...]] = {
    "admins": (("update_admin_enforced", "admin_enforced", _same),),
    "dismiss_stale": (("dismiss_stale_reviews", "dismiss_stale_reviews_on_push", _same),),
    "code_owners": (("update_require_code_owner_review", "require_code_owner_review", _same),),
    "last_push": (("update_require_last_push_approval", "require_last_push_approval", _same),),
    "strict": (("update_strict_required_status_checks_policy", "strict_required_status_checks_policy", _same),),
    "signatures": (
        ("update_signature_requirement_enforcement_level", "signature_requirement_enforcement_level", _level),
    ),
    "linear": (
        ("update_linear_history_requirement_enforcement_level", "linear_history_requirement_enforcement_level", _level),
    ),
    "force_push": (("update_allow_force_pushes_enforcement_level", "allow_force_pushes_enforcement_level", _level),),
    "deletion": (("update_allow_deletions_enforcement_level", "allow_deletions_enforcement_level", _level),),
    "lock": (("update_lock_branch_enforcement_level", "lock_branch_enforcement_level", _level),),
    "pattern": (("update_name", "name", _same),),
}


def edit_classic(
    world: World, repository: Repository, rule: ClassicRule, at: datetime, actor: str, **changes: Any
) -> None:
    """Change fields of a classic rule: an event for each that is another afterwards, as GitHub's page saves them."""
    old_name = rule.pattern
    for name, value in changes.items():
        was = getattr(rule, name)
        setattr(rule, name, value)
        if was == value:
            continue
        known = {"name": rule.pattern, "protected_branch_id": rule.id}
        for action, field, told in _actions(name, was, value):
            more = {"old_name": old_name} if name == "pattern" else {}
            world.log(f"protected_branch.{action}", at, actor, repository, **{**known, field: told, **more})


def _actions(name: str, was: Any, value: Any) -> list[tuple[str, str, Any]]:
    if name == "approvals":
        found: list[tuple[str, str, Any]] = []
        if (was is None) != (value is None):
            level = _level(value is not None)
            field = "pull_request_reviews_enforcement_level"
            found.append((f"update_{field}", field, level))
        if value is not None:
            found.append(("update_required_approving_review_count", "required_approving_review_count", value))
        return found
    if name == "checks":
        field = "required_status_checks_enforcement_level"
        return [(f"update_{field}", field, _level(value))] if bool(was) != bool(value) else []
    if name in ("skip_reviews", "force_pushers", "pushers"):
        people = [actor[1] for actor in value or ()]
        action = "authorized_users_teams" if name == "pushers" else "branch_allowances"
        return [(action, "authorized_actors" if name == "pushers" else "allowed_actors", people)]
    return [(action, field, tell(value)) for action, field, tell in _CLASSIC.get(name, ())]


def switch_classic(world: World, repository: Repository, on: bool, at: datetime, actor: str) -> None:
    """Turn the switch by which a whole repository's classic rules are evaluated or not."""
    repository.classic_off = not on
    world.log(f"repository_branch_protection_evaluation.{'enable' if on else 'disable'}", at, actor, repository)


def add_ruleset(
    world: World,
    repository: Repository | None,
    at: datetime,
    actor: str,
    name: str,
    rules: list[dict[str, Any]],
    **more: Any,
) -> Ruleset:
    """Make a ruleset of a repository, or of the organisation for None."""
    found = world.ruleset(name, rules, updated_at=at, **more)
    (world if repository is None else repository).rulesets.append(found)
    world.log("repository_ruleset.create", at, actor, repository, **_whole(found, repository))
    return found


def remove_ruleset(world: World, repository: Repository | None, rule: Ruleset, at: datetime, actor: str) -> None:
    """Delete a ruleset; its history goes with it."""
    (world if repository is None else repository).rulesets.remove(rule)
    world.log("repository_ruleset.destroy", at, actor, repository, **_whole(rule, repository))


def _whole(rule: Ruleset, repository: Repository | None) -> dict[str, Any]:
    targets = {"include": rule.include, "exclude": rule.exclude}
    return {
        "ruleset_id": rule.id,
        "ruleset_name": rule.name,
        "ruleset_source_type": "Repository" if repository else "Organization",
        "ruleset_enforcement": "enabled" if rule.enforcement == "active" else rule.enforcement,
        "ruleset_rules": [{"type": one["type"], "parameters": one.get("parameters")} for one in rule.rules],
        "ruleset_conditions": [{"target": "ref_name", "parameters": targets}],
        "ruleset_bypass_actors": rule.bypass,
    }


def override(
    world: World,
    repository: Repository,
    at: datetime,
    actor: str,
    codes: Sequence[str] = ("review_policy_not_satisfied",),
    branch: str = "main",
) -> str:
    """Push past a classic rule, as who is not held to it may; return the new head."""
    after = world.move(repository, at, actor, "push", branch)
    world.log(
        "protected_branch.policy_override",
        at,
        actor,
        repository,
        branch=f"refs/heads/{branch}",
        before=repository.activity[0]["before"],
        after=after,
        overridden_codes=list(codes),
        reasons=[{"code": code, "message": "Changes must be made through a pull request."} for code in codes],
    )
    return after

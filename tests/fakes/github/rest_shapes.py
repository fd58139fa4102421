"""Things of the fake's world in the shapes that docs.github.com/en/rest documents."""

from __future__ import annotations

from typing import Any

from tests.fakes.github.world import BORN, ClassicRule, Environment, Repository, Ruleset, World, stamp


def ruleset(world: World, one: Ruleset, repository: Repository | None) -> dict[str, Any]:
    """Bypass actors are there only for those who could write: https://docs.github.com/en/rest/repos/rules#get-a-repository-ruleset"""
    writable = world.may("administration" if repository else "organization_administration", "write")
    conditions: dict[str, Any] = {"ref_name": {"include": one.include, "exclude": one.exclude}}
    if repository is None:
        conditions["repository_name"] = {"include": one.repositories or ["~ALL"], "exclude": [], "protected": False}
    return {
        "id": one.id,
        "name": one.name,
        "target": one.target,
        "source_type": "Repository" if repository else "Organization",
        "source": repository.full_name if repository else world.organisation,
        "enforcement": one.enforcement,
        "conditions": conditions,
        "rules": one.rules,
        "node_id": f"RRS_{one.id}",
        "created_at": stamp(BORN),
        "updated_at": stamp(one.updated_at),
        **({"bypass_actors": one.bypass} if writable else {}),
    }


def brief(world: World, one: Ruleset, repository: Repository | None) -> dict[str, Any]:
    """Return a ruleset as lists have it, without what is in it: https://docs.github.com/en/rest/repos/rules#get-all-repository-rulesets"""
    return {
        k: v for k, v in ruleset(world, one, repository).items() if k not in ("rules", "conditions", "bypass_actors")
    }


def protection(rule: ClassicRule, repository: Repository, branch: str) -> dict[str, Any]:
    url = f"https://api.github.com/repos/{repository.full_name}/branches/{branch}/protection"
    found: dict[str, Any] = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": rule.admins},
        "required_linear_history": {"enabled": rule.linear},
        "allow_force_pushes": {"enabled": rule.force_push},
        "allow_deletions": {"enabled": rule.deletion},
        "block_creations": {"enabled": False},
        "required_conversation_resolution": {"enabled": rule.conversations},
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": rule.signatures},
        "lock_branch": {"enabled": rule.lock},
        "allow_fork_syncing": {"enabled": False},
    }
    if rule.approvals is not None:
        found["required_pull_request_reviews"] = {
            "url": f"{url}/required_pull_request_reviews",
            "dismiss_stale_reviews": rule.dismiss_stale,
            "require_code_owner_reviews": rule.code_owners,
            "required_approving_review_count": rule.approvals,
            "require_last_push_approval": rule.last_push,
            **({"bypass_pull_request_allowances": people(rule.skip_reviews)} if rule.skip_reviews else {}),
        }
    if rule.pushers is not None:
        found["restrictions"] = {"url": f"{url}/restrictions", **people(rule.pushers)}
    if rule.checks:
        found["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": rule.strict,
            "contexts": [name for name, _ in rule.checks],
            "checks": [{"context": name, "app_id": app} for name, app in rule.checks],
        }
    return found


def people(actors: list[tuple[str, str, int]]) -> dict[str, Any]:
    found: dict[str, Any] = {"users": [], "teams": [], "apps": []}
    for kind, name, number in actors:
        found[f"{kind.lower()}s"].append({"id": number, "login" if kind == "User" else "slug": name})
    return found


def environment(one: Environment, repository: Repository) -> dict[str, Any]:
    rules: list[dict[str, Any]] = []
    if one.wait:
        rules.append({"id": one.id + 1, "node_id": "GA_w", "type": "wait_timer", "wait_timer": one.wait})
    if one.reviewers:
        reviewers = [
            {"type": kind, "reviewer": {"id": number, "slug" if kind == "Team" else "login": name}}
            for kind, name, number in one.reviewers
        ]
        rules.append(
            {
                "id": one.id + 2,
                "node_id": "GA_r",
                "prevent_self_review": one.self_review_prevented,
                "type": "required_reviewers",
                "reviewers": reviewers,
            }
        )
    if one.policy:
        rules.append({"id": one.id + 3, "node_id": "GA_b", "type": "branch_policy"})
    policy = {"protected_branches": one.policy == "protected", "custom_branch_policies": one.policy == "custom"}
    return {
        "id": one.id,
        "node_id": f"EN_{one.id}",
        "name": one.name,
        "url": f"https://api.github.com/repos/{repository.full_name}/environments/{one.name}",
        "html_url": f"https://github.com/{repository.full_name}/deployments/activity_log?environments_filter={one.name}",
        "created_at": stamp(BORN),
        "updated_at": stamp(BORN),
        "can_admins_bypass": one.admins_bypass,
        "protection_rules": rules,
        "deployment_branch_policy": policy if one.policy else None,
    }


def summary(one: Repository) -> dict[str, Any]:
    return {
        "id": one.id,
        "node_id": f"R_{one.id}",
        "name": one.name,
        "full_name": one.full_name,
        "private": one.visibility != "public",
        "visibility": one.visibility,
        "owner": {"login": one.owner, "id": 900, "type": "Organization"},
        "fork": one.fork,
        "archived": one.archived,
        "disabled": False,
        "default_branch": one.default_branch,
        "created_at": stamp(BORN),
        "pushed_at": stamp(one.pushed_at),
    }

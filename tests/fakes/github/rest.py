"""The fake's REST answers, in the shapes that docs.github.com/en/rest documents."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import unquote

from tests.fakes.github.world import BORN, ClassicRule, Environment, Repository, Ruleset, World, stamp

NOT_FOUND = (404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})
FORBIDDEN = (
    403,
    {"message": "Resource not accessible by integration", "documentation_url": "https://docs.github.com/rest"},
)
Found = tuple[int, Any]


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
        **({"bypass_actors": one.bypass, "current_user_can_bypass": "never"} if writable else {}),
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
        }
    if rule.checks:
        found["required_status_checks"] = {
            "url": f"{url}/required_status_checks",
            "strict": rule.strict,
            "contexts": [name for name, _ in rule.checks],
            "checks": [{"context": name, "app_id": app} for name, app in rule.checks],
        }
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


class Rest:
    """Answers GET requests. What is paged is given as a list (or an object with a list) and cut by the server."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.routes: list[tuple[re.Pattern[str], Callable[..., Found]]] = [
            (re.compile(f"^{pattern}$"), answer)
            for pattern, answer in (
                (r"/orgs/([^/]+)", lambda query, org: (200, {"login": org, "id": 900, "type": "Organization"})),
                (r"/orgs/[^/]+/rulesets", self._org_rulesets),
                (r"/orgs/[^/]+/rulesets/(\d+)", self._org_ruleset),
                (r"/orgs/[^/]+/rulesets/(\d+)/history", self._org_history),
                (r"/orgs/[^/]+/rulesets/(\d+)/history/(\d+)", self._org_version),
                (r"/orgs/[^/]+/rulesets/rule-suites", self._suites),
                (r"/orgs/[^/]+/audit-log", self._audit),
                (r"/repos/([^/]+/[^/]+)", self._repository),
                (r"/repos/([^/]+/[^/]+)/rulesets", self._rulesets),
                (r"/repos/([^/]+/[^/]+)/rulesets/(\d+)", self._ruleset),
                (r"/repos/([^/]+/[^/]+)/rulesets/(\d+)/history", self._history),
                (r"/repos/([^/]+/[^/]+)/rulesets/(\d+)/history/(\d+)", self._version),
                (r"/repos/([^/]+/[^/]+)/rules/branches/(.+)", self._effective),
                (r"/repos/([^/]+/[^/]+)/branches/(.+)/protection", self._protection),
                (r"/repos/([^/]+/[^/]+)/activity", self._activity),
                (r"/repos/([^/]+/[^/]+)/commits/([0-9a-f]+)/pulls", self._pulls),
                (r"/repos/([^/]+/[^/]+)/compare/([0-9a-f]+)\.\.\.([0-9a-f]+)", self._compare),
                (r"/repos/([^/]+/[^/]+)/environments", self._environments),
                (r"/repos/([^/]+/[^/]+)/environments/([^/]+)/deployment-branch-policies", self._policies),
                (r"/repos/([^/]+/[^/]+)/environments/([^/]+)/deployment_protection_rules", self._gates),
            )
        ]

    def answer(self, path: str, query: dict[str, str]) -> Found:
        for pattern, answer in self.routes:
            if found := pattern.match(path):
                return answer(query, *map(unquote, found.groups()))
        return NOT_FOUND

    def _in(self, name: str) -> Repository | None:
        return self.world.repository(name)

    def _repository(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        return (
            (200, {"id": one.id, "full_name": one.full_name, "default_branch": one.default_branch})
            if one
            else NOT_FOUND
        )

    def _org_rulesets(self, query: dict[str, str]) -> Found:
        return 200, [
            {k: v for k, v in ruleset(self.world, r, None).items() if k not in ("rules", "conditions", "bypass_actors")}
            for r in self.world.rulesets
        ]

    def _org_ruleset(self, query: dict[str, str], number: str) -> Found:
        if not self.world.may("organization_administration"):
            return NOT_FOUND
        return next(
            ((200, ruleset(self.world, r, None)) for r in self.world.rulesets if r.id == int(number)), NOT_FOUND
        )

    def _rulesets(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        return (200, [ruleset(self.world, r, one) for r in one.rulesets]) if one else NOT_FOUND

    def _ruleset(self, query: dict[str, str], name: str, number: str) -> Found:
        one = self._in(name)
        if one is None:
            return NOT_FOUND
        own = next((ruleset(self.world, r, one) for r in one.rulesets if r.id == int(number)), None)
        parent = next((ruleset(self.world, r, None) for r in self.world.parents(one) if r.id == int(number)), None)
        found = own or (parent if query.get("includes_parents", "true") == "true" else None)
        return (200, found) if found else NOT_FOUND

    def _versions(self, rules: list[Ruleset], number: str, permission: str) -> Found:
        if not self.world.may(permission):
            return FORBIDDEN
        found = next((r for r in rules if r.id == int(number)), None)
        listed = [{k: v for k, v in one.items() if k != "state"} for one in reversed(found.history)] if found else []
        return (200, listed) if found else NOT_FOUND

    def _at(self, rules: list[Ruleset], repository: Repository | None, number: str, version: str) -> Found:
        found = next((r for r in rules if r.id == int(number)), None)
        one = next((v for v in found.history if v["version_id"] == int(version)), None) if found else None
        if one is None:
            return NOT_FOUND
        state = ruleset(self.world, Ruleset(**one["state"]), repository)
        return 200, {**{k: v for k, v in one.items() if k != "state"}, "state": state}

    def _history(self, query: dict[str, str], name: str, number: str) -> Found:
        one = self._in(name)
        return self._versions(one.rulesets, number, "administration") if one else NOT_FOUND

    def _version(self, query: dict[str, str], name: str, number: str, version: str) -> Found:
        one = self._in(name)
        return self._at(one.rulesets, one, number, version) if one else NOT_FOUND

    def _org_history(self, query: dict[str, str], number: str) -> Found:
        return self._versions(self.world.rulesets, number, "organization_administration")

    def _org_version(self, query: dict[str, str], number: str, version: str) -> Found:
        return self._at(self.world.rulesets, None, number, version)

    def _effective(self, query: dict[str, str], name: str, branch: str) -> Found:
        from monitor.facts.globs import fnmatches

        one = self._in(name)
        if one is None:
            return NOT_FOUND
        found = []
        for kind, rules in (("Repository", one.rulesets), ("Organization", self.world.parents(one))):
            for rule in rules:
                named = [
                    one.default_branch if p == "~DEFAULT_BRANCH" else p.removeprefix("refs/heads/")
                    for p in rule.include
                ]
                if rule.enforcement == "active" and any(p == "~ALL" or fnmatches(p, branch) for p in named):
                    source = one.full_name if kind == "Repository" else self.world.organisation
                    found += [
                        {**r, "ruleset_source_type": kind, "ruleset_source": source, "ruleset_id": rule.id}
                        for r in rule.rules
                    ]
        return 200, found

    def _protection(self, query: dict[str, str], name: str, branch: str) -> Found:
        one = self._in(name)
        if one is None or not self.world.may("administration"):
            return NOT_FOUND
        rule = self.world.applied(one, branch)
        return (200, protection(rule, one, branch)) if rule else (404, {"message": "Branch not protected"})

    def _activity(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        return (200, one.activity) if one and self.world.may("contents") else NOT_FOUND

    def _pulls(self, query: dict[str, str], name: str, commit: str) -> Found:
        one = self._in(name)
        if one is None:
            return NOT_FOUND
        return 200, [
            {
                "number": n,
                "state": "closed",
                "merged_at": stamp(BORN),
                "title": '=HYPERLINK("x")',
                "user": {"login": "dev"},
            }
            for n in one.pulls.get(commit, [])
        ]

    def _compare(self, query: dict[str, str], name: str, before: str, after: str) -> Found:
        one = self._in(name)
        if one is None or not self.world.may("contents"):
            return NOT_FOUND
        line = [after, *one.lines.get(after, []), before]
        commits = [
            {"sha": sha, "node_id": "C_x", "parents": [{"sha": above}], "commit": {"message": "<b>m</b>"}}
            for sha, above in zip(line, line[1:], strict=False)
        ]
        return 200, {"status": "ahead", "total_commits": len(commits), "commits": commits[::-1]}

    def _environments(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        if one is None or not self.world.may("actions"):
            return NOT_FOUND
        return 200, {
            "total_count": len(one.environments),
            "environments": [environment(e, one) for e in one.environments],
        }

    def _place(self, name: str, environment_name: str) -> Environment | None:
        one = self._in(name)
        return next((e for e in one.environments if e.name == environment_name), None) if one else None

    def _policies(self, query: dict[str, str], name: str, place: str) -> Found:
        one = self._place(name, place)
        if one is None:
            return NOT_FOUND
        found = [
            {"id": n, "node_id": "GA_p", "name": pattern, "type": kind}
            for n, (pattern, kind) in enumerate(one.patterns, 1)
        ]
        return 200, {"total_count": len(found), "branch_policies": found}

    def _gates(self, query: dict[str, str], name: str, place: str) -> Found:
        one = self._place(name, place)
        if one is None:
            return NOT_FOUND
        found = [
            {
                "id": n,
                "enabled": True,
                "app": {"id": n, "slug": slug, "integration_url": "https://api.github.com/apps/x"},
            }
            for n, slug in enumerate(one.gates, 1)
        ]
        return 200, {"total_count": len(found), "custom_deployment_protection_rules": found}

    def _suites(self, query: dict[str, str]) -> Found:
        if not self.world.may("organization_administration"):
            return FORBIDDEN
        wanted = query.get("rule_suite_result", "all")
        return 200, [
            {k: v for k, v in s.items() if k != "rule_evaluations"}
            for s in self.world.suites
            if wanted in ("all", s["result"])
        ]

    def _audit(self, query: dict[str, str]) -> Found:
        if not self.world.has_audit_log:
            return NOT_FOUND
        if not self.world.may("organization_administration"):
            return 403, {
                "message": "Must have admin rights to Repository.",
                "documentation_url": "https://docs.github.com/rest",
            }
        found = sorted(self.world.audit, key=lambda e: e["@timestamp"], reverse=query.get("order", "desc") != "asc")
        span = re.search(r"created:(\S+)\.\.(\S+)", query.get("phrase", ""))
        if span:
            low, high = (datetime.fromisoformat(text).timestamp() * 1000 for text in span.groups())
            found = [e for e in found if low <= e["@timestamp"] <= high]
        return 200, found

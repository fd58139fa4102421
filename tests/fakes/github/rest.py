"""The fake's REST answers, in the shapes that docs.github.com/en/rest documents."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

import tests.fakes.github.rest_events as events
import tests.fakes.github.rest_secrets as secrets
from tests.fakes.github.matching import refs
from tests.fakes.github.rest_shapes import brief, environment, protection, ruleset, summary
from tests.fakes.github.world import BORN, Environment, Repository, Ruleset, World, stamp

NOT_FOUND = (404, {"message": "Not Found", "documentation_url": "https://docs.github.com/rest", "status": "404"})
FORBIDDEN = (
    403,
    {"message": "Resource not accessible by integration", "documentation_url": "https://docs.github.com/rest"},
)
Found = tuple[int, Any]


class Rest:
    """Answers GET requests. What is paged is given as a list (or an object with a list) and cut by the server."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.routes: list[tuple[re.Pattern[str], Callable[..., Found]]] = [
            (re.compile(f"^{pattern}$"), answer)
            for pattern, answer in (
                *secrets.routes(world, self._in),
                (r"/orgs/([^/]+)", lambda query, org: (200, {"login": org, "id": 900, "type": "Organization"})),
                (r"/orgs/[^/]+/rulesets", self._org_rulesets),
                (r"/orgs/[^/]+/rulesets/(\d+)", self._org_ruleset),
                (r"/orgs/[^/]+/rulesets/(\d+)/history", self._org_history),
                (r"/orgs/[^/]+/rulesets/(\d+)/history/(\d+)", self._org_version),
                (r"/orgs/[^/]+/rulesets/rule-suites", self._suites),
                (r"/orgs/[^/]+/rulesets/(rule-suites)/(\d+)", self._suite),
                (r"/orgs/[^/]+/audit-log", self._audit),
                (r"/orgs/[^/]+/properties/values", self._properties),
                (r"/installation/repositories", self._installed),
                (r"/repos/([^/]+/[^/]+)", self._repository),
                (r"/repos/([^/]+/[^/]+)/rulesets", self._rulesets),
                (r"/repos/([^/]+/[^/]+)/rulesets/rule-suites", self._repository_suites),
                (r"/repos/([^/]+/[^/]+)/rulesets/rule-suites/(\d+)", self._suite),
                (r"/repos/([^/]+/[^/]+)/rulesets/(\d+)", self._ruleset),
                (r"/repos/([^/]+/[^/]+)/rulesets/(\d+)/history", self._history),
                (r"/repos/([^/]+/[^/]+)/rulesets/(\d+)/history/(\d+)", self._version),
                (r"/repos/([^/]+/[^/]+)/rules/branches/(.+)", self._effective),
                (r"/repos/([^/]+/[^/]+)/branches/(.+)/protection", self._protection),
                (r"/repos/([^/]+/[^/]+)/branches", self._branches),
                (r"/repos/([^/]+/[^/]+)/branches/(.+)", self._branch),
                (r"/repos/([^/]+/[^/]+)/activity", self._activity),
                (r"/repos/([^/]+/[^/]+)/commits/([0-9a-f]+)/pulls", self._pulls),
                (r"/repos/([^/]+/[^/]+)/compare/([0-9a-f]+)\.\.\.([0-9a-f]+)", self._compare),
                (r"/repos/([^/]+/[^/]+)/environments", self._environments),
                (r"/repos/([^/]+/[^/]+)/environments/([^/]+)", self._environment),
                (r"/repos/([^/]+/[^/]+)/environments/([^/]+)/deployment-branch-policies", self._policies),
                (r"/repos/([^/]+/[^/]+)/environments/([^/]+)/deployment_protection_rules", self._gates),
            )
        ]

    def answer(self, path: str, query: dict[str, str]) -> Found:
        path = self._named(path)
        for pattern, answer in self.routes:
            if found := pattern.match(path):
                return answer(query, *map(unquote, found.groups()))
        return NOT_FOUND

    def _named(self, path: str) -> str:
        """Return the path by names, given one by ids: those are what Link headers tell."""
        kind, _, rest = path.removeprefix("/").partition("/")
        number, slash, more = rest.partition("/")
        if kind == "organizations":
            return f"/orgs/{self.world.organisation}{slash}{more}"
        one = (
            next((r for r in self.world.repositories if str(r.id) == number), None) if kind == "repositories" else None
        )
        return f"/repos/{quote(one.full_name)}{slash}{more}" if one else path

    def by_id(self, path: str) -> str:
        """Return the path by ids, given one by names."""
        if found := re.match(r"/repos/([^/]+/[^/]+)(/.*)", path):
            one = self.world.repository(unquote(found[1]))
            return f"/repositories/{one.id}{found[2]}" if one else path
        return re.sub(r"^/orgs/[^/]+/", "/organizations/900/", path)

    def _in(self, name: str) -> Repository | None:
        found = self.world.repository(name)
        return found if found is not None and found.name not in self.world.hidden else None

    def _repository(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        return (200, summary(one)) if one else NOT_FOUND

    def _org_rulesets(self, query: dict[str, str]) -> Found:
        return 200, [
            brief(self.world, r, None)
            for r in self.world.rulesets
            if r.target in query.get("targets", r.target).split(",")
        ]

    def _org_ruleset(self, query: dict[str, str], number: str) -> Found:
        if not self.world.may("organization_administration"):
            return NOT_FOUND
        return next(
            ((200, ruleset(self.world, r, None)) for r in self.world.rulesets if r.id == int(number)), NOT_FOUND
        )

    def _rulesets(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        if one is None:
            return NOT_FOUND
        parents = self.world.parents(one) if query.get("includes_parents", "true") == "true" else []
        found = [(r, one) for r in one.rulesets] + [(r, None) for r in parents]
        targets = query.get("targets", "branch,tag,push").split(",")
        return 200, [brief(self.world, r, owner) for r, owner in found if r.target in targets]

    def _ruleset(self, query: dict[str, str], name: str, number: str) -> Found:
        one = self._in(name)
        if one is None:
            return NOT_FOUND
        own = next((ruleset(self.world, r, one) for r in one.rulesets if r.id == int(number)), None)
        parent = next((ruleset(self.world, r, None) for r in self.world.parents(one) if r.id == int(number)), None)
        found = own or (parent if query.get("includes_parents", "true") == "true" else None)
        # Only a repository's own endpoint tells of the caller.
        return (200, {**found, "current_user_can_bypass": "never"}) if found else NOT_FOUND

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
        one = self._in(name)
        if one is None:
            return NOT_FOUND
        found = []
        for kind, rules in (("Repository", one.rulesets), ("Organization", self.world.parents(one))):
            for rule in rules:
                applies = rule.target == "branch" and refs(rule.include, rule.exclude, branch, one.default_branch)
                if rule.enforcement == "active" and applies:
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
        if one is None or not self.world.may("contents"):
            return NOT_FOUND
        return 200, events.activity(self.world, one.activity, query)

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
        return 200, events.suites(self.world, query)

    def _repository_suites(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        if one is None:
            return NOT_FOUND
        return (200, events.suites(self.world, query, one.id)) if self.world.may("administration") else FORBIDDEN

    def _suite(self, query: dict[str, str], owner: str, number: str) -> Found:
        found = next((s for s in self.world.suites if s["id"] == int(number)), None)
        return (200, found) if found else NOT_FOUND

    def _audit(self, query: dict[str, str]) -> Found:
        if not self.world.has_audit_log:
            return NOT_FOUND
        if not self.world.may("organization_administration"):
            return 403, {
                "message": "Must have admin rights to Repository.",
                "documentation_url": "https://docs.github.com/rest",
            }
        return 200, events.audit(self.world, query)

    def _branches(self, query: dict[str, str], name: str) -> Found:
        one = self._in(name)
        if one is None or not self.world.may("contents"):
            return NOT_FOUND
        wanted = query.get("protected")
        found = [self._short(one, branch) for branch in ([] if one.empty else one.branches)]
        return 200, [b for b in found if wanted is None or b["protected"] == (wanted == "true")]

    def _branch(self, query: dict[str, str], name: str, branch: str) -> Found:
        one = self._in(name)
        if one is None or not self.world.may("contents") or branch not in one.branches:
            return 404, {"message": "Branch not found", "status": "404"}
        return 200, {**self._short(one, branch), "_links": {}}

    def _short(self, one: Repository, branch: str) -> dict[str, Any]:
        """`protected` is true under any classic rule and any active ruleset, whatever these demand."""
        ruled = self._effective({}, one.full_name, branch)[1]
        classic = None if one.classic_off else self.world.applied(one, branch)
        url = f"https://api.github.com/repos/{one.full_name}"
        head = hashlib.sha1(f"{one.id}{branch}".encode()).hexdigest()
        return {
            "name": branch,
            "commit": {"sha": head, "url": f"{url}/commits/{head}"},
            "protected": classic is not None or bool(ruled),
            "protection_url": f"{url}/branches/{branch}/protection",
        }

    def _environment(self, query: dict[str, str], name: str, place: str) -> Found:
        one, found = self._in(name), self._place(name, place)
        return (200, environment(found, one)) if one and found and self.world.may("actions") else NOT_FOUND

    def _installed(self, query: dict[str, str]) -> Found:
        found = [summary(one) for one in self.world.seen()]
        chosen = "selected" if self.world.selected or self.world.hidden else "all"
        return 200, {"total_count": len(found), "repository_selection": chosen, "repositories": found}

    def _properties(self, query: dict[str, str]) -> Found:
        return 200, [
            {
                "repository_id": one.id,
                "repository_name": one.name,
                "repository_full_name": one.full_name,
                "properties": [{"property_name": name, "value": value} for name, value in one.properties.items()],
            }
            for one in self.world.seen()
        ]

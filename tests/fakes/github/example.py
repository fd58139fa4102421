"""The GitHub side of the example organisation: about forty repositories in March 2026, with every case planted.

`TRUTH` tells, by repository, what a sweep must find there: check, branch or environment, outcome. Whatever is not listed must
not fail. `python -m tests.fakes.github.example --out config/captured/github` captures it through the real client.
"""

from __future__ import annotations

import argparse
import shutil
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.fakes.github.rest_secrets import Key, Secret, vault
from tests.fakes.github.world import ClassicRule, Environment, Repository, World

AT = datetime(2026, 4, 1, 1, 30, tzinfo=UTC)
"""When the example was captured."""
BOT = "release-bot[bot]"
SCAN = 57789
Row = tuple[str, str, str, str]
TRUTH: dict[str, list[Row]] = {}
"""By repository: check, what of the repository, outcome, and why in a few words."""


def on(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def review(count: int = 1, **more: bool) -> dict[str, Any]:
    parameters = {
        "required_approving_review_count": count,
        "dismiss_stale_reviews_on_push": True,
        "require_code_owner_review": False,
        "require_last_push_approval": False,
        "required_review_thread_resolution": False,
        "allowed_merge_methods": ["merge", "squash", "rebase"],
    }
    return {"type": "pull_request", "parameters": {**parameters, **more}}


def baseline(count: int = 1, **more: bool) -> list[dict[str, Any]]:
    return [{"type": "deletion"}, {"type": "non_fast_forward"}, review(count, **more)]


def payments_rules() -> list[dict[str, Any]]:
    checks = [{"context": "build"}, {"context": "security/scan", "integration_id": SCAN}]
    status = {
        "strict_required_status_checks_policy": True,
        "do_not_enforce_on_create": False,
        "required_status_checks": checks,
    }
    strict = baseline(
        2, require_code_owner_review=True, require_last_push_approval=True, required_review_thread_resolution=True
    )
    return [*strict, {"type": "required_status_checks", "parameters": status}]


def build() -> World:
    """Return the world as it is on 1 April 2026, with all that happened in March."""
    world = World()
    TRUTH.clear()
    merge_bot = {
        "actor_id": 88001,
        "actor_name": "merge-bot",
        "actor_type": "Integration",
        "bypass_mode": "pull_request",
    }

    def place(one: Repository, **more: Any) -> Environment:
        settings: dict[str, Any] = {"reviewers": [("Team", "release-managers", 31)], **more}
        one.environments.append(Environment(world.number(), "production", **settings))
        return one.environments[-1]

    def guarded(name: str, rules: list[dict[str, Any]] | None = None, **more: Any) -> Repository:
        one = world.add(name, **more)
        one.rulesets.append(world.ruleset("default branch", rules or baseline(), bypass=[merge_bot]))
        return one

    def planted(one: Repository, check: str, what: str, outcome: str, why: str) -> None:
        TRUTH.setdefault(one.full_name, []).append((check, what, outcome, why))

    # As it should be.
    payments = guarded("payments", payments_rules())
    place(payments, reviewers=[("Team", "payments-approvers", 30)])
    for n in range(4):
        world.move(payments, on(3 + 7 * n, 10), "dev-one", pull=400 + n)
    platform = guarded("data-platform")
    place(platform)
    for name in ("web-frontend", "mobile-app", "mail", "calendar", "profiles", "media", "geo", "feature-flags"):
        one = guarded(name)
        if name == "media":
            keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SLACK_WEBHOOK")
            vault(one).secrets.extend(Secret(key, on(2, 9), on(2, 9)) for key in keys)
            planted(one, "deploy-credentials", "credentials", "fail", "cloud keys are kept as secrets")
        world.move(one, on(12, 9), "dev-two", pull=12)
    sound = world.add("accounts")
    sound.classic.append(ClassicRule(world.number()))
    place(sound, policy="custom", patterns=[("main", "branch"), ("release/*", "branch")])

    # Protection off for ten minutes inside a release job, and a merge in the gap.
    api = world.add("payments-api")
    api.classic.append(
        ClassicRule(
            world.number(),
            approvals=2,
            code_owners=True,
            last_push=True,
            conversations=True,
            checks=[("build", None), ("security/scan", SCAN)],
        )
    )
    rule = world.remove_classic(api, on(10, 9, 14), BOT)
    world.move(api, on(10, 9, 18), BOT, pull=77)
    world.restore_classic(api, rule, on(10, 9, 24), BOT)
    planted(api, "protection-lapse", "main", "fail", "classic rule deleted and made again by a bot")

    # The same in a declared emergency.
    ledger = guarded("ledger", payments_rules())
    strict = ledger.rulesets[0]
    world.edit_ruleset(ledger, strict, on(14, 1, 10), "oncall-person", enforcement="disabled")
    world.move(ledger, on(14, 1, 40), "oncall-person", "push")
    world.edit_ruleset(ledger, strict, on(14, 3, 20), "oncall-person", enforcement="active")
    planted(ledger, "protection-lapse", "main", "pass", "a declared emergency covers it")

    # Weakened inside a ruleset, and still so.
    checkout = guarded("checkout")
    world.edit_ruleset(
        checkout,
        checkout.rulesets[0],
        on(17, 15, 2),
        "team-lead",
        rules=[r for r in baseline() if r["type"] != "pull_request"],
    )
    world.move(checkout, on(18, 11), "dev-three", "push")
    planted(checkout, "protection-lapse", "main", "fail", "the rule for pull requests was taken out")
    planted(checkout, "branch-protection", "main", "fail", "no pull request is required")
    planted(checkout, "direct-push", "main", "fail", "a push without a pull request")

    # Only evaluated for two hours.
    fraud = guarded("fraud")
    world.edit_ruleset(fraud, fraud.rulesets[0], on(5, 13), "team-lead", enforcement="evaluate")
    world.edit_ruleset(fraud, fraud.rulesets[0], on(5, 15), "team-lead", enforcement="active")
    planted(fraud, "protection-lapse", "main", "fail", "enforcement was taken back to evaluate")

    # Its target was narrowed for a day.
    gateway = guarded("gateway")
    world.edit_ruleset(gateway, gateway.rulesets[0], on(20, 8), "team-lead", include=["refs/heads/stable"])
    world.edit_ruleset(gateway, gateway.rulesets[0], on(21, 8), "team-lead", include=["~DEFAULT_BRANCH"])
    planted(gateway, "protection-lapse", "main", "fail", "the target no longer held the branch")

    # Stricter only: no lapse.
    identity = guarded("identity")
    world.edit_ruleset(identity, identity.rulesets[0], on(9, 9), "team-lead", rules=baseline(2))

    # The switch for the whole repository.
    billing = world.add("billing")
    billing.classic.append(ClassicRule(world.number()))
    world.log("repository_branch_protection_evaluation.disable", on(23, 18), "admin-person", billing)
    world.log("repository_branch_protection_evaluation.enable", on(23, 18, 30), "admin-person", billing)
    planted(billing, "protection-lapse", "main", "fail", "classic protection was switched off as a whole")

    # State that is wrong.
    planted(world.add("notifications"), "branch-protection", "main", "fail", "no protection at all")
    search = guarded("search", baseline(0))
    planted(search, "branch-protection", "main", "fail", "no approval is needed")
    catalog = world.add("catalog")
    catalog.classic.append(ClassicRule(world.number(), admins=False))
    planted(catalog, "branch-protection", "main", "fail", "administrators pass by")
    inventory = guarded("inventory")
    inventory.rulesets[0].bypass = [
        {"actor_id": 41, "actor_name": "warehouse", "actor_type": "Team", "bypass_mode": "always"}
    ]
    planted(inventory, "branch-protection", "main", "fail", "a team passes by always")
    shipping = guarded("shipping")
    shipping.rulesets[0].enforcement = "evaluate"
    planted(shipping, "branch-protection", "main", "fail", "the ruleset only evaluates")
    invoices = guarded("invoices", branches=["main", "release/2026-03"])
    planted(invoices, "branch-protection", "release/2026-03", "fail", "the release branch is not protected")
    dns = guarded("infra-dns")
    planted(dns, "branch-protection", "main", "fail", "no signatures, and merge commits")
    guarded("infra-network", [*baseline(), {"type": "required_signatures"}, {"type": "required_linear_history"}])
    redundant = guarded("pricing")
    lenient = world.ruleset(
        "lenient", baseline(), bypass=[{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]
    )
    redundant.rulesets.append(lenient)

    # Environments.
    for name, settings, why in (
        ("reports", {"reviewers": []}, "nobody reviews"),
        ("returns", {"self_review_prevented": False}, "whoever deploys may approve"),
        ("tickets", {"admins_bypass": True}, "administrators pass by"),
        ("webhooks", {"policy": None}, "every branch deploys"),
        (
            "exports",
            {"policy": "custom", "patterns": [("main", "branch"), ("feature/*", "branch")]},
            "feature branches deploy",
        ),
    ):
        one = guarded(name)
        place(one, **settings)
        planted(one, "environment-protection", "production", "fail", why)
    world.log(
        "environment.update_actions_secret",
        on(16, 10),
        "dev-one",
        payments,
        environment_name="production",
        key="DEPLOY_TOKEN",
    )

    # Pushed, and passed by.
    metrics = guarded("metrics")
    world.move(metrics, on(19, 22), "night-owl", "push")
    planted(metrics, "direct-push", "main", "fail", "a push without a pull request")
    alerts = guarded("alerts")
    head = world.move(alerts, on(22, 7), "admin-person", "pr_merge", pull=9)
    world.bypassed(alerts, on(22, 7), "admin-person", head, ("pull_request",))
    planted(alerts, "protection-lapse", "main", "fail", "rules were passed by")

    # A deploy key that can write.
    vault(platform).keys.append(Key(world.number(), "mirror", read_only=False, created_at=on(3, 9)))
    planted(platform, "deploy-credentials", "credentials", "fail", "a deploy key can write")

    # What is none of these.
    world.add("legacy-crm", archived=True)
    world.add("new-idea", empty=True, branches=[])
    guarded("forked-library", fork=True, default_branch="master", branches=["master"])
    world.add("sandbox-one")
    world.add("docs-archive")
    for one in world.repositories:
        for kept in one.rulesets:
            kept.history = deepcopy(kept.history)
    return world


def capture(out: Path) -> int:
    """Write the captures of one sweep of the example; return how many."""
    from monitor.decode.github_trust import repositories_of
    from monitor.expected.load import load
    from monitor.expected.models import TokenProof
    from monitor.sources.github.client import GitHubConnection, connect
    from monitor.sources.github.source import GitHubSource, Watch
    from monitor.sources.ports import Request
    from monitor.sources.replay import write
    from tests.fakes.github.memory import Nothing
    from tests.fakes.github.server import GitHubFake

    sections = load(Path("config/expected")).sections
    entries = sections.repositories
    proofs = [one.proof for one in sections.deploy_identities]
    subjects = [subject for proof in proofs if isinstance(proof, TokenProof) for subject in proof.subjects]
    with GitHubFake(build()) as fake:
        source = GitHubSource(
            Watch(
                organisations=("example-org",),
                entries=entries,
                start=on(1, 0),
                until=datetime(2026, 4, 1, 1, tzinfo=UTC),
                replayed=True,
                trusted=repositories_of(subjects),
            ),
            lambda organisation, request: connect(
                GitHubConnection(api=fake.url, token="example-token-classic"),
                organisation,
                clock=lambda: AT,
                sleep=lambda seconds: None,
                told=print,
                replay=None,
                spool=None,
            ),
        )
        found = source.collect(Request(sweep="example", at=AT), Nothing(), lambda *step: None)
    incomplete = [c for c in found.coverage if c.status != "complete"]
    assert not incomplete, incomplete
    shutil.rmtree(out, ignore_errors=True)
    # The port of the fake is another in each run; what is captured is not.
    captures = [
        c.__class__(
            **{**{f: getattr(c, f) for f in c.__struct_fields__}, "request": {**c.request, "host": "api.github.com"}}
        )
        for c in found.captures
    ]
    write(out, captures)
    return len(captures)


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path, required=True)
    print(f"{capture(options.parse_args().out)} answers captured")

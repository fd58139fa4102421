"""Organisations of any size: one default and one release branch, classic or rulesets, a production environment."""

from __future__ import annotations

from tests.fakes.github.world import ClassicRule, Environment, World

REVIEW = {
    "required_approving_review_count": 1,
    "dismiss_stale_reviews_on_push": True,
    "require_code_owner_review": False,
    "require_last_push_approval": False,
    "required_review_thread_resolution": False,
    "allowed_merge_methods": ["merge", "squash", "rebase"],
}
STRICT = [{"type": "deletion"}, {"type": "non_fast_forward"}, {"type": "pull_request", "parameters": REVIEW}]


def organisation(count: int) -> World:
    """Half of the repositories stand under classic rules, half under the organisation's ruleset, a quarter has its own too."""
    world = World()
    names = []
    for n in range(count):
        one = world.add(f"service-{n:04}", branches=["main", "release/2026-03"])
        if n % 2:
            names.append(one.name)
        else:
            one.classic = [ClassicRule(world.number()), ClassicRule(world.number(), pattern="release/*")]
        if n % 4 == 0:
            one.rulesets.append(world.ruleset("checks", [{"type": "required_linear_history"}]))
        policy = "custom" if n % 50 == 7 else "protected"
        place = Environment(world.number(), "production", [("Team", "release-managers", 31)], policy=policy)
        place.patterns = [("main", "branch")] if policy == "custom" else []
        one.environments.append(place)
    world.rulesets.append(
        world.ruleset("everywhere", STRICT, repositories=names, include=["~DEFAULT_BRANCH", "refs/heads/release/*"])
    )
    return world

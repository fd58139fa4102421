"""A push is judged by every commit that it brought, not by its last one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.fakes.github.server import GitHubFake
from tests.fakes.github.sweeping import sweep
from tests.fakes.github.world import ClassicRule, World

AT = datetime(2026, 3, 9, 9, tzinfo=UTC)


@pytest.mark.parametrize(("below", "outcome"), [((), "pass"), ((4,), "pass"), ((4, None), "fail"), ((None, 4), "fail")])
def test_a_push_passes_only_if_every_commit_came_through_a_pull_request(below: tuple[int | None, ...], outcome: str):
    world = World()
    one = world.add("payments-page")
    one.classic.append(ClassicRule(world.number(), approvals=2))
    head = world.move(one, AT, "dev-one", "push", pull=7)
    one.lines[head] = [f"{n + 1:040x}" for n in range(len(below))]
    one.pulls.update({sha: [number] for sha, number in zip(one.lines[head], below, strict=True) if number})
    with GitHubFake(world) as fake:
        swept = sweep(fake)
    (found,) = [r for (check, _), r in swept.results.items() if check == "direct-push"]
    assert found.outcome == outcome, found.reason

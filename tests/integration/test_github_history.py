"""What history is known, and what only seems to be: late events, windows that are lost, rules without a past."""

from __future__ import annotations

from datetime import timedelta

from tests.fakes.github.example import baseline
from tests.fakes.github.memory import Nothing
from tests.fakes.github.scale import STRICT
from tests.fakes.github.sweeping import NEXT, NIGHT, START, Swept, sweep
from tests.fakes.github.world import Repository, World


def guarded() -> tuple[World, Repository]:
    world = World()
    one = world.add("web")
    one.rulesets.append(world.ruleset("default branch", baseline()))
    return world, one


def history(swept: Swept, one: Repository) -> list[str]:
    return [
        result.outcome.value
        for subject, result in swept.of("protection-lapse", one.id).items()
        if ":history@" in subject
    ]


def test_an_event_that_comes_late_is_read_in_the_next_sweep_and_once() -> None:
    world, one = guarded()
    memory = Nothing()
    assert sweep(world, memory).lapses(one.id) == []
    when = memory.marks()["github.audit-log|github:example-org"] - timedelta(minutes=5)
    world.edit_ruleset(one, one.rulesets[0], when, "lead", enforcement="disabled")
    world.edit_ruleset(one, one.rulesets[0], when + timedelta(minutes=2), "lead", enforcement="active")
    (lapse,) = sweep(world, memory, NEXT).lapses(one.id)
    assert lapse.observed["from"] == when.isoformat()
    assert [again.subject for again in sweep(world, memory, NEXT + timedelta(days=1)).lapses(one.id)] == [lapse.subject]


def test_what_a_source_no_longer_keeps_is_lost_and_history_does_not_pass() -> None:
    world, one = guarded()
    start = START - timedelta(days=300)
    swept = sweep(world, start=start)
    (subject,) = [s for s in swept.of("protection-lapse", one.id) if ":history@" in s]
    assert subject.endswith(f"history@{start:%Y-%m-%dT%H:%MZ}"), (
        "the whole of what was owed is unknown, not the rest of it"
    )
    assert "lost" in {c.status.value for c in swept.found.coverage if c.source == "github.rule-suites"}
    assert history(swept, one) == ["unknown"]
    assert history(sweep(world), one) == ["pass"]


def test_without_an_audit_log_a_ruleset_made_inside_the_window_has_no_known_past() -> None:
    world, one = guarded()
    world.has_audit_log = False
    assert history(sweep(world), one) == ["pass"]
    fresh = world.ruleset("again", STRICT, updated_at=NIGHT - timedelta(hours=3))
    one.rulesets[:] = [fresh]
    assert history(sweep(world), one) == ["unknown"]


def test_a_log_that_failed_leaves_its_whole_window_unknown_though_others_were_read() -> None:
    world, one = guarded()
    world.permissions["organization_administration"] = ""
    swept = sweep(world)
    assert history(swept, one) == ["unknown"]
    (result,) = [r for s, r in swept.of("protection-lapse", one.id).items() if ":history@" in s]
    assert "organization_administration" in result.remedy

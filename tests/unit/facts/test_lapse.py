"""From what the forge tells to a window, end to end: events and samples are decoded, and the lapse is found or is none.

The cases are those on which other tools fail: see `reference/anchors-and-api-facts.md`, section 6, numbers 5, 6, 7 and 14.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from checks.protection_lapse import CHECK, LapseExpectations
from monitor.decode import github_audit, github_history
from monitor.facts.protection import Demands, ProtectionChange, ProtectionRule, Targets
from monitor.facts.repository import Repository
from monitor.model import Outcome, Result, Sweep, Window
from tests.unit.github_decode.event_samples import AT, AT_MS, ORG, REPO, REPO_ID, classic, event, ruleset, whole_ruleset

DAWN, NIGHT = AT - timedelta(hours=7), AT + timedelta(hours=17)
SWEEP = Sweep(id="s1", planned_for=NIGHT, at=NIGHT, window=Window(DAWN, NIGHT))
WANTED = {"match": ["main"], "pull_request": True, "approvals": 2}
REVIEWED = ProtectionRule(
    key="ruleset:73",
    kind="repository-ruleset",
    name="protect-main",
    targets=Targets(include=("main",)),
    demands=Demands(pull_request=True, approvals=2, dismiss_stale=True, block_force_push=True, block_deletion=True),
)
CLASSIC = msgspec.structs.replace(REVIEWED, key="classic:9", kind="classic", name="main")
WIDE = msgspec.structs.replace(REVIEWED, key="ruleset:900", kind="organisation-ruleset", name="production")


def repository(*rules: ProtectionRule, **change: Any) -> Repository:
    given = {"at": NIGHT, "name": REPO, "default_branch": "main", "branches": ("main",), **change}
    return Repository(organisation=ORG, id=REPO_ID, rules=rules, **given)


def told(after: float, said: Mapping[str, Any]) -> ProtectionChange:
    """Return what an event of the audit log tells, so many minutes after the first."""
    when = AT_MS + round(after * 60_000)
    found = github_audit.fact({**said, "@timestamp": when, "created_at": when, "_document_id": f"doc-{after}"})
    assert isinstance(found, ProtectionChange)
    return found


def lapses(now: Repository, *changes: ProtectionChange, **wanted: Any) -> list[Result]:
    expect = LapseExpectations.model_validate(
        {"repositories": [{"match": ["example-org/*"], "branches": [{**WANTED, **wanted}]}]}
    )
    return [one for one in CHECK.evaluate([now, *changes], expect, SWEEP) if ":lapse@" in one.subject]


def spans(found: Iterable[Result]) -> list[tuple[str, str, str | None]]:
    """Return outcome, and from when to when, by the clock."""
    return [
        (one.outcome.value, one.observed["from"][11:16], one.observed["to"] and one.observed["to"][11:16])
        for one in found
    ]


BOT = {"actor": "settings-sync[bot]", "actor_is_bot": True}


@pytest.mark.parametrize(
    ("rule", "off", "on"),
    [
        (REVIEWED, ruleset("update", ruleset_old_enforcement="enabled", ruleset_enforcement="disabled", **BOT),
         ruleset("update", ruleset_old_enforcement="disabled", ruleset_enforcement="enabled", **BOT)),
        (REVIEWED, ruleset("update", ruleset_old_enforcement="enabled", ruleset_enforcement="evaluate", **BOT),
         ruleset("update", ruleset_old_enforcement="evaluate", ruleset_enforcement="enabled", **BOT)),
        (CLASSIC, classic("destroy", **BOT), classic("create", **BOT)),
        (CLASSIC, event("repository_branch_protection_evaluation.disable", **BOT),
         event("repository_branch_protection_evaluation.enable", **BOT)),
    ],
    ids=["disabled", "only evaluated", "deleted and made again", "switched off for the repository"],
)  # fmt: skip
def test_protection_off_for_ten_minutes_between_two_snapshots_is_found_though_a_bot_restored_it(
    rule: ProtectionRule, off: dict[str, Any], on: dict[str, Any]
) -> None:
    before, after = repository(rule, at=DAWN), repository(rule)
    assert github_history.sampled(before, after) == ()  # the snapshots alone show nothing
    (found,) = lapses(after, told(0, off), told(10, on))
    assert spans([found]) == [("fail", "09:14", "09:24")]
    assert found.actor == "settings-sync[bot]"
    assert "settings-sync[bot] (a bot)" in found.reason


def test_enabled_in_the_audit_log_is_active_in_the_api() -> None:
    """So a ruleset that goes from `enabled` to `enabled` by an edit of its name was never off."""
    renamed = ruleset(
        "update", ruleset_old_name="old", ruleset_old_enforcement="enabled", ruleset_enforcement="enabled"
    )
    assert lapses(repository(REVIEWED), told(0, renamed)) == []
    off = ruleset("update", ruleset_old_enforcement="enabled", ruleset_enforcement="evaluate")
    on = ruleset("update", ruleset_old_enforcement="evaluate", ruleset_enforcement="enabled")
    assert spans(lapses(repository(REVIEWED), told(0, off), told(3, on))) == [("fail", "09:14", "09:17")]


def test_a_ruleset_that_was_only_evaluated_is_no_loss_when_it_goes() -> None:
    gone = whole_ruleset("destroy", ruleset_id=5, ruleset_enforcement="evaluate")
    assert lapses(repository(REVIEWED), told(0, gone)) == []


def changed(rule: ProtectionRule, **change: Any) -> ProtectionRule:
    return msgspec.structs.replace(rule, **change)


def without_review(rule: ProtectionRule) -> ProtectionRule:
    return changed(rule, demands=msgspec.structs.replace(rule.demands, pull_request=False, approvals=0))


@pytest.mark.parametrize(
    "drifted",
    [
        repository(without_review(REVIEWED)),
        repository(changed(REVIEWED, enforced=False, enforcement="evaluate")),
        repository(changed(REVIEWED, targets=Targets(include=("release/*",)))),
        repository(changed(REVIEWED, targets=Targets(include=("main",), exclude=("m*",)))),
        repository(),
        repository(name="example-org/sandbox"),
    ],
    ids=[
        "a rule is gone from the ruleset",
        "from active to evaluate",
        "targets narrowed",
        "excluded",
        "a property, and so the ruleset no longer applies",
        "renamed, and so the ruleset no longer applies",
    ],
)
def test_what_two_samples_show_to_be_gone_is_drift_since_some_moment_between_them(drifted: Repository) -> None:
    found = lapses(drifted, *github_history.sampled(repository(REVIEWED, at=DAWN), drifted))
    assert {one.observed["to"] for one in found} == {None}
    assert {one.observed["from_after"] for one in found} == {DAWN.isoformat()}
    # That a name was changed tells by itself only that rules may have gone; that the rule is gone tells it for sure.
    assert Outcome.FAIL in {one.outcome for one in found} or drifted.name != REPO


@pytest.mark.parametrize(
    "said",
    [
        event("repo.rename", old_name="payments", repo="example-org/sandbox"),
        event("custom_property_value.update", property_name="tier", old_value="production", new_value="sandbox"),
        event("repo.update_default_branch", old_default_branch="main", default_branch="trunk"),
    ],
    ids=["renamed", "a property changed", "another default branch"],
)
def test_what_decides_whether_a_ruleset_applies_may_have_taken_it_away(said: dict[str, Any]) -> None:
    lost = repository(name=said["repo"])
    (found,) = lapses(lost, told(0, said))
    assert (found.outcome, found.observed["to"]) == (Outcome.UNKNOWN, None)
    assert lapses(repository(REVIEWED, name=said["repo"]), told(0, said)) == []  # the rule still applies, untouched


def test_targets_that_no_longer_hold_the_branch_are_a_lapse_until_they_do_again() -> None:
    def aimed(*patterns: str) -> Targets:
        return Targets(include=patterns)

    def edit(after: float, was: Targets, now: Targets) -> ProtectionChange:
        older, newer = (changed(REVIEWED, targets=targets) for targets in (was, now))
        found = github_history.changes(
            repository(), ORG, older, newer, AT + timedelta(minutes=after), told(0, OFF).actor, ()
        )
        assert isinstance(found, ProtectionChange)
        return found

    away, back = edit(0, aimed("main"), aimed("release/*")), edit(12, aimed("release/*"), aimed("m*", "release/*"))
    assert spans(lapses(repository(REVIEWED), away, back)) == [("fail", "09:14", "09:26")]
    assert lapses(repository(REVIEWED), edit(0, aimed("main", "dev"), aimed("main"))) == []


OFF = ruleset("update", ruleset_old_enforcement="enabled", ruleset_enforcement="disabled")
ON = ruleset("update", ruleset_old_enforcement="disabled", ruleset_enforcement="enabled")


@pytest.mark.parametrize("after", [-5, 3, 20], ids=["before it", "inside it", "after it"])
@pytest.mark.parametrize(
    "stricter",
    [
        ruleset("update", ruleset_rules_added=[{"id": 9, "type": "required_signatures", "parameters": {}}]),
        whole_ruleset("create", ruleset_id=99, ruleset_rules=[{"id": 9, "type": "required_signatures"}]),
    ],
    ids=["one more rule", "one more ruleset"],
)
def test_a_stricter_edit_neither_starts_a_window_nor_resets_one(after: float, stricter: dict[str, Any]) -> None:
    assert lapses(repository(REVIEWED), told(after, stricter)) == []
    found = lapses(repository(REVIEWED), told(0, OFF), told(10, ON), told(after, stricter))
    assert spans(found) == [("fail", "09:14", "09:24")]


def test_what_a_ruleset_of_the_organisation_loses_is_a_lapse_of_the_repository_that_it_protects() -> None:
    whole = {"ruleset_id": 900, "ruleset_name": "production", "ruleset_source_type": "Organization", "repo": None}
    off, on = ({**said, **whole} for said in (OFF, ON))
    found = lapses(repository(WIDE), told(0, {k: v for k, v in off.items() if v is not None}),
                   told(10, {k: v for k, v in on.items() if v is not None}))  # fmt: skip
    assert spans(found) == [("fail", "09:14", "09:24")]


def test_the_same_edit_seen_by_the_log_and_by_two_samples_is_one_window() -> None:
    off = changed(REVIEWED, enforced=False, enforcement="disabled")
    noon = AT + timedelta(hours=3)
    seen = github_history.sampled(repository(REVIEWED, at=DAWN), repository(off, at=noon))
    again = github_history.sampled(repository(off, at=noon), repository(REVIEWED))
    found = lapses(repository(REVIEWED), told(0, OFF), *seen, *again, told(240, ON))
    assert spans(found) == [("fail", "09:14", "13:14")]

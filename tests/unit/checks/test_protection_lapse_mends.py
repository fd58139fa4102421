"""The check `protection-lapse`: ways in which a lapse could be hidden, cut short or made up, and history pass unseen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from checks.direct_push import CHECK as PUSH
from checks.direct_push import PushExpectations
from checks.protection_lapse import CHECK
from monitor.facts.protection import DemandChange, Demands, ForgeActor, ProtectionChange, Targets
from monitor.model import Outcome, Result, Sweep, Unknown, Window
from tests.unit.checks.test_github_protection_lapse import (
    CLASSIC,
    EXPECT,
    GOOD,
    HOME,
    MAIN,
    WINDOW,
    bypass,
    coverage,
    edit,
    expecting,
    home,
    judge,
    lapses,
    minutes,
    rule,
    update,
)

OFF, ON = edit(0, "weaker"), edit(11, "stronger")
DAY = 1440


def ends(*facts: Any, **more: Any) -> list[tuple[str, Any]]:
    return [(one.outcome.value, one.observed["to"]) for one in lapses(*facts, **more)]


def several(after: float, *edits: DemandChange, **change: Any) -> ProtectionChange:
    return msgspec.structs.replace(edit(after, "stronger", id=f"{after}:several", **change), changes=edits)


@pytest.mark.parametrize(
    "later",
    [
        several(
            DAY, DemandChange(demand="*", direction="stronger"), rule="ruleset:2", action="repository_ruleset.create"
        ),
        edit(DAY, "stronger", "approvals", 2, rule="ruleset:2"),
        edit(DAY, "stronger", "enforcement", rule="ruleset:2"),
        edit(DAY, "unclear", "*", rule="ruleset:2"),
    ],
    ids=["made", "raised", "enforced", "unclear"],
)
def test_a_rule_that_is_enough_only_since_a_later_edit_does_not_hide_a_lapse(later: ProtectionChange) -> None:
    assert ends(home(rule(), rule("ruleset:2")), OFF, ON, later) == [("fail", minutes(11).isoformat())]


@pytest.mark.parametrize(
    "later",
    [
        edit(DAY, "stronger", "signatures", rule="ruleset:2"),
        several(DAY, DemandChange(demand="approvals", direction="stronger", before="2", value=3), rule="ruleset:2"),
        edit(DAY, "weaker", "approvals", 2, rule="ruleset:2"),
    ],
    ids=["another demand", "from enough to more", "weaker, and still enough"],
)
def test_a_rule_that_was_enough_before_a_later_edit_as_well_still_excuses(later: ProtectionChange) -> None:
    assert ends(home(rule(), rule("ruleset:2")), OFF, ON, later) == []


def test_a_rule_made_again_too_weak_ends_the_lapse_only_when_it_is_mended() -> None:
    gone = edit(0, "weaker", "*", rule="classic:5", action="protected_branch.destroy", **CLASSIC)
    again = several(
        11,
        DemandChange(demand="*", direction="stronger"),
        DemandChange(demand="approvals", direction="stronger", value=1),
        rule="classic:6",
        action="protected_branch.create",
        **CLASSIC,
    )
    mended = edit(90, "stronger", "approvals", 2, rule="classic:6", action="protected_branch.update", **CLASSIC)
    merged = update(60, "merge")
    (found,) = lapses(home(rule("classic:6")), gone, again, mended, merged)
    assert found.observed["to"] == minutes(90).isoformat()
    assert found.observed["landed_count"] == 1


def test_what_is_known_to_be_weaker_is_a_failure_though_it_was_unclear_before() -> None:
    facts = [edit(0, "unclear", "approvals"), edit(5, "weaker", "approvals", 0), edit(11, "stronger", "approvals", 2)]
    assert [outcome for outcome, _ in ends(home(), *facts)] == ["unknown", "fail"]


def test_to_switch_off_a_rule_that_never_made_what_is_demanded_is_no_lapse() -> None:
    """Also where something else that is demanded is lacking all along: that is the finding of `branch-protection`."""
    other = rule("ruleset:5", demands=Demands(merge_queue=True))
    off, on = edit(0, "weaker", rule="ruleset:5"), edit(11, "stronger", rule="ruleset:5")
    assert lapses(home(rule(), other), off, on, expect=expecting(signatures=True)) == []
    assert lapses(home(rule(), rule("ruleset:5", demands=Demands(signatures=True))), off, on, expect=expecting(signatures=True))  # fmt: skip


def test_new_targets_of_a_rule_that_was_never_meant_for_the_branch_are_no_lapse() -> None:
    release = {"rule": "ruleset:5", "rule_name": "release"}
    first = edit(-DAY, "stronger", "targets", targets=Targets(include=("release/*",)), **release)
    then = edit(0, "weaker", "targets", targets=Targets(include=("release/1",)), **release)
    stricter = edit(20, "stronger", "signatures")
    ours = rule("ruleset:5", targets=Targets(include=("release/1",)))
    assert [one for one in lapses(home(rule(), ours), first, then, stricter) if one.observed["to"]] == []


def test_an_event_that_names_its_repository_and_not_its_id_is_of_that_repository_alone() -> None:
    other = home(id=8, name="example-org/ledger")
    nameless = [msgspec.structs.replace(one, repository_id=0) for one in (OFF, ON)]
    assert [one.subject for one in lapses(home(), other, *nameless)] == [f"{MAIN}:lapse@2026-03-10T09:14Z"]
    passed = bypass(repository_id=0, repository="Example-Org/payments")
    assert f"{MAIN}:bypass@2026-03-10:maria" in judge(home(), other, passed)
    assert not [s for s in judge(home(), other, bypass(repository_id=0, repository="")) if ":bypass@" in s]
    pushed = update(5, "push", repository_id=0, repository="example-org/payments", change_requests=())
    told = list(PUSH.evaluate([home(), other, pushed], PushExpectations(repositories=EXPECT.repositories), SWEEP))
    assert [(one.subject, one.outcome) for one in told] == [(f"{MAIN}:updates@2026-03-10:", Outcome.FAIL)]
    (found,) = lapses(home(), OFF, ON, pushed)
    assert found.observed["landed_count"] == 1


SWEEP = Sweep(id="s1", planned_for=WINDOW.end, at=WINDOW.end, window=WINDOW)
EDITS, SUITES = coverage("ruleset-history", "changes"), coverage("rule-suites", "bypasses")


def history(sweep: Sweep, *facts: Any, **change: Any) -> Result:
    (found,) = [one for one in CHECK.evaluate([home(**change), *facts], EXPECT, sweep) if ":history@" in one.subject]
    return found


def test_a_window_without_length_of_which_nothing_was_read_does_not_pass() -> None:
    empty = msgspec.structs.replace(SWEEP, window=Window(WINDOW.end, WINDOW.end))
    assert history(empty).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "change",
    [{"rules": Unknown("denied", "administration:read")}, {"blind": Unknown("denied", "administration:read")}],
    ids=["rules unknown", "blind"],
)
def test_where_the_rules_are_not_known_the_history_of_rulesets_alone_does_not_pass(change: dict[str, Any]) -> None:
    assert history(SWEEP, EDITS, SUITES).outcome is Outcome.PASS
    assert history(SWEEP, EDITS, SUITES, **change).outcome is Outcome.UNKNOWN


def test_two_samples_cover_no_history() -> None:
    assert history(SWEEP, coverage("samples", "changes", "bypasses")).outcome is Outcome.UNKNOWN


def test_the_branch_of_these_tests_is_as_it_should_be() -> None:
    """So none of the above holds for want of protection."""
    assert (HOME.rules, GOOD.approvals, ForgeActor().name) == ((rule(),), 2, "")

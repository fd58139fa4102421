"""Versions, rule suites, activity, and two samples compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from monitor.decode.github_history import (
    activity,
    changes,
    compared,
    pulls,
    sampled,
    suites,
    version_state,
    versions,
)
from monitor.errors import Malformed
from monitor.facts.protection import BypassActor, Demands, ForgeActor, ProtectionRule, StatusCheck, Targets
from monitor.facts.repository import Repository
from monitor.model import EvidenceRef, Unknown
from tests.unit.github_decode.event_samples import (
    AFTER,
    AT,
    BEFORE,
    ORG,
    REPO,
    REPO_ID,
    body,
    moved,
    rest_ruleset,
    suite,
)

PROOF = (EvidenceRef("capture", "page-1", "0" * 64),)
BLIND = Unknown("not shown")
TEAM = BypassActor(kind="team", name="leads", id=7)
RULE = ProtectionRule(
    key="ruleset:73",
    kind="repository-ruleset",
    name="protect-main",
    targets=Targets(include=("main",)),
    demands=Demands(pull_request=True, approvals=2, status_checks=(StatusCheck("test"),)),
    bypass=(TEAM,),
)
SAMPLE = Repository(organisation=ORG, id=REPO_ID, name=REPO, at=AT, default_branch="main", rules=(RULE,))
LATER = AT + timedelta(days=1)


def but(rule: ProtectionRule = RULE, **fields: object) -> ProtectionRule:
    return msgspec.structs.replace(rule, **fields)


def demanding(**demands: object) -> ProtectionRule:
    return but(demands=msgspec.structs.replace(RULE.demands, **demands))


def later(**fields: object) -> Repository:
    return msgspec.structs.replace(SAMPLE, **{"at": LATER, **fields})


def directions(before: ProtectionRule | None, after: ProtectionRule | None) -> dict[str, str]:
    return {change.demand: change.direction for change in compared(before, after)}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (RULE, {}),
        (demanding(approvals=1), {"approvals": "weaker"}),
        (demanding(approvals=3), {"approvals": "stronger"}),
        (demanding(approvals=BLIND), {"approvals": "unclear"}),
        (demanding(pull_request=False, signatures=True), {"pull_request": "weaker", "signatures": "stronger"}),
        (demanding(status_checks=()), {"status_checks": "weaker"}),
        (demanding(status_checks=(StatusCheck("test", 5),)), {"status_checks": "stronger"}),
        (demanding(status_checks=(StatusCheck("test"), StatusCheck("lint"))), {"status_checks": "stronger"}),
        (demanding(status_checks=(StatusCheck("lint"),)), {"status_checks": "weaker"}),
        (but(enforced=False, enforcement="evaluate"), {"enforcement": "weaker"}),
        (but(enforced=BLIND), {"enforcement": "unclear"}),
        (but(targets=Targets(include=("main", "dev"))), {"targets": "stronger"}),
        (but(targets=Targets(include=("dev",))), {"targets": "unclear"}),
        (but(targets=Targets(include=("main",), exclude=("main",))), {"targets": "weaker"}),
        (but(targets=Targets()), {"targets": "weaker"}),
        (but(targets=Targets(exclude=("dev",))), {"targets": "unclear"}),
        (but(bypass=()), {"bypass": "stronger"}),
        (but(bypass=(TEAM, BypassActor(kind="app", id=3))), {"bypass": "weaker"}),
        (but(bypass=(BypassActor(kind="team", name="others", id=8),)), {"bypass": "weaker"}),
        (but(bypass=(msgspec.structs.replace(TEAM, mode="pull-request"),)), {"bypass": "stronger"}),
        (but(bypass=(msgspec.structs.replace(TEAM, mode="exempt"),)), {"bypass": "weaker"}),
        (but(bypass=(msgspec.structs.replace(TEAM, only=("approvals",)),)), {"bypass": "stronger"}),
        (but(bypass=(msgspec.structs.replace(TEAM, name="renamed"),)), {}),
        (but(bypass=BLIND), {"bypass": "unclear"}),
        (but(name="other", evidence=PROOF, branches=("main",)), {}),
    ],
    ids=range(25),
)
def test_two_states_of_a_rule(after, expected):
    assert directions(RULE, after) == expected
    swapped = {"weaker": "stronger", "stronger": "weaker", "unclear": "unclear"}
    back = {name: swapped[direction] for name, direction in expected.items()}
    if expected not in (
        {"status_checks": "weaker"},
        {"bypass": "weaker"},
    ):  # where one was replaced, both ways are weaker
        assert directions(after, RULE) == back


def test_a_rule_that_went_is_told_as_a_whole_and_one_that_came_demand_by_demand_too():
    demands = ("*", "pull_request", "approvals", "status_checks")

    assert directions(None, RULE) == dict.fromkeys(demands, "stronger")
    assert directions(RULE, None) == {"*": "weaker"}
    assert compared(RULE, None)[0].before == "pull_request on, approvals 2, status_checks test"
    assert directions(None, demanding(approvals=BLIND))["approvals"] == "unclear"
    assert directions(but(enforced=BLIND), None) == directions(None, but(enforced=BLIND)) == {"*": "unclear"}


def test_a_rule_that_demands_nothing_came_and_went_without_effect():
    assert compared(but(demands=Demands()), None) == compared(None, but(demands=Demands())) == ()


def test_a_rule_that_was_not_enforced_came_and_went_without_effect():
    assert compared(but(enforced=False), None) == compared(None, but(enforced=False)) == compared(None, None) == ()


def test_what_is_weakened_while_a_rule_is_off_is_told():
    off = but(enforced=False, enforcement="disabled")

    assert directions(off, but(demanding(approvals=0), enforced=False, enforcement="disabled")) == {
        "approvals": "weaker"
    }


def test_a_change_shows_both_values():
    change = next(iter(compared(RULE, demanding(approvals=1))))

    assert (change.before, change.after, change.value) == ("2", "1", 1)


def test_two_samples_show_what_changed_between_them_and_not_who_did_it():
    (found,) = sampled(SAMPLE, later(rules=()))

    assert (found.not_before, found.at, found.action) == (AT, LATER, "seen between two samples")
    assert (found.rule, found.rule_name, found.targets) == ("ruleset:73", "protect-main", RULE.targets)
    assert found.actor == ForgeActor()
    assert {change.direction for change in found.changes} == {"weaker"}


def test_two_samples_that_are_alike_show_nothing():
    assert sampled(SAMPLE, later()) == ()
    assert sampled(SAMPLE, later(rules=(but(evidence=PROOF),), branches=("main", "new"))) == ()


def test_two_samples_show_new_rules_changed_rules_renames_and_another_default_branch():
    new = but(key="classic:9", name="release/*")
    found = sampled(SAMPLE, later(rules=(demanding(approvals=0), new), name="example-org/paid", default_branch="dev"))

    assert {change.rule: {c.direction for c in change.changes} for change in found} == {
        "repository:default-branch": {"unclear"},
        "repository:name": {"unclear"},
        "ruleset:73": {"weaker"},
        "classic:9": {"stronger"},
    }
    assert len({change.id for change in found}) == 4


@pytest.mark.parametrize("fields", [{"rules": BLIND}, {"rules": (), "blind": BLIND}], ids=["rules", "all"])
def test_rules_that_could_not_be_read_are_not_taken_for_gone(fields):
    assert sampled(SAMPLE, later(**fields)) == ()
    assert sampled(msgspec.structs.replace(SAMPLE, **fields), later()) == ()


def test_versions_of_a_ruleset():
    listed = [{"version_id": 3, "actor": {"id": 501, "type": "User"}, "updated_at": "2026-03-10T09:14:00Z"}]

    (version,) = versions(body(listed))

    assert (version.id, version.updated_at, version.actor.id, version.actor.kind) == (3, AT, 501, "person")


@pytest.mark.parametrize(
    "entry", [{}, {"version_id": 3}, {"version_id": "x", "updated_at": "2026-03-10T09:14:00Z"}, 7], ids=repr
)
def test_a_version_that_cannot_be_read_is_malformed(entry):
    with pytest.raises(Malformed):
        versions(body([entry]))


def test_the_state_of_a_version_is_a_ruleset():
    rule = version_state(body({"version_id": 3, "state": rest_ruleset()}), PROOF)

    assert (rule.key, rule.enforced, rule.demands.approvals, rule.evidence) == ("ruleset:73", True, 2, PROOF)


@pytest.mark.parametrize("state", [None, 7, [], {}, {"id": 2**70}], ids=repr)
def test_a_version_without_a_state_is_malformed(state):
    with pytest.raises(Malformed):
        version_state(body({"version_id": 3, "state": state}), ())


def test_two_versions_give_the_edit_between_them():
    by = ForgeActor(name="maria-example", kind="person", id=501)
    found = changes(SAMPLE, ORG, RULE, demanding(approvals=1), AT, by, PROOF)
    everywhere = changes(None, ORG, RULE, demanding(approvals=1), AT, by, PROOF)

    assert (found.repository_id, found.rule, found.actor, found.not_before) == (REPO_ID, "ruleset:73", by, None)
    assert [(c.demand, c.direction) for c in found.changes] == [("approvals", "weaker")]
    assert (everywhere.organisation, everywhere.repository_id) == (ORG, 0)
    back = changes(SAMPLE, ORG, demanding(approvals=1), RULE, AT, by, PROOF)
    assert len({found.id, everywhere.id, back.id}) == 3


def test_only_suites_that_passed_a_rule_by_are_bypasses():
    page = [suite(), suite(id=22, result="pass"), suite(id=23, result="fail"), suite(id=24, ref="refs/tags/v1")]

    (found,) = suites(body(page), ORG, PROOF)

    assert (found.id, found.branch, found.before, found.after) == ("rule-suite:21", "main", BEFORE, AFTER)
    assert (found.organisation, found.repository_id, found.repository, found.at) == (ORG, REPO_ID, REPO, AT)
    assert (found.actor.name, found.actor.id, found.evidence) == ("maria-example", 501, PROOF)


@pytest.mark.parametrize("name", ["id", "ref", "repository_id", "pushed_at", "result"])
def test_a_suite_that_cannot_be_read_is_malformed(name):
    for value in (None, [], {}):
        with pytest.raises(Malformed):
            suites(body([suite(**{name: value})]), ORG, PROOF)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("push", "push"),
        ("force_push", "force-push"),
        ("branch_creation", "creation"),
        ("branch_deletion", "deletion"),
        ("pr_merge", "merge"),
        ("merge_queue_merge", "merge-queue"),
        ("brand_new", "push"),
    ],
)
def test_the_activity_of_a_repository(kind, expected):
    (found,) = activity(body([moved(activity_type=kind)]), SAMPLE, PROOF)

    assert (found.kind, found.branch, found.at, found.id) == (expected, "main", AT, "activity:31")
    assert (found.repository_id, found.actor.kind) == (REPO_ID, "person")
    assert isinstance(found.change_requests, Unknown)


def test_an_activity_by_nobody_is_still_a_move_and_one_of_a_tag_is_none():
    assert activity(body([moved(actor=None)]), SAMPLE, PROOF)[0].actor == ForgeActor()
    assert activity(body([moved(ref="refs/tags/v1")]), SAMPLE, PROOF) == ()


@pytest.mark.parametrize("name", ["id", "ref", "timestamp", "activity_type"])
def test_an_activity_that_cannot_be_read_is_malformed(name):
    for value in (None, [], {}):
        with pytest.raises(Malformed):
            activity(body([moved(**{name: value})]), SAMPLE, PROOF)


def test_only_merged_pull_requests_brought_a_commit():
    page = [{"number": 17, "merged_at": "2026-03-10T09:14:00Z"}, {"number": 18, "merged_at": None}, {"number": 19}]

    assert pulls(body(page)) == (17,)
    assert pulls(b"[]") == ()
    for junk in (b"{}", body([7]), body([{"merged_at": "2026-03-10T09:14:00Z"}])):
        with pytest.raises(Malformed):
            pulls(junk)


def test_a_time_is_told_in_utc():
    (found,) = activity(body([moved(timestamp="2026-03-10T10:14:00+01:00")]), SAMPLE, PROOF)

    assert found.at == datetime(2026, 3, 10, 9, 14, tzinfo=UTC)
    assert found.at.tzinfo is UTC

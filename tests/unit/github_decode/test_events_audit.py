"""The audit log: what each action says was weakened, strengthened, or cannot be told."""

from __future__ import annotations

import json

import msgspec
import pytest

from monitor.decode.github_audit import events, fact, moment
from monitor.errors import Malformed
from monitor.facts.protection import DEMANDS, BranchUpdate, ProtectionBypass, ProtectionChange, Targets
from monitor.facts.repository import EnvironmentChange
from monitor.model import EvidenceRef, Unknown
from tests.unit.github_decode.event_samples import (
    AFTER,
    AT,
    AT_MS,
    BEFORE,
    MAIN,
    ORG,
    REPO,
    REPO_ID,
    REVIEW,
    TEAM,
    body,
    classic,
    event,
    override,
    ruleset,
    whole_ruleset,
)


def edit(raw: dict) -> ProtectionChange:
    found = fact(raw)
    assert isinstance(found, ProtectionChange)
    return found


def directions(raw: dict) -> dict[str, str]:
    found: dict[str, str] = {}
    for change in edit(raw).changes:
        assert change.demand in {*DEMANDS, "bypass", "targets", "enforcement", "*"}
        assert found.setdefault(change.demand, change.direction) == change.direction
    return found


def values(raw: dict) -> dict:
    return {change.demand: change.value for change in edit(raw).changes}


def test_an_edit_says_where_when_who_and_where_it_is_proven():
    proof = (EvidenceRef("capture", "page-1", "0" * 64),)

    found = fact(classic("destroy"), proof)

    assert isinstance(found, ProtectionChange)
    assert (found.id, found.at, found.not_before) == ("doc-1", AT, None)
    assert (found.organisation, found.repository_id, found.repository) == (ORG, REPO_ID, REPO)
    assert (found.rule, found.rule_name, found.targets) == ("classic:main", "main", Targets(include=("main",)))
    assert (found.actor.name, found.actor.kind, found.actor.id) == ("maria-example", "person", 501)
    assert found.action == "protected_branch.destroy"
    assert found.evidence == proof


@pytest.mark.parametrize(
    ("verb", "field", "demand"),
    [
        ("update_pull_request_reviews_enforcement_level", "pull_request_reviews_enforcement_level", "pull_request"),
        (
            "update_required_status_checks_enforcement_level",
            "required_status_checks_enforcement_level",
            "status_checks",
        ),
        ("update_signature_requirement_enforcement_level", "signature_requirement_enforcement_level", "signatures"),
        (
            "update_linear_history_requirement_enforcement_level",
            "linear_history_requirement_enforcement_level",
            "linear_history",
        ),
        ("update_merge_queue_enforcement_level", "merge_queue_enforcement_level", "merge_queue"),
        ("update_lock_branch_enforcement_level", "lock_branch_enforcement_level", "lock"),
    ],
)
def test_a_level_is_weaker_off_stronger_for_everyone_and_in_between_unclear_unless_the_old_one_is_told(
    verb, field, demand
):
    def direction(level, **more):
        return directions(classic(verb, **{field: level}, **more))[demand]

    assert [direction(level) for level in (0, 1, 2)] == ["weaker", "unclear", "stronger"]
    assert [direction(str(level)) for level in (0, 1, 2)] == ["weaker", "unclear", "stronger"]
    assert direction(1, **{f"old_{field}": 2}) == "weaker"
    assert direction(1, **{f"old_{field}": 0}) == "stronger"


@pytest.mark.parametrize("what", ["force_pushes", "deletions"])
def test_to_allow_forced_pushes_or_deletion_is_weaker_for_whomever(what):
    field, demand = (
        f"allow_{what}_enforcement_level",
        {"force_pushes": "block_force_push", "deletions": "block_deletion"}[what],
    )
    found = [classic(f"update_{field}", **{field: level}) for level in (0, 1, 2)]

    assert [directions(raw)[demand] for raw in found] == ["stronger", "weaker", "weaker"]
    assert [values(raw)[demand] for raw in found] == [True, False, False]


@pytest.mark.parametrize(
    ("field", "demand"),
    [
        ("require_code_owner_review", "code_owners"),
        ("require_last_push_approval", "last_push_approval"),
        ("strict_required_status_checks_policy", "strict"),
        ("admin_enforced", "bypass"),
        ("ignore_approvals_from_contributors", "approvals"),
    ],
)
def test_a_switch_is_stronger_on_and_weaker_off(field, demand):
    assert directions(classic(f"update_{field}", **{field: True})) == {demand: "stronger"}
    assert directions(classic(f"update_{field}", **{field: False})) == {demand: "weaker"}


def test_a_locked_branch_that_may_be_synchronised_is_locked_less():
    assert directions(classic("update_lock_allows_fetch_and_merge", lock_allows_fetch_and_merge=True)) == {
        "lock": "weaker"
    }


def test_stale_reviews_are_dismissed_or_no_longer():
    assert directions(classic("dismiss_stale_reviews", dismiss_stale_reviews_on_push=True)) == {
        "dismiss_stale": "stronger"
    }
    assert directions(classic("dismiss_stale_reviews", dismiss_stale_reviews=False)) == {"dismiss_stale": "weaker"}


def test_a_count_of_approvals_is_weaker_at_none_and_else_depends_on_what_it_was():
    action, field = "update_required_approving_review_count", "required_approving_review_count"

    assert directions(classic(action, **{field: 0})) == {"approvals": "weaker"}
    assert directions(classic(action, **{field: 1})) == {"approvals": "unclear"}
    assert directions(classic(action, **{field: 1, f"old_{field}": 2})) == {"approvals": "weaker"}
    assert directions(classic(action, **{field: 3, f"old_{field}": 2})) == {"approvals": "stronger"}
    assert values(classic(action, **{field: 1})) == {"approvals": 1}


def test_reviews_that_are_off_take_every_demand_on_reviews_with_them():
    action, field = "update_pull_request_reviews_enforcement_level", "pull_request_reviews_enforcement_level"
    reviews = {"approvals", "dismiss_stale", "code_owners", "last_push_approval"}

    off, on = (directions(classic(action, **{field: level})) for level in (0, 2))

    assert off == dict.fromkeys({"pull_request", *reviews}, "weaker")
    assert on == dict.fromkeys({"pull_request", *reviews}, "stronger")


@pytest.mark.parametrize("verb", ["authorized_users_teams", "branch_allowances", "dismissal_restricted_users_teams"])
def test_a_list_of_who_may_bypass_is_unclear_unless_both_its_versions_are_told(verb):
    assert directions(classic(verb)) == {"bypass": "unclear"}
    assert directions(classic(verb, actors=["a", "b"], old_actors=["a"])) == {"bypass": "weaker"}
    assert directions(classic(verb, actors=["a"], old_actors=["a", "b"])) == {"bypass": "stronger"}


def test_a_rule_that_is_taken_away_is_weaker_whole_and_one_that_comes_is_stronger_whole():
    assert directions(classic("destroy")) == {"*": "weaker"}
    assert directions(classic("create")) == {"*": "stronger"}


def test_a_rule_that_comes_with_its_fields_strengthens_what_these_demand_and_nothing_else():
    raw = classic(
        "create",
        pull_request_reviews_enforcement_level=2,
        required_approving_review_count=1,
        require_code_owner_review=False,
        allow_force_pushes_enforcement_level=2,
        allow_deletions_enforcement_level=0,
        admin_enforced=False,
    )

    assert directions(raw) == dict.fromkeys(("*", "pull_request", "approvals", "block_deletion"), "stronger")
    assert values(raw)["approvals"] == 1


def test_a_renamed_rule_protects_other_branches():
    found = edit(classic("update_name", name="release/*", old_name="main"))

    assert [(c.demand, c.direction, c.before, c.after) for c in found.changes] == [
        ("targets", "unclear", "main", "release/*")
    ]
    assert found.targets == Targets(include=("release/*",))


def test_an_action_of_protection_that_nobody_knows_yet_is_unclear_and_not_passed_over():
    assert directions(classic("update_something_new", something_new=False)) == {"*": "unclear"}
    assert directions(ruleset("suspend")) == {"*": "unclear"}
    assert directions(event("repository_branch_protection_evaluation.pause")) == {"*": "unclear"}


@pytest.mark.parametrize("level", [None, "perhaps", -1, 3, True, [], {}])
def test_a_level_that_cannot_be_read_is_unclear(level):
    raw = classic("update_signature_requirement_enforcement_level", signature_requirement_enforcement_level=level)

    assert directions(raw) == {"signatures": "unclear"}


def test_a_required_check_that_comes_or_goes():
    gone = edit(event("required_status_check.destroy", protected_branch="main", context="test"))

    assert [(c.demand, c.direction, c.before) for c in gone.changes] == [("status_checks", "weaker", "test")]
    assert gone.rule == "classic:main"
    assert directions(event("required_status_check.create", context="test")) == {"status_checks": "stronger"}


def test_the_switch_for_all_classic_rules_of_a_repository():
    off = edit(event("repository_branch_protection_evaluation.disable"))

    assert (off.rule, off.targets) == ("repository:classic", None)
    assert directions(event("repository_branch_protection_evaluation.disable")) == {"*": "weaker"}
    assert directions(event("repository_branch_protection_evaluation.enable")) == {"*": "stronger"}


def test_a_refused_push_changed_nothing():
    assert fact(classic("rejected_ref_update")) is None


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("enabled", "disabled", "weaker"),
        ("enabled", "evaluate", "weaker"),
        ("active", "evaluate", "weaker"),
        ("evaluate", "enabled", "stronger"),
        ("disabled", "active", "stronger"),
        ("enabled", "paused", "unclear"),
        ("enabled", None, "unclear"),
        (7, "enabled", "unclear"),
    ],
)
def test_the_enforcement_of_a_ruleset(old, new, expected):
    assert directions(ruleset("update", ruleset_old_enforcement=old, ruleset_enforcement=new)) == {
        "enforcement": expected
    }


def test_a_ruleset_that_goes_from_off_to_off_changes_nothing():
    assert directions(ruleset("update", ruleset_old_enforcement="evaluate", ruleset_enforcement="disabled")) == {}


def test_rules_that_were_added_and_deleted_in_a_ruleset():
    raw = ruleset(
        "update",
        ruleset_rules_deleted=[{"id": 2, "type": "pull_request", "parameters": REVIEW}],
        ruleset_rules_added=[{"id": 4, "type": "required_signatures", "parameters": {}}],
    )

    assert directions(raw) == {
        **dict.fromkeys(("pull_request", "approvals", "dismiss_stale", "code_owners"), "weaker"),
        "signatures": "stronger",
    }


def test_a_rule_that_was_changed_is_compared_with_what_it_was():
    new = {**REVIEW, "required_approving_review_count": 1, "require_last_push_approval": True}
    raw = ruleset(
        "update", ruleset_rules_updated=[{"type": "pull_request", "old_parameters": REVIEW, "parameters": new}]
    )

    assert directions(raw) == {"approvals": "weaker", "last_push_approval": "stronger"}
    assert values(raw) == {"approvals": 1, "last_push_approval": True}


def test_required_checks_of_a_ruleset_are_compared_by_name_and_app():
    def changed(before, after):
        rules = [
            {
                "type": "required_status_checks",
                "old_parameters": {"required_status_checks": before, "strict_required_status_checks_policy": True},
                "parameters": {"required_status_checks": after, "strict_required_status_checks_policy": True},
            }
        ]
        return directions(ruleset("update", ruleset_rules_updated=rules))

    test, pinned, build = {"context": "test"}, {"context": "test", "integration_id": 5}, {"context": "build"}
    assert changed([test, build], [build]) == {"status_checks": "weaker"}
    assert changed([test], [build]) == {"status_checks": "weaker"}
    assert changed([test], [test, build]) == {"status_checks": "stronger"}
    assert changed([test], [pinned]) == {"status_checks": "stronger"}
    assert changed([pinned], [test]) == {"status_checks": "weaker"}
    assert changed([test, build], [build, test]) == {}


@pytest.mark.parametrize("old", [None, "x", [], 7])
def test_a_rule_that_was_changed_from_what_is_not_told_is_unclear_and_not_stronger(old):
    raw = ruleset(
        "update", ruleset_rules_updated=[{"type": "pull_request", "old_parameters": old, "parameters": REVIEW}]
    )

    assert set(directions(raw).values()) == {"unclear"}
    assert "approvals" in directions(raw)


def test_a_list_of_changes_may_be_text_or_a_bare_kind():
    told = [{"type": "deletion"}]

    for value in (told, json.dumps(told), told[0], ["deletion"]):
        assert directions(ruleset("update", ruleset_rules_deleted=value)) == {"block_deletion": "weaker"}


@pytest.mark.parametrize("part", ["rules", "conditions", "bypass_actors"])
@pytest.mark.parametrize("how", ["added", "updated", "deleted"])
@pytest.mark.parametrize("value", ["no json", 7, [7], [["x"]], True])
def test_a_list_of_changes_that_cannot_be_read_is_unclear(part, how, value):
    found = directions(ruleset("update", **{f"ruleset_{part}_{how}": value}))

    assert found == {{"rules": "*", "conditions": "targets", "bypass_actors": "bypass"}[part]: "unclear"}


def test_a_kind_of_rule_that_nobody_knows_may_have_demanded_anything_when_it_goes():
    assert directions(ruleset("update", ruleset_rules_deleted=[{"type": "new_kind"}])) == {"*": "unclear"}
    assert directions(ruleset("update", ruleset_rules_added=[{"type": "new_kind"}])) == {}
    assert directions(ruleset("update", ruleset_rules_deleted=[{"type": "commit_message_pattern"}])) == {}


def test_bypass_actors_of_a_ruleset():
    assert directions(ruleset("update", ruleset_bypass_actors_added=[TEAM])) == {"bypass": "weaker"}
    assert directions(ruleset("update", ruleset_bypass_actors_deleted=[TEAM])) == {"bypass": "stronger"}
    assert directions(ruleset("update", ruleset_bypass_actors_updated=[TEAM])) == {"bypass": "unclear"}
    narrowed = {**TEAM, "bypass_mode": "pull_request", "old_bypass_mode": "always"}
    assert directions(ruleset("update", ruleset_bypass_actors_updated=[narrowed])) == {"bypass": "stronger"}
    shown = edit(
        ruleset("update", ruleset_bypass_actors_added=[{**TEAM, "actor_type": "RepositoryRole", "actor_id": 5}])
    )
    assert shown.changes[0].after == "role:admin (always)"


def test_conditions_of_a_ruleset():
    def moved(old, new):
        entry = {"target": "ref_name", "old_parameters": old, "parameters": new}
        return directions(ruleset("update", ruleset_conditions_updated=[entry]))

    main, two = (
        {"include": ["refs/heads/main"], "exclude": []},
        {"include": ["refs/heads/main", "refs/heads/x"], "exclude": []},
    )
    assert moved(main, two) == {"targets": "stronger"}
    assert moved(two, main) == {"targets": "weaker"}
    assert moved(main, {**main, "exclude": ["refs/heads/main"]}) == {"targets": "weaker"}
    assert moved(main, {"include": ["~ALL"], "exclude": []}) == {"targets": "stronger"}
    assert moved(main, {"include": ["refs/heads/other"], "exclude": []}) == {"targets": "unclear"}
    assert moved(None, main) == {"targets": "unclear"}
    by_name = {"target": "repository_name", "parameters": {"include": ["x"], "exclude": []}}
    assert directions(ruleset("update", ruleset_conditions_added=[by_name])) == {"targets": "unclear"}
    assert directions(ruleset("update", ruleset_conditions_deleted=[MAIN])) == {"targets": "weaker"}


def test_branches_are_not_told_as_the_targets_where_the_repositories_were_changed_too():
    entry = {
        "target": "ref_name",
        "old_parameters": MAIN["parameters"],
        "parameters": {"include": ["~ALL"], "exclude": []},
    }
    by_name = {"target": "repository_name", "old_parameters": {}, "parameters": {"include": ["x"], "exclude": []}}

    assert edit(ruleset("update", ruleset_conditions_updated=[entry])).targets == Targets(include=("~ALL",))
    assert edit(ruleset("update", ruleset_conditions_updated=[entry, by_name])).targets is None
    assert edit(ruleset("update", ruleset_conditions_updated=[by_name], ruleset_conditions=[MAIN])).targets is None


def test_a_level_that_leaves_administrators_out_has_no_value_that_could_pass_for_on():
    action, field = "update_signature_requirement_enforcement_level", "signature_requirement_enforcement_level"

    assert [values(classic(action, **{field: level}))["signatures"] for level in (0, 1, 2)] == [False, None, True]


def test_an_update_that_tells_nothing_is_unclear_and_a_new_name_is_no_change():
    assert directions(ruleset("update")) == {"*": "unclear"}
    assert directions(ruleset("update", ruleset_old_name="old")) == {}


def test_a_whole_ruleset_that_comes_or_goes():
    demands = ("pull_request", "approvals", "dismiss_stale", "code_owners", "block_deletion", "block_force_push")

    assert directions(whole_ruleset("create")) == dict.fromkeys(("*", *demands), "stronger")
    assert directions(whole_ruleset("destroy")) == {"*": "weaker"}
    assert "approvals 2" in edit(whole_ruleset("destroy")).changes[0].before
    assert edit(whole_ruleset("destroy")).targets == Targets(include=("main",))
    assert directions(whole_ruleset("destroy", ruleset_rules=None)) == {"*": "weaker"}
    assert directions(whole_ruleset("destroy", ruleset_rules="junk")) == {"*": "weaker"}
    assert directions(whole_ruleset("destroy", ruleset_rules=["new_kind"])) == {"*": "weaker"}


def test_a_ruleset_that_demands_nothing_comes_and_goes_without_effect():
    for rules in ([], [{"type": "commit_message_pattern"}]):
        assert directions(whole_ruleset("create", ruleset_rules=rules)) == {}
        assert directions(whole_ruleset("destroy", ruleset_rules=rules)) == {}
    assert directions(whole_ruleset("create", ruleset_rules=["new_kind"])) == {}


def test_a_ruleset_that_was_not_enforced_takes_nothing_with_it():
    assert directions(whole_ruleset("destroy", ruleset_enforcement="evaluate")) == {}
    assert directions(whole_ruleset("create", ruleset_enforcement="disabled")) == {}


@pytest.mark.parametrize("word", [None, "whatever", 7], ids=repr)
def test_a_ruleset_of_which_nobody_knows_whether_it_is_enforced_takes_all_and_brings_nothing(word):
    assert directions(whole_ruleset("destroy", ruleset_enforcement=word)) == {"*": "weaker"}
    assert directions(whole_ruleset("create", ruleset_enforcement=word)) == {"*": "unclear"}


def test_a_ruleset_of_the_organisation_is_of_no_repository():
    found = edit(ruleset("update", ruleset_source_type="Organization", repo=None, repo_id=None, ruleset_id="1082915"))

    assert (found.organisation, found.repository_id, found.repository, found.rule) == (ORG, 0, "", "ruleset:1082915")


def test_rulesets_of_tags_and_pushes_protect_no_branch():
    assert fact(ruleset("destroy", ruleset_target="tag")) is None
    assert fact(ruleset("destroy", ruleset_target="push")) is None


def test_an_override_is_a_bypass_with_the_demands_that_were_not_met():
    found = fact(override())

    assert isinstance(found, ProtectionBypass)
    assert (found.branch, found.before, found.after) == ("main", BEFORE, AFTER)
    assert found.demands == ("pull_request", "approvals", "status_checks")


def test_an_override_without_codes_takes_the_reasons_and_keeps_codes_that_nobody_knows():
    assert fact(override(overridden_codes=None)).demands == ("status_checks",)
    assert fact(override(overridden_codes=["brand_new"])).demands == ("brand_new",)
    assert fact(override(overridden_codes=7, reasons=7)).demands == ()
    assert fact(event("protected_branch.review_policy_override", branch="main")).demands == (
        "pull_request",
        "approvals",
    )


def test_an_override_that_names_no_branch_is_malformed_and_of_a_tag_is_nothing():
    with pytest.raises(Malformed, match="branch"):
        fact(override(branch=None))
    assert fact(override(branch="refs/tags/v1")) is None


def test_who_jumps_the_merge_queue_passes_it_by():
    found = fact(event("merge_queue.pull_request_queue_jump", branch="main"))

    assert isinstance(found, ProtectionBypass)
    assert found.demands == ("merge_queue",)
    assert directions(event("merge_queue.pull_request_queue_jump")) == {"merge_queue": "unclear"}


@pytest.mark.parametrize(
    ("action", "rule"),
    [
        ("repo.rename", "repository:name"),
        ("repo.transfer", "repository:name"),
        ("repo.update_default_branch", "repository:default-branch"),
        ("repo.rename_branch", "repository:branch-name"),
        ("repo.archived", "repository:archived"),
        ("custom_property_value.create", "repository:properties"),
        ("custom_property_value.update", "repository:properties"),
        ("custom_property_value.destroy", "repository:properties"),
    ],
)
def test_what_may_move_a_repository_out_of_a_rules_reach_is_unclear(action, rule):
    assert directions(event(action)) == {"targets": "unclear"}
    assert edit(event(action)).rule == rule


def test_a_rename_tells_both_names():
    change = edit(event("repo.rename", old_name="example-org/old")).changes[0]

    assert (change.before, change.after) == ("example-org/old", REPO)


def test_an_edit_of_an_environment():
    found = fact(
        event(
            "environment.update_protection_rule",
            environment_name="production",
            approvers_was=["team-a"],
            approvers=[],
            can_admins_bypass=True,
        )
    )

    assert isinstance(found, EnvironmentChange)
    assert (found.environment, found.actor, found.action) == (
        "production",
        "maria-example",
        "environment.update_protection_rule",
    )
    assert found.what == 'approvers were ["team-a"]; approvers are []; administrators may bypass true'


def test_a_secret_of_an_environment_is_named_and_its_value_never_kept():
    found = fact(
        event("environment.update_actions_secret", environment_name="production", key="TOKEN", new_value="s3cret")
    )

    assert found.what == "key TOKEN"


def test_a_bypass_of_an_environments_rules_keeps_its_action():
    found = fact(event("workflows.bypass_protection_rules", environment_name="production"))

    assert isinstance(found, EnvironmentChange)
    assert found.action == "workflows.bypass_protection_rules"


def test_an_edit_of_an_environment_that_names_none_is_malformed():
    with pytest.raises(Malformed, match="names no environment"):
        fact(event("environment.delete"))


def test_a_merge_and_a_push_are_moves_where_a_branch_is_told():
    merge = fact(
        event("pull_request.merge", base_ref="main", pull_request_url=f"https://github.example/{REPO}/pull/17")
    )
    push = fact(event("git.push", ref="refs/heads/main", before=BEFORE, after=AFTER))

    assert isinstance(merge, BranchUpdate)
    assert (merge.kind, merge.branch, merge.change_requests) == ("merge", "main", (17,))
    assert (push.kind, push.before, push.after) == ("push", BEFORE, AFTER)
    assert isinstance(push.change_requests, Unknown)
    assert fact(event("git.push")) is None
    assert fact(event("git.push", ref="refs/tags/v1")) is None


@pytest.mark.parametrize(
    "action", ["team.create", "repo.create", "org.update_member", "workflows.rerun_workflow_run", "x"]
)
def test_other_actions_are_none_of_ours(action):
    assert fact({"action": action}) is None


@pytest.mark.parametrize("action", [None, 7, "", [], {}])
def test_an_event_without_an_action_is_malformed(action):
    with pytest.raises(Malformed):
        fact({**classic("destroy"), "action": action})


@pytest.mark.parametrize(
    ("fields", "kind", "via"),
    [
        ({"actor": "release[bot]"}, "bot", ""),
        ({"actor": "ci", "actor_is_bot": True}, "bot", ""),
        ({"actor": "helper", "actor_is_agent": True}, "bot", ""),
        (
            {"actor": "x[bot]", "programmatic_access_type": "GitHub App server-to-server token"},
            "app",
            "GitHub App server-to-server token",
        ),
        ({"user_programmatic_access_name": "nightly", "token_id": 5}, "person", "nightly, token 5"),
        ({"actor": 7}, "unknown", ""),
        ({"actor": None}, "unknown", ""),
        ({"actor_is_bot": "maybe"}, "unknown", ""),
    ],
)
def test_who_acted(fields, kind, via):
    actor = edit(classic("destroy", **fields)).actor

    assert (actor.kind, actor.via) == (kind, via)


@pytest.mark.parametrize(
    "told", [AT_MS, str(AT_MS), float(AT_MS), "2026-03-10T09:14:00Z", "2026-03-10T10:14:00+01:00"], ids=repr
)
def test_the_time_of_an_event(told):
    assert moment({"@timestamp": told}) == AT
    assert moment({"created_at": told}) == AT


@pytest.mark.parametrize(
    "told",
    [
        None,
        "",
        "soon",
        True,
        -1,
        0,
        AT_MS // 1000,
        1.5,
        10**18,
        10**400,
        [],
        {},
        "2026-03-10T09:14:00",
        "²",
        "9999-12-31T23:59:59-12:00",
    ],
    ids=lambda told: repr(told)[:30],
)
def test_a_time_that_is_none_is_malformed(told):
    with pytest.raises(Malformed):
        moment({"@timestamp": told})


@pytest.mark.parametrize(
    "raw",
    [classic("destroy"), override(), event("environment.delete", environment_name="x")],
    ids=["change", "bypass", "environment"],
)
def test_an_event_that_does_not_say_where_or_when_it_happened_is_malformed(raw):
    for name in ("repo", "@timestamp"):
        broken = {**raw, name: None, "created_at": None}
        with pytest.raises(Malformed):
            fact(broken)


def test_an_organisation_is_taken_from_the_repository_if_need_be():
    assert edit(classic("destroy", org=None)).organisation == ORG


def test_the_same_event_without_an_id_is_the_same_again_and_another_is_another():
    one, again, other = (classic("destroy", _document_id=None, name=name) for name in ("main", "main", "dev"))

    assert edit(one).id == edit(dict(reversed(again.items()))).id != edit(other).id


def test_what_is_told_can_be_stored():
    raw = classic("destroy", actor="\ud800", name="\udfff", actor_id=2**70, repo_id=2**70)

    assert msgspec.json.decode(msgspec.json.encode(fact(raw)), type=ProtectionChange) == fact(raw)


def test_a_page_is_a_list_of_events():
    assert events(body([classic("destroy")])) == [classic("destroy")]
    for junk in (b"", b"{}", b"[1]", b"[[]]", b"\xff", b"null", b"[" * 100_000, b'[{"a":"\\ud800"}]'):
        with pytest.raises(Malformed):
            events(junk)

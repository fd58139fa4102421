"""Webhooks about protection: told apart by their keys, and what each edit did."""

from __future__ import annotations

import pytest

from monitor.decode.github_webhook import webhook
from monitor.errors import Malformed
from monitor.facts.protection import ProtectionChange, Targets
from tests.unit.github_decode.event_samples import (
    AT,
    ORG,
    REPO,
    REPO_ID,
    REPOSITORY,
    REVIEW,
    body,
    delivery,
    hooked_rule,
    rest_ruleset,
)


def read(payload: dict) -> ProtectionChange:
    found = webhook(body(payload))
    assert found is not None
    return found


def directions(payload: dict) -> dict[str, str]:
    return {change.demand: change.direction for change in read(payload).changes}


def edited(now: dict, **before: object) -> dict:
    changes = {name: {"from": value} for name, value in before.items()}
    return delivery("edited", rule=hooked_rule(**now), changes=changes)


def ruleset_edited(changes: object, **now: object) -> dict:
    return delivery("edited", repository_ruleset=rest_ruleset(**now), changes=changes)


def test_an_edit_says_where_when_and_who():
    found = read(edited({"require_code_owner_review": False}, require_code_owner_review=True))

    assert (found.organisation, found.repository_id, found.repository, found.at) == (ORG, REPO_ID, REPO, AT)
    assert (found.rule, found.rule_name, found.targets) == ("classic:21796960", "main", Targets(include=("main",)))
    assert (found.actor.name, found.actor.kind, found.action) == (
        "maria-example",
        "person",
        "branch_protection_rule.edited",
    )


@pytest.mark.parametrize(
    ("field", "before", "after", "expected"),
    [
        ("admin_enforced", True, False, {"bypass": "weaker"}),
        ("admin_enforced", False, True, {"bypass": "stronger"}),
        ("required_approving_review_count", 2, 1, {"approvals": "weaker"}),
        ("required_approving_review_count", 1, 2, {"approvals": "stronger"}),
        ("required_approving_review_count", None, 1, {"approvals": "unclear"}),
        ("required_status_checks", ["build", "test"], ["build"], {"status_checks": "weaker"}),
        ("required_status_checks", [], ["build"], {"status_checks": "stronger"}),
        ("required_status_checks", "junk", ["build"], {"status_checks": "unclear"}),
        ("allow_force_pushes_enforcement_level", "off", "non_admins", {"block_force_push": "weaker"}),
        ("allow_force_pushes_enforcement_level", "everyone", "off", {"block_force_push": "stronger"}),
        ("linear_history_requirement_enforcement_level", "everyone", "off", {"linear_history": "weaker"}),
        ("linear_history_requirement_enforcement_level", "everyone", "non_admins", {"linear_history": "weaker"}),
        ("authorized_actor_names", ["a"], ["a", "b"], {"bypass": "weaker"}),
        ("authorized_actor_names", ["a", "b"], ["a"], {"bypass": "stronger"}),
        ("name", "main", "release/*", {"targets": "unclear"}),
        ("brand_new_field", 1, 2, {"*": "unclear"}),
        ("required_deployments_enforcement_level", "off", "everyone", {}),
    ],
)
def test_what_an_edit_of_a_field_did(field, before, after, expected):
    assert directions(edited({field: after}, **{field: before})) == expected


@pytest.mark.parametrize("changes", [None, {}, [], "x"], ids=repr)
def test_an_edit_that_names_no_field_is_unclear(changes):
    assert directions(delivery("edited", rule=hooked_rule(), changes=changes)) == {"*": "unclear"}


def test_a_rule_that_is_created_strengthens_what_it_demands():
    found = directions(delivery("created", rule=hooked_rule()))

    assert set(found.values()) == {"stronger"}
    assert found.keys() == {
        "*",
        "pull_request",
        "approvals",
        "dismiss_stale",
        "status_checks",
        "strict",
        "block_force_push",
        "block_deletion",
    }


def test_a_rule_that_is_deleted_is_dated_by_the_latest_time_that_is_told():
    found = read(delivery("deleted", rule=hooked_rule(updated_at="2026-01-01T10:00:00Z")))

    assert [(c.demand, c.direction) for c in found.changes] == [("*", "weaker")]
    assert found.at.isoformat() == "2026-03-10T09:10:00+00:00"


def test_the_switch_for_all_classic_rules():
    assert directions(delivery("disabled")) == {"*": "weaker"}
    assert directions(delivery("enabled")) == {"*": "stronger"}
    assert read(delivery("disabled")).rule == "repository:classic"


def test_a_ruleset_that_is_taken_out_of_force():
    assert directions(ruleset_edited({"enforcement": {"from": "active"}}, enforcement="evaluate")) == {
        "enforcement": "weaker"
    }
    assert directions(ruleset_edited({"enforcement": {"from": "disabled"}})) == {"enforcement": "stronger"}
    assert directions(ruleset_edited({"enforcement": {"from": 7}})) == {"enforcement": "unclear"}
    assert directions(ruleset_edited({"enforcement": "junk"})) == {"enforcement": "unclear"}


def test_rules_of_a_ruleset_that_were_added_deleted_and_changed():
    was = {**REVIEW, "required_approving_review_count": 3}
    changes = {
        "rules": {
            "added": [{"type": "required_signatures"}],
            "deleted": [{"type": "non_fast_forward"}],
            "updated": [
                {
                    "rule": {"type": "pull_request", "parameters": REVIEW},
                    "changes": {"configuration": {"from": body(was).decode()}},
                }
            ],
        }
    }

    assert directions(ruleset_edited(changes)) == {
        "signatures": "stronger",
        "block_force_push": "weaker",
        "approvals": "weaker",
    }


def test_a_changed_rule_of_a_ruleset_whose_old_form_is_not_told_is_unclear():
    changes = {"rules": {"updated": [{"rule": {"type": "pull_request", "parameters": REVIEW}, "changes": {}}]}}

    assert set(directions(ruleset_edited(changes)).values()) == {"unclear"}


def test_conditions_of_a_ruleset_that_were_changed():
    def moved(now, **before):
        entry = {"condition": {"ref_name": now}, "changes": {side: {"from": value} for side, value in before.items()}}
        return directions(ruleset_edited({"conditions": {"updated": [entry]}}))

    now = {"include": ["refs/heads/main"], "exclude": []}
    assert moved(now, include=["refs/heads/main", "refs/heads/x"]) == {"targets": "weaker"}
    assert moved(now, include=[]) == {"targets": "stronger"}
    assert moved(now, exclude=["refs/heads/x"]) == {"targets": "stronger"}
    assert moved(now, include="junk") == {"targets": "unclear"}
    assert moved(now) == {"targets": "unclear"}


def test_an_edit_of_a_ruleset_that_names_no_part_may_have_been_of_its_bypass_list():
    for changes in (None, {}, "x"):
        assert directions(ruleset_edited(changes)) == {"bypass": "unclear", "*": "unclear"}
    assert directions(ruleset_edited({"brand_new": {}})) == {"*": "unclear"}
    assert directions(ruleset_edited({"name": {"from": "old"}})) == {}
    assert directions(ruleset_edited({"rules": "junk"})) == {"*": "unclear"}


def test_a_ruleset_that_comes_or_goes():
    gone = delivery("deleted", repository_ruleset=rest_ruleset())

    back = delivery("created", repository_ruleset=rest_ruleset())

    assert directions(gone) == {"*": "weaker"}
    assert set(directions(back).values()) == {"stronger"}
    assert {"*", "pull_request", "approvals", "block_deletion"} <= directions(back).keys()
    assert directions(delivery("created", repository_ruleset=rest_ruleset(enforcement="disabled"))) == {}


def test_a_ruleset_of_the_organisation_is_of_no_repository():
    payload = delivery("deleted", repository_ruleset=rest_ruleset(source_type="Organization"))
    del payload["repository"]

    assert (read(payload).organisation, read(payload).repository_id) == (ORG, 0)


def test_a_delivery_that_comes_again_is_the_same_event():
    payload = delivery("disabled")

    assert read(payload).id == read(payload).id != read(delivery("enabled")).id


@pytest.mark.parametrize(
    "payload",
    [
        {"zen": "Keep it logically awesome."},
        delivery("renamed", changes={"repository": {"name": {"from": "old"}}}),
        delivery("archived"),
        delivery("enabled", workflow={}),
        delivery("deleted", repository_ruleset=rest_ruleset(target="tag")),
        {},
    ],
    ids=["ping", "renamed", "archived", "another-enabled", "tags", "empty"],
)
def test_other_webhooks_are_none_of_ours(payload):
    assert webhook(body(payload)) is None


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"\xff",
        body(delivery("deleted", rule=7)),
        body(delivery("deleted", rule={})),
        body(delivery("edited", repository_ruleset={})),
        body({**delivery("disabled"), "repository": 7}),
        body({**delivery("disabled"), "repository": {**REPOSITORY, "updated_at": 7, "pushed_at": None}}),
        body({**delivery("deleted", rule=hooked_rule()), "repository": {}}),
    ],
    ids=range(9),
)
def test_what_is_about_protection_and_cannot_be_read_is_malformed(payload):
    with pytest.raises(Malformed):
        webhook(payload)

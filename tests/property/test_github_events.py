"""Laws of decoding GitHub's events, over events that were mangled.

Nothing but Malformed is raised; what is told can be stored and read again; and an event of ours whose fields were mangled is
Malformed, or weaker, or unclear, or what it was before, and never quietly nothing.
"""

from __future__ import annotations

import copy
import json
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from monitor.decode import github_audit, github_history
from monitor.decode.github_audit_actions import ACTIONS
from monitor.decode.github_history import compared
from monitor.decode.github_webhook import webhook
from monitor.errors import Malformed
from monitor.facts.protection import (
    DEMANDS,
    BypassActor,
    Demands,
    ForgeActor,
    ProtectionChange,
    ProtectionRule,
    StatusCheck,
    Targets,
)
from monitor.facts.repository import Repository
from monitor.model import Unknown
from tests.unit.github_decode.event_samples import (
    AT,
    MAIN,
    ORG,
    REPO,
    REPO_ID,
    REVIEW,
    TEAM,
    body,
    classic,
    delivery,
    event,
    hooked_rule,
    moved,
    override,
    rest_ruleset,
    ruleset,
    suite,
    whole_ruleset,
)

UPDATED = {
    "type": "pull_request",
    "old_parameters": REVIEW,
    "parameters": {**REVIEW, "required_approving_review_count": 0},
}
WEAKENING = [
    classic("destroy"),
    *(classic(verb, **dict.fromkeys(fields, 0)) for verb, fields in sorted(ACTIONS.items())),
    *(
        classic(verb)
        for verb in ("authorized_users_teams", "branch_allowances", "dismissal_restricted_users_teams", "update_name")
    ),
    event("required_status_check.destroy", protected_branch="main", context="test"),
    event("repository_branch_protection_evaluation.disable"),
    whole_ruleset("destroy"),
    ruleset("update", ruleset_old_enforcement="enabled", ruleset_enforcement="disabled"),
    ruleset("update", ruleset_rules_deleted=[{"type": "deletion"}]),
    ruleset("update", ruleset_rules_updated=[UPDATED]),
    ruleset("update", ruleset_bypass_actors_added=[TEAM]),
    ruleset("update", ruleset_conditions_deleted=[MAIN]),
    event("repo.rename", old_name="old"),
    event("repo.transfer"),
    event("repo.update_default_branch"),
    event("custom_property_value.update", property_name="tier", old_value="1", new_value="2"),
]
OURS = [
    *WEAKENING,
    classic("create", required_approving_review_count=1),
    whole_ruleset("create"),
    override(),
    event("merge_queue.pull_request_queue_jump", branch="main"),
    event("environment.update_protection_rule", environment_name="production", approvers=[], can_admins_bypass=True),
    event("workflows.bypass_protection_rules", environment_name="production"),
    event("pull_request.merge", base_ref="main", pull_request_url=f"https://github.example/{REPO}/pull/17"),
    event("git.push", ref="refs/heads/main"),
]
EDITED = {
    "name": {"from": "old"},
    "enforcement": {"from": "disabled"},
    "rules": {
        "added": [{"type": "deletion"}],
        "updated": [{"rule": UPDATED, "changes": {"configuration": {"from": "{}"}}}],
    },
    "conditions": {
        "updated": [{"condition": {"ref_name": {"include": [], "exclude": []}}, "changes": {"include": {"from": []}}}]
    },
}
HOOKS = [
    delivery(
        "edited",
        rule=hooked_rule(),
        changes={"admin_enforced": {"from": True}, "required_status_checks": {"from": ["x"]}},
    ),
    delivery("deleted", rule=hooked_rule()),
    delivery("disabled"),
    delivery("edited", repository_ruleset=rest_ruleset(), changes=EDITED),
    delivery("deleted", repository_ruleset=rest_ruleset()),
]
SAMPLE = Repository(organisation=ORG, id=REPO_ID, name=REPO, at=AT, default_branch="main")
scalars = (
    st.sampled_from(
        [
            None,
            True,
            False,
            0,
            1,
            2,
            -1,
            2**63,
            2**70,
            1.5,
            1e300,
            "",
            "0",
            "2",
            "off",
            "everyone",
            "\ud800",
            "refs/heads/",
        ]
    )
    | st.sampled_from(
        ["enabled", "disabled", "active", "refs/tags/x", "[", "[]", "{}", '[{"type":"deletion"}]', "9" * 19, "1" * 5000]
    )
    | st.text(max_size=5)
)
junk = st.recursive(
    scalars | st.sampled_from([REVIEW, UPDATED, MAIN, TEAM]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "parameters", "old_parameters", "include", "target", "actor_type", "rule", "changes", "from"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=4,
)


def paths(value: Any, at: tuple = ()) -> list[tuple]:
    """Return the path to every place in a value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at] * bool(at) + [path for key, part in inner for path in paths(part, (*at, key))]


@st.composite
def mangled(draw: st.DrawFn, samples: list[dict], keep: tuple[str, ...] = ()) -> tuple[dict, dict]:
    """Draw a sample, and it again with some places replaced or taken away."""
    whole = draw(st.sampled_from(samples))
    broken = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        places = [path for path in paths(broken) if path[0] not in keep]
        if not places:
            break
        *way, last = draw(st.sampled_from(places))
        at = broken
        for key in way:
            at = at[key]
        if draw(st.booleans()):
            del at[last]
        else:
            at[last] = copy.deepcopy(draw(junk))  # a sample must not be mangled by the next place
    return whole, broken


def stored(found: Any) -> None:
    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


@given(mangled(OURS))
def test_a_mangled_event_raises_nothing_but_malformed(pair):
    try:
        found = github_audit.fact(pair[1])
    except Malformed:
        return
    if found is not None:
        stored(found)


@given(mangled(WEAKENING, keep=("action",)))
def test_a_mangled_weakening_is_malformed_or_still_told(pair):
    """The fields that tell what changed were mangled, so it may read as another edit, but as one, or as Malformed."""
    whole, broken = pair
    try:
        found = github_audit.fact(broken)
    except Malformed:
        return
    if whole["action"].startswith("repository_ruleset."):
        # To be told of another target, or that it was off before and after, is another event and no mangled one.
        if broken.get("ruleset_target") or broken.get("ruleset_enforcement") in ("disabled", "evaluate"):
            return
        assert isinstance(found, ProtectionChange)
        return
    assert isinstance(found, ProtectionChange)
    assert found.changes or not broken.keys() >= whole.keys()


@given(st.sampled_from(WEAKENING), junk, st.data())
def test_a_field_that_tells_what_was_weakened_never_turns_into_nothing_when_it_cannot_be_read(raw, value, data):
    telling = sorted(
        raw.keys() - set(event("x")) - {"ruleset_id", "ruleset_name", "ruleset_source_type", "ruleset_enforcement"}
    )
    if not telling or isinstance(value, dict | list | bool | int | str):
        return
    told = github_audit.fact(raw)
    assert isinstance(told, ProtectionChange)
    if not any(change.direction in ("weaker", "unclear") for change in told.changes):
        return  # deletions that are no longer allowed weaken nothing
    name = data.draw(st.sampled_from(telling))

    found = github_audit.fact({**raw, name: value})

    assert isinstance(found, ProtectionChange)
    assert any(change.direction in ("weaker", "unclear") for change in found.changes)


@given(mangled(HOOKS))
def test_a_mangled_webhook_raises_nothing_but_malformed(pair):
    try:
        found = webhook(body(pair[1]))
    except Malformed:
        return
    if found is not None:
        stored(found)


@given(st.binary(max_size=60) | st.builds(body, junk))
def test_any_bytes_raise_nothing_but_malformed(raw):
    readers = [
        github_audit.events,
        webhook,
        github_history.versions,
        github_history.pulls,
        lambda page: github_history.version_state(page, ()),
        lambda page: github_history.suites(page, ORG, ()),
        lambda page: github_history.activity(page, SAMPLE, ()),
    ]
    for read in readers:
        try:
            read(raw)
        except Malformed:
            continue


@given(mangled([{"page": [suite()]}]), mangled([{"page": [moved()]}]))
def test_mangled_pages_raise_nothing_but_malformed_and_what_is_told_can_be_stored(suites, moves):
    for read, page in (
        (lambda page: github_history.suites(page, ORG, ()), suites[1]),
        (lambda page: github_history.activity(page, SAMPLE, ()), moves[1]),
    ):
        try:
            found = read(body(page.get("page")))
        except Malformed:
            continue
        for one in found:
            stored(one)


@given(mangled([{"version_id": 3, "state": rest_ruleset()}]))
def test_a_mangled_version_raises_nothing_but_malformed_and_can_be_compared(pair):
    rules = []
    for raw in pair:
        try:
            rules.append(github_history.version_state(body(raw), ()))
        except Malformed:
            return
    stored(github_history.changes(SAMPLE, ORG, rules[0], rules[1], AT, ForgeActor(), ()))
    stored(github_history.changes(None, ORG, rules[1], rules[0], AT, ForgeActor(), ()))


blind = st.just(Unknown("not shown"))
names = st.sampled_from(["main", "dev", "release/*", "~ALL", "~DEFAULT_BRANCH"])
patterns = st.lists(names, max_size=2, unique=True).map(tuple)
checks = st.lists(st.builds(StatusCheck, st.sampled_from("ab"), st.sampled_from([0, 5])), max_size=3).map(tuple)
actors = st.lists(
    st.builds(
        BypassActor,
        kind=st.sampled_from(["team", "role", "deploy-key"]),
        name=st.sampled_from(["", "x"]),
        id=st.sampled_from([0, 7]),
        mode=st.sampled_from(["always", "pull-request", "exempt", "odd"]),
        only=st.sampled_from([(), ("approvals",)]),
    ),
    max_size=2,
).map(tuple)
demands = st.builds(
    Demands,
    **{name: st.booleans() | blind for name in DEMANDS if name not in ("approvals", "status_checks")},
    approvals=st.integers(0, 6) | blind,
    status_checks=checks | blind,
)
rules = st.builds(
    ProtectionRule,
    key=st.sampled_from(["ruleset:1", "ruleset:2", "classic:3"]),
    kind=st.just("classic"),
    name=st.just("main"),
    enforced=st.booleans() | blind,
    targets=st.builds(Targets, include=patterns, exclude=patterns),
    demands=demands,
    bypass=actors | blind,
)


@given(rules)
def test_a_rule_does_not_differ_from_itself(rule):
    assert compared(rule, rule) == ()


@given(rules, rules)
def test_what_one_way_makes_stronger_the_other_way_does_not_make_stronger_too(one, other):
    there, back = ({c.demand: c.direction for c in compared(*pair)} for pair in ((one, other), (other, one)))

    assert there.keys() == back.keys()
    for demand, direction in there.items():
        assert (direction, back[demand]) != ("stronger", "stronger")
        assert (direction == "unclear") == (back[demand] == "unclear")


@given(demands, demands)
def test_a_demand_that_is_known_on_both_sides_is_never_unclear_and_never_missed(one, other):
    rule = ProtectionRule(key="ruleset:1", kind="classic", name="main")
    found = {
        c.demand: c.direction
        for c in compared(msgspec.structs.replace(rule, demands=one), msgspec.structs.replace(rule, demands=other))
    }
    for name in DEMANDS:
        was, now = getattr(one, name), getattr(other, name)
        if isinstance(was, bool | int) and isinstance(now, bool | int):
            expected = None if was == now else "stronger" if now > was else "weaker"
            assert found.get(name) == expected


@given(st.lists(rules, max_size=3, unique_by=lambda r: r.key), st.lists(rules, max_size=3, unique_by=lambda r: r.key))
def test_two_samples_give_edits_that_can_be_stored_each_with_its_own_id(before, after):
    older = msgspec.structs.replace(SAMPLE, rules=tuple(before))
    newer = msgspec.structs.replace(SAMPLE, rules=tuple(after), at=AT + timedelta(days=1))

    found = github_history.sampled(older, newer)

    assert len({change.id for change in found}) == len(found)
    assert {change.rule for change in found} <= {rule.key for rule in (*before, *after)}
    for change in found:
        assert change.changes
        stored(change)

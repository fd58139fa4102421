"""Rulesets, classic protection and rules in effect, as REST sends them."""

from __future__ import annotations

from typing import Any

import pytest

from monitor.decode import github_rules
from monitor.errors import Malformed
from monitor.facts.protection import DEMANDS, BypassActor, Demands, ProtectionRule, StatusCheck, Targets
from monitor.model import Unknown
from tests.unit.github_decode import samples
from tests.unit.github_decode.samples import EVIDENCE, actor, raw

CHECKS = (StatusCheck("build", 15368), StatusCheck("lint"))
ALL = Demands(
    pull_request=True,
    approvals=2,
    dismiss_stale=True,
    code_owners=True,
    last_push_approval=True,
    conversation_resolution=True,
    status_checks=CHECKS,
    strict=True,
    block_force_push=True,
    block_deletion=True,
    signatures=True,
    linear_history=True,
    merge_queue=True,
    lock=True,
)
SKIPS = ("pull_request", "approvals", "dismiss_stale", "code_owners", "last_push_approval")


def ruleset(**changes: Any) -> ProtectionRule:
    return github_rules.ruleset(raw(samples.ruleset(**changes)), EVIDENCE)


def classic(**changes: Any) -> ProtectionRule:
    return github_rules.classic(raw(samples.classic(**changes)), "main", EVIDENCE)


def without(answer: dict[str, Any], *keys: str) -> dict[str, Any]:
    return {key: value for key, value in answer.items() if key not in keys}


def ref_name(include: Any, exclude: Any) -> dict[str, Any]:
    return {"ref_name": {"include": include, "exclude": exclude}}


class TestRuleset:
    def test_makes_all_demands_that_its_rules_make(self) -> None:
        rule = ruleset()
        assert rule.demands == ALL
        assert (rule.key, rule.kind, rule.name) == ("ruleset:42", "organisation-ruleset", "production")
        assert (rule.enforced, rule.enforcement, rule.bypass, rule.evidence) == (True, "active", (), EVIDENCE)

    def test_aims_at_branches_without_their_prefix(self) -> None:
        assert ruleset().targets == Targets(include=("~DEFAULT_BRANCH", "release/**"), exclude=("release/old",))

    @pytest.mark.parametrize("source", ["Repository", "Organization", "Enterprise"])
    def test_tells_at_which_level_it_is_set(self, source: str) -> None:
        kinds = {"Repository": "repository", "Organization": "organisation", "Enterprise": "enterprise"}
        assert ruleset(source_type=source).kind == f"{kinds[source]}-ruleset"

    @pytest.mark.parametrize(("word", "enforced"), [("enabled", True), ("disabled", False), ("evaluate", False)])
    def test_is_enforced_only_where_it_is_active(self, word: str, enforced: bool) -> None:
        assert ruleset(enforcement=word).enforced is enforced

    def test_with_a_word_of_enforcement_that_is_new_is_unknown(self) -> None:
        assert isinstance(ruleset(enforcement="mostly").enforced, Unknown)

    @pytest.mark.parametrize("target", ["tag", "push", "repository"])
    def test_of_anything_but_branches_protects_no_branch(self, target: str) -> None:
        rule = ruleset(target=target, conditions=ref_name(["~ALL"], []))
        assert (rule.enforced, rule.targets) == (False, Targets())

    @pytest.mark.parametrize(
        "conditions",
        [
            None,
            {},
            {"ref_name": None},
            {"ref_name": {"include": ["~ALL"]}},
            {"ref_name": {"exclude": ["main"]}},
            ref_name(["~ALL", 7], []),
            ref_name(["~ALL"], "main"),
        ],
    )
    def test_whose_branches_cannot_be_read_does_not_count(self, conditions: Any) -> None:
        assert isinstance(ruleset(conditions=conditions).enforced, Unknown)

    def test_that_does_not_tell_its_target_does_not_count(self) -> None:
        rule = github_rules.ruleset(raw(without(samples.ruleset(), "target")), ())
        assert isinstance(rule.enforced, Unknown)

    def test_of_tags_alone_is_not_one_of_all_other_branches(self) -> None:
        assert ruleset(conditions=ref_name(["refs/tags/v*"], ["refs/heads/x"])).targets == Targets()

    def test_without_an_include_is_of_all_that_are_not_excluded(self) -> None:
        assert ruleset(conditions=ref_name([], ["refs/heads/x"])).targets == Targets(exclude=("x",))

    def test_without_parameters_demands_a_pull_request_and_no_approval(self) -> None:
        demands = ruleset(rules=[{"type": "pull_request"}]).demands
        assert demands == Demands(pull_request=True)

    def test_with_no_named_check_demands_none_and_is_not_strict(self) -> None:
        parameters = {"strict_required_status_checks_policy": True, "required_status_checks": []}
        assert ruleset(rules=[{"type": "required_status_checks", "parameters": parameters}]).demands == Demands()

    def test_joins_two_rules_of_a_kind_to_the_stronger(self) -> None:
        def checks(name: str) -> dict[str, Any]:
            return {"type": "required_status_checks", "parameters": {"required_status_checks": [{"context": name}]}}

        review = {"type": "pull_request", "parameters": {"required_approving_review_count": 1}}
        demands = ruleset(rules=[review, samples.RULES[0], review, checks("a"), checks("b")]).demands
        assert demands.approvals == 2
        assert demands.dismiss_stale is True
        assert demands.status_checks == (StatusCheck("a"), StatusCheck("b"))

    @pytest.mark.parametrize("name", sorted(samples.REVIEW_PARAMETERS.keys() - {"allowed_merge_methods"}))
    def test_with_a_parameter_of_another_type_is_unknown_just_there(self, name: str) -> None:
        parameters = {**samples.REVIEW_PARAMETERS, name: "yes"}
        demands = ruleset(rules=[{"type": "pull_request", "parameters": parameters}]).demands
        unknown = [one for one in DEMANDS if isinstance(getattr(demands, one), Unknown)]
        assert len(unknown) == 1

    @pytest.mark.parametrize("rules", [None, {}, "all"])
    def test_without_its_rules_demands_nobody_knows_what(self, rules: Any) -> None:
        demands = ruleset(rules=rules).demands
        assert all(isinstance(getattr(demands, name), Unknown) for name in DEMANDS)

    def test_with_an_unreadable_rule_knows_what_the_others_demand(self) -> None:
        demands = ruleset(rules=[{"type": "deletion"}, {"type": 7}]).demands
        assert demands.block_deletion is True
        assert isinstance(demands.pull_request, Unknown)

    @pytest.mark.parametrize(
        "body", [b"", b"nope", b"[]", b"{}", b'{"id": 42}', b'{"id": true, "enforcement": "active"}']
    )
    def test_that_is_none_is_malformed(self, body: bytes) -> None:
        with pytest.raises(Malformed):
            github_rules.ruleset(body, ())

    def test_nested_a_hundred_thousand_deep_is_malformed(self) -> None:
        with pytest.raises(Malformed):
            github_rules.ruleset(b'{"a":' * 100_000, ())


class TestBypassOfARuleset:
    def test_that_is_left_out_is_unknown_and_tells_what_to_grant(self) -> None:
        for answer in (without(samples.ruleset(), "bypass_actors"), samples.ruleset(bypass_actors=None)):
            bypass = github_rules.ruleset(raw(answer), ()).bypass
            assert isinstance(bypass, Unknown)
            assert "write access to the ruleset" in bypass.grant

    @pytest.mark.parametrize("value", [{}, "nobody", 0, False])
    def test_that_is_no_list_is_unknown(self, value: Any) -> None:
        assert isinstance(ruleset(bypass_actors=value).bypass, Unknown)

    @pytest.mark.parametrize(
        ("sent", "expected"),
        [
            (actor("OrganizationAdmin", 1), BypassActor(kind="organisation-admin", name="1", id=1)),
            (actor("RepositoryRole", 5), BypassActor(kind="role", name="admin", id=5)),
            (actor("RepositoryRole", 2), BypassActor(kind="role", name="maintain", id=2)),
            (actor("RepositoryRole", 9001), BypassActor(kind="role", name="9001", id=9001)),
            (actor("Team", 21, "pull_request"), BypassActor(kind="team", name="21", id=21, mode="pull-request")),
            (actor("Integration", 15368, "exempt"), BypassActor(kind="app", name="15368", id=15368, mode="exempt")),
            (actor("DeployKey", None), BypassActor(kind="deploy-key")),
            (actor("Robot", 3), BypassActor(kind="unknown", name="3", id=3)),
        ],
    )
    def test_names_each_actor(self, sent: dict[str, Any], expected: BypassActor) -> None:
        assert ruleset(bypass_actors=[sent]).bypass == (expected,)

    @pytest.mark.parametrize("mode", [None, "sometimes", 3])
    def test_in_a_mode_that_is_not_known_is_the_widest(self, mode: Any) -> None:
        (found,) = ruleset(bypass_actors=[actor("Team", 21, mode)]).bypass  # type: ignore[misc]
        assert found.mode == "always"

    def test_by_an_actor_that_cannot_be_read_is_by_somebody(self) -> None:
        assert ruleset(bypass_actors=[None]).bypass == (BypassActor(kind="unknown"),)


class TestClassic:
    def test_makes_all_demands_but_the_one_that_github_never_tells(self) -> None:
        rule = classic()
        assert isinstance(rule.demands.merge_queue, Unknown)
        for name in DEMANDS:
            if name != "merge_queue":
                assert getattr(rule.demands, name) == getattr(ALL, name), name
        assert (rule.key, rule.kind, rule.branches, rule.bypass) == ("classic:main", "classic", ("main",), ())

    @pytest.mark.parametrize(
        ("key", "demand"),
        [
            ("required_signatures", "signatures"),
            ("required_linear_history", "linear_history"),
            ("required_conversation_resolution", "conversation_resolution"),
            ("lock_branch", "lock"),
        ],
    )
    def test_demands_nothing_by_what_is_off_or_lacking(self, key: str, demand: str) -> None:
        for value in ({"enabled": False}, None):
            assert getattr(classic(**{key: value}).demands, demand) is False
        rule = github_rules.classic(raw(without(samples.classic(), key)), "main", ())
        assert getattr(rule.demands, demand) is False
        assert isinstance(getattr(classic(**{key: "on"}).demands, demand), Unknown)

    @pytest.mark.parametrize(
        ("key", "demand"), [("allow_force_pushes", "block_force_push"), ("allow_deletions", "block_deletion")]
    )
    def test_forbids_only_what_it_says_it_does_not_allow(self, key: str, demand: str) -> None:
        assert getattr(classic(**{key: {"enabled": True}}).demands, demand) is False
        for value in (None, {}, {"enabled": None}, "no", 0):
            assert isinstance(getattr(classic(**{key: value}).demands, demand), Unknown), value
        rule = github_rules.classic(raw(without(samples.classic(), key)), "main", ())
        assert isinstance(getattr(rule.demands, demand), Unknown)

    def test_without_reviews_demands_no_pull_request(self) -> None:
        for answer in (samples.classic(required_pull_request_reviews=None), without(samples.classic(), *_REVIEWS)):
            demands = github_rules.classic(raw(answer), "main", ()).demands
            assert [getattr(demands, name) for name in SKIPS] == [False, 0, False, False, False]

    @pytest.mark.parametrize("value", [{}, [], "two", 2, True])
    def test_with_unreadable_reviews_is_unknown(self, value: Any) -> None:
        demands = classic(required_pull_request_reviews=value).demands
        assert all(isinstance(getattr(demands, name), Unknown) for name in SKIPS)

    def test_without_checks_demands_none(self) -> None:
        demands = classic(required_status_checks=None).demands
        assert (demands.status_checks, demands.strict) == ((), False)

    def test_with_the_old_list_of_names_lets_anybody_report(self) -> None:
        demands = classic(required_status_checks={"strict": False, "contexts": ["build"]}).demands
        assert (demands.status_checks, demands.strict) == ((StatusCheck("build"),), False)

    def test_with_unreadable_checks_is_unknown(self) -> None:
        for value in ("all", {"strict": True, "checks": [{"app_id": 1}]}, {"strict": True, "checks": "all"}):
            demands = classic(required_status_checks=value).demands
            assert isinstance(demands.status_checks, Unknown)
            assert demands.strict is not True

    def test_that_is_not_enforced_on_administrators_lets_them_pass_by(self) -> None:
        for value in ({"enabled": False}, None):
            assert classic(enforce_admins=value).bypass == (BypassActor(kind="role", name="admin"),)
        assert isinstance(classic(enforce_admins={"enabled": "yes"}).bypass, Unknown)

    def test_names_who_may_skip_pull_requests(self) -> None:
        people = {
            "users": [{"login": "asha", "id": 11}],
            "teams": [{"slug": "release-managers", "id": 21}],
            "apps": [{"slug": "deploy-bot", "id": 31}],
        }
        review = {"required_approving_review_count": 1, "bypass_pull_request_allowances": people}
        assert classic(required_pull_request_reviews=review).bypass == (
            BypassActor(kind="app", name="deploy-bot", id=31, only=SKIPS),
            BypassActor(kind="team", name="release-managers", id=21, only=SKIPS),
            BypassActor(kind="user", name="asha", id=11, only=SKIPS),
        )

    @pytest.mark.parametrize("people", [None, [], "nobody", {"users": None}, {"users": ["asha"]}])
    def test_with_an_unreadable_list_of_these_is_unknown(self, people: Any) -> None:
        review = {"required_approving_review_count": 1, "bypass_pull_request_allowances": people}
        assert isinstance(classic(required_pull_request_reviews=review).bypass, Unknown)

    @pytest.mark.parametrize("answer", [{"message": "Branch not protected"}, [], None, "", {}])
    def test_that_is_none_is_malformed(self, answer: Any) -> None:
        with pytest.raises(Malformed):
            github_rules.classic(raw(answer), "main", ())


_REVIEWS = ("required_pull_request_reviews",)


class TestEffective:
    def test_gives_one_rule_a_ruleset_whose_bypass_is_not_told(self) -> None:
        own, organisation = github_rules.effective(raw(samples.effective()), "main", EVIDENCE)
        assert (own.kind, own.demands) == ("repository-ruleset", Demands(block_deletion=True))
        assert (organisation.kind, organisation.demands) == ("organisation-ruleset", ALL)
        for rule in (own, organisation):
            assert rule.branches == ("main",)
            assert isinstance(rule.bypass, Unknown)

    def test_of_an_unprotected_branch_is_nothing(self) -> None:
        assert github_rules.effective(b"[]", "main", ()) == ()

    @pytest.mark.parametrize("answer", [{}, None, [None], [{"type": "deletion"}], [{"ruleset_id": 7}]])
    def test_that_cannot_be_read_is_malformed(self, answer: Any) -> None:
        with pytest.raises(Malformed):
            github_rules.effective(raw(answer), "main", ())

"""Pages of repositories, as GraphQL sends them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.decode import github_graphql
from monitor.decode.github_graphql import Page, RepositoryNode, RulesetRef
from monitor.errors import Malformed
from monitor.facts.protection import DEMANDS, BypassActor, ProtectionRule, Targets
from monitor.model import Unknown
from tests.unit.github_decode import samples
from tests.unit.github_decode.samples import (
    AT,
    EVIDENCE,
    ORGANISATION,
    allowance,
    error,
    graphql_rule,
    listed,
    raw,
    ref,
)
from tests.unit.github_decode.test_settings_rules import ALL, SKIPS

NODES = ("organization", "repositories", "nodes")


def page(*nodes: Any, admin: bool = True, **more: Any) -> Page:
    body = raw(samples.repositories(*nodes, **more))
    return github_graphql.repositories_page(body, ORGANISATION, AT, EVIDENCE, admin=admin)


def node(admin: bool = True, errors: Any = None, **changes: Any) -> RepositoryNode:
    (found,) = page(samples.repository(**changes), admin=admin, errors=errors).nodes
    return found


def further(errors: Any = None, **changes: Any) -> RepositoryNode:
    answer = {"data": {"repository": samples.repository(**changes)}, "errors": errors}
    return github_graphql.repository_page(raw(answer), ORGANISATION, AT, EVIDENCE, admin=True)


def rule(**changes: Any) -> ProtectionRule:
    rules = node(branchProtectionRules=listed(graphql_rule(**changes))).repository.rules
    assert isinstance(rules, tuple)
    return rules[0]


class TestPage:
    def test_tells_each_repository_once_and_what_it_cost(self) -> None:
        found = page(samples.repository(1), samples.repository(2), after="C1")
        assert [one.repository.id for one in found.nodes] == [1, 2]
        assert (found.cursor, found.total, found.cost, found.remaining) == ("C1", 2, 44, 4956)
        assert found.reset_at == datetime(2026, 3, 10, 10, tzinfo=UTC)

    def test_without_a_next_page_has_no_cursor(self) -> None:
        assert page(samples.repository()).cursor is None

    @pytest.mark.parametrize("info", [None, {}, {"hasNextPage": True}, {"hasNextPage": "no", "endCursor": "C"}])
    def test_that_does_not_tell_whether_more_follows_is_malformed(self, info: Any) -> None:
        answer = samples.repositories(samples.repository())
        answer["data"]["organization"]["repositories"]["pageInfo"] = info
        with pytest.raises(Malformed, match="more follows"):
            github_graphql.repositories_page(raw(answer), ORGANISATION, AT, (), admin=True)

    @pytest.mark.parametrize("data", [None, {}, {"organization": None}, {"organization": {"repositories": []}}])
    def test_without_repositories_is_malformed_and_tells_githubs_reason(self, data: Any) -> None:
        answer = {"data": data, "errors": [error("organization", message="Resource protected by SAML")]}
        with pytest.raises(Malformed, match="SAML"):
            github_graphql.repositories_page(raw(answer), ORGANISATION, AT, (), admin=True)

    @pytest.mark.parametrize("hidden", [None, {}, 7, {"databaseId": 5}])
    def test_with_a_repository_that_nobody_can_name_tells_that_it_lacks_one(self, hidden: Any) -> None:
        found = page(samples.repository(), hidden, errors=[error(*NODES, 1, message="hidden away")])
        assert len(found.nodes) == 1
        assert len(found.lost) == 1
        assert "hidden away" in found.lost[0]

    def test_whose_price_is_no_number_does_not_tell_it(self) -> None:
        answer = samples.repositories()
        answer["data"]["rateLimit"] = {"cost": "44", "remaining": True, "resetAt": "9999-12-31T23:59:59-14:00"}
        found = github_graphql.repositories_page(raw(answer), ORGANISATION, AT, (), admin=True)
        assert (found.cost, found.remaining, found.reset_at) == (None, None, None)


class TestRepository:
    def test_is_read_whole(self) -> None:
        found = node()
        one = found.repository
        assert (one.id, one.name, one.default_branch) == (1042, "example-org/payments", "main")
        assert (one.organisation, one.at, one.visibility) == (ORGANISATION, AT, "private")
        assert (one.archived, one.fork, one.blind, one.evidence) == (False, False, None, EVIDENCE)
        assert one.branches == ("feature", "main")
        assert one.created_at == datetime(2021, 5, 1, 8, tzinfo=UTC)
        assert isinstance(one.environments, Unknown)
        assert found.environment_names == ("production",)
        assert (found.can_administer, found.more) == (True, {})
        updated = datetime(2026, 2, 1, 10, tzinfo=UTC)
        assert found.rulesets == (RulesetRef(42, "Organization", ORGANISATION, "production", "active", updated),)

    @pytest.mark.parametrize("refs", [listed(), None])
    def test_that_is_empty_has_no_default_branch(self, refs: Any) -> None:
        one = node(defaultBranchRef=None, isEmpty=True, refs=refs).repository
        assert (one.default_branch, one.branches, one.blind) == ("", (), None)

    @pytest.mark.parametrize("default", [None, {}, {"name": ""}, {"name": 7}, "main"])
    def test_with_branches_but_no_default_is_blind(self, default: Any) -> None:
        assert node(defaultBranchRef=default).repository.blind is not None

    def test_gives_rulesets_of_branches_only(self) -> None:
        rulesets = [samples.graphql_ruleset(n, target=t) for n, t in enumerate(("BRANCH", "TAG", "PUSH", None), 1)]
        assert [one.id for one in node(rulesets=listed(*rulesets)).rulesets] == [1, 4]  # type: ignore[union-attr]

    def test_names_the_level_of_an_enterprise(self) -> None:
        (found,) = node(rulesets=listed(samples.graphql_ruleset(source={"__typename": "Enterprise"}))).rulesets  # type: ignore[misc]
        assert (found.source_type, found.source) == ("Enterprise", "")

    @pytest.mark.parametrize("part", ["refs", "branchProtectionRules", "rulesets", "environments"])
    @pytest.mark.parametrize("value", [None, [], {}, {"nodes": []}, listed(None), {**listed(), "nodes": None}])
    def test_has_no_list_that_is_not_whole(self, part: str, value: Any) -> None:
        found = node(**{part: value})
        lists = {
            "refs": found.repository.branches,
            "branchProtectionRules": found.repository.rules,
            "rulesets": found.rulesets,
            "environments": found.environment_names,
        }
        assert isinstance(lists[part], Unknown)
        others = {name for name, one in lists.items() if isinstance(one, Unknown)} - {part}
        assert others <= ({"branchProtectionRules"} if part == "refs" else set())


class TestErrors:
    @pytest.mark.parametrize("part", ["refs", "branchProtectionRules", "rulesets", "environments"])
    def test_cost_the_part_of_the_repository_that_they_name(self, part: str) -> None:
        ten = [samples.repository(n) for n in range(1, 12)]
        found = page(*ten, errors=[error(*NODES, 1, part, message="timed out")])
        lists = [
            (one.repository.branches, one.repository.rules, one.rulesets, one.environment_names) for one in found.nodes
        ]
        hurt = [n for n, values in enumerate(lists) if any(isinstance(value, Unknown) for value in values)]
        assert hurt == [1]
        assert sum(isinstance(value, Unknown) for value in lists[1]) == (2 if part == "refs" else 1)
        assert found.nodes[1].repository.blind is None
        assert found.errors == ((f"organization.repositories.nodes.1.{part}", "timed out"),)

    def test_of_one_ref_cost_the_rules_but_not_the_branches(self) -> None:
        refs = listed(ref("feature"), ref("main"))  # null because of the error, not because no rule applies
        one = node(refs=refs, errors=[error(*NODES, 0, "refs", "nodes", 1, "branchProtectionRule")]).repository
        assert one.branches == ("feature", "main")
        assert isinstance(one.rules, Unknown)

    def test_of_a_list_of_bypass_cost_the_bypass_of_that_rule(self) -> None:
        rules = listed(graphql_rule(), graphql_rule(databaseId=72, pattern="x"))
        place = (*NODES, 0, "branchProtectionRules", "nodes", 1, "bypassPullRequestAllowances", "nodes", 0, "actor")
        first, second = node(branchProtectionRules=rules, errors=[error(*place)]).repository.rules  # type: ignore[misc]
        assert first.bypass == ()
        assert isinstance(second.bypass, Unknown)
        assert second.demands == first.demands

    @pytest.mark.parametrize("path", [[], ["organization"], [*NODES], [*NODES, 0], [*NODES, 0, "defaultBranchRef"]])
    def test_of_a_whole_repository_make_it_blind(self, path: list[Any]) -> None:
        assert node(errors=[error(*path)]).repository.blind is not None

    @pytest.mark.parametrize("errors", ["oops", 7, [7], [{}], [{"path": 5}], [{"path": [None]}], {"message": "x"}])
    def test_that_cannot_be_read_are_of_everything(self, errors: Any) -> None:
        found = node(errors=errors)
        assert found.repository.blind is not None
        assert isinstance(found.repository.rules, Unknown)
        assert isinstance(found.rulesets, Unknown)

    def test_of_what_the_caller_may_do_cost_nothing_else(self) -> None:
        found = node(viewerCanAdminister=None, errors=[error(*NODES, 0, "viewerCanAdminister")])
        assert (found.can_administer, found.repository.blind) == (None, None)


class TestClassicRules:
    def test_make_all_demands_but_the_one_that_github_never_tells(self) -> None:
        found = rule()
        assert isinstance(found.demands.merge_queue, Unknown)
        for name in DEMANDS:
            if name != "merge_queue":
                assert getattr(found.demands, name) == getattr(ALL, name), name
        assert (found.key, found.name, found.bypass) == ("classic:71", "main", ())
        assert (found.branches, found.targets) == (("main",), Targets(include=("main",)))

    def test_that_may_not_be_seen_are_unknown_and_never_none(self) -> None:
        found = node(admin=False, branchProtectionRules=listed(), refs=listed(ref("main"))).repository.rules
        assert isinstance(found, Unknown)
        assert found.grant == "administration:read"

    def test_that_may_be_seen_and_are_not_there_are_none(self) -> None:
        assert node(branchProtectionRules=listed(), refs=listed(ref("main"))).repository.rules == ()

    def test_apply_where_the_branch_names_them_not_where_the_pattern_fits(self) -> None:
        rules = listed(graphql_rule(), graphql_rule(databaseId=72, pattern="*"))
        refs = listed(ref("feature", 72), ref("main", 71), ref("deep/one"))
        found = node(branchProtectionRules=rules, refs=refs).repository.rules
        assert [one.branches for one in found] == [("main",), ("feature",)]  # type: ignore[union-attr]

    def test_without_reviews_demand_none_whatever_else_is_set(self) -> None:
        demands = rule(requiresApprovingReviews=False).demands
        assert [getattr(demands, name) for name in SKIPS] == [False, 0, False, False, False]

    def test_with_unreadable_reviews_are_unknown(self) -> None:
        demands = rule(requiresApprovingReviews="yes").demands
        assert all(isinstance(getattr(demands, name), Unknown) for name in SKIPS)

    @pytest.mark.parametrize(
        "changes", [{"requiresStatusChecks": False}, {"requiredStatusChecks": []}, {"requiredStatusChecks": None}]
    )
    def test_are_not_strict_without_a_check(self, changes: dict[str, Any]) -> None:
        demands = rule(**changes).demands
        assert (demands.status_checks, demands.strict) == ((), False)

    @pytest.mark.parametrize("checks", ["all", [None], [{"app": {"databaseId": 1}}]])
    def test_with_unreadable_checks_are_unknown(self, checks: Any) -> None:
        demands = rule(requiredStatusChecks=checks).demands
        assert isinstance(demands.status_checks, Unknown)
        assert isinstance(demands.strict, Unknown)

    def test_forbid_only_what_they_say_they_do_not_allow(self) -> None:
        for value in (None, "no", 0):
            demands = rule(allowsForcePushes=value, allowsDeletions=value).demands
            assert isinstance(demands.block_force_push, Unknown)
            assert isinstance(demands.block_deletion, Unknown)
        assert rule(allowsForcePushes=True).demands.block_force_push is False

    def test_let_administrators_pass_by_unless_they_are_included(self) -> None:
        for value in (False, None):
            assert rule(isAdminEnforced=value).bypass == (BypassActor(kind="role", name="admin"),)
        assert isinstance(rule(isAdminEnforced=1).bypass, Unknown)

    def test_name_who_may_pass_what_by(self) -> None:
        found = rule(
            bypassPullRequestAllowances=listed(allowance("User", "asha", 11), allowance("App", "deploy-bot", 31)),
            bypassForcePushAllowances=listed(allowance("Team", "release-managers", 21), {"actor": None}),
        )
        assert found.bypass == (
            BypassActor(kind="app", name="deploy-bot", id=31, only=SKIPS),
            BypassActor(kind="team", name="release-managers", id=21, only=("block_force_push",)),
            BypassActor(kind="unknown", only=("block_force_push",)),
            BypassActor(kind="user", name="asha", id=11, only=SKIPS),
        )

    @pytest.mark.parametrize("value", [None, {}, listed(after="C"), {"nodes": []}, {**listed(), "nodes": None}])
    def test_with_a_list_of_these_that_is_not_whole_are_unknown(self, value: Any) -> None:
        assert isinstance(rule(bypassPullRequestAllowances=value).bypass, Unknown)
        assert isinstance(rule(bypassForcePushAllowances=value).bypass, Unknown)

    def test_that_a_branch_names_and_no_list_shows_are_there_and_unread(self) -> None:
        found = node(refs=listed(ref("main", 71), ref("next", 99))).repository.rules
        unread = next(one for one in found if one.key == "classic:99")  # type: ignore[union-attr]
        assert unread.branches == ("next",)
        assert all(isinstance(getattr(unread.demands, name), Unknown) for name in DEMANDS)
        assert isinstance(unread.bypass, Unknown)

    @pytest.mark.parametrize("value", [{}, "x", {"databaseId": None, "pattern": None}])
    def test_are_unknown_where_a_branch_names_one_that_cannot_be_read(self, value: Any) -> None:
        refs = listed(ref("main", 71), {"name": "next", "branchProtectionRule": value})
        assert isinstance(node(refs=refs).repository.rules, Unknown)
        assert isinstance(node(refs=listed({"name": "next"})).repository.rules, Unknown)


class TestFurtherPages:
    def test_are_joined_until_every_list_is_whole(self) -> None:
        first = node(
            refs=listed(ref("a", 71), ref("b", 72), after="R1"),
            branchProtectionRules=listed(graphql_rule(), after="P1"),
            rulesets=listed(samples.graphql_ruleset(1), after="S1"),
            environments=listed({"name": "staging"}, after="E1"),
        )
        assert first.more == {"refs": "R1", "branchProtectionRules": "P1", "rulesets": "S1", "environments": "E1"}
        second = further(
            refs=listed(ref("c", 71), ref("main"), after="R2"),
            branchProtectionRules=listed(graphql_rule(databaseId=72, pattern="b", lockBranch=False)),
            rulesets=listed(samples.graphql_ruleset(2)),
            environments=listed({"name": "production"}),
        )
        third = further(refs=listed(ref("d", 72)), environments=listed({"name": "staging"}, after="E1"))
        both = github_graphql.joined(first, second)
        assert both.more == {"refs": "R2"}
        whole = github_graphql.joined(both, third)
        assert whole.more == {}
        assert whole.repository.branches == ("a", "b", "c", "main", "d")
        assert [one.id for one in whole.rulesets] == [1, 2]  # type: ignore[union-attr]
        assert whole.environment_names == ("staging", "production")
        rules = {one.key: one for one in whole.repository.rules}  # type: ignore[union-attr]
        assert rules["classic:71"].branches == ("a", "c")
        assert rules["classic:72"].branches == ("b", "d")
        assert rules["classic:72"].demands.approvals == 2
        assert rules["classic:72"].demands.lock is False
        assert whole.repository.evidence == EVIDENCE

    def test_that_cannot_be_read_leave_nothing_that_looks_whole(self) -> None:
        first = node(rulesets=listed(samples.graphql_ruleset(), after="S1"), refs=listed(ref("a", 71), after="R1"))
        lost = github_graphql.joined(first, further(rulesets=None, refs=None))
        assert isinstance(lost.rulesets, Unknown)
        assert isinstance(lost.repository.branches, Unknown)
        assert isinstance(lost.repository.rules, Unknown)
        assert lost.more == {}

    def test_that_do_not_come_further_are_malformed(self) -> None:
        first = node(refs=listed(ref("a"), after="R1"))
        with pytest.raises(Malformed, match="this one again"):
            github_graphql.joined(first, further(refs=listed(ref("a"), after="R1")))

    def test_of_another_repository_are_malformed(self) -> None:
        with pytest.raises(Malformed, match="another repository"):
            github_graphql.joined(node(), further(databaseId=7))

    @pytest.mark.parametrize("answer", [{}, {"data": None}, {"data": {"repository": None}}, [], None])
    def test_without_a_repository_are_malformed(self, answer: Any) -> None:
        with pytest.raises(Malformed):
            github_graphql.repository_page(raw(answer), ORGANISATION, AT, (), admin=True)

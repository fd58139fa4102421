"""The check `branch-protection`: what each demand needs to hold, who may pass it by, and what is never a pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from checks.branch_protection import CHECK, RepositoryExpectations
from monitor.facts.protection import DEMANDS, BypassActor, Demands, ProtectionRule, StatusCheck, Targets
from monitor.facts.repository import Repository, RepositoryList
from monitor.model import EvidenceRef, Outcome, Result, Severity, Sweep, Unknown, Window

NOW = datetime(2026, 3, 14, tzinfo=UTC)
SWEEP = Sweep(id="s1", planned_for=NOW, at=NOW, window=Window(NOW - timedelta(days=1), NOW))
DENIED = Unknown("may not be seen", "write access to the ruleset")
TEAM = BypassActor(kind="team", name="release")
ADMIN = BypassActor(kind="role", name="admin")
REF = EvidenceRef(kind="capture", name="graphql", sha256="ab" * 32)
STRICT = Demands(
    pull_request=True,
    approvals=2,
    dismiss_stale=True,
    code_owners=True,
    last_push_approval=True,
    conversation_resolution=True,
    status_checks=(StatusCheck("build", 15),),
    strict=True,
    block_force_push=True,
    block_deletion=True,
    signatures=True,
    linear_history=True,
    merge_queue=True,
    lock=True,
)
ALL = {
    name: [{"name": "build", "app": 15}] if name == "status_checks" else 2 if name == "approvals" else True
    for name in DEMANDS
}
RULE = ProtectionRule(
    key="ruleset:1",
    kind="repository-ruleset",
    name="main",
    targets=Targets(include=("~DEFAULT_BRANCH",)),
    demands=STRICT,
)
REPOSITORY = Repository(
    organisation="example-org",
    id=1042,
    name="example-org/payments",
    at=NOW,
    default_branch="main",
    branches=("main", "dev"),
    rules=(RULE,),
    evidence=(REF,),
)
LIST = RepositoryList(organisation="example-org", at=NOW, ids=(1042,))
MAIN = "github:repository:1042:branch:main"


def rule(**change: Any) -> ProtectionRule:
    return msgspec.structs.replace(RULE, **change)


def only(key: str = "ruleset:1", **change: Any) -> ProtectionRule:
    """A rule that makes no other demands than these."""
    bypass = change.pop("bypass", ())
    enforced = change.pop("enforced", True)
    return rule(key=key, name=key, bypass=bypass, enforced=enforced, demands=Demands(**change))


def repository(**change: Any) -> Repository:
    return msgspec.structs.replace(REPOSITORY, **change)


def expecting(*branches: dict[str, Any], match: str = "example-org/*") -> RepositoryExpectations:
    return RepositoryExpectations.model_validate(
        {
            "production": {"github": {"organizations": ["example-org"]}},
            "repositories": [{"match": [match], "branches": list(branches)}],
        }
    )


def wanting(**demands: Any) -> RepositoryExpectations:
    return expecting({"match": ["~DEFAULT_BRANCH"], **demands})


def judge(expect: RepositoryExpectations, *facts: Any) -> dict[str, Result]:
    results = list(CHECK.evaluate(facts, expect, SWEEP))
    assert len({result.subject for result in results}) == len(results)
    return {result.subject: result for result in results}


def of(expect: RepositoryExpectations, *rules: ProtectionRule) -> Result:
    return judge(expect, LIST, repository(rules=rules))[MAIN]


def test_a_branch_that_is_protected_as_expected_passes_and_cites_what_it_saw() -> None:
    result = of(wanting(**ALL), RULE)
    assert (result.outcome, result.remedy, result.evidence) == (Outcome.PASS, "", (REF,))
    assert result.scope == "github:example-org/payments"
    assert result.expected["approvals"] == 2
    assert {told.partition(" ")[0] for told in result.observed["demands"]} == {*DEMANDS} - {"status_checks"} | {"check"}


@pytest.mark.parametrize("demand", DEMANDS)
def test_each_demand_that_no_rule_makes_fails_alone(demand: str) -> None:
    loose = rule(demands=msgspec.structs.replace(STRICT, **{demand: getattr(Demands(), demand)}))
    assert of(wanting(**ALL), loose).outcome is Outcome.FAIL
    assert of(wanting(**{d: v for d, v in ALL.items() if d != demand}), loose).outcome is Outcome.PASS


@pytest.mark.parametrize("demand", DEMANDS)
def test_each_demand_that_could_not_be_read_is_unknown_and_names_the_grant(demand: str) -> None:
    result = of(wanting(**ALL), rule(demands=msgspec.structs.replace(STRICT, **{demand: DENIED})))
    assert (result.outcome, result.remedy) == (Outcome.UNKNOWN, DENIED.grant)
    assert DENIED.reason in result.reason


@pytest.mark.parametrize("demand", DEMANDS)
def test_no_protection_at_all_fails_every_demand(demand: str) -> None:
    """Test 4 of the anchors' bugs: protection that is null fails each sub-check."""
    for rules in ((), (rule(demands=Demands()),)):
        result = of(wanting(**{demand: ALL[demand]}), *rules)
        assert result.outcome is Outcome.FAIL
    assert of(wanting(**ALL)).severity is Severity.CRITICAL
    assert of(wanting(**ALL), rule(demands=Demands())).severity is Severity.HIGH


def test_the_reason_says_what_is_wrong_in_words() -> None:
    result = of(
        wanting(approvals=2, block_force_push=True, signatures=True),
        only(approvals=1, signatures=True, bypass=(TEAM,)),
    )
    assert "needs 2 approvals, has 1" in result.reason
    assert "forced pushes are allowed" in result.reason
    assert "team:release (always) can pass by: signatures" in result.reason


def test_bypass_actors_that_are_missing_are_unknown_and_an_empty_list_passes() -> None:
    """Test 2: the forge leaves `bypass_actors` out for whoever may not see it."""
    unseen = of(wanting(**ALL), rule(bypass=DENIED))
    assert (unseen.outcome, unseen.remedy) == (Outcome.UNKNOWN, DENIED.grant)
    assert of(wanting(**ALL), rule(bypass=())).outcome is Outcome.PASS


def test_of_two_rulesets_one_with_a_bypass_neither_weakens_nor_hides_the_other() -> None:
    """Test 3: a redundant rule with a bypass is harmless; one that alone makes a demand is not saved by the other."""
    strict, redundant = only(approvals=2), only("ruleset:2", approvals=2, bypass=(TEAM,))
    assert of(wanting(approvals=2), strict, redundant).outcome is Outcome.PASS
    alone = only("ruleset:2", signatures=True, bypass=(TEAM,))
    result = of(wanting(approvals=2, signatures=True), strict, alone)
    assert result.outcome is Outcome.FAIL
    assert "team:release" in result.reason
    assert result.observed["demands"]["approvals"]["standing"] == "met"
    # The stronger can be passed by, and what is left is too little.
    assert of(wanting(approvals=2), only(approvals=1), redundant).outcome is Outcome.FAIL


@pytest.mark.parametrize(("word", "enforced"), [("active", True), ("enabled", True)])
def test_active_and_enabled_are_both_in_force(word: str, enforced: bool) -> None:
    """Test 14: the audit log says `enabled` where the API says `active`."""
    assert of(wanting(**ALL), rule(enforcement=word, enforced=enforced)).outcome is Outcome.PASS


@pytest.mark.parametrize("word", ["evaluate", "disabled"])
def test_a_rule_that_is_not_enforced_protects_nothing(word: str) -> None:
    result = of(wanting(**ALL), rule(enforcement=word, enforced=False))
    assert (result.outcome, result.severity) == (Outcome.FAIL, Severity.CRITICAL)


def test_a_rule_that_may_not_be_enforced_is_unknown_unless_another_is_enough() -> None:
    unsure = only(approvals=2, enforced=DENIED)
    assert of(wanting(approvals=2), unsure).outcome is Outcome.UNKNOWN
    assert of(wanting(approvals=2), unsure, only("ruleset:2", approvals=2)).outcome is Outcome.PASS
    assert of(wanting(approvals=3), unsure).outcome is Outcome.FAIL


@pytest.mark.parametrize("lost", [{"enforced": DENIED}, {"approvals": DENIED}])
def test_what_is_unknown_of_a_rule_does_not_excuse_a_bypass_that_is_known(lost: dict[str, Any]) -> None:
    assert of(wanting(approvals=2), only(**{"approvals": 2, "bypass": (TEAM,), **lost})).outcome is Outcome.FAIL


def test_a_definite_fault_outranks_an_unknown() -> None:
    result = of(wanting(approvals=2, signatures=True), only(approvals=1, signatures=DENIED))
    assert result.outcome is Outcome.FAIL
    assert "needs 2 approvals" in result.reason


def test_demands_may_come_from_several_rules() -> None:
    rules = (
        only(approvals=2),
        only("ruleset:2", status_checks=(StatusCheck("build"),)),
        only("ruleset:3", signatures=True),
    )
    wanted = wanting(approvals=2, status_checks=[{"name": "build"}], signatures=True)
    assert of(wanted, *rules).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("wanted", "found", "outcome"),
    [
        ({"name": "build"}, StatusCheck("build", 15), Outcome.PASS),
        ({"name": "build", "app": 15}, StatusCheck("build", 15), Outcome.PASS),
        ({"name": "build", "app": 15}, StatusCheck("build"), Outcome.FAIL),  # anybody may report it
        ({"name": "build", "app": 15}, StatusCheck("build", 16), Outcome.FAIL),
        ({"name": "build"}, StatusCheck("Build"), Outcome.FAIL),
    ],
)
def test_a_status_check_is_required_by_name_and_by_app(wanted: Any, found: StatusCheck, outcome: Outcome) -> None:
    assert of(wanting(status_checks=[wanted]), only(status_checks=(found,))).outcome is outcome


def test_each_status_check_stands_alone() -> None:
    both = wanting(status_checks=[{"name": "build"}, {"name": "scan"}])
    firm = only(status_checks=(StatusCheck("build"),))
    assert of(both, firm, only("ruleset:2", status_checks=(StatusCheck("scan"),))).outcome is Outcome.PASS
    loose = of(both, firm, only("ruleset:2", status_checks=(StatusCheck("scan"),), bypass=(TEAM,)))
    assert loose.outcome is Outcome.FAIL
    assert loose.observed["demands"]["check build"]["standing"] == "met"
    assert loose.observed["demands"]["check scan"]["standing"] == "unmet"


@pytest.mark.parametrize(
    ("actor", "terms", "passes"),
    [
        (TEAM, {}, False),
        (TEAM, {"bypass": []}, False),
        (TEAM, {"bypass": [{"actor": "team:release", "mode": "always"}]}, True),
        (TEAM, {"bypass": [{"actor": "team:release"}]}, False),  # it may, but by pull request only
        (TEAM, {"bypass": [{"actor": "team:other", "mode": "always"}]}, False),
        (TEAM, {"bypass": [{"actor": "user:release", "mode": "always"}]}, False),
        (BypassActor(kind="team", name="release", mode="pull-request"), {"bypass": [{"actor": "team:release"}]}, True),
        (BypassActor(kind="team", name="release", mode="exempt"), {"bypass": [{"actor": "team:release"}]}, False),
        (
            BypassActor(kind="team", name="release", mode="exempt"),
            {"bypass": [{"actor": "team:release", "mode": "always"}]},
            True,
        ),
        (BypassActor(kind="deploy-key"), {"bypass": [{"actor": "deploy-key", "mode": "always"}]}, True),
        (BypassActor(kind="deploy-key"), {"admins_included": False}, False),
        (BypassActor(kind="unknown", name="7"), {"admins_included": False}, False),
        (ADMIN, {}, False),
        (ADMIN, {"admins_included": True}, False),
        (ADMIN, {"admins_included": False}, True),
        (BypassActor(kind="organisation-admin"), {"admins_included": True}, False),
        (BypassActor(kind="organisation-admin"), {"admins_included": False}, True),
        (BypassActor(kind="enterprise-owner"), {"admins_included": True}, False),
        (ADMIN, {"admins_included": True, "bypass": [{"actor": "role:admin", "mode": "always"}]}, True),
        (BypassActor(kind="role", name="maintain"), {"admins_included": False}, False),
    ],
)
def test_only_who_is_allowed_may_pass_a_rule_by(actor: BypassActor, terms: dict[str, Any], passes: bool) -> None:
    outcome = of(wanting(approvals=2, **terms), only(approvals=2, bypass=(actor,))).outcome
    assert outcome is (Outcome.PASS if passes else Outcome.FAIL)


def test_a_bypass_of_some_demands_leaves_the_others_firm() -> None:
    pusher = msgspec.structs.replace(TEAM, only=("block_force_push",))
    one = only(approvals=2, block_force_push=True, bypass=(pusher,))
    assert of(wanting(approvals=2), one).outcome is Outcome.PASS
    assert of(wanting(approvals=2, block_force_push=True), one).outcome is Outcome.FAIL


def test_later_entries_override_by_field_and_may_relax() -> None:
    expect = expecting(
        {"match": ["~DEFAULT_BRANCH"], "approvals": 2, "signatures": True},
        {"match": ["main"], "approvals": 1, "signatures": False},
    )
    assert of(expect, only(approvals=1)).outcome is Outcome.PASS


def test_where_nothing_is_demanded_nothing_passes() -> None:
    assert of(wanting(bypass=[])).outcome is Outcome.NOT_APPLICABLE
    assert of(wanting(approvals=0, signatures=False)).outcome is Outcome.NOT_APPLICABLE


def test_each_branch_is_judged_by_the_rules_that_reach_it() -> None:
    expect = expecting({"match": ["main", "release/**"], "approvals": 2})
    found = judge(expect, LIST, repository(branches=("main", "dev", "release/1", "release/2/hotfix")))
    assert {subject: result.outcome for subject, result in found.items()} == {
        MAIN: Outcome.PASS,
        "github:repository:1042:branch:release/1": Outcome.FAIL,
        "github:repository:1042:branch:release/2/hotfix": Outcome.FAIL,
    }


def test_the_default_branch_is_the_one_that_it_is_now() -> None:
    found = judge(wanting(approvals=2), LIST, repository(default_branch="dev"))
    assert set(found) == {"github:repository:1042:branch:dev"}

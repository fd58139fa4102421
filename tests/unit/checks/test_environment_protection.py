"""The check `environment-protection`: who may approve a deployment, from where it may come, and edits of its rules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from checks.environment_protection import CHECK, EnvironmentExpectations
from monitor.facts.repository import Environment, EnvironmentChange, Repository, RepositoryList, Reviewer
from monitor.model import EvidenceRef, Outcome, Result, Severity, Sweep, Unknown, Window

NOW = datetime(2026, 3, 14, tzinfo=UTC)
SWEEP = Sweep(id="s1", planned_for=NOW, at=NOW, window=Window(NOW - timedelta(days=1), NOW))
DENIED = Unknown("denied", "actions:read")
REF = EvidenceRef(kind="capture", name="environments")
TEAM, PERSON = Reviewer(kind="team", name="release"), Reviewer(kind="user", name="ada")
GOOD = Environment(
    id=1,
    name="production",
    reviewers=(TEAM,),
    prevent_self_review=True,
    admins_may_bypass=False,
    branch_policy="custom",
    deploys_from=("main",),
    wait_minutes=10,
    custom_rules=("change-gate",),
    evidence=(REF,),
)
WANTED: dict[str, Any] = {
    "reviewers": ["team:release", "user:ada"],
    "min_reviewers": 1,
    "prevent_self_review": True,
    "admins_may_bypass": False,
    "deploys_from": ["main", "release/*", "tag:v*"],
    "wait_minutes": 10,
    "custom_rules": ["change-gate"],
}
PRODUCTION = "github:repository:1042:environment:production"
WHOLE = "github:repository:1042:environments"
LIST = RepositoryList(organisation="example-org", at=NOW, ids=(1042,))
REPOSITORY = Repository(
    organisation="example-org",
    id=1042,
    name="example-org/payments",
    at=NOW,
    default_branch="main",
    branches=("main",),
    environments=(GOOD,),
)


def good(**change: Any) -> Environment:
    return msgspec.structs.replace(GOOD, **change)


def repository(*environments: Environment, **change: Any) -> Repository:
    return msgspec.structs.replace(REPOSITORY, **{"environments": environments or (GOOD,), **change})


def wanting(*match: str, of: str = "example-org/*", **fields: Any) -> EnvironmentExpectations:
    environments = [{"match": list(match or ("production",)), **fields}]
    return EnvironmentExpectations.model_validate(
        {
            "production": {"github": {"organizations": ["example-org"]}},
            "repositories": [{"match": [of], "environments": environments}],
        }
    )


def judge(expect: EnvironmentExpectations, *facts: Any) -> dict[str, Result]:
    results = list(CHECK.evaluate([LIST, *facts], expect, SWEEP))
    assert len({result.subject for result in results}) == len(results)
    return {result.subject: result for result in results}


def of(environment: Environment, **fields: Any) -> Result:
    return judge(wanting(**(fields or WANTED)), repository(environment))[PRODUCTION]


def test_an_environment_as_expected_passes_and_cites_what_it_saw() -> None:
    result = of(GOOD)
    assert (result.outcome, result.remedy, result.evidence) == (Outcome.PASS, "", (REF,))
    assert result.observed["reviewers"] == ["team:release"]


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (good(reviewers=()), "nobody must review a deployment"),
        (good(reviewers=(TEAM, Reviewer(kind="user", name="eve"))), "user:eve may approve"),
        (good(reviewers=(Reviewer(kind="user", name="release"),)), "user:release may approve"),
        (good(prevent_self_review=False), "whoever starts a deployment may approve it"),
        (good(admins_may_bypass=True), "administrators may pass its rules by"),
        (good(branch_policy="none", deploys_from=()), "every branch may deploy"),
        (good(branch_policy="protected", deploys_from=()), "every protected branch may deploy"),
        (good(deploys_from=("main", "dev")), "dev may deploy"),
        (good(deploys_from=("*",)), "* may deploy"),
        (good(deploys_from=("release/**/*",)), "release/**/* may deploy"),
        (good(deploys_from=("tag:main",)), "tag:main may deploy"),
        (good(wait_minutes=0), "waits 0 minutes, not 10"),
        (good(custom_rules=()), "is not gated by change-gate"),
    ],
)
def test_each_fault_fails_and_is_told(bad: Environment, told: str) -> None:
    result = of(bad)
    assert result.outcome is Outcome.FAIL
    assert told in result.reason
    assert result.remedy


@pytest.mark.parametrize(
    "field",
    [
        "reviewers",
        "prevent_self_review",
        "admins_may_bypass",
        "branch_policy",
        "deploys_from",
        "wait_minutes",
        "custom_rules",
    ],
)
def test_a_field_that_could_not_be_read_is_unknown_and_never_hides_a_fault(field: str) -> None:
    unclear = of(good(**{field: DENIED}))
    assert (unclear.outcome, unclear.remedy) == (Outcome.UNKNOWN, DENIED.grant)
    other = {"wait_minutes": 0} if field != "wait_minutes" else {"custom_rules": ()}
    assert of(good(**{field: DENIED, **other})).outcome is Outcome.FAIL


def test_a_branch_policy_of_an_unknown_word_is_unknown() -> None:
    assert of(good(branch_policy="tomorrow", deploys_from=())).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("pattern", ["main", "release/1", "release/1.*", "tag:v1", "tag:v*"])
def test_what_an_expected_pattern_covers_may_deploy(pattern: str) -> None:
    assert of(good(deploys_from=(pattern,))).outcome is Outcome.PASS


def test_a_star_for_branches_lets_no_tag_deploy() -> None:
    assert of(good(deploys_from=("tag:v1",)), deploys_from=["*"]).outcome is Outcome.FAIL
    assert of(good(deploys_from=("main",)), deploys_from=["tag:*"]).outcome is Outcome.FAIL


def test_protected_branches_are_enough_where_that_is_expected() -> None:
    protected = good(branch_policy="protected", deploys_from=())
    assert of(protected, deploys_from=["~PROTECTED"]).outcome is Outcome.PASS
    assert of(GOOD, deploys_from=["~PROTECTED"]).outcome is Outcome.FAIL


def test_somebody_must_approve_where_reviewers_are_expected_at_all() -> None:
    assert of(good(reviewers=()), reviewers=["team:release"]).outcome is Outcome.FAIL
    assert of(good(reviewers=()), reviewers=["team:release"], min_reviewers=0).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("reviewers", "prevented", "outcome"),
    [
        ((PERSON,), False, Outcome.FAIL),
        ((PERSON,), True, Outcome.PASS),
        ((PERSON,), DENIED, Outcome.UNKNOWN),
        ((PERSON, TEAM), False, Outcome.PASS),
        ((TEAM,), False, Outcome.PASS),
    ],
)
def test_the_author_must_not_be_the_only_reviewer(reviewers: Any, prevented: Any, outcome: Outcome) -> None:
    one = good(reviewers=reviewers, prevent_self_review=prevented)
    result = of(one, min_reviewers=1)
    assert result.outcome is outcome
    assert ("ada, may approve a deployment of their own" in result.reason) is (outcome is Outcome.FAIL)
    assert of(one, min_reviewers=1, prevent_self_review=False).outcome is Outcome.PASS


def test_too_few_reviewers_are_counted() -> None:
    assert "needs 2 reviewers, has 1" in of(GOOD, min_reviewers=2).reason


def test_names_of_environments_are_compared_without_case() -> None:
    found = judge(wanting("Production", **WANTED), repository(good(name="PRODUCTION", wait_minutes=0)))
    assert {s: r.outcome for s, r in found.items()} == {
        "github:repository:1042:environment:PRODUCTION": Outcome.FAIL,
    }


def test_an_environment_that_does_not_exist_is_not_applicable_only_if_they_were_read() -> None:
    expect = wanting("production", "staging", "eu-*", min_reviewers=1)
    found = judge(expect, repository())
    absent = "github:repository:1042:environment:staging"
    assert {s: r.outcome for s, r in found.items()} == {PRODUCTION: Outcome.PASS, absent: Outcome.NOT_APPLICABLE}
    assert "there is no staging" in found[absent].reason
    unread = judge(expect, repository(environments=DENIED))
    assert {s: r.outcome for s, r in unread.items()} == {WHOLE: Outcome.UNKNOWN}
    assert unread[WHOLE].remedy == DENIED.grant


@pytest.mark.parametrize(
    ("change", "outcome"),
    [
        ({"blind": DENIED}, Outcome.UNKNOWN),
        ({"archived": True}, Outcome.NOT_APPLICABLE),
        ({"name": "other-org/payments"}, Outcome.NOT_APPLICABLE),
    ],
)
def test_a_repository_that_cannot_be_judged_is_told(change: dict[str, Any], outcome: Outcome) -> None:
    assert {s: r.outcome for s, r in judge(wanting(**WANTED), repository(**change)).items()} == {WHOLE: outcome}


def test_an_organisation_without_a_list_is_unknown_where_environments_are_expected() -> None:
    subjects = {r.subject: r.outcome for r in CHECK.evaluate([], wanting(**WANTED), SWEEP)}
    assert subjects == {"github:organisation:example-org": Outcome.UNKNOWN}
    nothing = EnvironmentExpectations(production=wanting(**WANTED).production)
    assert not list(CHECK.evaluate([], nothing, SWEEP))


def change(number: int, action: str, **more: Any) -> EnvironmentChange:
    return EnvironmentChange(
        **{
            "id": f"e{number}",
            "at": NOW - timedelta(minutes=60 - number),
            "organisation": "example-org",
            "repository_id": 1042,
            "repository": "example-org/payments",
            "environment": "production",
            "action": action,
            "actor": "ada",
            **more,
        }
    )


EDITED = f"{PRODUCTION}:changes@2026-03-13T23:01Z"
SECRET = change(1, "environment.update_actions_secret", what="key DEPLOY_TOKEN")


@pytest.mark.parametrize(
    ("action", "severity"),
    [
        ("environment.remove_protection_rule", Severity.MEDIUM),
        ("environment.update_protection_rule", Severity.MEDIUM),
        ("environment.delete", Severity.MEDIUM),
        ("environment.something_new", Severity.MEDIUM),
        ("workflows.bypass_protection_rules", Severity.HIGH),
    ],
)
def test_an_edit_that_may_weaken_fails_and_says_who(action: str, severity: Severity) -> None:
    result = judge(wanting(**WANTED), repository(), SECRET, change(2, action, actor="eve"))[EDITED]
    assert (result.outcome, result.severity, result.actor) == (Outcome.FAIL, severity, "eve")
    assert f"{action} by eve" in result.reason
    assert ("does not tell" in result.reason) is action.endswith("update_protection_rule")
    assert [row["action"] for row in result.observed["changes"]] == [SECRET.action, action]


@pytest.mark.parametrize("kind", ["secret", "variable"])
@pytest.mark.parametrize("verb", ["create", "update", "remove"])
def test_edits_of_secrets_and_variables_are_counted_as_changes_of_the_environment(verb: str, kind: str) -> None:
    edit = change(1, f"environment.{verb}_actions_{kind}", what="key DEPLOY_TOKEN")
    result = judge(wanting(**WANTED), repository(), edit)[EDITED]
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert "counted as changes of the environment" in result.reason
    assert result.observed["changes"] == [
        {"at": edit.at.isoformat(), "action": edit.action, "by": "ada", "what": "key DEPLOY_TOKEN"}
    ]


@pytest.mark.parametrize("action", ["environment.create", "environment.add_protection_rule"])
def test_an_edit_that_adds_is_no_failure(action: str) -> None:
    assert judge(wanting(**WANTED), repository(), change(1, action))[EDITED].outcome is Outcome.NOT_APPLICABLE


def test_edits_of_what_no_expectation_speaks_of_are_not_told() -> None:
    edits = [
        change(1, "environment.delete", environment="dev"),
        change(2, "environment.delete", repository="a/b", repository_id=9),
    ]
    assert not [subject for subject in judge(wanting(**WANTED), repository(), *edits) if ":changes@" in subject]


def test_an_edit_before_a_rename_or_without_an_id_is_found() -> None:
    for edit in (
        change(1, "environment.delete", repository="example-org/old-name"),
        change(1, "environment.delete", repository=""),
        change(1, "environment.delete", repository_id=0),
    ):
        found = judge(wanting(of="example-org/payments", **WANTED), repository(), edit)
        assert found[EDITED].outcome is Outcome.FAIL


def test_edits_of_two_repositories_whose_ids_are_not_told_are_two_subjects() -> None:
    edits = [change(n, "environment.delete", repository=f"example-org/r{n}", repository_id=0) for n in (1, 2)]
    assert sum(":changes@" in subject for subject in judge(wanting(**WANTED), repository(), *edits)) == 2


def test_an_edit_that_is_told_twice_is_one() -> None:
    once = judge(wanting(**WANTED), repository(), SECRET)
    assert judge(wanting(**WANTED), repository(), SECRET, SECRET) == once

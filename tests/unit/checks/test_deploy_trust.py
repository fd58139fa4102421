"""deploy-trust: who can become a deploy identity, against what is declared for it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from checks.deploy_trust import TrustExpectations, evaluate
from monitor.expected.models import DeployIdentity, GitHubEstate, IdentityRules, Production
from monitor.facts.access import Access
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.protection import ProtectionRule
from monitor.facts.repository import Environment, Repository, Reviewer
from monitor.facts.trust import ClaimTest, SubjectTemplate, TrustPath
from monitor.model import Outcome, Result, Severity, Sweep, Unknown, Window

AT = datetime(2026, 4, 1, tzinfo=UTC)
SWEEP = Sweep(id="s", planned_for=AT, at=AT, window=Window(AT, AT))
ACCOUNT = "111122223333"
NAME = f"arn:aws:iam::{ACCOUNT}:role/payments-deploy"
GITHUB = "token.actions.githubusercontent.com"
AUDIENCE = ClaimTest(claim="aud", patterns=("sts.amazonaws.com",))
MINE = "repo:example-org/payments:environment:production"
MAIN = "repo:example-org/payments:ref:refs/heads/main"


def sub(*patterns: str, wild: bool = True, **more: Any) -> ClaimTest:
    return ClaimTest(claim="sub", patterns=patterns, wild=wild, **more)


def token(*tests: ClaimTest, issuer: str = GITHUB, audience: bool = True, **more: Any) -> TrustPath:
    given: dict[str, Any] = {
        "kind": "token",
        "principal": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{issuer}",
        "action": "sts:AssumeRoleWithWebIdentity",
        "by": "trust#1",
        "issuer": issuer,
        "tests": (*tests, AUDIENCE) if audience else tests,
    }
    return TrustPath(**(given | more))


def way(kind: str, principal: str, *tests: ClaimTest, **more: Any) -> TrustPath:
    return TrustPath(kind=kind, principal=principal, action="sts:AssumeRole", by="trust#2", tests=tests, **more)


def access(*paths: TrustPath, known: Any = None, **more: Any) -> Access:
    given: dict[str, Any] = {
        "provider": "aws",
        "account": ACCOUNT,
        "id": "AROA1",
        "name": NAME,
        "kind": "role",
        "at": AT,
    }
    found = paths if known is None else known
    return Access(identity=Identity(**(given | {"trust": found} | more)), paths=found)


def declared(
    *subjects: str, session: tuple[str, ...] | None = None, id: str = "payments", **more: Any
) -> DeployIdentity:
    proof: dict[str, Any] = {
        "token": {"issuer": GITHUB, "subjects": list(subjects or (MINE,)), "audience": "sts.amazonaws.com"}
    }
    if session is not None:
        pattern = f"arn:aws:sts::{ACCOUNT}:assumed-role/payments-deploy/*"
        proof = {"session": {"pattern": pattern, "assumed_by": list(session)}}
    return DeployIdentity.model_validate({"id": id, "principals": [NAME], "proof": proof} | more)


PROTECTED = Environment(id=1, name="production", branch_policy="custom", deploys_from=("main",))


def repository(*environments: Environment, **more: Any) -> Repository:
    given: dict[str, Any] = {"organisation": "example-org", "id": 7, "name": "example-org/payments", "at": AT}
    return Repository(**(given | {"environments": environments or (PROTECTED,)} | more))


def expecting(
    *entries: DeployIdentity, watched: bool = True, accounts: tuple[str, ...] = (ACCOUNT,), **more: Any
) -> TrustExpectations:
    aws = {"accounts": [{"id": one, "name": one, "regions": ["us-east-1"]} for one in accounts]}
    production = Production.model_validate({"aws": aws})
    if watched:
        production = production.model_copy(update={"github": GitHubEstate(organizations=("example-org",))})
    return TrustExpectations(production=production, deploy_identities=entries, **more)


def judged(fact: Access, expect: TrustExpectations | None = None, *facts: Any) -> Result:
    listed = IdentityList(provider="aws", account=ACCOUNT, at=AT, ids=("AROA1",))
    around = facts or (repository(),)
    results = list(evaluate([fact, listed, *around], expect or expecting(declared()), SWEEP))
    (found,) = [one for one in results if one.subject == fact.identity.subject("trust")]
    return found


# Tokens.


def test_trust_in_just_what_is_declared_passes_and_lists_the_way():
    found = judged(access(token(sub(MINE))))

    assert found.outcome is Outcome.PASS
    assert len(found.observed["paths"]) == 1
    assert "trust#1" in str(found.observed["paths"])


@pytest.mark.parametrize(
    ("test", "said"),
    [
        (None, "no subject is demanded"),
        (sub("*"), "repo:"),
        (sub("repo:*"), "repo:"),
        (sub("repo:example-org*"), "repo:example-org"),
        (sub("repo:example-org/*"), "repo:example-org/"),
        (sub("repo:example-org/payments:*"), "repo:example-org/payments:pull_request"),
        (sub("repo:example-org/payments:ref:refs/*"), "repo:example-org/payments:ref:refs/"),
        (sub("repo:example-org/pay*:environment:production"), "environment:production"),
        (sub(MINE, MAIN, wild=False), MAIN),
        (sub(MINE, "repo:example-org/ledger:*"), "repo:example-org/ledger:*"),
        (sub(MINE, negated=True), "repo:"),
        (sub(MINE.upper(), wild=False, ignores_case=True), "repo:"),
    ],
)
def test_trust_in_more_fails_and_shows_an_example(test, said):
    found = judged(access(token(*([test] if test else []))))

    assert found.outcome is Outcome.FAIL
    assert found.severity in (Severity.HIGH, Severity.CRITICAL)
    assert said in found.reason


def test_everybodys_repositories_are_critical():
    assert judged(access(token(sub("*")))).severity is Severity.CRITICAL


def test_one_weak_statement_beside_a_strict_one_fails():
    strict, weak = token(sub(MINE)), token(sub("repo:example-org/*"), by="trust#3")

    assert judged(access(strict, weak)).outcome is Outcome.FAIL
    assert "trust#3" in judged(access(weak, strict)).reason


def test_tests_of_other_claims_count_where_they_imply_something_of_the_subject():
    loose = sub("repo:example-org/payments:*")
    environment = ClaimTest(claim="environment", patterns=("production",))

    assert judged(access(token(loose, environment))).outcome is Outcome.PASS
    assert judged(access(token(loose, ClaimTest(claim="actor", patterns=("octocat",))))).outcome is Outcome.FAIL


def test_the_audience_must_be_the_declared_one():
    assert "audience" in judged(access(token(sub(MINE), audience=False))).reason
    other = ClaimTest(claim="aud", patterns=("sts.amazonaws.com", "other"))

    for path in (token(sub(MINE), audience=False), token(sub(MINE), other, audience=False)):
        found = judged(access(path))
        assert found.outcome is Outcome.FAIL
        assert found.severity is Severity.MEDIUM


def test_another_issuer_is_not_the_declared_one():
    found = judged(access(token(sub("project_path:e/p:ref_type:branch:ref:main"), issuer="gitlab.com")))

    assert found.outcome is Outcome.FAIL
    assert "gitlab.com" in found.reason
    assert "declared" in found.reason


def test_an_identity_that_nobody_declared_fails_if_a_token_can_become_it():
    found = judged(access(token(sub(MINE))), expecting())

    assert found.outcome is Outcome.FAIL
    assert "no deploy identity with that proof is declared" in found.reason
    assert MINE in found.reason
    assert judged(access(token(sub("*"))), expecting()).severity is Severity.CRITICAL


def test_a_token_cannot_stand_in_for_a_declared_session():
    found = judged(access(token(sub(MINE))), expecting(declared(session=("codebuild.amazonaws.com",))))

    assert found.outcome is Outcome.FAIL


def test_a_demand_that_cannot_be_evaluated_makes_a_fault_unknown_and_a_pass_no_less():
    unclear = (Unknown("the condition IpAddress aws:sourceip is not evaluated"),)
    doubtful = judged(access(token(sub("repo:example-org/*"), unclear=unclear)))

    assert doubtful.outcome is Outcome.UNKNOWN
    assert "aws:sourceip" in doubtful.reason
    assert judged(access(token(sub(MINE), unclear=unclear))).outcome is Outcome.PASS


def test_patterns_that_are_too_involved_are_unknown():
    assert judged(access(token(sub("*a?b" * 2000)))).outcome is Outcome.UNKNOWN


def test_a_customised_subject_is_compared_as_it_is_made():
    keys = ("repo", "context", "job_workflow_ref")
    template = SubjectTemplate(
        organisation="example-org", repository_id=7, repository="example-org/payments", keys=keys, at=AT
    )
    workflow = f"{MINE}:job_workflow_ref:example-org/ci/.github/workflows/deploy.yml@refs/heads/main"
    loose = access(token(sub(f"{MINE}:job_workflow_ref:example-org/ci/*")))

    assert judged(loose, expecting(declared(workflow)), repository(), template).outcome is Outcome.FAIL
    assert (
        judged(access(token(sub(workflow))), expecting(declared(workflow)), repository(), template).outcome
        is Outcome.PASS
    )


# Dead trust.


def test_a_declared_identity_whose_ways_are_dead_fails_low():
    found = judged(access(token(sub(MINE), dead="the account has no such provider")))

    assert found.outcome is Outcome.FAIL
    assert found.severity is Severity.LOW
    assert "dead" in found.reason
    assert "no such provider" in str(found.observed)


def test_a_star_that_is_taken_as_it_is_written_lets_nobody_in():
    found = judged(access(token(sub("repo:example-org/payments:*", wild=False))))

    assert (found.outcome, found.severity) == (Outcome.FAIL, Severity.LOW)


# Environments.


@pytest.mark.parametrize(
    ("environment", "outcome"),
    [
        (Environment(id=1, name="Production", branch_policy="protected"), Outcome.PASS),
        (Environment(id=1, name="production", reviewers=(Reviewer(kind="team", name="release"),)), Outcome.PASS),
        (Environment(id=1, name="production", custom_rules=("gate",)), Outcome.PASS),
        (Environment(id=1, name="production"), Outcome.FAIL),
        (Environment(id=1, name="staging", branch_policy="protected"), Outcome.FAIL),
        (Environment(id=1, name="production", branch_policy=Unknown("denied", "actions:read")), Outcome.UNKNOWN),
        (Environment(id=1, name="production", reviewers=Unknown("denied", "actions:read")), Outcome.UNKNOWN),
    ],
)
def test_trust_in_an_environment_is_as_strong_as_that(environment, outcome):
    rule = ProtectionRule(key="classic:1", kind="classic", name="main")

    found = judged(access(token(sub(MINE))), None, repository(environment, rules=(rule,)))

    assert found.outcome is outcome
    if outcome is not Outcome.PASS:
        assert "production" in found.reason


def test_environments_that_were_not_read_are_unknown_with_what_to_grant():
    found = judged(access(token(sub(MINE))), None, repository(environments=Unknown("denied", "actions:read")))

    assert found.outcome is Outcome.UNKNOWN
    assert "actions:read" in found.remedy


def test_what_is_not_watched_is_unknown_and_says_to_watch_it():
    found = judged(access(token(sub(MINE))), expecting(declared(), watched=False))

    assert found.outcome is Outcome.UNKNOWN
    assert "production.github" in found.remedy


def test_a_repository_of_a_watched_organisation_that_was_not_read_is_unknown():
    other = repository(name="example-org/ledger", id=8)

    assert judged(access(token(sub(MINE))), None, other).outcome is Outcome.UNKNOWN


def test_the_immutable_form_finds_the_repository_by_its_id():
    subject = "repo:example-org@1/payments@7:environment:production"
    weak = repository(Environment(id=1, name="production"))

    assert judged(access(token(sub(subject))), expecting(declared(subject))).outcome is Outcome.PASS
    assert judged(access(token(sub(subject))), expecting(declared(subject)), weak).outcome is Outcome.FAIL


def test_a_branch_is_judged_by_its_own_check():
    assert judged(access(token(sub(MAIN))), expecting(declared(MAIN))).outcome is Outcome.PASS


# Others.


@pytest.mark.parametrize(
    ("path", "severity"),
    [
        (way("identity", f"arn:aws:iam::{ACCOUNT}:role/admin"), Severity.HIGH),
        (way("identity", f"arn:aws:iam::{ACCOUNT}:user/ada"), Severity.HIGH),
        (way("account", f"arn:aws:iam::{ACCOUNT}:root"), Severity.HIGH),
        (way("account", "arn:aws:iam::999999999999:root"), Severity.CRITICAL),
        (way("saml", f"arn:aws:iam::{ACCOUNT}:saml-provider/sso"), Severity.HIGH),
        (way("service", "ecs-tasks.amazonaws.com"), Severity.MEDIUM),
        (way("group", "group:developers@example.org"), Severity.HIGH),
        (way("anyone", "*"), Severity.CRITICAL),
        (way("anyone", "*", ClaimTest(claim="aws:principalorgid", patterns=("o-example",))), Severity.HIGH),
        (way("anyone", "*", ClaimTest(claim="sts:externalid", patterns=("x",))), Severity.CRITICAL),
    ],
)
def test_whoever_else_can_become_it_fails(path, severity):
    found = judged(access(token(sub(MINE)), path))

    assert found.outcome is Outcome.FAIL
    assert found.severity is severity
    assert "trust#2" in found.reason


@pytest.mark.parametrize(
    "path",
    [
        way("identity", f"arn:aws:iam::{ACCOUNT}:role/hub"),
        way("account", "arn:aws:iam::777788889999:root"),
        way("service", "ecs-tasks.amazonaws.com"),
        way("group", "group:release@example.org"),
    ],
)
def test_who_is_declared_to_may(path):
    entry = declared(
        assumable_by=[
            f"arn:aws:iam::{ACCOUNT}:role/hub",
            "arn:aws:iam::777788889999:root",
            "ecs-tasks.amazonaws.com",
            "group:release@example.org",
        ]
    )

    assert judged(access(token(sub(MINE)), path), expecting(entry)).outcome is Outcome.PASS


def test_a_service_may_that_the_declared_session_names():
    found = judged(
        access(way("service", "codebuild.amazonaws.com")), expecting(declared(session=("codebuild.amazonaws.com",)))
    )

    assert found.outcome is Outcome.PASS


def test_an_account_that_is_trusted_must_show_an_external_id():
    rules = IdentityRules(trusted_accounts=("999999999999",))
    external = ClaimTest(claim="sts:externalid", patterns=("4711",))
    principal = "arn:aws:iam::999999999999:root"

    def found(*tests: ClaimTest) -> Outcome:
        return judged(
            access(token(sub(MINE)), way("account", principal, *tests)), expecting(declared(), identities=rules)
        ).outcome

    assert found(external) is Outcome.PASS
    assert found() is Outcome.FAIL
    assert found(ClaimTest(claim="sts:externalid", patterns=("4711",), absent_passes=True)) is Outcome.FAIL


def test_a_way_through_others_is_judged_at_its_end():
    hub = "arn:aws:iam::777788889999:role/hub"

    assert judged(access(token(sub(MINE), via=(hub,)))).outcome is Outcome.PASS
    found = judged(access(token(sub("repo:example-org/*"), via=(hub,))))
    assert found.outcome is Outcome.FAIL
    assert hub in found.reason


# What is not known, and what is not concerned.


def test_trust_that_could_not_be_read_is_unknown_with_what_to_grant():
    found = judged(access(known=Unknown("denied", "iam:GetAccountAuthorizationDetails")))

    assert found.outcome is Outcome.UNKNOWN
    assert "iam:GetAccountAuthorizationDetails" in found.remedy


def test_an_identity_that_no_pipeline_can_become_is_not_concerned_unless_declared():
    admin = way("identity", f"arn:aws:iam::{ACCOUNT}:role/admin")

    assert judged(access(admin), expecting()).outcome is Outcome.NOT_APPLICABLE
    assert judged(access(), expecting()).outcome is Outcome.NOT_APPLICABLE


def test_an_identity_that_anyone_can_become_is_concerned():
    assert judged(access(way("anyone", "*")), expecting()).outcome is Outcome.FAIL


def test_an_identity_that_is_declared_and_not_there_is_unknown():
    missing = declared(id="gone").model_copy(update={"principals": (f"arn:aws:iam::{ACCOUNT}:role/gone",)})
    listed = IdentityList(provider="aws", account=ACCOUNT, at=AT, ids=("AROA1",))
    results = list(evaluate([access(token(sub(MINE))), repository(), listed], expecting(declared(), missing), SWEEP))
    (found,) = [one for one in results if "gone" in one.subject]

    assert found.outcome is Outcome.UNKNOWN


def test_an_account_that_was_not_listed_is_unknown_with_what_to_grant():
    listed = IdentityList(
        provider="aws", account=ACCOUNT, at=AT, ids=Unknown("denied", "iam:GetAccountAuthorizationDetails")
    )
    (found,) = evaluate([listed], expecting(declared()), SWEEP)

    assert found.outcome is Outcome.UNKNOWN
    assert "iam:GetAccountAuthorizationDetails" in found.remedy


def test_a_saved_document_is_compared_with_all_that_is_declared():
    document = access(token(sub(MINE)), document=True, name="trust.json", id="document")

    assert judged(document).outcome is Outcome.PASS
    wide = access(token(sub("repo:example-org/*")), document=True, name="trust.json", id="document")
    assert judged(wide).outcome is Outcome.FAIL


def test_a_saved_document_fails_for_what_is_wrong_in_itself_where_nothing_is_declared():
    nothing = TrustExpectations()
    for path in (token(), token(sub("repo:*")), token(sub("repo:example-org/payments:*")), way("anyone", "*")):
        assert judged(access(path, document=True, name="trust.json", id="document"), nothing).outcome is Outcome.FAIL
    tight = judged(access(token(sub(MINE)), document=True, name="trust.json", id="document"), nothing)
    assert tight.outcome in (Outcome.PASS, Outcome.NOT_APPLICABLE)


# Other providers.


def test_members_of_google_cloud_are_judged_alike():
    name = "deploy@example-prod.iam.gserviceaccount.com"
    entry = declared().model_copy(update={"principals": (name,), "assumable_by": ("user:ada@example.org",)})

    def found(*paths: TrustPath) -> Outcome:
        fact = access(*paths, provider="gcp", account="example-prod", id="1", name=name, kind="service-account")
        return judged(fact, expecting(entry)).outcome

    assert found(token(sub(MINE))) is Outcome.PASS
    assert found(token(sub(MINE)), way("identity", "ada@example.org")) is Outcome.PASS
    assert found(token(sub(MINE)), way("identity", "bob@example.org")) is Outcome.FAIL


def test_there_is_one_result_a_subject_in_whatever_order_the_facts_come():
    facts = [
        access(token(sub(MINE)), way("anyone", "*"), token(sub("repo:*"))),
        access(token(sub("repo:*")), id="AROA2", name=f"arn:aws:iam::{ACCOUNT}:role/other"),
        repository(),
        IdentityList(provider="aws", account=ACCOUNT, at=AT, ids=("AROA1", "AROA2")),
    ]
    expect = expecting(declared(), declared(id="more").model_copy(update={"principals": (f"{NAME}-gone",)}))
    forward, backward = list(evaluate(facts, expect, SWEEP)), list(evaluate(facts[::-1], expect, SWEEP))

    assert sorted(forward, key=repr) == sorted(backward, key=repr)
    assert len({one.subject for one in forward}) == len(forward)

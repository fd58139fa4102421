"""deploy-trust: the finer points of who can become a deploy identity. Its beginnings are in test_deploy_trust."""

from __future__ import annotations

from typing import Any

import pytest

from checks.deploy_trust import evaluate
from monitor.expected.models import BreakGlass, IdentityRules
from monitor.facts.identity import IdentityList
from monitor.facts.repository import Environment, RepositoryList
from monitor.facts.trust import ClaimTest, SubjectTemplate
from monitor.model import Outcome, Severity, Unknown
from tests.unit.checks.test_deploy_trust import (
    ACCOUNT,
    AT,
    MAIN,
    MINE,
    SWEEP,
    access,
    declared,
    expecting,
    judged,
    repository,
    sub,
    token,
    way,
)  # fmt: skip


def template(name: str = "example-org/payments", **more: Any) -> SubjectTemplate:
    given: dict[str, Any] = {"organisation": "example-org", "repository_id": 7, "repository": name, "at": AT}
    return SubjectTemplate(**(given | more))


def test_a_subject_that_no_token_has_any_more_is_dead_trust():
    f = judged(access(token(sub(MINE, wild=False))), None, repository(), template(immutable=True))
    assert (f.outcome, f.severity) == (Outcome.FAIL, Severity.LOW)


def test_an_issuers_host_has_no_case_and_its_scheme_does_not_count():
    e = declared().model_copy(
        update={"proof": declared().proof.model_copy(update={"issuer": "https://Token.Actions.GitHubUserContent.com/"})}
    )
    assert judged(access(token(sub(MINE))), expecting(e)).outcome is Outcome.PASS


def test_an_entry_without_an_audience_does_not_excuse_the_subjects_of_another():
    e2 = declared(MAIN, id="b")
    e2 = e2.model_copy(update={"proof": e2.proof.model_copy(update={"audience": None})})
    assert (
        judged(
            access(token(sub(MINE), ClaimTest(claim="aud", patterns=("other",)), audience=False)),
            expecting(declared(), e2),
        ).outcome
        is Outcome.FAIL
    )


def test_some_audience_must_be_demanded_though_none_is_declared():
    e = declared()
    e = e.model_copy(update={"proof": e.proof.model_copy(update={"audience": None})})
    assert judged(access(token(sub(MINE), audience=False)), expecting(e)).outcome is Outcome.FAIL


def test_audiences_that_could_not_be_read_are_unknown_with_what_to_grant():
    p = token(
        sub(MINE),
        audience=False,
        unclear=(Unknown("the audiences of the provider are not known: denied", "iam:GetOpenIDConnectProvider"),),
    )
    f = judged(access(p))
    assert f.outcome is Outcome.UNKNOWN and "iam:GetOpenIDConnectProvider" in f.remedy


def test_a_service_account_may_be_declared_as_google_writes_members():
    name = "deploy@example-prod.iam.gserviceaccount.com"
    e = declared().model_copy(
        update={"principals": (name,), "assumable_by": ("serviceAccount:ci@example-prod.iam.gserviceaccount.com",)}
    )
    fact = access(
        token(sub(MINE)),
        way("identity", "ci@example-prod.iam.gserviceaccount.com"),
        provider="gcp",
        account="example-prod",
        id="1",
        name=name,
        kind="service-account",
    )
    assert judged(fact, expecting(e)).outcome is Outcome.PASS


@pytest.mark.parametrize(
    ("pattern", "principal"),
    [
        (f"arn:aws:iam::{ACCOUNT}:role/hub*", f"arn:aws:iam::{ACCOUNT}:role/hub/other"),
        (f"arn:aws:iam::{ACCOUNT}:role/hub-?", f"arn:aws:iam::{ACCOUNT}:role/hub-*"),
        ("arn:aws:iam::*:role/hub", "arn:aws:iam::999:x:role/hub"),
    ],
)
def test_a_pattern_of_who_may_stands_for_no_more_than_it_says(pattern, principal):
    assert (
        judged(
            access(token(sub(MINE)), way("identity", principal)), expecting(declared(assumable_by=[pattern]))
        ).outcome
        is Outcome.FAIL
    )


def test_ways_that_were_not_followed_never_pass():
    p = token(sub(MINE), unclear=(Unknown("there are more than 200 ways to become it; the rest was not followed"),))
    assert judged(access(p)).outcome is Outcome.UNKNOWN


def test_a_name_without_its_slash_is_critical_and_shows_another_organisation():
    f = judged(access(token(sub("repo:example-org*"))))
    assert f.severity is Severity.CRITICAL
    assert "repo:example-org/" not in f.reason.split("for example, ")[1]


def test_everybodys_tokens_are_critical_though_no_organisation_is_known():
    assert judged(access(token(sub("*"))), expecting(watched=False)).severity is Severity.CRITICAL


def test_trust_that_could_not_be_read_is_unknown_of_an_undeclared_identity_too():
    assert judged(access(known=Unknown("denied", "g")), expecting()).outcome is Outcome.UNKNOWN


def test_a_declared_token_without_any_way_is_dead_trust():
    f = judged(access())
    assert (f.outcome, f.severity) == (Outcome.FAIL, Severity.LOW)


def test_dead_trust_is_told_beside_another_way_that_may():
    hub = f"arn:aws:iam::{ACCOUNT}:role/hub"
    f = judged(access(token(sub(MINE), dead="gone"), way("identity", hub)), expecting(declared(assumable_by=[hub])))
    assert (f.outcome, f.severity) == (Outcome.FAIL, Severity.LOW)


def test_a_template_that_could_not_be_read_makes_patterns_unknown_and_full_names_no_less():
    lost = template(keys=Unknown("denied", "grant x"))
    w = "repo:example-org/payments:ref:refs/heads/release/*"
    f = judged(access(token(sub(w))), expecting(declared(w)), repository(), lost)
    assert f.outcome is Outcome.UNKNOWN and "grant x" in f.remedy
    assert judged(access(token(sub(MINE))), None, repository(), lost).outcome is Outcome.PASS


def test_a_repository_that_could_not_be_read_is_unknown():
    assert (
        judged(access(token(sub(MINE))), None, repository(environments=(), blind=Unknown("denied", "g"))).outcome
        is Outcome.UNKNOWN
    )


def test_a_policy_that_lets_every_branch_deploy_keeps_nobody_out():
    e = Environment(id=1, name="production", branch_policy="custom", deploys_from=("*",))
    assert judged(access(token(sub(MINE))), None, repository(e)).outcome is Outcome.FAIL
    e = Environment(id=1, name="production", branch_policy="custom", deploys_from=Unknown("denied", "g"))
    assert judged(access(token(sub(MINE))), None, repository(e)).outcome is Outcome.UNKNOWN


def test_an_external_id_that_may_be_anything_is_none():
    rules = IdentityRules(trusted_accounts=("999999999999",))
    p = way("account", "arn:aws:iam::999999999999:root", ClaimTest(claim="sts:externalid", patterns=("*",), wild=True))
    assert judged(access(token(sub(MINE)), p), expecting(declared(), identities=rules)).outcome is Outcome.FAIL


def test_a_pattern_of_environments_fails_where_anybody_can_make_one_that_fits():
    w = "repo:example-org/payments:environment:prod*"
    f = judged(access(token(sub(w))), expecting(declared(w)))
    assert f.outcome is Outcome.FAIL  # any branch may make an environment prod-x, without protection


def test_anyone_is_not_narrowed_by_a_demand_for_anything():
    p = way("anyone", "*", ClaimTest(claim="aws:principalarn", patterns=("*",), wild=True))
    assert judged(access(token(sub(MINE)), p)).severity is Severity.CRITICAL


def test_anyone_narrowed_to_who_may_passes():
    hub = f"arn:aws:iam::{ACCOUNT}:role/hub"
    p = way("anyone", "*", ClaimTest(claim="aws:principalarn", patterns=(hub,)))
    assert judged(access(token(sub(MINE)), p), expecting(declared(assumable_by=[hub]))).outcome is Outcome.PASS


def test_a_colon_in_an_environments_name_is_escaped_in_its_subject():
    m = "repo:example-org/payments:environment:a%3Ab"
    e = Environment(id=1, name="a:b", custom_rules=("gate",))
    assert judged(access(token(sub(m))), expecting(declared(m)), repository(e)).outcome is Outcome.PASS


def test_an_environment_in_a_customised_subject_is_joined():
    t = template(keys=("repo", "context", "job_workflow_ref"))
    w = f"{MINE}:job_workflow_ref:example-org/ci/.github/workflows/deploy.yml@refs/heads/main"
    f = judged(access(token(sub(w))), expecting(declared(w)), repository(Environment(id=1, name="production")), t)
    assert f.outcome is Outcome.FAIL


def test_an_account_narrowed_to_an_identity_is_that_identity():
    hub = f"arn:aws:iam::{ACCOUNT}:role/hub"
    p = way("account", f"arn:aws:iam::{ACCOUNT}:root", ClaimTest(claim="aws:principalarn", patterns=(hub,)))
    assert judged(access(token(sub(MINE)), p), expecting(declared(assumable_by=[hub]))).outcome is Outcome.PASS
    assert judged(access(token(sub(MINE)), p)).outcome is Outcome.FAIL


def test_a_session_is_its_role():
    hub = f"arn:aws:iam::{ACCOUNT}:role/hub"
    p = way("identity", f"arn:aws:sts::{ACCOUNT}:assumed-role/hub/run-1")
    assert judged(access(token(sub(MINE)), p), expecting(declared(assumable_by=[hub]))).outcome is Outcome.PASS


def test_an_environment_in_a_subject_without_a_repository_is_no_pass():
    t = template(keys=("repository_owner", "environment"))
    w = "repository_owner:example-org:environment:production"
    f = judged(access(token(sub(w))), expecting(declared(w)), repository(Environment(id=1, name="production")), t)
    assert f.outcome is not Outcome.PASS


def test_an_identity_that_is_listed_and_was_not_read_is_unknown():
    listed = IdentityList(provider="aws", account=ACCOUNT, at=AT, ids=("AROA1", "AROA9"))
    rs = list(evaluate([access(token(sub(MINE))), repository(), listed], expecting(declared()), SWEEP))
    assert any(r.outcome is Outcome.UNKNOWN for r in rs)


def test_several_entries_may_accept_a_way_together():
    assert (
        judged(access(token(sub(MINE, MAIN))), expecting(declared(), declared(MAIN, id="more"))).outcome is Outcome.PASS
    )
    assert judged(access(token(sub(MINE, MAIN))), expecting(declared())).outcome is Outcome.FAIL


def test_audiences_that_could_not_be_read_excuse_no_subject():
    unread = (Unknown("the audiences of the provider are not known: denied"),)

    assert judged(access(token(sub("repo:example-org/*"), audience=False, unclear=unread))).outcome is Outcome.FAIL


def test_break_glass_is_told_by_its_name():
    entry = {"id": "oncall", "principals": [f"arn:aws:iam::{ACCOUNT}:role/BreakGlass"], "reason": "repair"}
    expect = expecting(declared()).model_copy(update={"break_glass": (BreakGlass.model_validate(entry),)})
    found = judged(access(token(sub(MINE)), way("identity", f"arn:aws:iam::{ACCOUNT}:role/BreakGlass")), expect)

    assert found.outcome is Outcome.FAIL
    assert "emergency path" in found.reason


def test_notes_for_an_auditor_stand_beside_a_pass():
    wide = "repo:example-org/payments:ref:refs/*"
    found = judged(access(token(sub(wide))), expecting(declared(wide)))

    assert found.outcome is Outcome.PASS
    assert "without ids" in str(found.observed)
    assert "tags are let in" in str(found.observed)


def test_a_repository_that_is_surely_not_there_is_anybodys_to_make():
    listed = RepositoryList(organisation="example-org", at=AT, ids=())

    found = judged(access(token(sub(MINE))), None, listed)

    assert found.outcome is Outcome.FAIL
    assert "whoever makes it" in found.reason


def test_protected_branches_keep_nobody_out_where_none_is_protected():
    environment = Environment(id=1, name="production", branch_policy="protected")

    assert judged(access(token(sub(MINE))), None, repository(environment)).outcome is Outcome.FAIL
    unread = repository(environment, rules=Unknown("denied", "administration:read"))
    assert judged(access(token(sub(MINE))), None, unread).outcome is Outcome.UNKNOWN

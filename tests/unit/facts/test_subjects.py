"""subjects and issuers: which subjects tokens can have, by who signs them, how they are made, and what else is tested."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from monitor.facts.issuers import kind_of, name_of
from monitor.facts.language import literal, witness
from monitor.facts.repository import Repository
from monitor.facts.subjects import ENVIRONMENT, Known, Subjects, demand, subjects
from monitor.facts.trust import ClaimTest, SubjectTemplate
from monitor.model import Unknown

AT = datetime(2026, 8, 1, tzinfo=UTC)
GITHUB = "token.actions.githubusercontent.com"
SERVER = "github.example.org/_services/token"
PAYMENTS = "repo:example-org/payments"


def like(claim: str, *patterns: str, **more: Any) -> ClaimTest:
    return ClaimTest(claim=claim, patterns=patterns, wild=True, **more)


def equals(claim: str, *patterns: str, **more: Any) -> ClaimTest:
    return ClaimTest(claim=claim, patterns=patterns, **more)


def template(name: str = "example-org/payments", *keys: str, **more: Any) -> SubjectTemplate:
    given: dict[str, Any] = {"organisation": "example-org", "repository_id": 7, "repository": name, "at": AT}
    return SubjectTemplate(**(given | ({"keys": keys} if keys else {}) | more))


def known(*templates: SubjectTemplate, repositories: tuple[Repository, ...] = ()) -> Known:
    return Known(repositories, templates)


def can_be(made: Subjects, subject: str) -> bool:
    return witness(made.patterns, (), ()) is not None and witness((literal(subject),), (), made.patterns) is None


def possible(subject: str, *tests: ClaimTest, issuer: str = GITHUB, of: Known | None = None) -> bool:
    return can_be(subjects(issuer, tests, of or known()), subject)


# Issuers.


@pytest.mark.parametrize(
    ("issuer", "kind"),
    [
        (GITHUB, "github"),
        (f"https://{GITHUB}", "github"),
        (f"{GITHUB}/example-enterprise", "github"),
        ("token.actions.example.ghe.com", "github"),
        (SERVER, "github-server"),
        ("gitlab.com", "gitlab"),
        ("https://gitlab.example.org", "gitlab"),
        ("agent.buildkite.com", "buildkite"),
        ("app.terraform.io", "terraform"),
        ("oidc.circleci.com/org/0a1b", "circleci"),
        ("api.bitbucket.org/2.0/workspaces/w/pipelines-config/identity/oidc", "bitbucket"),
        ("accounts.google.com", ""),
        ("token.actions.githubusercontent.com.example.net", ""),
        ("token.actions.example.ghe.com.example.net", ""),
        ("", ""),
    ],
)
def test_an_issuer_is_known_by_its_whole_name(issuer, kind):
    assert kind_of(issuer) == kind


def test_an_issuer_has_no_scheme_and_its_host_no_case():
    assert name_of("https://Token.Actions.GitHubUserContent.com/") == GITHUB
    assert name_of(f"{GITHUB}/Example") == f"{GITHUB}/Example"


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        ("gitlab.com", "project_path:example/group/payments:ref_type:branch:ref:main"),
        ("gitlab.com", "project_path:example/payments:ref_type:tag:ref:v1.2"),
        ("agent.buildkite.com", "organization:example:pipeline:payments:ref:refs/heads/main:commit:9f31:step:build"),
        ("agent.buildkite.com", "organization:example:pipeline:payments:ref:refs/heads/main:commit:9f31:step:"),
        ("agent.buildkite.com", "0184990a-477b-4fa8-9968-496074483cee"),
        ("oidc.circleci.com/org/0a1b", "org/0a1b/project/2c/user/3d"),
        ("oidc.circleci.com/org/0a1b", "org/0a1b/project/2c/user/3d/vcs-origin/github.com/e/p/vcs-ref/refs/heads/main"),
        ("app.terraform.io", "organization:example:project:Default Project:workspace:prod:run_phase:apply"),
        ("app.terraform.io", "organization:example:workspace:prod:run_phase:plan"),
        ("app.terraform.io", "organization:example:project:p:stack:s:deployment:d:operation:apply"),
        ("api.bitbucket.org/2.0/workspaces/w/pipelines-config/identity/oidc", "{9a8b}:{1c2d}"),
        ("api.bitbucket.org/2.0/workspaces/w/pipelines-config/identity/oidc", "{9a8b}:{77}:{1c2d}"),
        ("idp.example.org", "whatever:it/likes"),
    ],
)
def test_each_issuer_makes_its_own_subjects(issuer, subject):
    assert possible(subject, issuer=issuer)


@pytest.mark.parametrize(
    ("issuer", "subject"),
    [
        ("gitlab.com", "repo:example-org/payments:pull_request"),
        ("oidc.circleci.com/org/0a1b", "org/ffff/project/2c/user/3d"),
        ("app.terraform.io", "organization:example:project:a:b:workspace:prod:run_phase:apply"),
        (GITHUB, "project_path:example/payments:ref_type:branch:ref:main"),
        (GITHUB, "repo:example-org/payments:environment:a:b"),
        (GITHUB, "repo:example-org:environment:production"),
        (GITHUB, "repo:example-org/payments"),
        (SERVER, "repo:example-org@1/payments@7:environment:production"),
    ],
)
def test_what_an_issuer_does_not_make_is_no_subject(issuer, subject):
    assert not possible(subject, issuer=issuer)


@pytest.mark.parametrize(
    ("issuer", "test", "subject", "other"),
    [
        (
            "gitlab.com",
            equals("project_path", "example/payments"),
            "project_path:example/payments:ref_type:branch:ref:main",
            "project_path:example/ledger:ref_type:branch:ref:main",
        ),
        (
            "app.terraform.io",
            equals("terraform_run_phase", "apply"),
            "organization:e:project:p:workspace:w:run_phase:apply",
            "organization:e:project:p:workspace:w:run_phase:plan",
        ),
        (
            "agent.buildkite.com",
            like("pipeline_slug", "pay*"),
            "organization:e:pipeline:payments:ref:r:commit:c:step:s",
            "organization:e:pipeline:ledger:ref:r:commit:c:step:s",
        ),
    ],
)
def test_a_test_on_another_claim_narrows_the_subject_that_tells_the_same(issuer, test, subject, other):
    assert possible(subject, test, issuer=issuer)
    assert possible(other, issuer=issuer)
    assert not possible(other, test, issuer=issuer)


# GitHub.


@pytest.mark.parametrize(
    "context", ["environment:production", "pull_request", "ref:refs/heads/a/b", "ref:refs/tags/v1"]
)
@pytest.mark.parametrize("head", [PAYMENTS, "repo:example-org@1/payments@7"])
def test_by_default_a_subject_tells_repository_and_what_the_job_runs_for(head, context):
    assert possible(f"{head}:{context}")
    assert possible(f"{head}:{context}", like("sub", "repo:example-org/*", "repo:example-org@*"))


def test_a_server_makes_no_ids_and_may_leave_a_colon_in_an_environment():
    assert possible(f"{PAYMENTS}:environment:production:v1", issuer=SERVER)
    assert not possible("repo:example-org@1/payments@7:pull_request", issuer=SERVER)


def test_a_repository_that_is_told_to_have_ids_has_no_subjects_without():
    told = known(template(immutable=True))
    asked = like("sub", f"{PAYMENTS}:*")

    assert not possible(f"{PAYMENTS}:pull_request", asked, of=told)
    assert possible("repo:example-org@1/payments@7:pull_request", asked, of=told)
    assert not possible("repo:example-org@1/payments@8:pull_request", asked, of=told)


def test_a_repository_that_is_told_to_have_no_ids_has_no_subjects_with_them():
    told = known(template(immutable=False))

    assert not possible("repo:example-org@1/payments@7:pull_request", like("sub", f"{PAYMENTS}:*"), of=told)


def test_the_id_of_a_repository_that_was_read_is_the_only_one():
    here = known(repositories=(Repository(organisation="example-org", id=7, name="example-org/Payments", at=AT),))
    asked = like("sub", "repo:example-org@1/payments@*:environment:production")

    assert possible("repo:example-org@1/payments@7:pull_request", asked, of=here)
    assert not possible("repo:example-org@1/payments@9:pull_request", asked, of=here)


def test_a_test_on_another_id_than_the_repositorys_leaves_no_subject():
    here = known(repositories=(Repository(organisation="example-org", id=7, name="example-org/payments", at=AT),))
    made = subjects(GITHUB, (equals("sub", f"{PAYMENTS}:pull_request"), equals("repository_id", "9")), here)

    assert made.forms == ()


def test_a_customised_template_makes_all_subjects_of_its_repository():
    told = known(template("example-org/payments", "repo", "context", "job_workflow_ref"))
    asked = like("sub", f"{PAYMENTS}:*")
    whole = f"{PAYMENTS}:environment:production:job_workflow_ref:example-org/ci/.github/workflows/d.yml@refs/heads/main"

    assert possible(whole, asked, of=told)
    assert not possible(f"{PAYMENTS}:environment:production", asked, of=told)
    assert possible(whole, like("sub", "repo:*"), of=told)
    assert not possible(whole, like("sub", "repo:*"))


@pytest.mark.parametrize(
    ("keys", "subject"),
    [
        (("repo",), PAYMENTS),
        (("repository_owner", "repository_visibility"), "repository_owner:example-org:repository_visibility:private"),
        (("repository_id",), "repository_id:7"),
        (("context", "repo"), f"environment:production:{PAYMENTS}"),
        (("job_workflow_ref",), "job_workflow_ref:example-org/ci/.github/workflows/deploy.yml@refs/heads/main"),
        (("repo", "head_ref"), f"{PAYMENTS}:head_ref:"),
    ],
)
def test_claims_stand_in_the_order_of_the_template(keys, subject):
    assert possible(
        subject, like("repository", "example-org/payments"), of=known(template("example-org/payments", *keys))
    )


def test_a_template_that_could_not_be_read_is_told_and_the_usual_form_taken():
    lost = Unknown("denied", "grant actions:read")
    made = subjects(GITHUB, (like("sub", f"{PAYMENTS}:*"),), known(template(keys=lost)))

    assert made.doubt == lost
    assert can_be(made, f"{PAYMENTS}:pull_request")


@pytest.mark.parametrize(
    ("tests", "names"),
    [
        ((equals("sub", f"{PAYMENTS}:pull_request"),), ["example-org/payments"]),
        (
            (like("sub", f"{PAYMENTS}:*", "repo:example-org@1/ledger@2:*"),),
            ["example-org/payments", "example-org/ledger"],
        ),
        ((like("sub", "repo:example-org/*"), equals("repository", "example-org/payments")), ["example-org/payments"]),
        ((like("sub", f"{PAYMENTS}*"),), []),
        ((like("sub", f"{PAYMENTS}:*", "repo:example-org/*"),), []),
        ((like("sub", f"{PAYMENTS}:*", negated=True),), []),
        ((equals("repository", "example-org/payments", absent_passes=True),), []),
        ((equals("sub", f"{PAYMENTS}:pull_request", ignores_case=True),), []),
        ((), []),
    ],
)
def test_the_repositories_are_told_if_there_can_be_no_others(tests, names):
    assert [one.full for one in subjects(GITHUB, tests, known()).named] == names


@pytest.mark.parametrize(
    ("test", "yes", "no"),
    [
        (equals("environment", "production"), ["environment:production"], ["environment:other", "pull_request"]),
        (equals("environment", "a:b"), ["environment:a%3Ab"], ["environment:a"]),
        (like("environment", "*"), ["environment:x"], ["environment:", "pull_request", "ref:refs/heads/main"]),
        (
            equals("ref", "refs/heads/main"),
            ["ref:refs/heads/main", "environment:production", "pull_request"],
            ["ref:refs/heads/other", "ref:refs/tags/v1"],
        ),
        (like("ref", "refs/tags/v*"), ["ref:refs/tags/v1"], ["ref:refs/tags/x", "ref:refs/heads/v1"]),
        (like("ref", "*"), ["ref:refs/tags/x", "ref:refs/heads/v1", "pull_request"], []),
        (equals("actor", "octocat"), ["pull_request"], []),
    ],
)
def test_tests_on_what_the_job_runs_for_narrow_the_subject(test, yes, no):
    for context in yes:
        assert possible(f"{PAYMENTS}:{context}", test)
    for context in no:
        assert not possible(f"{PAYMENTS}:{context}", test)


@pytest.mark.parametrize(
    "test",
    [
        equals("repository_owner", "example-org"),
        like("repository_owner", "example-or?"),
        like("repository", "example-org/*"),
        equals("repository", "example-org/payments", "example-org/ledger"),
    ],
)
def test_tests_on_the_owner_leave_only_repositories_of_it(test):
    assert possible(f"{PAYMENTS}:pull_request", test)
    assert not possible("repo:other/payments:pull_request", test)


@pytest.mark.parametrize(
    "test",
    [
        equals("repository_owner", "example-org", negated=True),
        equals("repository_owner", "other", absent_passes=True),
        equals("repository_owner", "OTHER", ignores_case=True),
        like("repository", "*pay*"),
    ],
)
def test_a_test_that_implies_nothing_certain_narrows_nothing(test):
    assert possible(f"{PAYMENTS}:pull_request", test)


def test_several_tests_of_one_claim_must_all_fit():
    both = (equals("environment", "production", "staging"), like("environment", "prod*"))

    assert possible(f"{PAYMENTS}:environment:production", *both)
    assert not possible(f"{PAYMENTS}:environment:staging", *both)


@pytest.mark.parametrize("claim", ["repository_owner", "environment", "repository", "ref"])
@pytest.mark.parametrize("pattern", ["", "a/b/c", "a:b", "*" * 50, "?", "@", "\0", "x" * 5000])
def test_nothing_makes_a_narrowed_subject_that_was_not_possible_before(claim, pattern):
    for wild in (True, False):
        made = subjects(GITHUB, (ClaimTest(claim=claim, patterns=(pattern,), wild=wild),), known())
        shown = witness(made.patterns, (), ())

        assert shown is None or isinstance(shown, Unknown) or possible(shown)


def test_only_the_contexts_that_are_asked_for_are_made():
    made = subjects(GITHUB, (), known(), (ENVIRONMENT,))

    assert can_be(made, f"{PAYMENTS}:environment:production")
    assert not can_be(made, f"{PAYMENTS}:pull_request")


def test_what_a_test_demands_has_its_case_and_its_wildcards_or_not():
    assert witness((literal("A*"),), (demand(equals("sub", "a*", ignores_case=True)),), ()) == "A*"
    assert witness((literal("Ax"),), (demand(equals("sub", "a*", ignores_case=True)),), ()) is None
    assert witness((literal("Ax"),), (demand(like("sub", "a*", ignores_case=True)),), ()) == "Ax"
    assert witness((literal("Ax"),), (demand(like("sub", "a*")),), ()) is None

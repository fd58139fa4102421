"""Laws of deploy-trust: wider trust never passes where narrower failed, the order of things changes nothing, nothing raises."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from checks.deploy_trust import TrustExpectations, evaluate
from monitor.expected.models import DeployIdentity
from monitor.facts.access import Access
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.repository import Environment, Repository
from monitor.facts.trust import ClaimTest, SubjectTemplate, TrustPath
from monitor.model import Outcome, Result, Severity, Sweep, Unknown, Window

AT = datetime(2026, 4, 1, tzinfo=UTC)
SWEEP = Sweep(id="s", planned_for=AT, at=AT, window=Window(AT, AT))
ACCOUNT = "111122223333"
NAME = f"arn:aws:iam::{ACCOUNT}:role/payments-deploy"
GITHUB = "token.actions.githubusercontent.com"
HUB = f"arn:aws:iam::{ACCOUNT}:role/hub"
MINE = "repo:example-org/payments:environment:production"
SUBJECTS = [
    MINE,
    "repo:example-org/payments:ref:refs/heads/main",
    "repo:example-org/payments:ref:refs/heads/*",
    "repo:example-org/payments:environment:*",
    "repo:example-org/payments:*",
    "repo:example-org@1/payments@7:environment:production",
    "repo:example-org/*",
    "repo:example-org*",
    "repo:*:environment:production",
    "repo:*",
    "*",
]
EXPECT = TrustExpectations.model_validate(
    {
        "production": {
            "aws": {"accounts": [{"id": ACCOUNT, "name": "payments", "regions": ["us-east-1"]}]},
            "github": {"organizations": ["example-org"]},
        },
        "deploy_identities": [
            {
                "id": "payments",
                "principals": [NAME],
                "assumable_by": [HUB],
                "proof": {
                    "token": {
                        "issuer": GITHUB,
                        "subjects": [MINE, "repo:example-org/payments:ref:refs/heads/*"],
                        "audience": "sts.amazonaws.com",
                    }
                },
            }
        ],
    }
)
NOTHING = EXPECT.model_copy(update={"deploy_identities": ()})


def claims(claim: str, values: list[str]) -> st.SearchStrategy[ClaimTest]:
    return st.builds(
        ClaimTest,
        claim=st.just(claim),
        patterns=st.lists(st.sampled_from(values), min_size=1, max_size=3, unique=True).map(tuple),
        wild=st.booleans(),
        negated=st.sampled_from([False, False, False, True]),
        ignores_case=st.sampled_from([False, False, True]),
        absent_passes=st.sampled_from([False, False, True]),
    )


SUB = claims("sub", SUBJECTS)
TESTS = st.one_of(
    SUB,
    claims("aud", ["sts.amazonaws.com", "other", "*"]),
    claims("environment", ["production", "staging", "prod*"]),
    claims("repository", ["example-org/payments", "example-org/*", "other/x"]),
    claims("ref", ["refs/heads/main", "refs/*"]),
    claims("sts:externalid", ["4711"]),
    claims("aws:principalarn", [HUB, "*"]),
)
AUDIENCE = ClaimTest(claim="aud", patterns=("sts.amazonaws.com",))


def tokens(**more: Any) -> st.SearchStrategy[TrustPath]:
    return st.builds(
        lambda tests, issuer, dead: TrustPath(
            kind="token",
            principal="p",
            action="sts:AssumeRoleWithWebIdentity",
            by="trust#1",
            issuer=issuer,
            tests=tuple(tests),
            dead=dead,
            **more,
        ),
        st.lists(TESTS, max_size=3).map(lambda tests: [*tests, AUDIENCE]),
        st.sampled_from([GITHUB, GITHUB, GITHUB, "gitlab.com"]),
        st.sampled_from(["", "", "", "gone"]),
    )


OTHERS = st.builds(
    lambda kind, principal, tests: TrustPath(
        kind=kind, principal=principal, action="sts:AssumeRole", by="trust#2", tests=tuple(tests)
    ),
    st.sampled_from(["identity", "account", "service", "group", "saml", "anyone"]),
    st.sampled_from(
        [HUB, f"arn:aws:iam::{ACCOUNT}:root", "arn:aws:iam::999999999999:root", "ecs-tasks.amazonaws.com", "*", ""]
    ),
    st.lists(TESTS, max_size=2),
)
PATHS = st.one_of(tokens(), tokens(), OTHERS)


def repository(*environments: Environment) -> Repository:
    return Repository(organisation="example-org", id=7, name="example-org/payments", at=AT, environments=environments)


PLACES = st.sampled_from(
    [
        (),
        (repository(Environment(id=1, name="production", branch_policy="protected")),),
        (
            repository(
                Environment(id=1, name="production", branch_policy="protected"), Environment(id=2, name="staging")
            ),
        ),
        (repository(),),
        (
            SubjectTemplate(
                organisation="example-org", repository_id=7, repository="example-org/payments", immutable=True, at=AT
            ),
        ),
    ]
)


def access(paths: tuple[TrustPath, ...] | Unknown, **more: Any) -> Access:
    given: dict[str, Any] = {
        "provider": "aws",
        "account": ACCOUNT,
        "id": "AROA1",
        "name": NAME,
        "kind": "role",
        "at": AT,
    }
    return Access(identity=Identity(**(given | {"trust": paths} | more)), paths=paths)


def judged(paths: tuple[TrustPath, ...], places: tuple[Any, ...], expect: TrustExpectations = EXPECT) -> Result:
    listed = IdentityList(provider="aws", account=ACCOUNT, at=AT, ids=("AROA1",))
    results = evaluate([access(paths), listed, *places], expect, SWEEP)
    (found,) = [one for one in results if one.subject.endswith(":AROA1:trust")]
    return found


def fails(found: Result) -> bool:
    # Dead trust fails too, low, and comes to life by being widened: it is no fault of who is let in.
    return found.outcome is Outcome.FAIL and found.severity is not Severity.LOW


@given(st.lists(PATHS, min_size=1, max_size=3), PATHS, PLACES)
def test_another_way_never_turns_fail_into_pass(paths, more, places):
    assume(fails(judged(tuple(paths), places)))

    assert judged((*paths, more), places).outcome is Outcome.FAIL


LISTS = st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=3, unique=True)


@given(LISTS, LISTS, st.booleans(), st.one_of(st.none(), TESTS), PLACES)
def test_another_pattern_never_turns_fail_into_pass(few, more, wild, beside, places):
    def found(patterns: list[str]) -> Result:
        tests = (ClaimTest(claim="sub", patterns=tuple(patterns), wild=wild), AUDIENCE, *([beside] if beside else []))
        path = TrustPath(kind="token", principal="p", action="a", by="trust#1", issuer=GITHUB, tests=tests)
        return judged((path,), places)

    assume(fails(found(few)))

    assert found([*few, *more]).outcome is not Outcome.PASS


@given(PATHS, st.integers(0, 3), PLACES)
def test_a_demand_less_never_turns_fail_into_pass(path, at, places):
    assume(path.tests)
    # Of two patterns of one claim besides the subject, either may narrow: then nothing is said of less.
    assume(len({one.claim for one in path.tests}) == len(path.tests))
    left = tuple(one for n, one in enumerate(path.tests) if n != at % len(path.tests))
    assume(fails(judged((path,), places)))

    assert judged((msgspec.structs.replace(path, tests=left),), places).outcome is not Outcome.PASS


@given(st.lists(PATHS, min_size=1, max_size=3), st.randoms(use_true_random=False), PLACES)
def test_the_order_of_ways_demands_and_facts_changes_nothing(paths, chance, places):
    shuffled = [msgspec.structs.replace(one, tests=tuple(chance.sample(one.tests, len(one.tests)))) for one in paths]
    chance.shuffle(shuffled)
    one, other = judged(tuple(paths), places), judged(tuple(shuffled), places[::-1])

    assert (one.outcome, one.severity) == (other.outcome, other.severity)


@given(st.lists(PATHS, max_size=3), PLACES)
def test_an_identity_that_nobody_declared_never_passes(paths, places):
    assert judged(tuple(paths), places, NOTHING).outcome is not Outcome.PASS


@given(st.lists(tokens(), min_size=1, max_size=2), PLACES)
def test_what_cannot_be_evaluated_never_makes_a_pass_of_a_fail(paths, places):
    assume(fails(judged(tuple(paths), places)))
    unclear = tuple(msgspec.structs.replace(one, unclear=(Unknown("who knows"),)) for one in paths)

    assert judged(unclear, places).outcome in (Outcome.UNKNOWN, Outcome.FAIL)


TEXT = st.text(max_size=12)
WILD_TESTS = st.builds(
    ClaimTest,
    claim=st.one_of(st.sampled_from(["sub", "aud", "repository", "environment", "ref", "repository_id"]), TEXT),
    patterns=st.lists(TEXT, max_size=3).map(tuple),
    wild=st.booleans(),
    negated=st.booleans(),
    absent_passes=st.booleans(),
    ignores_case=st.booleans(),
)
WILD_PATHS = st.builds(
    TrustPath,
    kind=st.one_of(st.sampled_from(["token", "saml", "identity", "account", "service", "group", "anyone"]), TEXT),
    principal=TEXT,
    action=TEXT,
    by=TEXT,
    issuer=st.one_of(st.just(GITHUB), TEXT),
    tests=st.lists(WILD_TESTS, max_size=3).map(tuple),
    dead=st.sampled_from(["", "gone"]),
    via=st.lists(TEXT, max_size=2).map(tuple),
)


@given(
    st.lists(WILD_PATHS, max_size=3),
    st.booleans(),
    st.sampled_from([EXPECT, NOTHING]),
    st.sampled_from([NAME, "x", ""]),
)
def test_it_is_total_and_gives_one_result_a_subject(paths, document, expect, name):
    facts = [access(tuple(paths), document=document, name=name), access(Unknown("denied"), id="AROA2")]
    results = list(evaluate(facts, expect, SWEEP))

    assert len({one.subject for one in results}) == len(results)


def test_every_expectation_is_as_declared():
    assert isinstance(EXPECT.deploy_identities[0], DeployIdentity)

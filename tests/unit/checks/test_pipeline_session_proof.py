"""The check `pipeline-session-proof`: what proves a pipeline's session, what fails, and what nobody can tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from checks.pipeline_session_proof import CHECK, Expect, proof_of
from monitor.facts.change import Actor, ChangeSession, TokenExchange
from monitor.model import ChangeClass, Outcome, Result, Severity, Sweep, Unknown, Window
from tests.unit.facts.made import (
    AT,
    DATA,
    ISSUER,
    PAYMENTS,
    PERSON,
    SUBJECT,
    TOOLING,
    exchange,
    joined,
    one,
    role_actor,
    user_actor,
    write,
)

SWEEP = Sweep(id="s1", planned_for=AT, at=AT, window=Window(AT, AT + timedelta(days=1)))
RELEASE = f"arn:aws:sts::{PAYMENTS}:assumed-role/codebuild-release/AWSCodeBuild-*"


def arn(role: str) -> str:
    return f"arn:aws:iam::{PAYMENTS}:role/{role}"


def deploy(name: str, **proof: Any) -> dict[str, Any]:
    return {"id": name, "principals": [arn(name)], "proof": proof}


TOKEN = {"issuer": ISSUER, "subjects": [SUBJECT], "audience": "sts.amazonaws.com"}
FORM = {"pattern": RELEASE, "assumed_by": ["codebuild.amazonaws.com"]}
NAMED = {"pattern": f"arn:aws:sts::{PAYMENTS}:assumed-role/nightly/nightly-*"}
EXPECT = Expect.model_validate(
    {
        "production": {
            "aws": {
                "accounts": [
                    {"id": PAYMENTS, "name": "payments-prod", "regions": ["us-east-1"]},
                    {"id": DATA, "name": "data-prod", "regions": ["us-east-1"]},
                ],
                "watched": [{"id": TOOLING, "name": "tooling", "regions": ["us-east-1"]}],
            }
        },
        "deploy_identities": [
            deploy("payments-deploy", token=TOKEN),
            deploy("codebuild-release", session=FORM),
            deploy("nightly", session=NAMED),
        ],
    }
)


def judge(*sessions: ChangeSession) -> dict[str, Result]:
    results = list(CHECK.evaluate(sessions, EXPECT, SWEEP))
    assert len({result.subject for result in results}) == len(results)
    return {result.subject: result for result in results}


def of(session: ChangeSession) -> Result:
    return judge(session)[session.id]


def by_token(**over: Any) -> ChangeSession:
    return one(exchanges=[exchange(**over)])


HUB = role_actor("pipeline-hub", "ASIAHUB", account=TOOLING)
BUILD = role_actor("codebuild-release", "ASIABUILD", "AWSCodeBuild-1")
CODEBUILD = Actor(kind="AWSService", name="codebuild.amazonaws.com", service="codebuild.amazonaws.com")


def built(*exchanges: TokenExchange, actor: Actor = BUILD, visible: bool = False) -> ChangeSession:
    return one(write(actor=actor), exchanges=exchanges, visible=visible)


PASSING = {
    "token": by_token(),
    "token through a hub": one(exchanges=[exchange(kind="role", source=HUB), exchange("ASIAHUB")]),
    "opened by CodeBuild": built(exchange("ASIABUILD", "service", CODEBUILD)),
    "named as declared, whoever opened it": one(write(actor=role_actor("nightly", name="nightly-1"))),
    "a write in production's other account": one(write(account=DATA), exchanges=[exchange()]),
}
FAILING = {
    "subject": by_token(subject="repo:example-org/payments:pull_request"),
    "issuer": by_token(issuer="gitlab.example.org"),
    "audience": by_token(audience="x"),
    "no audience": by_token(audience=""),
    "saml": by_token(kind="saml", subject=SUBJECT),
    "saml that names itself like the token's issuer": by_token(kind="saml", issuer=ISSUER, subject=SUBJECT, audience="sts.amazonaws.com"),
    "a certificate that names itself so": by_token(kind="certificate", issuer=ISSUER, subject=SUBJECT, audience="sts.amazonaws.com"),
    "a service took it": by_token(kind="service", source=CODEBUILD),
    "a certificate": by_token(kind="certificate"),
    "a user took it": by_token(kind="role", source=user_actor()),
    "a person took it": by_token(kind="role", source=PERSON),
    "the console": one(write(actor=role_actor(human="from the console")), exchanges=[exchange()]),
    "long-lived keys": one(write(actor=role_actor(key="AKIA1", session_started=None))),
    "no exchange, though all was read": one(visible=True),
    "the hub's token": one(exchanges=[exchange(kind="role", source=HUB), exchange("ASIAHUB", subject="x")]),
    "a person took the hub": one(exchanges=[exchange(kind="role", source=HUB), exchange("ASIAHUB", "role", PERSON)]),
    "form: another name": built(exchange("ASIABUILD", "service", CODEBUILD), actor=role_actor("codebuild-release", "ASIABUILD")),
    "form: a person": built(exchange("ASIABUILD", "role", PERSON)),
    "form: another service": built(exchange("ASIABUILD", "service", msgspec.structs.replace(CODEBUILD, service="ec2.amazonaws.com"))),
    "form: a role": built(exchange("ASIABUILD", "role", HUB)),
    "form: a token": built(exchange("ASIABUILD")),
    "form: nobody, though all was read": built(visible=True),
    "form: the console": built(exchange("ASIABUILD", "service", CODEBUILD), actor=role_actor("codebuild-release", "ASIABUILD", "AWSCodeBuild-1", human="from the console")),
    "only named: another name": one(write(actor=role_actor("nightly", name="x-nightly-1"))),
    "only named: a person took it": one(write(actor=role_actor("nightly", name="nightly-1")), exchanges=[exchange(kind="role", source=PERSON)]),
}  # fmt: skip
UNKNOWN = {
    "no exchange": one(),
    "a lost link": one(exchanges=[exchange(kind="role", source=HUB)]),
    "a lost link, though the first account was read": one(exchanges=[exchange(kind="role", source=HUB)], visible=True),
    "form: who opened it": built(),
}


@pytest.mark.parametrize("case", PASSING)
def test_proven(case: str) -> None:
    result = of(PASSING[case])
    assert (result.outcome, result.change_class, result.remedy) == (Outcome.PASS, ChangeClass.NORMAL, "")


@pytest.mark.parametrize("case", FAILING)
def test_disproven(case: str) -> None:
    result = of(FAILING[case])
    assert (result.outcome, result.change_class) == (Outcome.FAIL, ChangeClass.DIRECT)
    assert result.remedy


@pytest.mark.parametrize("case", UNKNOWN)
def test_nobody_can_tell(case: str) -> None:
    result = of(UNKNOWN[case])
    assert (result.outcome, result.change_class) == (Outcome.UNKNOWN, None)
    assert result.remedy


@pytest.mark.parametrize("case", [c for c in PASSING if c != "named as declared, whoever opened it"])
def test_a_proven_session_without_its_exchanges_does_not_pass(case: str) -> None:
    session = PASSING[case]
    for visible in (True, False):
        bare = msgspec.structs.replace(session, chain=(), chain_end=Unknown("not there"), exchange_visible=visible)
        assert of(bare).outcome is (Outcome.FAIL if visible else Outcome.UNKNOWN)


@pytest.mark.parametrize("case", PASSING)
def test_a_person_anywhere_in_the_chain_disproves(case: str) -> None:
    session = PASSING[case]
    person = exchange("ASIAX", "role", PERSON)
    for at in range(len(session.chain) + 1):
        chain = (*session.chain[:at], person, *session.chain[at:])
        assert of(msgspec.structs.replace(session, chain=chain)).outcome is Outcome.FAIL


@pytest.mark.parametrize(
    "actor",
    [
        PERSON,
        user_actor(),
        HUB,
        role_actor("payments-deploy-2"),
        role_actor("Payments-Deploy"),
        role_actor(account=DATA),
    ],
    ids=["person", "user", "hub", "longer", "case", "account"],
)
def test_sessions_of_no_deploy_identity_are_not_its_business(actor: Actor) -> None:
    assert judge(one(write(actor=actor))) == {}
    assert proof_of(one(write(actor=actor)), EXPECT.deploy_identities) is None


def test_writes_outside_production_are_not_its_business() -> None:
    assert judge(one(write(account=TOOLING)), one(write(account=""))) == {}


def test_the_key_of_one_session_does_not_prove_another_that_shares_its_name_and_second() -> None:
    # The person's own exchange is in the log, so that it is known that these writes are not the pipeline's.
    found = joined(
        [write("a", role_actor(key="ASIATOKEN")), write("b", role_actor(key="ASIATAKEN"))],
        [exchange("ASIATOKEN"), exchange("ASIATAKEN", "role", PERSON)],
    )
    assert {s.writes[0].id: of(s).outcome for s in found} == {"a": Outcome.PASS, "b": Outcome.FAIL}


@pytest.mark.parametrize("keys", [("ASIA1", "ASIA2"), ("ASIA2", "ASIA1")])
def test_an_allowed_token_does_not_excuse_another_token_of_the_same_name_and_second(keys: tuple[str, str]) -> None:
    found = joined(
        [write("a", role_actor(key=keys[0])), write("b", role_actor(key=keys[1]))],
        [exchange(keys[0]), exchange(keys[1], subject="repo:example-org/payments:pull_request")],
    )
    assert {s.writes[0].id: of(s).outcome for s in found} == {"a": Outcome.PASS, "b": Outcome.FAIL}


def test_the_severity_of_a_failure_is_that_of_its_worst_write() -> None:
    writes = [write("a", severity=Severity.LOW), write("b", severity=Severity.CRITICAL), write("c")]
    assert of(one(*writes, visible=True)).severity is Severity.CRITICAL
    assert of(one(*writes, exchanges=[exchange()])).severity is CHECK.severity


def test_a_result_tells_the_identity_its_declared_proof_and_the_whole_story() -> None:
    session = FAILING["a person took the hub"]
    result = of(session)
    assert result.expected == {"identity": "payments-deploy", "proof": TOKEN | {"subjects": [SUBJECT]}}
    assert [c["kind"] for c in result.observed["credentials"]] == ["role", "role"]
    assert result.observed["person"] == "ada.ruiz@example.org"
    assert "single sign-on" in result.reason
    assert result.evidence == session.references()


def shared(*subjects: str) -> Expect:
    """Return what is expected where a role is shared by pipelines with tokens of these subjects."""
    deployers = [
        {**deploy("payments-deploy", token=TOKEN | {"subjects": [subject]}), "id": f"pipeline-{n}"}
        for n, subject in enumerate(subjects)
    ]
    return EXPECT.model_validate({**EXPECT.model_dump(by_alias=True), "deploy_identities": deployers})


OTHER = "repo:example-org/ledger:environment:production"


@pytest.mark.parametrize("subjects", [(SUBJECT, OTHER), (OTHER, SUBJECT)])
def test_of_two_deploy_identities_on_one_role_the_one_that_is_proven_counts(subjects: tuple[str, str]) -> None:
    (result,) = CHECK.evaluate([by_token()], shared(*subjects), SWEEP)
    assert result.outcome is Outcome.PASS
    assert result.observed["identity"] == f"pipeline-{subjects.index(SUBJECT)}"


def test_of_two_deploy_identities_on_one_role_none_excuses_a_third_or_a_person() -> None:
    for session in (by_token(subject="repo:example-org/x:ref:refs/heads/main"), by_token(kind="role", source=PERSON)):
        (result,) = CHECK.evaluate([session], shared(SUBJECT, OTHER), SWEEP)
        assert result.outcome is Outcome.FAIL

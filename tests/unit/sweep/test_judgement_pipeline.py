"""Design 6.1, third question: the identity that holds the session, and its proof."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.example import cast, exchanges
from monitor.example.records import Session, user_identity
from monitor.model import ChangeClass, Outcome
from tests.unit.decode.samples import AT, CHANCE, call, person, pipeline, session, without
from tests.unit.sweep.cases import (
    PROOF,
    Case,
    direct,
    holds,
    judged,
    proven,
    table,
    unproven,
    unseen,
)

RUN = pipeline()
HUB = session("pipeline-hub", "data-platform-13800000002", cast.TOOLING, federated=True, agent=cast.TERRAFORM)
DATA_RUN = session("data-deploy", HUB.name, cast.DATA, AT + timedelta(seconds=50), agent=cast.TERRAFORM)
BUILD = session("codebuild-release", "AWSCodeBuild-0f1e2d3c")
CHEN = person(cast.CHEN)
USER = user_identity(cast.PAYMENTS, "ci-user", "AKIAEXAMPLEEXAMPLE01")
BEHIND = {"responseElements": {"credentials": {"accessKeyId": RUN.key}}}


def token(run: Session = RUN, subject: str = cast.PAYMENTS_SUBJECT, **over: Any) -> dict[str, Any]:
    return exchanges.web_identity(CHANCE, run, subject, **over)


def answering(**answer: Any) -> dict[str, Any]:
    """Return the token exchange of RUN with parts of its answer replaced."""
    event = token()
    return {**event, "responseElements": {**event["responseElements"], **answer}}


def assumed(target: Session, source: Session, **over: Any) -> list[dict[str, Any]]:
    return exchanges.by_role(CHANCE, target, source, **over)


def forged_saml() -> dict[str, Any]:
    """Return a SAML sign-in whose provider calls itself and its subject like the declared token's."""
    event = exchanges.saml(CHANCE, RUN, cast.ADA)
    answer = {"issuer": cast.ISSUER, "subject": cast.PAYMENTS_SUBJECT, "audience": cast.AUDIENCE}
    return {**event, "responseElements": {**event["responseElements"], **answer}}


DEPLOY = call("ecs:UpdateService", RUN)


@table(
    proven("an allowed token", token(), DEPLOY, reason=cast.PAYMENTS_SUBJECT),
    proven("in another region", token(), call("ecs:UpdateService", RUN, region=cast.WEST)),
    proven("a write in production's other account", token(), call("s3:PutBucketPolicy", RUN, account=cast.DATA)),
    proven("whatever its user agent", token(), call("ecs:UpdateService", RUN, agent="curl/8.0")),
    proven("without a user agent", token(), call("ecs:UpdateService", RUN, agent=...)),
    proven("a name that nobody knows", token(), call("quantumledger:EntangleLedger", RUN)),
    proven("federation data that is empty", token(), call(who=pipeline(RUN.name, key=RUN.key, federated=False))),
    proven("CloudFormation acting for it", token(), call("sqs:CreateQueue", RUN.identity(invokedBy="cloudformation.amazonaws.com"), agent="cloudformation.amazonaws.com")),
    proven("an issuer that is given as an address", answering(provider=f"https://{cast.ISSUER}"), DEPLOY),
    proven("an issuer in the record's identity", answering(provider=""), DEPLOY),
    unproven("a pull request's token", token(subject=cast.PULL_REQUEST_SUBJECT), DEPLOY, reason="not among the declared"),
    unproven("another repository's token", token(subject="repo:example-org/payments-x:environment:production"), DEPLOY),
    unproven("a subject that begins alike", token(subject=cast.PAYMENTS_SUBJECT + "2"), DEPLOY),
    unproven("a subject that ends alike", token(subject="x" + cast.PAYMENTS_SUBJECT), DEPLOY),
    unproven("a subject in another case", token(subject=cast.PAYMENTS_SUBJECT.upper()), DEPLOY),
    unproven("the data pipeline's subject", token(subject=cast.DATA_SUBJECT), DEPLOY),
    unproven("no subject", answering(subjectFromWebIdentityToken=cast.DATA_SUBJECT), DEPLOY),
    unproven("another issuer", answering(provider="arn:aws:iam::111122223333:oidc-provider/gitlab.example.org"), DEPLOY),
    unproven("an issuer below the right one", answering(provider=f"arn:aws:iam::111122223333:oidc-provider/{cast.ISSUER}/x"), DEPLOY),
    unproven("an issuer that holds the right one", answering(provider=f"arn:aws:iam::111122223333:oidc-provider/x.{cast.ISSUER}"), DEPLOY),
    unproven("an issuer whose path ends like the right one's ARN", answering(provider=f"arn:aws:iam::111122223333:oidc-provider/evil.example/oidc-provider/{cast.ISSUER}"), DEPLOY),
    unproven("an issuer whose address ends so", answering(provider=f"https://evil.example/oidc-provider/{cast.ISSUER}"), DEPLOY),
    unproven("another audience", answering(audience="https://example.org"), DEPLOY),
    unproven("no audience", answering(audience=""), DEPLOY),
    unproven("single sign-on gave the role", exchanges.saml(CHANCE, RUN, cast.ADA), DEPLOY),
    unproven("single sign-on that says of itself what the token would say", forged_saml(), DEPLOY),
    unproven("a service took the role", exchanges.by_service(CHANCE, RUN, "ec2"), DEPLOY, reason="no token"),
    unproven("a user took the role", exchanges.by_user(CHANCE, RUN, USER), DEPLOY, reason="user with keys of its own"),
    unseen("no exchange", DEPLOY, reason="not among the records"),
    unseen("another session's exchange", token(pipeline("payments-2")), DEPLOY),
    unseen("an exchange that failed", token(errorCode="AccessDenied"), DEPLOY),
    unseen("an exchange without an answer", without(token(), "responseElements"), DEPLOY),
    unseen("an exchange by a name that only looks like one", {**token(), "eventSource": "quantumledger.amazonaws.com"}, DEPLOY),
    unseen("the key in another call's answer", call("iam:CreateAccessKey", person(), read_only=True, **BEHIND), DEPLOY),
)  # fmt: skip
def test_a_deploy_identity_is_proven_by_an_allowed_token(case: Case) -> None:
    holds(case)


@pytest.mark.parametrize("order", [[0, 1, 2], [1, 0, 2], [2, 1, 0]], ids=str)
def test_the_place_of_the_exchange_among_the_documents_does_not_matter(order: list[int]) -> None:
    documents = [token(), DEPLOY, call("lambda:UpdateFunctionCode20150331v2", RUN)]
    verdicts = judged(*(documents[n] for n in order))
    outcomes = {documents_index: verdict.outcome for documents_index, verdict in zip(order, verdicts, strict=True)}
    assert outcomes == {0: Outcome.NOT_APPLICABLE, 1: Outcome.PASS, 2: Outcome.PASS}


@table(
    unproven("from the console", token(), call(who=RUN, sessionCredentialFromConsole="true"), reason="console"),
    unproven("a browser", token(), call(who=RUN, agent=cast.BROWSER), reason="console user agent"),
    unproven("the console's user agent", token(), call(who=RUN, agent="console.amazonaws.com"), reason="console"),
    unproven("a console's user agent", token(), call(who=RUN, agent="console.ec2.amazonaws.com"), reason="console"),
    unproven("invoked by sign-in", token(), call(who=RUN.identity(invokedBy="signin.amazonaws.com")), reason="console"),
    unproven("on behalf of a person", token(), call(who=RUN.identity(onBehalfOf={"userId": "u-1"})), reason="Identity"),
    unproven("the exchange in a browser", token(agent=cast.BROWSER), DEPLOY, reason="console user agent"),
    unseen("nobody on behalf of whom", call(who=RUN.identity(onBehalfOf={}))),
    unseen("a console flag that is false", call(who=RUN, sessionCredentialFromConsole="false")),
)
def test_a_user_agent_may_incriminate(case: Case) -> None:
    holds(case)


@table(
    direct("Terraform in a developer's hands", call(who=session(agent=cast.TERRAFORM))),
    direct("Terraform in a person's hands", call(who=person(), agent=cast.TERRAFORM), reason="single sign-on"),
    direct("GitHub Actions as user agent", call(who=session(agent="aws-sdk-js github-actions payments-deploy"))),
    direct("a session that is called like the role", call(who=session("developer", "payments-deploy"))),
    direct("a session that is called like a run", call(who=session("developer", RUN.name))),
    direct("a session that is called like the role's ARN", call(who=session("developer", RUN.role_arn))),
    direct("a user that is called like the role", call(who=user_identity(cast.PAYMENTS, "payments-deploy", "AKIA"))),
    direct("a source identity like the role", call(who={**session().identity(), "userName": "payments-deploy"})),
    direct("a role whose name begins alike", call(who=session("payments-deploy-2"))),
    direct("a role whose name is a beginning", call(who=session("payments-deplo"))),
    direct("a role whose name ends alike", call(who=session("xpayments-deploy"))),
    direct("a role in another case", call(who=session("Payments-Deploy"))),
    direct("a role of that name in a path", call(who=session("payments-deploy", path="/team/"))),
    direct("a role in a path of that name", call(who=session("x", path="/payments-deploy/"))),
    direct("that role of the other account", call(who=session("payments-deploy", account=cast.DATA))),
    direct("that role of a stranger's account", call(who=session("payments-deploy", account="999900001111"), account=cast.PAYMENTS)),
    direct("that role of another partition", call(who={**RUN.identity(), "arn": RUN.arn.replace(":aws:", ":aws-cn:"), "sessionContext": {"sessionIssuer": {"type": "Role", "arn": RUN.role_arn.replace(":aws:", ":aws-cn:")}}})),
    direct("federated, but another role", token(session("developer", federated=True)), call(who=session("developer", federated=True))),
    direct("an issuer that is no role", call(who={**session().identity(), "sessionContext": {"sessionIssuer": {"type": "User", "arn": RUN.role_arn}}})),
    direct("the role's ARN as user name", call(who={**user_identity(cast.PAYMENTS, "x", "AKIA"), "userName": RUN.role_arn})),
)  # fmt: skip
def test_who_holds_the_session_decides_and_no_string_that_the_caller_chooses(case: Case) -> None:
    holds(case)


def test_a_session_whose_role_is_not_that_of_its_own_arn_is_an_error() -> None:
    identity = session().identity()
    identity["sessionContext"]["sessionIssuer"]["arn"] = RUN.role_arn
    (_, verdict) = judged(token(), call(who=identity))
    assert verdict.outcome is Outcome.ERROR


@table(
    proven("CodeBuild took it", exchanges.by_service(CHANCE, BUILD, "codebuild"), call(who=BUILD), reason="codebuild"),
    unproven("a person took it", exchanges.saml(CHANCE, CHEN, cast.CHEN), *assumed(BUILD, CHEN), call(who=BUILD), reason="single sign-on"),
    unproven("a developer's role took it", *assumed(BUILD, session()), call(who=BUILD), reason="not by codebuild"),
    unproven("another service took it", exchanges.by_service(CHANCE, BUILD, "ec2"), call(who=BUILD), reason="opened by"),
    unproven("a token took it", token(BUILD), call(who=BUILD), reason="not by codebuild"),
    unproven("another session name", exchanges.by_service(CHANCE, session("codebuild-release", "release-1", key="ASIABUILD"), "codebuild"), call(who=session("codebuild-release", "release-1", key="ASIABUILD")), reason="not named"),
    unproven("a session name in another case", call(who=session("codebuild-release", "awscodebuild-1")), reason="not named"),
    unproven("a session name that ends alike", call(who=session("codebuild-release", "x-AWSCodeBuild-1")), reason="not named"),
    unproven("a session name that crosses a slash", call(who=session("codebuild-release", "AWSCodeBuild-1/2")), reason="not named"),
    unproven("from the console", exchanges.by_service(CHANCE, BUILD, "codebuild"), call(who=BUILD, sessionCredentialFromConsole="true"), reason="console"),
    unseen("who took it is not there", call(who=BUILD)),
)  # fmt: skip
def test_an_identity_without_tokens_is_proven_by_its_form_and_by_who_opened_it(case: Case) -> None:
    holds(case)


CALLERS, TARGETS = assumed(DATA_RUN, HUB)
HUB_TOKEN = token(HUB, cast.DATA_SUBJECT)
TAKEN_HUB = session("pipeline-hub", HUB.name, cast.TOOLING, agent=cast.TERRAFORM)
TAKEN_RUN = session("data-deploy", HUB.name, cast.DATA, AT + timedelta(seconds=90), agent=cast.TERRAFORM)
BEN = person(cast.BEN, cast.TOOLING)
BY_BEN = assumed(TAKEN_HUB, BEN)
WRITE = call("ecs:UpdateService", DATA_RUN)


@table(
    proven("both copies of the AssumeRole", HUB_TOKEN, CALLERS, TARGETS, WRITE, reason=cast.DATA_SUBJECT),
    proven("the target's copy first", TARGETS, CALLERS, HUB_TOKEN, WRITE),
    proven("only the caller's copy", HUB_TOKEN, CALLERS, WRITE),
    proven("everything after the write", WRITE, TARGETS, CALLERS, HUB_TOKEN, WRITE),
    unseen("only the target's copy", HUB_TOKEN, TARGETS, WRITE, reason="assumed the role"),
    unseen("the hub's token is not there", CALLERS, TARGETS, WRITE, reason="pipeline-hub"),
    unproven("the hub's token is another", token(HUB, "repo:example-org/x:ref:refs/heads/main"), CALLERS, WRITE),
    unproven("a person took the hub", exchanges.saml(CHANCE, BEN, cast.BEN), *BY_BEN, *assumed(TAKEN_RUN, TAKEN_HUB), call(who=TAKEN_RUN), reason="single sign-on"),
    unproven("a person took the hub, whose own sign-in is not there", *BY_BEN, *assumed(TAKEN_RUN, TAKEN_HUB), call(who=TAKEN_RUN), reason="single sign-on"),
    unproven("a user took the hub", exchanges.by_user(CHANCE, TAKEN_HUB, USER), *assumed(TAKEN_RUN, TAKEN_HUB), call(who=TAKEN_RUN)),
    unproven("the hub at the console", HUB_TOKEN, assumed(DATA_RUN, HUB, agent=cast.BROWSER)[0], WRITE, reason="console"),
    proven("the hub itself, which is declared too, writes to production", HUB_TOKEN, call(who=HUB, account=cast.DATA)),
)  # fmt: skip
def test_a_chain_of_roles_is_followed_to_its_origin(case: Case) -> None:
    holds(case)


def test_a_chain_that_leads_back_to_itself_ends_as_unknown() -> None:
    one, other = pipeline("a"), pipeline("b")
    documents = [*assumed(one, other), *assumed(other, one), call(who=one)]
    assert judged(*documents)[-1].outcome is Outcome.UNKNOWN


def test_both_checks_agree_on_what_is_said_of_a_pipeline_session() -> None:
    verdict = judged(token(), DEPLOY)[-1]
    assert verdict.observed["credentials"][0]["subject"] == cast.PAYMENTS_SUBJECT
    fail = judged(token(subject=cast.PULL_REQUEST_SUBJECT), DEPLOY)[-1]
    assert (fail.check, fail.change_class) == (PROOF, ChangeClass.DIRECT)
    assert fail.expected["identity"] == "payments-deploy"

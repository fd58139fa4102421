"""Cases about the pipeline: sessions that are proven, sessions that only claim to be, and those that cannot be told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from monitor.example import calls, cast, exchanges
from monitor.example.book import DIRECT_CHANGE, FAIL, PASS, SESSION_PROOF, UNKNOWN, Book, on, release
from monitor.example.calls import Call
from monitor.example.records import Session

CREATE_GROUP = Call("logs", "CreateLogGroup", {"logGroupName": "/aws/lambda/settle-§num§"})
CREATE_QUEUE = Call("sqs", "CreateQueue", {"queueName": "settlement-§num§", "attributes": {"VisibilityTimeout": "60"}})
TWELVE_HOURS = timedelta(hours=12)
STACKS: dict[str, Any] = {"address": "cloudformation.amazonaws.com", "agent": "cloudformation.amazonaws.com"}
DAMAGED_AT = on(17, 9, 15)
"""When the object is delivered that is stored cut short, in the payments account, us-east-1."""


def proven(book: Book, case: str, ids: list[str], why: str) -> None:
    """Tell that the session is proven, so that both checks pass."""
    book.tell(case, PASS, DIRECT_CHANGE, ids, why, change_class="normal")
    book.tell(case, PASS, SESSION_PROOF, ids, why, change_class="normal")


def unproven(book: Book, case: str, ids: list[str], why: str, outcome: str = FAIL) -> None:
    """Tell that a deploy identity has no proof."""
    book.tell(case, outcome, SESSION_PROOF, ids, why, change_class="direct" if outcome == FAIL else None)


def by_token(book: Book) -> None:
    """Plant sessions that a GitHub token gave: plain, in another region, long-lived, and with a readOnly inside the request."""
    at = on(9, 10, 12)
    session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, at)
    proven(
        book,
        "pipeline-web-identity",
        release(book, session, at + timedelta(minutes=3)),
        "An allowed token gave these credentials",
    )
    at = on(9, 14, 40)
    session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, at)
    ids = release(book, session, at + timedelta(minutes=6), region=cast.WEST)
    proven(book, "pipeline-other-region", ids, "Writes in eu-west-1, the token exchange is in us-east-1's log")
    at = on(9, 16, 8, 20)
    session = book.deploy(cast.DATA, "data-deploy", cast.DATA_SUBJECT, at, ends=TWELVE_HOURS)
    ids = release(book, session, on(10, 3, 46))
    why = "The session began the day before, 11 hours 37 minutes earlier, and lasts 12 hours"
    proven(book, "pipeline-started-day-before", ids, why)
    at = on(10, 9, 30)
    session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, at)
    ids = [book.act(session, calls.REGISTER_TASK, at + timedelta(minutes=1))]
    proven(book, "pipeline-nested-read-only", ids, 'A proven write, with "readOnly":true inside its mountPoints')


def by_chain(book: Book) -> None:
    """Plant a session that goes through the hub in the tooling account."""
    at = on(11, 13, 5)
    hub = book.deploy(cast.TOOLING, "pipeline-hub", cast.DATA_SUBJECT, at)
    session = book.assume(hub, cast.DATA, "data-deploy", hub.name, at + timedelta(seconds=50))
    ids = release(book, session, at + timedelta(minutes=4))
    why = "The chain leads from the data account's role through the tooling account's hub to an allowed token"
    proven(book, "pipeline-role-chain", ids, why)


def by_codebuild(book: Book) -> None:
    """Plant the legacy build role: taken by CodeBuild, and by a person who imitates its session name."""
    at = on(12, 9, 55)
    build = Session(
        cast.PAYMENTS, "codebuild-release", f"AWSCodeBuild-{book.chance.uuid()}", book.chance.access_key(), at,
        address="52.15.247.21", agent="aws-sdk-go/1.55.5 exec-env/AWS_ECS_FARGATE",
    )  # fmt: skip
    book.add(exchanges.by_service(book.chance, build, "codebuild"))
    ids = [
        book.act(build, calls.WRITES[3], at + timedelta(minutes=5)),
        book.act(build, calls.UPDATE_CODE, at + timedelta(minutes=6)),
    ]
    proven(book, "pipeline-codebuild", ids, "CodeBuild took the role, and the session is named as declared")
    at = on(12, 15, 20)
    who = book.person(cast.CHEN, at)
    name = f"AWSCodeBuild-{book.chance.uuid()}"
    posing = book.assume(who, cast.PAYMENTS, "codebuild-release", name, at + timedelta(minutes=2))
    ids = [book.act(posing, calls.UPDATE_CODE, at + timedelta(minutes=5))]
    unproven(
        book, "pipeline-codebuild-by-person", ids, "The session name fits, but a person took the role, not CodeBuild"
    )


def without_proof(book: Book) -> None:
    """Plant deploy sessions that a person took, that a pull request's token gave, and that nothing gave."""
    at = on(13, 11, 2)
    who = book.person(cast.EMIL, at)
    taken = book.assume(
        who, cast.PAYMENTS, "payments-deploy", "emil.haug", at + timedelta(minutes=3), agent=cast.TERRAFORM
    )
    ids = release(book, taken, at + timedelta(minutes=8))
    unproven(
        book, "pipeline-assumed-by-person", ids, "A person took the deploy role; a Terraform user agent excuses nothing"
    )
    at = on(13, 15, 33)
    session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PULL_REQUEST_SUBJECT, at)
    ids = release(book, session, at + timedelta(minutes=4))
    unproven(
        book, "pipeline-pull-request-subject", ids, "The token was a pull request's, which is not an allowed subject"
    )
    at = on(16, 10, 44)
    session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, at, told=False)
    ids = release(book, session, at + timedelta(minutes=5))
    why = "The session says that GitHub federated it, but the logs of its start hold no exchange"
    unproven(book, "pipeline-exchange-absent", ids, why)


def not_visible(book: Book) -> None:
    """Plant deploy sessions whose exchange cannot be seen: before the first log, and in a damaged object."""
    before = datetime(2026, 2, 28, 22, 41, 5, tzinfo=cast.MONTH_START.tzinfo)
    session = book.deploy(
        cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, before, told=False, ends=TWELVE_HOURS
    )
    ids = release(book, session, on(1, 1, 17))
    why = "The session began before the first log that is kept, so its exchange cannot be seen"
    unproven(book, "pipeline-before-window", ids, why, UNKNOWN)
    at = DAMAGED_AT - timedelta(minutes=5, seconds=20)
    session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, at)
    ids = release(book, session, at + timedelta(minutes=11))
    why = "The exchange is in the part of an object that was cut off, so nobody can tell"
    unproven(book, "pipeline-exchange-in-damaged-object", ids, why, UNKNOWN)


def through_stacks(book: Book) -> None:
    """Plant CloudFormation acting for the pipeline (with and without an access key) and for a person."""
    for case, hour, key, why in (
        (
            "cloudformation-for-pipeline",
            9,
            True,
            "CloudFormation acts with the credentials of a proven pipeline session",
        ),
        (
            "cloudformation-for-pipeline-keyless",
            14,
            False,
            "The same, logged without access key: principal and start tell the session",
        ),
    ):
        at = on(18, hour, 21)
        session = book.deploy(cast.PAYMENTS, "payments-deploy", cast.PAYMENTS_SUBJECT, at)
        ids = [book.act(session, calls.WRITES[4], at + timedelta(minutes=2))]
        identity = session.identity(invokedBy="cloudformation.amazonaws.com", **({} if key else {"accessKeyId": ...}))
        ids += [
            book.act(session, call, at + timedelta(minutes=3), identity=identity, **STACKS)
            for call in (CREATE_GROUP, CREATE_QUEUE)
        ]
        proven(book, case, ids, why)
    who = book.person(cast.BEN, on(18, 16))
    identity = who.identity(invokedBy="cloudformation.amazonaws.com")
    ids = [book.act(who, calls.WRITES[4], on(18, 16, 4))]
    ids += [book.act(who, call, on(18, 16, 5), identity=identity, **STACKS) for call in (CREATE_GROUP, CREATE_QUEUE)]
    why = "CloudFormation acting for a person is that person"
    book.tell("cloudformation-for-person", FAIL, DIRECT_CHANGE, ids, why, change_class="direct")


def lookalikes(book: Book) -> None:
    """Plant sessions that carry the pipeline's name where it means nothing."""
    who = book.person(cast.DORA, on(19, 10))
    named = book.assume(who, cast.PAYMENTS, "developer", "payments-deploy", on(19, 10, 3))
    ids = [book.act(named, calls.UPDATE_SERVICE, on(19, 10, 8))]
    why = "The session is called payments-deploy; the role behind it is developer"
    book.tell("session-name-as-pipeline", FAIL, DIRECT_CHANGE, ids, why, change_class="direct")
    other = book.assume(who, cast.PAYMENTS, "Payments-Deploy", "release", on(19, 10, 13))
    ids = [book.act(other, calls.UPDATE_SERVICE, on(19, 10, 17))]
    why = "Payments-Deploy is not payments-deploy: patterns are case-exact"
    book.tell("role-name-other-case", FAIL, DIRECT_CHANGE, ids, why, change_class="direct")


def plant(book: Book) -> None:
    """Plant every case of this file."""
    for part in (by_token, by_chain, by_codebuild, without_proof, not_visible, through_stacks, lookalikes):
        part(book)

"""Design 6.1, second question: the provider's own services, and forwarders declared trusted."""

from __future__ import annotations

from typing import Any

from monitor.example import cast, exchanges
from monitor.example.records import root_identity, user_identity
from tests.unit.decode.samples import AT, CHANCE, by_service, call, person, pipeline, session
from tests.unit.sweep.cases import Case, direct, holds, service, table, unseen

FORWARDER = session("log-forwarder", "fluentbit")
STREAM = "logs:CreateLogStream"


def linked(path: str = "/aws-service-role/ecs.amazonaws.com/", role: str = "AWSServiceRoleForECS", **over: Any) -> Any:
    return session(role, "ecs-service", path=path, agent="ecs.amazonaws.com").identity(**over)


@table(
    service("AWSService", by_service(), reason="autoscaling.amazonaws.com"),
    service("AWSService without a name", call(who={"type": "AWSService"})),
    service("AWSService in the other account", by_service(account=cast.DATA)),
    service("AwsServiceEvent by a service", by_service("kms:RotateKey", "kms", eventType="AwsServiceEvent")),
    service("AwsServiceEvent without type", call("kms:RotateKey", {"accountId": cast.PAYMENTS, "invokedBy": "AWS Internal"}, eventType="AwsServiceEvent")),
    service("AwsServiceEvent without any identity", call("kms:RotateKey", identity=..., eventType="AwsServiceEvent")),
    service("AwsServiceEvent with identity null", call("kms:RotateKey", identity=None, eventType="AwsServiceEvent")),
    service("AwsServiceEvent without flag", call("rds:PurgeLogs", {"accountId": cast.PAYMENTS}, read_only=None, eventType="AwsServiceEvent")),
    service("a service-linked role", call(who=linked(invokedBy="ecs.amazonaws.com")), reason="ecs.amazonaws.com"),
    service("a service-linked role without invokedBy", call(who=linked())),
    service("a service-linked role of another service", call(who=linked("/aws-service-role/rds.amazonaws.com/", "AWSServiceRoleForRDS"))),
)  # fmt: skip
def test_the_providers_own_services_pass(case: Case) -> None:
    holds(case)


@table(
    direct("a name that belongs to service-linked roles, outside their path", call(who=linked("/"))),
    direct("the path without the service", call(who=linked("/aws-service-role/"))),
    direct("the path below another", call(who=linked("/team/aws-service-role/ecs.amazonaws.com/"))),
    direct("a path that begins alike", call(who=linked("/aws-service-role-x/ecs.amazonaws.com/"))),
    direct("a deeper path", call(who=linked("/aws-service-role/ecs.amazonaws.com/x/"))),
    direct("the path in another case", call(who=linked("/AWS-service-role/ecs.amazonaws.com/"))),
    direct("a service's type in another case", call(who={"type": "AWSSERVICE", "invokedBy": "ecs.amazonaws.com"})),
    direct("a type that begins alike", call(who={"type": "AWSServiceX"})),
    direct("another account", call(who={"type": "AWSAccount", "principalId": "AIDAEXAMPLE", "accountId": "999900001111"})),
    direct("no identity at all", call(identity=...)),
    direct("an unknown type", call(who={"type": "Unknown"})),
    direct("an issuer that is a service's role, of a session that is not", call(who={**user_identity(cast.PAYMENTS, "x", "AKIA"), "sessionContext": linked()["sessionContext"]})),
    direct("an event type that begins alike", call(eventType="AwsServiceEventX")),
    direct("a user agent that names a service", call(agent="autoscaling.amazonaws.com", address="autoscaling.amazonaws.com")),
    direct("a session named after a service", call(who=session("developer", "AWSServiceRoleForECS"))),
    direct("a user named after a service", call(who=user_identity(cast.PAYMENTS, "AWSServiceRoleForECS", "AKIAEXAMPLEEXAMPLE01"))),
)  # fmt: skip
def test_what_only_resembles_a_service_is_a_direct_change(case: Case) -> None:
    holds(case)


def invoked(who: Any, by: str) -> Any:
    return call("s3:PutBucketPolicy", who.identity(invokedBy=by), agent=by, address=by)


@table(
    direct("by sign-in: a person at the console", invoked(person(), "signin.amazonaws.com"), reason="from the console"),
    direct("by CloudFormation, for a person", invoked(person(), "cloudformation.amazonaws.com"), reason="single sign-on"),
    direct("by CloudFormation, for a developer's role", invoked(session(), "cloudformation.amazonaws.com")),
    direct("by any service, for a user", call(who={**user_identity(cast.PAYMENTS, "x", "AKIA"), "invokedBy": "ecs.amazonaws.com"})),
    direct("by a service, for root", call(who={**root_identity(cast.PAYMENTS, "ASIA", AT), "invokedBy": "ecs.amazonaws.com"}), reason="root"),
    direct("by AWS Internal", invoked(session(), "AWS Internal")),
    direct("by autoscaling, for a person", invoked(person(), "autoscaling.amazonaws.com")),
    unseen("by CloudFormation, for the pipeline whose exchange is not there", invoked(pipeline(), "cloudformation.amazonaws.com")),
)  # fmt: skip
def test_invoked_by_alone_excuses_nobody(case: Case) -> None:
    holds(case)


@table(
    service("what the forwarder is declared for", call(STREAM, FORWARDER), reason="trusted service log-forwarder"),
    direct(
        "a person took the forwarder's role", *exchanges.by_role(CHANCE, FORWARDER, person()), call(STREAM, FORWARDER)
    ),
    direct("the forwarder at the console", call(STREAM, FORWARDER, agent=cast.BROWSER)),
    direct("another action of the forwarder", call("logs:CreateLogGroup", FORWARDER)),
    direct("a longer action", call("logs:CreateLogStreams", FORWARDER)),
    direct("the action in another case", call("logs:createLogStream", FORWARDER)),
    direct("the action of another service", call("logsx:CreateLogStream", FORWARDER)),
    direct("the action by another role", call(STREAM, session("log-forwarder-2"))),
    direct("the action by a role of that name in a path", call(STREAM, session("log-forwarder", path="/team/"))),
    direct("the action by that role of another account", call(STREAM, session("log-forwarder", account=cast.DATA))),
    direct("the action by a session of that name", call(STREAM, session("developer", "log-forwarder"))),
    direct("the role in another case", call(STREAM, session("Log-Forwarder"))),
)
def test_forwarders_that_are_declared(case: Case) -> None:
    holds(case)

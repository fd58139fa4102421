"""Design 6.1, first question: what is not a change; and attempts. Each with the neighbour that is one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from monitor.example import cast, exchanges
from monitor.example.records import centre_identity, root_identity, stamp, user_identity
from monitor.model import ChangeClass, Outcome
from tests.unit.decode.samples import AT, CHANCE, by_service, call, person, pipeline, read, session, without
from tests.unit.sweep.cases import (
    DIRECT,
    ERROR,
    FAIL,
    NOT_APPLICABLE,
    Case,
    direct,
    holds,
    judged,
    not_a_change,
    table,
)

WORKER = session("ec2-worker", "i-0abc12345678def90", agent=cast.AGENT)
MANAGED = session("ssm-hybrid", "mi-0abc12345678def90", agent=cast.AGENT)
USER = user_identity(cast.PAYMENTS, "batch-admin", "AKIAEXAMPLEEXAMPLE01")
NO_FLAGS: dict[str, Any] = {"managementEvent": ..., "eventCategory": ...}
DATA: dict[str, Any] = {"managementEvent": False, "eventCategory": "Data"}
DENIED: dict[str, Any] = {"errorCode": "AccessDenied", "errorMessage": "no identity-based policy allows it"}


def flagless(action: str, **over: Any) -> dict[str, Any]:
    return call(action, person(), read_only=None, **over)


@table(
    not_a_change("a read", read(), reason="read-only"),
    not_a_change("a read by a person at the console", read(who=person(), sessionCredentialFromConsole="true")),
    not_a_change("a denied read", read(**DENIED), reason="read-only"),
    not_a_change("a read by root", read(who=root_identity(cast.PAYMENTS, "ASIAEXAMPLEEXAMPLE02", AT))),
    not_a_change("Describe without flag", flagless("ec2:DescribeInstances"), reason="read-only"),
    not_a_change("Describe without flag, denied", flagless("ec2:DescribeInstances", **DENIED), reason="read-only"),
    not_a_change("Describe with flag null", {**read(), "readOnly": None}, reason="read-only"),
    not_a_change("Get without flag", flagless("iam:GetRole")),
    not_a_change("List without flag", flagless("s3:ListBuckets")),
    not_a_change("BatchGet without flag", flagless("codebuild:BatchGetProjects")),
    not_a_change("Lookup without flag", flagless("cloudtrail:LookupEvents")),
    not_a_change("Get alone without flag", flagless("quantumledger:Get")),
    direct("a write without flag", flagless("ec2:StopInstances")),
    direct("a write with flag null", {**call(), "readOnly": None}),
    direct("a name that only begins like a read", flagless("ec2:Getaway")),
    direct("Listen is not List", flagless("quantumledger:ListenLedger")),
    direct("a read's name in lower case", flagless("ec2:describeInstances")),
    direct("Describe that says of itself that it writes", call("ec2:DescribeInstances")),
    direct("readOnly false on a name that reads", call("cognito-idp:GetEverything", person())),
    Case("readOnly as a string", [{**call(), "readOnly": "true"}], ERROR, reason="not a CloudTrail record"),
    Case("readOnly 'false'", [{**call(), "readOnly": "false"}], ERROR, reason="not a CloudTrail record"),
)
def test_reads(case: Case) -> None:
    holds(case)


@table(
    not_a_change("console login", exchanges.console_login(CHANCE, person()), reason="sign-in"),
    not_a_change(
        "failed console login",
        exchanges.console_login(CHANCE, person(), response={"ConsoleLogin": "Failure"}, errorCode="x"),
    ),
    not_a_change("CheckMfa", call("signin:CheckMfa", person(), eventType="AwsConsoleSignIn")),
    not_a_change("switching roles", call("signin:SwitchRole", person(), eventType="AwsConsoleSignIn")),
    not_a_change("portal sign-in", call("sso:Authenticate", centre_identity(cast.PAYMENTS, "u-1"))),
    not_a_change("portal federation", call("sso:Federate", centre_identity(cast.PAYMENTS, "u-1"))),
    not_a_change("role credentials", call("sso:GetRoleCredentials", centre_identity(cast.PAYMENTS, "u-1"))),
    not_a_change("AssumeRole", exchanges.by_role(CHANCE, session("BreakGlass"), person())[0], reason="kept"),
    not_a_change("AssumeRole not marked as read", exchanges.by_role(CHANCE, session(), person(), read_only=False)[0]),
    not_a_change("AssumeRole denied", call("sts:AssumeRole", person(), read_only=True, **DENIED), reason="sign-in"),
    not_a_change("AssumeRole by a service", exchanges.by_service(CHANCE, session("x"), "lambda")),
    not_a_change("AssumeRoleWithSAML", exchanges.saml(CHANCE, person(), cast.ADA), reason="session proof"),
    not_a_change("AssumeRoleWithWebIdentity", exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT)),
    not_a_change("AssumeRoot", call("sts:AssumeRoot", person())),
    not_a_change("GetSessionToken", exchanges.session_token(CHANCE, cast.PAYMENTS, USER, stamp(AT)), reason="kept"),
    not_a_change("GetFederationToken", call("sts:GetFederationToken", USER, read_only=False)),
    not_a_change("Roles Anywhere", call("rolesanywhere:CreateSession", person())),
    direct("AssumeRole of another service", call("quantumledger:AssumeRole", person())),
    direct("CreateSession of another service", call("glue:CreateSession", person())),
    direct("ConsoleLogin of another service", call("quantumledger:ConsoleLogin", person())),
    direct("another call of STS", call("sts:SetSecurityTokenServicePreferences", person())),
    direct("another call of the portal", call("sso:CreateAccountAssignment", person())),
    direct("a longer name than AssumeRole", call("sts:AssumeRoleNever", person())),
    direct("a change that the console makes", call("iam:UpdateLoginProfile", person(), eventType="AwsConsoleAction")),
)
def test_signing_in_and_issuing_of_credentials(case: Case) -> None:
    holds(case)


def test_the_exchange_that_is_kept_is_told_by_its_id() -> None:
    exchange = exchanges.web_identity(CHANCE, pipeline(), cast.PAYMENTS_SUBJECT)
    assert judged(exchange)[0].subject == exchange["eventID"]


@table(
    not_a_change("an S3 object", call("s3:PutObject", person(), **DATA), reason="data-plane"),
    not_a_change("an S3 object without flags", call("s3:PutObject", person(), **NO_FLAGS), reason="data-plane"),
    not_a_change("S3 objects without flags", call("s3:DeleteObjects", person(), **NO_FLAGS)),
    not_a_change("only the category", call("s3:PutObject", person(), managementEvent=..., eventCategory="Data")),
    not_a_change("only the flag", call("s3:PutObject", person(), managementEvent=False, eventCategory=...)),
    not_a_change("a data call of an unheard service", call("quantumledger:PutEntry", person(), **DATA)),
    not_a_change("invoking a function without flags", call("lambda:Invoke", person(), **NO_FLAGS)),
    not_a_change("an item without flags", call("dynamodb:PutItem", person(), **NO_FLAGS)),
    not_a_change("a failed data call", call("s3:PutObject", person(), **DATA, **DENIED), reason="data-plane"),
    not_a_change("encryption", call("kms:Encrypt", person()), reason="data-plane"),
    not_a_change("a data key", call("kms:GenerateDataKey", person())),
    not_a_change("signing", call("kms:Sign", person())),
    not_a_change(
        "VPC-endpoint activity",
        call("kms:ScheduleKeyDeletion", person(), managementEvent=False, eventCategory="NetworkActivity"),
    ),
    not_a_change(
        "VPC-endpoint activity by its category",
        call("ec2:RunInstances", person(), managementEvent=..., eventCategory="NetworkActivity"),
    ),
    not_a_change(
        "VPC-endpoint activity by its type", call("ec2:RunInstances", person(), **NO_FLAGS, eventType="AwsVpceEvent")
    ),
    direct("a bucket", call("s3:DeleteBucket", person())),
    direct("a bucket without flags", call("s3:PutBucketPolicy", person(), **NO_FLAGS)),
    direct("a key", call("kms:ScheduleKeyDeletion", person())),
    direct("a grant on a key", call("kms:CreateGrant", person())),
    direct("encryption of another service", call("quantumledger:Encrypt", person())),
    direct("an S3 name of another service, without flags", call("glacier:PutObject", person(), **NO_FLAGS)),
    direct("a function's code without flags", call("lambda:UpdateFunctionCode20150331v2", person(), **NO_FLAGS)),
    direct("a table without flags", call("dynamodb:UpdateTable", person(), **NO_FLAGS)),
    direct("a management event that is said to be one", call("s3:PutObject", person())),
)
def test_data_plane_calls(case: Case) -> None:
    holds(case)


BEAT = "ssm:UpdateInstanceInformation"
TAKEN = session("ec2-worker", WORKER.name)


def undelivered(**context: Any) -> dict[str, Any]:
    """Return the identity of a session that is named like an instance, which EC2 did not hand out."""
    identity = TAKEN.identity()
    del identity["sessionContext"]["ec2RoleDelivery"]
    identity["sessionContext"].update(context)
    return identity


def taken_by_person() -> list[dict[str, Any]]:
    return exchanges.by_role(CHANCE, TAKEN, person())


@table(
    not_a_change("a heartbeat by an instance", call(BEAT, WORKER), reason="telemetry"),
    direct("a heartbeat by a managed node: nothing of AWS marks its credentials", call(BEAT, MANAGED)),
    direct("a person who calls the session like an instance", call(BEAT, undelivered())),
    direct("an instance's role, taken by a person who is known", taken_by_person()[0], call(BEAT, undelivered())),
    direct("a mark that is empty", call(BEAT, undelivered(ec2RoleDelivery=""))),
    direct("a mark that is null", call(BEAT, undelivered(ec2RoleDelivery=None))),
    direct("an instance's heartbeat from the console", call(BEAT, WORKER, agent=cast.BROWSER)),
    not_a_change("the older mark", call(BEAT, undelivered(ec2RoleDelivery="1.0")), reason="telemetry"),
    not_a_change("inventory by an instance", call("ssm:PutInventory", WORKER)),
    not_a_change("an association's state by an instance", call("ssm:UpdateInstanceAssociationStatus", WORKER)),
    not_a_change("a task's state by an instance", call("ecs:SubmitTaskStateChange", WORKER)),
    direct("a heartbeat by a person", call(BEAT, person())),
    direct("inventory by a user", call("ssm:PutInventory", USER), reason="user with keys of its own"),
    direct("a heartbeat by a role that is no instance's", call(BEAT, session("developer", "release-1"))),
    direct(
        "a session that is nearly called like an instance", call(BEAT, session("developer", "xi-0abc12345678def90"))
    ),
    direct("a session that is longer than an instance", call(BEAT, session("developer", "i-0abc12345678def90-x"))),
    direct("an instance that changes something", call("ec2:StopInstances", WORKER)),
    direct("an instance that sends a command", call("ssm:SendCommand", WORKER)),
    direct("telemetry's name of another service, by an instance", call("quantumledger:PutInventory", WORKER)),
)
def test_telemetry_by_an_agent(case: Case) -> None:
    holds(case)


@table(
    not_a_change("a dry run", call("ec2:RunInstances", person(), errorCode="Client.DryRunOperation"), reason="dry run"),
    not_a_change("a dry run, short", call("ec2:RunInstances", person(), errorCode="DryRunOperation"), reason="dry run"),
    not_a_change("a denied write", call(who=person(), **DENIED), reason="attempt"),
    not_a_change("a denied dry run", call(who=person(), errorCode="Client.UnauthorizedOperation"), reason="attempt"),
    not_a_change(
        "a write that went wrong", call(who=person(), errorCode="InvalidParameterException"), reason="attempt"
    ),
    not_a_change("a failed stop of the trail", call("cloudtrail:StopLogging", person(), **DENIED), reason="attempt"),
    not_a_change("a failed write without flag", flagless("ec2:StopInstances", **DENIED), reason="attempt"),
    direct("an empty error", call(who=person(), errorCode="")),
    direct("an error that is null", call(who=person(), errorCode=None)),
    direct("a message without code", call(who=person(), errorMessage="dry run")),
    direct("a request that says it is a dry run", call(who=person(), request={"dryRun": True})),
    direct("an answer that holds an error", call(who=person(), response={"errorCode": "AccessDenied"})),
)
def test_dry_runs_and_attempts(case: Case) -> None:
    holds(case)


@table(
    not_a_change("an account that is only watched", call(who=person(account=cast.TOOLING)), reason="not production"),
    not_a_change("an account that nobody declared", call(who=person(account="999900001111")), reason="not production"),
    not_a_change("root of an account that is not production", call(who=root_identity(cast.TOOLING, "ASIA", AT), account=cast.TOOLING)),
    direct("production's second account", call(who=person(account=cast.DATA))),
    direct("a stranger's role in production", call(who=person(account="999900001111"), account=cast.PAYMENTS)),
    direct("a region that is not declared", call(who=person(), region="ap-southeast-2")),
    direct("no recipient: the identity's account", call(who=person(), recipientAccountId=...)),
)  # fmt: skip
def test_scope(case: Case) -> None:
    holds(case)


def test_a_write_of_which_nobody_can_tell_the_account_is_unknown() -> None:
    identity = {key: value for key, value in person().identity().items() if key != "accountId"}
    (verdict,) = judged(call(who=identity, recipientAccountId=...))
    assert (verdict.outcome, verdict.check) == (Outcome.UNKNOWN, DIRECT)
    assert "account" in verdict.reason


@pytest.mark.parametrize(
    "missing",
    ["userIdentity", "eventID", "awsRegion", "userAgent", "sourceIPAddress", "eventType", "requestParameters"],
)
def test_a_write_that_lacks_what_does_not_matter_is_still_a_direct_change(missing: str) -> None:
    event = without(call(who=person(cast.EMIL)), missing)
    assert (judged(event)[0].outcome, judged(event)[0].change_class) == (FAIL, ChangeClass.DIRECT)


@pytest.mark.parametrize("missing", ["eventTime", "eventName", "eventSource"])
def test_a_record_that_lacks_what_matters_is_an_error(missing: str) -> None:
    assert judged(without(call(who=person()), missing))[0].outcome is ERROR


@pytest.mark.parametrize("time", ["", "yesterday", "2026-03-09", "2026-03-09T10:00:00", "2026-02-30T00:00:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2012-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])  # fmt: skip
def test_a_time_that_is_no_moment_is_an_error(time: str) -> None:
    assert judged(call(who=person(), time=time))[0].outcome is ERROR


@pytest.mark.parametrize("time", ["2013-01-01T00:00:00Z", "2100-12-31T23:59:59Z"])
def test_a_time_at_an_edge_of_what_is_one_is_judged(time: str) -> None:
    assert judged(call(who=person(), time=time))[0].outcome is FAIL


def test_every_kind_of_not_a_change_is_told_apart() -> None:
    events = [
        read(),
        call("s3:PutObject", **DATA),
        call(BEAT, WORKER),
        call(errorCode="x"),
        call(errorCode="a.DryRunOperation"),
    ]
    reasons = [verdict.reason for verdict in judged(*events)]
    assert len(set(reasons)) == len(events)


@pytest.mark.parametrize("later", [timedelta(), timedelta(days=300)])
def test_verdicts_do_not_depend_on_when_they_are_asked_for(later: timedelta) -> None:
    event = call(who=person(at=AT + later))
    assert judged(event)[0].outcome is FAIL
    assert judged(by_service())[0].outcome is not NOT_APPLICABLE

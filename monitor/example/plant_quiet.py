"""Cases that are no change at all, or one that a service made: what must not become a finding, and what only looks like it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from monitor.example import calls, cast, exchanges
from monitor.example.book import DIRECT_CHANGE, FAIL, NOT_APPLICABLE, PASS, Book, on
from monitor.example.calls import Call
from monitor.example.events import DENIED
from monitor.example.records import Session, centre_identity, service_identity, stamp, user_identity

DESCRIBE = calls.READS[0]
ENCRYPT = Call("kms", "Encrypt", {"keyId": "alias/payments", "encryptionAlgorithm": "SYMMETRIC_DEFAULT"})
REENCRYPT = Call("kms", "ReEncrypt", {"destinationKeyId": "alias/payments", "sourceKeyId": "alias/payments-old"})
STREAM = Call("logs", "CreateLogStream", {"logGroupName": "/ecs/payments-api", "logStreamName": "forward/§hex§"})
RETENTION = Call("logs", "PutRetentionPolicy", {"logGroupName": "/ecs/payments-api", "retentionInDays": 1})


def instance(book: Book, account: str, at: Any) -> Session:
    """Return the session of an EC2 instance, its credentials delivered by the instance metadata service."""
    name = f"i-0{book.chance.hex(16)}"
    return Session(account, "ec2-worker", name, book.chance.access_key(), at, address="10.20.3.41", agent=cast.AGENT)


def reads(book: Book) -> None:
    """Plant reads: plain, denied, and without the readOnly flag."""
    at = on(3, 9, 10)
    who = book.person(cast.ADA, at, role=cast.SSO_READER)
    plain = [
        book.act(who, call, at + timedelta(minutes=2 + n), read_only=True) for n, call in enumerate(calls.READS[:4])
    ]
    portal = Call("sso", "ListProfilesForApplication", {"instanceId": "ins-§hex§"})
    visitor = centre_identity(cast.PAYMENTS, book.chance.uuid())
    plain.append(book.act(None, portal, at, identity=visitor, read_only=True))
    book.tell("read-only", NOT_APPLICABLE, DIRECT_CHANGE, plain, "The calls read and change nothing")
    denied = [book.act(who, call, at + timedelta(minutes=9), read_only=True, **DENIED) for call in calls.READS[4:6]]
    book.tell("read-only-denied", NOT_APPLICABLE, DIRECT_CHANGE, denied, "A read that was denied is still a read")
    bare = [book.act(who, call, at + timedelta(minutes=11), read_only=None) for call in (DESCRIBE, calls.READS[6])]
    book.tell(
        "read-only-no-flag", NOT_APPLICABLE, DIRECT_CHANGE, bare, "Describe… and List… read, though readOnly is absent"
    )


def sign_in(book: Book) -> None:
    """Plant a console sign-in, and one of each way of issuing credentials."""
    at = on(4, 8, 2)
    who = Session(
        cast.PAYMENTS, cast.SSO_READER, cast.BEN.mail, book.chance.access_key(), at, cast.SSO_PATH,
        address=cast.BEN.address, agent=cast.BROWSER, ends=timedelta(hours=8),
    )  # fmt: skip
    login = book.add(exchanges.console_login(book.chance, who))
    book.tell("sign-in", NOT_APPLICABLE, DIRECT_CHANGE, [login], "Signing in at the console changes nothing")
    user = user_identity(cast.DATA, "report-export", book.chance.access_key("AKIA"))
    started = on(4, 8, 20)
    reader = Session(
        cast.DATA, "report-reader", "export", book.chance.access_key(), started, address="10.40.0.8", agent=cast.SDK
    )
    ids = [
        book.add(
            exchanges.session_token(
                book.chance, cast.DATA, user, stamp(on(4, 8, 15)), address="10.40.0.8", agent=cast.SDK
            )
        ),
        book.add(exchanges.by_user(book.chance, reader, user)),
        book.add(exchanges.saml(book.chance, who, cast.BEN)),
        book.add(exchanges.by_service(book.chance, instance(book, cast.PAYMENTS, on(4, 8, 30)), "ec2")),
    ]
    federation = Call("sts", "GetFederationToken", {"name": "report-viewer", "durationSeconds": 3600})
    ids.append(book.act(None, federation, on(4, 8, 40), account=cast.DATA, identity=user, read_only=True))
    why = "Issuing credentials is kept for session proof, and is no change"
    book.tell("credential-issuing", NOT_APPLICABLE, DIRECT_CHANGE, ids, why)


def data_plane(book: Book) -> None:
    """Plant S3 objects, encryption, and activity at a VPC endpoint."""
    at = on(5, 11)
    worker = instance(book, cast.DATA, at - timedelta(hours=2))
    ids = [book.act(worker, call, at, read_only=False) for call in calls.DATA_WRITES]
    book.tell(
        "s3-data-event", NOT_APPLICABLE, DIRECT_CHANGE, ids, "Objects written and deleted in S3 are data-plane calls"
    )
    ids = [
        book.act(worker, ENCRYPT, at + timedelta(minutes=1), read_only=True),
        book.act(worker, REENCRYPT, at + timedelta(minutes=1), read_only=True),
        book.act(worker, ENCRYPT, at + timedelta(minutes=2), read_only=None),
    ]
    book.tell(
        "kms-encryption",
        NOT_APPLICABLE,
        DIRECT_CHANGE,
        ids,
        "Encrypting is a data-plane call, with or without the flag",
    )
    endpoint: dict[str, Any] = {
        "eventVersion": "1.09",
        "eventType": "AwsVpceEvent",
        "eventCategory": "NetworkActivity",
        "managementEvent": ...,
        "requestParameters": ...,
        "responseElements": ...,
        "tlsDetails": ...,
        "userAgent": ...,
        "vpcEndpointId": "vpce-08c1b6b9b7a40d21e",
        "vpcEndpointAccountId": cast.DATA,
        "read_only": None,
    }
    denied: dict[str, Any] = {
        "errorCode": "VpceAccessDenied",
        "errorMessage": "The request was denied due to a VPC endpoint policy",
    }
    key, secret = Call("kms", "CreateKey"), Call("secretsmanager", "PutSecretValue")
    shared: dict[str, Any] = {"sharedEventID": book.chance.uuid()}
    ids = [
        book.act(worker, key, at + timedelta(minutes=4), **endpoint, **denied, **shared),
        book.act(worker, secret, at + timedelta(minutes=4), **endpoint, sharedEventID=book.chance.uuid()),
    ]
    why = "What passes a VPC endpoint is network activity; the call itself would be its own management event"
    book.tell("network-activity", NOT_APPLICABLE, DIRECT_CHANGE, ids, why)


def agents(book: Book) -> None:
    """Plant heartbeats by an instance, the same call by a person, a dry run, and failed writes."""
    at = on(6, 7, 30)
    worker = instance(book, cast.PAYMENTS, at - timedelta(hours=3))
    ids = [book.act(worker, call, at) for call in calls.TELEMETRY]
    book.tell("ssm-telemetry", NOT_APPLICABLE, DIRECT_CHANGE, ids, "An instance reports to Systems Manager")
    who = book.person(cast.DORA, on(6, 9))
    ids = [book.act(who, calls.TELEMETRY[2], on(6, 9, 4))]
    book.tell(
        "telemetry-by-person",
        FAIL,
        DIRECT_CHANGE,
        ids,
        "Inventory written by a person is no heartbeat",
        change_class="direct",
    )
    tried = book.person(cast.EMIL, on(6, 10))
    stop = Call("ec2", "StopInstances", {"instancesSet": {"items": [{"instanceId": "i-§hex§"}]}, "force": False})
    dry: dict[str, Any] = {
        "errorCode": "Client.DryRunOperation",
        "errorMessage": "Request would have succeeded, but DryRun flag is set.",
    }
    book.tell(
        "dry-run",
        NOT_APPLICABLE,
        DIRECT_CHANGE,
        [book.act(tried, stop, on(6, 10, 3), **dry)],
        "A dry run changes nothing",
    )
    ids = [book.act(tried, call, on(6, 10, 5), **DENIED) for call in (stop, calls.UPDATE_SERVICE, calls.UPDATE_CODE)]
    book.tell("attempt", NOT_APPLICABLE, DIRECT_CHANGE, ids, "Failed writes are attempts: counted, never changes")


def services(book: Book) -> None:
    """Plant what AWS does by itself, the trusted forwarder, and two who only look alike."""
    at = on(7, 2, 15)
    aws: dict[str, Any] = {"address": "AWS Internal", "agent": "AWS Internal"}
    event = {"accountId": cast.PAYMENTS, "invokedBy": "AWS Internal"}
    ids = [book.act(None, calls.ROTATE_KEY, at, identity=event, **aws)]
    book.tell("aws-service-event", PASS, DIRECT_CHANGE, ids, "An AwsServiceEvent, whose identity has no type")
    scaling: dict[str, Any] = {"address": "autoscaling.amazonaws.com", "agent": "autoscaling.amazonaws.com"}
    ids = [book.act(None, calls.SERVICE_WRITES[3], at, identity=service_identity("autoscaling"), **scaling)]
    book.tell("aws-service", PASS, DIRECT_CHANGE, ids, "Auto Scaling acted by itself (AWSService)")
    linked = Session(
        cast.PAYMENTS, "AWSServiceRoleForECS", "ecs-service-scheduler", book.chance.access_key(), at,
        "/aws-service-role/ecs.amazonaws.com/", address="ecs.amazonaws.com", agent="ecs.amazonaws.com",
    )  # fmt: skip
    identity = linked.identity(invokedBy="ecs.amazonaws.com")
    ids = [book.act(linked, calls.SERVICE_WRITES[2], at + timedelta(minutes=3), identity=identity)]
    book.tell("service-linked-role", PASS, DIRECT_CHANGE, ids, "A service-linked role, under /aws-service-role/")
    source = book.person(cast.CHEN, on(7, 9))
    posing = book.assume(source, cast.PAYMENTS, "AWSServiceRoleForDeployments", "release", on(7, 9, 2))
    ids = [book.act(posing, calls.UPDATE_SERVICE, on(7, 9, 6))]
    why = "The role is only named like a service-linked one; it is not under /aws-service-role/"
    book.tell("service-linked-name-only", FAIL, DIRECT_CHANGE, ids, why, change_class="direct")
    for case, call, hour, outcome, why in (
        ("trusted-forwarder", STREAM, 3, PASS, "A declared forwarder opens a log stream, as it is trusted to"),
        (
            "trusted-forwarder-other-action",
            RETENTION,
            15,
            FAIL,
            "The forwarder is trusted to open streams, not to shorten retention",
        ),
    ):
        started = on(7, hour)
        forwarder = Session(
            cast.PAYMENTS,
            "log-forwarder",
            f"forward-{hour}",
            book.chance.access_key(),
            started,
            address="10.20.6.12",
            agent=cast.SDK,
        )
        book.add(exchanges.by_service(book.chance, forwarder, "lambda"))
        ids = [book.act(forwarder, call, started + timedelta(minutes=7))]
        book.tell(case, outcome, DIRECT_CHANGE, ids, why, change_class="direct" if outcome == FAIL else None)


def elsewhere(book: Book) -> None:
    """Plant a person's write in an account that is watched but not production."""
    who = book.person(cast.ADA, on(8, 12), account=cast.TOOLING)
    ids = [book.act(who, call, on(8, 12, 9)) for call in (calls.UPDATE_CODE, calls.REGISTER_TASK)]
    book.tell("not-production", NOT_APPLICABLE, DIRECT_CHANGE, ids, "The tooling account is not production")


def plant(book: Book) -> None:
    """Plant every case of this file."""
    for part in (reads, sign_in, data_plane, agents, services, elsewhere):
        part(book)

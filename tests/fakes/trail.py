"""Log objects of a trail, made by hand: one event of a developer, and the object that it is delivered in."""

from __future__ import annotations

import gzip
import json
import random
import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

ORGANISATION = "o-exampleorgid"
PAYMENTS, DATA, TOOLING = "111122223333", "444455556666", "777788889999"
_chance = random.Random(42)


def stamp(moment: datetime) -> str:
    """Return a moment as CloudTrail writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def event(
    at: datetime,
    *,
    account: str = PAYMENTS,
    region: str = "us-east-1",
    role: str = "developer",
    session: str = "eve",
    **over: Any,
) -> dict[str, Any]:
    """Return a write by a session of a role, which nothing excuses."""
    role_id = f"AROA{role.upper()[:8]:X<8}EXAMPLE"
    identity = {
        "type": "AssumedRole",
        "principalId": f"{role_id}:{session}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role}/{session}",
        "accountId": account,
        "accessKeyId": f"ASIA{_chance.randrange(10**15):016}",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": role_id,
                "arn": f"arn:aws:iam::{account}:role/{role}",
                "accountId": account,
                "userName": role,
            },
            "attributes": {"creationDate": stamp(at - timedelta(minutes=10)), "mfaAuthenticated": "false"},
        },
    }
    return {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": stamp(at),
        "eventSource": "ec2.amazonaws.com",
        "eventName": "StopInstances",
        "awsRegion": region,
        "sourceIPAddress": "203.0.113.5",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": {"instancesSet": {"items": [{"instanceId": "i-0123456789abcdef0"}]}},
        "responseElements": {},
        "requestID": str(uuid.UUID(int=_chance.getrandbits(128), version=4)),
        "eventID": str(uuid.UUID(int=_chance.getrandbits(128), version=4)),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    } | over


def token_exchange(of: dict[str, Any], subject: str) -> dict[str, Any]:
    """Return the exchange of a token with this subject for the credentials that a record was made with."""
    issuer = "token.actions.githubusercontent.com"
    provider = f"arn:aws:iam::{of['userIdentity']['accountId']}:oidc-provider/{issuer}"
    caller = {"type": "WebIdentityUser", "principalId": f"{provider}:sts.amazonaws.com:{subject}", "userName": subject}
    given = {"subjectFromWebIdentityToken": subject, "audience": "sts.amazonaws.com", "provider": provider}
    return _issued(of, "AssumeRoleWithWebIdentity", caller | {"identityProvider": provider}, given)


def role_taken(of: dict[str, Any], by: dict[str, Any]) -> dict[str, Any]:
    """Return how the session that made one record took the role with which another was made."""
    return _issued(of, "AssumeRole", by["userIdentity"], {})


def _issued(of: dict[str, Any], name: str, caller: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    holder = of["userIdentity"]
    context = holder["sessionContext"]
    began = datetime.fromisoformat(context["attributes"]["creationDate"])
    session = holder["arn"].rpartition("/")[2]
    credentials = {"accessKeyId": holder["accessKeyId"], "expiration": stamp(began + timedelta(minutes=15))}
    return event(
        began,
        account=holder["accountId"],
        eventSource="sts.amazonaws.com",
        eventName=name,
        readOnly=True,
        userIdentity=caller,
        requestParameters={"roleArn": context["sessionIssuer"]["arn"], "roleSessionName": session},
        responseElements={
            "credentials": credentials,
            "assumedRoleUser": {"assumedRoleId": holder["principalId"], "arn": holder["arn"]},
        }
        | given,
    )


def body(records: Iterable[dict[str, Any]]) -> bytes:
    """Return a log object's bytes."""
    return body_of(json.dumps({"Records": list(records)}).encode())


def body_of(content: bytes) -> bytes:
    """Return content as an object's bytes."""
    return gzip.compress(content, mtime=0)


def key(
    made: datetime, *, account: str = PAYMENTS, region: str = "us-east-1", organisation: str | None = ORGANISATION
) -> str:
    """Return where a log object made at a moment stands, under the trail's prefix."""
    root = f"AWSLogs/{organisation}/" if organisation else "AWSLogs/"
    suffix = "".join(_chance.choices("ABCDEFGHIJKLMNOPabcdefghijklmnop0123456789", k=16))
    return (
        f"{root}{account}/CloudTrail/{region}/{made:%Y/%m/%d}/"
        f"{account}_CloudTrail_{region}_{made:%Y%m%dT%H%MZ}_{suffix}.json.gz"
    )

"""CloudTrail records as dicts, in the order in which AWS writes their keys.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from monitor.example.cast import ISSUER, SSO_PATH
from monitor.example.chance import principal

Record = dict[str, Any]

KEY_ORDER = (
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "additionalEventData",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "serviceEventDetails",
    "sharedEventID",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "eventCategory",
    "tlsDetails",
    "sessionCredentialFromConsole",
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def stamp(moment: datetime) -> str:
    """Return a UTC moment as CloudTrail writes event times, to the second."""
    return f"{moment.year:04d}-{moment.month:02d}-{moment.day:02d}T{moment.hour:02d}:{moment.minute:02d}:{moment.second:02d}Z"


def expiration(moment: datetime) -> str:
    """Return a UTC moment as STS answers are logged: `Mar 2, 2026, 1:05:09 PM`, independent of the locale."""
    half = "AM" if moment.hour < 12 else "PM"
    clock = f"{moment.hour % 12 or 12}:{moment.minute:02d}:{moment.second:02d} {half}"
    return f"{MONTHS[moment.month - 1]} {moment.day}, {moment.year}, {clock}"


def dump(value: object) -> str:
    """Return compact JSON, non-ASCII letters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def body(records: list[str]) -> bytes:
    """Return the content of a log object that holds the records, each already JSON."""
    return ('{"Records":[' + ",".join(records) + "]}").encode()


def provider_arn(account: str) -> str:
    """Return the ARN of the account's OIDC provider for GitHub Actions."""
    return f"arn:aws:iam::{account}:oidc-provider/{ISSUER}"


def record(
    call: tuple[str, str],
    *,
    time: str,
    identity: object,
    account: str,
    region: str,
    event_id: str,
    request_id: str,
    address: str = "10.20.1.17",
    agent: str = "",
    read_only: bool | None = False,
    request: object = None,
    response: object = None,
    **extra: Any,
) -> Record:
    """Return one record. `call` is (service, event name); `extra` overrides or adds any key, a key given as `...` is left out."""
    service, name = call
    values: Record = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": time,
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": region,
        "sourceIPAddress": address,
        "userAgent": agent,
        "requestParameters": request,
        "responseElements": response,
        "requestID": request_id,
        "eventID": event_id,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": account,
        "eventCategory": "Management",
    }
    if read_only is not None:
        values["readOnly"] = read_only
    if "amazonaws.com" not in address and address != "AWS Internal":
        host = f"{service}.{region}.amazonaws.com"
        values["tlsDetails"] = {
            "tlsVersion": "TLSv1.3",
            "cipherSuite": "TLS_AES_128_GCM_SHA256",
            "clientProvidedHostHeader": host,
        }
    values.update(extra)
    return {key: values[key] for key in KEY_ORDER if key in values and values[key] is not ...}


@dataclass(frozen=True)
class Session:
    """Temporary credentials of a role: what CloudTrail tells of them in every event they sign."""

    account: str
    role: str
    name: str
    key: str
    started: datetime
    path: str = "/"
    federated: bool = False
    console: bool = False
    mfa: bool = False
    ends: timedelta = timedelta(hours=1)
    address: str = "10.20.1.17"
    agent: str = ""

    @property
    def role_arn(self) -> str:
        """Return the ARN of the role behind the session."""
        return f"arn:aws:iam::{self.account}:role{self.path}{self.role}"

    @property
    def arn(self) -> str:
        """Return the ARN of the session; the role's path is not part of it."""
        return f"arn:aws:sts::{self.account}:assumed-role/{self.role}/{self.name}"

    @property
    def principal(self) -> str:
        """Return the session's principal id: the role's, a colon, the session name."""
        return f"{principal('AROA', self.role_arn)}:{self.name}"

    def identity(self, **over: Any) -> Record:
        """Return the userIdentity of an event signed by this session; `over` replaces keys, `...` leaves one out."""
        context: Record = {
            "sessionIssuer": {
                "type": "Role",
                "principalId": principal("AROA", self.role_arn),
                "arn": self.role_arn,
                "accountId": self.account,
                "userName": self.role,
            }
        }
        if self.federated:
            context["webIdFederationData"] = {"federatedProvider": provider_arn(self.account), "attributes": {}}
        elif self.path == SSO_PATH:
            context["webIdFederationData"] = {}
        context["attributes"] = {"creationDate": stamp(self.started), "mfaAuthenticated": str(self.mfa).lower()}
        if self.name.startswith("i-"):
            context["ec2RoleDelivery"] = "2.0"
        values: Record = {
            "type": "AssumedRole",
            "principalId": self.principal,
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": self.key,
            "sessionContext": context,
            **over,
        }
        return {key: value for key, value in values.items() if value is not ...}


def service_identity(service: str) -> Record:
    """Return the userIdentity of a call that an AWS service made by itself."""
    return {"type": "AWSService", "invokedBy": f"{service}.amazonaws.com"}


def user_identity(account: str, user: str, key: str) -> Record:
    """Return the userIdentity of an IAM user with a long-lived key."""
    arn = f"arn:aws:iam::{account}:user/{user}"
    return {
        "type": "IAMUser",
        "principalId": principal("AIDA", arn),
        "arn": arn,
        "accountId": account,
        "accessKeyId": key,
        "userName": user,
    }


def root_identity(account: str, key: str, started: datetime) -> Record:
    """Return the userIdentity of the account's root user, signed in at the console with a second factor."""
    return {
        "type": "Root",
        "principalId": account,
        "arn": f"arn:aws:iam::{account}:root",
        "accountId": account,
        "accessKeyId": key,
        "sessionContext": {"attributes": {"creationDate": stamp(started), "mfaAuthenticated": "true"}},
    }


def centre_identity(account: str, user_id: str) -> Record:
    """Return the userIdentity of someone at the IAM Identity Center portal: it has no arn."""
    store = "arn:aws:identitystore::777788889999:identitystore/d-9067f00000"
    return {
        "type": "IdentityCenterUser",
        "accountId": account,
        "onBehalfOf": {"userId": user_id, "identityStoreArn": store},
        "credentialId": "4b1a6e52cd6f",
    }

"""Entries of Google Cloud's audit log, as Cloud Logging writes them: the same seed gives the same bytes.

https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry and
https://cloud.google.com/logging/docs/reference/audit/auditlog/rest/Shared.Types/AuditLog
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from monitor.example.chance import letters

PROJECT, NUMBER = "example-prod", "100000000042"
POOL = f"projects/{NUMBER}/locations/global/workloadIdentityPools/github"
PROVIDER = f"{POOL}/providers/actions"
ACTIVITY, DATA_ACCESS, SYSTEM_EVENT = "activity", "data_access", "system_event"
GCLOUD = "google-cloud-sdk gcloud/560.0.0 command/gcloud.{command} invocation-id/{id} environment/{where} environment-version/None interactive/{asks} from-script/{script} python/3.12.8 term/xterm (Linux 6.8.0)"
CONSOLE = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/145.0.0.0 Safari/537.36,gzip(gfe)"
)
ACTIONS = "google-api-go-client/0.5 terraform-provider-google/7.12.0,gzip(gfe)"
Json = dict[str, Any]


def account(name: str, project: str = PROJECT) -> str:
    """Return the e-mail of a service account."""
    return f"{name}@{project}.iam.gserviceaccount.com"


def subject(repository: str, ref: str = "refs/heads/main") -> str:
    """Return the principal that a token of a repository's workflow becomes."""
    return f"principal://iam.googleapis.com/{POOL}/subject/repo:example-org/{repository}:ref:{ref}"


def gcloud(command: str, *, where: str = "None", asks: bool = True) -> str:
    """Return what gcloud calls itself."""
    return GCLOUD.format(command=command, id=letters(command, 12).lower(), where=where, asks=asks, script=not asks)


def stamp(when: datetime, nanoseconds: int = 0) -> str:
    """Return a time as Cloud Logging writes it, with nine digits."""
    return f"{when:%Y-%m-%dT%H:%M:%S}.{nanoseconds % 10**9:09d}Z"


def entry(
    when: datetime,
    service: str,
    method: str,
    resource: str,
    caller: Json,
    *,
    log: str = ACTIVITY,
    project: str = PROJECT,
    agent: str = ACTIONS,
    ip: str = "203.0.113.10",
    kind: str = "audited_resource",
    labels: Json | None = None,
    late: timedelta = timedelta(seconds=1),
    operation: Json | None = None,
    permission: str = "",
    reads: bool = False,
    granted: bool = True,
    status: Json | None = None,
    **bodies: Any,
) -> Json:
    """Return one entry. `bodies` are request, response, metadata, serviceData."""
    moment = int(when.timestamp())
    unique = f"{service}{method}{resource}{moment}{caller}{log}{sorted(bodies)}{operation}"
    payload: Json = {
        "@type": "type.googleapis.com/google.cloud.audit.AuditLog",
        "status": status or {},
        "authenticationInfo": caller,
        "requestMetadata": {
            "callerIp": ip,
            "callerSuppliedUserAgent": agent,
            "requestAttributes": {"time": stamp(when, 20_000_000), "auth": {}},
            "destinationAttributes": {},
        },
        "serviceName": service,
        "methodName": method,
        "authorizationInfo": [
            {
                "resource": resource,
                "permission": permission or f"{service.partition('.')[0]}.{method.rpartition('.')[2].lower()}",
                "granted": granted,
                "resourceAttributes": {},
                "permissionType": "ADMIN_READ" if reads else "ADMIN_WRITE",
            }
        ],
        "resourceName": resource,
        **bodies,
    }
    made: Json = {
        "protoPayload": payload,
        "insertId": letters(unique, 14).lower(),
        "resource": {"type": kind, "labels": {"project_id": project, **(labels or {})}},
        "timestamp": stamp(when, int(letters(unique, 6, "0123456789")) * 1000),
        "severity": "NOTICE" if log == ACTIVITY else "INFO",
        "logName": f"projects/{project}/logs/cloudaudit.googleapis.com%2F{log}",
        "receiveTimestamp": stamp(when + late, 500_000_000),
    }
    if operation:
        made["operation"] = operation
    return made


def line(made: Json) -> bytes:
    """Return an entry as a sink writes it: one line of JSON."""
    return json.dumps(made, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def exchanged(when: datetime, who: str, *, provider: str = PROVIDER) -> Json:
    """Return the exchange of a workflow's token for the credentials of a federated principal."""
    return entry(
        when,
        "sts.googleapis.com",
        "google.identity.sts.v1.SecurityTokenService.ExchangeToken",
        provider,
        {"principalSubject": who},
        log=DATA_ACCESS,
        agent="google-github-actions/auth@v3",
        permission="sts.exchangeToken",
        reads=True,
        request={
            "@type": "type.googleapis.com/google.identity.sts.v1.ExchangeTokenRequest",
            "audience": f"//iam.googleapis.com/{provider}",
            "grantType": "urn:ietf:params:oauth:grant-type:token-exchange",
            "requestedTokenType": "urn:ietf:params:oauth:token-type:access_token",
            "subjectTokenType": "urn:ietf:params:oauth:token-type:jwt",
        },
        metadata={
            "@type": "type.googleapis.com/google.identity.sts.v1.AuditData",
            "mapped_principal": who,
        },
    )


def became(when: datetime, email: str, caller: Json, *, agent: str = "google-github-actions/auth@v3") -> Json:
    """Return that somebody became a service account for an hour."""
    return entry(
        when,
        "iamcredentials.googleapis.com",
        "GenerateAccessToken",
        f"projects/-/serviceAccounts/{letters(email, 21, '0123456789')}",
        caller,
        log=DATA_ACCESS,
        agent=agent,
        kind="service_account",
        labels={"email_id": email, "unique_id": letters(email, 21, "0123456789")},
        permission="iam.serviceAccounts.getAccessToken",
        reads=True,
        request={
            "@type": "type.googleapis.com/google.iam.credentials.v1.GenerateAccessTokenRequest",
            "name": f"projects/-/serviceAccounts/{email}",
            "scope": ["https://www.googleapis.com/auth/cloud-platform"],
            "lifetime": "3600s",
        },
    )


def through(email: str, origin: str) -> Json:
    """Return the caller of a service account that somebody became: a federated principal or a person."""
    step: Json = {"principalSubject": origin}
    if "@" in origin:
        step = {"firstPartyPrincipal": {"principalEmail": origin}}
    return {
        "principalEmail": email,
        "principalSubject": f"serviceAccount:{email}",
        "serviceAccountDelegationInfo": [step],
    }


def person(email: str) -> Json:
    """Return the caller that a user is."""
    return {"principalEmail": email, "principalSubject": f"user:{email}"}


def alone(email: str, key: str = "") -> Json:
    """Return the caller of a service account by itself; `key` names the key that it used."""
    named = f"//iam.googleapis.com/projects/{PROJECT}/serviceAccounts/{email}/keys/{key}"
    return {"principalEmail": email, **({"serviceAccountKeyName": named} if key else {})}

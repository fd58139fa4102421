"""Section `audit_logs`: the audit logs that must exist, and how long they must be kept."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from monitor.expected.fields import AccountId, BucketName, TrailName, shaped, shown
from monitor.model import Expectation


class ExpectedTrail(Expectation):
    """One trail that must be on."""

    name: TrailName = Field(description="The trail's name, not its ARN")
    account: AccountId = Field(description="The account that owns the trail: 12 digits, in quotes")
    bucket: BucketName = Field(description="The bucket in which it must deliver")


class AwsAuditLogs(Expectation):
    """What must hold for the audit logs of AWS."""

    retention_days: int = Field(
        strict=True, ge=1, le=36500, description="Days for which nothing may delete the log; 365 for a yearly audit"
    )
    trails: tuple[ExpectedTrail, ...] = Field(min_length=1, description="Trails that must exist, be on and be whole")


_PLACE = r"(organizations|folders)/[0-9]{1,20}|projects/[a-z][a-z0-9-]{4,28}[a-z0-9]"
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}"
# https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.sinks lists the destinations that there are.
_DESTINATION = (
    rf"storage\.googleapis\.com/[a-z0-9][a-z0-9._-]{{1,220}}[a-z0-9]"
    rf"|logging\.googleapis\.com/({_PLACE})/locations/[a-z0-9-]{{1,63}}/buckets/(_Default|_Required|{_PART})"
    rf"|logging\.googleapis\.com/projects/{_PART}"
    rf"|bigquery\.googleapis\.com/projects/{_PART}/datasets/[A-Za-z0-9_]{{1,1024}}"
    rf"|pubsub\.googleapis\.com/projects/{_PART}/topics/{_PART}"
)
_RIGHT_DESTINATION = (
    "write it as the sink has it, as storage.googleapis.com/example-org-audit or "
    "logging.googleapis.com/projects/example-logs/locations/global/buckets/audit"
)


def _destination(text: str) -> str:
    if re.fullmatch(_DESTINATION, text):
        return text
    if text.startswith("gs://"):
        name = text.removeprefix("gs://").strip("/").partition("/")[0]
        raise ValueError(f"{shown(text)} is an address; write storage.googleapis.com/{name}")
    raise ValueError(f"{shown(text)} is no destination of a sink; {_RIGHT_DESTINATION}")


SinkName = Annotated[
    str,
    shaped(
        r"_?[A-Za-z0-9][A-Za-z0-9_.-]{0,99}",
        "is not the name of a sink; write its name alone, up to 100 letters, digits, '.', '_' and '-'",
    ),
]
"""The name of a sink, without what it is set on."""
SinkParent = Annotated[
    str,
    shaped(
        _PLACE,
        "is not what a sink is set on; write organizations/NUMBER, folders/NUMBER, or projects/ID as projects/example-prod",
    ),
    Field(json_schema_extra={"pattern": f"^({_PLACE})$", "examples": ["organizations/123456789012"]}),
]
"""The organisation, the folder or the project that a sink is set on."""
SinkDestination = Annotated[
    str,
    AfterValidator(_destination),
    Field(json_schema_extra={"examples": ["storage.googleapis.com/example-org-audit"]}),
]
"""Where a sink leads, as Google Cloud writes it."""


class ExpectedSink(Expectation):
    """One sink that must be on and take every change."""

    name: SinkName = Field(description="The sink's name")
    parent: SinkParent = Field(
        description="What it is set on: organizations/NUMBER, folders/NUMBER or projects/ID. It must include what is below"
    )
    destination: SinkDestination = Field(description="Where it must lead, as the sink has it")


def _once(sinks: tuple[ExpectedSink, ...]) -> tuple[ExpectedSink, ...]:
    seen: set[tuple[str, str]] = set()
    for one in sinks:
        if (one.parent, one.name) in seen:
            raise ValueError(f"the sink {shown(one.name)} of {one.parent} is given before; remove one")
        seen.add((one.parent, one.name))
    return sinks


class GcpAuditLogs(Expectation):
    """What must hold for the audit logs of Google Cloud."""

    retention_days: int = Field(
        strict=True,
        ge=1,
        le=36500,
        description="Days for which changes must be kept; Google Cloud keeps them 400 days by itself",
    )
    sinks: Annotated[tuple[ExpectedSink, ...], AfterValidator(_once)] = Field(
        default=(), description="Sinks that must exist, be on and be whole; each project needs one, if there are any"
    )
    session_proof: bool = Field(
        default=True,
        strict=True,
        description="Whether data access logs that show how deploy identities came by their credentials must be on",
    )


class AuditLogs(Expectation):
    """What must hold for the audit logs of production."""

    aws: AwsAuditLogs | None = Field(default=None, description="Audit logs of AWS")
    gcp: GcpAuditLogs | None = Field(default=None, description="Audit logs of Google Cloud")

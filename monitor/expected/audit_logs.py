"""Section `audit_logs`: the audit logs that must exist, and how long they must be kept."""

from __future__ import annotations

from pydantic import Field

from monitor.expected.fields import AccountId, BucketName, TrailName
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


class AuditLogs(Expectation):
    """What must hold for the audit logs of production."""

    aws: AwsAuditLogs | None = Field(default=None, description="Audit logs of AWS")

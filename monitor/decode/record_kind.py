"""What a record of an audit log is, in words that hold for every provider."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a record is. Only `write` is judged; `service` passes; the rest are not changes."""

    READ = "read"
    CREDENTIALS = "credentials"
    DATA = "data"
    TELEMETRY = "telemetry"
    DRY_RUN = "dry-run"
    ATTEMPT = "attempt"
    SERVICE = "service"
    WRITE = "write"


WHY = {
    Kind.READ: "read-only call",
    Kind.CREDENTIALS: "sign-in or issuing of credentials",
    Kind.DATA: "data-plane call",
    Kind.TELEMETRY: "telemetry that an agent reports of its own instance",
    Kind.DRY_RUN: "dry run",
    Kind.ATTEMPT: "failed: an attempt, not a change",
    Kind.SERVICE: "the provider's own service acted",
    Kind.WRITE: "write",
}
COUNTED = {
    Kind.READ: "reads",
    Kind.DATA: "data_events",
    Kind.TELEMETRY: "telemetry",
    Kind.DRY_RUN: "attempts",
    Kind.ATTEMPT: "attempts",
    Kind.SERVICE: "service_writes",
}
"""The field of LogObject under which each kind that is not kept counts."""

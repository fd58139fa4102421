"""Section `audit_logs.gcp`: what may be declared, and what is said of what may not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from monitor.expected.audit_logs import AuditLogs, GcpAuditLogs

SINK = {
    "name": "audit",
    "parent": "organizations/123456789012",
    "destination": "storage.googleapis.com/example-org-audit",
}


def declared(**more: Any) -> GcpAuditLogs:
    found = AuditLogs.model_validate({"gcp": {"retention_days": 365, "sinks": [{**SINK, **more}]}}).gcp
    assert found
    return found


def test_what_is_left_out_demands_proof_and_no_sinks() -> None:
    found = AuditLogs.model_validate({"gcp": {"retention_days": 400}}).gcp
    assert found == GcpAuditLogs(retention_days=400, sinks=(), session_proof=True)
    assert AuditLogs().gcp is None


@pytest.mark.parametrize(
    "destination",
    [
        SINK["destination"],
        "logging.googleapis.com/projects/example-logs/locations/global/buckets/_Default",
        "logging.googleapis.com/organizations/1/locations/europe-west1/buckets/audit",
        "logging.googleapis.com/projects/example-logs",
        "bigquery.googleapis.com/projects/example-logs/datasets/audit",
        "pubsub.googleapis.com/projects/example-logs/topics/audit",
    ],
)
def test_every_kind_of_destination_may_be_declared(destination: str) -> None:
    assert declared(destination=destination).sinks[0].destination == destination


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"destination": "gs://example-org-audit/x"}, "is an address; write storage.googleapis.com/example-org-audit"),
        ({"destination": "example-org-audit"}, "is no destination of a sink; write it as the sink has it"),
        ({"parent": "123456789012"}, "is not what a sink is set on; write organizations/NUMBER"),
        ({"parent": "projects/415104041262"}, "is not what a sink is set on"),
        ({"name": "projects/p/sinks/audit"}, "is not the name of a sink; write its name alone"),
        ({"disabled": True}, "Extra inputs"),
    ],
)
def test_a_mistake_is_told_with_what_would_be_right(more: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        declared(**more)


def test_a_sink_is_declared_once() -> None:
    with pytest.raises(
        ValidationError, match="the sink 'audit' of organizations/123456789012 is given before; remove one"
    ):
        GcpAuditLogs.model_validate({"retention_days": 365, "sinks": [SINK, SINK]})
    both = [SINK, {**SINK, "parent": "folders/1"}]
    assert len(GcpAuditLogs.model_validate({"retention_days": 365, "sinks": both}).sinks) == 2

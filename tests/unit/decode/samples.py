"""CloudTrail records for tests: sessions, calls and exchanges as AWS writes them, and log files that hold them.

Shaped by `monitor.example`, which knows nothing of the decoder.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.example import cast
from monitor.example.chance import Chance
from monitor.example.records import Record, Session, record, service_identity, stamp

AT = datetime(2026, 3, 9, 10, 12, tzinfo=UTC)
CHANCE = Chance("decode", 1)
START = b'{"Records":['
END = b"]}"


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "surrogatepass")


def log_file(*records: Record | bytes, between: bytes = b",", start: bytes = START, end: bytes = END) -> bytes:
    return start + between.join(r if isinstance(r, bytes) else compact(r) for r in records) + end


def session(
    role: str = "developer", name: str = "release-1", account: str = cast.PAYMENTS, at: datetime = AT, **over: Any
) -> Session:
    over.setdefault("agent", cast.SDK)
    return Session(account, role, name, over.pop("key", None) or CHANCE.access_key(), at, **over)


def person(who: cast.Person = cast.ADA, account: str = cast.PAYMENTS, at: datetime = AT, **over: Any) -> Session:
    return session(cast.SSO_POWER, who.mail, account, at, path=cast.SSO_PATH, agent=cast.CLI, **over)


def pipeline(name: str = "payments-13800000001", at: datetime = AT, **over: Any) -> Session:
    return session("payments-deploy", name, at=at, **{"federated": True, "agent": cast.TERRAFORM, **over})


def call(action: str = "ec2:StopInstances", who: Session | Record | None = None, **over: Any) -> Record:
    """Return one record; a write by a developer's session unless told otherwise. A key given as `...` is left out."""
    service, _, name = action.partition(":")
    holder = who if isinstance(who, Session) else None
    default = holder or session()
    values: dict[str, Any] = {
        "time": stamp((holder.started if holder else AT) + timedelta(minutes=3)),
        "identity": holder.identity() if holder else who if who is not None else default.identity(),
        "account": default.account,
        "region": cast.EAST,
        "event_id": CHANCE.uuid(),
        "request_id": CHANCE.uuid(),
        "agent": default.agent,
        "request": {"instancesSet": {"items": [{"instanceId": "i-0abc12345678def90"}]}, "force": False},
        "response": None,
        **over,
    }
    return record((service, name), **values)


def read(action: str = "ec2:DescribeInstances", who: Session | Record | None = None, **over: Any) -> Record:
    return call(action, who, **{"read_only": True, **over})


def by_service(action: str = "autoscaling:SetDesiredCapacity", service: str = "autoscaling", **over: Any) -> Record:
    return call(action, service_identity(service), agent=f"{service}.amazonaws.com", **over)


def without(event: Record, *keys: str) -> Record:
    return {key: value for key, value in event.items() if key not in keys}


def with_last(event: Record, **last: Any) -> Record:
    """Return the record with these keys moved to its end, or added there."""
    return {**without(event, *last), **last}

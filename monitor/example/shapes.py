"""Turns a call and a caller into JSON with holes, so that bulk traffic is made by filling them in.

What varies from event to event stands between `§` marks; a shape is compiled once to a `%`-format string.
"""

from __future__ import annotations

import re
from typing import Any

from monitor.example.calls import Call
from monitor.example.chance import Chance
from monitor.example.records import Record, Session, dump, record

MARK = re.compile("§([a-z]+)§")


def compiled(shape: Record) -> str:
    """Return the record's compact JSON as a `%` format: every `§name§` becomes `%(name)s`."""
    return MARK.sub(r"%(\1)s", dump(shape).replace("%", "%%"))


def shape(call: Call, identity: object, **over: Any) -> Record:
    """Return the record of a call with its marks still in it; `over` replaces any argument of `record`."""
    values: dict[str, Any] = {
        "time": "§time§",
        "account": "§acct§",
        "region": "§region§",
        "event_id": "§event§",
        "request_id": "§request§",
        "request": call.request,
        "response": call.response,
        **(call.extra or {}),
        **over,
    }
    return record(call.call, identity=identity, **values)


def filled(call: Call, chance: Chance, session: Session | None, identity: object, **over: Any) -> str:
    """Return one record's JSON with every mark filled in: for the few events that are made one by one."""
    values = event_values(chance)
    if session is not None:
        over = {"address": session.address, "agent": session.agent, **over}
    values.update({"acct": str(over["account"]), "region": str(over["region"])})
    over = {"event_id": chance.uuid(), "request_id": values["request"], **over}
    return compiled(shape(call, identity, **over)) % values


def event_values(chance: Chance) -> dict[str, str]:
    """Return what differs in every event: ids, a resource's hex ids and number."""
    bits = f"{chance.bits(256):064x}"
    return {
        "event": chance.uuid(),
        "request": chance.uuid(),
        "uuid": chance.uuid(),
        "hex": bits[:17],
        "hexb": bits[17:44],
        "num": str(chance.below(250)),
    }

"""Settings of Cloud Logging on the fake Google Cloud: sinks, exclusions and log buckets, as it lists them, and audit configs.

Every place has what Google makes by itself: the sinks and log buckets `_Required` and `_Default`.
https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.sinks/list, …exclusions/list, …locations.buckets/list
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from tests.fakes.gcp.faults import Fault, answer, denied

if TYPE_CHECKING:
    from tests.fakes.gcp.server import GcpFake
    from tests.fakes.gcp.world import Body, World

LISTS = r"/v2/((?:projects|folders|organizations)/[^/]+)/(?:(sinks|exclusions)|locations/-/(buckets))"
GRANTED = r"/v3/(projects/[^/]+):testIamPermissions"
ACTIVITY, DATA_ACCESS = "cloudaudit.googleapis.com/activity", "cloudaudit.googleapis.com/data_access"
KEPT = tuple(
    f"{owner}.googleapis.com/{log}"
    for log in ("activity", "system_event", "access_transparency")
    for owner in ("cloudaudit", "externalaudit")
)
"""The logs that go to `_Required`."""
REQUIRED = " OR ".join(f'LOG_ID("{log}")' for log in KEPT)
DEFAULT = " AND ".join(f'NOT LOG_ID("{log}")' for log in KEPT)


def sink(world: World, parent: str, name: str, destination: str, **more: Any) -> Body:
    made = {"name": name, "resourceName": f"{parent}/sinks/{name}", "destination": destination, **more}
    return _set(world, "sinks", parent, made)


def exclusion(world: World, parent: str, name: str, wanted: str, **more: Any) -> Body:
    return _set(world, "exclusions", parent, {"name": name, "filter": wanted, **more})


def bucket(world: World, parent: str, name: str, days: int, location: str = "global", **more: Any) -> str:
    path = f"{parent}/locations/{location}/buckets/{name}"
    made = {"name": path, "retentionDays": days, "lifecycleState": "ACTIVE", **more}
    _set(world, "buckets", parent, made)
    return f"logging.googleapis.com/{path}"


def audit(world: World, place: str, service: str, **kinds: list[str]) -> None:
    """Switch on log types of a service, each with those who are exempted from it."""
    policy = world.policies.setdefault(place, {"version": 1, "etag": "BwWWja0YfJA=", "bindings": []})
    made = [{"logType": kind, **({"exemptedMembers": members} if members else {})} for kind, members in kinds.items()]
    policy.setdefault("auditConfigs", []).append({"service": service, "auditLogConfigs": made})


def audited(world: World, place: str) -> None:
    """Log all issuing of credentials."""
    audit(world, place, "sts.googleapis.com", ADMIN_READ=[])
    audit(world, place, "iam.googleapis.com", ADMIN_READ=[], DATA_READ=[])


def _set(world: World, field: str, parent: str, made: Body) -> Body:
    held = world.log_settings.setdefault(field, {}).setdefault(parent, [])
    held[:] = [one for one in held if one["name"] != made["name"]] + [made]
    return made


def listed(fake: GcpFake, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
    parent, field = match[1], match[2] or match[3]
    if parent.startswith("projects/") and parent.partition("/")[2] not in fake.world.projects:
        return denied(f"logging.{field}.list", parent)
    refused = fake.refused(f"logging.{field}.list", parent)
    return refused or fake._paged(field, _entries(fake.world, parent, field, query), match[0], query, 50, 1000)


def granted(fake: GcpFake, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
    held = [one for one in json.loads(body)["permissions"] if not fake.refused(one, match[1])]
    return answer({"permissions": held} if held else {})


def _entries(world: World, parent: str, field: str, query: dict[str, str]) -> list[Body]:
    own = world.log_settings.get(field, {})
    found = {one["name"]: one for one in (*_google(parent, field), *own.get(parent, ()))}
    made = list(found.values())
    if field == "sinks" and query.get("filter") == 'in_scope("ALL")':
        made += [one for place in _above(world, parent) for one in own.get(place, ()) if one.get("interceptChildren")]
    return made


def _google(parent: str, field: str) -> list[Body]:
    def path(name: str) -> str:
        return f"{parent}/locations/global/buckets/{name}"

    if field == "buckets":
        return [
            {"name": path("_Default"), "retentionDays": 30, "lifecycleState": "ACTIVE"},
            {"name": path("_Required"), "retentionDays": 400, "lifecycleState": "ACTIVE", "locked": True},
        ]
    if field == "exclusions":
        return []
    return [
        {
            "name": name,
            "resourceName": f"{parent}/sinks/{name}",
            "destination": f"logging.googleapis.com/{path(name)}",
            "filter": wanted,
        }
        for name, wanted in (("_Required", REQUIRED), ("_Default", DEFAULT))
    ]


def _above(world: World, parent: str) -> list[str]:
    found: list[str] = []
    held = world.projects.get(parent.removeprefix("projects/")) or world.folders.get(parent) or {}
    while above := held.get("parent"):
        found.append(above)
        held = world.folders.get(above, {})
    return found

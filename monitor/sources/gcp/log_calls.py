"""The questions about the audit log's settings, each by the name that Google gives it, with the permission that it takes.

Sinks: https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.sinks/list (folders, organizations likewise)
Exclusions: https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.exclusions/list
Log buckets: https://cloud.google.com/logging/docs/reference/v2/rest/v2/projects.locations.buckets/list; `-` is every location.
Permissions: https://cloud.google.com/logging/docs/access-control. Without logging.privateLogEntries.list, entries of data access
are left out and nothing says so: https://cloud.google.com/resource-manager/reference/rest/v3/projects/testIamPermissions tells.
Audit configs are in the allow policy, which `calls.policy` asks for.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote, urlencode

from monitor.errors import Malformed
from monitor.sources.gcp.wire import SOURCE, Question

SERVICE = "logging"
SINKS, EXCLUSIONS, BUCKETS = "sinks", "exclusions", "buckets"
"""The fields that hold the entries of lists."""
READING_ENTRIES = ("logging.logEntries.list", "logging.privateLogEntries.list")
"""The permissions that reading the log itself takes."""
MOST = "1000"
"""Entries of a page at most."""
EVERY_SINK = 'in_scope("ALL")'
"""Those of folders and the organisation above too that take entries away from what is below."""
_PARENT = re.compile(
    r"(organizations|folders)/\d{1,20}|(projects)/[a-z0-9.:-]{1,64}|(billingAccounts)/[A-Z0-9-]{1,32}", re.ASCII
)


def sinks(parent: str, scope: str) -> Question:
    """Return the question for the sinks of a project, a folder or an organisation, and those above that take from it."""
    return _list(SINKS, SINKS, parent, scope, filter=EVERY_SINK)


def exclusions(parent: str, scope: str) -> Question:
    """Return the question for what the sink `_Default` of a place leaves out, apart from what the sink itself says."""
    return _list(EXCLUSIONS, EXCLUSIONS, parent, scope)


def buckets(parent: str, scope: str) -> Question:
    """Return the question for the log buckets of a place, in all locations."""
    return _list(f"locations.{BUCKETS}", f"locations/-/{BUCKETS}", parent, scope)


def granted(project: str, permissions: tuple[str, ...], scope: str) -> Question:
    """Return the question which of these permissions who asks has on a project; it takes none."""
    return Question(
        name="cloudresourcemanager.projects.testIamPermissions",
        service="cloudresourcemanager",
        method="POST",
        path=f"/v3/projects/{quote(project, safe='')}:testIamPermissions",
        scope=scope,
        permission=", ".join(f"{one} on projects/{project}" for one in permissions),
        content=json.dumps({"permissions": list(permissions)}),
    )


def _list(what: str, route: str, parent: str, scope: str, **params: str) -> Question:
    match = _PARENT.fullmatch(parent)
    if not match:
        what = f"{parent[:200]!a} is not the name of a project, a folder, an organisation or a billing account"
        raise Malformed(what, source=SOURCE, scope=scope)
    return Question(
        name=f"{SERVICE}.{match.group(match.lastindex or 1)}.{what}.list",
        service=SERVICE,
        method="GET",
        path=f"/v2/{quote(parent)}/{route}?{urlencode(sorted({**params, 'pageSize': MOST}.items()))}",
        scope=scope,
        permission=f"{SERVICE}.{what.rpartition('.')[2]}.list on {parent}",
    )

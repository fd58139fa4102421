"""Audit logs of a project as Cloud Logging keeps them, page by page: https://cloud.google.com/logging/docs/audit

List: https://cloud.google.com/logging/docs/reference/v2/rest/v2/entries/list
Filter: https://cloud.google.com/logging/docs/view/logging-query-language
Quotas: 60 reads a minute and project, and tokens of pages live for 24 hours: https://cloud.google.com/logging/quotas
Who may see what: https://cloud.google.com/logging/docs/access-control#permissions_and_roles

Needs logging.logEntries.list (roles/logging.viewer). The entries of data access, token exchanges among them, need
logging.privateLogEntries.list too (roles/logging.privateLogViewer): who lacks only that is not refused, they are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import msgspec

from monitor.errors import Denied, Malformed, SourceError
from monitor.model import Window
from monitor.sources.gcp.client import BEGINNINGS, MOST_PAGES, GcpClient
from monitor.sources.gcp.log_calls import granted
from monitor.sources.gcp.wire import Expired, Question, Reply, outward

SOURCE = "gcp.logs"
PAGE_SIZE = 1000
"""What the method gives in one page at most."""
LOGS = ("activity", "system_event", "policy")
"""The audit logs that are read whole."""
EXCHANGES = ("sts.googleapis.com", "iamcredentials.googleapis.com")
"""The services whose data access is read: they give the tokens by which others act."""
INTERACTIVE = tuple(f".{what}." for what in ("exec", "attach", "portforward", "proxy"))
"""Parts of the names of methods that give access to what runs in a cluster."""
_PATH = "/v2/entries:list"
_AUDIT = "cloudaudit.googleapis.com"
# https://cloud.google.com/resource-manager/docs/creating-managing-projects: an id, one of a domain, or a number.
_ABOVE = re.compile(r"(?:organizations|folders)/[0-9]{1,20}", re.ASCII)
_PROJECT = re.compile(r"(?:[a-z0-9][a-z0-9.-]{0,62}:)?[a-z0-9][a-z0-9-]{0,62}", re.ASCII)


class EntryPage(msgspec.Struct, frozen=True):
    """One page, numbered from 0. `body` has the bytes as they came: `{"entries": […], "nextPageToken": "…"}`."""

    number: int
    body: bytes


class Entries(msgspec.Struct, frozen=True):
    """How many pages were given, and why there are no more if there may be: None where the last one was the last."""

    pages: int
    error: SourceError | None = None


class EntryReader(Protocol):
    """Who asks; a GcpClient is one."""

    def fetch(self, ask: Question) -> Reply:
        """Return a good reply, of which nothing is kept. Raises SourceError."""


class EntriesQuestion(Question, frozen=True, kw_only=True):
    """Asks for a page of entries. Its token is in the body, and all else of the body must stay as it was."""

    project: str

    @property
    def told(self) -> str:
        """Return how it is named to a person."""
        return f"{self.name} {resource(self.project)}"

    @property
    def paged(self) -> bool:
        """Return whether it asks for a further page."""
        return "pageToken" in msgspec.json.decode(self.content)

    def page(self, token: str) -> EntriesQuestion:
        """Return the question for the page that this token stands for."""
        asked = msgspec.json.decode(self.content)
        return msgspec.structs.replace(self, content=msgspec.json.encode({**asked, "pageToken": token}).decode())

    def found(self, reply: Reply) -> dict[str, Any]:
        """Return nothing: a page is too large to be read here, and read again by who gets it."""
        return {}


class _Page(msgspec.Struct, frozen=True):
    """What of a page is looked at; its entries stay bytes."""

    entries: list[msgspec.Raw] = []
    nextPageToken: str = ""


def read_entries(
    reader: EntryReader, project: str, window: Window, overlap: timedelta, took: Callable[[EntryPage], None]
) -> Entries:
    """Give `took` the audit log entries that a project received within the window, each page as it comes. Raises nothing.

    An entry is of exactly one window: that in which it was received, however late it was. It is searched for by its own
    time, up to `overlap` before the window's start: one that comes later than that is not seen at all. A log bucket takes
    entries up to 30 days old (https://cloud.google.com/logging/quotas); the window should end where entries have settled.

    Where the token of a page is no longer taken, the list is begun anew: `took` then gets pages from number 0 again, cut as
    it may be elsewhere, so that whoever takes them must know entries by `insertId` (with logName and timestamp:
    https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry). A page without entries is a page.
    """
    try:
        ask = question(project, window, overlap)
    except Malformed as foreign:
        return Entries(pages=0, error=foreign)
    told = Entries(pages=0)
    for _ in range(BEGINNINGS):
        told = _read(reader, ask, took)
        if not isinstance(told.error, Expired):
            break
    return Entries(pages=told.pages, error=outward(told.error, SOURCE) if told.error else None)


def unseen(client: GcpClient, project: str) -> SourceError | None:
    """Return why entries of the data access log may be lacking; None if they may be read, or none is asked for.

    Without the permission they are left out of the answer, and nothing says so:
    https://cloud.google.com/logging/docs/access-control#permissions
    """
    if _ABOVE.fullmatch(project):
        return None  # Credentials are issued in projects.
    try:
        found = client.ask(granted(project, (PRIVATE,), f"gcp:{project}")).content.get("permissions")
    except SourceError as failed:
        return outward(failed, SOURCE)
    if isinstance(found, list) and PRIVATE in found:
        return None
    return Denied(
        f"entries of the data access log of {project} are left out for this reader",
        permission=f"{PRIVATE} on projects/{project} (roles/logging.privateLogViewer)",
        source=SOURCE,
        scope=f"gcp:{project}",
    )


PRIVATE = "logging.privateLogEntries.list"


def resource(name: str) -> str:
    """Return the resource of a project by its id, or of an organisation or a folder, which is named as a resource already."""
    return name if _ABOVE.fullmatch(name) else f"projects/{name}"


def question(project: str, window: Window, overlap: timedelta) -> EntriesQuestion:
    """Return the question for the first page. Raises Malformed for what is not the name of a project."""
    scope = f"gcp:{project}"
    if not _PROJECT.fullmatch(project) and not _ABOVE.fullmatch(project):
        raise Malformed(f"{project[:200]!a} is not the name of a project", source=SOURCE, scope=scope[:200])
    place = resource(project)
    asked = {
        "resourceNames": [place],
        "filter": written(window, overlap),
        "orderBy": "timestamp asc",
        "pageSize": PAGE_SIZE,
    }
    permission = f"logging.logEntries.list on {place}"
    return EntriesQuestion(
        name="logging.entries.list",
        service="logging",
        method="POST",
        path=_PATH,
        scope=scope,
        permission=f"{permission} (roles/logging.viewer; roles/logging.privateLogViewer for data access logs)",
        content=msgspec.json.encode(asked).decode(),
        project=project,
    )


def written(window: Window, overlap: timedelta) -> str:
    """Return the filter: which logs, received when, and from when on they are searched."""
    logs = " OR ".join(f'log_id("{_AUDIT}/{name}")' for name in LOGS)
    services = " OR ".join(f'"{name}"' for name in EXCHANGES)
    exchanges = f'(log_id("{_AUDIT}/data_access") AND protoPayload.serviceName=({services}))'
    # Access to what runs in a cluster is a change whichever verb carries it; a `get` of it stands in the data access log.
    inside = " OR ".join(f'"{name}"' for name in INTERACTIVE)
    entered = f'protoPayload.serviceName="k8s.io" AND protoPayload.methodName:({inside})'
    exchanges += f' OR (log_id("{_AUDIT}/data_access") AND {entered})'
    received = f'receiveTimestamp>="{_moment(window.start)}" AND receiveTimestamp<"{_moment(window.end)}"'
    return f'({logs} OR {exchanges}) AND {received} AND timestamp>="{_moment(window.start - overlap)}"'


def _read(reader: EntryReader, first: EntriesQuestion, took: Callable[[EntryPage], None]) -> Entries:
    ask, number = first, 0
    seen: set[str] = set()
    while True:
        try:
            body, token = _page(ask, reader.fetch(ask).body)
        except SourceError as failed:
            return Entries(pages=number, error=failed)
        took(EntryPage(number=number, body=body))
        number += 1
        if not token:
            return Entries(pages=number)
        if token in seen or number >= MOST_PAGES:
            what = f"{ask.told}: the pages do not end (after {number})"
            todo = "sweep again, over a shorter window"
            return Entries(pages=number, error=Malformed(what, source=SOURCE, scope=ask.scope, todo=todo))
        seen.add(token)
        ask = first.page(token)


def _page(ask: EntriesQuestion, body: bytes) -> tuple[bytes, str]:
    """Return the page's bytes and the token of the next; Malformed if they are no page."""
    try:
        token = msgspec.json.decode(body, type=_Page).nextPageToken
    except (ValueError, RecursionError) as broken:
        sort = type(broken).__name__
    else:
        return body, token
    # Outside of the handler, so that the body does not hang on the error's context.
    what = f"{ask.told}: the answer is no page of entries ({sort}, {len(body)} bytes)"
    raise Malformed(what, source=SOURCE, scope=ask.scope, todo="see what stands in Cloud Logging's place")


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

"""What is due of Google Cloud's audit logs, what is new in a bucket of hourly files, and how much of it was read.

A scope is one project. A sink of an organisation puts the entries of all projects into the same files, so that what is lacking
of the files is lacking of each project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from monitor.decode.gcp_catalogue import ACTIVITY
from monitor.errors import SourceError
from monitor.facts.log_object import LogObject
from monitor.model import CoverageStatus, ScopeCoverage, Window
from monitor.sources.gcp import log_layout as layout
from monitor.sources.objects import Location, ObjectInfo, Objects
from monitor.sources.ports import Memory, Request

NAME = "gcp.logs"
FILES = "gcp"
"""The scope of files that hold entries of several projects."""
STATUS = {"Denied": CoverageStatus.DENIED, "Throttled": CoverageStatus.THROTTLED}
_FAILURES = 3
_COUNTED = (
    "size", "raw_size", "events", "reads", "attempts", "data_events", "service_writes", "telemetry", "writes",
    "exchanges", "elsewhere",
)  # fmt: skip

Failure = tuple[str, str, str, str]
"""Kind of error, key or prefix, reason, what to grant."""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How the log is read: from hourly files, or where `logs` is None by asking. `limit` is in bytes.

    `until` ends the material for good. `silence`: after so long without anything the log is not quiet, it is unread.
    """

    logs: Location | None
    retained: Location
    start: datetime
    until: datetime | None = None
    settle: timedelta = timedelta(hours=3)
    overlap: timedelta = timedelta(days=3)
    silence: timedelta = timedelta(hours=48)
    limit: int = 256 << 20
    workers: int = 1

    @property
    def source(self) -> str:
        """Return the name under which what was read is remembered."""
        return f"{NAME} {self.logs or 'entries:list'}"

    def settled(self, request: Request) -> datetime:
        """Return up to when events are there, or late beyond what is waited for."""
        return min(filter(None, (request.at - self.settle, request.until, self.until)))

    def window(self, scope: str, request: Request, marks: Mapping[str, datetime]) -> Window:
        """Return what is due of a scope: from its mark to what has settled."""
        start = request.since or marks.get(f"{NAME}|{scope}") or self.start
        return Window(start, max(start, self.settled(request)))


class Files(msgspec.Struct):
    """The hourly files of one sweep: which are new, when the newest of changes was made, and what could not be listed or read."""

    new: list[ObjectInfo] = []
    heard: datetime | None = None
    strangers: list[str] = []
    """What lies among them and has no name of such a file: what it holds is not known."""
    failed: list[Failure] = []


def list_new(
    store: Objects, reading: Reading, window: Window, memory: Memory, *, first: bool, joined: bool = False
) -> Files:
    """Return the files that were not read yet, of hours that have ended before the window does.

    With `joined`, a project was declared since: files that were read without it are read again, since its entries were left out.
    """
    found = Files()
    known = () if joined else memory.read_keys(reading.source, FILES)
    damaged = memory.damaged_keys(reading.source, FILES)
    # Before the first sweep nothing can be late.
    start = window.start - (timedelta() if first else reading.overlap)
    failures = 0
    for folder in layout.folders(start.date(), window.end.date()):
        try:
            for info in store.walk(folder):
                hour = layout.hour_of(info.key)
                if hour is None:
                    found.strangers.append(info.key)
                elif hour < window.end:
                    if folder.startswith(ACTIVITY):
                        found.heard = max(hour + layout.HOUR, found.heard or hour)
                    # What was damaged is read again only for the window in which it lies: it is that window's gap.
                    again = info.key in damaged and hour >= window.start
                    if (info.key not in known or again) and hour + layout.HOUR > start:
                        found.new.append(info)
            failures = 0
        except SourceError as failed:
            found.failed.append((type(failed).__name__, folder, failed.what, failed.todo))
            failures += 1
            if failures >= _FAILURES:
                break
    return found


def coverage(
    scope: str, window: Window, objects: Sequence[LogObject], failed: Sequence[Failure], *, behind: bool, silent: str
) -> ScopeCoverage:
    """Return how much of a project's log was read. `silent` tells why nothing heard is no quiet; empty if all is well."""
    counts = {"objects": len(objects)}
    for field in _COUNTED:
        counts[field] = sum(getattr(found, field) for found in objects)
    damaged = [found for found in objects if found.damage]
    gaps = [f"{key}: {reason}" for _, key, reason, _ in failed] + [f"{one.key}: {one.damage}" for one in damaged]
    status, reason = CoverageStatus.COMPLETE, ""
    if failed:
        status = STATUS.get(failed[0][0], CoverageStatus.PARTIAL)
        reason = f"{len(failed)} objects, folders or pages could not be read: {failed[0][2]}"
    elif damaged:
        status, reason = CoverageStatus.PARTIAL, f"{len(damaged)} damaged object{'s' if len(damaged) > 1 else ''}"
    elif behind:
        status = CoverageStatus.PARTIAL
        reason = f"the clock stands before {window.start:%Y-%m-%dT%H:%MZ}, up to where was read"
    elif silent:
        status, reason = CoverageStatus.PARTIAL, silent
    return ScopeCoverage(
        scope=scope,
        source=NAME,
        status=status,
        window=window,
        reason=reason,
        grant=next((grant for _, _, _, grant in failed if grant), ""),
        counts=counts,
        gaps=tuple(gaps),
    )


def silence(heard: datetime | None, window: Window, reading: Reading) -> str:
    """Return why the files that are there may not be all; empty if they may."""
    if heard is None:
        return "no file of changes (activity) was delivered"
    if window.end - heard > reading.silence:
        return f"no file of changes (activity) was delivered since {heard:%Y-%m-%dT%H:%MZ}"
    return ""

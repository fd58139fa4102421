"""IAM as a source of a sweep: every service account of the declared projects as it is now, and what is remembered of them.

Needs in each project, and above it, what iam_reading and iam_places say. One project's failure never stops another; what
could not be read is Unknown in just its field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from monitor.facts.change import ChangeEvent
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import Unknown, Window
from monitor.sources.gcp.client import GcpClient
from monitor.sources.gcp.iam_asking import Questions
from monitor.sources.gcp.iam_reading import PROVIDER, Project, Reader
from monitor.sources.gcp.wire import SOURCE
from monitor.sources.ports import Collected, Memory, Progress, Request

STATE = "gcp.identity"


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What is watched: projects by their ids. `workers`: requests under way at once, one if captures answer.

    `as_of` (UTC) is when captured answers were given: what they tell held then, not at the time of the sweep.
    """

    projects: tuple[str, ...]
    workers: int = 4
    replayed: bool = False
    as_of: datetime | None = None


class GcpIamSource:
    """Reads the service accounts of all projects that are watched. `connect` gives a client for a sweep."""

    name = SOURCE
    provides = (Identity, IdentityList)
    once = ()

    def __init__(self, watch: Watch, connect: Callable[[Request], GcpClient]) -> None:
        self.watch = watch
        self._connect = connect

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return the projects whose service accounts are to be read."""
        return {SOURCE: tuple(f"{PROVIDER}:{project}" for project in self._projects)}

    def due(self, request: Request, memory: Memory) -> Window | None:
        """Return None: service accounts are read as they are at the moment of the sweep."""
        return None

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return the service accounts of every project as they are now. Never raises for what Google Cloud does."""
        whole = Collected()
        known = memory.latest(STATE)
        with self._connect(request) as client:
            workers = 1 if self.watch.replayed else self.watch.workers
            reader = Reader(Questions(client), self.watch.as_of or request.at, workers, progress)
            for project in self._projects:
                _add(whole, reader.project(project), known)
            whole.captures = list(client.captured)
        return whole

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return nothing: identities hold no events."""
        return []

    @property
    def _projects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.watch.projects))


def _add(whole: Collected, read: Project, known: Mapping[str, Remembered]) -> None:
    listing = read.listing
    if read.whole:
        listing = msgspec.structs.replace(listing, vanished=_vanished(read, known))
        whole.remember += [_state(one) for one in read.identities if _changed(one, known.get(one.subject()))]
    whole.facts += [listing, *read.identities]
    whole.coverage.append(read.coverage)


def _vanished(read: Project, known: Mapping[str, Remembered]) -> dict[str, str]:
    """Return, by id, the last known name of each service account of the project that was seen once and is not there now."""
    here = {one.subject() for one in read.identities}
    start = f"{PROVIDER}:identity:{read.listing.account}:"
    gone = [_plain(kept) for subject, kept in known.items() if subject.startswith(start) and subject not in here]
    names = {str(one.get("id")): str(one.get("name")) for one in gone}
    return {number: names[number] for number in sorted(names)}


def _changed(now: Identity, kept: Remembered | None) -> bool:
    """Return whether an identity is new, or not what it was when it was last seen to have changed.

    What could not be read now is taken to be as it was: it says nothing of a change.
    """
    if kept is None:
        return True
    here, before = _plain(_state(now)), _plain(kept)
    unread = {name for name in here if isinstance(getattr(now, name), Unknown)}
    return _bare(here, unread) != _bare(before, unread)


def _plain(kept: Remembered) -> dict[str, Any]:
    """Return what was remembered as plain data; nothing if it is not an identity."""
    found = msgspec.json.decode(kept.body)
    return found if isinstance(found, dict) else {}


_PASSING = ("at", "evidence", "uses")
"""Fields that change from one reading to the next though nothing was set otherwise."""


def _bare(identity: dict[str, Any], unread: Collection[str]) -> dict[str, Any]:
    lasting = {name: value for name, value in identity.items() if name not in _PASSING and name not in unread}
    credentials = lasting.get("credentials")
    if isinstance(credentials, list):
        lasting["credentials"] = [{**one, "used_at": None} for one in credentials]
    return lasting


def _state(identity: Identity) -> Remembered:
    return Remembered(
        kind=STATE,
        id=f"{identity.subject()}@{identity.at.isoformat()}",
        subject=identity.subject(),
        at=identity.at,
        body=msgspec.Raw(msgspec.json.encode(identity)),
    )

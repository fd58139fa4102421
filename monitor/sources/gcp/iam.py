"""IAM as a source of a sweep: every service account of the declared projects as it is now, and what is remembered of them.

Needs in each project, and above it, what iam_reading and iam_places say. One project's failure never stops another; what
could not be read is Unknown in just its field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import msgspec

from monitor.facts.change import ChangeEvent
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.log_object import RetainedPart
from monitor.model import Window
from monitor.sources.gcp.client import GcpClient
from monitor.sources.gcp.iam_asking import Questions
from monitor.sources.gcp.iam_reading import PROVIDER, Reader
from monitor.sources.gcp.wire import SOURCE
from monitor.sources.identities_seen import add
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
                read = reader.project(project)
                add(whole, read.listing, read.identities, read.coverage, known, STATE, ended=read.whole)
            whole.captures = list(client.captured)
        return whole

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return nothing: identities hold no events."""
        return []

    @property
    def _projects(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.watch.projects))

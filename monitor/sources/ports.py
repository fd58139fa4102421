"""What a source is asked, what it answers, and what it may ask of earlier sweeps."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from monitor.facts.change import ChangeEvent, TokenExchange
from monitor.facts.log_object import LogObject, RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import Capture, ScopeCoverage, Window

Progress = Callable[[str, int, int], None]
"""Told the step that is under way, how much of it is done, and how much there is in all."""


class Memory(Protocol):
    """What earlier sweeps left behind."""

    def marks(self) -> Mapping[str, datetime]:
        """Return, for each `source|scope`, up to when (UTC) its events were read."""

    def read_keys(self, source: str, scope: str | None = None) -> Collection[str]:
        """Return the keys of the log objects that were read already."""

    def damaged_keys(self, source: str, scope: str) -> Collection[str]:
        """Return the keys of the log objects of a scope that could not be read whole."""

    def content_hashes(self, keys: Collection[str]) -> Mapping[str, str]:
        """Return the SHA-256 (hex) of the inflated content of log objects that were read."""

    def parts(self, account: str, day_from: str, day_to: str) -> Sequence[RetainedPart]:
        """Return the retained parts of an account between two days (YYYY-MM-DD), both included."""

    def remembered(self, kind: str, subject: str | None = None, since: datetime | None = None) -> Sequence[Remembered]:
        """Return what was remembered of a kind, of one subject or of all, from then (UTC) on, oldest first."""

    def latest(self, kind: str) -> Mapping[str, Remembered]:
        """Return, by subject, the newest of a kind that was remembered."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One sweep's question to a source. `at` is the sweep's clock, UTC; `since` and `until` override the marks."""

    sweep: str
    at: datetime
    since: datetime | None = None
    until: datetime | None = None


class Collected(msgspec.Struct, kw_only=True):
    """What a source answers: facts, coverage of every scope, and what must be remembered."""

    facts: list[Any] = []
    coverage: list[ScopeCoverage] = []
    captures: list[Capture] = []
    objects: list[LogObject] = []
    exchanges: list[TokenExchange] = []
    parts: list[RetainedPart] = []
    marks: dict[str, datetime] = {}
    notes: dict[str, Any] = {}
    object_source: str = ""
    """The name under which the log objects are remembered: it holds their location, so that a copy is another source."""
    distrusted: set[str] = set()
    """Names of log objects that are proven to be altered, or that nobody signed for."""
    since: dict[str, datetime] = {}
    """For each account: from when (UTC) its events are read."""
    remember: list[Remembered] = []
    """What later sweeps will ask for again."""
    blind: list[tuple[str, datetime, datetime]] = []
    """Account, start and end (UTC) of each span whose events may be lacking."""


class Source(Protocol):
    """A source of facts. It never raises for what the world does: a failure ends as coverage and Unknown."""

    name: str

    @property
    def provides(self) -> tuple[type, ...]:
        """Return the kinds of fact that it gives."""

    @property
    def once(self) -> tuple[type, ...]:
        """Return those of them that a sweep is given once: what it does not judge of them, no later one will."""

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return, by the name under which coverage is reported, every scope that is to be read."""

    def due(self, request: Request, memory: Memory) -> Window | None:
        """Return the span (UTC) whose events this sweep owes; None for a source of state."""

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return everything that there is to know for this sweep."""

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return the writes of these sessions that were retained in these parts; nothing if the source retains none."""

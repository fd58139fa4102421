"""The settings of trails as a source of a sweep: facts, captures and coverage; nothing of it can be read back in time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from monitor.expected.models import AwsEstate
from monitor.facts.audit_log import TrailList
from monitor.facts.change import ChangeEvent
from monitor.facts.log_object import RetainedPart
from monitor.model import Window
from monitor.sources.aws.trail_settings import SOURCE, TrailSettings
from monitor.sources.ports import Collected, Memory, Progress, Request


class TrailSource:
    """Reads the trails of all declared accounts."""

    name = SOURCE
    provides = (TrailList,)
    once = ()

    def __init__(self, estate: AwsEstate, settings: TrailSettings) -> None:
        self.estate = estate
        self.settings = settings

    def scopes(self) -> dict[str, tuple[str, ...]]:
        """Return the accounts whose trails are to be read."""
        return {SOURCE: tuple(f"aws:{account.id}" for account in (*self.estate.accounts, *self.estate.watched))}

    def due(self, request: Request, memory: Memory) -> Window | None:
        """Return None: settings are read as they are at the moment of the sweep."""
        return None

    def collect(self, request: Request, memory: Memory, progress: Progress) -> Collected:
        """Return the trails as they are now."""
        progress("reading trail settings", 0, 1)
        found = self.settings.collect(request.at)
        progress("reading trail settings", 1, 1)
        return Collected(facts=list(found.facts), coverage=list(found.coverage), captures=list(found.captures))

    def recall(self, parts: Sequence[RetainedPart], sessions: Collection[str]) -> list[ChangeEvent]:
        """Return nothing: settings hold no events."""
        return []

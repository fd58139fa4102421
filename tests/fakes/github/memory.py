"""A memory of sweeps, for tests of the source: what Collected asks to remember is there in the next sweep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered
from monitor.sources.ports import Collected


class Nothing:
    """Remembers nothing until it is told."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Remembered] = {}
        self.reached: dict[str, datetime] = {}

    def keep(self, found: Collected) -> None:
        for one in found.remember:
            self.kept.setdefault((one.kind, one.id), one)
        self.reached |= found.marks

    def marks(self) -> Mapping[str, datetime]:
        return self.reached

    def read_keys(self, source: str, scope: str | None = None) -> Collection[str]:
        return ()

    def damaged_keys(self, source: str, scope: str) -> Collection[str]:
        return ()

    def content_hashes(self, keys: Collection[str]) -> Mapping[str, str]:
        return {}

    def parts(self, account: str, day_from: str, day_to: str) -> Sequence[RetainedPart]:
        return ()

    def remembered(self, kind: str, subject: str | None = None, since: datetime | None = None) -> Sequence[Remembered]:
        found = [
            one
            for one in self.kept.values()
            if one.kind == kind and (subject in (None, one.subject)) and (since is None or one.at >= since)
        ]
        return sorted(found, key=lambda one: (one.at, one.id))

    def latest(self, kind: str) -> Mapping[str, Remembered]:
        return {one.subject: one for one in self.remembered(kind)}

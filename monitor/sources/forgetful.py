"""A memory of nothing, for readings that are no sweep."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered


class Forgetful:
    """Answers the port Memory as before the first sweep."""

    def marks(self) -> Mapping[str, datetime]:
        """Return nothing."""
        return {}

    def read_keys(self, source: str, scope: str | None = None) -> Collection[str]:
        """Return nothing."""
        return ()

    def damaged_keys(self, source: str, scope: str) -> Collection[str]:
        """Return nothing."""
        return ()

    def content_hashes(self, keys: Collection[str]) -> Mapping[str, str]:
        """Return nothing."""
        return {}

    def parts(self, account: str, day_from: str, day_to: str) -> Sequence[RetainedPart]:
        """Return nothing."""
        return ()

    def remembered(self, kind: str, subject: str | None = None, since: datetime | None = None) -> Sequence[Remembered]:
        """Return nothing."""
        return ()

    def latest(self, kind: str) -> Mapping[str, Remembered]:
        """Return nothing."""
        return {}

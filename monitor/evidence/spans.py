"""Sets of time spans: what is covered, and what is not. Pure; spans are half-open and UTC."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from datetime import datetime

from monitor.model import Window


class Spans:
    """A union of windows, kept sorted and merged."""

    def __init__(self) -> None:
        self._starts: list[datetime] = []
        self._ends: list[datetime] = []

    def add(self, window: Window) -> None:
        """Add a window; an empty or reversed one changes nothing."""
        start, end = window.start, window.end
        if start >= end:
            return
        first = bisect_left(self._ends, start)
        last = bisect_right(self._starts, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._starts[first:last] = [start]
        self._ends[first:last] = [end]

    def holes(self, window: Window) -> list[Window]:
        """Return the parts of the window that are not covered, in order."""
        found, at = [], window.start
        for start, end in zip(self._starts, self._ends, strict=True):
            if end <= at:
                continue
            if start >= window.end:
                break
            if start > at:
                found.append(Window(at, start))
            at = max(at, end)
        if at < window.end:
            found.append(Window(at, window.end))
        return found

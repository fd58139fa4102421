"""The one place where the clock is read; everything else is given the time, or this function."""

from __future__ import annotations

from datetime import UTC, datetime


def now() -> datetime:
    """Return the time (UTC)."""
    return datetime.now(UTC)

"""The closed sets of words of alerts, and how counts are said. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from monitor.model import Severity


class NoteKind(StrEnum):
    """What is told."""

    OPENED = "opened"
    REOPENED = "reopened"
    KEPT = "kept-digest"
    RESOLVED = "resolved"
    WAIVED = "waived"
    WAIVER_EXPIRING = "waiver-expiring"
    WAIVER_EXPIRED = "waiver-expired"
    DIGEST = "digest"
    NIGHTLY_SUMMARY = "nightly-summary"
    SLOT_OVERDUE = "slot-overdue"
    SLOT_LOST = "slot-lost"
    TARGET_GONE = "target-gone"
    PLAN_FAILED = "plan-failed"
    TEST = "test"


class Step(StrEnum):
    """What a sweep did to a finding, in the words of the store."""

    OPENED = "opened"
    KEPT = "kept"
    REOPENED = "reopened"
    RESOLVED = "resolved"


URGENCY = {severity: rank for rank, severity in enumerate(Severity)}
"""Rank of each severity; 0 is the most urgent."""


def by_severity(counts: Mapping[str, int]) -> str:
    """Return counts as `2 critical, 1 high`, most urgent first; `none` if there is nothing to count."""
    said = [f"{counts[severity]:,} {severity.value}" for severity in Severity if counts.get(severity)]
    return ", ".join(said) or "none"


def several(count: int, one: str, many: str = "") -> str:
    """Return a count with its word: `1 finding`, `2 findings`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"

"""Facts about the monitor's own record: what nobody could look at, which waivers are used, which emergencies excused."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import msgspec

from monitor.model import Outcome

_WINDOW = re.compile(r"@\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}Z)?")
_SESSION = ":session:"


class StoreAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The record of findings was asked at a moment (UTC): what is not told beside this is not so.

    `open` findings waited for someone then, `waived` of them are accepted for a time; `unknown_days` is how long unknown
    may last.
    """

    at: datetime
    open: int
    waived: int
    unknown_days: int


class LongUnknown(msgspec.Struct, frozen=True, kw_only=True):
    """Something that a check could not look at since then (UTC), for at least `unknown_days`.

    The windows of one log are one, and so are the sessions of one account. `findings` are the ids of what is unknown.
    """

    check: str
    subject: str
    scope: str
    since: datetime
    days: int
    reason: str = ""
    grant: str = ""
    findings: tuple[str, ...] = ()


class Former(msgspec.Struct, frozen=True, kw_only=True):
    """A finding of a check of governance that nothing stands behind any longer: what it was about is `seen`, or gone."""

    check: str
    subject: str
    scope: str
    why: str
    seen: bool = False


class Covered(msgspec.Struct, frozen=True, order=True):
    """A failure or unknown that a waiver reaches: the finding's id, its check and subject, and its outcome."""

    check: str
    subject: str
    outcome: Outcome
    finding: str


class WaiverUse(msgspec.Struct, frozen=True, kw_only=True):
    """One waiver of the file, and what it reaches now. Times are UTC; `warning` is how long before its end it is told.

    `covers` are failures that it reaches; once it has expired, those that no other waiver covers. `judged` tells whether
    this sweep could have found some: it ran one of the checks. `idle_before`: so it was reported already.
    """

    id: str
    checks: tuple[str, ...]
    kind: str
    patterns: tuple[str, ...]
    reason: str
    ticket: str
    requester: str
    approver: str
    start: datetime
    until: datetime
    warning: timedelta = timedelta(days=14)
    covers: tuple[Covered, ...] = ()
    judged: bool = True
    idle_before: bool = False

    def days_left(self, at: datetime) -> int:
        """Return the whole days from a moment until its end; negative once it is over."""
        return (self.until - at) // timedelta(days=1)

    def expired(self, at: datetime) -> bool:
        """Return whether it no longer counts."""
        return self.until <= at

    def future(self, at: datetime) -> bool:
        """Return whether it does not count yet."""
        return at < self.start

    def expiring(self, at: datetime) -> bool:
        """Return whether it still counts, and ends soon."""
        return self.start <= at < self.until <= at + self.warning


class EmergencyUse(msgspec.Struct, frozen=True, kw_only=True):
    """One declared emergency, and whether it ever excused anything. Times are UTC.

    `used` tells whether a sweep met what it excuses; `read`: whether sweeps have read all of its time. `review` is where
    the review that followed it is written, due at `review_due`.
    """

    id: str
    ticket: str
    approver: str
    start: datetime
    end: datetime
    used: bool
    read: bool
    review: str = ""
    review_due: datetime


def is_window(subject: str) -> bool:
    """Return whether a subject speaks of one window of time, which no later sweep looks at again."""
    return _SESSION not in subject and _WINDOW.search(subject) is not None


def looked_at(subject: str, scope: str) -> str:
    """Return what a check looks at when it judges a subject: the log, not its window; an account's sessions, not each."""
    if _SESSION in subject:
        return f"{scope or subject.partition(_SESSION)[0]}:sessions"
    return _WINDOW.sub("", subject)

"""The gate that all threads pass before they ask: while a quota is spent, nobody does.

IAM's quotas are counted a minute: https://cloud.google.com/iam/quotas
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from monitor.errors import Throttled
from monitor.sources.gcp.wire import SOURCE

TOLD_EVERY = 30.0
LEAST_UNSAID = 5.0
LEAST_SAID = 1.0
LONGEST = 64.0
"""Seconds that are waited at most where it is not said for how long, as Google's guides to backing off have it."""
_DOUBLINGS = 6
_BEGINNING = datetime.min.replace(tzinfo=UTC)


class Gate:
    """Shared by the threads of one client; `patience` is how many seconds they may wait in all.

    The clock must run: it is read before each request. Waiting together counts once.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        told: Callable[[str], None],
        patience: float,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._told = told
        self._patience = patience
        self._lock = threading.Lock()
        self._until = _BEGINNING
        self._shut_until = _BEGINNING
        self._told_at = _BEGINNING
        self._waited = 0.0
        self._limits = 0
        self._in_a_row = 0

    def enter(self, scope: str) -> int:
        """Wait until no limit holds; return a ticket to report by. Throttled if the limit outlasts the patience."""
        while True:
            with self._lock:
                now, until = self._clock(), self._until
                if now < self._shut_until:
                    raise self._throttled(scope)
                if until <= now:
                    return self._limits
            self._wait((until - now).total_seconds(), until)

    def limited(self, ticket: int, seconds: float | None, scope: str) -> None:
        """Hold everybody back for as long as was asked for, or by our own measure if None.

        Throttled at once if that is more than what is left of the patience; then nobody asks until the limit has passed.
        """
        with self._lock:
            now = self._clock()
            if ticket == self._limits:
                # Only the first of those that were under way together makes the next wait longer.
                self._limits += 1
                self._in_a_row += 1
            least = LEAST_UNSAID if seconds is None else LEAST_SAID
            grown = min(least * 2 ** min(max(self._in_a_row, 1) - 1, _DOUBLINGS), LONGEST)
            until = now + timedelta(seconds=min(max(seconds or 0.0, grown), 10**8))
            if until <= self._until:
                return
            more = (until - max(now, self._until)).total_seconds()
            if self._waited + more > self._patience:
                self._shut_until = max(self._shut_until, until)
                raise self._throttled(scope)
            self._waited += more
            self._until = until

    def passed(self, ticket: int) -> None:
        """Say that a request with this ticket met no limit."""
        with self._lock:
            if ticket == self._limits:
                self._in_a_row = 0

    def _wait(self, seconds: float, until: datetime) -> None:
        # Counted down by what was slept: a clock that stands still must not keep us here for ever.
        left = seconds
        while left > 0:
            self._tell(left)
            step = min(left, TOLD_EVERY)
            self._sleep(step)
            left -= step
        with self._lock:
            if self._until == until:
                self._until = _BEGINNING

    def _tell(self, left: float) -> None:
        with self._lock:
            now = self._clock()
            if (now - self._told_at).total_seconds() < TOLD_EVERY - 1:
                return
            self._told_at = now
        self._told(f"gcp: waiting {left:.0f} s for the quota")

    def _throttled(self, scope: str) -> Throttled:
        until = self._shut_until.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Throttled(
            f"the quota is spent until {until}, which is more than the {self._patience:.0f} s that may be waited in all",
            source=SOURCE,
            scope=scope,
            todo=f"sweep again after {until}, or have the quota raised",
        )

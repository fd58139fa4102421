"""Asking until there is an answer: the one place of this adapter where anything is tried again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from tenacity import RetryCallState, Retrying, retry_if_exception_type, wait_exponential, wait_random

from monitor.errors import SourceError, Throttled, Unavailable
from monitor.sources.gcp.limits import Gate
from monitor.sources.gcp.transport import Transport
from monitor.sources.gcp.wire import Again, Limited, Question, Reply, judge

LONGEST_PAUSE = 60.0
DOWN_AFTER = 5
_GROWING = wait_exponential(multiplier=1, max=LONGEST_PAUSE) + wait_random(0, 1)


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a question: the final reply (None if none came, or only a limit), its content, or the error that it means."""

    reply: Reply | None
    content: dict[str, Any] = {}
    error: SourceError | None = None


class Asking:
    """Asks over one transport, through one gate. Thread-safe."""

    def __init__(
        self,
        transport: Transport,
        gate: Gate,
        *,
        clock: Callable[[], datetime],
        sleep: Callable[[float], None],
        attempts: int,
    ) -> None:
        """`attempts`: how often a network error or a server's fault is tried in all; limits are bounded by the gate."""
        self._transport = transport
        self._gate = gate
        self._clock = clock
        self._sleep = sleep
        self._attempts = max(1, attempts)
        self._lost_in_a_row = 0

    def ask(self, question: Question, authorise: Callable[[str], Mapping[str, str]]) -> Ended:
        """Return how it ended; no SourceError is raised.

        `authorise` gives the headers for each try (it is given the scope), since waiting may outlast a token. It may raise
        Again and Limited too.
        """
        failures = 0
        last: Reply | None = None
        # Where the service is down, every question would wait for as long as the first ones did.
        attempts = 1 if self._lost_in_a_row >= DOWN_AFTER else self._attempts

        def once() -> dict[str, Any]:
            nonlocal failures, last
            last = None
            ticket = self._gate.enter(question.scope)
            try:
                last = self._transport.send(question, authorise(question.scope))
                found = judge(question, last, self._clock())
            except Limited as limit:
                last = None
                self._gate.limited(ticket, limit.seconds, question.scope)
                raise
            except Again:
                failures += 1
                raise
            self._gate.passed(ticket)
            return found

        trying = Retrying(
            retry=retry_if_exception_type((Limited, Again)),
            stop=lambda state: failures >= attempts,
            wait=_pause,
            sleep=self._sleep,
            reraise=True,
        )
        try:
            content = trying(once)
        except Again as lost:
            self._lost_in_a_row += 1
            return Ended(reply=last, error=_final(Unavailable, lost, f" ({failures} attempts)"))
        except Limited as limit:
            return Ended(reply=None, error=_final(Throttled, limit))
        except SourceError as error:
            ended = Ended(reply=last, error=error)
        else:
            ended = Ended(reply=last, content=content)
        self._lost_in_a_row = 0 if ended.reply else self._lost_in_a_row
        return ended


def _pause(state: RetryCallState) -> float:
    """Return the seconds before the next try: none after a limit, since the gate does that waiting."""
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, Again):
        return 0.0
    return max(_GROWING(state), min(error.seconds, LONGEST_PAUSE))


def _final(kind: type[SourceError], error: SourceError, more: str = "") -> SourceError:
    """Return the error as one that nobody further out tries again."""
    return kind(error.what + more, source=error.source, scope=error.scope, todo=error.todo)

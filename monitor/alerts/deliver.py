"""Delivery from the outbox: at least once over any crash, shown once.

A message is claimed (committed), delivered, and noted as sent. One that was claimed before and not noted may have arrived:
its sink looks for it before it posts again. A claim is a lease, so that of several processes one delivers, and what a
crashed one held is taken over when the lease is over. Each sink has a thread of its own: none holds up another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta
from typing import Protocol, Self

import msgspec

from monitor.alerts.notes import Message, Note, Target, message
from monitor.alerts.port import Delivered, Sink, Thread, Undelivered
from monitor.alerts.telling import cut
from monitor.alerts.words import NoteKind
from monitor.errors import MonitorError
from monitor.model import Severity

_AT_ONCE = 50
_FIRST_WAIT = timedelta(seconds=30)
_LONGEST_WAIT = timedelta(hours=1)
_LONGEST_RETRY_AFTER = timedelta(days=1)
_FEWEST_TRIES = 4
_UNHEARD = "the finding's first message was not delivered to this target"


class Outbox(Protocol):
    """Where messages wait. Every change but `hold` is of a claimed message, and False if somebody else has taken it up."""

    def waiting(self) -> Mapping[str, int]:
        """Return how many messages are not settled, by sink."""

    def due(self, sink: str, at: datetime, limit: int) -> Sequence[Message]:
        """Return what a sink may deliver now, oldest first; of a finding at a target only the first that is not settled."""

    def claim(self, message: Message, until: datetime) -> Message | None:
        """Return the message, taken up until then, or None if it was not to be had."""

    def sent(self, message: Message, at: datetime, delivered: Delivered) -> bool:
        """Note that it has arrived, and its thread."""

    def later(self, message: Message, next_at: datetime, error: str, *, arrived: bool) -> bool:
        """Note when to try again; `arrived` if it may have arrived all the same."""

    def hold(self, to: Target, until: datetime) -> None:
        """Let nothing that waits go to the target before then."""

    def failed(self, message: Message, error: str) -> bool:
        """Give it up."""

    def move(self, message: Message, instead: Message, besides: Sequence[Message], error: str) -> bool:
        """Drop it; send `instead` in its place (unless it is there already), and what is told besides."""

    def thread(self, message: Message) -> Thread | None:
        """Return the thread of its finding at its target, or None."""

    def heard(self, message: Message) -> bool:
        """Return whether its target was told of its finding before, or the fallback in its place."""


class Counts(msgspec.Struct, kw_only=True):
    """What a round of delivery came to. `busy` are sinks that had not ended when the round did."""

    sent: int = 0
    found: int = 0
    later: int = 0
    failed: int = 0
    moved: int = 0
    busy: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    def add(self, other: Counts) -> None:
        """Add what another came to."""
        for name in ("sent", "found", "later", "failed", "moved"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.errors = (*self.errors, *other.errors)


class Deliverer:
    """Delivers what is due, sink by sink. Close it, or use it as a context manager.

    `fallbacks` give, by sink, where a message goes that its target refuses for good; `give_up` is how long one is tried;
    `jitter` gives a number from 0 to 1. `lease` must be longer than a delivery can take; `patience` (seconds) is how long a
    round waits for a slow sink, which goes on, and is left out of the rounds until it has ended.
    """

    def __init__(
        self,
        outbox: Outbox,
        sinks: Sequence[Sink],
        clock: Callable[[], datetime],
        *,
        fallbacks: Mapping[str, Target] | None = None,
        give_up: timedelta = timedelta(hours=24),
        jitter: Callable[[], float] = lambda: 0.5,
        lease: timedelta = timedelta(minutes=5),
        patience: float = 60.0,
    ) -> None:
        self._outbox = outbox
        self._sinks = {sink.name: sink for sink in sinks}
        self._clock = clock
        self._fallbacks = dict(fallbacks or {})
        self._give_up = give_up
        self._jitter = jitter
        self._lease = lease
        self._patience = patience
        self._pool = ThreadPoolExecutor(max_workers=len(self._sinks) + 1, thread_name_prefix="alerts")
        self._running: dict[str, Future[Counts]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go; a delivery that is under way is noted when it ends."""
        self._pool.shutdown(wait=True)

    def run_once(self, at: datetime) -> Counts:
        """Deliver what is due at a moment (UTC), and return what came of it. Never raises for a message or a sink.

        Raises LedgerError if the outbox cannot be read.
        """
        total = Counts()
        for name in self._outbox.waiting():
            if name not in self._sinks:
                total.add(self._without_sink(name, at))
            elif name not in self._running:
                self._running[name] = self._pool.submit(self._work, self._sinks[name], at)
        wait(self._running.values(), timeout=self._patience)
        for name, running in list(self._running.items()):
            if running.done():
                del self._running[name]
                total.add(_outcome(name, running))
        total.busy = tuple(sorted(self._running))
        return total

    def _work(self, sink: Sink, at: datetime) -> Counts:
        """Deliver one sink's messages: each pass takes what the one before has made free."""
        total = Counts()
        began = self._clock()
        held: set[str] = set()
        while True:
            ready = [one for one in self._outbox.due(sink.name, at, _AT_ONCE) if one.target not in held]
            if not ready:
                return total
            for one in ready:
                if one.target in held:
                    continue
                if (self._clock() - began).total_seconds() > self._patience:
                    return total
                claimed = self._outbox.claim(one, self._now(at) + self._lease)
                if claimed is None:
                    held.add(one.target)  # Another process delivers there.
                    continue
                if not self._one(sink, claimed, total, at):
                    held.add(one.target)

    def _one(self, sink: Sink, message: Message, total: Counts, at: datetime) -> bool:
        """Deliver a claimed message; return whether its target is well."""
        thread = self._outbox.thread(message) if message.finding_id else None
        if message.follows and thread is None and not self._outbox.heard(message):
            self._outbox.failed(message, _UNHEARD)
            total.failed += 1
            return True
        try:
            found = sink.find(message, thread) if message.sending else None
            delivered = found or sink.deliver(message, thread)
        except Undelivered as refused:
            return self._refused(message, refused, total, at)
        # A sink is the edge: what it raises besides is that message's trouble, and nobody else's.
        except Exception as fault:  # noqa: BLE001
            return self._refused(message, Undelivered(f"{type(fault).__name__}: {fault}"), total, at)
        self._outbox.sent(message, self._now(at), delivered)
        total.sent += 1
        total.found += found is not None
        return True

    def _refused(self, message: Message, refused: Undelivered, total: Counts, at: datetime) -> bool:
        now = self._now(at)
        fallback = self._fallbacks.get(message.sink)
        if refused.permanent and fallback is not None and fallback != message.to:
            self._move(message, fallback, refused, now)
            total.moved += 1
            return True
        out_of_time = now - message.due >= self._give_up and message.attempts >= _FEWEST_TRIES
        if refused.permanent or out_of_time:
            self._outbox.failed(message, refused.what)
            total.failed += 1
            total.errors = (*total.errors, f"{message.sink} {message.target}: {refused.what}")
            return refused.permanent
        hold = _FIRST_WAIT
        pause = self._backoff(message.attempts)
        if refused.retry_after is not None:
            hold = pause = min(timedelta(seconds=max(1.0, refused.retry_after)), _LONGEST_RETRY_AFTER)
        # A target that asks to wait has not taken it; but it may have been taken the time before, and not been found.
        arrived = message.sending or refused.retry_after is None
        self._outbox.later(message, now + pause, refused.what, arrived=arrived)
        self._outbox.hold(message.to, now + hold)
        total.later += 1
        total.errors = (*total.errors, f"{message.sink} {message.target}: {refused.what}")
        return False

    def _move(self, moved: Message, fallback: Target, refused: Undelivered, now: datetime) -> None:
        """Send a message to the fallback instead, and tell there, once a day, that its target is gone."""
        note = Note(
            kind=NoteKind.TARGET_GONE,
            key=f"target-gone:{moved.sink}:{moved.target}:{now.date().isoformat()}",
            at=now,
            title=f"Alerts for {moved.sink} {cut(moved.target, 120)} come here instead",
            severity=Severity.HIGH,
            lines=(("Why", cut(refused.what)), ("Next", cut(refused.todo or "mend the target, or name another"))),
        )
        instead = message(moved.body, fallback, now)
        instead = msgspec.structs.replace(instead, created_at=moved.created_at, next_at=now, due=now)
        self._outbox.move(moved, instead, (message(note, fallback, now),), f"{refused.what}; told to {fallback.target}")

    def _without_sink(self, name: str, at: datetime) -> Counts:
        """Keep what is for a sink that the settings do not name any more: it may come back."""
        total = Counts()
        for one in self._outbox.due(name, at, _AT_ONCE):
            claimed = self._outbox.claim(one, at + self._lease)
            if claimed is not None:
                refused = Undelivered(
                    f"there is no sink {name} in the settings", todo="add it, or take it out of routes"
                )
                self._refused(claimed, refused, total, at)
        return total

    def _backoff(self, attempts: int) -> timedelta:
        """Return how long to wait after so many tries: twice as long each time, up to an hour, less up to a half."""
        longest: timedelta = min(_FIRST_WAIT * 2 ** min(max(attempts - 1, 0), 20), _LONGEST_WAIT)
        return longest * (1 - min(max(self._jitter(), 0.0), 1.0) / 2)

    def _now(self, at: datetime) -> datetime:
        """Return the time: later than the round began, unless the clock was set back."""
        return max(at, self._clock())


def _outcome(name: str, running: Future[Counts]) -> Counts:
    try:
        return running.result()
    except MonitorError as error:
        return Counts(errors=(f"{name}: {error.what}",))
    except Exception as fault:  # noqa: BLE001  # An alert never fails a sweep, whatever goes wrong.
        return Counts(errors=(f"{name}: {type(fault).__name__}: {fault}",))

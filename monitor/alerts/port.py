"""The port of sinks: what delivers a message to people or programs, and what it answers."""

from __future__ import annotations

from typing import Protocol

import msgspec

from monitor.alerts.notes import Message
from monitor.errors import AlertError


class Thread(msgspec.Struct, frozen=True):
    """Where a sink keeps the messages of one finding together: a target, and the sink's own reference of the first."""

    target: str
    reference: str


class Delivered(msgspec.Struct, frozen=True):
    """The sink's own reference of a message that it took, and of the thread that it is in (or that it began)."""

    reference: str = ""
    thread_reference: str = ""


class Undelivered(AlertError):
    """A message was not delivered, or it is not known whether it was.

    `retry_after` (seconds) is what the target asked for; it is honoured for all that goes to the target. With `permanent`
    the target or the message is refused for good (a channel that is gone): it goes to the fallback, once. What an operator
    can mend (a wrong token, a host that is down) is not permanent.
    """

    def __init__(self, what: str, *, todo: str = "", retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(what, todo=todo)
        self.retry_after = retry_after
        self.permanent = permanent


class Sink(Protocol):
    """Delivers messages of one kind of target. It is used by one thread at a time."""

    @property
    def name(self) -> str:
        """Return the name by which messages call it."""

    def deliver(self, message: Message, thread: Thread | None) -> Delivered:
        """Deliver, into the thread if there is one, and return the references. Raises Undelivered."""

    def find(self, message: Message, thread: Thread | None) -> Delivered | None:
        """Return the references of a message that may have arrived already, or None where it is not there.

        A sink that cannot look returns None: the message is posted again under the same id, which its receiver folds.
        Raises Undelivered where looking fails.
        """

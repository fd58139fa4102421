"""Questions of one sweep, each failure kept as a value: what could not be read becomes Unknown in just its place."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from monitor.errors import Denied, Malformed, SourceError
from monitor.model import EvidenceRef, Unknown
from monitor.sources.gcp.client import GcpClient, Listed
from monitor.sources.gcp.wire import SOURCE, Missing, Question


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one question: the answer or the error, and the capture of its bytes."""

    content: dict[str, Any] | None = None
    error: SourceError | None = None
    evidence: tuple[EvidenceRef, ...] = ()

    @property
    def missing(self) -> bool:
        """Return whether there is no such thing."""
        return isinstance(self.error, Missing)

    @property
    def body(self) -> dict[str, Any] | Unknown:
        """Return the answer, or why there is none and what to grant."""
        return self.content if self.content is not None else unknown(self.error)


def unknown(error: SourceError | None) -> Unknown:
    """Return why something could not be read, and what to grant or do so that it can be."""
    if error is None:
        return Unknown("it was not read")
    return Unknown(error.what, grant(error))


def grant(error: SourceError) -> str:
    """Return what to grant or to do about a failure."""
    return error.permission if isinstance(error, Denied) else error.todo


class Questions:
    """Asks one client. Thread-safe; no method raises."""

    def __init__(self, client: GcpClient) -> None:
        self._client = client

    def ask(self, question: Callable[[], Question], field: str = "") -> Reply:
        """Return what came of a question. It is made here, since a name from outside may fit into none.

        `field` must be a list, or left out, as Google leaves out empty ones.
        """
        try:
            ask = question()
            answer = self._client.ask(ask)
        except SourceError as failed:
            return Reply(error=failed)
        if field and not isinstance(answer.content.get(field), list | None):
            what = f"{ask.told}: {field} of the answer is no list"
            error = Malformed(what, source=SOURCE, scope=ask.scope, todo="see the captured bytes")
            return Reply(error=error, evidence=(answer.evidence,))
        return Reply(content=answer.content, evidence=(answer.evidence,))

    def pages(self, question: Callable[[], Question], field: str) -> Listed:
        """Return what came of a list."""
        try:
            ask = question()
        except SourceError as failed:
            return Listed(error=failed)
        return self._client.pages(ask, field)


class Failures:
    """What could not be read, in one order whatever thread was first. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: list[SourceError] = []

    def note(self, errors: Iterable[SourceError | None]) -> None:
        """Keep the errors among these."""
        with self._lock:
            self._found += [one for one in errors if one is not None]

    @property
    def all(self) -> tuple[SourceError, ...]:
        """Return them, one of each text."""
        return tuple({one.what: one for one in sorted(self._found, key=lambda one: one.what)}.values())

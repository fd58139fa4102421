"""The one seam through which Google Cloud is asked: answers are captured byte for byte, and captures answer in its place.

A capture holds the request and the body, never a header; requests for tokens do not pass here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from monitor.errors import Unavailable
from monitor.model import Capture
from monitor.sources.gcp.wire import SOURCE, Question

_BESIDE = frozenset({"host"})


def capture(ask: Question, *, host: str, status: int, body: bytes, at: datetime) -> Capture:
    """Return the capture of a final answer."""
    request = {"host": host, **ask.request}
    return Capture(source=SOURCE, name=ask.name, scope=ask.scope, request=request, status=status, at=at, body=body)


def in_order(captures: Sequence[Capture]) -> tuple[Capture, ...]:
    """Return the captures by name and request, which is the same whatever thread was first."""
    return tuple(sorted(captures, key=lambda one: (one.name, sorted(one.request.items()), one.at, one.sha256)))


class Replay:
    """Captures that answer; nothing goes over the network. The host that they came from does not matter."""

    def __init__(self, captures: Sequence[Capture]) -> None:
        mine = sorted((one for one in captures if one.source == SOURCE), key=lambda one: one.at)
        self._stored = {_key(one.request): one for one in mine}

    def find(self, ask: Question) -> Capture:
        """Return the newest capture of this request. Unavailable if there is none."""
        found = self._stored.get(_key(ask.request))
        if found is None:
            raise Unavailable(
                f"{json.dumps(ask.request)} in {ask.scope} is not among the captures",
                source=SOURCE,
                scope=ask.scope,
                todo="capture it with a live sweep, or replay the folder that holds it",
            )
        return found


def _key(request: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, text) for name, text in request.items() if name not in _BESIDE))

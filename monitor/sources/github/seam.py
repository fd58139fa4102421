"""The one seam through which GitHub is asked: what it answers is captured byte for byte, and captures can answer in its place.

A capture holds the request and the body, never a header. The one thing of the headers that is needed later, the next page,
is noted with the request as `next`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

from monitor.errors import Unavailable
from monitor.model import Capture
from monitor.sources.github.wire import SOURCE, Question

ACCESS = "access"
NEXT = "next"
_BESIDE = frozenset({"host", NEXT})
_CREATED = "created:"


def access_request(host: str, organisation: str) -> dict[str, str]:
    """Return the request under which is kept what the credential may see; no answer that holds a token is kept."""
    return {"host": host, "method": "ACCESS", "path": f"/orgs/{organisation}"}


def capture(ask: Question, *, host: str, status: int, body: bytes, following: str, at: datetime) -> Capture:
    """Return the capture of a final answer; `following` is path and query of the next page, "" if there is none."""
    request = {"host": host, **ask.request}
    if following:
        request[NEXT] = following
    return Capture(source=SOURCE, name=ask.name, scope=ask.scope, request=request, status=status, at=at, body=body)


def in_order(captures: Sequence[Capture]) -> tuple[Capture, ...]:
    """Return the captures by name and request, which is the same whatever thread was first."""
    return tuple(sorted(captures, key=lambda one: (one.name, sorted(one.request.items()), one.at, one.sha256)))


class Replay:
    """Captures that answer; nothing goes over the network. The host that they came from does not matter."""

    def __init__(self, captures: Sequence[Capture]) -> None:
        self._stored: dict[tuple[tuple[str, str], ...], Capture] = {}
        self._windows: list[tuple[Mapping[str, str], Capture]] = []
        for one in sorted((c for c in captures if c.source == SOURCE), key=lambda c: c.at):
            self._stored[_key(one.request)] = one
            if _CREATED in one.request.get("path", "").replace("%3A", ":"):
                self._windows.append((one.request, one))

    def find(self, request: Mapping[str, str], scope: str) -> Capture:
        """Return the newest capture of this request; failing that, the newest whose window of creation spans the asked one.

        Unavailable if there is none.
        """
        found = self._stored.get(_key(request)) or self._wider(request)
        if found is None:
            asked = {name: text for name, text in request.items() if name not in _BESIDE}
            raise Unavailable(
                f"{json.dumps(asked)} in {scope} is not among the captures",
                source=SOURCE,
                scope=scope,
                todo="capture it with a live sweep, or replay the folder that holds it",
            )
        return found

    def _wider(self, request: Mapping[str, str]) -> Capture | None:
        asked = _windowed(request)
        if asked is None:
            return None
        others, start, end = asked
        for stored, one in reversed(self._windows):
            held = _windowed(stored)
            if held and held[0] == others and held[1] <= start and end <= held[2]:
                return one
        return None


def _key(request: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, text) for name, text in request.items() if name not in _BESIDE))


def _windowed(request: Mapping[str, str]) -> tuple[object, datetime, datetime] | None:
    """Return all of a request but the span `created:A..B` of its search phrase, and that span; None if it has none.

    https://docs.github.com/en/organizations/keeping-your-organization-secure/managing-security-settings-for-your-organization/reviewing-the-audit-log-for-your-organization#search-based-on-time-of-action
    """
    path, _, query = request.get("path", "").partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    words = [word for name, value in pairs if name == "phrase" for word in value.split()]
    spans = [word for word in words if word.startswith(_CREATED)]
    if len(spans) != 1:
        return None
    first, dots, last = spans[0].removeprefix(_CREATED).partition("..")
    start, end = _moment(first, timedelta()), _moment(last, timedelta(days=1))
    if not dots or start is None or end is None:
        return None
    others = (
        [(name, text) for name, text in _key(request) if name != "path"],
        path,
        [pair for pair in pairs if pair[0] != "phrase"],
        sorted(word for word in words if word != spans[0]),
    )
    return others, start, end


def _moment(text: str, of_a_day: timedelta) -> datetime | None:
    """Return the moment (UTC); a day without a time stands for its start, plus this much."""
    try:
        moment = datetime.fromisoformat(text)
        if len(text) <= len("2026-03-10"):
            moment += of_a_day
    except (ValueError, OverflowError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)

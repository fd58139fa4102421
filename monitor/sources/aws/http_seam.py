"""The one seam through which AWS is asked: what it answers is captured byte for byte, and captures can answer in its place.

Both ways hang on botocore's events, so the source in between is the same code, live or replayed.
https://docs.aws.amazon.com/botocore/latest/topics/events.html
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders

from monitor.errors import Unavailable
from monitor.model import Capture

SOURCE = "aws"
_KEPT = "monitor.request"
_TIMES = ("StartTime", "EndTime")
_CREDENTIAL_SERVICES = frozenset({"sts", "sso", "sso-oidc", "signin"})


def canonical_request(params: Mapping[str, Any]) -> dict[str, str]:
    """Return an operation's parameters as sorted text: times in UTC with Z, what is nested as compact JSON."""
    return {name: _text(value) for name, value in sorted(params.items()) if value is not None}


def record_into(
    client: BaseClient, sink: Callable[[Capture], None], scope: str, clock: Callable[[], datetime]
) -> Callable[[], None]:
    """Give the sink every final answer (errors too, retried attempts not) that the client gets; return how to stop that.

    Kept are the operation's parameters, the status and the body; never a header, so no signature and no token. Streamed
    objects pass by. ValueError for a service that answers with credentials: those must never be stored.
    """
    service = client.meta.service_model.service_name
    if service in _CREDENTIAL_SERVICES:
        raise ValueError(f"answers of {service} hold credentials and must not be captured")

    def keep(params: Mapping[str, Any], context: dict[str, Any], **_: Any) -> None:
        context[_KEPT] = canonical_request(params)

    def capture(http_response: AWSResponse, model: Any, context: Mapping[str, Any], **_: Any) -> None:
        if model.has_streaming_output or model.has_event_stream_output:
            return
        sink(
            Capture(
                source=SOURCE,
                name=f"{service}:{model.name}",
                scope=scope,
                request=context.get(_KEPT, {}),
                status=http_response.status_code,
                at=clock(),
                body=http_response.content,
            )
        )

    hooks = (("provide-client-params", keep), ("after-call", capture))
    for event, hook in hooks:
        client.meta.events.register(event, hook)

    def stop() -> None:
        for event, hook in hooks:
            client.meta.events.unregister(event, hook)

    return stop


def replay(client: BaseClient, captures: Iterable[Capture], scope: str) -> None:
    """Let captures of this scope (`aws:account:region`) answer the client's calls; nothing goes over the network.

    A call is answered by the newest capture of the same operation and parameters; failing that, by one that differs only
    in a wider span of StartTime and EndTime. Where there is none the call raises Unavailable.
    """
    service = client.meta.service_model.service_name
    stored: dict[str, list[Capture]] = {}
    for one in sorted(captures, key=lambda c: c.at):
        if one.scope == scope:
            stored.setdefault(one.name, []).append(one)
    asked = threading.local()

    def keep(params: Mapping[str, Any], **_: Any) -> None:
        # Parameters and the request meet in no event's arguments, but each call stays in its thread.
        asked.request = canonical_request(params)

    def answer(request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse:
        name = f"{service}:{event_name.rpartition('.')[2]}"
        found = _matching(stored.get(name, []), asked.request)
        if found is None:
            raise Unavailable(
                f"{name} {json.dumps(asked.request)} in {scope} is not among the captures",
                source=SOURCE,
                scope=scope,
                todo="capture it with a live sweep, or replay the folder that holds it",
            )
        return AWSResponse(request.url, found.status, HTTPHeaders(), _Stored(found.body))

    def never_again(**_: Any) -> bool:
        return False  # the stored answer is final: asking again would only wait

    events: Any = client.meta.events  # the stubs know of no hook that answers
    events.register("provide-client-params", keep)
    events.register_first("before-send", answer)
    events.register_first("needs-retry", never_again)


class _Stored(io.BytesIO):
    """Stored bytes in the shape in which urllib3 gives a body to botocore."""

    def stream(self, *_: Any, **__: Any) -> Iterator[bytes]:
        yield self.read()


def _matching(captures: list[Capture], request: dict[str, str]) -> Capture | None:
    exact = [one for one in captures if one.request == request]
    wider = [one for one in captures if _spans(one.request, request)]
    found = exact or wider
    return found[-1] if found else None


def _spans(stored: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    if not all(name in both for name in _TIMES for both in (stored, asked)):
        return False
    others = [{name: value for name, value in both.items() if name not in _TIMES} for both in (stored, asked)]
    within = stored["StartTime"] <= asked["StartTime"] and asked["EndTime"] <= stored["EndTime"]
    return others[0] == others[1] and within


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, datetime):
        aware = value if value.tzinfo else value.replace(tzinfo=UTC)
        return aware.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=_text)

"""The webhook sink: each message as one JSON document, signed, by POST.

A receiver can tell a repetition by `Idempotency-Key`, which is the message's id: what is posted again is the same, byte for
byte. https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/

`Monitor-Signature: t=SECONDS,v1=HEX` is the HMAC-SHA256, by the endpoint's secret, of `SECONDS.BODY`. A receiver compares
it in constant time, and refuses what is older than a few minutes: nobody else can post, and nobody can post it again later.
"""

from __future__ import annotations

import email.utils
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import httpx2
import msgspec

from monitor.alerts.notes import Message
from monitor.alerts.port import Delivered, Thread, Undelivered

VERSION = 1
SIGNATURE = "Monitor-Signature"
_GONE = (404, 410)
_REFUSED = (400, 405, 413, 415, 422, 431)
_TODO = "see what the endpoint says of it; then: monitor alerts retry"
_ENCODER = msgspec.json.Encoder(order="deterministic")


class Endpoint(msgspec.Struct, frozen=True):
    """Where a webhook is, and the secret that signs what goes there. Neither is ever shown: an address may be a secret."""

    url: str
    secret: bytes

    def __repr__(self) -> str:
        return "Endpoint(…)"


class WebhookSink:
    """Delivers messages to endpoints by their names. Redirects are not followed; each step has `timeout` seconds."""

    name = "webhook"

    def __init__(
        self, endpoints: Mapping[str, Endpoint], *, clock: Callable[[], datetime], timeout: float = 10.0
    ) -> None:
        self._endpoints = dict(endpoints)
        self._clock = clock
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(timeout),
            follow_redirects=False,
            headers={"User-Agent": "control-monitor", "Content-Type": "application/json"},
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def find(self, message: Message, thread: Thread | None) -> Delivered | None:
        """Return None: a webhook cannot be asked. The receiver folds what comes twice, by its key."""
        return None

    def deliver(self, message: Message, thread: Thread | None) -> Delivered:
        """Post it, and return its id as its reference. Raises Undelivered."""
        endpoint = self._endpoints.get(message.target)
        if endpoint is None:
            raise Undelivered(
                f"there is no webhook {message.target!r}"[:200],
                todo="name it in alerts.webhook.endpoints",
                permanent=True,
            )
        body = document(message)
        now = self._clock()
        headers = {
            "Idempotency-Key": f'"{message.id}"',
            SIGNATURE: signature(endpoint.secret, body, int(now.timestamp())),
        }
        try:
            with self._client.stream("POST", endpoint.url, content=body, headers=headers) as answer:
                status, told = answer.status_code, answer.headers
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ValueError) as error:
            # The text may hold the address, which may be a secret.
            raise Undelivered(f"no answer: {type(error).__name__}", todo=_TODO) from None
        if 200 <= status < 300:
            return Delivered(message.id, message.id if message.finding_id else "")
        if status in (429, 503):
            wait = seconds(told.get("retry-after", ""), now)
            if status == 429 or wait is not None:
                raise Undelivered(f"answered {status}", retry_after=60.0 if wait is None else wait)
        if 300 <= status < 400:
            raise Undelivered(
                f"answered {status}; a redirect is not followed",
                todo="write the address that it leads to",
            )
        raise Undelivered(f"answered {status}", todo=_TODO, permanent=status in (*_GONE, *_REFUSED))


def document(message: Message) -> bytes:
    """Return the message as the JSON that is posted: the same bytes each time."""
    return _ENCODER.encode(
        {
            "version": VERSION,
            "id": message.id,
            "kind": message.kind.value,
            "finding_id": message.finding_id,
            "note": message.body,
        }
    )


def signature(secret: bytes, body: bytes, at: int) -> str:
    """Return the signature of a body at a time (seconds since 1970)."""
    digest = hmac.new(secret, b"%d." % at + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def seconds(retry_after: str, now: datetime) -> float | None:
    """Return how long to wait by a Retry-After header (seconds, or a date), or None where it says nothing.

    https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3
    """
    text = retry_after.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())

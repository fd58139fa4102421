"""google-auth's own requests, for tokens, over httpx2. Nothing that passes here is captured or logged.

Imported late: google-auth takes a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx2
from google.auth import exceptions, transport

from monitor.sources.gcp.transport import loopback

MAX_TOKEN_ANSWER = 2**20
_BUSY = (408, 429)


class Busy(exceptions.TransportError):
    """Whoever gives tokens asks to be asked later; `retry_after` is what its header says."""

    def __init__(self, status: int, retry_after: str) -> None:
        super().__init__(f"the token endpoint answers {status}", retryable=True)  # type: ignore[no-untyped-call]
        self.status = status
        self.retry_after = retry_after


class _Response(transport.Response):
    def __init__(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        self._status, self._headers, self._data = status, headers, data

    @property
    def status(self) -> int:
        return self._status

    @property
    def headers(self) -> Mapping[str, str]:
        return self._headers

    @property
    def data(self) -> bytes:
        return self._data

    def __repr__(self) -> str:
        return f"_Response(status={self._status})"


class TokenRequests(transport.Request):
    """What google-auth asks with. A proxy of the environment is honoured, but not for http://: that is a metadata server.

    It asks once: what is tried again is tried again by the adapter, as all else. Only a metadata server is google-auth's to
    ask again, since it may be slow to start.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._clients: dict[bool, httpx2.Client] = {}

    def close(self) -> None:
        """Close all connections."""
        for client in self._clients.values():
            client.close()

    def __call__(
        self,
        url: str,
        method: str = "GET",
        body: bytes | str | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        **_: Any,
    ) -> _Response:
        """Return the response. Raises TransportError, as google-auth expects it."""
        far = not url.startswith("http://")
        if not far and method == "POST" and not loopback(httpx2.URL(url).host):
            # What is signed, or vouched for by another cloud, goes over nobody's open wire.
            what = "http:// to the token endpoint would show the credential to everyone on the way"
            raise exceptions.RefreshError(what)  # type: ignore[no-untyped-call]
        client = self._clients.get(far)
        if client is None:
            # A client costs a fiftieth of a second, so each is made where it is needed.
            client = self._clients[far] = httpx2.Client(follow_redirects=False, trust_env=far)
        content = body.encode() if isinstance(body, str) else body
        try:
            with client.stream(
                method, url, content=content, headers=dict(headers or {}), timeout=timeout or self._timeout
            ) as response:
                data = bytearray()
                for chunk in response.iter_bytes(65536):
                    data += chunk
                    if len(data) > MAX_TOKEN_ANSWER:
                        raise _failed(f"an answer of more than {MAX_TOKEN_ANSWER} bytes")
                found = _Response(response.status_code, dict(response.headers.items()), bytes(data))
        except (httpx2.TransportError, httpx2.DecodingError, httpx2.StreamError, httpx2.InvalidURL) as failed:
            kind = type(failed).__name__
        else:
            if method == "POST" and (found.status >= 500 or found.status in _BUSY):
                raise Busy(found.status, found.headers.get("retry-after", ""))
            return found
        # Outside of the handler: the error's text may hold an address with a password, or what was sent.
        raise _failed(kind)


def _failed(what: str) -> exceptions.TransportError:
    return exceptions.TransportError(what, retryable=True)  # type: ignore[no-untyped-call]

"""One request over HTTP: sent, followed when it has moved within the same host, read to the end or refused."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Callable
from datetime import datetime
from urllib.parse import urljoin

import httpx2

from monitor.errors import ConfigError, Malformed, Unavailable
from monitor.sources.github.wire import GRAPHQL, MAX_BODY, SOURCE, Again, Question, Reply, below

# Both GitHub.com and every supported GitHub Enterprise Server speak this version; they default to it.
# https://docs.github.com/en/rest/about-the-rest-api/api-versions
API_VERSION = "2022-11-28"
MAX_MOVES = 3
_LONGEST = 10
_GHES = "/api/v3"
_HOST = re.compile(r"[A-Za-z0-9.:-]+", re.ASCII)
_MOVED = {"GET": (301, 302, 307, 308), "POST": (307, 308)}


class Transport:
    """The connection pool of one API address. Thread-safe; `requests` counts what went out."""

    def __init__(self, api: str, *, timeout: float, clock: Callable[[], datetime]) -> None:
        """Connect lazily. ConfigError for an address that is no https:// one (http:// only on this machine)."""
        self._api = address(api)
        self.prefix = self._api.path.rstrip("/")
        self._timeout = timeout
        self._clock = clock
        self._count = threading.Lock()
        self.requests = 0
        # A proxy of the environment is honoured, but what is asked of this machine stays on it.
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(timeout),
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=16),
            follow_redirects=False,
            trust_env=self._api.scheme == "https",
            headers={
                "Accept": "application/vnd.github+json",
                "X-GitHub-Api-Version": API_VERSION,
                "User-Agent": "control-monitor",
            },
        )

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, ask: Question, authorization: str) -> Reply:
        """Return the reply of one request, and of those to which it was moved: three at most, on the same host.

        Raises Again for a network that fails, and for an answer that is cut off or takes too long; Malformed for one that
        is too large; Unavailable for a move that may not be followed.
        """
        url = self._url(ask)
        for _ in range(MAX_MOVES + 1):
            reply = self._sent(ask, url, authorization)
            if reply.status not in _MOVED[ask.method]:
                return reply
            url = self._moved(ask, url, reply)
        raise Unavailable(f"{ask.name}: moved more than {MAX_MOVES} times", source=SOURCE, scope=ask.scope)

    def _url(self, ask: Question) -> httpx2.URL:
        prefix = self.prefix
        if ask.path == GRAPHQL and prefix.endswith(_GHES):
            prefix = prefix.removesuffix("/v3")
        return self._api.copy_with(raw_path=f"{prefix}{ask.path}".encode("ascii"))

    def _moved(self, ask: Question, url: httpx2.URL, reply: Reply) -> httpx2.URL:
        try:
            target = httpx2.URL(urljoin(str(url), reply.headers.get("location", "")))
        except (httpx2.InvalidURL, ValueError):
            target = httpx2.URL("")
        same = (target.scheme, target.host, target.port) == (url.scheme, url.host, url.port)
        if not same or target.userinfo or not below(str(target), self.prefix):
            # The credential goes to nobody else.
            raise Unavailable(
                f"{ask.name}: moved to another host or out of the API, which is not followed",
                source=SOURCE,
                scope=ask.scope,
                todo="if GitHub itself has moved, set the new address of its API",
            )
        return target

    def _sent(self, ask: Question, url: httpx2.URL, authorization: str) -> Reply:
        headers = {"Authorization": authorization}
        if ask.content is not None:
            headers["Content-Type"] = "application/json"
        with self._count:
            self.requests += 1
        started = self._clock()
        try:
            with self._client.stream(ask.method, url, content=ask.content, headers=headers) as response:
                body = self._read(ask, response, started)
                return Reply(
                    status=response.status_code,
                    body=body,
                    headers={name.lower(): value for name, value in response.headers.items()},
                )
        except (httpx2.TransportError, httpx2.DecodingError, httpx2.StreamError) as failed:
            # Only the kind is told: the text may hold the address of a proxy with its password.
            kind = type(failed).__name__
        raise Again(
            f"{ask.name}: {kind}", source=SOURCE, scope=ask.scope, todo=f"see whether {self._api.host} can be reached"
        )

    def _read(self, ask: Question, response: httpx2.Response, started: datetime) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes(65536):
            body += chunk
            if len(body) > MAX_BODY:
                raise Malformed(
                    f"{ask.name}: the answer is larger than {MAX_BODY} bytes", source=SOURCE, scope=ask.scope
                )
            if (self._clock() - started).total_seconds() > self._timeout * _LONGEST:
                raise Again(f"{ask.name}: the answer trickles in too slowly", source=SOURCE, scope=ask.scope)
        return bytes(body)


def address(api: str) -> httpx2.URL:
    """Return the API's address. ConfigError if it is no plain https:// address, or http:// beyond this machine."""
    todo = "set the API's address, such as https://api.github.com or https://HOST/api/v3"
    try:
        url = httpx2.URL(api.strip().rstrip("/"))
    except (httpx2.InvalidURL, ValueError, TypeError):
        url = httpx2.URL("")
    whole = _HOST.fullmatch(url.host) and (url.port or 1) < 2**16 and url.scheme in ("https", "http")
    if not whole or url.userinfo or url.query or url.fragment:
        # Not repeated: it may hold a password.
        raise ConfigError("the address of GitHub's API is not one", todo=todo)
    if url.scheme == "http" and not _loopback(url.host):
        raise ConfigError(f"http:// to {url.host} would show the credential to everyone on the way", todo=todo)
    return url


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

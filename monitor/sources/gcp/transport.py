"""One request over HTTP: sent to the host of its service, read to the end or refused."""

from __future__ import annotations

import ipaddress
import re
import threading
from collections.abc import Callable, Mapping
from datetime import datetime

import httpx2

from monitor.errors import ConfigError, Malformed
from monitor.sources.gcp.wire import MAX_BODY, SOURCE, Again, Question, Reply

API = "https://{service}.googleapis.com"
SERVICE = "{service}"
SERVICES = ("iam", "cloudresourcemanager", "logging", "storage")
_STORED = "x-goog-stored-content-encoding"
_LONGEST = 10
_HOST = re.compile(r"[A-Za-z0-9.:-]+", re.ASCII)


class Transport:
    """The connection pool of Google Cloud's APIs. Thread-safe; `requests` counts what went out."""

    def __init__(self, api: str, *, timeout: float, clock: Callable[[], datetime]) -> None:
        """Connect lazily. ConfigError for an address that is no https:// one (http:// only on this machine)."""
        self._hosts = {service: address(api, service) for service in SERVICES}
        self._timeout = timeout
        self._clock = clock
        self._count = threading.Lock()
        self.requests = 0
        # A proxy of the environment is honoured, but what is asked of this machine stays on it.
        self._client = httpx2.Client(
            timeout=httpx2.Timeout(timeout),
            limits=httpx2.Limits(max_connections=32, max_keepalive_connections=16),
            follow_redirects=False,
            trust_env=self._hosts["iam"].scheme == "https",
            headers={"Accept": "application/json", "User-Agent": "control-monitor"},
        )

    @property
    def host(self) -> str:
        """Return the host by which captures name where they come from."""
        return self._hosts["iam"].netloc.decode("ascii")

    def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def send(self, ask: Question, authorization: Mapping[str, str]) -> Reply:
        """Return the reply of one request. The APIs never move, so a redirect is not followed.

        Raises Again for a network that fails, and for an answer that is cut off or takes too long; Malformed for one that
        is too large.
        """
        host = self._hosts[ask.service]
        url = host.copy_with(raw_path=f"{host.path.rstrip('/')}{ask.path}".encode("ascii"))
        headers = {**ask.headers, **authorization}
        with self._count:
            self.requests += 1
        started = self._clock()
        try:
            with self._client.stream(ask.method, url, content=ask.sent, headers=headers) as response:
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
            f"{ask.told}: {kind}", source=SOURCE, scope=ask.scope, todo=f"see whether {host.host} can be reached"
        )

    def _read(self, ask: Question, response: httpx2.Response, started: datetime) -> bytes:
        body = bytearray()
        most = ask.most or MAX_BODY
        # An error may be compressed on its way as any answer; so may an object that is stored as it is.
        stored = ask.stored and response.is_success and response.headers.get(_STORED) != "identity"
        for chunk in response.iter_raw(65536) if stored else response.iter_bytes(65536):
            body += chunk
            if len(body) > most:
                what = f"{ask.told}: the answer is larger than {most} bytes"
                raise Malformed(what, source=SOURCE, scope=ask.scope)
            if (self._clock() - started).total_seconds() > self._timeout * _LONGEST:
                raise Again(f"{ask.told}: the answer trickles in too slowly", source=SOURCE, scope=ask.scope)
        return bytes(body)


def address(api: str, service: str) -> httpx2.URL:
    """Return the address of a service's API: the template with the service's name in it, or one root for all services.

    https://{service}-ENDPOINT.p.googleapis.com is how Private Service Connect names it:
    https://cloud.google.com/vpc/docs/about-accessing-google-apis-endpoints. ConfigError if it is no plain https:// address,
    or http:// beyond this machine.
    """
    todo = f"set the APIs' address, such as {API}"
    try:
        url = httpx2.URL(api.strip().rstrip("/").replace(SERVICE, service))
    except (httpx2.InvalidURL, ValueError, TypeError):
        url = httpx2.URL("")
    whole = _HOST.fullmatch(url.host) and (url.port or 1) < 2**16 and url.scheme in ("https", "http")
    if not whole or url.userinfo or url.query or url.fragment:
        # Not repeated: it may hold a password.
        raise ConfigError("the address of Google Cloud's APIs is not one", todo=todo)
    if url.scheme == "http" and not loopback(url.host):
        raise ConfigError(f"http:// to {url.host} would show the credential to everyone on the way", todo=todo)
    return url


def loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"

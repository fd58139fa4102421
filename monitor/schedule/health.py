"""Where a service answers for itself: /healthz (it lives), /readyz (it could work), /metrics (what it has done).

There is no authentication, nothing from outside is shown but names of checks and schedules, and no request changes anything:
listen on loopback, or where only the watchers reach.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from monitor.errors import ConfigError, EvidenceError, IntegrityError, MonitorError
from monitor.evidence.log import archive_path
from monitor.evidence.reader import read_checkpoint
from monitor.schedule.metrics import CONTENT_TYPE
from monitor.store.gauges import require_schema
from monitor.store.store import Store

Answer = tuple[HTTPStatus, str, str]
"""Status, content type, body."""
PLAIN = "text/plain; charset=utf-8"
_SECONDS = 15


class Health:
    """A small web server in threads of its own. Each page is a function, called anew for each request."""

    def __init__(self, listen: str, pages: Mapping[str, Callable[[], Answer]]) -> None:
        """Listen at once. Raises ConfigError where that cannot be."""
        host, _, port = listen.rpartition(":")
        host = host.strip("[]")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        server = type("Server", (ThreadingHTTPServer,), {"address_family": family, "daemon_threads": True})
        try:
            self._server: ThreadingHTTPServer = server((host, int(port)), _handler(dict(pages)))
        except (OSError, OverflowError) as error:
            raise ConfigError(
                f"nothing can listen at {listen}: {error}", todo="write another host and port in `schedules.listen`"
            ) from error
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    @property
    def address(self) -> str:
        """Return host and port, as they came to be where port 0 was asked for."""
        host, port = self._server.server_address[:2]
        name = host.decode() if isinstance(host, bytes) else str(host)
        return f"[{name}]:{port}" if ":" in name else f"{name}:{port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def readiness(store: Store, evidence: Path) -> Answer:
    """Return whether a sweep could work: database there, schema known, evidence log as new as the database."""
    try:
        require_schema(store)
        consistent(store, evidence)
    except MonitorError as error:
        return HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, f"not ready: {error.what}\n"
    return HTTPStatus.OK, PLAIN, "ready\n"


def consistent(store: Store, evidence: Path) -> None:
    """Raise IntegrityError unless the log holds what the database says was sealed last. Raises LedgerError too.

    A log that is newer is no fault: what was sealed and not recorded is recorded by the next sweep.
    """
    sealing = store.last_sealing()
    if sealing is None:
        return
    held = read_checkpoint(evidence)
    size = held[1].size if held else 0
    try:
        signed = (evidence / archive_path(sealing.log_size)).read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(f"the evidence log cannot be compared with the database: {error}") from error
    if size < sealing.log_size or signed != sealing.checkpoint:
        raise IntegrityError("the evidence log is not the one that the database knows, or an older copy of it")


def _handler(pages: dict[str, Callable[[], Answer]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "monitor"
        sys_version = ""
        timeout = _SECONDS

        def do_GET(self) -> None:
            page = pages.get(self.path.partition("?")[0])
            if page is None:
                self._answer(HTTPStatus.NOT_FOUND, PLAIN, "".join(f"{path}\n" for path in pages))
                return
            try:
                self._answer(*page())
            except MonitorError as error:
                self._answer(HTTPStatus.SERVICE_UNAVAILABLE, PLAIN, f"{error.what}\n")

        do_HEAD = do_GET

        def _answer(self, status: HTTPStatus, kind: str, text: str) -> None:
            body = text.encode("utf-8", "backslashreplace")
            with suppress(OSError):  # Who asked may have gone.
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.send_header("Cache-Control", "no-store")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Say nothing: a probe comes every few seconds."""

    return Handler


__all__ = ["CONTENT_TYPE", "PLAIN", "Answer", "Health", "consistent", "readiness"]

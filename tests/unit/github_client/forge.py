"""A forge on the loopback that answers as it is told, and a clock that only sleeping moves."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from monitor.model import Capture
from monitor.sources.github.client import GitHub, GitHubConnection, connect

AT = datetime(2026, 3, 14, 2, 0, tzinfo=UTC)
ORG = "example-org"
SCOPE = f"github:{ORG}/payments"
TOKEN = "ghp_0123456789exampleexampleexample0000"


@dataclass
class Time:
    """Thread-safe; `slept` has each pause, `told` each message, in order."""

    now: datetime = AT
    slept: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def clock(self) -> datetime:
        with self.lock:
            return self.now

    def sleep(self, seconds: float) -> None:
        with self.lock:
            self.now += timedelta(seconds=seconds)
            if seconds:
                self.slept.append(seconds)

    @property
    def passed(self) -> float:
        return (self.now - AT).total_seconds()


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Sent:
    """`cut`: the connection ends before the body does."""

    status: int = 200
    body: Any = b"[]"
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False

    @property
    def bytes(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Forge:
    api: str
    asked: list[Asked] = field(default_factory=list)

    def paths(self) -> list[str]:
        return [one.path for one in self.asked]


@contextmanager
def forge(answer: Callable[[Asked], Sent]) -> Iterator[Forge]:
    """Serve on the loopback; `answer` decides, and what was asked is kept in order."""
    served = Forge(api="")
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked = Asked(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            with lock:
                served.asked.append(asked)
                sent = answer(asked)
            content = sent.bytes
            self.send_response_only(sent.status)
            for name, value in {"Content-Type": "application/json", **sent.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) // 2] if sent.cut else content)
            self.close_connection = self.close_connection or sent.cut

        do_POST = do_GET

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        served.api = f"http://127.0.0.1:{server.server_port}"
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


def script(*answers: Sent) -> Callable[[Asked], Sent]:
    """Return an answerer that gives these one after the other, the last one for ever."""
    left = list(answers)
    return lambda asked: left.pop(0) if len(left) > 1 else left[0]


def client(
    api: str,
    time: Time | None = None,
    *,
    spool: Path | None = None,
    replay: list[Capture] | None = None,
    **settings: Any,
) -> GitHub:
    time = time or Time()
    settings = {"token": TOKEN, **settings}
    return connect(
        GitHubConnection(api=api, **settings),
        ORG,
        clock=time.clock,
        sleep=time.sleep,
        told=time.told.append,
        replay=replay,
        spool=spool,
    )

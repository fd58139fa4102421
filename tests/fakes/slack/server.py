"""Slack's Web API over HTTP on this machine: what the monitor uses of it, with faults by method.

Each fault of a method answers one call, in order. `accepted` faults act as if nothing were wrong, and only then fail.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.slack import methods
from tests.fakes.slack.socket import Socket
from tests.fakes.slack.world import World


@dataclass(frozen=True)
class Fault:
    """`status` and `body` are answered instead; `accepted`: after the call has been done; `hang`, `drop`: no answer at all."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    accepted: bool = False
    hang: bool = False
    drop: bool = False


def told(error: str, **more: Any) -> Fault:
    return Fault(body=json.dumps({"ok": False, "error": error, **more}).encode())


def limited(seconds: int | None = 7) -> Fault:
    headers = {} if seconds is None else {"Retry-After": str(seconds)}
    return Fault(429, json.dumps({"ok": False, "error": "ratelimited"}).encode(), headers)


def broken(status: int = 500, accepted: bool = False) -> Fault:
    return Fault(status, b"<html>upstream request timeout</html>", {"Content-Type": "text/html"}, accepted=accepted)


HANGS_AFTER_ACCEPTING = Fault(accepted=True, hang=True)
DROPS_AFTER_ACCEPTING = Fault(accepted=True, drop=True)
DROPS = Fault(drop=True)


@dataclass(frozen=True)
class Call:
    method: str
    arguments: dict[str, Any]
    token: str


class SlackFake:
    """A server for one world; use it as a context manager."""

    def __init__(self, world: World | None = None) -> None:
        self.world = world or World()
        self.calls: list[Call] = []
        self.faults: dict[str, deque[Fault]] = defaultdict(deque)
        self.socket = Socket()
        self._closing = threading.Event()
        self._answered = threading.Condition()
        self._done: list[str] = []
        fake = self

        class Handler(_Handler):
            slack = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/api/"

    @property
    def link(self) -> str:
        return f"ws://127.0.0.1:{self._server.server_port}/link?ticket=1"

    def fault(self, method: str, *faults: Fault) -> None:
        self.faults[method].extend(faults)

    def called(self, method: str) -> list[dict[str, Any]]:
        return [call.arguments for call in self.calls if call.method == method]

    def answer(self, call: Call) -> tuple[Fault | None, dict[str, Any], dict[str, str]]:
        """Return the fault that there is for this call, and otherwise what it is answered."""
        with self.world.lock:
            self.calls.append(call)
            waiting = self.faults.get(call.method)
            fault = waiting.popleft() if waiting else None
            if fault is not None and not fault.accepted:
                return fault, {}, {}
            body = methods.answer(self, call)
            headers = {"X-OAuth-Scopes": ",".join(self.world.scopes)}
            if body.get("error") == "ratelimited":
                return limited(1), {}, {}
            return fault, body, headers

    def await_call(self, method: str, seconds: float = 10) -> bool:
        """Return whether a call of the method has been answered, within so many seconds."""
        with self._answered:
            return self._answered.wait_for(lambda: method in self._done, seconds)

    def answered(self, method: str) -> None:
        with self._answered:
            self._done.append(method)
            self._answered.notify_all()

    def wait_to_close(self) -> None:
        self._closing.wait(30)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self.socket.close()
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    slack: SlackFake

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.headers.get("Content-Type", "").startswith("application/json"):
            arguments = json.loads(data)
        else:
            # Forms carry lists and objects as JSON, and flags as 1 and 0.
            arguments = dict(parse_qsl(data.decode()))
        method = url.path.removeprefix("/api/")
        fault, body, headers = self.slack.answer(Call(method, arguments, token))
        self.slack.answered(method)
        if fault is not None and fault.hang:
            self.slack.wait_to_close()
        if fault is not None and (fault.hang or fault.drop):
            self.close_connection = True
            return
        if fault is not None:
            self._send(fault.status, fault.body, {"Content-Type": "application/json", **fault.headers})
            return
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json; charset=utf-8", **headers})

    def do_GET(self) -> None:
        self.close_connection = True
        self.slack.socket.serve(self)

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass

"""A webhook's receiver: a real HTTP server on the loopback, which folds by key, and can take a message and yet say no."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self


class Posted(NamedTuple):
    path: str
    key: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Answer(NamedTuple):
    """What is answered. `takes`: the message counts as taken all the same; `slow` seconds pass before; `cut`: no answer."""

    status: int = 200
    takes: bool = True
    headers: dict[str, str] = {}
    slow: float = 0.0
    cut: bool = False


class Receiver:
    """Serves until it is left. `answers` decides by the number of the request (from 1) and what was posted."""

    def __init__(self, answers: Callable[[int, Posted], Answer] = lambda number, posted: Answer()) -> None:
        self.answers = answers
        self.posted: list[Posted] = []
        self.taken: list[Posted] = []
        """What a receiver that folds by key has taken, in order, each once."""
        self.fold_by_path = False
        """Whether each path is a receiver of its own."""
        self._lock = threading.Lock()
        self.released = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                headers = {name.lower(): value for name, value in self.headers.items()}
                posted = Posted(self.path, headers.get("idempotency-key", "").strip('"'), headers, body)
                answer = receiver.take(posted)
                if answer.slow:
                    receiver.released.wait(answer.slow)
                if answer.cut:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                """Tell the keys of all that was taken, as a service would that can be asked."""
                body = json.dumps([one.key for one in receiver.taken if one.path == self.path]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except OSError:
                    pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    def take(self, posted: Posted) -> Answer:
        with self._lock:
            self.posted.append(posted)
            answer = self.answers(len(self.posted), posted)
            if answer.takes and self._name(posted) not in {self._name(one) for one in self.taken}:
                self.taken.append(posted)
            return answer

    def _name(self, posted: Posted) -> tuple[str, str]:
        return posted.path if self.fold_by_path else "", posted.key

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def wait_until(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Return as soon as it holds; fail if it does not within the time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came to hold"
        time.sleep(0.005)

"""A GitHub that is a real HTTP server on the loopback: pages, tokens, limits, and faults on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes.github.graph import Graph
from tests.fakes.github.rest import Rest
from tests.fakes.github.world import World

Fault = tuple[int, dict[str, str], bytes]
Faults = Callable[[str, str, int], "Fault | None"]
"""Given method, path and the number of the request: what is answered instead; None for the truth. Header `Cut: off`: only half."""
TOKEN = "ghs_exampleinstallationtoken"
INSTALLATION = 4242


class GitHubFake:
    """Serves a world until it is left. `requests` tells what was asked; `latency` is slept before each answer (seconds)."""

    def __init__(self, world: World, *, port: int = 0, latency: float = 0.0, faults: Faults | None = None) -> None:
        self.world = world
        self.latency = latency
        self.faults = faults
        self.requests: list[tuple[str, str]] = []
        self.budget = 15000
        """Requests that are left until the limit is reset."""
        self.reset = 4102444800
        self.rewrite: Callable[[str, bytes], bytes] | None = None
        """Given the path and a true answer of 200: what is sent instead."""
        self.app_token_lifetime = "2099-01-01T00:00:00Z"
        self.scopes = "repo, read:org, read:audit_log"
        self._lock = threading.Lock()
        fake = self

        class Handler(_Handler):
            owner = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def counted(self, method: str, path: str) -> int:
        with self._lock:
            self.requests.append((method, path))
            self.budget -= 1
            return len(self.requests)

    @property
    def rate(self) -> dict[str, Any]:
        from datetime import UTC, datetime

        reset = datetime.fromtimestamp(self.reset, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return {"limit": 15000, "remaining": max(self.budget, 0), "used": 15000 - self.budget, "resetAt": reset}


class _Handler(BaseHTTPRequestHandler):
    owner: GitHubFake
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET", b"")

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, method: str, body: bytes) -> None:
        fake = self.owner
        parts = urlsplit(self.path)
        path = parts.path.removeprefix("/api/v3").replace("/api/graphql", "/graphql")
        number = fake.counted(method, self.path)
        if fake.latency:
            time.sleep(fake.latency)
        if fake.faults and (fault := fake.faults(method, self.path, number)):
            self._send(*fault)
            return
        if not self.headers.get("Authorization"):
            self._json(401, {"message": "Requires authentication"})
        elif fake.budget < 0:
            self._json(403, {"message": "API rate limit exceeded for installation."})
        elif path == "/graphql":
            asked = json.loads(body)
            self._json(200, Graph(fake.world).answer(asked["query"], asked.get("variables") or {}, fake.rate))
        else:
            self._rest(method, path, dict(parse_qsl(parts.query)))

    def _rest(self, method: str, path: str, query: dict[str, str]) -> None:
        fake = self.owner
        if path == "/user" or path == "/rate_limit":
            found = {"login": "owner-bot", "id": 1} if path == "/user" else {"resources": {}, "rate": fake.rate}
            scopes = {"X-OAuth-Scopes": fake.scopes} if self.headers["Authorization"].endswith("classic") else {}
            self._json(200, found, scopes)
        elif path.endswith("/installation"):
            self._json(200, {"id": INSTALLATION, "permissions": fake.world.permissions, **self._selection()})
        elif method == "POST" and path.endswith("/access_tokens"):
            token = {"token": TOKEN, "expires_at": fake.app_token_lifetime, "permissions": fake.world.permissions}
            self._json(201, {**token, **self._selection()})
        else:
            status, answer = Rest(fake.world).answer(path, query)
            self._paged(status, answer, path, query)

    def _selection(self) -> dict[str, str]:
        return {"repository_selection": "selected" if self.owner.world.selected else "all"}

    def _paged(self, status: int, answer: Any, path: str, query: dict[str, str]) -> None:
        """Cut a list into pages, with the Link header: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api"""
        listed = answer if isinstance(answer, list) else None
        key = next(
            (k for k in ("environments", "branch_policies", "commits") if isinstance(answer, dict) and k in answer),
            None,
        )
        if key:
            listed = answer[key]
        if status != 200 or listed is None:
            self._json(status, answer)
            return
        size = min(int(query.get("per_page", 30)), 100)
        cursor = "after" if path.endswith(("/activity", "/audit-log")) else "page"
        page = int(query.get(cursor, 0 if cursor == "after" else 1)) - (cursor == "page")
        part = listed[page * size : (page + 1) * size]
        headers = {}
        if (page + 1) * size < len(listed):
            following = urlencode({**query, cursor: str(page + 1 + (cursor == "page"))})
            headers["Link"] = f'<{self.owner.url}{urlsplit(self.path).path}?{following}>; rel="next"'
        self._json(200, {**answer, key: part} if key else part, headers)

    def _json(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, headers or {}, json.dumps(answer).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        fake = self.owner
        headers, cut = dict(headers), headers.get("Cut") == "off"
        headers.pop("Cut", None)
        if status == 200 and fake.rewrite:
            body = fake.rewrite(self.path, body)
        self.send_response(status)
        limits = {
            "Content-Type": "application/json; charset=utf-8",
            "X-RateLimit-Limit": "15000",
            "X-RateLimit-Remaining": str(max(fake.budget, 0)),
            "X-RateLimit-Reset": str(fake.reset),
            "X-RateLimit-Used": str(15000 - fake.budget),
            "X-RateLimit-Resource": "core",
        }
        for name, value in {**limits, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

"""A GitHub that is a real HTTP server on the loopback: pages, tokens, limits, and faults on request."""

from __future__ import annotations

import dataclasses
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes.github.app import Refused, accepted, asked_for, claims_of
from tests.fakes.github.faults import CUT, SLOW, Fault
from tests.fakes.github.graph import Graph
from tests.fakes.github.rest import Rest
from tests.fakes.github.world import World

Faults = Callable[[str, str, int], "Fault | None"]
"""Given method, path and the number of the request: what is answered instead; None for the truth. `faults.py` has them by name."""
TOKEN = "ghs_exampleinstallationtoken"
INSTALLATION = 4242
PARTS = ("commits", "environments", "branch_policies", "repositories", "secrets")
"""Lists that are part of an object, beside their count."""


class GitHubFake:
    """Serves a world until it is left. `requests` tells what was asked; `latency` is slept before each answer (seconds)."""

    def __init__(
        self,
        world: World,
        *,
        port: int = 0,
        latency: float = 0.0,
        faults: Faults | None = None,
        app_key: bytes | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`app_key` is the public key (PEM) of the app: with it, each assertion of the app is checked by `clock` (UTC)."""
        self.app_key = app_key
        self.clock = clock
        self.tokens: dict[str, dict[str, str]] = {}
        """Tokens that may do something else than the world says: their permissions."""
        self.revoked: set[str] = set()
        self.priced = False
        """Whether a query of GraphQL costs its points, not one as every request does."""
        self.kinds: list[str] = []
        """How each request was authorised: none, app, installation or token."""
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

    def counted(self, method: str, path: str, kind: str) -> int:
        with self._lock:
            self.requests.append((method, path))
            self.kinds.append(kind)
            self.budget -= 1
            return len(self.requests)

    def pay(self, points: int) -> dict[str, Any]:
        """Take the price of a query, of which one point is paid already."""
        points = points if self.priced else 1
        with self._lock:
            self.budget -= points - 1
        return {**self.rate, "cost": points}

    @property
    def rate(self) -> dict[str, Any]:
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
        # An Enterprise Server is below /api.
        self.prefix = "/api/v3" if parts.path.startswith("/api/v3") else ""
        path = parts.path.removeprefix("/api/v3").replace("/api/graphql", "/graphql")
        self.token = (self.headers.get("Authorization") or "").partition(" ")[2]
        self.resource = "graphql" if path == "/graphql" else "core"
        number = fake.counted(method, self.path, _kind(self.token))
        if fake.latency:
            time.sleep(fake.latency)
        if fake.faults and (fault := fake.faults(method, self.path, number)):
            self._send(*fault)
            return
        if not self.token:
            self._json(401, {"message": "Requires authentication", "status": "401"})
        elif self.token in fake.revoked:
            self._json(401, {"message": "Bad credentials", "status": "401"})
        elif fake.budget < 0 and path != "/rate_limit":
            self._json(403, {"message": "API rate limit exceeded for installation."})
        elif path == "/graphql":
            self._graphql(body)
        elif asked_for(path):
            self._app(method, path, body)
        elif path in ("/user", "/rate_limit"):
            self._caller(path)
        else:
            query = dict(parse_qsl(parts.query))
            status, answer = Rest(self._world()).answer(path, query)
            self._paged(status, answer, path, query)

    def _world(self) -> World:
        """Return the world as the token may see it."""
        permissions = self.owner.tokens.get(self.token)
        return (
            self.owner.world if permissions is None else dataclasses.replace(self.owner.world, permissions=permissions)
        )

    def _graphql(self, body: bytes) -> None:
        try:
            asked = json.loads(body)
            query, variables = asked["query"], asked.get("variables") or {}
        except (ValueError, KeyError, TypeError):
            self._json(400, {"message": "Problems parsing JSON"})
            return
        self._json(200, Graph(self._world()).answer(query, variables, self.owner.pay))

    def _caller(self, path: str) -> None:
        """Tell who asks: an installation is nobody."""
        fake = self.owner
        if path == "/rate_limit":
            told = fake.rate
            rate = {k: told[k] for k in ("limit", "remaining", "used")} | {"reset": fake.reset}
            self._json(200, {"resources": {"core": rate, "graphql": rate, "search": rate}, "rate": rate})
        elif _kind(self.token) == "installation":
            self._json(403, {"message": "Resource not accessible by integration", "status": "403"})
        else:
            scopes = {"X-OAuth-Scopes": fake.scopes} if self.token.endswith("classic") else {}
            self._json(200, {"login": "owner-bot", "id": 1, "type": "User"}, scopes)

    def _app(self, method: str, path: str, body: bytes) -> None:
        """Answer an app about itself: https://docs.github.com/en/rest/apps/apps"""
        fake = self.owner
        try:
            claims = claims_of(self.token, fake.app_key, fake.clock()) if fake.app_key else {"iss": "7"}
        except Refused as refused:
            self._json(401, {"message": str(refused), "status": "401"})
            return
        held = {"permissions": fake.world.permissions, **self._selection()}
        account = {"login": fake.world.organisation, "id": 900, "type": "Organization"}
        installation = {
            "id": INSTALLATION,
            "account": account,
            "app_id": int(claims["iss"]) if str(claims["iss"]).isdigit() else 7,
            "app_slug": "control-monitor",
            "target_type": "Organization",
            "suspended_at": None,
            **held,
        }
        if path == "/app":
            self._json(
                200, {"id": installation["app_id"], "slug": "control-monitor", "permissions": held["permissions"]}
            )
        elif path == "/app/installations":
            self._paged(200, [installation], path, {})
        elif path.endswith("/access_tokens"):
            if method != "POST" or path != f"/app/installations/{INSTALLATION}/access_tokens":
                self._json(404, {"message": "Not Found", "status": "404"})
                return
            self._json(201, {"token": TOKEN, "expires_at": fake.app_token_lifetime, **held})
        elif path.lower() == f"/orgs/{fake.world.organisation}/installation".lower():
            self._json(200, installation)
        else:
            self._json(404, {"message": "Not Found", "status": "404"})

    def _selection(self) -> dict[str, str]:
        world = self.owner.world
        return {"repository_selection": "selected" if world.selected or world.hidden else "all"}

    def _paged(self, status: int, answer: Any, path: str, query: dict[str, str]) -> None:
        """Cut a list into pages, with the Link header: https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api"""
        listed = answer if isinstance(answer, list) else None
        key = next((k for k in PARTS if isinstance(answer, dict) and k in answer), None)
        if key:
            listed = answer[key]
        if status != 200 or listed is None:
            needed = accepted(path) if status in (403, 404) else ""
            self._json(status, answer, {"X-Accepted-GitHub-Permissions": needed} if needed else {})
            return
        size = min(int(query.get("per_page", 30)), 100)
        cursor = "after" if path.endswith(("/activity", "/audit-log")) else "page"
        page = int(query.get(cursor, 0 if cursor == "after" else 1)) - (cursor == "page")
        part = listed[page * size : (page + 1) * size]
        headers = {}
        if (page + 1) * size < len(listed):
            # Real links name repositories and organisations by id, whatever was asked.
            base = self.owner.url + self.prefix + Rest(self.owner.world).by_id(path)
            pages = {"next": page + 1}
            if cursor == "page":
                pages["last"] = (len(listed) - 1) // size
            headers["Link"] = ", ".join(
                f'<{base}?{urlencode({**query, cursor: str(to + (cursor == "page"))})}>; rel="{rel}"'
                for rel, to in pages.items()
            )
        self._json(200, {**answer, key: part} if key else part, headers)

    def _json(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        self._send(status, headers or {}, json.dumps(answer).encode())

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        fake = self.owner
        headers = dict(headers)
        cut = headers.pop(CUT, "") == "off"
        time.sleep(float(headers.pop(SLOW, 0)))
        if status == 200 and fake.rewrite:
            body = fake.rewrite(self.path, body)
        self.send_response(status)
        limits = {
            "Content-Type": "application/json; charset=utf-8",
            "X-RateLimit-Limit": "15000",
            "X-RateLimit-Remaining": str(max(fake.budget, 0)),
            "X-RateLimit-Reset": str(fake.reset),
            "X-RateLimit-Used": str(15000 - fake.budget),
            "X-RateLimit-Resource": self.resource,
        }
        for name, value in {**limits, **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut


def _kind(token: str) -> str:
    if not token:
        return "none"
    return "installation" if token.startswith("ghs_") else "app" if token.count(".") == 2 else "token"

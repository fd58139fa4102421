"""A Google Cloud that is a real HTTP server on the loopback: IAM, Resource Manager, pages, tokens, and faults on request."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.fakes.gcp import log_settings, logging, storage
from tests.fakes.gcp.faults import CUT, Fault, answer, denied, missing, rejected, told
from tests.fakes.gcp.tokens import Tokens, key_file
from tests.fakes.gcp.world import Body, World

Faults = Callable[[str, str, int], "Fault | None"]
"""Given method, path and the number of the request: what is answered instead; None for the truth."""
SERVICES = ("iam", "cloudresourcemanager", "iamcredentials", "logging", "storage")
_EMAIL = r"[^/:]+"


class GcpFake:
    """Serves a world until it is left. `requests` tells what was asked of the APIs, `asked_for_tokens` what of others."""

    def __init__(self, world: World, *, faults: Faults | None = None) -> None:
        self.world = world
        self.tokens = Tokens()
        self.faults = faults
        self.page = 0
        """Entries of a page at most; 0: as the API has it."""
        self.hollow = 0
        """How many empty pages come before the first log entry."""
        self.requests: list[tuple[str, str]] = []
        self.asked_for_tokens: list[str] = []
        self.generation = 0
        """Of page tokens: those of another one are not taken."""
        self._lock = threading.Lock()
        fake = self

        class Handler(_Handler):
            owner = fake

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.api = f"{self.url}/{{service}}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def key(self, folder: Path) -> Path:
        """Write the key of the reader's service account, and return its file."""
        file = folder / "key.json"
        file.write_text(json.dumps(key_file(f"{self.url}/token")))
        return file

    def expire(self) -> None:
        """Let no page token that was given so far be taken any more."""
        self.generation += 1

    def asked(self, part: str) -> list[str]:
        """Return the paths that were asked for and hold this."""
        return [path for _, path in self.requests if part in path]

    def counted(self, method: str, path: str) -> int:
        with self._lock:
            self.requests.append((method, path))
            return len(self.requests)

    # The APIs.

    def reply(
        self, service: str, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Fault:
        if service == "storage":
            return storage.reply(self, method, path, query, headers, body)
        if (service, method, path) == ("logging", "POST", "/v2/entries:list"):
            return logging.entries(self, body)
        for pattern, wanted, verb, how in _ROUTES:
            match = re.fullmatch(pattern, path)
            if match and (service, method) == (wanted, verb):
                return how(self, match, query, body)
        return missing(f"no such method: {method} {service} {path}")

    def refused(self, permission: str, place: str, resource: str = "") -> Fault | None:
        for lacking in (permission, f"{permission} on {place}", f"{permission} on {resource}"):
            if lacking in self.world.denied:
                return denied(permission, resource or place)
        return None

    def place(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        name, kind = match[1], match[1].partition("/")[0]
        found = self.world.folders.get(name) or self._project(name)
        if refused := self.refused(f"resourcemanager.{kind}.get", name):
            return refused
        return answer(found) if found else denied(f"resourcemanager.{kind}.get", name)

    def policy(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        name, kind = match[1], match[1].partition("/")[0]
        asked = json.loads(body or b"{}").get("options", {}).get("requestedPolicyVersion")
        return self.refused(f"resourcemanager.{kind}.getIamPolicy", name) or self._policy(name, asked)

    def account_policy(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        project, email = match[1], unquote(match[2])
        resource = f"projects/{project}/serviceAccounts/{email}"
        if email not in self.world.accounts.get(project, {}):
            return missing(f"Unknown service account {email}")
        refused = self.refused("iam.serviceAccounts.getIamPolicy", f"projects/{project}", resource)
        return refused or self._policy(resource, int(query.get("options.requestedPolicyVersion", 1)))

    def _policy(self, resource: str, asked: object) -> Fault:
        found = self.world.policies.get(resource, {"etag": "ACAB"})
        if asked != 3 and any("condition" in one for one in found.get("bindings", ())):
            hidden = [
                {"role": f"{one['role']}_withcond_0123456789abcdef0123", "members": one["members"]}
                if "condition" in one
                else one
                for one in found["bindings"]
            ]
            found = {**found, "version": 1, "bindings": hidden}
        return answer(found)

    def role(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        name = match[1]
        place = name.partition("roles/")[0].rstrip("/")
        refused = self.refused("iam.roles.get", place, name)
        if refused:
            return refused
        found = self.world.roles.get(name)
        return answer(found) if found else missing(f"The role named {name} was not found.")

    def accounts(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        project = match[1]
        if project not in self.world.projects:
            return missing(f"Unknown project {project}")
        refused = self.refused("iam.serviceAccounts.list", f"projects/{project}")
        listed = list(self.world.accounts[project].values())
        return refused or self._paged("accounts", listed, match[0], query, 20, 100)

    def keys(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        project, email = match[1], unquote(match[2])
        resource = f"projects/{project}/serviceAccounts/{email}"
        if email not in self.world.accounts.get(project, {}):
            return missing(f"Service account {resource} does not exist.")
        if refused := self.refused("iam.serviceAccountKeys.list", f"projects/{project}", resource):
            return refused
        kinds = query.get("keyTypes", "")
        found = [one for one in self.world.keys.get(email, ()) if not kinds or one["keyType"] in kinds]
        return answer({"keys": found} if found else {})

    def pools(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        project = match[1]
        refused = self.refused("iam.workloadIdentityPools.list", f"projects/{project}")
        listed = self.world.pools.get(project, [])
        return refused or self._paged("workloadIdentityPools", listed, match[0], query, 50, 1000)

    def providers(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        project = self._project(f"projects/{match[2]}")
        place = f"projects/{project['projectId']}" if project else ""
        refused = self.refused("iam.workloadIdentityPoolProviders.list", place)
        listed = self.world.providers.get(match[1], [])
        return refused or self._paged("workloadIdentityPoolProviders", listed, match[0], query, 50, 100)

    def deny_policies(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        place = self._point(match[1])
        # Rules are left out of lists.
        listed = [
            {name: value for name, value in one.items() if name != "rules"}
            for one in self.world.denies.get(place, {}).values()
        ]
        return self.refused("iam.denypolicies.list", place) or self._paged(
            "policies", listed, match[0], query, 1000, 1000
        )

    def deny_policy(self, match: re.Match[str], query: dict[str, str], body: bytes) -> Fault:
        place = self._point(match[1])
        found = self.world.denies.get(place, {}).get(match[2])
        return self.refused("iam.denypolicies.get", place) or (answer(found) if found else missing())

    def _point(self, encoded: str) -> str:
        place = unquote(encoded).removeprefix("cloudresourcemanager.googleapis.com/")
        project = self._project(place)
        return f"projects/{project['projectId']}" if project else place

    def _project(self, name: str) -> Body | None:
        id = name.removeprefix("projects/")
        return next(
            (one for one in self.world.projects.values() if id in (one["projectId"], one["name"].rpartition("/")[2])),
            None,
        )

    def _paged(self, field: str, listed: list[Any], path: str, query: dict[str, str], usual: int, most: int) -> Fault:
        size = min(int(query.get("pageSize", usual)), self.page or most)
        start = 0
        if token := query.get("pageToken"):
            match = re.fullmatch(r"(\d+)\.(\d+)", token)
            if not match or int(match[1]) != self.generation:
                return told(400, "Invalid page token")
            start = int(match[2])
        part = listed[start : start + size]
        body: Body = {field: part} if part else {}
        if start + size < len(listed):
            body["nextPageToken"] = f"{self.generation}.{start + size}"
        return answer(body)


_PROJECT = r"projects/([a-z0-9.:-]+)"
_ROUTES: tuple[tuple[str, str, str, Callable[..., Fault]], ...] = (
    (r"/v3/((?:projects|folders)/[^/:]+)", "cloudresourcemanager", "GET", GcpFake.place),
    (r"/v3/((?:projects|folders|organizations)/[^/]+):getIamPolicy", "cloudresourcemanager", "POST", GcpFake.policy),
    (rf"/v1/{_PROJECT}/serviceAccounts", "iam", "GET", GcpFake.accounts),
    (rf"/v1/{_PROJECT}/serviceAccounts/({_EMAIL}):getIamPolicy", "iam", "POST", GcpFake.account_policy),
    (rf"/v1/{_PROJECT}/serviceAccounts/({_EMAIL})/keys", "iam", "GET", GcpFake.keys),
    (r"/v1/((?:projects/[^/]+/|organizations/\d+/)?roles/[^/]+)", "iam", "GET", GcpFake.role),
    (rf"/v1/{_PROJECT}/locations/global/workloadIdentityPools", "iam", "GET", GcpFake.pools),
    (rf"/v1/({_PROJECT}/locations/global/workloadIdentityPools/[^/]+)/providers", "iam", "GET", GcpFake.providers),
    (r"/v2/policies/([^/]+)/denypolicies", "iam", "GET", GcpFake.deny_policies),
    (r"/v2/policies/([^/]+)/denypolicies/([^/]+)", "iam", "GET", GcpFake.deny_policy),
    (log_settings.LISTS, "logging", "GET", log_settings.listed),
    (log_settings.GRANTED, "cloudresourcemanager", "POST", log_settings.granted),
)


class _Handler(BaseHTTPRequestHandler):
    owner: GcpFake
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer("GET", b"")

    def do_DELETE(self) -> None:
        self._answer("DELETE", b"")

    def do_POST(self) -> None:
        self._answer("POST", self.rfile.read(int(self.headers.get("Content-Length") or 0)))

    def _answer(self, method: str, body: bytes) -> None:
        fake = self.owner
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        service, path = "", parts.path
        if path.split("/")[1] in SERVICES:
            service, path = path.split("/")[1], "/" + path.split("/", 2)[2]
        tokens = fake.tokens.answer(method, path, headers, body)
        if tokens:
            fake.asked_for_tokens.append(self.path)
            fault = fake.faults(method, self.path, 0) if fake.faults else None
            self._send(*(fault or tokens))
            return
        number = fake.counted(method, self.path)
        if fake.faults and (fault := fake.faults(method, self.path, number)):
            self._send(*fault)
            return
        if headers.get("authorization", "").removeprefix("Bearer ") not in fake.tokens.given:
            self._send(*rejected())
            return
        query = {name: ",".join(values) for name, values in parse_qs(parts.query).items()}
        self._send(*fake.reply(service, method, path, query, headers, body))

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> None:
        headers = dict(headers)
        cut = headers.pop(CUT, "") == "off"
        self.send_response_only(status)
        for name, value in {"Content-Type": "application/json; charset=UTF-8", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        self.close_connection = self.close_connection or cut

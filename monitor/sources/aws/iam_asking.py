"""Questions to the global services of AWS, IAM and Organizations: each answer captured, each failure kept as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import msgspec
from botocore.client import BaseClient

from monitor.errors import Denied, Malformed, SourceError
from monitor.model import Capture, EvidenceRef, Unknown
from monitor.sources.aws.http_seam import record_into
from monitor.sources.aws.session import ClientFactory, call

PROVIDER = "aws"
SOURCE = "aws.iam"
REGION = "us-east-1"
"""Where the global services answer. https://docs.aws.amazon.com/general/latest/gr/iam-service.html"""
MAX_PAGES = 5000


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one call: its answer or its error, where it was asked, and the captures of its bytes."""

    account: str
    answer: dict[str, Any] = {}
    error: SourceError | None = None
    evidence: tuple[EvidenceRef, ...] = ()

    @property
    def absent(self) -> bool:
        """Return whether the service says that there is no such thing."""
        return self.error is None and not self.answer

    def unknown(self, what: str = "") -> Unknown:
        """Return why there is no answer, and what to grant; `what` is said where the answer itself is of no use."""
        if self.error is None:
            return Unknown(what or "the answer says nothing")
        return Unknown(self.error.what, self.grant)

    @property
    def denied(self) -> bool:
        """Return whether the call was refused for lack of a permission."""
        return isinstance(self.error, Denied)

    @property
    def grant(self) -> str:
        """Return what to grant or to do, so that there is an answer; empty if there is one."""
        if isinstance(self.error, Denied):
            return f"{self.error.permission} in account {self.account}"
        return self.error.todo if self.error else ""


class Questions:
    """Asks the global services of every account through one client each. `at` (UTC) is the time that captures bear."""

    def __init__(self, clients: ClientFactory, at: datetime) -> None:
        self._factory = clients
        self._clients: dict[tuple[str, str], BaseClient] = {}
        self._stops: list[Callable[[], None]] = []
        self.at = at
        self.captures: list[Capture] = []

    def close(self) -> None:
        """Stop capturing."""
        for stop in self._stops:
            stop()
        for client in self._clients.values():
            client.close()

    def ask(self, service: str, operation: str, account: str, absent: tuple[str, ...] = (), **params: Any) -> Reply:
        """Return what came of a call; an empty answer where the service says one of the `absent` codes."""
        scope = f"{PROVIDER}:{account}:{REGION}"
        before = len(self.captures)
        answer, error = None, None
        try:
            client = self._client(service, account)
            method = next(name for name, called in client.meta.method_to_api_mapping.items() if called == operation)
            answer = call(client, method, f"{service}:{operation}", scope, absent, **params)
        except SourceError as failed:
            error = failed
        evidence = tuple(one.ref for one in self.captures[before:])
        return Reply(account=account, answer=answer or {}, error=error, evidence=evidence)

    def pages(
        self, service: str, operation: str, account: str, absent: tuple[str, ...] = (), **params: Any
    ) -> Iterator[Reply]:
        """Yield the pages of an answer. The last one bears the error if they cannot be read to the end."""
        sent, given = _TOKENS[service]
        seen: set[str] = set()
        for _ in range(MAX_PAGES):
            reply = self.ask(service, operation, account, absent, **params)
            yield reply
            following = reply.answer.get(given)
            if reply.error or not _more(service, reply.answer):
                return
            if not isinstance(following, str) or following in seen:
                break
            seen.add(following)
            params[sent] = following
        what = f"{service}:{operation} does not come to an end: it names no next page, or the same one twice"
        yield Reply(account=account, error=Malformed(what, source=SOURCE, todo="sweep again; see the captured bytes"))

    def _client(self, service: str, account: str) -> BaseClient:
        key = (service, account)
        if key not in self._clients:
            client = self._clients[key] = self._factory(service, account, REGION)
            scope = f"{PROVIDER}:{account}:{REGION}"
            self._stops.append(record_into(client, self.captures.append, scope, lambda: self.at))
        return self._clients[key]


# Name of the token in the question, and in the answer.
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
# https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListPoliciesForTarget.html
_TOKENS = {"iam": ("Marker", "Marker"), "organizations": ("NextToken", "NextToken")}


def _more(service: str, answer: dict[str, Any]) -> bool:
    """IAM says whether there is more, and may send a marker all the same; Organizations only sends a token."""
    return bool(answer.get("IsTruncated")) if service == "iam" else bool(answer.get("NextToken"))

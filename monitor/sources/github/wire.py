"""What a question to GitHub is, and what to make of each answer. Sansio: no network, no clock, no waiting happens here.

Limits: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
GraphQL: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import msgspec

from monitor.errors import Denied, Malformed, SourceError, Throttled, Unavailable

SOURCE = "github"
MAX_BODY = 64 * 2**20
GRAPHQL = "/graphql"
_SAFE = "/%:@!$&'()*+,;=~-._"
_LINK = re.compile(r'<([^<>]*)>((?:\s*;\s*[\w!#$%&*+.^`|~-]+\s*=\s*(?:"[^"]*"|[^\s",;]+))*)')
_NEXT = re.compile(r';\s*rel\s*=\s*"?(?:[^"]*\s)?next(?:\s[^"]*)?"?\s*(?:;|$)', re.IGNORECASE)
_LIMIT_TYPES = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
_DENIED_TYPES = frozenset({"FORBIDDEN", "INSUFFICIENT_SCOPES", "NOT_FOUND"})


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One request: `path` has its query sorted; `scope` and `permission` are for whom it may be told."""

    method: str
    path: str
    scope: str
    permission: str
    absent: tuple[int, ...] = ()
    query: str = ""
    variables: str = ""

    @property
    def name(self) -> str:
        """Return the name that evidence has: the method and the path without its query."""
        return f"{self.method} {self.path.partition('?')[0]}"

    @property
    def request(self) -> dict[str, str]:
        """Return what was asked as text, the same for the same question; a GraphQL query by its SHA-256."""
        asked = {"method": self.method, "path": self.path}
        if self.query:
            asked |= {"query_sha256": hashlib.sha256(self.query.encode()).hexdigest(), "variables": self.variables}
        return asked

    @property
    def content(self) -> bytes | None:
        """Return the body to send, if any."""
        if not self.query:
            return b"{}" if self.method == "POST" else None
        return msgspec.json.encode({"query": self.query, "variables": msgspec.Raw(self.variables.encode())})


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `headers` has lower-case names; it is empty for a stored answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Limited(Throttled):
    """The forge asked to wait: `seconds`, or None where it did not say how long."""

    seconds: float | None = None


class Again(Unavailable):
    """It may be better another time, after `seconds` at least."""

    seconds: float = 0.0


class Rejected(Denied):
    """The credential itself was refused (401): a new one may do."""


def question(
    method: str,
    path: str,
    *,
    scope: str,
    permission: str,
    params: Mapping[str, str] | None = None,
    absent: tuple[int, ...] = (),
    query: str = "",
    variables: Mapping[str, Any] | None = None,
) -> Question:
    """Return the question. Malformed if the path would lead elsewhere, as a name from outside could make it."""
    route, _, asked = path.partition("?")
    steps = [step.lower().replace("%2e", ".") for step in route.split("/")]
    if not route.startswith("/") or "\\" in route or "" in steps[1:] or {".", ".."} & set(steps):
        raise Malformed(f"{_plain(path)} cannot be asked for", source=SOURCE, scope=scope)
    pairs = sorted((*parse_qsl(asked, keep_blank_values=True), *(params or {}).items()))
    route = quote(route, safe=_SAFE)
    return Question(
        method=method,
        path=f"{route}?{urlencode(pairs)}" if pairs else route,
        scope=scope,
        permission=permission,
        absent=absent,
        query=query,
        variables=msgspec.json.encode(variables or {}, order="sorted").decode() if query else "",
    )


def judge(ask: Question, reply: Reply, now: datetime) -> None:
    """Return if the reply answers the question; else raise what it is. `now` is UTC.

    Raises Limited and Again for what may be tried again; Denied (Rejected: with another credential), Unavailable and
    Malformed for what may not.
    """
    status = reply.status
    if status in (403, 429) and (status == 429 or _is_limit(reply)):
        raise _limited(ask, reply, now)
    if status in ask.absent:
        return
    if status >= 500 or status in (202, 408):
        again = Again(_what(ask, reply), source=SOURCE, scope=ask.scope, todo="look at GitHub's status page")
        again.seconds = _retry_after(reply, now) or 0.0
        raise again
    if 200 <= status < 300:
        if ask.query:
            _judge_graphql(ask, reply, now)
        elif reply.body or status != 204:
            decoded(ask, reply.body, msgspec.Raw)
        return
    raise _refused(ask, reply)


def decoded(ask: Question, body: bytes, kind: Any) -> Any:
    """Return the JSON body as this type. Malformed names the question, and nothing of the body."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (ValueError, RecursionError) as broken:
        why = "is not JSON" if kind is msgspec.Raw else "has not the fields that it should have"
        sort = type(broken).__name__
    # Outside of the handler, so that the body (it may hold a token) does not hang on the error's context.
    raise Malformed(f"{ask.name}: the answer {why} ({sort}, {len(body)} bytes)", source=SOURCE, scope=ask.scope)


def next_page(ask: Question, reply: Reply, prefix: str) -> str:
    """Return path and query of the next page by the Link header, "" at the last; `prefix` is the path of the API's address.

    Whatever host it names, only our own is asked. Malformed if a next page is named that is not below the API.
    https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
    """
    header = reply.headers.get("link", "")
    for target, attributes in _LINK.findall(header):
        if not _NEXT.search(attributes):
            continue
        path = below(target, prefix)
        if not path:
            raise Malformed(f"{ask.name}: the next page is not at the API", source=SOURCE, scope=ask.scope)
        return question("GET", path, scope=ask.scope, permission=ask.permission).path
    if "next" in header and not _LINK.search(header):
        raise Malformed(f"{ask.name}: the Link header cannot be read", source=SOURCE, scope=ask.scope)
    return ""


def below(address: str, prefix: str) -> str:
    """Return path and query of an address without the prefix of the API's; "" if it is not below it."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    if not parts.path.startswith(f"{prefix}/"):
        return ""
    return parts.path[len(prefix) :] + (f"?{parts.query}" if parts.query else "")


class _Message(msgspec.Struct):
    message: str = ""


class _Trouble(msgspec.Struct):
    message: str = ""
    type: str | None = None
    extensions: dict[str, Any] | None = None


class _Document(msgspec.Struct):
    data: msgspec.Raw = msgspec.Raw(b"null")
    errors: list[_Trouble] | None = None


def _judge_graphql(ask: Question, reply: Reply, now: datetime) -> None:
    document = decoded(ask, reply.body, _Document)
    troubles = document.errors or []
    # A limit may cut off some fields only: what is left would look whole where it is not.
    if any(one.type in _LIMIT_TYPES or (not one.type and _speaks_of_limit(one.message)) for one in troubles):
        raise _limited(ask, reply, now)
    if bytes(document.data).strip() != b"null":
        return
    if not troubles:
        raise Malformed(f"{ask.name}: neither data nor errors came back", source=SOURCE, scope=ask.scope)
    said = _plain("; ".join(one.message for one in troubles))
    denied = [one for one in troubles if one.type in _DENIED_TYPES]
    if denied:
        raise Denied(f"{ask.name}: {said}", permission=ask.permission, source=SOURCE, scope=ask.scope)
    if all((one.extensions or {}).get("code") or one.message.startswith("Parse error") for one in troubles):
        raise Malformed(
            f"{ask.name}: the question was not understood: {said}",
            source=SOURCE,
            scope=ask.scope,
            todo="this server may be older than the monitor supports",
        )
    raise Again(f"{ask.name}: {said}", source=SOURCE, scope=ask.scope, todo="look at GitHub's status page")


def _refused(ask: Question, reply: Reply) -> SourceError:
    what, status = _what(ask, reply), reply.status
    permission = ask.permission
    accepted = _plain(reply.headers.get("x-accepted-github-permissions", ""))
    if accepted and accepted.replace("=", ":") != permission:
        permission = f"{permission} (GitHub asks for {accepted})"
    if status == 401:
        return Rejected(what, permission="a credential that is valid", source=SOURCE, scope=ask.scope)
    if status == 404:
        what = f"{ask.name}: not there, or may not be seen (404)"
    elif status != 403:
        return Unavailable(what, source=SOURCE, scope=ask.scope, todo="read what GitHub says about it")
    elif reply.headers.get("x-github-sso"):
        permission = f"{permission}, and authorise the token for the organisation's single sign-on"
    return Denied(what, permission=permission, source=SOURCE, scope=ask.scope)


def _limited(ask: Question, reply: Reply, now: datetime) -> Limited:
    limited = Limited(f"{ask.name}: over the rate limit ({reply.status})", source=SOURCE, scope=ask.scope)
    limited.seconds = _retry_after(reply, now)
    if limited.seconds is None and reply.headers.get("x-ratelimit-remaining", "").strip() == "0":
        reset = _number(reply.headers.get("x-ratelimit-reset", ""))
        if reset is not None:
            # By the server's own clock where it is told: ours may be minutes off, and asking too early prolongs a limit.
            today = _moment(reply.headers.get("date", "")) or now
            limited.seconds = max(0.0, reset - today.timestamp()) + 1
    return limited


def _is_limit(reply: Reply) -> bool:
    headers = reply.headers
    spent = headers.get("x-ratelimit-remaining", "").strip() == "0"
    return spent or "retry-after" in headers or _speaks_of_limit(_said(reply))


def _speaks_of_limit(message: str) -> bool:
    text = message.lower()
    return "rate limit" in text or "abuse detection" in text


def _retry_after(reply: Reply, now: datetime) -> float | None:
    text = reply.headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is None and (moment := _moment(text)):
        seconds = max(0.0, (moment - (_moment(reply.headers.get("date", "")) or now)).total_seconds())
    return seconds


def _number(text: str) -> float | None:
    return float(text) if re.fullmatch(r"\s*\d{1,12}\s*", text, re.ASCII) else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _what(ask: Question, reply: Reply) -> str:
    return f"{ask.name}: {reply.status} {_plain(_said(reply))}".strip()


def _said(reply: Reply) -> str:
    try:
        return msgspec.json.decode(reply.body, type=_Message).message
    except (ValueError, RecursionError):
        return ""


def _plain(text: str) -> str:
    """Return the start of a text from outside as one line without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)[:300]

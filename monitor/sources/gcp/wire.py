"""What a question to Google Cloud is, and what to make of each answer. Sansio: no network, no clock, no waiting happens here.

Errors: https://cloud.google.com/apis/design/errors and https://google.aip.dev/193
Reasons: https://cloud.google.com/service-infrastructure/docs/error-reasons
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode

import msgspec

from monitor.errors import Denied, Malformed, SourceError, Throttled, Unavailable

SOURCE = "gcp.iam"
MAX_BODY = 64 * 2**20
PAGE_TOKEN = "pageToken"
_LIMITS = frozenset(
    {"RATE_LIMIT_EXCEEDED", "rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "RESOURCE_QUOTA_EXCEEDED"}
)
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s", re.ASCII)
_PERMISSION = re.compile(r"[A-Za-z0-9.]{1,120}", re.ASCII)


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One request. `name` is the API's own name for the method, `path` has its query sorted.

    `service` is the host's first part (`iam`); `content` the body to send; `permission` says what to grant, and where.
    """

    name: str
    service: str
    method: str
    path: str
    scope: str
    permission: str
    content: str = ""

    most: ClassVar[int] = 0
    """Bytes of the answer at most; 0: MAX_BODY."""
    stored: ClassVar[bool] = False
    """Whether a good answer is taken as it lies in the store, its content encoding left on."""

    @property
    def sent(self) -> bytes | None:
        """Return the body to send; None for no body at all."""
        return self.content.encode() if self.content else b"" if self.method == "POST" else None

    @property
    def headers(self) -> Mapping[str, str]:
        """Return what its headers say beside the usual."""
        return {"Content-Type": "application/json"} if self.content else {}

    @property
    def request(self) -> dict[str, str]:
        """Return what was asked as text, the same for the same question."""
        asked = {"service": self.service, "method": self.method, "path": self.path}
        return {**asked, "body": self.content} if self.content else asked

    @property
    def told(self) -> str:
        """Return how it is named to a person: the method, and of what."""
        place = self.path.partition("?")[0].partition("/v")[2].partition("/")[2]
        return f"{self.name} {place.rpartition(':')[0] if self.content or self.method == 'POST' else place}"

    @property
    def paged(self) -> bool:
        """Return whether it asks for a further page."""
        return any(name == PAGE_TOKEN for name, _ in parse_qsl(self.path.partition("?")[2]))

    def page(self, token: str) -> Question:
        """Return the question for the page that this token stands for."""
        route, _, asked = self.path.partition("?")
        pairs = [pair for pair in parse_qsl(asked, keep_blank_values=True) if pair[0] != PAGE_TOKEN]
        return msgspec.structs.replace(self, path=f"{route}?{urlencode(sorted([*pairs, (PAGE_TOKEN, token)]))}")

    def found(self, reply: Reply) -> dict[str, Any]:
        """Return what a good answer says; empty where whoever asks reads the body. Raises Malformed or Again."""
        return decoded(self, reply.body)


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came back. `headers` has lower-case names; it is empty for a stored answer."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


class Limited(Throttled):
    """The service asked to wait: `seconds`, or None where it did not say how long."""

    seconds: float | None = None


class Again(Unavailable):
    """It may be better another time, after `seconds` at least."""

    seconds: float = 0.0


class Rejected(Denied):
    """The token itself was refused (401): a new one may do."""


class Missing(SourceError):
    """There is no such thing (404)."""


class Expired(Unavailable):
    """The token of a further page is no longer taken: the list has to be read anew."""


def outward(error: SourceError, source: str) -> SourceError:
    """Return an error as one of the four kinds by which coverage is told, and as this source's."""
    if isinstance(error, Denied):
        found: SourceError = Denied(error.what, permission=error.permission, source=source, scope=error.scope)
        found.todo = error.todo
        return found
    kind = next((one for one in (Throttled, Malformed) if isinstance(error, one)), Unavailable)
    return kind(error.what, source=source, scope=error.scope, todo=error.todo)


def judge(ask: Question, reply: Reply, now: datetime) -> dict[str, Any]:
    """Return the answer if it is one; else raise what it is. `now` is UTC.

    Raises Limited and Again for what may be tried again; Denied (Rejected: with another token), Missing, Expired, Unavailable
    and Malformed for what may not.
    """
    status = reply.status
    if 200 <= status < 300:
        return ask.found(reply)
    told = _told(reply.body)
    if status == 429 or (status == 403 and _LIMITS & set(told.reasons)):
        limited = Limited(f"{ask.told}: over the quota ({status})", source=SOURCE, scope=ask.scope)
        limited.seconds = _retry_after(reply, told, now)
        raise limited
    what = f"{ask.told}: {status} {told.message}".strip()
    if status >= 500 or status == 408:
        again = Again(what, source=SOURCE, scope=ask.scope, todo="look at https://status.cloud.google.com")
        again.seconds = _retry_after(reply, told, now) or 0.0
        raise again
    if status == 401:
        raise Rejected(what, permission="a credential that Google Cloud accepts", source=SOURCE, scope=ask.scope)
    if status == 403:
        raise _denied(ask, told, what)
    if status == 404:
        raise Missing(what, source=SOURCE, scope=ask.scope, todo="see whether it is there, and spelt so")
    if status == 400 and ask.paged:
        raise Expired(what, source=SOURCE, scope=ask.scope, todo="sweep again")
    raise Unavailable(what, source=SOURCE, scope=ask.scope, todo="read what Google Cloud says about it")


def decoded(ask: Question, body: bytes) -> dict[str, Any]:
    """Return the body as the JSON object that every method answers with. Malformed names the question, and nothing of it."""
    try:
        found: dict[str, Any] = msgspec.json.decode(body, type=dict[str, Any])
    except (ValueError, RecursionError) as broken:
        sort = type(broken).__name__
    else:
        return found
    # Outside of the handler, so that the body does not hang on the error's context.
    what = f"{ask.told}: the answer is no JSON object ({sort}, {len(body)} bytes)"
    raise Malformed(what, source=SOURCE, scope=ask.scope, todo="see the captured bytes")


class _Told(msgspec.Struct, frozen=True):
    """What an error says: its message, the reasons that it gives, and the details of each."""

    message: str = ""
    reasons: tuple[str, ...] = ()
    metadata: dict[str, str] = {}
    delay: float | None = None


def _told(body: bytes) -> _Told:
    """Return what an error's body says; nothing if it is not what the API documents."""
    try:
        error = msgspec.json.decode(body).get("error")
        message, details, older = error.get("message"), error.get("details"), error.get("errors")
    except (ValueError, RecursionError, AttributeError):
        return _Told()
    reasons: list[str] = []
    metadata: dict[str, str] = {}
    delay = None
    for one in (*_objects(details), *_objects(older)):
        if isinstance(reason := one.get("reason"), str):
            reasons.append(reason)
        if isinstance(more := one.get("metadata"), dict):
            metadata |= {str(name): value for name, value in more.items() if isinstance(value, str)}
        if isinstance(wait := one.get("retryDelay"), str) and (match := _DELAY.fullmatch(wait)):
            delay = float(match[1])
    return _Told(plain(message) if isinstance(message, str) else "", tuple(reasons), metadata, delay)


def _objects(listed: object) -> list[dict[str, Any]]:
    return [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []


def _denied(ask: Question, told: _Told, what: str) -> Denied:
    """https://cloud.google.com/iam/docs/permission-error-messages says how a refusal names the permission."""
    permission = ask.permission
    named = told.metadata.get("permission", "")
    if _PERMISSION.fullmatch(named) and named not in permission:
        permission = f"{permission} (Google Cloud names {named})"
    if "ACCESS_TOKEN_SCOPE_INSUFFICIENT" in told.reasons:
        permission = "the scope https://www.googleapis.com/auth/cloud-platform to the credential"
    elif "SECURITY_POLICY_VIOLATED" in told.reasons:
        permission = f"{permission}, and an access level of the service perimeter around it"
    denied = Denied(what, permission=permission, source=SOURCE, scope=ask.scope)
    if "SERVICE_DISABLED" in told.reasons:
        denied.todo = (
            f"enable {ask.service}.googleapis.com in the project that the credential is of, or that its quota is of"
        )
    return denied


def _retry_after(reply: Reply, told: _Told, now: datetime) -> float | None:
    """Return the seconds to wait, by the header Retry-After or by RetryInfo of the body."""
    text = reply.headers.get("retry-after", "")
    if re.fullmatch(r"\s*\d{1,12}\s*", text, re.ASCII):
        return float(text)
    if moment := _moment(text):
        return max(0.0, (moment - (_moment(reply.headers.get("date", "")) or now)).total_seconds())
    return told.delay


def _moment(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def plain(text: str) -> str:
    """Return the start of a text from outside as one line without control characters."""
    return "".join(c if c.isprintable() else " " for c in text)[:300]

"""Google Cloud's APIs for one sweep: pages read to the end, quotas kept, each answer captured or replayed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from monitor.errors import Malformed, SourceError, Unavailable
from monitor.model import Capture, EvidenceRef
from monitor.sources.gcp import auth
from monitor.sources.gcp.asking import Asking, Ended
from monitor.sources.gcp.auth import Credential
from monitor.sources.gcp.limits import Gate
from monitor.sources.gcp.seam import Replay, capture, in_order
from monitor.sources.gcp.transport import API, Transport, address
from monitor.sources.gcp.wire import SOURCE, Again, Expired, Limited, Question, Rejected, Reply, judge

MOST_PAGES = 2000
BEGINNINGS = 3
"""How often a list is begun at most, where the tokens of its pages run out meanwhile."""


class GcpConnection(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach Google Cloud.

    `api`: a template with `{service}` in it, or one root for all. `credentials`: a file; None: the environment's. `impersonate`:
    the service account to become. `patience`: seconds that may be waited for quotas in all. `timeout`: seconds of silence.
    `attempts`: tries in all of what the network or the server failed at.
    """

    api: str = API
    credentials: Path | None = None
    impersonate: str = ""
    patience: float = 600.0
    timeout: float = 30.0
    attempts: int = 5


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What Google Cloud answered: the JSON object, and the capture that holds its bytes."""

    content: dict[str, Any]
    evidence: EvidenceRef


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """A list as far as it could be read: each page's entries with its evidence, and why there are no more, if there may be."""

    pages: tuple[tuple[tuple[object, ...], EvidenceRef], ...] = ()
    error: SourceError | None = None

    @property
    def entries(self) -> tuple[object, ...]:
        """Return the entries of all pages."""
        return tuple(one for entries, _ in self.pages for one in entries)

    @property
    def evidence(self) -> tuple[EvidenceRef, ...]:
        """Return the captures of all pages."""
        return tuple(ref for _, ref in self.pages)


class GcpClient:
    """Thread-safe, and a context manager. It raises nothing but SourceError for what the world does.

    `captures` has every final answer in the order in which it came, bodies byte for byte; `captured` has them in an order
    that no thread can change.
    """

    def __init__(
        self,
        *,
        host: str,
        clock: Callable[[], datetime],
        replay: Replay | None = None,
        transport: Transport | None = None,
        asking: Asking | None = None,
        credential: Credential | None = None,
    ) -> None:
        """Use `connect`; this takes either a replay, or all of a transport, an asking and a credential."""
        self.captures: list[Capture] = []
        self._host = host
        self._clock = clock
        self._replay = replay
        self._transport = transport
        self._asking = asking
        self._credential = credential

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; what was captured stays."""
        if self._transport:
            self._transport.close()
        if self._credential:
            self._credential.close()

    @property
    def requests(self) -> int:
        """Return how many requests went out, those for tokens not counted."""
        return self._transport.requests if self._transport else 0

    @property
    def captured(self) -> tuple[Capture, ...]:
        """Return the captures by name and request."""
        return in_order(tuple(self.captures))

    def ask(self, ask: Question) -> Answer:
        """Return the answer. Raises Denied, Missing, Expired, Throttled, Unavailable or Malformed."""
        return self._stored(ask) if self._replay else self._live(ask)

    def fetch(self, ask: Question) -> Reply:
        """Return the reply itself, of which no capture is kept: for what is too large to hold. Raises as `ask` does."""
        if self._replay:
            kept = self._replay.find(ask)
            reply = Reply(status=kept.status, body=kept.body)
            _judged(ask, reply, kept.at)
            return reply
        reply, _, error = self._answered(ask)
        if error:
            raise error
        return reply

    def pages(self, ask: Question, field: str) -> Listed:
        """Return a list to its last page, or as far as it could be read. Raises nothing.

        `field` is the name of the list; an answer without it has no entries. Begun anew if the token of a page runs out.
        """
        listed = Listed()
        for _ in range(BEGINNINGS):
            listed = self._pages(ask, field)
            if not isinstance(listed.error, Expired):
                break
        return listed

    def _pages(self, ask: Question, field: str) -> Listed:
        pages: list[tuple[tuple[object, ...], EvidenceRef]] = []
        seen: set[str] = set()
        following = ask
        error: SourceError | None = None
        while error is None:
            try:
                answer = self.ask(following)
                entries, token = _page(following, answer.content, field)
            except SourceError as failed:
                error = failed
                break
            pages.append((entries, answer.evidence))
            if not token:
                break
            following = ask.page(token)
            if token in seen or len(pages) >= MOST_PAGES:
                what = f"{ask.told}: the pages do not end (after {len(pages)})"
                error = Malformed(what, source=SOURCE, scope=ask.scope, todo="sweep again; see the captured bytes")
            seen.add(token)
        return Listed(pages=tuple(pages), error=error)

    def _live(self, ask: Question) -> Answer:
        reply, content, error = self._answered(ask)
        kept = capture(ask, host=self._host, status=reply.status, body=reply.body, at=self._clock())
        self.captures.append(kept)
        if error:
            raise error
        return Answer(content=content, evidence=kept.ref)

    def _answered(self, ask: Question) -> tuple[Reply, dict[str, Any], SourceError | None]:
        ended = self._ended(ask)
        if ended.reply is None:
            raise ended.error or Unavailable(f"{ask.told}: no answer", source=SOURCE, scope=ask.scope)
        return ended.reply, ended.content, ended.error

    def _ended(self, ask: Question) -> Ended:
        asking, credential = self._asking, self._credential
        assert asking
        assert credential
        used: Mapping[str, str] = {}

        def authorise(scope: str) -> Mapping[str, str]:
            nonlocal used
            used = credential.headers(scope)
            return used

        ended = asking.ask(ask, authorise)
        if isinstance(ended.error, Rejected) and credential.renew(used):
            ended = asking.ask(ask, authorise)
        return ended

    def _stored(self, ask: Question) -> Answer:
        assert self._replay
        kept = self._replay.find(ask)
        self.captures.append(kept)
        content = _judged(ask, Reply(status=kept.status, body=kept.body), kept.at)
        return Answer(content=content, evidence=kept.ref)


def _judged(ask: Question, reply: Reply, at: datetime) -> dict[str, Any]:
    """Return what a stored reply says. What might have been better another time was not."""
    try:
        return judge(ask, reply, at)
    except (Limited, Again) as then:
        raise Unavailable(then.what, source=SOURCE, scope=ask.scope, todo=then.todo) from then


def _page(ask: Question, content: dict[str, Any], field: str) -> tuple[tuple[object, ...], str]:
    """Return the entries of a page and the token of the next; Malformed if either is not what the API documents."""
    entries, token = content.get(field), content.get("nextPageToken")
    if not isinstance(entries, list | None) or not isinstance(token, str | None):
        what = f"{ask.told}: the answer is no page of {field}"
        raise Malformed(what, source=SOURCE, scope=ask.scope, todo="see the captured bytes")
    return tuple(entries or ()), token or ""


def connect(
    settings: GcpConnection,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    told: Callable[[str], None],
    replay: Sequence[Capture] | None,
) -> GcpClient:
    """Return a client; nothing is asked yet. With `replay` nothing ever is, and no credential is needed.

    `clock` (UTC) must run, since quotas end by it; `told` gets what a person who waits should know. ConfigError for an
    address or a file of credentials that cannot be used.
    """
    if replay is not None:
        return GcpClient(host="", clock=clock, replay=Replay(replay))
    root = str(address(settings.api, "iamcredentials")).rstrip("/")
    credential = auth.load(settings.credentials, settings.impersonate, root, settings.timeout)
    transport = Transport(settings.api, timeout=settings.timeout, clock=clock)
    gate = Gate(clock=clock, sleep=sleep, told=told, patience=settings.patience)
    asking = Asking(transport, gate, clock=clock, sleep=sleep, attempts=settings.attempts)
    return GcpClient(host=transport.host, clock=clock, transport=transport, asking=asking, credential=credential)

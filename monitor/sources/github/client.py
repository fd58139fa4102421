"""GitHub's API for one organisation: pages read to the end, limits kept, each answer captured, an interrupted reading resumed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import msgspec

from monitor.errors import ConfigError, Malformed, Unavailable
from monitor.model import Capture, EvidenceRef
from monitor.sources.github.access import Access
from monitor.sources.github.asking import Asking, Ended
from monitor.sources.github.auth import AppCredential, Credential, TokenCredential
from monitor.sources.github.connection import GitHubConnection
from monitor.sources.github.limits import Gate
from monitor.sources.github.seam import ACCESS, Replay, access_request, capture, in_order
from monitor.sources.github.spool import Spool
from monitor.sources.github.transport import Transport, address
from monitor.sources.github.wire import (
    GRAPHQL,
    SOURCE,
    Again,
    Limited,
    Question,
    Rejected,
    Reply,
    decoded,
    judge,
    next_page,
    question,
)

__all__ = ["Access", "Answer", "GitHub", "GitHubConnection", "connect"]

GRAPHQL_PERMISSION = "metadata:read and administration:read"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What GitHub answered, `at` (UTC); `next` is path and query of the next page, "" at the last."""

    status: int
    body: bytes
    at: datetime
    evidence: tuple[EvidenceRef, ...]
    next: str = ""


class GitHub:
    """One organisation's client. Thread-safe, and a context manager. It raises nothing but SourceError for what the world does.

    `captures` has every final answer in the order in which it came, bodies byte for byte; `captured` has them in an order
    that no thread can change.
    """

    def __init__(
        self,
        organisation: str,
        *,
        host: str,
        clock: Callable[[], datetime],
        replay: Replay | None = None,
        transport: Transport | None = None,
        asking: Asking | None = None,
        credential: Credential | None = None,
        spool: Spool | None = None,
    ) -> None:
        """Use `connect`; this takes either a replay, or all of a transport, an asking and a credential."""
        self.captures: list[Capture] = []
        self._organisation = organisation
        self._host = host
        self._clock = clock
        self._replay = replay
        self._transport = transport
        self._asking = asking
        self._credential = credential
        self._spool = spool
        self._access: Access | None = None
        self._access_lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; what was captured stays."""
        if self._transport:
            self._transport.close()

    def done(self) -> None:
        """Say that the organisation was read to the end: a later sweep asks everything anew."""
        if self._spool:
            self._spool.empty()

    @property
    def requests(self) -> int:
        """Return how many requests went out."""
        return self._transport.requests if self._transport else 0

    @property
    def captured(self) -> tuple[Capture, ...]:
        """Return the captures by name and request."""
        return in_order(tuple(self.captures))

    def access(self) -> Access:
        """Return what the credential may see; it is asked for once. Raises SourceError."""
        with self._access_lock:
            if self._access is None:
                self._access = self._replayed_access() if self._replay else self._live_access()
            return self._access

    def get(
        self,
        path: str,
        *,
        scope: str,
        permission: str,
        params: Mapping[str, str] | None = None,
        absent: tuple[int, ...] = (),
    ) -> Answer:
        """Return the answer to a GET; a status in `absent` is an answer too.

        Raises Denied (a 404 too: GitHub hides what may not be seen), Throttled, Unavailable or Malformed.
        """
        return self._answered(question("GET", path, scope=scope, permission=permission, params=params, absent=absent))

    def pages(
        self, path: str, *, scope: str, permission: str, params: Mapping[str, str] | None = None, most: int = 1000
    ) -> Iterator[Answer]:
        """Yield every page to the last. Raises as `get` does, and Malformed if the pages do not end after `most`."""
        ask = question("GET", path, scope=scope, permission=permission, params=params)
        seen: set[str] = set()
        for _ in range(most):
            seen.add(ask.path)
            answer = self._answered(ask)
            yield answer
            if not answer.next:
                return
            ask = question("GET", answer.next, scope=scope, permission=permission)
            if ask.path in seen:
                break
        raise Malformed(f"{ask.name}: the pages do not end (after {len(seen)})", source=SOURCE, scope=scope)

    def graphql(self, query: str, variables: Mapping[str, Any], *, scope: str) -> Answer:
        """Return the answer to a query. Errors beside data are left to whoever reads it; without data they are raised."""
        ask = question("POST", GRAPHQL, scope=scope, permission=GRAPHQL_PERMISSION, query=query, variables=variables)
        return self._answered(ask)

    def _answered(self, ask: Question) -> Answer:
        if self._replay:
            return self._stored(ask, self._replay.find(ask.request, ask.scope))
        if not self._spool:
            return self._live(ask)
        request, access = {"host": self._host, **ask.request}, msgspec.json.encode(self.access(), order="sorted")
        if found := self._spool.find(request, access):
            return self._stored(ask, found)
        answer = self._live(ask)
        kept = capture(
            ask, host=self._host, status=answer.status, body=answer.body, following=answer.next, at=answer.at
        )
        self._spool.keep(request, access, kept)
        return answer

    def _live(self, ask: Question) -> Answer:
        ended = self._ended(ask)
        if ended.reply is None:
            raise ended.error or Unavailable(f"{ask.name}: no answer", source=SOURCE, scope=ask.scope)
        reply, broken, following = ended.reply, ended.error, ""
        if broken is None and self._transport:
            try:
                following = next_page(ask, reply, self._transport.prefix)
            except Malformed as unreadable:
                broken = unreadable
        kept = capture(
            ask, host=self._host, status=reply.status, body=reply.body, following=following, at=self._clock()
        )
        self.captures.append(kept)
        if broken:
            raise broken
        return _answer(kept)

    def _ended(self, ask: Question) -> Ended:
        asking, credential = self._asking, self._credential
        assert asking
        assert credential
        used = ""

        def authorise() -> str:
            nonlocal used
            used = credential.header(self._unkept)
            return used

        ended = asking.ask(ask, authorise)
        if isinstance(ended.error, Rejected) and credential.renew(used):
            ended = asking.ask(ask, authorise)
        return ended

    def _unkept(self, ask: Question, authorise: Callable[[], str]) -> Reply:
        """Ask what must leave no trace: these answers hold tokens, or who the owner of one is."""
        assert self._asking
        ended = self._asking.ask(ask, authorise)
        if ended.error or ended.reply is None:
            raise ended.error or Unavailable(f"{ask.name}: no answer", source=SOURCE, scope=ask.scope)
        return ended.reply

    def _stored(self, ask: Question, kept: Capture) -> Answer:
        self.captures.append(kept)
        try:
            judge(ask, Reply(status=kept.status, body=kept.body), kept.at)
        except (Limited, Again) as then:
            raise Unavailable(then.what, source=SOURCE, scope=ask.scope, todo=then.todo) from then
        return _answer(kept)

    def _live_access(self) -> Access:
        assert self._credential
        access = self._credential.access(self._unkept)
        self.captures.append(
            Capture(
                source=SOURCE,
                name=ACCESS,
                scope=self._scope,
                request=access_request(self._host, self._organisation),
                status=200,
                at=self._clock(),
                body=msgspec.json.encode(access, order="sorted"),
            )
        )
        return access

    def _replayed_access(self) -> Access:
        assert self._replay
        request = access_request(self._host, self._organisation)
        kept = self._replay.find(request, self._scope)
        ask = Question(method=request["method"], path=request["path"], scope=self._scope, permission="")
        access: Access = decoded(ask, kept.body, Access)
        self.captures.append(kept)
        return access

    @property
    def _scope(self) -> str:
        return f"{SOURCE}:{self._organisation}"


def connect(
    settings: GitHubConnection,
    organisation: str,
    *,
    clock: Callable[[], datetime],
    sleep: Callable[[float], None],
    told: Callable[[str], None],
    replay: Sequence[Capture] | None,
    spool: Path | None,
) -> GitHub:
    """Return a client of this organisation; nothing is asked yet. With `replay` nothing ever is, and no credential is needed.

    `clock` (UTC) must run, since limits and tokens end by it; `told` gets what a person who waits should know. `spool` is a
    folder for answers of a sweep that is cut off. ConfigError for an address, a token or a key that cannot be used.
    """
    url = address(settings.api)
    host = url.netloc.decode("ascii")
    if replay is not None:
        return GitHub(organisation, host=host, clock=clock, replay=Replay(replay))
    scope = f"{SOURCE}:{organisation}"
    credential: Credential
    if settings.token and not (settings.app_id or settings.app_key):
        credential = TokenCredential(settings.token, scope)
    elif settings.app_id > 0 and settings.app_key and not settings.token:
        credential = AppCredential(settings.app_id, settings.app_key, organisation, scope=scope, clock=clock)
    else:
        raise ConfigError(
            "GitHub is asked either with a token, or as an app with its id and its private key",
            todo="set one of the two, and not both",
        )
    transport = Transport(settings.api, timeout=settings.timeout, clock=clock)
    gate = Gate(clock=clock, sleep=sleep, told=told, patience=settings.patience)
    asking = Asking(transport, gate, clock=clock, sleep=sleep, attempts=settings.attempts)
    kept = Spool(spool, host=host, organisation=organisation, clock=clock, told=told) if spool else None
    return GitHub(
        organisation, host=host, clock=clock, transport=transport, asking=asking, credential=credential, spool=kept
    )


def _answer(kept: Capture) -> Answer:
    return Answer(
        status=kept.status, body=kept.body, at=kept.at, evidence=(kept.ref,), next=kept.request.get("next", "")
    )

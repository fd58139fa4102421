"""Which session a write belongs to, and how its credentials came to be: the join of writes and token exchanges. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

import msgspec

from monitor.facts.change import Actor, ChangeEvent, ChangeSession, TokenExchange
from monitor.model import Unknown

_LONGEST_CHAIN = 16
_ORIGINS = ("web-identity", "saml", "certificate", "service")


def session_id(event: ChangeEvent) -> str:
    """Return the stable name of the session that made a write.

    A temporary session is told by its holder and the second at which it began, however many keys it used; credentials
    that do not end are told by their holder, key and UTC day. The name holds nothing from outside but the account number.
    """
    actor = event.actor
    if actor.session_started:
        parts = [actor.principal_id or actor.name, *actor.principals, actor.session_started.isoformat()]
    else:
        parts = [actor.name, actor.access_key, event.time.strftime("%Y-%m-%d")]
    text = "\n".join((actor.kind, *parts))
    account = event.account if event.account.isalnum() and event.account.isascii() else "unknown"
    return (
        f"{event.provider}:{account}:session:{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    )


class Sight(msgspec.Struct, frozen=True):
    """Over which time an account's log was read whole, so that an absent event is known not to have happened."""

    since: dict[str, datetime] = {}
    blind: tuple[tuple[str, datetime, datetime], ...] = ()

    def visible(self, account: str, moment: datetime) -> bool:
        """Return whether the account's events of a moment (UTC) were all read."""
        since = self.since.get(account)
        return (
            since is not None
            and since <= moment
            and not any(who == account and start <= moment <= end for who, start, end in self.blind)
        )


class Exchanges:
    """Token exchanges by the access key that came of them."""

    def __init__(self, exchanges: Iterable[TokenExchange]) -> None:
        self._by_key: dict[str, TokenExchange] = {}
        for found in sorted(exchanges, key=lambda e: (e.time, e.id)):
            if not found.access_key:
                continue
            # Both accounts of a cross-account AssumeRole log it; the caller's own copy names the key that it used.
            known = self._by_key.get(found.access_key)
            if known is None or (not known.source.access_key and found.source.access_key):
                self._by_key[found.access_key] = found

    def issuing(self, access_key: str) -> TokenExchange | None:
        """Return the exchange that issued a key, if it is known."""
        return self._by_key.get(access_key)

    def chain(self, actor: Actor) -> tuple[tuple[TokenExchange, ...], Unknown | None]:
        """Return the exchanges from these credentials back to their origin, and why the walk ended short, if it did."""
        if not actor.session_started and not actor.access_key.startswith("ASIA"):
            return (), None
        chain: list[TokenExchange] = []
        key = actor.access_key
        while True:
            found = self._by_key.get(key)
            if found is None or len(chain) >= _LONGEST_CHAIN:
                return tuple(chain), _lost(chain, actor)
            chain.append(found)
            if found.kind in _ORIGINS:
                return tuple(chain), None
            source = found.source
            if source.kind in ("IAMUser", "Root") and not source.session_started:
                return tuple(chain), None
            key = source.access_key


def _lost(chain: list[TokenExchange], actor: Actor) -> Unknown:
    if not chain:
        return Unknown(
            "the exchange that issued these credentials is not among the records read",
            "read the log of the account and the time at which the session began",
        )
    source = chain[-1].source
    return Unknown(
        f"{source.name} assumed the role, and how it came by its own credentials is not among the records read",
        f"declare account {source.account or 'of the caller'} as watched, so that its log is read",
    )


def join(
    events: Iterable[ChangeEvent], exchanges: Exchanges, visible: Callable[[str, datetime], bool]
) -> tuple[ChangeSession, ...]:
    """Return all writes grouped by session, each session with its chain of credentials, sorted by id.

    `visible(account, moment)` tells whether the account's log of that moment was read whole.
    """
    grouped: dict[str, dict[str, ChangeEvent]] = {}
    for event in events:
        grouped.setdefault(session_id(event), {})[event.id] = event
    sessions = []
    for name, found in sorted(grouped.items()):
        for part, writes in _apart(found.values(), exchanges):
            first = writes[0]
            began = first.actor.session_started
            keyed = next((write.actor for write in writes if write.actor.access_key), first.actor)
            chain, end = exchanges.chain(keyed)
            sessions.append(
                ChangeSession(
                    id=name + part,
                    provider=first.provider,
                    account=first.account,
                    actor=_holder(writes),
                    writes=writes,
                    chain=chain,
                    chain_end=end,
                    # Credentials are issued, and that is logged, in the account of the role.
                    exchange_visible=began is not None and visible(first.actor.account or first.account, began),
                )
            )
    return tuple(sessions)


def _apart(found: Iterable[ChangeEvent], exchanges: Exchanges) -> Iterator[tuple[str, tuple[ChangeEvent, ...]]]:
    """Yield the writes of one session, or of several that share a name and a second, each with a suffix for its id.

    Whoever takes a role chooses the session's name, so a key is proven by its own exchange and no other. Keys without an
    exchange, as the console makes them, are of one session; calls without a key belong to the only one there is.
    """
    writes = sorted(found, key=lambda e: (e.time, e.id))
    groups: dict[str, list[ChangeEvent]] = {}
    for write in writes:
        key = write.actor.access_key
        issued = exchanges.issuing(key) if key else None
        groups.setdefault(issued.access_key if issued else "?" if key else "", []).append(write)
    keyless = groups.pop("", [])
    if len(groups) == 1:
        (mark,) = groups
        groups[mark] = sorted([*groups[mark], *keyless], key=lambda e: (e.time, e.id))
    elif keyless:
        groups[""] = keyless
    for mark in sorted(groups):
        suffix = "-" + hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()[:6] if len(groups) > 1 else ""
        yield suffix, tuple(groups[mark])


def _holder(writes: tuple[ChangeEvent, ...]) -> Actor:
    """Return the actor of a session: the first write's, unless a later one shows that a person sits behind it."""
    return next((write.actor for write in writes if write.actor.human), writes[0].actor)

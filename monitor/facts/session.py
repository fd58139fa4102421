"""Which session a write belongs to, and how its credentials came to be: the join of writes and token exchanges. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import msgspec

from monitor.facts.change import Actor, ChangeEvent, ChangeSession, TokenExchange
from monitor.model import Unknown

_LONGEST_CHAIN = 16
_SKEW = timedelta(seconds=5)
"""By so much the clocks of two services may differ."""
_ACCOUNT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}", re.ASCII)
_ORIGINS = ("web-identity", "saml", "certificate", "service")


def session_id(event: ChangeEvent) -> str:
    """Return the stable name of the session that made a write; it holds nothing from outside but the account number.

    A temporary session is told by its holder, the second at which it began, and its access key: whoever takes a role
    chooses the session's name, so that two may share the rest. The console changes keys from call to call, so a session
    behind which a person is to be seen goes without; nothing is proven by it. Credentials that do not end are told by
    their holder, key and UTC day. A call without a key (made by a service on the session's behalf) has the name's stem.
    """
    actor = event.actor
    suffix = ""
    if actor.session_started:
        parts = [actor.principal_id or actor.name, *actor.principals, actor.session_started.isoformat()]
        if actor.access_key and not actor.human:
            suffix = "-" + _digest(actor.access_key)[:8]
    else:
        parts = [actor.name, actor.access_key, event.time.strftime("%Y-%m-%d")]
        parts += [actor.holder] if actor.holder else []
    account = event.account
    if not _ACCOUNT.fullmatch(account):
        parts += [account] if account else []
        account = "unknown"
    return f"{event.provider}:{account}:session:{_digest(chr(10).join((actor.kind, *parts)))[:16]}{suffix}"


def stem(session: str) -> str:
    """Return what the names of all sessions of one holder and second begin with."""
    head, colon, name = session.rpartition(":")
    return f"{head}{colon}{name.partition('-')[0]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


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
        self._by_holder: dict[str, list[TokenExchange]] = {}
        self._known: dict[TokenExchange, frozenset[tuple[str, ...] | None]] = {}
        for found in sorted(exchanges, key=lambda e: (e.time, e.id)):
            if found.holder:
                self._by_holder.setdefault(found.holder, []).append(found)
            if not found.access_key:
                continue
            # Both accounts of a cross-account AssumeRole log it; the caller's own copy names the key that it used.
            known = self._by_key.get(found.access_key)
            if known is None or (not known.source.access_key and found.source.access_key):
                self._by_key[found.access_key] = found

    def given(self, holder: str, at: datetime) -> TokenExchange | None:
        """Return the newest exchange that gave this holder credentials which were good at a moment (UTC), or None."""
        alive = self._alive(holder, at)
        return alive[-1] if alive else None

    def _alive(self, holder: str, at: datetime) -> list[TokenExchange]:
        found = self._by_holder.get(holder, [])
        return [e for e in found if e.time <= at + _SKEW and (e.expires is None or at <= e.expires + _SKEW)]

    def chain(self, actor: Actor, at: datetime | None = None) -> tuple[tuple[TokenExchange, ...], Unknown | None]:
        """Return the exchanges from these credentials back to their origin, and why the walk ended short, if it did.

        Credentials without a key are looked for by their holder, as of `at` (UTC).
        """
        if actor.holder and at is not None:
            return self._held(actor, at)
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

    def _held(self, actor: Actor, at: datetime) -> tuple[tuple[TokenExchange, ...], Unknown | None]:
        """Follow each exchange that may have given these credentials, and answer only if all of them have the same origin.

        Nothing tells which of them was used, and one of them may prove what another does not.
        """
        alive = self._alive(actor.holder, at)
        ends = frozenset().union(*(self._origins(found, _LONGEST_CHAIN) for found in alive))
        chain: list[TokenExchange] = []
        holder, moment = actor.holder, at
        while holder and len(chain) < _LONGEST_CHAIN and (found := self.given(holder, moment)) is not None:
            chain.append(found)
            holder, moment = ("" if found.kind in _ORIGINS else found.source.holder), found.time
        if not ends or None in ends:
            return tuple(chain), Unknown(
                "the token exchange that gave these credentials is not among the records read",
                "switch on the data access logs of what issues credentials, where the identity is and where its tokens come "
                "from (docs/gcp-audit-logs.md), and read them",
            )
        if len(ends) > 1:
            return tuple(chain), Unknown(
                f"exchanges of {len(ends)} origins gave the same holder credentials that were good then",
                "let each identity come from one provider",
            )
        return tuple(chain), None

    def _origins(self, found: TokenExchange, steps: int) -> frozenset[tuple[str, ...] | None]:
        """Return what the credentials of an exchange may come from; None among them where that is not known."""
        if found.kind in _ORIGINS or not found.source.holder:
            return frozenset(
                {(found.kind, found.issuer, found.subject, found.audience, found.source.name, found.source.human)}
            )
        known = self._known.get(found)
        if known is None:
            before = self._alive(found.source.holder, found.time) if steps else []
            known = frozenset().union(*(self._origins(one, steps - 1) for one in before)) or frozenset({None})
            self._known[found] = known
        return known


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
    grouped: dict[str, dict[tuple[str, str], ChangeEvent]] = {}
    for event in events:
        name = session_id(event)
        given = exchanges.given(event.actor.holder, event.time) if event.actor.holder else None
        if given is not None:
            name += "-" + _digest(given.id)[:8]
        grouped.setdefault(name, {})[event.id, event.sha256] = event
    _adopt(grouped)
    sessions = []
    for name, found in sorted(grouped.items()):
        writes = tuple(sorted(found.values(), key=lambda e: (e.time, e.id)))
        first = writes[0]
        began = first.actor.session_started
        keyed = next((write.actor for write in writes if write.actor.access_key), first.actor)
        chain, end = exchanges.chain(keyed, first.time)
        sessions.append(
            ChangeSession(
                id=name,
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


def _adopt(grouped: dict[str, dict[tuple[str, str], ChangeEvent]]) -> None:
    """Bring together what is one session.

    Calls with a key of which another call shows that a person holds it are that person's; calls without a key belong to the
    session that made them, if only one of that holder and second is there.
    """
    for name in [name for name in grouped if name != stem(name)]:
        person = grouped.get(stem(name), {})
        if any(event.actor.holder for event in person.values()):
            continue  # Each exchange is a session of its own, and what none gave is none of them.
        keys = {event.actor.access_key for event in person.values() if event.actor.human}
        if keys.intersection(event.actor.access_key for event in grouped[name].values()):
            person.update(grouped.pop(name))
    keyed: dict[str, list[str]] = {}
    for name in grouped:
        if name != stem(name):
            keyed.setdefault(stem(name), []).append(name)
    for name, owners in keyed.items():
        orphans = grouped.get(name, {})
        if any(event.actor.holder for event in orphans.values()):
            continue
        if len(owners) == 1 and orphans and not any(e.actor.access_key or e.actor.human for e in orphans.values()):
            grouped[owners[0]].update(grouped.pop(name))


def _holder(writes: tuple[ChangeEvent, ...]) -> Actor:
    """Return the actor of a session: the first write's, unless a later one shows that a person sits behind it."""
    return next((write.actor for write in writes if write.actor.human), writes[0].actor)

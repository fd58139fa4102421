"""Who can become an identity in the end: the ways to it, and the ways to those who can go them. Pure; never raises."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from monitor.facts.identity import Identity
from monitor.facts.trust import TrustPath
from monitor.iam import trusting
from monitor.iam.escalation import Graph
from monitor.model import Unknown

DEPTH = 6
"""Identities in between that a path may have."""
MOST = 200
"""Paths that an identity may have; the last says where more were not followed."""
_CARRIED = frozenset({"sts:externalid"})


def paths(identity: Identity, graph: Graph) -> tuple[TrustPath, ...] | Unknown:
    """Return all ways to become an identity, each to its origin; Unknown if its own trust could not be read.

    A way for a role that is known, or for an account, is followed to the ways to those roles; `via` names them, the nearest
    first, and the tests are those of the outermost. A user is an origin: a person or a key is behind it. So is one that is
    not known. `by` tells the external id that a way in between asks for.
    """
    own = graph.accounts.paths.get(identity.name)
    found = trusting.surviving(identity) if own is None else own
    if isinstance(found, Unknown):
        return found
    kept: list[TrustPath] = []
    for path in _ordered(identity, found, graph):
        if len(kept) == MOST:
            note = Unknown(f"there are more than {MOST} ways to become it; the rest was not followed")
            kept[-1] = msgspec.structs.replace(kept[-1], unclear=(*kept[-1].unclear, note))
            break
        kept.append(path)
    return tuple(kept)


def _ordered(identity: Identity, own: tuple[TrustPath, ...], graph: Graph) -> Iterator[TrustPath]:
    """Yield the ways breadth first, so that the nearest are kept if there are too many. Ways on are made when asked for."""
    row: list[tuple[TrustPath | None, str]] = [(None, identity.name)]
    seen = {identity.name}
    yielded: set[TrustPath] = set()
    for depth in range(DEPTH + 1):
        following: list[tuple[TrustPath | None, str]] = []
        for outer, target in row:
            inner = own if outer is None else graph.accounts.paths[target]
            if isinstance(inner, Unknown) or depth == DEPTH:
                why = (
                    inner if isinstance(inner, Unknown) else Unknown(f"{DEPTH} identities lie in between, perhaps more")
                )
                assert outer is not None
                yield _leaf(outer, target, why)
                continue
            for one in inner:
                if (outer is not None and one.dead) or _of_itself(one, target, graph):
                    continue
                path = one if outer is None else _through(outer, target, one)
                behind = _behind(path, target, graph)
                for origin in (*_origins(path, behind, graph), *_unread(path, behind, target, graph)):
                    if origin not in yielded:
                        yielded.add(origin)
                        yield origin
                for name in behind:
                    if name not in seen and not graph.is_user(name):
                        seen.add(name)
                        following.append((path, name))
        row = following


def _behind(path: TrustPath, target: str, graph: Graph) -> tuple[str, ...]:
    """Return the names of the known identities that can go a way."""
    if path.dead or path.kind not in ("identity", "account"):
        return ()
    if path.kind == "identity":
        takers = graph.takers(target)
        return tuple(one for one in graph.accounts.meant(path.principal) if one in takers)
    return graph.takers_of(target, trusting.account_of(path.principal))


def _of_itself(path: TrustPath, target: str, graph: Graph) -> bool:
    """Return whether a way is open to the identity itself alone: who takes it so has it already."""
    return path.kind == "identity" and graph.accounts.meant(path.principal) == (target,)


def _unread(path: TrustPath, behind: tuple[str, ...], target: str, graph: Graph) -> Iterator[TrustPath]:
    """Yield the way of an account as it is, with a note, where others than those behind it may go it for all that is known."""
    if path.kind != "account" or not behind:
        return
    account = trusting.account_of(path.principal)
    if account in graph.unlisted:
        note = Unknown(f"not all identities of account {account} were read, and others may take it too")
        yield msgspec.structs.replace(path, unclear=_once((*path.unclear, note)))
        return
    known, tests = {*behind, target}, trusting.personal(path)
    unread = [one for one in graph.unread(account) if one.name not in known]
    names = [one.short for one in unread if trusting.admits(tests, one)]
    if names:
        note = Unknown(f"whether {', '.join(names[:3])}{' and others' if len(names) > 3 else ''} may is not known")
        yield msgspec.structs.replace(path, unclear=_once((*path.unclear, note)))


def _origins(path: TrustPath, behind: tuple[str, ...], graph: Graph) -> Iterator[TrustPath]:
    """Yield a way as it is, if nobody is known behind it; else one for each user behind it."""
    if not behind:
        yield path
    for name in behind:
        if graph.is_user(name):
            yield msgspec.structs.replace(path, kind="identity", principal=name)


def _through(outer: TrustPath, name: str, inner: TrustPath) -> TrustPath:
    return msgspec.structs.replace(
        inner,
        via=(*outer.via, name),
        by=f"{inner.by}, then {outer.by}{_asked(outer)}",
        unclear=_once(inner.unclear + outer.unclear),
    )


def _leaf(path: TrustPath, name: str, why: Unknown) -> TrustPath:
    return msgspec.structs.replace(path, kind="identity", principal=name, unclear=_once((*path.unclear, why)))


def _asked(path: TrustPath) -> str:
    words = [test.words() for test in path.tests if test.claim in _CARRIED]
    return f" (where {' and '.join(words)})" if words else ""


def _once(told: tuple[Unknown, ...]) -> tuple[Unknown, ...]:
    return tuple(dict.fromkeys(told))

"""The parts of an identity's rights that combine to a power: which reach everything, how few suffice, what narrows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from monitor.iam.rights import Rights
from monitor.iam.rights_clauses import Actions
from monitor.iam.rights_pieces import Piece
from monitor.iam.rights_places import EVERYWHERE


def short(actions: Actions) -> tuple[str, ...]:
    """Return the writes of a large set with `service:*` for each service of which it has all."""
    found: tuple[str, ...] | None = actions.memory.get("short")
    if found is None:
        catalogue, left, whole = actions.catalogue, actions.write_bits, []
        for service in actions.write_services:
            mask = catalogue.services[service] & ~catalogue.reads
            if not mask & ~left:
                whole.append(f"{service}:*")
                left &= ~mask
        found = actions.memory["short"] = tuple(sorted((*whole, *catalogue.named(left))))
    return found


@lru_cache(maxsize=16_384)
def service_of(resource: str, account: str) -> str:
    """Return the service of which an ARN's pattern stands for all that the account has; `*` for all services; else empty."""
    parts = resource.split(":", 5)
    if len(parts) < 6 and resource.endswith("*"):  # `arn:aws:*`: a run goes on over all parts that are left
        parts += ["*"] * (6 - len(parts))
    if len(parts) != 6 or parts[0].strip("*?") not in ("", "arn") or parts[4].strip("*") not in ("", account):
        return ""
    if parts[3].strip("*") or not parts[5] or parts[5].strip("*?:/"):
        return ""
    return parts[2] if parts[2].strip("*?") else "*"


def wide_for(rights: Rights, service: str) -> list[Piece]:
    """Return the parts that reach everything of one service."""
    account = rights.identity.account
    return [
        piece
        for piece in rights.pieces
        if rights.everywhere(piece.resources)
        or any(service_of(one, account) in (service, "*") for one in piece.resources)
    ]


def all_bits(pieces: Iterable[Piece]) -> int:
    """Return the actions of all parts."""
    bits = 0
    for piece in pieces:
        bits |= piece.actions.bits
    return bits


def enough(pieces: Sequence[Piece], wanted: int, part: float = 1.0) -> list[Piece]:
    """Return as few of the pieces as give this part of what is wanted, the largest first."""
    if len(pieces) == 1:
        return list(pieces)
    found: list[Piece] = []
    bits, most = 0, part * wanted.bit_count()
    for piece in sorted(pieces, key=lambda one: -(one.actions.bits & wanted).bit_count()):
        if bits.bit_count() >= most:
            break
        if piece.actions.bits & wanted & ~bits:
            found.append(piece)
            bits |= piece.actions.bits & wanted
    return found


def cited(pieces: Iterable[Piece]) -> tuple[str, ...]:
    """Return the statements that give the parts."""
    return tuple(dict.fromkeys(piece.clause.by for piece in pieces))


def resources_of(pieces: Sequence[Piece]) -> tuple[str, ...]:
    """Return where the parts hold."""
    found = tuple(dict.fromkeys(one for piece in pieces for one in piece.resources))
    return EVERYWHERE if "*" in found else found


def conditions_of(pieces: Sequence[Piece], every: bool = False) -> tuple[str, ...]:
    """Return what the power depends on. Of alternatives one suffices, so one without conditions is enough; unless `every`."""
    if not every and any(piece.plain for piece in pieces):
        return ()
    found = dict.fromkeys(word for piece in pieces for word in piece.conditions)
    return (*found, *dict.fromkeys(f"not on {one}" for piece in pieces for one in piece.excepts))

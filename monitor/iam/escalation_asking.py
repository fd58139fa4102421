"""What a rule asks of an identity's rights: whether it may do this on that, and on what conditions. Pure; never raises."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec

from monitor.facts.identity import Identity
from monitor.facts.policy import Policy, Statement
from monitor.iam.catalogue import Catalogue
from monitor.iam.rights import Answer, Rights, rights
from monitor.iam.rights_pieces import Piece
from monitor.iam.wildcards import wild
from monitor.model import Unknown

ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
EVERYTHING = Policy(
    name="everything", kind="inline", statements=(Statement(n=1, allow=True, actions=("*",), resources=("*",)),)
)
_ATTACHES = frozenset({"iam:attachuserpolicy", "iam:attachrolepolicy", "iam:attachgrouppolicy"})
_MOST = 0.8
_LIMITS = ("iam:policyarn", "iam:permissionsboundary")
Demands = tuple[tuple[str, ...], ...]
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Met(NamedTuple):
    """A demand that is met: by which action, allowed by what, where, and on what conditions."""

    actions: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()

    def and_(self, other: Met) -> Met:
        """Return both together; `resources` are those of this one."""
        return Met(
            _once(self.actions, other.actions),
            _once(self.by, other.by),
            _once(self.conditions, other.conditions),
            self.resources,
        )

    @property
    def limited(self) -> bool:
        """Return whether what it may give is limited to certain policies or a boundary."""
        return any(limit in one for one in self.conditions for limit in _LIMITS)


def _once(*parts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in parts for one in part))


def parts(held: Rights, action: str) -> Iterator[tuple[tuple[str, ...], Piece]]:
    """Yield the parts of its rights that allow an action, with its name; a pattern stands for each action that it means."""
    many = wild(action)
    bits = held.catalogue.bits(action) if many else held.catalogue.bit(action)
    for piece in held.pieces:
        hit = piece.actions.bits & bits
        if hit:
            yield held.catalogue.named(hit) if many else (action,), piece


def somewhere(held: Rights, demands: Demands) -> Met | None:
    """Return how all demands are met on anything at all, with the fewest conditions; None if one is not met."""
    met = Met()
    for alternatives in demands:
        choices = [
            Met(names, (piece.clause.by,), piece.conditions, piece.resources)
            for action in alternatives
            for names, piece in parts(held, action)
        ]
        if not choices:
            return None
        best = min(choices, key=lambda one: len(one.conditions))
        met = met.and_(best) if met.resources else best.and_(met)
    return met


def on(held: Rights, demands: Demands, resource: str, context: Mapping[str, str]) -> Met | None:
    """Return how all demands are met on one resource, with the fewest conditions; None if one is not met."""
    met = Met(resources=(resource,))
    for alternatives in demands:
        best: Met | None = None
        for action in alternatives:
            words = _asked(held, action, resource, context)
            if words is not None and (best is None or len(words) < len(best.conditions)):
                best = Met((action,), _cited(held, action, resource), words)
                if not words:
                    break
        if best is None:
            return None
        met = met.and_(best)
    return met


def _asked(held: Rights, action: str, resource: str, context: Mapping[str, str]) -> tuple[str, ...] | None:
    # What is attached is the asker's choice; so what counts is whether everything may be.
    more = {"iam:policyarn": ADMINISTRATOR} if action.lower() in _ATTACHES else {}
    for known in ({**context, **more}, context) if more else (context,):
        answer = held.ask(action, resource, known)
        if answer is Answer.YES:
            return ()
        if answer is Answer.CONDITIONAL:
            return held.conditions(action, resource, known)
    return None


def _cited(held: Rights, action: str, resource: str) -> tuple[str, ...]:
    found = tuple(
        hold.by
        for hold in held.holds(action)
        if not hold.resources or any(held.places.meets(one, resource) for one in hold.resources)
    )
    return tuple(dict.fromkeys(found))


def together(held: Rights, demands: Demands, kind: str, context: Mapping[str, str] = _NOTHING) -> Met | None:
    """Return how all demands are met on one thing of a kind (role, user …) that need not be there; None if they are not."""
    best: Met | None = None
    tried: dict[str, str] = {}
    for alternatives in demands:
        for action in alternatives:
            for _, piece in parts(held, action):
                tried.update((_sample(one, held.identity.account, kind), one) for one in piece.resources)
    for resource, pattern in tried.items():
        met = on(held, demands, resource, context)
        if met is not None and (best is None or len(met.conditions) < len(best.conditions)):
            best = met._replace(resources=(pattern,))
    return best


def _sample(pattern: str, account: str, kind: str) -> str:
    if pattern.strip("*") == "":
        return f"arn:aws:iam::{account}:{kind}/some"
    return pattern.replace("*", "some").replace("?", "x")


def is_admin(held: Rights) -> bool:
    """Return whether it can do anything, without conditions, but for what the organisation keeps from all of an account.

    An organisation that denies a few actions, or all outside some regions, still has administrators.
    """
    if held.everything:
        return True
    identity = held.identity
    if not identity.ceilings or isinstance(identity.ceilings, Unknown):
        return False
    if held.possible.bit_count() < _MOST * held.catalogue.everything.bit_count():
        return False
    return rights(msgspec.structs.replace(identity, ceilings=()), held.catalogue).everything


def unlimited(identity: Identity, catalogue: Catalogue, *, boundary: bool) -> Rights:
    """Return what it could do if its policies gave everything; with `boundary` False, without its boundary too."""
    own = () if not isinstance(identity.policies, tuple) else identity.policies
    denies = tuple(one for one in own if isinstance(one.statements, tuple) and any(not s.allow for s in one.statements))
    more = msgspec.structs.replace(identity, policies=(*denies, EVERYTHING))
    return rights(more if boundary else msgspec.structs.replace(more, boundary=None), catalogue)


def surplus(own: Rights, other: Rights) -> bool:
    """Return whether another identity can do anything that this one cannot."""
    extra = other.possible & ~own.possible
    if extra:
        if own.catalogue is other.catalogue:
            return True
        mine = set(own.catalogue.named(own.possible))  # bits of actions that no catalogue knows differ
        if any(name not in mine for name in other.catalogue.named(extra)):
            return True
    always, covers = own.always, own.places.includes
    for piece in other.pieces:
        bits = piece.actions.bits & ~always
        for mine_piece in own.pieces if bits else ():
            if mine_piece.conditions or mine_piece.excepts or not mine_piece.actions.bits & bits:
                continue
            if all(any(covers(outer, one) for outer in mine_piece.resources) for one in piece.resources):
                bits &= ~mine_piece.actions.bits
        if bits:
            return True
    return False

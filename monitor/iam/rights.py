"""What an identity can do in effect: its policies, less what denies, its boundary and the organisation's ceilings take. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
An action is allowed if a statement of the identity's policies allows it, each level above (boundary, and each level of the
organisation) allows it too, and nothing denies it. What resources allow by their own policies is not seen here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from types import MappingProxyType

import msgspec

from monitor.facts.access import Granted
from monitor.facts.identity import Identity
from monitor.facts.policy import Condition, Policy
from monitor.iam.catalogue import AWS, GCP, Catalogue
from monitor.iam.conditions import filled, holds
from monitor.iam.rights_clauses import Clause, Clauses, memory, ready
from monitor.iam.rights_pieces import Denies, Level, Piece, pieces
from monitor.iam.rights_places import EVERYWHERE, Places, places, reach
from monitor.model import Unknown

Context = Mapping[str, Sequence[str]]
_NOTHING: Mapping[str, str] = MappingProxyType({})


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which an action is allowed, before denies and ceilings. `by` cites the statement."""

    resources: tuple[str, ...] = ()
    not_resources: tuple[str, ...] = ()
    conditions: tuple[Condition, ...] = ()
    by: str = ""


class Answer(StrEnum):
    """Whether something is allowed: always, if some conditions hold, never, or it cannot be told."""

    YES = "yes"
    CONDITIONAL = "conditional"
    NO = "no"
    UNKNOWN = "unknown"


class Rights:
    """What one identity can do. `unclear` tells what could not be read, and so may widen or narrow it; `blind`: widen."""

    def __init__(
        self,
        identity: Identity,
        catalogue: Catalogue,
        clauses: Clauses,
        levels: tuple[Level, ...] = (),
        unclear: tuple[Unknown, ...] = (),
        blind: bool = False,
    ) -> None:
        """Make it of statements that are ready; `rights` is what others call."""
        self.identity = identity
        self.catalogue = catalogue
        self.unclear = unclear
        self.places: Places = places(identity.provider)
        self._allows = clauses.allows
        self._denies = clauses.denies
        self._levels = levels
        self._own = own_keys(identity)
        self.blind = blind

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """What each statement gives in effect."""
        return tuple(pieces(self._allows, Denies(self._denies), self._levels, self.places))

    @cached_property
    def possible(self) -> int:
        """The bits of all actions that it may do somewhere, if only under conditions."""
        found = 0
        for piece in self.pieces:
            found |= piece.actions.bits
        return found

    @property
    def always(self) -> int:
        """The bits of all actions that it may do on every resource, without conditions."""
        found = 0
        for piece in self.wide:
            if piece.plain:
                found |= piece.actions.bits
        return found

    @cached_property
    def wide(self) -> tuple[Piece, ...]:
        """Those parts of what its statements give that reach every resource its account may have."""
        return tuple(piece for piece in self.pieces if self.everywhere(piece.resources))

    @property
    def everything(self) -> bool:
        """Whether it can do anything on everything, without conditions."""
        if self.identity.provider == GCP:  # its catalogue may hold no more than what was seen
            return any(piece.clause.basic == "owner" and piece.plain for piece in self.wide)
        return self.always == self.catalogue.everything

    def everywhere(self, resources: tuple[str, ...]) -> bool:
        """Return whether one of the patterns stands for every resource that its account may have."""
        if resources == EVERYWHERE:
            return True
        account = self.identity.account
        return any(self.places.whole(one, account) for one in resources)

    def holds(self, action: str) -> tuple[Hold, ...]:
        """Return the ways in which its policies allow an action, before denies and ceilings."""
        bit = self.catalogue.bit(action)
        return tuple(
            Hold(resources=one.resources, not_resources=one.not_resources, conditions=one.conditions, by=one.by)
            for one in self._allows
            if one.names(action, bit)
        )

    def granted(self) -> tuple[Granted, ...]:
        """Return what its statements give in effect, one fact for each part that holds alike."""
        return tuple(piece.granted for piece in self.pieces)

    def ask(self, action: str, resource: str, context: Mapping[str, str] = _NOTHING) -> Answer:
        """Return whether it may do an action on a resource.

        `resource` is one resource, or a pattern: then YES is for all that it stands for. `context` are the request's keys
        that are known; what depends on another is CONDITIONAL. UNKNOWN: nothing allows it, but not all could be read.
        """
        return self._weighed(action, resource, context)[0]

    def conditions(self, action: str, resource: str, context: Mapping[str, str] = _NOTHING) -> tuple[str, ...]:
        """Return, in words, what a CONDITIONAL answer depends on; all of it must hold. Empty for other answers."""
        answer, words = self._weighed(action, resource, context)
        return tuple(dict.fromkeys(words)) if answer is Answer.CONDITIONAL else ()

    def _weighed(self, action: str, resource: str, context: Mapping[str, str]) -> tuple[Answer, list[str]]:
        bit = self.catalogue.bit(action)
        known = {**self._own, **{key.lower(): (value,) for key, value in context.items()}}
        asked = self.places.anything(self.identity.account) if resource == "*" else resource
        words: list[str] = []
        lost = False
        for deny in self._denies:
            applies, why = self._applies(deny, asked, known) if deny.names(action, bit) else (False, "")
            if applies:
                return Answer.NO, []
            if applies is None:
                words.append(f"unless {why}")
        for told, clauses in (("", self._allows), *((level.told, level.allows) for level in self._levels)):
            met, choices = False, []
            for clause in clauses:
                if clause.names(action, bit):
                    applies, why = self._applies(clause, asked, known)
                    met = met or applies is True
                    choices += [why] if applies is None else []
            if met:
                continue
            if not choices and self.blind and not told:
                lost = True
                continue
            if not choices:
                return Answer.NO, []
            choice = " or ".join(sorted(set(choices)))
            words.append(f"{told}: {choice}" if told else choice)
        if lost:
            return Answer.UNKNOWN, []
        return (Answer.CONDITIONAL if words else Answer.YES), words

    def _applies(self, clause: Clause, resource: str, known: Context) -> tuple[bool | None, str]:
        """Return whether a statement applies: True, False, or None with what that depends on."""
        resources, others = (
            tuple(filled(one, known, pattern=True) or one for one in patterns)
            for patterns in (clause.resources, clause.not_resources)
        )
        covered = reach(resources, others, resource, self.places)
        if covered is False:
            return False, ""
        words = []
        for one in clause.conditions:
            told = holds(one, known)
            if told is False:
                return False, ""
            words += [one.words()] if told is None else []
        if covered is None:
            where = "on " if clause.resources else "on anything but "
            words.append(where + " or ".join(clause.resources or clause.not_resources))
        return (None, " and ".join(words)) if words else (True, "")


def rights(identity: Identity, catalogue: Catalogue) -> Rights:
    """Return what an identity can do. Actions that the catalogue lacks are added to it, as writes."""
    unclear: list[Unknown] = []
    policies = identity.policies
    if isinstance(policies, Unknown):
        return Rights(identity, catalogue, Clauses(), (), (policies,), blind=True)
    catalogue = catalogue.extended(_unnamed(policies, catalogue))
    own = own_keys(identity)
    found = ready(policies, catalogue)
    unclear += [_told(policy.name, lost, "it may give more rights") for policy, lost in found.unread]
    levels: list[Level] = []
    denies = list(found.denies)
    for told, part in _above(identity, catalogue, unclear):
        denies += part.denies
        if part.unread:
            unclear += [_told(policy.name, lost, "rights may be fewer") for policy, lost in part.unread]
            continue
        level = _level(told, _settled(part.allows, own))
        if level.full != catalogue.everything:
            levels.append(level)
    clauses = Clauses(_settled(found.allows, own), _settled(tuple(denies), own))
    return Rights(identity, catalogue, clauses, tuple(levels), tuple(unclear), blind=bool(found.unread))


def own_keys(identity: Identity) -> Context:
    """Return those keys of a request that an identity of AWS tells by itself; a key without a value is known to be absent.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principal-properties
    """
    if identity.provider != AWS or identity.kind not in ("role", "user") or not identity.name.startswith("arn:"):
        return {}
    user = identity.kind == "user"
    return {
        "aws:principalarn": (identity.name,),
        "aws:principalaccount": (identity.account,),
        "aws:principaltype": ("User" if user else "AssumedRole",),
        "aws:username": (identity.short,) if user else (),
        "aws:principalisawsservice": ("false",),
    }


def _above(identity: Identity, catalogue: Catalogue, unclear: list[Unknown]) -> Iterator[tuple[str, Clauses]]:
    """Yield the levels that must allow what the policies allow; tell of those that could not be read."""
    if isinstance(identity.boundary, Unknown):
        unclear.append(_told("the boundary", identity.boundary, "rights may be fewer"))
    elif identity.boundary is not None:
        yield "within the boundary", ready((identity.boundary,), catalogue)
    if isinstance(identity.ceilings, Unknown):
        unclear.append(_told("the organisation's policies", identity.ceilings, "rights may be fewer"))
        return
    kept = memory(catalogue).levels
    made = kept.get(id(identity.ceilings))
    if made is None or made[0] is not identity.ceilings:
        parts = tuple(ready(level, catalogue) for level in identity.ceilings)
        made = (identity.ceilings, parts)
        if len(kept) >= 1024:
            kept.clear()
        kept[id(identity.ceilings)] = made
    for level, part in zip(identity.ceilings, made[1], strict=True):
        if level:
            yield "within the organisation's policies", part
        else:  # no level of an organisation is without a policy
            unclear.append(Unknown("the organisation's policies: one level has none; rights may be fewer"))


def _level(told: str, allows: tuple[Clause, ...]) -> Level:
    full = some = 0
    for clause in allows:
        some |= clause.actions.bits
        if clause.whole and not clause.conditions:
            full |= clause.actions.bits
    return Level(told, allows, full, some)


def _settled(clauses: tuple[Clause, ...], own: Context) -> tuple[Clause, ...]:
    if not own or not any(clause.personal for clause in clauses):
        return clauses
    found = (clause.settled(own) if clause.personal else clause for clause in clauses)
    return tuple(clause for clause in found if clause is not None)


def _unnamed(policies: Sequence[Policy], catalogue: Catalogue) -> tuple[str, ...]:
    """Return the actions that the policies allow by name or pattern and that the catalogue lacks."""
    return tuple(
        pattern
        for policy in policies
        if not isinstance(policy.statements, Unknown)
        for one in policy.statements
        if one.allow
        for pattern in one.actions
        if not catalogue.bits(pattern)
    )


def _told(name: str, lost: Unknown, so: str) -> Unknown:
    return Unknown(f"{name}: {lost.reason}; {so}", lost.grant)

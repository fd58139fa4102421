"""Statements made ready for evaluation: sets of actions as bits, shared by all statements that write them alike. Pure.

Real accounts write the same few patterns in thousands of roles. So a set of actions is worked out once for each distinct
writing, a policy once for each time that it is read, and all that follows from a set of actions is remembered with it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from monitor.facts.policy import Condition, Policy, Statement
from monitor.iam.catalogue import AWS, GCP, Catalogue
from monitor.iam.conditions import holds
from monitor.iam.rights_places import EVERYWHERE
from monitor.iam.wildcards import fits
from monitor.model import Unknown

OWN_KEYS = frozenset(
    {"aws:principalarn", "aws:principalaccount", "aws:principaltype", "aws:username", "aws:principalisawsservice"}
)
"""Keys of a request that the identity itself tells.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principal-properties"""
_BASIC = frozenset({"owner", "editor", "viewer"})
_K = TypeVar("_K", bound=Hashable)
_T = TypeVar("_T")


class Actions:
    """A set of actions, and what follows from it. One object for each distinct set."""

    def __init__(self, bits: int, catalogue: Catalogue) -> None:
        self.bits = bits
        self.catalogue = catalogue

    @cached_property
    def write_bits(self) -> int:
        """The bits of those that do more than read."""
        return self.bits & ~self.catalogue.reads

    @cached_property
    def writes(self) -> tuple[str, ...]:
        """The names of those that do more than read."""
        return self.catalogue.named(self.write_bits)

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The names of those that only read or list."""
        return self.catalogue.named(self.bits & self.catalogue.reads)

    @cached_property
    def services(self) -> tuple[str, ...]:
        """The services of all of them."""
        return self.catalogue.served(self.bits)

    @cached_property
    def write_services(self) -> tuple[str, ...]:
        """The services of those that do more than read."""
        return self.catalogue.served(self.write_bits)

    @cached_property
    def memory(self) -> dict[str, Any]:
        """What others remember of it."""
        return {}


class Clause:
    """One statement, ready for evaluation. `resources` and `not_resources` are as written; `by` cites it."""

    __slots__ = (
        "_by", "_words", "actions", "conditions", "not_resources", "personal", "piece", "policy", "resources", "statement",
        "whole",
    )  # fmt: skip

    def __init__(
        self, policy: Policy, statement: Statement, actions: Actions, conditions: tuple[Condition, ...]
    ) -> None:
        self.policy = policy
        self.statement = statement
        self.actions = actions
        self.conditions = conditions
        self.resources = statement.resources
        self.not_resources = statement.not_resources
        self.whole = self.resources == EVERYWHERE or any(one and not one.strip("*") for one in self.resources)
        self.personal = any(one.key in OWN_KEYS for one in conditions)
        self._by: str | None = None
        self._words: tuple[str, ...] | None = None
        self.piece: Any = None

    @property
    def by(self) -> str:
        """How the statement is cited."""
        if self._by is None:
            self._by = self.policy.told(self.statement)
        return self._by

    @property
    def basic(self) -> str:
        """`owner`, `editor` or `viewer` where the statement gives that basic role of GCP (or, as an owner, `*`); else empty.

        https://cloud.google.com/iam/docs/roles-overview#basic
        """
        if self.actions.catalogue.provider != GCP:
            return ""
        role = self.policy.name.removeprefix("roles/")
        return "owner" if "*" in self.statement.actions else role if role in _BASIC else ""

    @property
    def words(self) -> tuple[str, ...]:
        """Its conditions, as a person reads them."""
        if self._words is None:
            self._words = tuple(one.words() for one in self.conditions)
        return self._words

    def names(self, action: str, bit: int) -> bool:
        """Return whether the action is one of it; one that the catalogue lacks (bit 0) is compared with what is written."""
        if bit:
            return bool(self.actions.bits & bit)
        fold = str.lower if self.actions.catalogue.provider == AWS else str
        name = fold(action)
        if self.statement.actions:
            return any(fits(fold(one), name) for one in self.statement.actions)
        others = self.statement.not_actions
        return bool(others) and not any(fits(fold(one), name) for one in others)

    def settled(self, own: Mapping[str, Sequence[str]]) -> Clause | None:
        """Return it without those conditions that the identity itself meets; None if there is one that it cannot meet."""
        left: list[Condition] = []
        for one in self.conditions:
            told = holds(one, own) if one.key in OWN_KEYS else None
            if told is False:
                return None
            if told is None:
                left.append(one)
        if len(left) == len(self.conditions):
            return self
        return Clause(self.policy, self.statement, self.actions, tuple(left))


class Clauses(msgspec.Struct, frozen=True):
    """The statements of some policies, ready for evaluation; `unread` are the policies whose statements are Unknown."""

    allows: tuple[Clause, ...] = ()
    denies: tuple[Clause, ...] = ()
    unread: tuple[tuple[Policy, Unknown], ...] = ()


class Memory:
    """What is remembered with a catalogue, so that what identities share is worked out once. Forgetting only costs time."""

    __slots__ = ("levels", "policies", "sets", "written")

    def __init__(self) -> None:
        self.sets: dict[int, Actions] = {}
        self.written: dict[Hashable, Actions] = {}
        self.policies: dict[int, tuple[Policy, Clauses]] = {}
        self.levels: dict[int, tuple[object, Any]] = {}


def memory(catalogue: Catalogue) -> Memory:
    """Return what is remembered with a catalogue."""
    found: Memory | None = catalogue.memory.get("rights")
    if found is None:
        found = catalogue.memory["rights"] = Memory()
    return found


def acts(bits: int, catalogue: Catalogue) -> Actions:
    """Return the set of these actions: the same object for the same bits, as long as it is remembered."""
    sets = memory(catalogue).sets
    return sets.get(bits) or _kept(sets, bits, Actions(bits, catalogue), 8_192)


def written(actions: tuple[str, ...], not_actions: tuple[str, ...], catalogue: Catalogue) -> Actions:
    """Return the set of actions that a statement writes."""
    kept = memory(catalogue).written
    key = (actions, not_actions)
    if (found := kept.get(key)) is not None:
        return found
    bits = 0
    for pattern in actions or not_actions:
        bits |= catalogue.bits(pattern)
    if not_actions and not actions:
        bits = catalogue.everything & ~bits
    return _kept(kept, key, acts(bits, catalogue), 32_768)


def ready(policies: Sequence[Policy], catalogue: Catalogue) -> Clauses:
    """Return the statements of policies, ready for evaluation. A policy object is made ready once."""
    parts = [_one(policy, catalogue) for policy in policies]
    if len(parts) == 1:
        return parts[0]
    return Clauses(
        tuple(clause for part in parts for clause in part.allows),
        tuple(clause for part in parts for clause in part.denies),
        tuple(lost for part in parts for lost in part.unread),
    )


def _one(policy: Policy, catalogue: Catalogue) -> Clauses:
    if policy.kind == "inline":  # it is one identity's alone
        return _made(policy, catalogue)
    policies = memory(catalogue).policies
    kept = policies.get(id(policy))
    if kept is None or kept[0] is not policy:  # it is held, so no other object has its id while it is remembered
        kept = _kept(policies, id(policy), (policy, _made(policy, catalogue)), 4_096)
    return kept[1]


def _made(policy: Policy, catalogue: Catalogue) -> Clauses:
    if isinstance(policy.statements, Unknown):
        return Clauses(unread=((policy, policy.statements),))
    clauses = [
        Clause(policy, one, written(one.actions, one.not_actions, catalogue), one.conditions)
        for one in policy.statements
    ]
    return Clauses(
        tuple(one for one in clauses if one.statement.allow and _anywhere(one)),
        tuple(one for one in clauses if not one.statement.allow),
    )


def _anywhere(clause: Clause) -> bool:
    """Return whether it reaches any resource at all: `NotResource: *` reaches none."""
    if clause.resources:
        return True
    return bool(clause.not_resources) and not any(one and not one.strip("*") for one in clause.not_resources)


def _kept(kept: dict[_K, _T], key: _K, found: _T, most: int) -> _T:
    if len(kept) >= most:
        kept.clear()
    kept[key] = found
    return found

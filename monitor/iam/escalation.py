"""Which identities lead to more rights than they have: by which rule, to whom, and through whom. Pure; never raises.

All identities of a scan are taken together: a role that may be passed is judged by its own rights, and by what it leads to in
turn. The way to an administrator is found once for all, backwards from those who are; so the work grows with the number of
identities and of lists that they lead to, not with their product.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from monitor.facts.access import Power
from monitor.facts.identity import Identity
from monitor.iam import escalation_asking as asking
from monitor.iam.catalogue import Catalogue
from monitor.iam.escalation_accounts import Accounts, Way
from monitor.iam.escalation_asking import Met
from monitor.iam.escalation_aws import AWS_RULES
from monitor.iam.escalation_gcp import GCP_RULES
from monitor.iam.escalation_openings import Opening, Openings, Shared
from monitor.iam.escalation_own import Own, Owning
from monitor.iam.escalation_report import Report, Rise
from monitor.iam.escalation_rule import Reach, Rule
from monitor.iam.escalation_taking import Taking
from monitor.iam.powers import powers
from monitor.iam.rights import Rights

RULES: Mapping[str, tuple[Rule, ...]] = {"aws": AWS_RULES, "gcp": GCP_RULES}
"""All rules, by provider."""
_TAKING = {"aws": "sts-assume-role", "gcp": "gcp-get-access-token"}
_OWN = (Reach.OWN, Reach.UNBOUND)


class _Found(NamedTuple):
    own: tuple[Own, ...] = ()
    openings: tuple[Opening, ...] = ()


class _Masks:
    """The rules of one provider as bits of one catalogue."""

    def __init__(self, rules: Iterable[Rule], catalogue: Catalogue) -> None:
        self._rules = tuple(
            (rule, tuple(_bits(alternatives, catalogue) for alternatives in rule.demands)) for rule in rules
        )
        self.relevant = 0
        for _, masks in self._rules:
            for mask in masks:
                self.relevant |= mask
        self._candidates: dict[int, tuple[Rule, ...]] = {}

    def candidates(self, possible: int) -> tuple[Rule, ...]:
        """Return the rules for which each demand has an action among those that are possible."""
        seen = possible & self.relevant
        if not seen:
            return ()
        found = self._candidates.get(seen)
        if found is None:
            found = tuple(rule for rule, masks in self._rules if all(seen & mask for mask in masks))
            if len(self._candidates) < 8192:
                self._candidates[seen] = found
        return found


def _bits(actions: tuple[str, ...], catalogue: Catalogue) -> int:
    found = 0
    for action in actions:
        found |= catalogue.bits(action)
    return found


class Graph:
    """Who leads to whom, among all identities of a scan."""

    def __init__(self, rights: Mapping[str, Rights], unlisted: Collection[str] = ()) -> None:
        """Make it of what each can do, by the identity's name. `unlisted`: accounts of which not all are here."""
        self._held = rights
        self.unlisted = frozenset(unlisted)
        self._masks: dict[int, _Masks] = {}
        self._takers: dict[tuple[int, ...], frozenset[str]] = {}
        self._takers_of: dict[tuple[tuple[int, ...], str], tuple[str, ...]] = {}
        self._listed: dict[int, tuple[tuple[Way, ...], tuple[str, ...]]] = {}
        self._admins: dict[str, bool] = {}
        self._powers: dict[str, tuple[Power, ...]] = {}
        self.accounts = Accounts({name: held.identity for name, held in rights.items()})
        shared = Shared()
        self._openings = Openings(rights, self.accounts, shared)
        self._take = Taking(rights, self.accounts, shared)
        self._owning = Owning(self._becomes)
        self._assumed: dict[str, tuple[Opening, ...]] = {}

    def powers(self, name: str) -> tuple[Power, ...]:
        """Return the powers that an identity has by itself, without escalation."""
        found = self._powers.get(name)
        if found is None:
            found = self._powers[name] = powers(self._held[name])
        return found

    def assumes(self, name: str) -> tuple[str, ...]:
        """Return the names of the identities that it can become directly, sorted; () for a name that is not known."""
        if name not in self._held:
            return ()
        groups = [opening.group for opening in self._taken(name) if opening.group]
        if len(groups) == 1 and all(way.name != name for way in groups[0]):
            return self._names(groups[0])
        return tuple(sorted({way.name for group in groups for way in group} - {name}))

    def takers(self, name: str) -> frozenset[str]:
        """Return the names of the identities that can become one directly (it may be among them)."""
        lists = self._taking.get(name, [])
        key = tuple(map(id, lists))
        found = self._takers.get(key)
        if found is None:
            found = self._takers[key] = frozenset(taker for takers in lists for taker in takers)
        return found

    def takers_of(self, name: str, account: str) -> tuple[str, ...]:
        """Return those of an account that can become one directly, sorted (it may be among them)."""
        key = (tuple(map(id, self._taking.get(name, []))), account)
        found = self._takers_of.get(key)
        if found is None:
            found = tuple(sorted(one for one in self.takers(name) if self._held[one].identity.account == account))
            self._takers_of[key] = found
        return found

    def unread(self, account: str) -> tuple[Identity, ...]:
        """Return the identities of an account of AWS whose policies could not all be read, by name."""
        return self._unread.get(account, ())

    @cached_property
    def _unread(self) -> Mapping[str, tuple[Identity, ...]]:
        found: dict[str, list[Identity]] = {}
        for _, held in sorted(self._held.items()):
            if held.blind and held.identity.provider == "aws":
                found.setdefault(held.identity.account, []).append(held.identity)
        return {account: tuple(some) for account, some in found.items()}

    def is_user(self, name: str) -> bool:
        """Return whether an identity is a user: a person or a key is behind it."""
        return self._held[name].identity.kind == "user"

    def escalations(self, name: str) -> tuple[Power, ...]:
        """Return the paths of escalation that are open to an identity; () for an administrator, who has no need of any."""
        if name not in self._held or self._admin(name):
            return ()
        found = self._found[name]
        if not found.own and not found.openings:
            return ()
        return self._report.powers(name, found.own, found.openings)

    @cached_property
    def _report(self) -> Report:
        return Report(self._held, self._rises, self._onward)

    def _admin(self, name: str) -> bool:
        found = self._admins.get(name)
        if found is None:
            found = self._admins[name] = asking.is_admin(self._held[name])
        return found

    def _names(self, group: tuple[Way, ...]) -> tuple[str, ...]:
        kept = self._listed.get(id(group))
        if kept is None or kept[0] is not group:
            kept = self._listed[id(group)] = (group, tuple(way.name for way in group))
        return kept[1]

    def _taken(self, name: str) -> tuple[Opening, ...]:
        found = self._assumed.get(name)
        if found is None:
            held = self._held[name]
            provider = held.identity.provider
            rule = next((one for one in RULES.get(provider, ()) if one.id == _TAKING[provider]), None)
            found = self._assumed[name] = self._take.of(held, rule) if rule else ()
        return found

    @cached_property
    def _taking(self) -> Mapping[str, list[list[str]]]:
        """Of each identity, the lists of those who can take it; one list for all whom the same ones can take."""
        groups: dict[int, tuple[tuple[Way, ...], list[str]]] = {}
        for name in self._held:
            for opening in self._taken(name):
                if opening.group:
                    groups.setdefault(id(opening.group), (opening.group, []))[1].append(name)
        found: dict[str, list[list[str]]] = {}
        for group, takers in groups.values():
            for way in group:
                found.setdefault(way.name, []).append(takers)
        return found

    def _becomes(self, opening: Opening) -> Iterator[tuple[Rights, Met]]:
        if opening.rule.reaches in (Reach.ROLE, Reach.USER, Reach.PASSED):
            for way in opening.group or ():
                yield self._held[way.name], opening.met._replace(conditions=opening.met.conditions + way.conditions)

    @cached_property
    def _found(self) -> Mapping[str, _Found]:
        """What is open to each identity that is no administrator."""
        return {name: _Found() if self._admin(name) else self._search(name, held) for name, held in self._held.items()}

    def _search(self, name: str, held: Rights) -> _Found:
        masks = self._masks.get(id(held.catalogue))
        if masks is None:
            masks = self._masks[id(held.catalogue)] = _Masks(RULES.get(held.identity.provider, ()), held.catalogue)
        rules = masks.candidates(held.possible)
        openings = list(self._taken(name))
        for rule in rules:
            if rule.reaches not in _OWN and rule.of != "trusting-role":
                opening = self._openings.of(held, rule)
                if opening is not None:
                    openings.append(opening)
        own = [self._owning.of(held, rule, openings) for rule in rules if rule.reaches in _OWN]
        return _Found(tuple(one for one in own if one is not None), tuple(openings))

    @cached_property
    def _rises(self) -> Mapping[str, Rise]:
        """The shortest way to an administrator of each identity that has one; one without conditions goes before others."""
        rises: dict[str, Rise] = {}
        grouped: dict[int, tuple[tuple[Way, ...], list[tuple[str, Opening]]]] = {}
        starts: list[tuple[str, Rise]] = []
        for name, found in self._found.items():
            if self._admin(name):
                starts.append((name, Rise(0)))
            for one in found.own:
                if one.admin:
                    by = self._cited(name, one.met)
                    starts.append((name, Rise(1 + len(one.through), one.through, one.met.conditions, by)))
            for opening in found.openings:
                if opening.rule.reaches is Reach.MADE:
                    way = next((one for one in opening.group or () if one.name != name), None)
                    if way is not None or opening.toward == "admin":
                        through = (way.name,) if way else ()
                        words = opening.met.conditions + (way.conditions if way else ())
                        starts.append((name, Rise(2, through, words, self._cited(name, opening.met))))
                elif opening.group:
                    grouped.setdefault(id(opening.group), (opening.group, []))[1].append((name, opening))
        into: dict[str, list[tuple[Way, list[tuple[str, Opening]]]]] = {}
        for group, users in grouped.values():
            for way in group:
                into.setdefault(way.name, []).append((way, users))
        for unconditional in (True, False):
            queue: deque[str] = deque()
            for name, rise in sorted(starts, key=lambda one: (one[1].steps, one[0])):
                if name not in rises and not (unconditional and rise.conditions):
                    rises[name] = rise
            queue.extend(sorted(rises, key=lambda one: rises[one].steps))
            done: set[int] = set()
            while queue:
                name = queue.popleft()
                rise = rises[name]
                for way, users in into.get(name, ()):
                    if unconditional and way.conditions:
                        continue
                    if id(users) in done:  # whoever leads to this group has a way already, and no longer one
                        continue
                    if not way.conditions:
                        done.add(id(users))
                    for user, opening in users:
                        words = opening.met.conditions + way.conditions + rise.conditions
                        if user in rises or user == name or (unconditional and words):
                            continue
                        by = (*self._cited(user, opening.met), *((way.by,) if way.by else ()), *rise.by)
                        rises[user] = Rise(rise.steps + 1, (name, *rise.through), tuple(dict.fromkeys(words)), by)
                        queue.append(user)
        return rises

    def _cited(self, name: str, met: Met) -> tuple[str, ...]:
        short = self._held[name].identity.short
        return tuple(f"{short}: {one}" for one in met.by)

    def _onward(self, name: str) -> tuple[Opening, ...]:
        return self._found[name].openings if name in self._found else ()

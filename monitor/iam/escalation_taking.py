"""Which identities one can take by their own trust (sts:AssumeRole): those that name it, or its account. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import msgspec

from monitor.facts.policy import Policy, Statement
from monitor.iam import escalation_asking as asking
from monitor.iam import trusting
from monitor.iam.escalation_accounts import Accounts, Way, Ways
from monitor.iam.escalation_asking import Met
from monitor.iam.escalation_openings import Opening, Shared
from monitor.iam.escalation_rule import Rule
from monitor.iam.rights import Answer, Rights, rights
from monitor.iam.rights_pieces import Piece

ASSUME = "sts:AssumeRole"
_ASSUME_ONLY = Policy(
    name="assume", kind="inline", statements=(Statement(n=1, allow=True, actions=(ASSUME,), resources=("*",)),)
)


class Taking:
    """Finds whom an identity can take."""

    def __init__(self, held: Mapping[str, Rights], accounts: Accounts, shared: Shared) -> None:
        """Make it for these identities and what they may do, by name."""
        self._held = held
        self._accounts = accounts
        self._shared = shared

    def of(self, own: Rights, rule: Rule) -> tuple[Opening, ...]:
        """Return the ways by which an identity takes others that trust it."""
        identity = own.identity
        account = self._accounts.of(identity)
        found: list[Opening] = []
        # In its own account, to be named is enough. Whom everybody can become is no right of this identity: that trust is
        # told by itself. Who names everybody under conditions names those who meet them.
        for ways in (self._accounts.named.get(identity.name), account.open):
            wanted = [one for one in ways.all() if ways is not account.open or one.tests] if ways else []
            group = tuple(way for one in wanted if (way := self._taken(own, one)) is not None)
            if group:
                if ways is account.open:
                    group = self._shared.kept((ASSUME, identity.account, group), partial(tuple, group))
                found.append(Opening(rule, self._by_trust(own, rule), group))
        pieces = [piece for _, piece in asking.parts(own, ASSUME)] if identity.provider == "aws" else []
        if not pieces:
            return tuple(found)
        if not account.known(identity.name):
            target = asking.together(own, rule.on, "role")
            if target is not None and not found:
                exact = "*" not in target.resources[0] and "?" not in target.resources[0]
                found.append(Opening(rule, target, None, target.resources[0] if exact else "any-trusting-role"))
            return tuple(found)
        written = tuple((one.resources, one.excepts, one.conditions) for one in pieces)
        for label, ways in (("account", account.trusting),):
            if not len(ways):
                continue
            key: tuple[object, ...] = (ASSUME, label, identity.account, written)
            if any("${" in one for resources, *_ in written for one in resources):
                key = (*key, identity.name)
            group = self._shared.kept(key, partial(self._trusting, own, ways, pieces))
            if any(way.tests for way in group):
                group = tuple(way for way in group if trusting.admits(way.tests, identity))
            if group and not (len(group) == 1 and group[0].name == identity.name):
                met = Met(
                    (ASSUME,),
                    tuple(dict.fromkeys(one.clause.by for one in pieces)),
                    (),
                    tuple(dict.fromkeys(pattern for one in pieces for pattern in one.resources)),
                )
                found.append(Opening(rule, met, group))
        return tuple(found)

    def _by_trust(self, own: Rights, rule: Rule) -> Met:
        if own.identity.provider != "aws":
            return Met(tuple(alternatives[0] for alternatives in rule.on), resources=())
        return Met((ASSUME,), tuple(dict.fromkeys(hold.by for hold in own.holds(ASSUME))), resources=())

    def _taken(self, own: Rights, way: Way) -> Way | None:
        """Return the way to one that names this identity, if it may go it, with its conditions.

        In its own account being named is enough, unless it is denied:
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html
        """
        identity = own.identity
        if way.name == identity.name or not trusting.admits(way.tests, identity):
            return None
        if identity.provider != "aws":
            return way
        answer = own.ask(ASSUME, way.name)
        if answer is not Answer.YES and self._held[way.name].identity.account == identity.account:
            policies = identity.policies if isinstance(identity.policies, tuple) else ()
            free = msgspec.structs.replace(identity, policies=(*policies, _ASSUME_ONLY))
            if identity.kind == "user":  # a boundary does not limit what a user is named for
                free = msgspec.structs.replace(free, boundary=None)
            own = rights(free, own.catalogue)
            answer = own.ask(ASSUME, way.name)
        if answer is Answer.YES:
            return way
        if answer is Answer.CONDITIONAL:
            return way._replace(conditions=way.conditions + own.conditions(ASSUME, way.name))
        return None

    def _trusting(self, own: Rights, ways: Ways, pieces: Iterable[Piece]) -> tuple[Way, ...]:
        if all(one.resources == ("*",) and not one.excepts and not one.conditions for one in pieces):
            return ways.all()
        wanted = {way.name: way for one in pieces for pattern in one.resources for way in ways.matching(pattern)}
        found = []
        for name in sorted(wanted):
            answer = own.ask(ASSUME, name)
            if answer in (Answer.YES, Answer.CONDITIONAL):
                words = own.conditions(ASSUME, name)
                found.append(wanted[name]._replace(conditions=wanted[name].conditions + words))
        return tuple(found)

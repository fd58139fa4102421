"""What the rules open for one identity: by which rule, with which rights, and to whom. Pure; never raises.

Whom it leads to is a group: a tuple of ways that is shared by all identities whose rights to hand over (or to take) are
written alike, so that a thousand roles that may pass any role lead to one list, not to a thousand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from monitor.facts.identity import Identity
from monitor.iam import escalation_asking as asking
from monitor.iam.escalation_accounts import CHINA, Accounts, Way, Ways
from monitor.iam.escalation_asking import Met
from monitor.iam.escalation_rule import Reach, Rule
from monitor.iam.rights import Rights
from monitor.iam.rights_pieces import Piece
from monitor.model import Unknown

PASS = "iam:PassRole"
_KEPT = 65_536


class Opening(NamedTuple):
    """One rule that is open. `group`: the ways to those whom it leads to; None where they are not known (see `toward`)."""

    rule: Rule
    met: Met
    group: tuple[Way, ...] | None
    toward: str = ""


def place(identity: Identity) -> str:
    """Return the resource that an identity is: its ARN, or the full resource name of a service account."""
    if identity.provider != "gcp":
        return identity.name
    return f"//iam.googleapis.com/projects/{identity.account}/serviceAccounts/{identity.name}"


def anonymous(identity: Identity) -> bool:
    """Return whether it stands for a document that does not tell whose it is: a policy or a group alone."""
    return identity.provider == "aws" and ":role/" not in identity.name and ":user/" not in identity.name


def _called(services: tuple[str, ...], identity: Identity) -> tuple[str, ...]:
    """Return the names by which a role can be passed to services; an empty one where there are none."""
    there = identity.name.startswith("arn:aws-cn:")
    return (*services, *(f"{one}{CHINA}" for one in services if there)) or ("",)


class Shared:
    """Lists of ways that many identities lead to: each made once."""

    def __init__(self) -> None:
        self._groups: dict[object, tuple[Way, ...]] = {}

    def kept(self, key: object, make: Callable[[], tuple[Way, ...]]) -> tuple[Way, ...]:
        """Return the list of this key, made if it is not there yet."""
        found = self._groups.get(key)
        if found is None:
            found = make()
            if len(self._groups) < _KEPT:
                self._groups[key] = found
        return found


class Openings:
    """Evaluates the rules that lead from one identity to others."""

    def __init__(self, held: Mapping[str, Rights], accounts: Accounts, shared: Shared) -> None:
        """Make it for these identities and what they may do, by name."""
        self._held = held
        self._accounts = accounts
        self._shared = shared
        self._served: dict[tuple[str, tuple[str, ...]], Ways] = {}

    def of(self, own: Rights, rule: Rule) -> Opening | None:
        """Return what a rule opens for an identity; None if it is closed, or leads to nobody."""
        met = asking.somewhere(own, rule.needs)
        if met is None:
            return None
        if rule.given:
            met = met._replace(conditions=(*met.conditions, rule.given))
        if rule.reaches is Reach.RUNNING:
            return self._running(own, rule, met)
        if rule.reaches is Reach.RESOURCE:
            return Opening(rule, met, None, "any-resource")
        if rule.reaches is Reach.GROUP:
            user = own.identity.kind == "user" or anonymous(own.identity)
            entered = asking.together(own, rule.on, "group") if user else None
            return Opening(rule, entered.and_(met), None, "any-group") if entered else None
        return self._targets(own, rule, met)

    def _running(self, own: Rights, rule: Rule, met: Met) -> Opening | None:
        account = self._accounts.of(own.identity)
        if not account.known(own.identity.name):
            return Opening(rule, met, None, "any-role")
        group = self._serving(own.identity, rule.services).all()
        return Opening(rule, met, group) if group else None

    def _serving(self, identity: Identity, services: tuple[str, ...]) -> Ways:
        """Return the ways to the roles that trust one of the services; to all roles, where none is named."""
        account = self._accounts.of(identity)
        if not services:
            return account.roles
        lists = [account.serving[one] for one in services if one in account.serving]
        if len(lists) == 1:
            return lists[0]
        key = (identity.account, services)
        found = self._served.get(key)
        if found is None:
            found = self._served[key] = Ways()
            for one in lists:
                for way in one.all():
                    found.add(way)
        return found

    def _targets(self, own: Rights, rule: Rule, met: Met) -> Opening | None:
        identity = own.identity
        kind = "user" if rule.of == "user" else "role"
        account = self._accounts.of(identity)
        if not account.known(identity.name):
            return self._unknown(own, rule, met, kind)
        pieces = [piece for action in rule.on[0] for _, piece in asking.parts(own, action)]
        others = [piece for more in rule.on[1:] for action in more for _, piece in asking.parts(own, action)]
        written = tuple((one.resources, one.excepts, one.conditions) for one in (*pieces, *others))
        key: tuple[object, ...] = (
            rule.id if rule.reaches is not Reach.PASSED else PASS,
            rule.services,
            identity.account,
            written,
        )
        if any("${" in one for resources, *_ in written for one in resources):
            key = (*key, identity.name)
        group = self._shared.kept(key, lambda: self._found(own, rule, pieces, kind))
        if not group:
            return None
        first = group[0] if group[0].name != identity.name or len(group) == 1 else group[1]
        cited = asking.Met(
            tuple(dict.fromkeys(name for action in rule.on for name in action[:1])),
            tuple(dict.fromkeys(one.clause.by for one in pieces)),
            (),
            tuple(dict.fromkeys(pattern for one in pieces for pattern in one.resources)),
        )
        exact = self._on(own, rule, first.name)
        if exact is not None:
            cited = cited._replace(actions=exact.actions)
        return Opening(rule, cited.and_(met), group)

    def _found(self, own: Rights, rule: Rule, pieces: Iterable[Piece], kind: str) -> tuple[Way, ...]:
        """Return the ways to those on whom the rule's demands are met, with the conditions of each."""
        account = self._accounts.of(own.identity)
        ways = account.of(kind)
        among = self._serving(own.identity, rule.services) if rule.services else ways
        if own.identity.provider == "aws" and len(among) > 1:
            everyone = f"arn:aws:iam::{account.name}:{kind}/*"
            if all(self._asked(own, rule, everyone, service) == () for service in rule.services or ("",)):
                return among.all()
        wanted: dict[str, None] = {}
        for piece in pieces:
            for pattern in piece.resources:
                if own.identity.provider == "gcp":
                    wanted.update(dict.fromkeys(self._gcp(pattern, among)))
                else:
                    wanted.update(dict.fromkeys(way.name for way in ways.matching(pattern, account.name)))
        found = []
        for name in sorted(wanted):
            way = among.get(name)
            if way is None:
                continue
            target = self._on(own, rule, name)
            if target is not None:
                found.append(way._replace(conditions=way.conditions + target.conditions))
        return tuple(found)

    def _gcp(self, pattern: str, among: Ways) -> Iterable[str]:
        if "/serviceAccounts/" in pattern:
            return (pattern.rpartition("/serviceAccounts/")[2],)
        return (way.name for way in among.all())

    def _on(self, own: Rights, rule: Rule, name: str) -> Met | None:
        """Return how the demands are met on one target; of several services, the one that asks for least counts."""
        target = self._held[name].identity
        best: Met | None = None
        for service in _called(rule.services, target):
            if service and service not in self._accounts.of(target).serving:
                continue
            context = {"iam:passedtoservice": service} if service else {}
            if not isinstance(target.boundary, Unknown):
                context["iam:permissionsboundary"] = target.boundary.name if target.boundary else ""
            met = asking.on(own, rule.on, place(target), context)
            if met is not None and (best is None or len(met.conditions) < len(best.conditions)):
                best = met
        return best

    def _asked(self, own: Rights, rule: Rule, pattern: str, service: str) -> tuple[str, ...] | None:
        context = {"iam:passedtoservice": service} if service else {}
        met = asking.on(own, rule.on, pattern, context)
        return None if met is None else met.conditions

    def _unknown(self, own: Rights, rule: Rule, met: Met, kind: str) -> Opening | None:
        """Return what a rule opens where those whom it may lead to were not read: towards what is written."""
        if rule.services:
            found = None
            for service in _called(rule.services, own.identity):
                one = asking.together(own, rule.on, kind, {"iam:passedtoservice": service})
                if one is not None and (found is None or len(one.conditions) < len(found.conditions)):
                    found = one
        else:
            found = asking.together(own, rule.on, kind)
        if found is None:
            return None
        pattern = found.resources[0]
        exact = "*" not in pattern and "?" not in pattern and "${" not in pattern
        if exact and pattern == own.identity.name:
            return None
        toward = pattern if exact else f"any-{kind}"
        return Opening(rule, found.and_(met), None, "admin" if rule.reaches is Reach.MADE else toward)

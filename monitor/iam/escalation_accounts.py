"""The identities of all accounts, arranged so that a rule finds what it may lead to without going through all. Pure.

Every list is made once and shared by all who lead to it: most of what 20,000 roles reach is the same few lists.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from monitor.facts.identity import Identity
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.iam import trusting
from monitor.iam.wildcards import fits, wild
from monitor.model import Unknown

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-services
_REGIONAL = re.compile(r"([a-z0-9-]+)\.[a-z]{2}(?:-[a-z]+)+-\d+\.amazonaws\.com(?:\.cn)?")
CHINA = ".cn"
"""How the names of some services end there: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html"""
_END = "\U0010ffff"
_KEPT = 65_536
_OPEN = 16
"""Roles of one account that trust everybody and that are told of every identity; of more, only of who may assume them."""


class Way(NamedTuple):
    """A way to an identity: its name, the words of what the way asks for, tests on who goes it, and what trust gives it."""

    name: str
    conditions: tuple[str, ...] = ()
    tests: tuple[ClaimTest, ...] = ()
    by: str = ""


class Ways:
    """Ways to identities by their names, found by pattern. It is filled first and searched then."""

    def __init__(self) -> None:
        self._by_name: dict[str, Way] = {}
        self._sorted: list[str] | None = None
        self._matched: dict[tuple[str, str], tuple[Way, ...]] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def add(self, way: Way) -> None:
        """Keep a way, unless there is one to the same identity that asks for less."""
        other = self._by_name.get(way.name)
        if other is None or len(way.conditions) + len(way.tests) < len(other.conditions) + len(other.tests):
            self._by_name[way.name] = way

    def get(self, name: str) -> Way | None:
        """Return the way to an identity, if there is one."""
        return self._by_name.get(name)

    def all(self) -> tuple[Way, ...]:
        """Return all ways, by name. The same tuple each time."""
        return self.matching("*")

    def matching(self, pattern: str, account: str = "") -> tuple[Way, ...]:
        """Return the ways to identities for whose ARN the pattern stands, by name; the same tuple for the same pattern.

        With an account, a pattern that is open about the account is read as that account's, so that it is found faster.
        """
        found = self._matched.get((pattern, account))
        if found is None:
            found = tuple(self._search(_within(pattern, account)))
            if len(self._matched) < _KEPT:
                self._matched[pattern, account] = found
        return found

    def _search(self, pattern: str) -> Iterator[Way]:
        if not wild(pattern):
            way = self._by_name.get(pattern)
            return iter((way,) if way else ())
        if self._sorted is None:
            self._sorted = sorted(self._by_name)
        head = pattern[: min(at for at in map(pattern.find, "*?") if at >= 0)]
        low, high = bisect_left(self._sorted, head), bisect_left(self._sorted, head + _END)
        return (self._by_name[name] for name in self._sorted[low:high] if fits(pattern, name))


def _within(pattern: str, account: str) -> str:
    parts = pattern.split(":", 5)
    if not account or len(parts) < 6 or parts[4] not in ("*", "") or any(map(wild, parts[:4])):
        return pattern
    return ":".join((*parts[:4], account, parts[5]))


def _services(principal: str) -> tuple[str, ...]:
    """Return the names of a service: one with a region, or of China, stands for the service too."""
    found = _REGIONAL.fullmatch(principal)
    plain = f"{found[1]}.amazonaws.com" if found else principal.removesuffix(CHINA)
    return (principal,) if plain == principal else (principal, plain)


_ATTACH = "iam.serviceAccounts.actAs"
"""To attach a service account to what one makes: https://docs.cloud.google.com/iam/docs/service-account-permissions"""


class Account:
    """The identities of one account: all of each kind, roles by the service that they trust, and who trusts the account."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.roles = Ways()
        """Its roles; of GCP, its service accounts."""
        self.users = Ways()
        self.serving: dict[str, Ways] = {}
        self.trusting = Ways()
        """The roles, in whatever account, that trust this account as a whole."""
        self.open = Ways()
        """Its roles that trust everybody."""

    def of(self, kind: str) -> Ways:
        """Return its users or its roles."""
        return self.users if kind == "user" else self.roles

    def known(self, but: str) -> bool:
        """Return whether more of it was read than the one identity that is named."""
        return len(self.roles) + len(self.users) > (1 if self.roles.get(but) or self.users.get(but) else 0)


class Accounts:
    """All accounts, and who is trusted by whom, by name."""

    def __init__(self, identities: Mapping[str, Identity]) -> None:
        """Arrange the identities. Those whose trust could not be read are in no list of ways."""
        self._identities = identities
        self._accounts: dict[tuple[str, str], Account] = {}
        self.named: dict[str, Ways] = {}
        """Of each identity, the ways to those that name it in their trust."""
        self.anyone = Ways()
        """The ways that are open to everybody."""
        self._roles: dict[tuple[str, str], str] = {}
        for name, one in identities.items():
            self.of(one).of(one.kind).add(Way(name))
            if one.provider == "aws" and one.kind == "role":
                self._roles[one.account, one.short] = name
        self.paths = {name: trusting.surviving(one) for name, one in identities.items()}
        """The open ways to become each identity."""
        for name, one in identities.items():
            found = self.paths[name]
            for path in () if isinstance(found, Unknown) else found:
                if not path.dead and not path.via:
                    self._add(one, path)

    def of(self, identity: Identity) -> Account:
        """Return the account of an identity."""
        return self._at(identity.provider, identity.account)

    def _at(self, provider: str, name: str) -> Account:
        account = self._accounts.get((provider, name))
        if account is None:
            account = self._accounts[provider, name] = Account(name)
        return account

    def _add(self, one: Identity, path: TrustPath) -> None:
        if path.kind in ("service", "token"):
            service = path.principal if path.kind == "service" else path.issuer
            way = Way(one.name, trusting.service_words(path, one.account), by=f"{one.short}: {path.by}")
            for name in _services(service):
                self.of(one).serving.setdefault(name, Ways()).add(way)
            return
        if path.action == _ATTACH:  # it runs as that account only where something is made to run: rules of their own
            return
        way = Way(one.name, trusting.words(path), trusting.personal(path), f"{one.short}: {path.by}")
        if path.kind == "account" and not wild(path.principal):
            self._at(one.provider, trusting.account_of(path.principal)).trusting.add(way)
        elif path.kind == "identity":
            self._name(self.meant(path.principal), way)
        elif path.kind in ("anyone", "account"):
            # A way for everybody that asks for certain ARNs is one for those.
            arns = [t for t in way.tests if t.claim == trusting.PRINCIPAL_ARN and not t.negated and not t.absent_passes]
            if arns:
                self._name((name for pattern in arns[0].patterns for name in self.meant(pattern)), way)
            else:
                self.anyone.add(way)
                if len(self.of(one).open) < _OPEN:
                    self.of(one).open.add(way)

    def _name(self, names: Iterable[str], way: Way) -> None:
        for name in names:
            if name != way.name:
                self.named.setdefault(name, Ways()).add(way)

    def meant(self, principal: str) -> tuple[str, ...]:
        """Return the names of the known identities that a principal (an ARN, a session's ARN, a pattern, an e-mail) means."""
        principal = principal.removeprefix("serviceAccount:").removeprefix("user:")
        if principal in self._identities:
            return (principal,)
        session = trusting.session_role(principal)
        if session is not None:
            name = self._roles.get(session)
            return (name,) if name else ()
        if not wild(principal):
            return ()
        account = trusting.account_of(principal)
        places = [a for (_, name), a in self._accounts.items() if name == account or wild(account)]
        return tuple(
            way.name for place in places for ways in (place.roles, place.users) for way in ways.matching(principal)
        )

"""A way that no token goes, against what is declared: identities, accounts, services, people, and anybody. Pure.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_common-scenarios_third-party.html (external ids)
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from monitor.facts.language import glob, witness
from monitor.facts.narrowing import WILD
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.facts.trust_judging import Fault, Way, account_of, plain, who
from monitor.model import Severity

_ARN, _ACCOUNT, _ORGANISATION = ("aws:principalarn", "aws:principalaccount", "aws:principalorgid")
_SINGLE_SIGN_ON = "/AWSReservedSSO_"


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """Who else may become an identity, and whose accounts are whose.

    `assumable`: patterns of ARNs (`*` crosses neither `/` nor `:`), names of services, members of GCP. `services`: those that
    its proof names. `ours`: our accounts. `trusted`: accounts of others that may, with an external id. `emergency`: patterns of
    the identities of the emergency path.
    """

    assumable: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    ours: frozenset[str] = frozenset()
    trusted: frozenset[str] = frozenset()
    emergency: tuple[str, ...] = ()


def asker(path: TrustPath, declared: Declared) -> Way:
    """Return the judgement of a way that is not by a token."""
    if covered(path, declared.assumable):
        return Way(path=path, notes=("assumable_by names it",))
    if path.kind == "service":
        if path.principal in declared.services:
            return Way(path=path, notes=("its proof names the service",))
        return _fault(path, Severity.MEDIUM, f"{who(path)} can become it, and is not declared")
    if path.kind in ("anyone", "account"):
        named = _asked(path, _ARN)
        if named is not None:  # then only these can, whatever the principal
            inner = [asker(_as_identity(path, pattern), declared) for pattern in named.patterns]
            faults = tuple(dict.fromkeys(fault for way in inner for fault in way.faults))
            return Way(path=path, faults=faults, notes=tuple(dict.fromkeys(n for way in inner for n in way.notes)))
    if path.kind == "anyone":
        return _anyone(path, declared)
    if path.kind == "saml":
        return _fault(path, Severity.HIGH, f"people can become it: {who(path)}")
    if path.kind == "group":
        return _fault(path, Severity.HIGH, f"{who(path)} can become it: people, or whoever is put there")
    return _of_account(path, declared, account_of(path.principal))


def covered(path: TrustPath, patterns: Iterable[str]) -> bool:
    """Return whether the patterns stand for all that the principal of a way does."""
    allowed = tuple(glob(one, "/:") for one in sorted(set(patterns)))
    return bool(allowed) and any(witness((glob(name),), (), allowed) is None for name in _names(path))


def _names(path: TrustPath) -> tuple[str, ...]:
    principal = path.principal
    if path.kind == "anyone":
        return ()
    if path.kind == "identity" and "@" in principal and not principal.startswith("arn:"):
        kind = "serviceAccount" if principal.endswith("gserviceaccount.com") else "user"
        return principal, f"{kind}:{principal}"
    if path.kind == "identity" and principal.endswith("]") and ".svc.id.goog[" in principal:
        return principal, f"serviceAccount:{principal}"
    parts = principal.split(":", 5)
    if path.kind == "identity" and len(parts) == 6 and parts[2] == "sts" and parts[5].startswith("assumed-role/"):
        # A session is its role; the role's path is not told in it.
        role = parts[5].split("/")[1]
        return principal, f"{parts[0]}:{parts[1]}:iam::{parts[4]}:role/{role}"
    return (principal,)


def _asked(path: TrustPath, claim: str) -> ClaimTest | None:
    """Return the test that asks for certain values of a claim; None if any will do."""
    for one in path.tests:
        if one.claim == claim and not one.negated and not one.absent_passes:
            if not (one.wild and any(set(pattern) <= WILD for pattern in one.patterns)):
                return one
    return None


def _as_identity(path: TrustPath, pattern: str) -> TrustPath:
    return msgspec.structs.replace(path, kind="identity", principal=pattern)


def _anyone(path: TrustPath, declared: Declared) -> Way:
    accounts = _asked(path, _ACCOUNT)
    if accounts is not None:
        ways = [_of_account(path, declared, account) for account in accounts.patterns]
        return Way(path=path, faults=tuple(dict.fromkeys(fault for way in ways for fault in way.faults)))
    organisation = _asked(path, _ORGANISATION)
    if organisation is not None:
        told = f"everybody can become it for whom {plain(organisation.words())}"
        return _fault(path, Severity.HIGH, told)
    return _fault(path, Severity.CRITICAL, "everybody can become it")


def _of_account(path: TrustPath, declared: Declared, account: str) -> Way:
    if account and account not in declared.ours:
        if account not in declared.trusted:
            told = f"account {plain(account)}, which is neither ours nor trusted, can become it: {who(path)}"
            return _fault(path, Severity.CRITICAL, told)
        if _asked(path, "sts:externalid") is None:
            return _fault(
                path, Severity.HIGH, f"account {account} of others can become it without an external id: {who(path)}"
            )
        return Way(path=path, notes=(f"account {account} is trusted, with an external id",))
    if path.kind != "identity":
        return _fault(
            path, Severity.HIGH, f"every identity of account {account} that its own policies allow can become it"
        )
    kind = ""
    if covered(path, declared.emergency):
        kind = ", an identity of the emergency path,"
    elif _SINGLE_SIGN_ON in path.principal:
        kind = " (people, by single sign-on)"
    elif ":user/" in path.principal:
        kind = " (a user, with credentials of its own)"
    return _fault(path, Severity.HIGH, f"{who(path)}{kind} can become it, and is not declared")


def _fault(path: TrustPath, severity: Severity, told: str) -> Way:
    return Way(path=path, faults=(Fault(severity, told),))

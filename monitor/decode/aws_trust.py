"""A role's trust policy to the ways in which somebody can become the role. Pure, total.

Several statements that allow are alternatives; all conditions of one must hold; any value of a condition suffices. What a Deny
takes away is told by tests on the ways that are left.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

from monitor.decode.aws_policy import ANY, Told, statements
from monitor.decode.aws_trust_conditions import Demand, demand
from monitor.decode.aws_trust_denials import after
from monitor.facts.policy import Condition, Statement
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.iam.wildcards import fits
from monitor.model import Unknown

ASSUME, WEB, SAML = "sts:AssumeRole", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoleWithSAML"
WAYS = (ASSUME, WEB, SAML)
"""The actions that give a session of a role. Others in a trust policy (sts:TagSession …) only add to it."""
# These need no provider in the account, so everybody who has an account there has a token.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_oidc.html
PUBLIC = ("accounts.google.com", "cognito-identity.amazonaws.com", "graph.facebook.com", "www.amazon.com")
_ACCOUNT = re.compile(r"(?:arn:[^:]*:iam::)?([0-9*?]{1,12})(?::root)?\Z")
_DELETED = re.compile(r"A(?:IDA|ROA|GPA)[A-Z0-9]{8,}\Z")
_MOST = 64
"""Alternatives into which Denies may split one way; beyond that the rest of them are only noted."""


class OidcProvider(msgspec.Struct, frozen=True, kw_only=True):
    """An OIDC provider of an account. `issuer` has no scheme; `client_ids` are the audiences that it accepts."""

    arn: str
    issuer: str
    client_ids: tuple[str, ...] | Unknown = ()


Providers = Mapping[str, OidcProvider] | Unknown
"""The OIDC providers of an account by their ARNs."""


class _Asker(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One principal of a statement, and the action that fits it. `implied`: it is not named, but `*` stands for it too."""

    kind: str
    principal: str
    action: str = ASSUME
    issuer: str = ""
    dead: str = ""
    doubt: Unknown | None = None
    implied: bool = False


def trust_paths(document: object, providers: Providers, account: str) -> tuple[TrustPath, ...] | Unknown:
    """Return the ways to become the role with this trust policy; Unknown if the document is malformed.

    `account` is the role's own. `providers` are those of the account; Unknown where they could not be read.
    """
    told = statements(document)
    if isinstance(told, Unknown):
        return told
    denials = [one for one in told if not one.statement.allow]
    found: dict[TrustPath, None] = {}
    for one in told:
        if one.statement.allow:
            for path in _paths(one, providers, account):
                found.update(dict.fromkeys(_left(path, denials)))
    return tuple(found)


def ways(statement: Statement) -> frozenset[str]:
    """Return which of the actions that give a session the statement is about."""
    return _ways(statement.actions, statement.not_actions)


@lru_cache(maxsize=1024)
def _ways(actions: tuple[str, ...], not_actions: tuple[str, ...]) -> frozenset[str]:
    hit = frozenset(
        way for way in WAYS if any(fits(pattern.lower(), way.lower()) for pattern in actions or not_actions)
    )
    return hit if actions else frozenset(WAYS) - hit


def _left(path: TrustPath, denials: list[Told]) -> list[TrustPath]:
    """Return what all Denies leave of a way: alternatives, none of which is part of another; or the way itself, dead."""
    left = [path]
    for one in denials:
        if path.action not in ways(one.statement):
            continue
        split = [rest for way in left for rest in after(way, one, _by(one.statement))]
        if all(way.dead for way in split):
            return [msgspec.structs.replace(path, dead=split[0].dead)]
        split = list(dict.fromkeys(way for way in split if not way.dead))
        if len(split) > _MOST:
            note = Unknown(f"{_by(one.statement)} denies in more ways than are followed")
            split = [msgspec.structs.replace(way, unclear=(*way.unclear, note)) for way in left]
        left = split
    return [way for way in left if not any(set(other.tests) < set(way.tests) for other in left)]


def _by(statement: Statement) -> str:
    return f"trust#{statement.n}" + (f" ({statement.sid})" if statement.sid else "")


def _paths(told: Told, providers: Providers, account: str) -> Iterator[TrustPath]:
    covered, by = ways(told.statement), _by(told.statement)
    if not covered:
        return
    for asker in _askers(told, providers, account):
        if asker.action not in covered:
            continue
        path = _path(asker, told, by, providers)
        if not (asker.implied and path.dead):
            yield path


def _path(asker: _Asker, told: Told, by: str, providers: Providers) -> TrustPath:
    tests: list[ClaimTest] = []
    unclear: list[Unknown] = [asker.doubt] if asker.doubt else []
    dead = asker.dead
    for condition in told.statement.conditions:
        wanted = demand(condition, asker.kind, asker.issuer, variables=told.variables)
        if isinstance(wanted, Demand):
            tests.append(wanted.test)
        elif isinstance(wanted, Unknown):
            unclear.append(wanted)
        elif not wanted:
            dead = dead or f"{by} asks for {condition.words()[:200]}, which none of these requests can have"
    if told.negated:  # the few that it leaves out make it no narrower
        by += f", everybody but {', '.join(value for _, value in told.principals)[:200]}"
    if asker.kind == "token":
        _audience(asker, providers, tests, unclear)
    return TrustPath(
        kind=asker.kind,
        principal=asker.principal,
        action=asker.action,
        by=by,
        issuer=asker.issuer,
        tests=tuple(sorted(set(tests))),
        unclear=tuple(dict.fromkeys(unclear)),
        dead=dead,
    )


def _audience(asker: _Asker, providers: Providers, tests: list[ClaimTest], unclear: list[Unknown]) -> None:
    """Add what the provider itself demands of a token's audience, where the policy demands none."""
    if any(one.claim == "aud" and not (one.negated or one.absent_passes or one.wild) for one in tests):
        return
    if isinstance(providers, Unknown):
        if asker.principal.startswith("arn:"):
            unclear.append(Unknown(f"the audiences of the provider are not known: {providers.reason}", providers.grant))
        return
    provider = _provider(asker.principal, providers)
    if provider is None:
        return
    if isinstance(provider.client_ids, Unknown) or not provider.client_ids:
        unread = provider.client_ids if isinstance(provider.client_ids, Unknown) else Unknown("its list is empty")
        unclear.append(Unknown(f"the audiences of the provider are not known: {unread.reason}", unread.grant))
    else:
        tests.append(ClaimTest(claim="aud", patterns=tuple(sorted(set(provider.client_ids)))))


def _askers(told: Told, providers: Providers, account: str) -> Iterator[_Asker]:
    if told.negated:
        yield from _everybody(told.statement.conditions, providers, account)
        return
    for kind, value in told.principals:
        if (kind, value) in ANY:
            yield from _everybody(told.statement.conditions, providers, account)
        elif kind == "Federated" and value == "*":
            yield from _federated(told.statement.conditions, providers, account)
        elif kind == "Federated":
            yield _federation(value, providers)
        elif kind == "Service":
            yield _Asker(kind="service", principal=value)
        else:
            yield _of_aws(value)


def _of_aws(value: str) -> _Asker:
    found = _ACCOUNT.match(value)
    if found:
        root = value if value.startswith("arn:") else f"arn:aws:iam::{found[1]}:root"
        return _Asker(kind="account", principal=root)
    # The ARN of an identity becomes its id when it is deleted, and an identity made anew has another.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles
    dead = f"the identity {value} was deleted" if _DELETED.match(value) else ""
    return _Asker(kind="identity", principal=value, dead=dead)


def _federation(value: str, providers: Providers) -> _Asker:
    if ":saml-provider/" in value:
        return _Asker(kind="saml", principal=value, action=SAML)
    issuer = value.partition(":oidc-provider/")[2] if value.startswith("arn:") else value
    gone = value.startswith("arn:") and not isinstance(providers, Unknown) and _provider(value, providers) is None
    dead = f"the account has no identity provider {value}" if gone else ""
    return _Asker(kind="token", principal=value, action=WEB, issuer=issuer.removeprefix("https://"), dead=dead)


def _provider(arn: str, providers: Mapping[str, OidcProvider]) -> OidcProvider | None:
    found = providers.get(arn)
    if found is None:  # the host in it has no case
        found = next((one for name, one in providers.items() if name.lower() == arn.lower()), None)
    return found


def _everybody(conditions: tuple[Condition, ...], providers: Providers, account: str) -> Iterator[_Asker]:
    yield _Asker(kind="anyone", principal="*")
    yield from _federated(conditions, providers, account)


def _federated(conditions: tuple[Condition, ...], providers: Providers, account: str) -> Iterator[_Asker]:
    """Yield everybody whom a provider can vouch for: those of the account, and those that every account has."""
    arn = f"arn:aws:iam::{account}:"
    yield _Asker(kind="saml", principal=f"{arn}saml-provider/*", action=SAML, implied=True)
    for issuer in PUBLIC:
        yield _Asker(kind="token", principal=issuer, action=WEB, issuer=issuer, implied=True)
    if not isinstance(providers, Unknown):
        for provider in providers.values():
            yield _Asker(kind="token", principal=provider.arn, action=WEB, issuer=provider.issuer, implied=True)
        return
    # Which providers there are is not known; those that the conditions name may be.
    named = {owner for one in conditions for owner in (one.key.rpartition(":")[0],) if "." in owner}
    for issuer in sorted(named - set(PUBLIC)):
        yield _Asker(kind="token", principal=f"{arn}oidc-provider/{issuer}", action=WEB, issuer=issuer, implied=True)
    doubt = Unknown(f"which identity providers the account has is not known: {providers.reason}", providers.grant)
    yield _Asker(kind="token", principal=f"{arn}oidc-provider/*", action=WEB, doubt=doubt, implied=True)

"""Which ways to become an identity are really open, and whether one that is known may go them. Pure; never raises."""

from __future__ import annotations

import msgspec

from monitor.facts.identity import Identity
from monitor.facts.policy import Policy, Statement
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.iam.wildcards import fits
from monitor.model import Unknown

PRINCIPAL_ARN, PRINCIPAL_ACCOUNT = "aws:principalarn", "aws:principalaccount"
_OWN = frozenset({PRINCIPAL_ARN, PRINCIPAL_ACCOUNT, "aws:principaltype"})
_SOURCE_ACCOUNT, _SOURCE_ARN = "aws:sourceaccount", "aws:sourcearn"
_TYPES = {"role": "AssumedRole", "user": "User"}


def surviving(identity: Identity) -> tuple[TrustPath, ...] | Unknown:
    """Return the ways to become it that the organisation's policies on resources leave; Unknown where its trust is.

    A Deny without conditions on what a way does closes it. One with conditions may; that is noted on the way. So is it if
    those policies could not be read.
    """
    if isinstance(identity.trust, Unknown) or identity.provider != "aws":
        return identity.trust
    if isinstance(identity.resource_ceilings, Unknown):
        lost = identity.resource_ceilings
        note = Unknown(f"the organisation's policies on resources may close this way: {lost.reason}", lost.grant)
        return tuple(_noted(path, note) for path in identity.trust)
    left = identity.trust
    for level in identity.resource_ceilings:
        for policy in level:
            left = tuple(path for one in left if (path := _under(one, policy, identity.name)) is not None)
    return left


def _under(path: TrustPath, policy: Policy, name: str) -> TrustPath | None:
    if isinstance(policy.statements, Unknown):
        return _noted(
            path, Unknown(f"{policy.name} may close this way: {policy.statements.reason}", policy.statements.grant)
        )
    for statement in policy.statements:
        if statement.allow or not _concerns(statement, path.action, name):
            continue
        if not statement.conditions:
            return None
        words = " and ".join(one.words() for one in statement.conditions)
        path = _noted(path, Unknown(f"{policy.told(statement)} closes this way where {words}"))
    return path


def _concerns(statement: Statement, action: str, name: str) -> bool:
    key = action.lower()
    if statement.actions:
        if not any(fits(one.lower(), key) for one in statement.actions):
            return False
    elif any(fits(one.lower(), key) for one in statement.not_actions):
        return False
    if statement.resources:
        return any(fits(one, name) for one in statement.resources)
    return not any(fits(one, name) for one in statement.not_resources)


def _noted(path: TrustPath, note: Unknown) -> TrustPath:
    return msgspec.structs.replace(path, unclear=(*path.unclear, note))


def session_role(arn: str) -> tuple[str, str] | None:
    """Return account and role name of a session's ARN (`arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`); None for others."""
    parts = arn.split(":", 5)
    if len(parts) < 6 or parts[2] != "sts" or not parts[5].startswith("assumed-role/"):
        return None
    return parts[4], parts[5].split("/")[1]


def account_of(arn: str) -> str:
    """Return the account in an ARN; empty if there is none."""
    parts = arn.split(":", 5)
    return parts[4] if len(parts) == 6 else ""


def personal(path: TrustPath) -> tuple[ClaimTest, ...]:
    """Return those tests of a way that tell one identity from another."""
    return tuple(test for test in path.tests if test.claim in _OWN)


def words(path: TrustPath) -> tuple[str, ...]:
    """Return the demands of a way that depend on the request, not on who asks, as a person reads them."""
    return tuple(test.words() for test in path.tests if test.claim not in _OWN) + tuple(
        one.reason for one in path.unclear
    )


def admits(tests: tuple[ClaimTest, ...], identity: Identity) -> bool:
    """Return whether this identity meets tests on who asks."""
    own = {
        PRINCIPAL_ARN: identity.name,
        PRINCIPAL_ACCOUNT: identity.account,
        "aws:principaltype": _TYPES.get(identity.kind, ""),
    }
    return all(_met(test, own.get(test.claim, "")) for test in tests)


def service_words(path: TrustPath, account: str) -> tuple[str, ...]:
    """Return the demands of a service's way that are not met by any resource of the role's own account."""
    return tuple(test.words() for test in path.tests if not _by_own_resources(test, account)) + tuple(
        one.reason for one in path.unclear
    )


def _by_own_resources(test: ClaimTest, account: str) -> bool:
    if test.claim == _SOURCE_ACCOUNT:
        return _met(test, account)
    if test.claim == _SOURCE_ARN and test.wild and not test.negated:
        return any(pattern.endswith("*") and pattern.split(":", 5)[4:5] in ([account], ["*"], []) and _broad(pattern)
                   for pattern in test.patterns)  # fmt: skip
    return False


def _broad(pattern: str) -> bool:
    rest = pattern.split(":", 5)[5:]
    return not rest or rest[0] == "*"


def _met(test: ClaimTest, value: str) -> bool:
    def fold(text: str) -> str:
        return text.lower() if test.ignores_case else text

    hit = any(fits(fold(one), fold(value)) if test.wild else fold(one) == fold(value) for one in test.patterns)
    return hit != test.negated

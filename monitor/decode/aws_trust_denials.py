"""What a Deny of a trust policy leaves of a way to become the role. Pure, total.

A Deny takes a request away if it is by one of its principals and all its conditions hold. So what is left is: whoever is none of
them, or for whom one of the conditions does not hold. Where that cannot be told, the way stays whole, with a note.
"""

from __future__ import annotations

import re

import msgspec

from monitor.decode.aws_policy import ANY, Told
from monitor.decode.aws_trust_conditions import PRINCIPAL_ACCOUNT, PRINCIPAL_ARN, Demand, demand
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Unknown

_OF_ACCOUNT = re.compile(r"arn:[^:]*:(?:iam|sts)::([0-9]{12}):")
_SESSION = re.compile(r"arn:[^:]*:sts::([0-9]{12}):assumed-role/([^/]+)/")
_Alternatives = tuple[tuple[ClaimTest, ...], ...]


def after(path: TrustPath, told: Told, by: str) -> list[TrustPath]:
    """Return what the statement leaves of a way whose action it is about; a way that it ends is dead."""
    if path.dead:
        return [path]
    outside = _outside(path, told)
    if outside is None:
        return [path]
    demands = [
        demand(one, path.kind, path.issuer, variables=told.variables, denies=True) for one in told.statement.conditions
    ]
    if any(one is False for one in demands):
        return [path]
    if isinstance(outside, Unknown) or any(
        isinstance(one, Unknown) or (isinstance(one, Demand) and not one.exact) for one in demands
    ):
        note = Unknown(f"{by} denies some of it, under conditions that are not evaluated")
        return [msgspec.structs.replace(path, unclear=tuple(dict.fromkeys((*path.unclear, note))))]
    escapes = [*outside, *((opposite(one.test),) for one in demands if isinstance(one, Demand))]
    left = [
        msgspec.structs.replace(path, tests=tuple(sorted({*path.tests, *tests})))
        for tests in escapes
        if not any(opposite(one) in path.tests for one in tests)
    ]
    return left or [msgspec.structs.replace(path, dead=f"{by} denies it")]


def opposite(test: ClaimTest) -> ClaimTest:
    """Return the test that passes whatever this one does not."""
    return msgspec.structs.replace(test, negated=not test.negated, absent_passes=not test.absent_passes)


def _outside(path: TrustPath, told: Told) -> _Alternatives | Unknown | None:
    """Return who of those on the path is none of the principals, as alternatives: () for nobody; None for everybody."""
    accounts = tuple(sorted({found for kind, one in told.principals if kind == "AWS" and (found := account_of(one))}))
    named = tuple(sorted({one for kind, one in told.principals if kind == "AWS" and not account_of(one)}))
    if told.principals == ANY:
        return None if told.negated else ()
    if any("*" in one or "?" in one for one in named):
        return Unknown("a pattern")
    if path.kind == "account":
        own = account_of(path.principal)
        if own in accounts:
            return None if told.negated else ()
        named = tuple(one for one in named if _owner(one) == own)
        accounts = ()
    elif path.kind == "identity":
        return _one(path.principal, accounts, named, told.negated)
    elif path.kind != "anyone":
        hit = any(one == path.principal for kind, one in told.principals if kind in ("Federated", "Service"))
        return None if hit == told.negated else ()
    tests = [
        ClaimTest(claim=claim, patterns=patterns, negated=not told.negated, absent_passes=not told.negated)
        for claim, patterns in ((PRINCIPAL_ACCOUNT, accounts), (PRINCIPAL_ARN, named))
        if patterns
    ]
    if any(_SESSION.match(one) for one in named):
        return Unknown("a session")
    if told.negated:  # those who are named escape, each by itself
        return tuple((one,) for one in tests)
    return (tuple(tests),) if tests else None


def _one(
    principal: str, accounts: tuple[str, ...], named: tuple[str, ...], negated: bool
) -> _Alternatives | Unknown | None:
    """Return the same of a single identity."""
    by_account = _owner(principal) in accounts
    session = _SESSION.match(principal)
    role = re.compile(rf"arn:[^:]*:iam::{session[1]}:role/(?:.*/)?{re.escape(session[2])}\Z") if session else None
    if principal in named or (role is not None and any(role.match(one) for one in named)):
        return None if negated else ()
    if negated:
        # Who is to escape must be named together with the account; of the account alone AWS says nothing clear.
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html
        return Unknown("the account alone") if by_account else ()
    if by_account:
        return ()
    role_name = principal.rpartition("/")[2]
    if any((found := _SESSION.match(one)) and found[2] == role_name for one in named):
        return Unknown("a session of it")
    return None


def account_of(value: str) -> str:
    """Return the account that a principal stands for as a whole: a number, or an ARN that ends in root; else empty."""
    if len(value) == 12 and value.isascii() and value.isdigit():
        return value
    return _owner(value) if value.endswith(":root") else ""


def _owner(arn: str) -> str:
    found = _OF_ACCOUNT.match(arn)
    return found[1] if found else ""

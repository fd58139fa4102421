"""The conditions of a role's trust policy, as demands on whoever asks. Pure, total.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
"""

from __future__ import annotations

import msgspec

from monitor.facts.policy import Condition
from monitor.facts.trust import ClaimTest
from monitor.model import Unknown

GITHUB = "token.actions.githubusercontent.com"
EXTERNAL_ID = "sts:externalid"
PRINCIPAL_ARN, PRINCIPAL_ACCOUNT = "aws:principalarn", "aws:principalaccount"
REQUEST_KEYS = frozenset(
    {
        EXTERNAL_ID, PRINCIPAL_ARN, PRINCIPAL_ACCOUNT, "aws:principalorgid", "aws:sourceaccount", "aws:sourcearn",
        "aws:multifactorauthpresent",
    }
)  # fmt: skip
"""Keys of a request that say who asks, and so become demands. All others may change from one request to the next."""
_ALWAYS = frozenset({"sub", "aud"})
"""Claims without which STS takes no token."""
_SEVERAL = frozenset({"amr"})
"""Claims with more than one value."""
# Of a token's claims, STS puts these into the request; the others a policy cannot see.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif
_SEEN = _ALWAYS | {"amr", "email", "oaud"}
_SEEN_OF_GITHUB = _SEEN | {
    "actor", "actor_id", "job_workflow_ref", "repository", "repository_id", "workflow", "ref", "environment",
    "enterprise_id",
}  # fmt: skip


class _Meaning(msgspec.Struct, frozen=True):
    wild: bool = False
    negated: bool = False
    ignores_case: bool = False
    arn: bool = False


_MEANINGS = {
    "StringEquals": _Meaning(),
    "StringNotEquals": _Meaning(negated=True),
    "StringEqualsIgnoreCase": _Meaning(ignores_case=True),
    "StringNotEqualsIgnoreCase": _Meaning(negated=True, ignores_case=True),
    "StringLike": _Meaning(wild=True),
    "StringNotLike": _Meaning(wild=True, negated=True),
    "ArnEquals": _Meaning(wild=True, arn=True),
    "ArnLike": _Meaning(wild=True, arn=True),
    "ArnNotEquals": _Meaning(wild=True, negated=True, arn=True),
    "ArnNotLike": _Meaning(wild=True, negated=True, arn=True),
    "Bool": _Meaning(),
}
"""Operators whose demand a test can express. ArnEquals and ArnLike are the same."""
_NEGATED = frozenset({"NumericNotEquals", "DateNotEquals", "NotIpAddress"}) | {
    name for name, meaning in _MEANINGS.items() if meaning.negated
}
_OTHERS = frozenset({"BinaryEquals", "IpAddress"})


class Demand(msgspec.Struct, frozen=True):
    """What one condition comes to. `exact` is False where the test lets pass what the condition would not."""

    test: ClaimTest
    exact: bool = True


def demand(
    condition: Condition, kind: str, issuer: str, *, variables: bool, denies: bool = False
) -> Demand | bool | Unknown:
    """Return what a condition demands of an asker of this kind, with a token of this issuer if the kind is token.

    True: it holds for all of them; False: for none of them; Unknown: it could not be evaluated. `variables`: `${…}` stands for
    something. `denies`: it is a condition of a Deny, where nothing may be taken to hold that is not certain to.
    """
    claim = _claim(condition.key, kind, issuer)
    if claim is None:
        passes = passes_absent(condition)
        return _unclear(condition) if passes is None else passes
    hidden = kind == "token" and claim not in REQUEST_KEYS and not _seen(claim, issuer)
    if hidden and passes_absent(condition):
        # STS does not put the claim into the request, so this lets everybody pass, whatever the token says.
        return _unclear(condition) if denies else True
    if condition.operator == "Null":
        return _null(condition, claim, kind)
    return _compared(condition, claim, kind, variables)


def passes_absent(condition: Condition) -> bool | None:
    """Return whether the condition holds for a request without its key; None if its operator is not known."""
    if condition.operator == "Null":
        return "true" in {value.lower() for value in condition.values}
    known = condition.operator in _MEANINGS or condition.operator in _NEGATED or condition.operator in _OTHERS
    if not known and not condition.operator.startswith(("Numeric", "Date")):
        return None
    if condition.if_exists or condition.qualifier == "ForAllValues":
        return True
    return condition.operator in _NEGATED and condition.qualifier != "ForAnyValue"


def _claim(key: str, kind: str, issuer: str) -> str | None:
    """Return the claim that a key asks for; None if a request of such an asker never has it."""
    if key in REQUEST_KEYS:
        # Only sts:AssumeRole takes an external id.
        return None if key == EXTERNAL_ID and kind in ("token", "saml") else key
    owner, colon, claim = key.rpartition(":")
    of_token = bool(colon) and ("." in owner or "/" in owner)  # keys of AWS have a plain word in front
    if kind == "token":
        if of_token:
            return claim if owner == issuer.lower() else None
        return None if owner == "saml" else key
    if (of_token and kind in ("saml", "service")) or (owner == "saml" and kind == "service"):
        return None
    return key  # a session that came from a token keeps some of its claims when it takes the next role


def _seen(claim: str, issuer: str) -> bool:
    # For most issuers it is not told which claims can be seen; then the claim is taken as it is written.
    name = issuer.lower()
    return name.partition("/")[0] != GITHUB or claim in _SEEN_OF_GITHUB or ":" in claim


def _null(condition: Condition, claim: str, kind: str) -> Demand | bool | Unknown:
    wanted = {value.lower() for value in condition.values}
    if wanted == {"true", "false"}:
        return True
    if wanted == {"false"}:
        return Demand(ClaimTest(claim=claim, patterns=("*",), wild=True))
    if wanted != {"true"}:
        return _unclear(condition)
    if kind == "token" and claim in _ALWAYS:
        return False
    return Demand(ClaimTest(claim=claim, patterns=("*",), wild=True, negated=True, absent_passes=True))


def _compared(condition: Condition, claim: str, kind: str, variables: bool) -> Demand | Unknown:
    meaning = _MEANINGS.get(condition.operator)
    evaluated = (
        claim in REQUEST_KEYS or (kind == "token" and ":" not in claim) or claim.startswith("saml:") or "." in claim
    )
    passes = passes_absent(condition)
    if meaning is None or not evaluated or not condition.values or passes is None:
        return _unclear(condition)
    if variables and any("${" in value for value in condition.values):
        return _unclear(condition)
    if meaning.negated and condition.qualifier == "ForAnyValue" and claim in _SEVERAL:
        return _unclear(condition)  # one value that differs is enough, which no test can say
    values = condition.values
    if condition.operator == "Bool":
        values = tuple(value.lower() for value in values)
        if not set(values) <= {"true", "false"}:
            return _unclear(condition)
    wild = meaning.wild
    if meaning.arn:
        # In ARNs a star stays within its part; in a test it does not. So a test is wider, and a negated one would be narrower.
        wild = any("*" in value or "?" in value for value in values)
        if wild and meaning.negated:
            return _unclear(condition)
    return Demand(
        ClaimTest(
            claim=claim,
            patterns=tuple(sorted(set(values))),
            wild=wild,
            negated=meaning.negated,
            absent_passes=passes,
            ignores_case=meaning.ignores_case,
        ),
        exact=not (meaning.arn and wild),
    )


def _unclear(condition: Condition) -> Unknown:
    return Unknown(f"the condition {condition.words()[:300]} is not evaluated")

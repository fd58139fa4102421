"""Judge saved documents of identities: what AWS IAM and Google Cloud answer of roles, policies and trust. Stores nothing.

A document alone is judged as if it were a deploy identity's: a role, user or group with what stands in it, a policy with nothing
beside it, a trust policy without rights. Whole account authorization details are judged as a sweep judges them. What a document
does not hold (boundaries that are named only, the organisation's policies, credentials) is not judged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from monitor.decode import aws_iam, aws_policy, aws_trust, gcp_iam
from monitor.errors import Malformed
from monitor.facts.access import Access
from monitor.facts.identity import Identity
from monitor.facts.trust_judging import account_of
from monitor.iam.analysis import analyse
from monitor.iam.catalogue import Catalogue
from monitor.model import Check, Outcome, Result, Severity, Sweep, Unknown, Window
from monitor.sweep.documents import ORDER, Built, Judged
from monitor.sweep.evaluate import Expected, run

_AT = datetime(1970, 1, 1, tzinfo=UTC)
_NOBODY = "000000000000"
"""Stands for the account of a document that names none."""
_TRUST, _PRIVILEGE = "deploy-trust", "deploy-privilege"


def judge(
    kind: str, found: Sequence[bytes], checks: Sequence[Check], expected: Expected, catalogues: Mapping[str, Catalogue]
) -> Iterator[Judged]:
    """Yield one verdict a document, in order; a document that cannot be read is an error, and the rest is still judged."""
    built = Built(expected)
    read, names = KINDS[kind]
    by_id = {check.id: check for check in checks if check.id in names}
    for n, body in enumerate(found, 1):
        try:
            identities = read(body)
        except Malformed as wrong:
            yield Judged(n=n, outcome=Outcome.ERROR, check=names[0], reason=wrong.what)
            continue
        accesses = analyse(identities, catalogues)
        results = [one for name in names for one in _results(by_id[name], accesses, built)]
        yield _judged(n, names[0], results)


def _results(check: Check, accesses: Sequence[Access], built: Built) -> Iterator[Result]:
    sweep = Sweep(id="evaluate", planned_for=_AT, at=_AT, window=Window(_AT, _AT))
    mine = tuple(access.identity.subject() + ":" for access in accesses)
    for result in run(check, list(accesses), built, sweep):
        if result.subject.startswith(mine) and not result.subject.endswith(":unused"):
            yield result


def _judged(n: int, check: str, results: Sequence[Result]) -> Judged:
    if not results:
        return Judged(n=n, outcome=Outcome.NOT_APPLICABLE, check=check, reason="it speaks of no deploy identity")
    first = min(results, key=lambda one: (ORDER.index(one.outcome), list(Severity).index(one.severity), one.subject))
    return Judged(
        n=n,
        outcome=first.outcome,
        check=first.check,
        subject=first.subject,
        actor=str(first.observed.get("identity", "")),
        reason=first.reason,
        expected=first.expected,
        observed=first.observed,
    )


def _object(body: bytes, what: str) -> dict[str, Any]:
    """Return the object of a document. Raises Malformed if it is none, or if a key of it stands twice anywhere."""
    try:
        found = msgspec.json.decode(body)
        # Decoders take the last of two, and AWS neither: a Deny could hide behind an Allow.
        json.loads(body, object_pairs_hook=_once)
    except (msgspec.MsgspecError, ValueError, RecursionError) as broken:
        raise Malformed(f"{what} cannot be read: {str(broken)[:200]}") from broken
    if not isinstance(found, dict):
        raise Malformed(f"{what} is no JSON object")
    return found


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))
        raise ValueError(f"the key {twice[:80]!r} stands twice in one object")
    return found


def _authorization(body: bytes) -> tuple[Identity, ...]:
    found = aws_iam.one(_object(body, "authorization details"), _AT)
    return found if isinstance(found, tuple) else (found,)


def _policy(body: bytes) -> tuple[Identity, ...]:
    document = _object(body, "a policy")
    # As `aws iam get-policy-version` and `get-role-policy` answer, or the document alone.
    name = str(document.get("PolicyName") or "policy")
    inner = _inner(document, "PolicyVersion")
    made = aws_policy.policy(inner.get("Document", inner.get("PolicyDocument", inner)), name, "inline")
    if isinstance(made.statements, Unknown):
        raise Malformed(made.statements.reason)
    return (_stand_in("policy", msgspec.structs.replace(_EMPTY, policies=(made,))),)


def _trust(body: bytes) -> tuple[Identity, ...]:
    # As `aws iam get-role` answers, an entry of authorization details, or the document alone.
    document = _inner(_object(body, "a trust policy"), "Role")
    inner = document.get("AssumeRolePolicyDocument", document)
    name = document.get("Arn")
    made = msgspec.structs.replace(_EMPTY, name=name, account=account_of(name) or _NOBODY) if _text(name) else _EMPTY
    unread = Unknown("a trust policy alone does not show the account's providers")
    paths = aws_trust.trust_paths(inner, unread, made.account)
    if isinstance(paths, Unknown):
        raise Malformed(paths.reason)
    return (_stand_in("trust-policy", msgspec.structs.replace(made, trust=paths)),)


def _inner(document: dict[str, Any], wrapper: str) -> dict[str, Any]:
    inner = document.get(wrapper)
    return inner if isinstance(inner, dict) else document


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _stand_in(what: str, identity: Identity) -> Identity:
    return msgspec.structs.replace(identity, id=what, name=identity.name or what)


def _gcp_policy(body: bytes) -> tuple[Identity, ...]:
    return tuple(gcp_iam.policy_document(_object(body, "a policy")))


def _gcp_role(body: bytes) -> tuple[Identity, ...]:
    return tuple(gcp_iam.role_document(_object(body, "a role")))


def _gcp_provider(body: bytes) -> tuple[Identity, ...]:
    return tuple(gcp_iam.provider_document(_object(body, "a workload identity provider")))


_EMPTY = Identity(provider="aws", account=_NOBODY, id="", name="", kind="role", at=_AT, document=True)
KINDS: Mapping[str, tuple[Callable[[bytes], tuple[Identity, ...]], tuple[str, ...]]] = {
    "aws-iam-authorization": (_authorization, (_TRUST, _PRIVILEGE)),
    "aws-iam-policy": (_policy, (_PRIVILEGE,)),
    "aws-trust-policy": (_trust, (_TRUST,)),
    "gcp-iam-policy": (_gcp_policy, (_PRIVILEGE, _TRUST)),
    "gcp-role": (_gcp_role, (_PRIVILEGE,)),
    "gcp-workload-identity-provider": (_gcp_provider, (_TRUST,)),
}
"""By kind: how a document is read, and the checks that judge it, the first named where it cannot be read."""

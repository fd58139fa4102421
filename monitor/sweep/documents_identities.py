"""Judge saved documents of identities: what AWS IAM and Google Cloud answer of roles, policies and trust. Stores nothing.

A document is judged as if it were a deploy identity's: a role, user or group with what stands in it, a policy with nothing beside
it, a trust policy without rights. Identities that stand in one document are judged together, so that what one of them can pass or
become is weighed by that one's rights. What a document does not hold (the organisation's policies, credentials) is not judged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import msgspec

from monitor.decode import aws_iam, aws_policy, aws_trust, gcp_iam
from monitor.decode.gcp_documents import COVERED
from monitor.decode.gcp_policy import bindings
from monitor.errors import Malformed
from monitor.expected.models import DeployIdentity, TokenProof
from monitor.facts.access import Access
from monitor.facts.identity import Identity
from monitor.facts.trust_judging import account_of
from monitor.iam.analysis import analyse
from monitor.iam.catalogue import Catalogue
from monitor.model import Check, Outcome, Result, Severity, Sweep, Unknown, Window
from monitor.sweep.documents import ORDER, Built, E, Judged
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
        of = _Compared(expected, identities[0].provider) if identities else built
        results = [one for name in names for one in _results(by_id[name], accesses, of)]
        yield _judged(n, names[0], results)


class _Compared(Built):
    """Expected state as a document of one provider is compared with it.

    It is compared with the proofs of that provider's deploy identities. Where none is declared, others' subjects count, but not
    their audience, which is another for each provider.
    """

    def __init__(self, expected: Expected, provider: str) -> None:
        super().__init__(expected)
        self.provider = provider

    def build(self, cls: type[E]) -> E:
        found = super().build(cls)
        declared: tuple[DeployIdentity, ...] = getattr(found, "deploy_identities", ())
        mine = tuple(one for one in declared if any(_provider(name) == self.provider for name in one.principals))
        return found.model_copy(update={"deploy_identities": mine or tuple(map(_for_anybody, declared))})


def _provider(principal: str) -> str:
    return "aws" if principal.startswith("arn:") else "gcp"


def _for_anybody(one: DeployIdentity) -> DeployIdentity:
    if not isinstance(one.proof, TokenProof):
        return one
    return one.model_copy(update={"proof": one.proof.model_copy(update={"audience": None})})


def _results(check: Check, accesses: Sequence[Access], built: Built) -> Iterator[Result]:
    sweep = Sweep(id="evaluate", planned_for=_AT, at=_AT, window=Window(_AT, _AT))
    # The identity that stands for those that a policy covers has no rights to be judged.
    own = [one for one in accesses if one.identity.name != COVERED or check.id != _PRIVILEGE]
    mine = tuple(access.identity.subject() + ":" for access in own)
    for result in run(check, own, built, sweep):
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
        names = sorted(name for name, _ in pairs)
        twice = next(one for one, other in pairwise(names) if one == other)
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
    made = _EMPTY
    if isinstance(name, str) and name:
        made = msgspec.structs.replace(_EMPTY, name=name, account=account_of(name) or _NOBODY)
    unread = Unknown("a trust policy alone does not show the account's providers")
    paths = aws_trust.trust_paths(inner, unread, made.account)
    if isinstance(paths, Unknown):
        raise Malformed(paths.reason)
    return (_stand_in("trust-policy", msgspec.structs.replace(made, trust=paths)),)


def _inner(document: dict[str, Any], wrapper: str) -> dict[str, Any]:
    inner = document.get(wrapper)
    return inner if isinstance(inner, dict) else document


def _stand_in(what: str, identity: Identity) -> Identity:
    return msgspec.structs.replace(identity, id=what, name=identity.name or what)


def _gcp_policy(body: bytes) -> tuple[Identity, ...]:
    document = _object(body, "a policy")
    found = bindings(document, "the document")
    unread = next((one.unread for one in found if one.unread), None) if isinstance(found, tuple) else found
    if unread is not None:
        raise Malformed(unread.reason)
    roles = {name: {"name": name, "includedPermissions": list(held)} for name, held in KNOWN_ROLES.items()}
    return tuple(
        one for one in gcp_iam.policy_document(document, roles=roles) if not _SERVICE_AGENT.fullmatch(one.name)
    )


def _gcp_role(body: bytes) -> tuple[Identity, ...]:
    return tuple(gcp_iam.role_document(_object(body, "a role")))


def _gcp_provider(body: bytes) -> tuple[Identity, ...]:
    return tuple(gcp_iam.provider_document(_object(body, "a workload identity provider")))


# Accounts that Google itself runs, which no pipeline uses: https://cloud.google.com/iam/docs/service-agents
_SERVICE_AGENT = re.compile(r"service-\d+@.+|\d+@cloudservices\.gserviceaccount\.com")
_PROJECT = ("resourcemanager.projects.get", "resourcemanager.projects.list")
_ACCOUNTS = ("iam.serviceAccounts.get", "iam.serviceAccounts.list", *_PROJECT)
_IMPERSONATE = ("iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken")
_ACT, _KEYS = "iam.serviceAccounts.actAs", "iam.serviceAccountKeys.create"
KNOWN_ROLES: Mapping[str, tuple[str, ...]] = {
    "roles/owner": (_ACT, _KEYS, "resourcemanager.projects.setIamPolicy", *_ACCOUNTS),
    "roles/editor": (_ACT, _KEYS, *_ACCOUNTS),
    "roles/viewer": _ACCOUNTS,
    "roles/browser": _PROJECT,
    "roles/resourcemanager.projectIamAdmin": ("resourcemanager.projects.setIamPolicy", *_PROJECT),
    "roles/iam.securityAdmin": (
        "iam.serviceAccounts.setIamPolicy",
        "resourcemanager.projects.setIamPolicy",
        "storage.buckets.setIamPolicy",
        *_ACCOUNTS,
    ),
    "roles/iam.serviceAccountAdmin": (
        *(f"iam.serviceAccounts.{one}" for one in ("create", "delete", "disable", "enable", "setIamPolicy", "update")),
        *_ACCOUNTS,
    ),
    "roles/iam.serviceAccountKeyAdmin": (_KEYS, "iam.serviceAccountKeys.delete", *_ACCOUNTS),
    "roles/iam.serviceAccountTokenCreator": (
        *_IMPERSONATE,
        *(f"iam.serviceAccounts.{one}" for one in ("implicitDelegation", "signBlob", "signJwt")),
        *_ACCOUNTS,
    ),
    "roles/iam.serviceAccountUser": (_ACT, *_ACCOUNTS),
    "roles/iam.workloadIdentityUser": (*_IMPERSONATE, *_ACCOUNTS),
}
"""What a policy alone does not show: of Google's roles that every project uses, those permissions that decide their verdict.
The basic ones give thousands more, but none that would make it another. A role that is not here is unknown.

https://cloud.google.com/iam/docs/roles-permissions/iam and https://cloud.google.com/iam/docs/roles-overview#basic
"""
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

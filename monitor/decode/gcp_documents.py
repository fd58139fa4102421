"""Saved documents of Google Cloud's IAM, each as the identity that it would make: for judging without a sweep. Pure.

A document tells one side only: what it does not speak of is empty in the identity, and is not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from monitor.decode.gcp_policy import Account, Role, bindings, policies, role
from monitor.decode.gcp_pools import READING_PROVIDERS, Pools, provider
from monitor.decode.gcp_trust import FEDERATED, of_provider, paths
from monitor.decode.github_wire import dig, text
from monitor.errors import Malformed
from monitor.facts.identity import Identity
from monitor.facts.policy import Policy, Statement
from monitor.facts.trust import TrustPath
from monitor.model import Unknown

UNTIMED = datetime(1970, 1, 1, tzinfo=UTC)
"""Documents have no time: no condition of theirs has run out."""
COVERED = "accounts under the policy"
_HERE = "the document"
_UNSEEN = Unknown("a policy alone does not show the providers of its pools", READING_PROVIDERS)
_PROVIDERS = ("oidc", "aws", "saml", "x509")


def policy_document(
    body: object, at: datetime = UNTIMED, roles: Mapping[str, object] | None = None
) -> tuple[Identity, ...]:
    """Return an identity for each service account that an allow policy names, and one for the accounts that it covers.

    The last has the ways that the policy opens to become an account; it is left out where there are none. Raises Malformed
    if the document is no allow policy.
    """
    found = bindings(body, _HERE) if isinstance(body, dict) and isinstance(body.get("bindings"), list) else None
    if found is None or isinstance(found, Unknown):
        raise Malformed("the document is no allow policy: it has no list of bindings", source="gcp")
    known: Mapping[str, Role] = {name: role(one, name) for name, one in (roles or {}).items()}
    members = {member for binding in found for member in binding.members if member.startswith("serviceAccount:")}
    emails = sorted({email for member in members if "[" not in (email := member.partition(":")[2]) and email})
    made = [
        _identity(email, at, _project(email), policies(Account(email=email), {_HERE: found}, known, at))
        for email in emails
    ]
    trust = paths(found, known, Pools("", _UNSEEN, _UNSEEN), at)
    return (*made, *([_identity(COVERED, at, "", trust=trust)] if trust else ()))


def role_document(body: object, at: datetime = UNTIMED) -> tuple[Identity, ...]:
    """Return the identity that holds a role everywhere. Raises Malformed if the document is no role."""
    name = text(dig(body, "name"))
    if not isinstance(body, dict) or "includedPermissions" not in body:
        raise Malformed("the document is no role: it has no includedPermissions", source="gcp")
    found = role(body, name or _HERE)
    statements: tuple[Statement, ...] | Unknown = ()
    if isinstance(found.permissions, Unknown):
        statements = found.permissions
    elif found.permissions:
        statements = (Statement(n=1, allow=True, actions=found.permissions, resources=("*",)),)
    project = name.partition("projects/")[2].partition("/")[0]
    held = Policy(name=found.name, kind="role", statements=statements)
    return (_identity(found.name, at, project, (held,)),)


def provider_document(body: object, at: datetime = UNTIMED) -> tuple[Identity, ...]:
    """Return the identity that every bearer of a provider's tokens may become. Raises Malformed if it is no provider."""
    if not isinstance(body, dict) or not any(isinstance(body.get(kind), dict) for kind in _PROVIDERS):
        raise Malformed(f"the document is no provider: it has none of {', '.join(_PROVIDERS)}", source="gcp")
    name = text(body.get("name"))
    pool = name.partition("/providers/")[0] or _HERE
    member = f"principalSet://iam.googleapis.com/{pool}/*"
    trust = tuple(of_provider(provider(body), None, FEDERATED, f"{FEDERATED}: {member}"))
    return (_identity(name or _HERE, at, name.partition("projects/")[2].partition("/")[0], trust=trust),)


def _identity(
    name: str, at: datetime, account: str, held: tuple[Policy, ...] = (), trust: tuple[TrustPath, ...] = ()
) -> Identity:
    return Identity(
        provider="gcp",
        account=account,
        id=name,
        name=name,
        kind="service-account",
        at=at,
        document=True,
        policies=held,
        trust=trust,
    )


def _project(email: str) -> str:
    domain = email.partition("@")[2]
    return domain.removesuffix(".iam.gserviceaccount.com") if domain.endswith(".iam.gserviceaccount.com") else ""

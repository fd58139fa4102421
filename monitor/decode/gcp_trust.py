"""Who can become a Google Cloud service account: by bindings on it, on its project, and on all above. Pure.

https://cloud.google.com/iam/docs/service-account-permissions (what impersonates)
https://cloud.google.com/iam/docs/principal-identifiers (members)
https://cloud.google.com/kubernetes-engine/docs/concepts/workload-identity (Kubernetes' own)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

import msgspec

from monitor.decode.gcp_cel import expired
from monitor.decode.gcp_policy import EVERYBODY, Binding, Role, known_role
from monitor.decode.gcp_pools import FULL, Pools, Provider
from monitor.facts.trust import ClaimTest, TrustPath
from monitor.model import Unknown

IMPERSONATING = (
    "iam.serviceAccounts.getAccessToken",
    "iam.serviceAccounts.implicitDelegation",
    "iam.serviceAccounts.signJwt",
    "iam.serviceAccounts.signBlob",
    "iam.serviceAccountKeys.create",
    "iam.serviceAccountKeys.upload",
    "iam.serviceAccounts.setIamPolicy",
    "iam.serviceAccounts.actAs",
    "iam.serviceAccounts.getOpenIdToken",
)
"""Permissions that let their holder act as the account, the most direct first; `setIamPolicy` gives itself the others, `actAs`
is by way of a resource."""
_TOKENS = tuple(one for one in IMPERSONATING if "Token" in one or "sign" in one or "Delegation" in one)
FEDERATED = "roles/iam.workloadIdentityUser"
# What roles of Google give of these, for where a role was not read. Basic roles cannot make tokens.
# https://cloud.google.com/iam/docs/roles-permissions/iam
KNOWN_ROLES: Mapping[str, tuple[str, ...]] = {
    FEDERATED: ("iam.serviceAccounts.getAccessToken", "iam.serviceAccounts.getOpenIdToken"),
    "roles/iam.serviceAccountTokenCreator": _TOKENS,
    "roles/iam.serviceAccountOpenIdTokenCreator": ("iam.serviceAccounts.getOpenIdToken",),
    "roles/iam.serviceAccountUser": ("iam.serviceAccounts.actAs",),
    "roles/iam.serviceAccountKeyAdmin": ("iam.serviceAccountKeys.create", "iam.serviceAccountKeys.upload"),
    "roles/iam.serviceAccountAdmin": ("iam.serviceAccounts.setIamPolicy",),
    "roles/owner": ("iam.serviceAccountKeys.create", "iam.serviceAccounts.actAs"),
    "roles/editor": ("iam.serviceAccountKeys.create", "iam.serviceAccounts.actAs"),
    "roles/viewer": (),
    "roles/browser": (),
}
_POOL = re.compile(
    r"principal(?:Set)?://iam\.googleapis\.com/(projects/[^/]+/locations/[^/]+/workloadIdentityPools/([^/]+))/(.+)",
    re.DOTALL,
)
_KUBERNETES = re.compile(r"(.+\.svc\.id\.goog)\[([^/\[\]]+/[^/\[\]]+)\]")
_WORKLOAD = re.compile(r"subject/ns/([^/]+)/sa/([^/]+)")
_SINGLE = ("user", "serviceAccount")
_SETS = ("group", "domain", "projectOwner", "projectEditor", "projectViewer")


def paths(
    found: Iterable[Binding],
    roles: Mapping[str, Role],
    pools: Pools,
    at: datetime,
) -> tuple[TrustPath, ...]:
    """Return the ways to become the service accounts that these bindings cover; each binding's in its order.

    A binding that cannot be read, or whose role cannot, may be a way: it is one with `unclear`.
    """
    return tuple(dict.fromkeys(path for binding in found for path in _of_binding(binding, roles, pools, at)))


def unread(where: str, why: Unknown) -> TrustPath:
    """Return the path that stands for all those that a policy that could not be read may give."""
    return TrustPath(
        kind="group",
        principal=f"whoever the policy of {where} lets",
        action=IMPERSONATING[0],
        by=f"the policy of {where}",
        unclear=(why,),
    )


def _of_binding(binding: Binding, roles: Mapping[str, Role], pools: Pools, at: datetime) -> Iterator[TrustPath]:
    if binding.unread and not binding.role:
        yield msgspec.structs.replace(unread(binding.where, binding.unread), by=binding.told())
        return
    action, doubt = _action(known_role(roles, binding.role))
    if not action:
        return
    if binding.unread:
        yield msgspec.structs.replace(unread(binding.where, binding.unread), action=action, by=binding.told())
    unclear = (doubt,) if doubt else ()
    dead = ""
    if binding.condition:
        if expired(binding.condition, at):
            dead = "the binding's condition has run out"
        unclear = (*unclear, Unknown(f"the binding holds only if: {binding.condition}"))
    for member in binding.members:
        for path in of_member(member, action, f"{binding.told()}: {member}", pools):
            yield msgspec.structs.replace(path, dead=path.dead or dead, unclear=(*path.unclear, *unclear))


def _action(role: Role) -> tuple[str, Unknown | None]:
    """Return how holders of a role become the account; empty if they cannot."""
    doubt, held = None, role.permissions
    if isinstance(held, Unknown):
        doubt = None if role.name in KNOWN_ROLES else held
        held = KNOWN_ROLES.get(role.name, IMPERSONATING)
    action = next((one for one in IMPERSONATING if one in held), "")
    return (role.name if action and role.name == FEDERATED else action), doubt


def of_member(member: str, action: str, by: str, pools: Pools) -> Iterator[TrustPath]:
    """Yield the ways that one member of a binding opens: several where several providers vouch for it."""
    if member.startswith("deleted:"):
        for path in of_member(member.removeprefix("deleted:"), action, by, pools):
            yield msgspec.structs.replace(path, dead="the member was deleted")
        return
    match = _POOL.fullmatch(member)
    if match and not match[2].endswith(".svc.id.goog"):
        yield from _federated(match[1], match[3], action, by, pools)
        return
    kind, principal = _plain(member, match)
    unclear = () if kind else (Unknown(f"what kind of member {member} is, is not known"),)
    if _KUBERNETES.fullmatch(principal):
        by = f"{by} (whoever runs a pod as this Kubernetes service account)"
    yield TrustPath(kind=kind or "group", principal=principal, action=action, by=by, unclear=unclear)


def _plain(member: str, pool: re.Match[str] | None) -> tuple[str, str]:
    """Return kind and principal of a member that no provider of a project's own pools vouches for."""
    if member in EVERYBODY:
        return "anyone", member
    if pool:  # Google's own pool for clusters; its bearers run in a cluster of that project
        workload = _WORKLOAD.fullmatch(pool[3])
        return ("identity", f"{pool[2]}[{workload[1]}/{workload[2]}]") if workload else ("group", member)
    kind, colon, name = member.partition(":")
    if colon and kind in _SINGLE:
        # A deleted member carries its permanent id.
        return "identity", name.partition("?uid=")[0]
    if member.startswith("principal://goog/subject/"):
        return "identity", member.removeprefix("principal://goog/subject/")
    if member == "principalSet://goog/public:all":
        return "anyone", member
    if member.startswith("principal://iam.googleapis.com/locations/global/workforcePools/"):
        return "identity", member
    return ("group" if kind in (*_SETS, "principalSet") else ""), member


def _federated(pool: str, who: str, action: str, by: str, pools: Pools) -> Iterator[TrustPath]:
    found = pools.of(pool)
    test = _member_test(who)
    if isinstance(found, (str, Unknown)):
        unclear, dead = ((found,), "") if isinstance(found, Unknown) else ((), found)
        yield TrustPath(kind="token", principal=FULL + pool, action=action, by=by, unclear=unclear, dead=dead)
        return
    for one in found:
        yield from of_provider(one, test, action, by)


def of_provider(one: Provider, test: ClaimTest | Unknown | None, action: str, by: str) -> Iterator[TrustPath]:
    """Yield a path for each alternative of a provider's condition, narrowed by the member's own test (None: any member)."""
    extra = (test,) if isinstance(test, Unknown) else ()
    tests = (test,) if isinstance(test, ClaimTest) else ()
    path = TrustPath(kind=one.kind, principal=one.name, issuer=one.issuer, action=action, by=by, dead=one.dead)
    if not one.terms:
        yield path
    for term in one.alternatives(*tests):
        yield msgspec.structs.replace(path, tests=term.tests, unclear=(*term.unclear, *extra))


def _member_test(who: str) -> ClaimTest | Unknown | None:
    """Return what a member of a pool demands of the mapped attributes; None: nothing."""
    if who == "*":
        return None
    kind, slash, value = who.partition("/")
    claim = {"subject": "google.subject", "group": "google.groups"}.get(kind, kind)
    if not slash or not claim.startswith(("google.", "attribute.")):
        return Unknown(f"what the member's {who} demands is not known")
    return ClaimTest(claim=claim, patterns=(value,))

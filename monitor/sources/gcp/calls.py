"""The questions that are asked: each method by the name that Google gives it, with the permission that it takes.

Projects, folders, organisations: https://cloud.google.com/resource-manager/reference/rest/v3/projects (folders, organizations)
Service accounts and keys: https://cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts (…serviceAccounts.keys)
Roles: https://cloud.google.com/iam/docs/reference/rest/v1/roles/get (projects.roles, organizations.roles)
Pools: https://cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools/list (…providers)
Deny policies: https://cloud.google.com/iam/docs/reference/rest/v2/policies/listPolicies (get)

Whatever of an answer becomes part of a question is checked first: names from outside must not lead elsewhere.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlencode

from monitor.errors import Malformed
from monitor.sources.gcp.wire import SOURCE, Question

VERSION = "options.requestedPolicyVersion"
ACCOUNTS, KEYS, POOLS, PROVIDERS, DENIES = (
    "accounts",
    "keys",
    "workloadIdentityPools",
    "workloadIdentityPoolProviders",
    "policies",
)
"""The fields that hold the entries of lists."""
BINDINGS, PERMISSIONS, RULES = "bindings", "includedPermissions", "rules"
"""The lists in policies, roles and deny policies."""
MOST_ACCOUNTS, MOST_POOLS, MOST_PROVIDERS = "100", "1000", "100"
"""What the methods give in one page at most."""
_PLACE = re.compile(r"(organizations|folders)/\d{1,20}|projects/[a-z0-9.:-]{1,64}", re.ASCII)
_ROLE = re.compile(r"(?:(organizations/\d{1,20}|projects/[a-z0-9.:-]{1,64})/)?roles/[A-Za-z0-9_.]{1,128}", re.ASCII)
_POOL = re.compile(r"(projects/[a-z0-9.:-]{1,64}/locations/[a-z0-9-]{1,63}/workloadIdentityPools/)([^/]{1,128})")
_DENY = re.compile(r"policies/([^/]{1,256})/denypolicies/([^/]{1,128})")
_POLICY_OPTIONS = '{"options":{"requestedPolicyVersion":3}}'
_RESOURCES = "cloudresourcemanager"


def place(name: str, scope: str) -> Question:
    """Return the question for a project (by id or number) or a folder: what it is and what it is in."""
    kind = _kind(name, scope)
    permission = f"resourcemanager.{kind}.get on {name}"
    return _ask("get", kind, _RESOURCES, "GET", f"/v3/{name}", scope, permission)


def policy(name: str, scope: str) -> Question:
    """Return the question for the allow policy of a project, a folder or an organisation, conditions included."""
    kind = _kind(name, scope)
    permission = f"resourcemanager.{kind}.getIamPolicy on {name}"
    return _ask(
        "getIamPolicy", kind, _RESOURCES, "POST", f"/v3/{name}:getIamPolicy", scope, permission, content=_POLICY_OPTIONS
    )


def role(name: str, scope: str) -> Question:
    """Return the question for a role: a predefined one, or a custom one of a project or an organisation."""
    match = _ROLE.fullmatch(name)
    if not match:
        raise _foreign("a role", name, scope)
    kind = f"{match[1].partition('/')[0]}.roles" if match[1] else "roles"
    permission = f"iam.roles.get on {match[1]}" if match[1] else "iam.roles.get"
    return _ask("get", kind, "iam", "GET", f"/v1/{name}", scope, permission)


def accounts(project: str, scope: str) -> Question:
    """Return the question for the service accounts of a project."""
    permission = f"iam.serviceAccounts.list on projects/{project}"
    path = f"/v1/projects/{_part(project, scope)}/serviceAccounts"
    return _ask("list", "projects.serviceAccounts", "iam", "GET", path, scope, permission, pageSize=MOST_ACCOUNTS)


def account_policy(project: str, email: str, scope: str) -> Question:
    """Return the question for a service account's own policy: who may act as it."""
    permission = f"iam.serviceAccounts.getIamPolicy on projects/{project}"
    path = f"{_account(project, email, scope)}:getIamPolicy"
    kind = "projects.serviceAccounts"
    return _ask("getIamPolicy", kind, "iam", "POST", path, scope, permission, **{VERSION: "3"})


def keys(project: str, email: str, scope: str) -> Question:
    """Return the question for the keys of a service account that people keep; Google's own rotate by themselves."""
    permission = f"iam.serviceAccountKeys.list on projects/{project}"
    path = f"{_account(project, email, scope)}/keys"
    kind = "projects.serviceAccounts.keys"
    return _ask("list", kind, "iam", "GET", path, scope, permission, keyTypes="USER_MANAGED")


def pools(project: str, scope: str) -> Question:
    """Return the question for the workload identity pools of a project; deleted ones are left out."""
    permission = f"iam.workloadIdentityPools.list on projects/{project}"
    path = f"/v1/projects/{_part(project, scope)}/locations/global/workloadIdentityPools"
    kind = "projects.locations.workloadIdentityPools"
    return _ask("list", kind, "iam", "GET", path, scope, permission, pageSize=MOST_POOLS)


def providers(project: str, pool: str, scope: str) -> Question:
    """Return the question for the providers of a pool, which is named as the API names it; deleted ones are left out."""
    match = _POOL.fullmatch(pool)
    if not match:
        raise _foreign("a pool", pool, scope)
    permission = f"iam.workloadIdentityPoolProviders.list on projects/{project}"
    path = f"/v1/{match[1]}{_part(match[2], scope)}/providers"
    kind = "projects.locations.workloadIdentityPools.providers"
    return _ask("list", kind, "iam", "GET", path, scope, permission, pageSize=MOST_PROVIDERS)


def deny_policies(name: str, scope: str) -> Question:
    """Return the question for the names of the deny policies at a project, a folder or an organisation; rules are left out."""
    _kind(name, scope)
    path = f"/v2/{deny_point(name)}"
    return _ask("listPolicies", "policies", "iam", "GET", path, scope, f"iam.denypolicies.list on {name}")


def deny_point(name: str) -> str:
    """Return how the deny policies at a place are named, up to their ids: the place's full name is encoded."""
    return f"policies/{quote(f'cloudresourcemanager.googleapis.com/{name}', safe='')}/denypolicies"


def deny_policy(where: str, name: str, scope: str) -> Question:
    """Return the question for a deny policy at a place with its rules; it is named as the list names it."""
    match = _DENY.fullmatch(name)
    if not match:
        raise _foreign("a deny policy", name, scope)
    path = f"/v2/policies/{quote(unquote(match[1]), safe='')}/denypolicies/{_part(match[2], scope)}"
    return _ask("get", "policies", "iam", "GET", path, scope, f"iam.denypolicies.get on {where}")


def _ask(
    verb: str,
    kind: str,
    service: str,
    method: str,
    path: str,
    scope: str,
    permission: str,
    *,
    content: str = "",
    **params: str,
) -> Question:
    return Question(
        name=f"{service}.{kind}.{verb}",
        service=service,
        method=method,
        path=f"{path}?{urlencode(sorted(params.items()))}" if params else path,
        scope=scope,
        permission=permission,
        content=content,
    )


def _kind(name: str, scope: str) -> str:
    if not _PLACE.fullmatch(name):
        raise _foreign("a project, a folder or an organisation", name, scope)
    return name.partition("/")[0]


def _account(project: str, email: str, scope: str) -> str:
    return f"/v1/projects/{_part(project, scope)}/serviceAccounts/{_part(email, scope)}"


def _part(text: str, scope: str) -> str:
    """Return one step of a path."""
    if not text or text in (".", ".."):
        raise _foreign("a name", text, scope)
    return quote(text, safe="@")


def _foreign(what: str, name: str, scope: str) -> Malformed:
    return Malformed(f"{name[:200]!a} is not the name of {what}", source=SOURCE, scope=scope)

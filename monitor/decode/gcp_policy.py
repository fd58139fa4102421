"""Google Cloud's allow policies and roles: who holds which permissions where. Pure.

https://cloud.google.com/iam/docs/reference/rest/v1/Policy (bindings, as every getIamPolicy answers)
https://cloud.google.com/iam/docs/reference/rest/v1/projects.roles (roles)
https://cloud.google.com/iam/docs/principal-identifiers (members)

A place is written as the API writes it: `organizations/1`, `folders/2`, `projects/example-prod`, or a service account's name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from monitor.decode.gcp_cel import expired
from monitor.decode.github_wire import dig, text
from monitor.facts.policy import Condition, Policy, Statement
from monitor.model import Unknown

READING_ROLES = "iam.roles.get"
EVERYBODY = ("allUsers", "allAuthenticatedUsers")
UNREAD_CONDITION = "a condition that cannot be read"
_NO_LONGER = {"DISABLED": "it is disabled"}
_HOLDER = "principalSet://cloudresourcemanager.googleapis.com/"
# Answers that were not asked for in version 3 hide conditions, and mark the role's name:
# https://cloud.google.com/iam/docs/troubleshooting-withcond
_HIDDEN = "_withcond_"


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A service account, with where it is: `places` are its project (by id and by number) and all above."""

    email: str
    places: tuple[str, ...] = ()


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """One binding, `n` in the policy of its place (from 1). `condition` is its expression; empty: it holds always.

    `unread`: it cannot be read, so it may bind anything to anybody.
    """

    where: str
    n: int
    role: str = ""
    members: tuple[str, ...] = ()
    condition: str = ""
    unread: Unknown | None = None

    def told(self) -> str:
        """Return how it is cited: `roles/run.admin on projects/example-prod#1`."""
        return f"{self.role or 'a binding'} on {self.where}#{self.n}"


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """What a role gives. `permissions` are none where it is deleted or disabled."""

    name: str
    permissions: tuple[str, ...] | Unknown


def bindings(policy: object, where: str) -> tuple[Binding, ...] | Unknown:
    """Return the bindings of one place's policy. A policy without any is an object without the list."""
    if isinstance(policy, Unknown):
        return policy
    if isinstance(policy, dict) and policy.get("bindings") is None:
        return ()
    listed = dig(policy, "bindings")
    if not isinstance(listed, list):
        return Unknown(f"the policy of {where} cannot be read")
    return tuple(_binding(one, where, n) for n, one in enumerate(listed, 1))


def _binding(one: object, where: str, n: int) -> Binding:
    role, members, given = text(dig(one, "role")), dig(one, "members"), dig(one, "condition")
    known = tuple(member for member in members if isinstance(member, str)) if isinstance(members, list) else ()
    condition = ""
    if given is not None:
        condition = text(dig(given, "expression")) or UNREAD_CONDITION
    if _HIDDEN in role:
        role, condition = role.partition(_HIDDEN)[0], condition or UNREAD_CONDITION
    # A binding that lost all members is left out by Google; one without a list was cut.
    whole = role and isinstance(members, list) and len(known) == len(members)
    unread = None if whole else Unknown(f"binding {n} of the policy of {where} cannot be read")
    return Binding(where=where, n=n, role=role, members=known, condition=condition, unread=unread)


def role(body: object, name: str) -> Role:
    """Return what a role gives, from the role as `roles.get` sends it (or why it could not be read)."""
    if isinstance(body, Unknown):
        return Role(name=name, permissions=body)
    if dig(body, "deleted") is True or text(dig(body, "stage")) in _NO_LONGER:
        return Role(name=name, permissions=())
    listed = dig(body, "includedPermissions")
    if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
        # Lists of roles leave the permissions out, unless they are asked for with view=FULL.
        return Role(name=name, permissions=Unknown(f"the permissions of {name} were not read", READING_ROLES))
    return Role(name=name, permissions=tuple(listed))


def roles_of(found: Iterable[tuple[Binding, ...] | Unknown]) -> tuple[str, ...]:
    """Return the names of all roles that any of these bind, sorted: those to be read."""
    known = (one for some in found if not isinstance(some, Unknown) for one in some)
    return tuple(sorted({binding.role for binding in known if binding.role}))


def known_role(roles: Mapping[str, Role], name: str) -> Role:
    """Return the role, or one that says that it was not read."""
    return roles.get(name) or role(None, name)


def covered(where: str) -> tuple[str, ...]:
    """Return the resources that a binding at a place covers, all below included.

    What is bound to an organisation or a folder holds in every project below. Names of service accounts start with another
    service than names of projects, so a project has both.
    """
    if "/serviceAccounts/" in where:
        return (f"//iam.googleapis.com/{where}",)
    if where.startswith("projects/"):
        return (f"//cloudresourcemanager.googleapis.com/{where}", f"//iam.googleapis.com/{where}")
    return ("*",)


def bears_on(member: str, account: Account) -> bool:
    """Return whether a member is this service account, or a set that surely holds it. Groups cannot be seen into."""
    if member in EVERYBODY:
        return True
    kind, _, name = member.partition(":")
    if kind == "serviceAccount":
        return name.lower() == account.email.lower()
    place = member.removeprefix(_HOLDER)
    return place != member and place.removesuffix("/type/ServiceAccount") in account.places


def policies(
    account: Account,
    sources: Mapping[str, tuple[Binding, ...] | Unknown],
    roles: Mapping[str, Role],
    at: datetime,
) -> tuple[Policy, ...]:
    """Return one policy a role that is bound to a service account, in the order of their names.

    Each statement is one binding, its `sid` the place. Bindings whose condition has run out give nothing.
    """
    found: dict[str, list[Binding]] = {}
    unread: list[Policy] = []
    for where, some in sources.items():
        if isinstance(some, Unknown):
            unread.append(Policy(name=f"the policy of {where}", kind="role", statements=some))
            continue
        for binding in some:
            if binding.unread:
                unread.append(Policy(name=binding.told(), kind="role", statements=binding.unread))
            elif any(bears_on(member, account) for member in binding.members) and not expired(binding.condition, at):
                found.setdefault(binding.role, []).append(binding)
    made = (_policy(known_role(roles, name), bound) for name, bound in sorted(found.items()))
    return (*made, *unread)


def _policy(given: Role, bound: list[Binding]) -> Policy:
    if isinstance(given.permissions, Unknown):
        return Policy(name=given.name, kind="role", statements=given.permissions)
    if not given.permissions:
        return Policy(name=given.name, kind="role")
    return Policy(
        name=given.name,
        kind="role",
        statements=tuple(
            Statement(
                n=n,
                sid=binding.where,
                allow=True,
                actions=given.permissions,
                resources=covered(binding.where),
                conditions=conditions(binding.condition),
            )
            for n, binding in enumerate(bound, 1)
        ),
    )


def conditions(expression: str) -> tuple[Condition, ...]:
    """Return the condition of a statement; none for an empty expression."""
    return (Condition(operator="cel", values=(expression,)),) if expression else ()

"""Google Cloud's deny policies, as they bear on a service account. Pure.

https://cloud.google.com/iam/docs/reference/rest/v2/policies (answers of policies.get; policies.list leaves the rules out)
https://cloud.google.com/iam/docs/deny-overview

What may or may not be denied (groups that cannot be seen into, conditions, exceptions among wildcards) is denied on a
condition, which says so: a deny that is not certain must never hide a right.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from urllib.parse import unquote

from monitor.decode.gcp_policy import Account, bears_on, conditions, covered
from monitor.decode.github_wire import dig, text
from monitor.facts.policy import Condition, Policy, Statement
from monitor.model import Unknown

READING_DENIES = "iam.denypolicies.get"
_ALL = "principalSet://goog/public:all"
_ACCOUNT = "principal://iam.googleapis.com/projects/-/serviceAccounts/"
_PEOPLE = "principal://goog/subject/"
# Deny policies name a service by its address, roles by its short name; this one differs by more than the domain.
# https://cloud.google.com/iam/docs/deny-permissions-support
_SERVICES = {"cloudresourcemanager": "resourcemanager"}


def denies(account: Account, found: Iterable[object]) -> tuple[Policy, ...]:
    """Return the deny policies that bear on a service account, in the order given."""
    made = (_policy(one, account) for one in found)
    return tuple(one for one in made if one is not None)


def _policy(body: object, account: Account) -> Policy | None:
    name = unquote(text(dig(body, "name"))) or "a deny policy"
    rules = dig(body, "rules")
    if not isinstance(rules, list) or not all(isinstance(dig(one, "denyRule"), dict) for one in rules):
        return Policy(
            name=name, kind="managed", statements=Unknown(f"the rules of {name} were not read", READING_DENIES)
        )
    point = name.removeprefix("policies/").partition("/denypolicies/")[0]
    where = point.removeprefix("cloudresourcemanager.googleapis.com/")
    made = [_statement(n, one["denyRule"], where, account) for n, one in enumerate(rules, 1)]
    statements = tuple(one for one in made if one is not None)
    return Policy(name=name, kind="managed", statements=statements) if statements else None


def _statement(n: int, rule: dict[str, object], where: str, account: Account) -> Statement | None:
    named = [_holds(one, account) for one in _texts(rule, "deniedPrincipals")]
    spared = [_holds(one, account) for one in _texts(rule, "exceptionPrincipals")]
    if True in spared or not set(named) & {True, None}:
        return None
    doubts = []
    if True not in named:
        doubts.append("it is one of " + ", ".join(_texts(rule, "deniedPrincipals")))
    if None in spared:
        doubts.append("it is none of " + ", ".join(_texts(rule, "exceptionPrincipals")))
    excepted = tuple(map(_permission, _texts(rule, "exceptionPermissions")))
    actions = tuple(
        one
        for one in map(_permission, _texts(rule, "deniedPermissions"))
        if not any(fnmatchcase(one, other) for other in excepted)
    )
    if not actions:
        return None
    if any(fnmatchcase(other, one) for one in actions for other in excepted):
        doubts.append("the permission is none of " + ", ".join(excepted))
    given = rule.get("denialCondition")
    expression = "" if given is None else text(dig(given, "expression")) or "a condition that cannot be read"
    return Statement(
        n=n,
        sid=where,
        allow=False,
        actions=actions,
        resources=covered(where),
        conditions=(*conditions(expression), *(Condition(operator="cel", values=(one,)) for one in doubts)),
    )


def _holds(principal: str, account: Account) -> bool | None:
    """Return whether a principal of a deny policy is this service account; None where that cannot be told."""
    if principal == _ALL or bears_on(principal, account):
        return True
    if principal.startswith(_ACCOUNT):
        return principal.removeprefix(_ACCOUNT).lower() == account.email.lower()
    # A single person, or anything deleted, is no service account; a set may hold it.
    return False if principal.startswith((_PEOPLE, "deleted:")) or "/workforcePools/" in principal else None


def _permission(name: str) -> str:
    """Return a permission as roles spell it: `iam.googleapis.com/roles.delete` is `iam.roles.delete`."""
    service, slash, rest = name.partition("/")
    short = service.removesuffix(".googleapis.com")
    # Some permissions of IAM keep the address in roles too.
    if not slash or short == service or rest.startswith(("workload", "workforce")):
        return name
    return f"{_SERVICES.get(short, short)}.{rest}"


def _texts(rule: dict[str, object], name: str) -> list[str]:
    found = rule.get(name)
    return [one for one in found if isinstance(one, str)] if isinstance(found, list) else []

"""What AWS Organizations answers, to the ceilings over an account: level by level, from the root down. Pure, total.

https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps_evaluation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.decode.aws_policy import policy
from monitor.facts.policy import Policy
from monitor.model import Unknown

TYPES = {"scp": "SERVICE_CONTROL_POLICY", "rcp": "RESOURCE_CONTROL_POLICY"}
FULL = {"p-FullAWSAccess": "scp", "p-RCPFullAWSAccess": "rcp"}
"""AWS's own policies, which allow anything; nobody can change them."""
_MOST_LEVELS = 12
"""A root, five levels of units, the account; with room. https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html"""
_ALL: dict[str, Any] = {"Effect": "Allow", "Action": "*", "Resource": "*"}
Levels = tuple[tuple[Policy, ...], ...] | Unknown


def ceilings(
    kind: str,
    account: str,
    management: str,
    parents: Mapping[str, object],
    attached: Mapping[str, object],
    described: Mapping[str, object],
) -> Levels:
    """Return the ceilings over the account: its policies of this kind (scp or rcp) by level, from the root down.

    () over the management account, which no such policy binds. `parents` are answers to ListParents by the child's id;
    `attached` to ListPoliciesForTarget by the target's id; `described` to DescribePolicy by the policy's id. Unknown where the
    way up, or what is attached on it, was not read; a policy that was not read has Unknown statements.
    """
    if account == management:
        return ()
    way = ancestry(account, parents)
    if isinstance(way, Unknown):
        return way
    levels = []
    for target in way:
        level = _level(kind, target, attached.get(target), described)
        if isinstance(level, Unknown):
            return level
        levels.append(level)
    return tuple(levels)


def ancestry(account: str, parents: Mapping[str, object]) -> tuple[str, ...] | Unknown:
    """Return the ids from the root down to the account; Unknown where an answer is missing or leads in a circle."""
    way = [account]
    for _ in range(_MOST_LEVELS):
        above = _objects(parents.get(way[-1]), "Parents")
        identity = above[0].get("Id") if above else None
        if not isinstance(identity, str) or not identity:
            return Unknown(f"the parent of {way[-1]} in the organisation was not read", "organizations:ListParents")
        way.append(identity)
        if above and above[0].get("Type") == "ROOT":
            return tuple(reversed(way))
    return Unknown(f"no root of the organisation was found above {account}", "organizations:ListParents")


def enabled(roots: object, kind: str) -> bool | Unknown:
    """Return whether policies of the kind count in the organisation, by its answer to ListRoots."""
    found = _objects(roots, "Roots")
    if not found:
        return Unknown("the root of the organisation was not read", "organizations:ListRoots")
    types = _objects(found[0], "PolicyTypes")
    return any(one.get("Type") == TYPES.get(kind) and one.get("Status") == "ENABLED" for one in types)


def _level(kind: str, target: str, answer: object, described: Mapping[str, object]) -> tuple[Policy, ...] | Unknown:
    if not isinstance(answer, Mapping) or not isinstance(answer.get("Policies"), list):
        return Unknown(f"the policies on {target} were not read", "organizations:ListPoliciesForTarget")
    found = []
    for one in answer["Policies"]:
        identity = one.get("Id") if isinstance(one, Mapping) else None
        if not isinstance(one, Mapping) or not isinstance(identity, str):
            return Unknown(f"a policy on {target} cannot be read", "organizations:ListPoliciesForTarget")
        if one.get("Type", TYPES.get(kind)) == TYPES.get(kind):
            found.append(_policy(kind, identity, str(one.get("Arn") or identity), described.get(identity)))
    return tuple(sorted(found, key=lambda one: one.name))


def _policy(kind: str, identity: str, name: str, answer: object) -> Policy:
    told = answer.get("Policy") if isinstance(answer, Mapping) else None
    if isinstance(told, Mapping) and told.get("Content") is not None:
        return policy(told["Content"], name, kind)
    if FULL.get(identity) == kind:
        return policy({"Statement": {**_ALL, **({"Principal": "*"} if kind == "rcp" else {})}}, name, kind)
    return Policy(name=name, kind=kind, statements=Unknown("its document was not read", "organizations:DescribePolicy"))


def _objects(answer: object, name: str) -> list[Mapping[str, Any]]:
    listed = answer.get(name) if isinstance(answer, Mapping) else None
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []

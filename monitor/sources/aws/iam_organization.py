"""The ceilings that an AWS organisation sets: its service and resource control policies, from the root down to an account.

Needs organizations:DescribeOrganization in each account; and in one account that may read the organisation (the management
account or a delegated administrator): ListRoots, ListParents, ListPoliciesForTarget, DescribePolicy.
https://docs.aws.amazon.com/organizations/latest/APIReference/action-reference.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from monitor.decode.aws_organizations import TYPES, Levels, ancestry, ceilings, enabled
from monitor.model import EvidenceRef, Unknown
from monitor.sources.aws.iam_asking import Questions, Reply

SERVICE = "organizations"
# An organisation's root, five levels of units below it, and the account:
# https://docs.aws.amazon.com/organizations/latest/userguide/orgs_reference_limits.html
MAX_LEVELS = 12
_ALONE = ("AWSOrganizationsNotInUseException",)
_STRANGER = ("ChildNotFoundException",)


class Ceilings(msgspec.Struct, frozen=True, kw_only=True):
    """What an organisation lets its account do (`actions`), and lets others do with it (`resources`), level by level."""

    actions: Levels = ()
    resources: Levels = ()
    evidence: tuple[EvidenceRef, ...] = ()


class Organization:
    """Reads organisations through whichever of the estate's accounts may. Each policy is read once."""

    def __init__(self, accounts: Iterable[str], questions: Questions) -> None:
        self._accounts = tuple(accounts)
        self._questions = questions
        self._described: dict[str, Reply] = {}
        self._roots: dict[str, list[Reply]] = {}
        self._attached: dict[tuple[str, str, str], list[Reply]] = {}
        self._policies: dict[tuple[str, str], Reply] = {}

    def over(self, account: str) -> Ceilings:
        """Return the ceilings over an account: () where it is in no organisation, or is the one that manages it."""
        described = self._describe(account)
        if described.absent:
            return Ceilings(evidence=described.evidence)
        told = _mapping(described.answer.get("Organization"))
        # https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_scps.html
        if told.get("MasterAccountId") == account:
            return Ceilings(evidence=described.evidence)
        return self._through_others(account, told, described)

    def _describe(self, account: str) -> Reply:
        if account not in self._described:
            self._described[account] = self._questions.ask(SERVICE, "DescribeOrganization", account, _ALONE)
        return self._described[account]

    def _through_others(self, account: str, told: dict[str, Any], described: Reply) -> Ceilings:
        """Ask through the first account that may, the management account before the others."""
        manager = told.get("MasterAccountId")
        why = described if described.error else None
        for eye in sorted(self._accounts, key=lambda one: one != manager):
            here = self._describe(eye)
            its = _mapping(here.answer.get("Organization"))
            if here.absent or told.get("Id", its.get("Id")) != its.get("Id", told.get("Id")):
                continue  # it is known to be in another organisation, or in none
            roots = self._listed_roots(eye)
            failed = next((reply for reply in roots if reply.error), None)
            parents = {} if failed else self._parents(account, eye)
            failed = failed or next((reply for reply in parents.values() if reply.error), None)
            if failed is None and parents:
                if its.get("MasterAccountId") == account:
                    return Ceilings(evidence=(*described.evidence, *here.evidence))
                return self._ceilings(account, eye, [described, here, *roots], parents)
            why = failed or why
        return _unknown(
            self._unreadable(account, str(manager or ""), why),
            (*described.evidence, *(why.evidence if why else ())),
        )

    def _unreadable(self, account: str, manager: str, why: Reply | None) -> Unknown:
        said = f": {why.error.what}" if why and why.error else ""
        reason = (
            f"the organisation's policies over account {account} are not readable with the role in any account{said}"
        )
        if why and why.error and not why.denied:
            return Unknown(reason, why.grant)
        needed = "organizations:ListRoots, ListParents, ListPoliciesForTarget and DescribePolicy"
        return Unknown(reason, f"{needed} in account {manager or 'that manages the organisation'}, declared as watched")

    def _listed_roots(self, eye: str) -> list[Reply]:
        if eye not in self._roots:
            self._roots[eye] = list(self._questions.pages(SERVICE, "ListRoots", eye))
        return self._roots[eye]

    def _parents(self, account: str, eye: str) -> dict[str, Reply]:
        """Return, by child, the answers that lead from the account up to its root; {} if it is not of the organisation."""
        found: dict[str, Reply] = {}
        child = account
        while child not in found and len(found) < MAX_LEVELS:
            reply = self._questions.ask(SERVICE, "ListParents", eye, _STRANGER, ChildId=child)
            if reply.absent:
                return {}
            found[child] = reply
            above = next((_mapping(one) for one in _sequence(reply.answer.get("Parents"))), {})
            if reply.error or not above.get("Id") or above.get("Type") == "ROOT":
                break
            child = str(above["Id"])
        return found

    def _ceilings(self, account: str, eye: str, replies: list[Reply], parents: dict[str, Reply]) -> Ceilings:
        evidence = [ref for reply in (*replies, *parents.values()) for ref in reply.evidence]
        answers = {child: reply.answer for child, reply in parents.items()}
        way = ancestry(account, answers)
        roots = {"Roots": [one for reply in replies for one in _sequence(reply.answer.get("Roots"))]}
        levels: dict[str, Levels] = {}
        for kind in TYPES:
            counts = enabled(roots, kind)
            levels[kind] = way if isinstance(way, Unknown) else counts if isinstance(counts, Unknown) else ()
            # Policies of a type that is not enabled may be attached all the same, and bear on nothing.
            if counts is True and not isinstance(way, Unknown):
                levels[kind] = self._levels(account, eye, kind, way, answers, evidence)
        return Ceilings(actions=levels["scp"], resources=levels["rcp"], evidence=tuple(dict.fromkeys(evidence)))

    def _levels(
        self,
        account: str,
        eye: str,
        kind: str,
        way: Sequence[str],
        parents: dict[str, dict[str, Any]],
        evidence: list[EvidenceRef],
    ) -> Levels:
        attached: dict[str, object] = {}
        described: dict[str, object] = {}
        for target in way:
            pages = self._attachments(eye, target, kind)
            evidence += [ref for page in pages for ref in page.evidence]
            broken = next((page for page in pages if page.error), None)
            if broken:
                return broken.unknown()
            policies = [one for page in pages for one in _sequence(page.answer.get("Policies"))]
            attached[target] = {"Policies": policies}
            for one in policies:
                policy_id = str(_mapping(one).get("Id"))
                reply = self._policy(eye, policy_id)
                described[policy_id] = reply.answer
                evidence += reply.evidence
        return ceilings(kind, account, "", parents, attached, described)

    def _attachments(self, eye: str, target: str, kind: str) -> list[Reply]:
        key = (eye, target, kind)
        if key not in self._attached:
            pages = self._questions.pages(SERVICE, "ListPoliciesForTarget", eye, TargetId=target, Filter=TYPES[kind])
            self._attached[key] = list(pages)
        return self._attached[key]

    def _policy(self, eye: str, policy_id: str) -> Reply:
        key = (eye, policy_id)
        if key not in self._policies:
            self._policies[key] = self._questions.ask(SERVICE, "DescribePolicy", eye, PolicyId=policy_id)
        return self._policies[key]


def _unknown(why: Unknown, evidence: Iterable[EvidenceRef]) -> Ceilings:
    return Ceilings(actions=why, resources=why, evidence=tuple(dict.fromkeys(evidence)))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _sequence(value: object) -> list[Any]:
    return value if isinstance(value, list) else []

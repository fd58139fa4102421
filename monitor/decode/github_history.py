"""History that GitHub keeps without an audit log: versions of rulesets, rule suites, activity; and two samples compared. Pure.

Of what is read here every entry counts: one that cannot be read makes its page Malformed, so that the span is not covered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from monitor.decode.github_event_fields import account, branch_of, entries, malformed, moment_of, number, words
from monitor.decode.github_rules import ruleset_of
from monitor.decode.github_wire import dig, loaded, mapping
from monitor.decode.protection_changes import UNCLEAR, compared
from monitor.facts.protection import (
    BranchUpdate,
    DemandChange,
    ForgeActor,
    ProtectionBypass,
    ProtectionChange,
    ProtectionRule,
)
from monitor.facts.repository import Repository
from monitor.model import EvidenceRef, Unknown

__all__ = [
    "Version", "activity", "changes", "compared", "first_parents", "pulls", "sampled", "suites",
    "version_state", "versions",
]  # fmt: skip

SAMPLED = "seen between two samples"
VERSIONED = "repository_ruleset.version"
Evidence = tuple[EvidenceRef, ...]
# https://docs.github.com/en/rest/repos/repos#list-repository-activities ; what is not known here is most likely a push
_ACTIVITIES = {
    "push": "push",
    "force_push": "force-push",
    "branch_creation": "creation",
    "branch_deletion": "deletion",
    "pr_merge": "merge",
    "merge_queue_merge": "merge-queue",
}


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of a ruleset: its id, who made it, and when (UTC)."""

    id: int
    actor: ForgeActor = ForgeActor()
    updated_at: datetime


def versions(body: bytes) -> tuple[Version, ...]:
    """Return the versions on a page of `GET …/rulesets/{id}/history`; raises Malformed if one cannot be read.

    https://docs.github.com/en/rest/repos/rules#get-repository-ruleset-history
    """
    return tuple(
        Version(
            id=_number(entry, "version_id", "a version of a ruleset"),
            actor=account(entry.get("actor")),
            updated_at=moment_of(entry.get("updated_at"), "a version of a ruleset"),
        )
        for entry in entries(body, "a ruleset's history")
    )


def version_state(body: bytes, evidence: Evidence = ()) -> ProtectionRule:
    """Return the ruleset as it was in the version of `GET …/history/{version_id}`; raises Malformed if it is none.

    https://docs.github.com/en/rest/repos/rules#get-repository-ruleset-version
    """
    what = "a version of a ruleset"
    state = mapping(mapping(loaded(body, what), what).get("state"), f"the state of {what}")
    return ruleset_of(state, evidence)


def changes(
    repository: Repository | None,
    organisation: str,
    older: ProtectionRule,
    newer: ProtectionRule,
    at: datetime,
    actor: ForgeActor,
    evidence: Evidence = (),
) -> ProtectionChange:
    """Return the edit that led from one version of a ruleset to the next, at a time (UTC); `repository` None: everywhere."""
    edits = compared(older, newer)
    place = f"repository:{repository.id}" if repository else f"organisation:{organisation}"
    return ProtectionChange(
        # Two versions may be of one second.
        id=f"{place}:{newer.key}@{at.isoformat()}:{_digest(older, newer)}",
        at=at,
        organisation=organisation,
        repository_id=repository.id if repository else 0,
        repository=repository.name if repository else "",
        rule=newer.key,
        rule_name=newer.name,
        action=VERSIONED,
        actor=actor,
        targets=newer.targets,
        changes=edits,
        evidence=evidence,
    )


def sampled(before: Repository, after: Repository) -> tuple[ProtectionChange, ...]:
    """Return what two samples of a repository show to have changed between them; nobody knows who did it, or when exactly.

    Where the rules of one sample could not be read, these are not compared.
    """
    found = []
    for what, was, now in (
        ("default-branch", before.default_branch, after.default_branch),
        ("name", before.name, after.name),
    ):
        if was != now:
            edit = DemandChange(demand="targets", direction=UNCLEAR, before=was, after=now)
            found.append(_sample(before, after, f"repository:{what}", what.replace("-", " "), None, (edit,)))
    if isinstance(before.rules, Unknown) or isinstance(after.rules, Unknown) or before.blind or after.blind:
        return tuple(found)
    older, newer = ({rule.key: rule for rule in rules} for rules in (before.rules, after.rules))
    for key in sorted({*older, *newer}):
        edits = compared(older.get(key), newer.get(key))
        rule = newer.get(key) or older[key]
        if edits:
            found.append(_sample(before, after, key, rule.name, rule, edits))
    return tuple(found)


def suites(body: bytes, organisation: str, evidence: Evidence = ()) -> tuple[ProtectionBypass, ...]:
    """Return the pushes and merges to branches that passed a rule by, of a page of `GET …/rule-suites`; raises Malformed.

    https://docs.github.com/en/rest/orgs/rule-suites#list-organization-rule-suites
    """
    return tuple(
        ProtectionBypass(
            **_place(entry, organisation),
            branch=branch,
            demands=(),  # the list does not tell which; the detail of a suite would
            evidence=evidence,
        )
        for entry, branch in _suites(body)
        if entry["result"] == "bypass"
    )


def activity(body: bytes, repository: Repository, evidence: Evidence = ()) -> tuple[BranchUpdate, ...]:
    """Return the moves of branches on a page of `GET …/activity`; raises Malformed if one cannot be read.

    https://docs.github.com/en/rest/repos/repos#list-repository-activities
    """
    found = []
    what = f"an activity of {repository.name}"
    for entry in entries(body, f"the activity of {repository.name}"):
        branch = branch_of(entry.get("ref"))
        kind = words(entry.get("activity_type"))
        if not kind:
            raise malformed(f"{what} is of no kind")
        if branch is None:
            continue
        found.append(
            BranchUpdate(
                id=f"activity:{_number(entry, 'id', what)}",
                at=moment_of(entry.get("timestamp"), what),
                organisation=repository.organisation,
                repository_id=repository.id,
                repository=repository.name,
                branch=branch,
                before=words(entry.get("before")),
                after=words(entry.get("after")),
                kind=_ACTIVITIES.get(kind, "push"),
                actor=account(entry.get("actor")),
                evidence=evidence,
            )
        )
    return tuple(found)


def first_parents(body: bytes) -> dict[str, str]:
    """Return the first parent of each commit on a page of `GET …/compare/A...B`; raises Malformed if one cannot be read.

    https://docs.github.com/en/rest/commits/commits#compare-two-commits
    """
    what = "a comparison of commits"
    found = mapping(loaded(body, what), what).get("commits")
    if not isinstance(found, list):
        raise malformed(f"{what} has no list of commits")
    parents: dict[str, str] = {}
    for one in found:
        sha, above = dig(one, "sha"), dig(one, "parents")
        if not isinstance(sha, str) or not isinstance(above, list):
            raise malformed(f"a commit of {what} cannot be read")
        first = dig(above[0], "sha") if above else ""
        parents[sha] = first if isinstance(first, str) else ""
    return parents


def pulls(body: bytes) -> tuple[int, ...]:
    """Return the numbers of the merged pull requests of `GET …/commits/{sha}/pulls`; raises Malformed if it is no list.

    https://docs.github.com/en/rest/commits/commits#list-pull-requests-associated-with-a-commit
    """
    what = "a pull request of a commit"
    listed = entries(body, "the pull requests of a commit")
    return tuple(sorted({_number(one, "number", what) for one in listed if one.get("merged_at") is not None}))


def _suites(body: bytes) -> list[tuple[dict[str, Any], str]]:
    found = []
    for entry in entries(body, "the rule suites"):
        branch = branch_of(entry.get("ref"))
        if not isinstance(entry.get("result"), str):
            raise malformed("a rule suite has no result")
        if branch is not None:
            found.append((entry, branch))
    return found


def _place(entry: Mapping[str, Any], organisation: str) -> dict[str, Any]:
    """Return what both facts of a rule suite share: id, time, place and actor."""
    what, name, login = "a rule suite", words(entry.get("repository_name")), words(entry.get("actor_name"))
    kind = "bot" if login.endswith("[bot]") else "unknown"
    return {
        "id": f"rule-suite:{_number(entry, 'id', what)}",
        "at": moment_of(entry.get("pushed_at"), what),
        "organisation": organisation,
        "repository_id": _number(entry, "repository_id", what),
        "repository": name if "/" in name or not name else f"{organisation}/{name}",
        "before": words(entry.get("before_sha")),
        "after": words(entry.get("after_sha")),
        "actor": ForgeActor(name=login, kind=kind, id=number(entry.get("actor_id"))),
    }


def _sample(
    before: Repository,
    after: Repository,
    key: str,
    name: str,
    rule: ProtectionRule | None,
    edits: tuple[DemandChange, ...],
) -> ProtectionChange:
    evidence = rule.evidence if rule else after.evidence
    return ProtectionChange(
        id=f"sample:{after.id}:{key}@{after.at.isoformat()}",
        at=after.at,
        not_before=before.at,
        organisation=after.organisation,
        repository_id=after.id,
        repository=after.name,
        rule=key,
        rule_name=name,
        action=SAMPLED,
        targets=rule.targets if rule else None,
        changes=edits,
        evidence=evidence,
    )


def _number(entry: Mapping[str, Any], key: str, what: str) -> int:
    found = number(entry.get(key))
    if not found:
        raise malformed(f"{what} has no {key}")
    return found


def _digest(*rules: ProtectionRule) -> str:
    # As text, since a number of any size can be shown, and not every one can be encoded.
    said = repr([msgspec.structs.replace(rule, evidence=()) for rule in rules])
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()[:16]

"""What holds for a project from above and of itself: its ancestors, the allow and deny policies of each, and roles.

Each place and each role is read once a sweep, however many projects it bears on.

Needs, on the organisation: resourcemanager.folders.get, resourcemanager.{organizations,folders,projects}.getIamPolicy,
iam.denypolicies.list and .get, iam.roles.get. Allow policies are inherited: https://cloud.google.com/iam/docs/allow-policies#inheritance
Deny policies too: https://cloud.google.com/iam/docs/deny-overview#inheritance
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import msgspec

from monitor.errors import Malformed, SourceError, Throttled, Unavailable
from monitor.model import EvidenceRef, Unknown
from monitor.sources.gcp import calls
from monitor.sources.gcp.iam_asking import Questions, Reply, unknown
from monitor.sources.gcp.wire import SOURCE

DEEPEST = 20
"""Folders above a project that are followed; Google allows ten: https://cloud.google.com/resource-manager/docs/limits"""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """A project, folder or organisation: its policies, each maybe Unknown, and what failed."""

    name: str
    policy: dict[str, Any] | Unknown
    denies: tuple[dict[str, Any], ...] | Unknown
    evidence: tuple[EvidenceRef, ...] = ()
    errors: tuple[SourceError, ...] = ()


class Above(msgspec.Struct, frozen=True, kw_only=True):
    """The places above a project, the nearest first; `broken` is why there may be more."""

    places: tuple[Place, ...] = ()
    broken: Unknown | None = None
    evidence: tuple[EvidenceRef, ...] = ()
    errors: tuple[SourceError, ...] = ()


class Places:
    """Reads places and roles, and remembers them for the sweep. Not for several threads at once."""

    def __init__(self, questions: Questions) -> None:
        self._questions = questions
        self._places: dict[str, Place] = {}
        self._folders: dict[str, Reply] = {}
        self._roles: dict[str, Reply] = {}

    def above(self, parent: object, scope: str) -> Above:
        """Return all places above a project with this parent, up to the organisation."""
        places: list[Place] = []
        evidence: list[EvidenceRef] = []
        while parent is not None:
            if not isinstance(parent, str) or len(places) > DEEPEST or parent in [one.name for one in places]:
                error = Malformed(
                    f"what is above {scope} does not lead to an organisation: {parent!s:.100}", source=SOURCE
                )
                return _broken(places, evidence, error)
            place = self.place(parent, scope)
            places.append(place)
            if parent.startswith("organizations/"):
                break
            folder = self._folder(parent, scope)
            evidence += folder.evidence
            if folder.content is None:
                return _broken(places, evidence, folder.error)
            parent = folder.content.get("parent")
            if parent is None:
                # A folder is always in something: one without is no folder as the API documents it.
                return _broken(places, evidence, Malformed(f"{places[-1].name} names no parent", source=SOURCE))
        return Above(places=tuple(places), evidence=tuple(evidence))

    def place(self, name: str, scope: str) -> Place:
        """Return a place's own allow and deny policies."""
        kept = self._places.get(name)
        if kept is None:
            kept = self._place(name, scope)
            if _lasting(kept.errors):
                self._places[name] = kept
        return kept

    def role(self, name: str, scope: str) -> Reply:
        """Return a role. A custom role that is not there is answered as a deleted one, which gives nothing."""
        kept = self._roles.get(name)
        if kept is None:
            kept = self._questions.ask(partial(calls.role, name, scope), calls.PERMISSIONS)
            if kept.content is not None:
                # roles.get tells all permissions, and leaves the list out where it is empty.
                kept = msgspec.structs.replace(kept, content={calls.PERMISSIONS: [], **kept.content})
            elif kept.missing and not name.startswith("roles/"):
                kept = Reply(content={"name": name, "deleted": True})
            if _lasting([kept.error] if kept.error else []):
                self._roles[name] = kept
        return kept

    def _folder(self, name: str, scope: str) -> Reply:
        kept = self._folders.get(name)
        if kept is None:
            kept = self._questions.ask(partial(calls.place, name, scope))
            if _lasting([kept.error] if kept.error else []):
                self._folders[name] = kept
        return kept

    def _place(self, name: str, scope: str) -> Place:
        policy = self._questions.ask(partial(calls.policy, name, scope), calls.BINDINGS)
        denies, refs, errors = self._denies(name, scope)
        return Place(
            name=name,
            policy=policy.body,
            denies=denies,
            evidence=(*policy.evidence, *refs),
            errors=tuple(one for one in (policy.error, *errors) if one is not None),
        )

    def _denies(
        self, name: str, scope: str
    ) -> tuple[tuple[dict[str, Any], ...] | Unknown, tuple[EvidenceRef, ...], tuple[SourceError, ...]]:
        """Return the deny policies of a place with their rules; Unknown if one of them could not be read."""
        listed = self._questions.pages(partial(calls.deny_policies, name, scope), calls.DENIES)
        refs = listed.evidence
        if listed.error:
            return unknown(listed.error), refs, (listed.error,)
        found: list[dict[str, Any]] = []
        for one in listed.entries:
            named = one.get("name") if isinstance(one, dict) else None
            reply = self._questions.ask(partial(calls.deny_policy, name, str(named), scope), calls.RULES)
            refs = (*refs, *reply.evidence)
            if reply.missing:
                continue  # it is gone since it was listed
            if reply.content is None:
                return unknown(reply.error), refs, ((reply.error,) if reply.error else ())
            # Names of answers have the project's number; everything else that is said of a project has its id.
            found.append({**reply.content, "name": f"{calls.deny_point(name)}/{str(named).rpartition('/')[2]}"})
        return tuple(found), refs, ()


def _broken(places: list[Place], evidence: list[EvidenceRef], error: SourceError | None) -> Above:
    return Above(
        places=tuple(places),
        broken=unknown(error),
        evidence=tuple(evidence),
        errors=(error,) if error else (),
    )


def _lasting(errors: Iterable[SourceError]) -> bool:
    """Return whether the next project would meet the same: what was only too slow or too busy is asked again."""
    return not any(isinstance(one, Throttled | Unavailable) for one in errors)

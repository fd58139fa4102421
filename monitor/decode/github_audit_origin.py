"""Where, when and by whom an event of GitHub's audit log happened, and the edit of protection that it tells. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec

from monitor.decode.github_event_fields import event_actor, first, malformed, moment_of, number, words
from monitor.facts.protection import DemandChange, ProtectionChange, Targets
from monitor.model import EvidenceRef

Event = Mapping[str, Any]
Evidence = tuple[EvidenceRef, ...]
REPOSITORY, ORGANISATION, EITHER = "repository", "organisation", "either"
_UNSTORABLE = (TypeError, ValueError, OverflowError, RecursionError)


def moment(event: Event) -> datetime:
    """Return when the event happened (UTC); raises Malformed if it does not say so in a form that can be read."""
    told = first(event, "@timestamp", "created_at")
    return moment_of(told, f"the audit log event {words(event.get('_document_id')) or words(event.get('action'))}")


def origin(event: Event, action: str, of: str = REPOSITORY) -> tuple[str, int, str]:
    """Return organisation, repository id and repository (OWNER/NAME); raises Malformed if these are not told.

    What concerns a whole organisation has id 0 and no name; `of` EITHER leaves it to the event.
    """
    repository, organisation = words(event.get("repo")), words(event.get("org"))
    organisation = organisation or repository.partition("/")[0]
    if of == ORGANISATION:
        repository = ""
    if not organisation or (not repository and (of == REPOSITORY or (event.get("repo") is not None and of == EITHER))):
        raise malformed(f"{action} at {moment(event).isoformat()} does not say where it happened")
    return organisation, number(first(event, "repo_id", "repository_id")) if repository else 0, repository


def identity(event: Event) -> str:
    """Return the event's own id; without one, the digest of what it says, so that the same event is the same again."""
    told = words(event.get("_document_id"))
    if told:
        return told
    try:
        said = msgspec.json.encode(event, order="sorted")
    except _UNSTORABLE as wrong:
        raise malformed(f"an audit log event without an id cannot be told from others: {wrong}") from wrong
    return f"sha256:{hashlib.sha256(said).hexdigest()}"


def shown(value: Any) -> str:
    """Return a value as it is shown to people: text as it is, anything else as JSON; nothing if it cannot be."""
    if isinstance(value, str):
        return words(value)
    try:
        return msgspec.json.encode(value, order="sorted").decode()
    except _UNSTORABLE:
        return ""


def change(
    event: Event,
    action: str,
    rule: str,
    name: str,
    changes: Iterable[DemandChange],
    evidence: Evidence,
    targets: Targets | None = None,
    of: str = REPOSITORY,
) -> ProtectionChange:
    """Return the edit of a rule; raises Malformed if it is not told where or when it was made."""
    organisation, number_of, repository = origin(event, action, of)
    return ProtectionChange(
        id=identity(event),
        at=moment(event),
        organisation=organisation,
        repository_id=number_of,
        repository=repository,
        rule=rule,
        rule_name=name,
        action=action,
        actor=event_actor(event),
        targets=targets,
        changes=tuple(changes),
        evidence=evidence,
    )

"""Identities as they were read, joined with their use, and evaluated: what the checks of deploy identities judge."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from monitor.facts.access import Access
from monitor.facts.change import ChangeEvent
from monitor.facts.identity import Identity, IdentityList
from monitor.facts.remembered import Remembered
from monitor.facts.usage import merged, used_by
from monitor.iam.analysis import analyse
from monitor.iam.catalogue import Catalogue
from monitor.model import Unknown
from monitor.sources.ports import Collected, Memory

USAGE = "identity.usage"
"""Of each identity: when each action of it was last seen in the audit log."""
Catalogues = Callable[[], Mapping[str, Catalogue]]
"""Gives the actions that are known, by provider; read only when there is an identity to judge."""


def accesses(collected: Collected, memory: Memory, catalogues: Catalogues, at: datetime) -> list[Access]:
    """Return each identity that was read, evaluated; the facts as they were read are taken out of what was collected.

    What the audit log tells of their use since the last sweep is added to what is remembered of it.
    """
    found = [fact for fact in collected.facts if isinstance(fact, Identity)]
    events = [fact for fact in collected.facts if isinstance(fact, ChangeEvent)]
    if not found:
        # A sweep of the audit log alone: what it reads is read once, so that the use of who is known is kept from it now.
        _keep_use(events, collected, memory, at)
        return []
    collected.facts[:] = [fact for fact in collected.facts if not isinstance(fact, Identity)]
    used = used_by(found, events)
    known = {subject: _read(kept) for subject, kept in memory.latest(USAGE).items()}
    joined = []
    for identity in found:
        whole = _joined(identity, known.get(identity.subject(), {}), used.get(identity.name, {}), collected, at)
        joined.append(merged(identity, whole))
    lists = (fact for fact in collected.facts if isinstance(fact, IdentityList))
    unlisted = {one.account for one in lists if isinstance(one.ids, Unknown)}
    return list(analyse(joined, catalogues(), unlisted))


def _joined(
    identity: Identity,
    before: Mapping[str, datetime],
    now: Mapping[str, datetime],
    collected: Collected,
    at: datetime,
) -> Mapping[str, datetime]:
    """Return the use of an identity, the later of both; what is new of it is to be remembered."""
    whole = {action: max(filter(None, (before.get(action), now.get(action)))) for action in {*before, *now}}
    if whole != before:
        collected.remember.append(_remembered(identity, whole, at))
    return whole


def _keep_use(events: Sequence[ChangeEvent], collected: Collected, memory: Memory, at: datetime) -> None:
    identities = remembered(memory) if events else []
    used = used_by(identities, events)
    known = {subject: _read(kept) for subject, kept in memory.latest(USAGE).items()} if used else {}
    for identity in identities:
        if identity.name in used:
            _joined(identity, known.get(identity.subject(), {}), used[identity.name], collected, at)


def remembered(memory: Memory) -> list[Identity]:
    """Return the identities that sweeps have seen, as they were when they last changed, with what is known of their use."""
    known = {subject: _read(kept) for subject, kept in memory.latest(USAGE).items()}
    found = [
        msgspec.json.decode(kept.body, type=Identity)
        for kind in ("aws.identity", "gcp.identity")
        for kept in memory.latest(kind).values()
    ]
    return [merged(one, known.get(one.subject(), {})) for one in sorted(found, key=lambda one: one.name)]


def _read(kept: Remembered) -> dict[str, datetime]:
    found: dict[str, datetime] = msgspec.json.decode(kept.body, type=dict[str, datetime])
    return found


def _remembered(identity: Identity, used: Mapping[str, datetime], at: datetime) -> Remembered:
    subject = identity.subject()
    body: dict[str, Any] = dict(sorted(used.items()))
    return Remembered(
        kind=USAGE,
        id=f"{subject}@{at.isoformat()}",
        subject=subject,
        at=at,
        body=msgspec.Raw(msgspec.json.encode(body)),
    )


def named(found: Sequence[Identity], name: str) -> list[Identity]:
    """Return the identities that a person means: by ARN, e-mail, permanent id, or the last part of the name."""
    return [one for one in found if name in (one.name, one.id, one.short, one.subject())]

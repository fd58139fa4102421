"""What identities did, by the audit log, joined with what the provider remembers of their use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec

from monitor.facts.change import ChangeEvent
from monitor.facts.identity import Identity, Use
from monitor.model import Unknown

Used = Mapping[str, Mapping[str, datetime]]
"""By the identity's name: each action (`service:Name`), and when (UTC) it was last seen to be used."""


def used_by(identities: Iterable[Identity], events: Iterable[ChangeEvent]) -> dict[str, dict[str, datetime]]:
    """Return, for each identity that made any of these calls, its actions and the last time (UTC) of each.

    A call belongs to an identity if its name, or a session of it, is among the actor's principals.
    """
    names: dict[str, list[str]] = {}
    for identity in identities:
        for key in _keys(identity.name):
            if identity.name not in names.setdefault(key, []):
                names[key].append(identity.name)
    found: dict[str, dict[str, datetime]] = {}
    for event in events:
        makers = {name for principal in event.actor.principals for name in names.get(_key(principal), ())}
        for name in makers:
            actions = found.setdefault(name, {})
            actions[event.action] = max(actions.get(event.action, event.time), event.time)
    return found


def merged(identity: Identity, used: Mapping[str, datetime]) -> Identity:
    """Return the identity with these uses (action, last time) added to those that the provider told; the later time counts.

    What the provider could not tell stays Unknown: the log holds writes of a span, so it proves use, never its absence.
    """
    if not used or isinstance(identity.uses, Unknown):
        return identity
    by_action = {(use.service, use.action): use for use in identity.uses}
    for action, at in used.items():
        service, _, name = action.partition(":")
        for key in ((service, action), (service, "")) if name else ((service, ""),):
            known = by_action.get(key)
            if known is None and not key[1] and name:
                continue
            last = known.at if known and known.at else at
            by_action[key] = Use(service=service, action=key[1], at=max(last, at))
    order = sorted(by_action.values(), key=lambda use: (use.service, use.action))
    return msgspec.structs.replace(identity, uses=tuple(order))


def _keys(name: str) -> tuple[str, ...]:
    return tuple({name, _key(name)})


def _key(principal: str) -> str:
    """Return what a role and its sessions have in common; other principals stay as they are.

    A session's ARN holds the role's name without its path: arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    """
    parts = principal.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        return principal
    kind, _, rest = parts[5].partition("/")
    if parts[2] == "iam" and kind == "role" and rest:
        return f"role {parts[4]} {rest.rpartition('/')[2]}"
    if parts[2] == "sts" and kind == "assumed-role" and rest:
        return f"role {parts[4]} {rest.partition('/')[0]}"
    return principal

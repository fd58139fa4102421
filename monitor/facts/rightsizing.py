"""What an identity was given and did not use, and the smaller policy that would have sufficed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec

from monitor.facts.access import Access, Granted
from monitor.facts.identity import Use
from monitor.facts.policy import Policy, Statement
from monitor.model import Unknown


class Unused(msgspec.Struct, frozen=True, kw_only=True):
    """What was not used since a moment.

    `services` are those of which nothing was used; `actions` those, of services that were used, which the provider or the
    audit log follows one by one and which were not. `used` is what was: by service, its last use (UTC).
    """

    services: tuple[str, ...]
    actions: tuple[str, ...]
    used: dict[str, datetime]


def unused(access: Access, since: datetime) -> Unused | Unknown:
    """Return what the identity may do and did not do since then (UTC); Unknown where its rights or its use are not known."""
    uses = access.identity.uses
    if isinstance(uses, Unknown):
        return uses
    if isinstance(access.granted, Unknown):
        return access.granted
    last: dict[str, datetime] = {}
    followed: dict[str, datetime | None] = {}
    for use in uses:
        if not use.service:
            continue
        if use.action:
            followed[use.action] = _later(followed.get(use.action), use.at)
        if use.at is not None:
            last[use.service] = max(last.get(use.service, use.at), use.at)
    recent = {service: at for service, at in last.items() if at >= since}
    given = {service for one in access.granted for service in one.services}
    writes = {write for one in access.granted for write in one.writes}
    idle = {
        action
        for action, at in followed.items()
        if action in writes and action.partition(":")[0] in recent and (at is None or at < since)
    }
    return Unused(
        services=tuple(sorted(given - set(recent))),
        actions=tuple(sorted(idle)),
        used=dict(sorted((service, at) for service, at in recent.items() if service in given)),
    )


def sufficing(access: Access, found: Unused) -> dict[str, Any]:
    """Return a policy document with what was used of each statement: never more than there is, and ready to be put in.

    Patterns of services that were used stay as they are written; one that also gives what was not used is spelt out. Statements
    that deny stay whole.
    """
    policies = access.identity.policies
    granted = access.granted if isinstance(access.granted, tuple) else ()
    by = {one.by: one for one in granted}
    statements: list[dict[str, Any]] = []
    for policy in policies if isinstance(policies, tuple) else ():
        for statement in policy.statements if isinstance(policy.statements, tuple) else ():
            written = _written(statement)
            if statement.allow:
                kept = _kept(policy, statement, by, found)
                if not kept:
                    continue
                written.pop("NotAction", None)
                written["Action"] = kept
            if written not in statements:
                statements.append(written)
    return {"Version": "2012-10-17", "Statement": statements}


def _kept(policy: Policy, statement: Statement, by: dict[str, Granted], found: Unused) -> list[str]:
    given = by.get(policy.told(statement))
    if given is None:
        return []
    names = [name for name in (*given.writes, *given.reads) if name.partition(":")[0] in found.used]
    idle = set(found.actions)
    if statement.not_actions:
        return sorted(set(names) - idle)
    kept: set[str] = set()
    for pattern in statement.actions:
        service = pattern.partition(":")[0].lower()
        fits = _compiled(pattern.lower())
        mine = [name for name in names if fits.fullmatch(name.lower())]
        if not mine:
            continue
        if "*" in service or "?" in service or any(name in idle for name in mine):
            whole = {name.partition(":")[0] for name in mine} - {name.partition(":")[0] for name in idle}
            kept |= {name for name in mine if name not in idle and name.partition(":")[0] not in whole}
            kept |= (
                {f"{name}:*" for name in whole} if pattern == "*" else {n for n in mine if n.partition(":")[0] in whole}
            )
        else:
            kept.add(pattern)
    return sorted(kept)


def _written(statement: Statement) -> dict[str, Any]:
    """Return a statement as AWS writes it."""
    found: dict[str, Any] = {"Sid": statement.sid} if statement.sid else {}
    found["Effect"] = "Allow" if statement.allow else "Deny"
    for name, values in (
        ("Action", statement.actions),
        ("NotAction", statement.not_actions),
        ("Resource", statement.resources),
        ("NotResource", statement.not_resources),
    ):
        if values:
            found[name] = list(values)
    conditions: dict[str, dict[str, list[str]]] = {}
    for one in statement.conditions:
        name = (f"{one.qualifier}:" if one.qualifier else "") + one.operator + ("IfExists" if one.if_exists else "")
        conditions.setdefault(name, {})[one.key] = list(one.values)
    return found | ({"Condition": conditions} if conditions else {})


def _later(left: datetime | None, right: datetime | None) -> datetime | None:
    return max((one for one in (left, right) if one is not None), default=None)


def services(uses: Iterable[Use]) -> dict[str, datetime]:
    """Return, by service, when (UTC) it was last used."""
    found: dict[str, datetime] = {}
    for use in uses:
        if use.at is not None and use.service:
            found[use.service] = max(found.get(use.service, use.at), use.at)
    return found


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    """Return what an action's pattern fully matches. Runs of `*` are one, so that no text makes it slow."""
    parts = ["[^\n]" if c == "?" else "*" if c == "*" else re.escape(c) for c in re.sub(r"\*+", "*", pattern)]
    pieces = "".join(parts).split("*")
    first, *rest = pieces
    if not rest:
        return re.compile(first)
    middle = "".join(f"(?>.*?{piece})" for piece in rest[:-1] if piece)
    return re.compile(f"{first}{middle}.*{rest[-1]}", re.DOTALL)

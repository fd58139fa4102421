"""What an identity was given and did not use, and the smaller policy that would have sufficed. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import lru_cache
from itertools import count
from typing import Any

import msgspec

from monitor.facts.access import Access
from monitor.facts.identity import Use
from monitor.facts.policy import Statement
from monitor.model import Unknown

UNSEEN = frozenset({"iam:passrole"})
"""Actions, in lower case, whose use nobody records: no call is made for them.

https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html#access_policies_last-accessed-know
"""


class Unused(msgspec.Struct, frozen=True, kw_only=True):
    """What was not used since a moment.

    `services` are those of which nothing was used; `actions` those, of services that were used, which the provider or the
    audit log follows one by one and which were not. `used` is what was: by service, its last use (UTC).
    """

    services: tuple[str, ...]
    actions: tuple[str, ...]
    used: dict[str, datetime]


def unused(access: Access, since: datetime) -> Unused | Unknown:
    """Return what the identity may do and did not do since then (UTC); Unknown where its rights or its use are not known.

    What leaves no trace of its use is never called unused.
    """
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
            name = use.action.lower()
            followed[name] = _later(followed.get(name), use.at)
        if use.at is not None:
            service = use.service.lower()
            last[service] = max(last.get(service, use.at), use.at)
    recent = {service: at for service, at in last.items() if at >= since}
    names = {name for one in access.granted for name in (*one.writes, *one.reads)}
    unseen = {_service(name) for name in names if name.lower() in UNSEEN}
    given = {service.lower() for one in access.granted for service in one.services}
    given -= unseen - {_service(name) for name in names if name.lower() not in UNSEEN}
    idle = set()
    for write in {write for one in access.granted for write in one.writes}:
        at = followed.get(write.lower(), since)
        if _service(write) in recent and write.lower() not in UNSEEN and (at is None or at < since):
            idle.add(write)
    return Unused(
        services=tuple(sorted(given - set(recent))),
        actions=tuple(sorted(idle)),
        used=dict(sorted((service, at) for service, at in recent.items() if service in given)),
    )


def sufficing(access: Access, found: Unused) -> dict[str, Any]:
    """Return a policy document with what was used of each statement: never more than there is, and ready to be put in.

    Patterns of services that were used stay as they are written; one that also gives what was not used is spelt out. What
    leaves no trace of its use stays, if anything was used. Statements that deny stay whole.
    """
    policies = access.identity.policies
    given: dict[str, set[str]] = {}
    for one in access.granted if isinstance(access.granted, tuple) else ():
        given.setdefault(one.by, set()).update(one.writes, one.reads)
    statements: list[dict[str, Any]] = []
    for policy in policies if isinstance(policies, tuple) else ():
        for statement in policy.statements if isinstance(policy.statements, tuple) else ():
            written = _written(statement)
            if statement.allow:
                kept = _kept(statement, given.get(policy.told(statement), set()), found)
                if not kept:
                    continue
                written.pop("NotAction", None)
                written["Action"] = kept
            if written not in statements:
                statements.append(written)
    return {"Version": "2012-10-17", "Statement": _named(statements)}


def _kept(statement: Statement, given: set[str], found: Unused) -> list[str]:
    """Return what was used of a statement, of which these actions are given in effect, as patterns of actions."""
    idle = {name.lower() for name in found.actions}
    names = {
        name
        for name in given
        if name.lower() not in idle and (_service(name) in found.used or (found.used and name.lower() in UNSEEN))
    }
    whole = {service for service in found.used if service not in {_service(name) for name in idle}}
    kept: set[str] = set()
    if statement.not_actions:
        # An action that no catalogue knows may be a pattern that also stands for what is left out here.
        free = {one for one in whole if not any(_touches(pattern, one) for pattern in statement.not_actions)}
        for name in names:
            if _service(name) in free:
                kept.add(f"{_service(name)}:*")
            elif not set("*?") & set(name) and not any(_fits(pattern, name) for pattern in statement.not_actions):
                kept.add(name)
        return sorted(kept)
    for pattern in statement.actions:
        for name in names:
            if not _fits(pattern, name):
                continue
            service = _service(name)
            if service in whole and not pattern.strip("*:"):
                kept.add(f"{service}:*")
            elif service in whole and _service(pattern) == service:
                kept.add(pattern)
            else:
                kept.add(name)
    return sorted(kept)


def _service(action: str) -> str:
    return action.partition(":")[0].lower()


def _fits(pattern: str, name: str) -> bool:
    return _compiled(pattern.lower()).fullmatch(name.lower()) is not None


def _touches(pattern: str, service: str) -> bool:
    """Return whether a pattern of actions may stand for one of a service."""
    return ":" not in pattern or _fits(_service(pattern), service)


def _named(statements: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the statements with a name of its own for each that has one, as a policy demands."""
    taken: set[str] = set()
    for one in statements:
        if "Sid" in one:
            name = one["Sid"]
            one["Sid"] = next(sid for n in count(1) if (sid := name if n == 1 else f"{name}{n}") not in taken)
            taken.add(one["Sid"])
    return statements


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
        # What stands twice differed in its case, which means nothing; both must hold.
        places = ((operator, key) for operator in _cases(name) for key in _cases(one.key))
        operator, key = next(place for place in places if place[1] not in conditions.get(place[0], ()))
        conditions.setdefault(operator, {})[key] = list(one.values)
    return found | ({"Condition": conditions} if conditions else {})


def _cases(text: str) -> Iterator[str]:
    """Yield a text in every case of its letters, as it is first."""
    letters = [n for n, c in enumerate(text) if c.isascii() and c.swapcase() != c]
    for number in range(1 << len(letters)):
        turned = {letters[bit] for bit in range(number.bit_length()) if number >> bit & 1}
        yield "".join(c.swapcase() if n in turned else c for n, c in enumerate(text))


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

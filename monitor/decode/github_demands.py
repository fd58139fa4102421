"""What rules of both kinds have in common: reviews, required checks, switches that count only beside others. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from monitor.decode.github_wire import count, dig, integer, number, switch, text
from monitor.facts.protection import BypassActor, StatusCheck
from monitor.model import Unknown

REVIEW = ("pull_request", "approvals", "dismiss_stale", "code_owners", "last_push_approval")
"""Demands that a list of people who may skip pull requests passes by."""


def gated(gate: Any, value: Any, zero: Any) -> Any:
    """Return what a demand is worth that counts only where another (the gate) is made; where it is not, that is `zero`."""
    if isinstance(gate, Unknown):
        return gate if value else value
    return value if gate else zero


def inverted(value: Any, name: str) -> bool | Unknown:
    """Return whether something is forbidden, from the switch that allows it; Unknown if that is not told."""
    return not value if isinstance(value, bool) else Unknown(f"{name} is not told in the forge's answer")


def reviews(found: Any, approvals: str, switches: Mapping[str, str]) -> dict[str, Any]:
    """Return what a rule of pull requests demands, by demand; `switches` tells under which key each further one lies."""
    if found is not None and not isinstance(found, dict):
        unread = Unknown("the parameters of pull requests cannot be read")
        return {"pull_request": True, **dict.fromkeys(("approvals", *switches), unread)}
    return {
        "pull_request": True,
        "approvals": count(dig(found, approvals), approvals),
        **{name: switch(dig(found, key), key) for name, key in switches.items()},
    }


def status_checks(found: Any, *app: str) -> tuple[StatusCheck, ...] | Unknown:
    """Return the checks of a list, each naming its app at this path; null is none, and what cannot be read is Unknown.

    An app's id that is null, -1 or cannot be read is anybody's.
    """
    if found is None:
        return ()
    if not isinstance(found, list) or not all(text(dig(one, "context")) for one in found):
        return Unknown("the required status checks cannot be read")
    return tuple(sorted({StatusCheck(one["context"], integer(dig(one, *app)) or 0) for one in found}))


def allowed(kind: str, name: Any, identity: Any, only: tuple[str, ...]) -> BypassActor:
    """Return somebody whom a list of a classic rule lets pass these demands by."""
    return BypassActor(kind=kind, name=text(name), id=number(identity), only=only)

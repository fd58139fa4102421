"""A way to become an identity as it was judged: what is wrong with it, what is not known, and how it is told. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from monitor.facts.trust import TrustPath
from monitor.model import Severity, Unknown

ALLOWED, REFUSED, UNKNOWN, DEAD, ASIDE = "allowed", "refused", "unknown", "dead", "aside"
_VERDICTS = {ALLOWED: "pass", REFUSED: "fail", UNKNOWN: "unknown", DEAD: "not-applicable", ASIDE: "not-applicable"}
LONGEST = 300
"""Characters of a text from outside that is shown."""
NOT_FOLLOWED = "was not followed"
"""What the last of too many ways tells: then there are others that nobody has judged."""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a way: how badly, and what it is."""

    severity: Severity
    told: str


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """A path with the judgement of it. `dead`: why it can never be used; `aside`: why it is not judged. `notes` do not count."""

    path: TrustPath
    faults: tuple[Fault, ...] = ()
    doubts: tuple[Unknown, ...] = ()
    notes: tuple[str, ...] = ()
    dead: str = ""
    aside: str = ""

    @property
    def standing(self) -> str:
        """Return how the way stands. What cannot be evaluated may narrow it, so that it is not refused then."""
        if self.dead:
            return DEAD
        if self.aside:
            return ASIDE
        if self.faults:
            return UNKNOWN if self.path.unclear else REFUSED
        return UNKNOWN if self.unsettled else ALLOWED

    @property
    def unsettled(self) -> tuple[Unknown, ...]:
        """Return why the judgement is not certain."""
        cut = tuple(one for one in self.path.unclear if NOT_FOLLOWED in one.reason)
        return (*(self.path.unclear if self.faults else cut), *self.doubts)

    def told(self) -> str:
        """Return what is wrong, or what is not known, in words."""
        faults = "; ".join(one.told for one in self.faults)
        doubts = " and ".join(dict.fromkeys(one.reason for one in self.unsettled))
        if self.faults and doubts:
            return f"{faults}, unless what cannot be told forbids it: {doubts}"
        return faults or doubts

    def shown(self) -> dict[str, Any]:
        """Return it as an entry of what was observed."""
        path = self.path
        found: dict[str, Any] = {
            "kind": path.kind, "who": who(path), "action": path.action, "by": path.by, "verdict": _VERDICTS[self.standing],
        }  # fmt: skip
        why = self.dead or self.aside or self.told()
        if why:
            found["why"] = why
        demands = [plain(one.words()) for one in path.tests]
        for name, value in (
            ("demands", demands),
            ("via", list(path.via)),
            ("unclear", [one.reason for one in path.unclear]),
            ("notes", list(self.notes)),
        ):
            if value:
                found[name] = value
        return found


def who(path: TrustPath) -> str:
    """Return who goes a way, in words."""
    name = plain(path.principal)
    through = f", through {' and '.join(plain(one) for one in path.via)}" if path.via else ""
    return {
        "token": f"a token of {plain(path.issuer or path.principal)}",
        "saml": f"whoever {name} vouches for",
        "account": f"every identity of account {account_of(path.principal) or name} that its own policies allow",
        "service": f"the service {name}",
        "anyone": f"anyone ({name})",
    }.get(path.kind, name) + through


def account_of(principal: str) -> str:
    """Return the account in an ARN; empty if there is none."""
    parts = principal.split(":", 5)
    return parts[4] if len(parts) == 6 and parts[0] == "arn" else ""


def plain(text: str) -> str:
    """Return a text from outside on one line, cut short, with a mark for what cannot be shown."""
    return "".join(c if c.isprintable() else "\ufffd" for c in text[:LONGEST]) + ("…" if len(text) > LONGEST else "")


def in_order(ways: Sequence[Way], *, compared: bool) -> str:
    """Return what is said where no way is wrong; `compared`: they were, with what is declared."""
    live = sum(way.standing == ALLOWED for way in ways)
    if not compared:
        return (
            "nothing is wrong with its trust in itself; no deploy identity is declared that it could be compared with"
        )
    if not live:
        return "nobody can become it"
    return f"all {live} ways to become it are declared" if live > 1 else "the only way to become it is declared"

"""What an identity can do in effect, and who can become it in the end: the evaluated side of an Identity."""

from __future__ import annotations

import msgspec

from monitor.facts.identity import Identity
from monitor.facts.trust import TrustPath
from monitor.model import Severity, Unknown


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """What one statement gives in effect: what deny, boundary and ceilings leave of it.

    `writes` are the names of the actions (`ecs:UpdateService`), sorted: every action that is not known to only read or list.
    An action that the catalogue does not know stands as it was written, and counts as a write. `reads` are the others.
    `services` are the services
    of which it gives anything at all, reads too. `resources` are patterns (`*` for anything); `except_resources` are those
    that it does not reach. `conditions` in words: without any, the right holds always. `by` cites the statement.
    """

    writes: tuple[str, ...]
    services: tuple[str, ...]
    reads: tuple[str, ...] = ()
    resources: tuple[str, ...] = ("*",)
    except_resources: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    by: str = ""


class Power(msgspec.Struct, frozen=True, kw_only=True):
    """Something that an identity can do and that needs a reason.

    `kind`: admin, near-admin, service-wide, gives-rights, destroys-data, blinds-logs, escalation. `rule` is the name of the
    rule: of an escalation the path's id, else the service or the kind. `actions` are those that open it, `by` the statements
    that combine to it, `resources` where they hold. `reaches` is, for an escalation, what it leads to: the name of the
    identity that can be become, or `admin`. `through` are the identities in between, nearest first. `conditions`, in words:
    it is open only where they hold; empty: always. `source` is where the rule comes from (an address).
    """

    kind: str
    rule: str
    severity: Severity
    actions: tuple[str, ...]
    resources: tuple[str, ...] = ("*",)
    by: tuple[str, ...] = ()
    reaches: str = ""
    through: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()
    source: str = ""
    told: str = ""
    """What it means, in a sentence for a person."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """One identity, evaluated.

    `everything`: it can do anything on everything, without conditions. `granted` and `powers` are Unknown where its policies
    could not be read; `unclear` tells of what could not be read and may narrow or widen it (a boundary, the organisation's
    policies, a malformed statement): with it, absence of a power is not proven, and presence may be less than it seems.
    `paths` are all ways to become it, those through other identities too; each ends where no further identity is known.
    `assumes` are the names of identities that it can become directly.
    """

    identity: Identity
    everything: bool = False
    granted: tuple[Granted, ...] | Unknown = ()
    powers: tuple[Power, ...] | Unknown = ()
    paths: tuple[TrustPath, ...] | Unknown = ()
    assumes: tuple[str, ...] = ()
    unclear: tuple[Unknown, ...] = ()

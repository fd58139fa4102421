"""Facts about the audit log itself: is it on, is it whole, who may tamper with it."""

from __future__ import annotations

from datetime import datetime

import msgspec

from monitor.model import EvidenceRef, Unknown, Window


class LogStore(msgspec.Struct, frozen=True, kw_only=True):
    """Where an audit log is kept. Days are whole days; None in `expires_after_days` means that nothing deletes."""

    name: str
    public: bool | Unknown
    expires_after_days: int | None | Unknown
    versioned: bool | Unknown
    locked: bool | Unknown = Unknown("not read")
    """Whether nobody can shorten the days any more."""
    evidence: tuple[EvidenceRef, ...] = ()


class LogTrail(msgspec.Struct, frozen=True, kw_only=True):
    """One configured audit log trail as the provider describes it."""

    account: str
    provider: str
    name: str
    identifier: str
    home_region: str = ""
    logging: bool | Unknown = Unknown("not read")
    all_regions: bool | Unknown = Unknown("not read")
    organisation_wide: bool | Unknown = Unknown("not read")
    validated: bool | Unknown = Unknown("not read")
    management_writes: bool | Unknown = Unknown("not read")
    store: LogStore | None = None
    evidence: tuple[EvidenceRef, ...] = ()


class TrailList(msgspec.Struct, frozen=True, kw_only=True):
    """The trails that an account has, or why they could not be listed."""

    account: str
    provider: str
    trails: tuple[LogTrail, ...] | Unknown
    evidence: tuple[EvidenceRef, ...] = ()


class ChainProblem(msgspec.Struct, frozen=True, kw_only=True):
    """One place where a log's integrity chain does not hold.

    `kind`: gap, missing-digest, bad-signature, broken-link, missing-file, altered-file, unnamed-file,
    unreadable-digest.
    """

    kind: str
    name: str
    detail: str
    start: datetime | None = None
    end: datetime | None = None


class LogChain(msgspec.Struct, frozen=True, kw_only=True):
    """The integrity chain of one scope's audit log over a window: what holds, what does not, what could not be proven."""

    scope: str
    source: str
    window: Window
    digests: int = 0
    files: int = 0
    files_verified: int = 0
    problems: tuple[ChainProblem, ...] = ()
    unproven: tuple[Unknown, ...] = ()
    evidence: tuple[EvidenceRef, ...] = ()


class LogRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A standing order to keep log records, or to send them on: of the account, or of what is above it.

    `owner` is what it is set on, as the provider names it. `narrowed_by` tells what keeps records of changes from it (its
    filter, exclusions, another route that takes them first), `issuing_narrowed_by` the same for records of issuing
    credentials; nothing there means that they pass whole. `store` is None where the destination's settings are not read.
    """

    name: str
    identifier: str
    owner: str
    destination: str
    disabled: bool | Unknown = Unknown("not read")
    covers_children: bool | Unknown = Unknown("not read")
    narrowed_by: tuple[str, ...] | Unknown = Unknown("not read")
    issuing_narrowed_by: tuple[str, ...] | Unknown = Unknown("not read")
    built_in: bool = False
    """Made by the provider, so that nobody declares it."""
    store: LogStore | None = None
    evidence: tuple[EvidenceRef, ...] = ()


class LogState(msgspec.Struct, frozen=True, kw_only=True):
    """The audit log of one account whose provider keeps a log by itself: what is kept, where it goes, what is left out.

    `places` are the account and all that is known to be above it, nearest first; `unread` those of them whose routes could
    not be listed, with an empty name for what may lie higher still. `always_on`: the provider's own log of changes, which
    nobody can switch off, is there; it keeps them for `kept_days`. `data_access` are the services whose issuing of
    credentials is logged, `unlogged` those whose is not; `exempted` who is left out of that.
    """

    provider: str
    account: str
    at: datetime
    places: tuple[str, ...] = ()
    unread: tuple[tuple[str, Unknown], ...] = ()
    routes: tuple[LogRoute, ...] = ()
    always_on: bool | Unknown = Unknown("not read")
    kept_days: int | Unknown = Unknown("not read")
    data_access: tuple[str, ...] | Unknown = Unknown("not read")
    unlogged: tuple[str, ...] = ()
    exempted: tuple[str, ...] | Unknown = Unknown("not read")
    evidence: tuple[EvidenceRef, ...] = ()

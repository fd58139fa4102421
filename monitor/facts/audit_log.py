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

"""What the store is asked. Each function reads over one connection and returns frozen records."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, or_, select

from monitor.errors import ConfigError
from monitor.facts.change import TokenExchange
from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import ScopeCoverage, Severity
from monitor.store import rows
from monitor.store.reconcile import FindingState
from monitor.store.record import Sealing
from monitor.store.tables import METADATA
from monitor.store.text import digest, indexed, restored, stored
from monitor.store.views import Finding, RecordedSweep, Sighting

LONGEST_SESSION = timedelta(hours=36)
"""How long credentials live at most when no expiry is known: the longest that AWS STS issues (GetSessionToken).
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html"""

_KEYS_AT_ONCE = 2_000
_ID_PREFIX = re.compile(r"(?:F-)?([A-Z2-7]{1,10})", re.IGNORECASE | re.ASCII)
_SHOWN_CANDIDATES = 5
_URGENCY = {severity: rank for rank, severity in enumerate(Severity)}

_SWEEP = METADATA.tables["sweep"]
_COVERAGE = METADATA.tables["scope_coverage"]
_MARK = METADATA.tables["mark"]
_LOG_OBJECT = METADATA.tables["log_object"]
_EXCHANGE = METADATA.tables["token_exchange"]
_REMEMBERED = METADATA.tables["remembered"]
_PART = METADATA.tables["retained_part"]
_FINDING = METADATA.tables["finding"]
_SIGHTING = METADATA.tables["finding_sighting"]


def read_keys(connection: Connection, source: str, scope: str | None) -> set[str]:
    """Return the keys of the log objects that a source has read, in one scope or in all."""
    query = select(_LOG_OBJECT.c.key).where(_LOG_OBJECT.c.source == indexed(source))
    if scope is not None:
        query = query.where(_LOG_OBJECT.c.scope == indexed(scope))
    return {restored(key) for key in connection.scalars(query)}


def damaged_keys(connection: Connection, source: str, scope: str) -> set[str]:
    """Return the keys of the log objects of a scope that could not be read whole."""
    query = select(_LOG_OBJECT.c.key).where(
        _LOG_OBJECT.c.source == indexed(source), _LOG_OBJECT.c.scope == indexed(scope), _LOG_OBJECT.c.damage != ""
    )
    return {restored(key) for key in connection.scalars(query)}


def content_hashes(connection: Connection, keys: Iterable[str]) -> dict[str, str]:
    """Return the SHA-256 (hex) of the inflated bytes by key, for those keys where it was taken."""
    identities = [digest(key) for key in keys]
    found: dict[str, str] = {}
    for start in range(0, len(identities), _KEYS_AT_ONCE):
        query = select(_LOG_OBJECT.c.key, _LOG_OBJECT.c.content_sha256).where(
            _LOG_OBJECT.c.key_sha256.in_(identities[start : start + _KEYS_AT_ONCE]), _LOG_OBJECT.c.content_sha256 != ""
        )
        found.update((restored(row.key), restored(row.content_sha256)) for row in connection.execute(query))
    return found


def marks(connection: Connection) -> dict[str, datetime]:
    """Return, by `source|scope`, up to when (UTC) events are read whole."""
    return {restored(row.name): row.until for row in connection.execute(select(_MARK.c.name, _MARK.c.until))}


def exchanges(connection: Connection, alive_at: datetime) -> list[TokenExchange]:
    """Return the exchanges whose credentials may still be in use at the moment (UTC) or later, oldest first."""
    query = (
        select(_EXCHANGE.c.body)
        .where(
            or_(
                _EXCHANGE.c.expires > alive_at,
                _EXCHANGE.c.expires.is_(None) & (_EXCHANGE.c.time >= alive_at - LONGEST_SESSION),
            )
        )
        .order_by(_EXCHANGE.c.time, _EXCHANGE.c.exchange_sha256)
    )
    return [rows.read_exchange(body) for body in connection.scalars(query)]


def remembered(connection: Connection, kind: str, subject: str | None, since: datetime | None) -> list[Remembered]:
    """Return what is remembered of a kind, of one subject or of all, from then (UTC) on, by time and then by id."""
    query = select(_REMEMBERED).where(_REMEMBERED.c.kind == indexed(kind))
    if subject is not None:
        query = query.where(_REMEMBERED.c.subject_sha256 == digest(subject))
    if since is not None:
        query = query.where(_REMEMBERED.c.at >= since)
    found = [rows.read_remembered(kind, row) for row in connection.execute(query).mappings()]
    # Sorted here, for databases sort text by the rules of one language or another.
    return sorted(found, key=_age)


def latest(connection: Connection, kind: str) -> dict[str, Remembered]:
    """Return, by subject, the newest that is remembered of a kind; of several at the same time the last by id."""
    of_kind = _REMEMBERED.c.kind == indexed(kind)
    # The times alone come from an index, so that the bodies of a long past are not read.
    newest = (
        select(_REMEMBERED.c.subject_sha256, func.max(_REMEMBERED.c.at).label("at"))
        .where(of_kind)
        .group_by(_REMEMBERED.c.subject_sha256)
        .subquery()
    )
    same = (_REMEMBERED.c.subject_sha256 == newest.c.subject_sha256) & (_REMEMBERED.c.at == newest.c.at)
    query = select(_REMEMBERED).join(newest, same).where(of_kind)
    found = [rows.read_remembered(kind, row) for row in connection.execute(query).mappings()]
    return {item.subject: item for item in sorted(found, key=_age)}


def _age(item: Remembered) -> tuple[datetime, str]:
    return item.at, item.id


def findings(
    connection: Connection,
    *,
    states: Collection[FindingState] | None,
    severity: Severity | None,
    checks: Collection[str] | None,
) -> list[Finding]:
    """Return the findings that match, most urgent first, then oldest first."""
    query = select(_FINDING)
    if states is not None:
        query = query.where(_FINDING.c.state.in_(states))
    if severity is not None:
        query = query.where(_FINDING.c.severity == severity)
    if checks is not None:
        query = query.where(_FINDING.c.check_id.in_([stored(check) for check in checks]))
    found = [rows.read_finding(row) for row in connection.execute(query).mappings()]
    return sorted(found, key=lambda finding: (_URGENCY[finding.severity], finding.first_seen, finding.id))


def finding(connection: Connection, id_or_prefix: str) -> Finding | None:
    """Return the finding whose id is or begins so, in any case, with or without `F-`; None if there is none.

    Raises ConfigError, naming some of them, if several begin so.
    """
    matched = _ID_PREFIX.fullmatch(id_or_prefix.strip())
    if matched is None:
        return None
    # The alphabet of ids holds no wildcard of LIKE.
    query = select(_FINDING).where(_FINDING.c.id.like(f"F-{matched[1].upper()}%")).order_by(_FINDING.c.id)
    found = [rows.read_finding(row) for row in connection.execute(query.limit(_SHOWN_CANDIDATES)).mappings()]
    if len(found) > 1:
        several = ", ".join(one.id for one in found)
        raise ConfigError(f"several findings begin with {id_or_prefix}: {several}", todo="write more of the id")
    return found[0] if found else None


def sightings(connection: Connection, finding_id: str) -> list[Sighting]:
    """Return what each sweep did to a finding, oldest first."""
    query = (
        select(_SIGHTING, _SWEEP.c.at)
        .join_from(_SIGHTING, _SWEEP, _SIGHTING.c.sweep_id == _SWEEP.c.id)
        .where(_SIGHTING.c.finding_id == finding_id)
        .order_by(_SWEEP.c.at, _SWEEP.c.manifest_index)
    )
    return [rows.read_sighting(row) for row in connection.execute(query).mappings()]


def sweeps(connection: Connection, limit: int) -> list[RecordedSweep]:
    """Return the recorded sweeps, newest first, at most so many."""
    query = select(_SWEEP).order_by(_SWEEP.c.at.desc(), _SWEEP.c.manifest_index.desc()).limit(limit)
    return [rows.read_sweep(row) for row in connection.execute(query).mappings()]


def sweep(connection: Connection, sweep_id: str) -> RecordedSweep | None:
    """Return a recorded sweep, or None."""
    row = connection.execute(select(_SWEEP).where(_SWEEP.c.id == sweep_id)).mappings().first()
    return rows.read_sweep(row) if row else None


def recorded_sweeps(connection: Connection) -> set[str]:
    """Return the ids of all recorded sweeps."""
    return set(connection.scalars(select(_SWEEP.c.id)))


def watched_since(connection: Connection) -> datetime | None:
    """Return the earliest moment (UTC) that a recorded sweep looked back to, or None."""
    found: datetime | None = connection.scalar(select(func.min(_SWEEP.c.window_start)))
    return found


def last_sealing(connection: Connection) -> Sealing | None:
    """Return where the last recorded sweep was sealed: the one furthest in the log, or None."""
    row = connection.execute(select(_SWEEP).order_by(_SWEEP.c.manifest_index.desc()).limit(1)).mappings().first()
    return rows.read_sealing(row) if row else None


def coverage(connection: Connection, sweep_id: str) -> list[ScopeCoverage]:
    """Return what a sweep was to read against what it read, in the sweep's order."""
    query = select(_COVERAGE).where(_COVERAGE.c.sweep_id == sweep_id).order_by(_COVERAGE.c.number)
    return [rows.read_coverage(row) for row in connection.execute(query).mappings()]


def parts(connection: Connection, account: str | None, day_from: str | None, day_to: str | None) -> list[RetainedPart]:
    """Return the files of retained events of an account (None: all) from day to day (YYYY-MM-DD, included), by day."""
    query = select(_PART).order_by(_PART.c.day, _PART.c.account, _PART.c.sweep_id, _PART.c.number)
    if account is not None:
        query = query.where(_PART.c.account == indexed(account))
    if day_from is not None:
        query = query.where(_PART.c.day >= day_from)
    if day_to is not None:
        query = query.where(_PART.c.day <= day_to)
    return [rows.read_part(row) for row in connection.execute(query).mappings()]

"""Where real things are made: sources, store, evidence log and workers, from the configuration."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from monitor.cli.compose_identities import identity_sources
from monitor.errors import ConfigError, EvidenceError, LedgerError, SourceError
from monitor.evidence.history import history
from monitor.evidence.keys import SigningKey, signing_key
from monitor.evidence.log import EvidenceLog
from monitor.evidence.verify.disk import is_inside
from monitor.expected.models import AwsEstate, GcpEstate
from monitor.facts.log_object import RetainedPart
from monitor.iam.catalogue import Catalogue
from monitor.model import Check
from monitor.settings import Config
from monitor.settings.sections import AwsSettings, GcpSettings
from monitor.sources import retained
from monitor.sources.aws.digests import DigestReader
from monitor.sources.aws.session import LiveClients, ReplayClients
from monitor.sources.aws.trail_logs import TrailLogs
from monitor.sources.aws.trail_scopes import Reading, location_of
from monitor.sources.aws.trail_settings import TrailSettings
from monitor.sources.aws.trail_source import TrailSource
from monitor.sources.connect import connect
from monitor.sources.objects import Location
from monitor.sources.ports import Source
from monitor.sources.replay import read as read_captures
from monitor.sources.workers import pool
from monitor.store.planning import Planner
from monitor.store.store import Store
from monitor.sweep.after import Governing
from monitor.sweep.registry import code_sha256
from monitor.sweep.run import Ports


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def key_of(config: Config) -> SigningKey:
    """Return the key that signs evidence, made on the first run."""
    evidence = config.settings.evidence
    if not evidence.signing_key.exists() and (evidence.folder / "checkpoint").exists():
        raise EvidenceError(
            f"the signing key {evidence.signing_key} is missing, and {evidence.folder} was signed with it",
            todo="restore the key from its backup; to begin a new log, move the evidence folder and the database away",
        )
    return signing_key(evidence.signing_key, evidence.origin)


def sources(config: Config, replay: Path | None) -> list[Source]:
    """Return every source that the settings name. With `replay`, all of them read captured material in that folder."""
    estates = config.expected.sections.production
    found: list[Source] = []
    if config.settings.aws is not None and estates.aws is not None:
        found += aws_sources(config, config.settings.aws, estates.aws, replay)
    if config.settings.github is not None and estates.github is not None:
        from monitor.cli.compose_github import github_source

        found.append(github_source(config, config.settings.github, estates.github, replay))
    if config.settings.gcp is not None and estates.gcp is not None:
        found += gcp_sources(config, config.settings.gcp, estates.gcp, replay)
    found += identity_sources(config, replay)
    for name in ("aws", "gcp", "github"):
        if (getattr(config.settings, name) is None) != (getattr(estates, name) is None):
            raise ConfigError(
                f"`{name}` in monitor.yaml and `production.{name}` in expected state belong together: one is missing",
                todo="declare both, or neither; config/ holds an example",
            )
    if not found:
        raise ConfigError(
            "nothing is watched: there is none of `aws`, `gcp` and `github` in monitor.yaml and in production of expected state",
            todo="declare what to watch in both; config/ holds an example",
        )
    return found


def aws_sources(config: Config, settings: AwsSettings, estate: AwsEstate, replay: Path | None) -> list[Source]:
    """Return the sources that read AWS."""
    expected = config.expected
    where = settings.trail_settings
    captured = replay / "api" if replay else where.replay if where else None
    clients = ReplayClients(read_captures(captured)) if captured else LiveClients(where.role if where else None)
    accounts = [(account.id, account.regions) for account in (*estate.accounts, *estate.watched)]
    trails = TrailSettings(accounts, clients)
    logs = Location.parse(str(replay / "logs") if replay else settings.trail_logs.location)
    count = config.settings.workers or cores()
    reading = Reading(
        logs=logs,
        retained=Location.parse(config.settings.retained),
        start=settings.start,
        until=settings.end,
        settle=timedelta(minutes=settings.trail_logs.settle_minutes),
        overlap_days=settings.trail_logs.overlap_days,
        limit=settings.trail_logs.max_object_mb << 20,
        workers=count,
    )
    audit = expected.sections.audit_logs.aws
    buckets = frozenset(trail.bucket for trail in audit.trails) if audit else frozenset()
    digests = DigestReader(logs, estate.organization, trails.public_keys, location_of(reading))
    return [TrailLogs(estate, reading, lambda: pool(count), digests, buckets), TrailSource(estate, trails)]


def gcp_sources(config: Config, settings: GcpSettings, estate: GcpEstate, replay: Path | None) -> list[Source]:
    """Return the sources that read Google Cloud's audit logs and how they are kept, where the settings have `gcp.logs`."""
    if settings.logs is None:
        return []
    from monitor.cli.compose_gcp import log_settings_source
    from monitor.cli.compose_gcp_logs import gcp_logs

    logs = gcp_logs(config, settings, settings.logs, estate, replay, config.settings.workers or cores())
    return [logs, log_settings_source(settings, estate, replay)]


def catalogues() -> Mapping[str, Catalogue]:
    """Return the actions that are known, by provider; those of Google Cloud come with its roles."""
    from monitor.sources.catalogue import aws_catalogue

    return {"aws": aws_catalogue()}


def governing(config: Config) -> Governing:
    """Return by what results are governed: waivers, owners, and how long things may stay as they are."""
    found = config.settings.findings
    return Governing(
        waivers=config.waivers,
        owners=found.owners,
        unknown_days=found.unknown_days,
        waiver_warning_days=found.waiver_warning_days,
        review_days=found.review_days,
    )


def planner(config: Config, checks: Sequence[Check]) -> Callable[[datetime], Planner] | None:
    """Return what plans the alerts of a sweep; None where the settings have no `alerts`."""
    if config.settings.alerts is None:
        return None
    from monitor.cli.compose_alerts import alerting

    found = alerting(config, checks)
    return found.planner if found else None


def open_store(config: Config) -> Store:
    """Return the store. A SQLite database without tables is made; PostgreSQL is upgraded on purpose only."""
    url = config.settings.database
    try:
        return Store.open(url)
    except LedgerError:
        from monitor.store.migrate import state, upgrade

        if not url.startswith("sqlite:") or state(url)[0] is not None:
            raise
        upgrade(url)
        return Store.open(url)


@contextmanager
def ports(
    config: Config, checks: tuple[Check, ...], replay: Path | None, *, dry_run: bool = False
) -> Iterator[tuple[Ports, SigningKey]]:
    """Yield all that a sweep works with, and the key; the log's writer lock is held meanwhile.

    A dry run where nothing was swept yet works in a scratch folder, and leaves nothing behind.
    """
    if dry_run and not (config.settings.evidence.folder / "checkpoint").exists():
        with tempfile.TemporaryDirectory(prefix="monitor-") as scratch:
            folder = Path(scratch)
            evidence = config.settings.evidence.model_copy(
                update={"folder": folder / "evidence", "signing_key": folder / "key.pem"}
            )
            changes = {
                "evidence": evidence,
                "database": f"sqlite:///{folder}/monitor.db",
                "retained": str(folder / "events"),
            }
            with ports(replace(config, settings=config.settings.model_copy(update=changes)), checks, replay) as made:
                yield made
        return
    key = key_of(config)
    found = sources(config, replay)
    place = Location.parse(config.settings.retained)
    if place.folder:
        Path(place.folder).mkdir(parents=True, exist_ok=True)
    kept = connect(place)

    def tidy(cut_off: set[str]) -> int:
        strange = retained.left_by(kept, cut_off) if cut_off else []
        discard(strange)
        return len(strange)

    def lacking(parts: Sequence[RetainedPart]) -> list[str]:
        return [part.path for part in parts if not retained.is_there(kept, part)]

    def discard(paths: Sequence[str]) -> None:
        for path in paths:
            kept.delete(path)

    with (
        open_store(config) as store,
        EvidenceLog.open(config.settings.evidence.folder, config.settings.evidence.origin, key.signer) as log,
    ):
        yield (
            Ports(
                found,
                checks,
                config.expected,
                log,
                store,
                tidy,
                discard,
                lacking,
                config.sha256,
                code_sha256(),
                catalogues,
                governing(config),
                planner(config, checks),
            ),
            key,
        )


@contextmanager
def retained_folder(config: Config, evidence: Path) -> Iterator[Path | None]:
    """Yield a folder of this machine with the retained events that the evidence cites; a bucket's are fetched for it."""
    location = Location.parse(config.settings.retained)
    if not location.bucket:
        yield Path(location.folder)
        return
    store = connect(location)
    with tempfile.TemporaryDirectory(prefix="monitor-") as scratch:
        parts: list[RetainedPart] = []
        with contextlib.suppress(EvidenceError):  # A damaged log: each level tells what it finds.
            parts = [part for manifest in history(evidence) for part in manifest.parts()]
        for part in parts:
            if not is_inside(part.path):
                continue  # Evidence may be hostile; verification names the path.
            copy = Path(scratch) / part.path
            copy.parent.mkdir(parents=True, exist_ok=True)
            with contextlib.suppress(SourceError):  # What cannot be fetched is missing, and verification says so.
                copy.write_bytes(store.read(part.path))
        yield Path(scratch)

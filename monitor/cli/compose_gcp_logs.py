"""Where the source that reads Google Cloud's audit logs is made: from hourly files, or asked of Cloud Logging."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from monitor.cli.compose_gcp import client_of
from monitor.errors import SourceError
from monitor.expected.models import GcpEstate
from monitor.model import Window
from monitor.settings import Config
from monitor.settings.sections import GcpLogSettings, GcpSettings
from monitor.sources.gcp.log_entries import EntryPage, read_entries, unseen
from monitor.sources.gcp.log_scopes import Reading
from monitor.sources.gcp.log_source import Asker, GcpLogs
from monitor.sources.objects import GoogleAccess, Location
from monitor.sources.workers import pool


def gcp_logs(
    config: Config, settings: GcpSettings, logs: GcpLogSettings, estate: GcpEstate, replay: Path | None, workers: int
) -> GcpLogs:
    """Return the source; nothing is read yet. Raises ConfigError for bad credentials or a location that is none.

    The buckets that the declared sinks fill are known to hold the log, so that whoever touches them is told.
    """
    google = GoogleAccess(
        api=settings.api, credentials=str(settings.credentials or ""), impersonate=settings.impersonate or ""
    )
    where = str(replay / "gcp-logs" / "logs") if replay else logs.location
    reading = Reading(
        logs=Location.parse(where, google=google) if where else None,
        retained=Location.parse(config.settings.retained),
        start=logs.start,
        until=logs.end,
        settle=timedelta(minutes=logs.settle_minutes),
        overlap=timedelta(days=logs.overlap_days),
        silence=timedelta(hours=logs.silence_hours),
        limit=logs.max_object_mb << 20,
        workers=workers,
    )
    audit = config.expected.sections.audit_logs.gcp
    sinks = audit.sinks if audit else ()
    buckets = frozenset(
        sink.destination.removeprefix("storage.googleapis.com/")
        for sink in sinks
        if sink.destination.startswith("storage.googleapis.com/")
    )
    return GcpLogs(estate, reading, lambda: pool(workers), _asker(settings), buckets)


def _asker(settings: GcpSettings) -> Asker:
    connected = client_of(settings)

    def ask(project: str, window: Window, overlap: timedelta, took: Callable[[int, bytes], None]) -> SourceError | None:
        def given(page: EntryPage) -> None:
            took(page.number, page.body)

        with connected(None) as client:
            error = read_entries(client, project, window, overlap, given).error
            return error or unseen(client, project)

    return ask

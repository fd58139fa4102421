"""Where the source that reads the audit log's settings in Google Cloud is made."""

from __future__ import annotations

import time
from pathlib import Path

from monitor.cli.clock import now
from monitor.cli.show import complain
from monitor.expected.models import GcpEstate
from monitor.settings import Config
from monitor.settings.sections import GcpSettings
from monitor.sources.gcp.client import GcpClient, GcpConnection, connect
from monitor.sources.gcp.iam import Watch
from monitor.sources.gcp.log_settings import LogSettingsSource
from monitor.sources.ports import Request
from monitor.sources.replay import read as read_captures


def log_settings_source(
    config: Config, settings: GcpSettings, estate: GcpEstate, replay: Path | None
) -> LogSettingsSource:
    """Return the source of log settings; nothing is asked yet. Raises ConfigError for bad credentials or captures."""
    folder = replay / "gcp" if replay else settings.replay
    captures = read_captures(folder) if folder else None
    connection = GcpConnection(
        api=settings.api,
        credentials=settings.credentials,
        impersonate=settings.impersonate or "",
        patience=settings.patience_minutes * 60.0,
    )

    def client(request: Request) -> GcpClient:
        return connect(connection, clock=now, sleep=time.sleep, told=complain, replay=captures)

    watch = Watch(
        projects=tuple(project.id for project in estate.projects),
        replayed=captures is not None,
        as_of=max((one.at for one in captures or ()), default=None),
    )
    return LogSettingsSource(watch, client)

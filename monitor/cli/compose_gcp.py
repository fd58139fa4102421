"""Where the source that reads Google Cloud is made: credentials through google-auth, the clock that its quotas run by."""

from __future__ import annotations

import time
from pathlib import Path

from monitor.cli.clock import now
from monitor.cli.show import complain
from monitor.expected.models import GcpEstate
from monitor.settings import Config
from monitor.settings.sections import GcpSettings
from monitor.sources.gcp.client import GcpClient, GcpConnection, connect
from monitor.sources.gcp.iam import GcpIamSource, Watch
from monitor.sources.ports import Request
from monitor.sources.replay import read as read_captures


def gcp_source(config: Config, settings: GcpSettings, estate: GcpEstate, replay: Path | None) -> GcpIamSource:
    """Return the source that reads identities of Google Cloud; nothing is asked yet. Raises ConfigError for bad credentials."""
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
        workers=settings.concurrency,
        replayed=captures is not None,
        as_of=max((one.at for one in captures or ()), default=None),
    )
    return GcpIamSource(watch, client)

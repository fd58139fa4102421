"""Where the sources that read Google Cloud are made: credentials through google-auth, the clock that its quotas run by."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from monitor.cli.clock import now
from monitor.cli.show import complain
from monitor.expected.models import GcpEstate
from monitor.model import Capture
from monitor.settings.sections import GcpSettings
from monitor.sources.gcp.client import GcpClient, GcpConnection, connect
from monitor.sources.gcp.iam import GcpIamSource, Watch
from monitor.sources.gcp.log_settings import LogSettingsSource
from monitor.sources.ports import Request
from monitor.sources.replay import read as read_captures


def gcp_source(settings: GcpSettings, estate: GcpEstate, replay: Path | None) -> GcpIamSource:
    """Return the source that reads identities of Google Cloud; nothing is asked yet. Raises ConfigError for bad credentials."""
    captures = _captures(settings, replay)
    return GcpIamSource(_watch(settings, estate, captures), client_of(settings, captures))


def log_settings_source(settings: GcpSettings, estate: GcpEstate, replay: Path | None) -> LogSettingsSource:
    """Return the source of how audit logs are kept; nothing is asked yet. Raises ConfigError for bad credentials."""
    captures = _captures(settings, replay)
    return LogSettingsSource(_watch(settings, estate, captures), client_of(settings, captures))


def client_of(
    settings: GcpSettings, captures: Sequence[Capture] | None = None
) -> Callable[[Request | None], GcpClient]:
    """Return what gives a client; with captures, they answer."""
    connection = GcpConnection(
        api=settings.api,
        credentials=settings.credentials,
        impersonate=settings.impersonate or "",
        patience=settings.patience_minutes * 60.0,
    )

    def client(request: Request | None = None) -> GcpClient:
        return connect(connection, clock=now, sleep=time.sleep, told=complain, replay=captures)

    return client


def _captures(settings: GcpSettings, replay: Path | None) -> Sequence[Capture] | None:
    folder = replay / "gcp" if replay else settings.replay
    return read_captures(folder) if folder else None


def _watch(settings: GcpSettings, estate: GcpEstate, captures: Sequence[Capture] | None) -> Watch:
    return Watch(
        projects=tuple(project.id for project in estate.projects),
        workers=settings.concurrency,
        replayed=captures is not None,
        as_of=max((one.at for one in captures or ()), default=None),
    )

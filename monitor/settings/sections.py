"""The sections of `monitor.yaml`, validated."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Annotated

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from monitor.expected.fields import Moment, ServiceAccount, Text
from monitor.settings.alerts import AlertSettings
from monitor.settings.findings import FindingSettings
from monitor.settings.places import (
    STATE,
    ApiAddress,
    Folder,
    GoogleAddress,
    GoogleLocation,
    Location,
    Origin,
    RoleName,
    database_address,
)
from monitor.settings.schedules import SchedulesSettings
from monitor.settings.section import Section


class EvidenceSettings(Section):
    """Where evidence is kept, and under which name its log is signed."""

    folder: Folder = Field(default=Path("{state}/evidence"), description="Folder of the evidence log and its objects")
    origin: Origin = Field(description="The log's name, for ever: a host that you own, and a path")
    signing_key: Folder = Field(
        default=Path("{state}/keys/evidence.pem"), description="Private key (Ed25519, PEM); made on the first run"
    )
    retention_days: int = Field(
        default=400,
        strict=True,
        ge=30,
        le=36500,
        description="Days for which `monitor prune` keeps retained events and what the database remembers of them",
    )


class TrailLogs(Section):
    """Where the trail's log files are, and how they are read."""

    location: Location = Field(description="A folder, or s3://bucket/prefix: what holds AWSLogs/")
    settle_minutes: int = Field(
        default=20, strict=True, ge=0, le=1440, description="A sweep stops so many minutes before now: logs arrive late"
    )
    overlap_days: int = Field(
        default=3,
        strict=True,
        ge=0,
        le=90,
        description="Days before the last mark that are listed again for late objects",
    )
    max_object_mb: int = Field(
        default=256,
        strict=True,
        ge=1,
        le=4096,
        description="Largest log object (MB, inflated) that is read; a larger one is a gap",
    )


class TrailSettings(Section):
    """How the settings of trails and buckets are read: by a role in each account, or from captured answers."""

    replay: Folder | None = Field(default=None, description="Folder of captured answers to read instead of asking AWS")
    role: RoleName | None = Field(default=None, description="Name of a role to take in each account, as monitor-read")

    @model_validator(mode="after")
    def _one(self) -> TrailSettings:
        if (self.replay is None) == (self.role is None):
            raise ValueError(
                "write 'replay:' or 'role:', one of the two; to use own credentials leave trail_settings out"
            )
        return self


class AwsSettings(Section):
    """How AWS is read."""

    trail_logs: TrailLogs = Field(description="The trail's log files")
    trail_settings: TrailSettings | None = Field(
        default=None, description="How settings of trails are read; own credentials when it is not given"
    )
    start: Moment = Field(description="Where the first sweep begins, with its zone, as 2026-03-01T00:00:00Z")
    end: Moment | None = Field(
        default=None, description="Where the material ends for good, as in an example or an archive that is over"
    )

    @field_validator("end")
    @classmethod
    def _after_start(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start")
        if end is not None and start is not None and end <= start:
            raise ValueError(
                f"{end.isoformat()} is not after 'start' ({start.isoformat()}); write the later moment here"
            )
        return end


class GitHubSettings(Section):
    """How GitHub is read: by an app or a token, or from captured answers.

    A token is given in MONITOR_GITHUB_TOKEN of the environment, never here.
    """

    api: ApiAddress = Field(
        default="https://api.github.com",
        description="Address of the REST API; https://HOST/api/v3 for GitHub Enterprise Server",
    )
    app_id: int | None = Field(default=None, strict=True, ge=1, description="Id of the GitHub App to read as")
    app_key: Folder | None = Field(
        default=None, description="The app's private key (PEM), a file; or in MONITOR_GITHUB_APP_KEY"
    )
    replay: Folder | None = Field(
        default=None, description="Folder of captured answers to read instead of asking GitHub"
    )
    start: Moment = Field(description="From when the history of protection is read at first, as 2026-03-01T00:00:00Z")
    end: Moment | None = Field(
        default=None, description="Where the material ends for good, as in an example or an archive that is over"
    )
    settle_minutes: int = Field(
        default=10,
        strict=True,
        ge=0,
        le=1440,
        description="A sweep stops so many minutes before now: events arrive late",
    )
    concurrency: int = Field(default=4, strict=True, ge=1, le=16, description="Requests under way at once")
    patience_minutes: int = Field(
        default=65, strict=True, ge=0, le=1440, description="Minutes to wait for rate limits in one sweep, at most"
    )


class GcpLogSettings(Section):
    """How Google Cloud's audit logs are read: from hourly files that a sink writes, or asked of Cloud Logging."""

    location: GoogleLocation | None = Field(
        default=None,
        description="A folder, or gs://bucket/prefix, that a sink fills; absent: Cloud Logging is asked (entries:list)",
    )
    start: Moment = Field(description="Where the first sweep begins, as 2026-03-01T00:00:00Z")
    end: Moment | None = Field(default=None, description="Where the material ends for good, as in an example")
    settle_minutes: int = Field(
        default=180,
        strict=True,
        ge=0,
        le=1440,
        description="A sweep stops so many minutes before now: hourly files take up to three hours",
    )
    overlap_days: int = Field(
        default=3,
        strict=True,
        ge=0,
        le=90,
        description="Days before the last mark for which late files and entries are looked for",
    )
    silence_hours: int = Field(
        default=48,
        strict=True,
        ge=3,
        le=8760,
        description="Hours without any file after which the log counts as unread",
    )
    max_object_mb: int = Field(
        default=256,
        strict=True,
        ge=1,
        le=4096,
        description="Largest file (MB, inflated) that is read; a larger one is a gap",
    )


class GcpSettings(Section):
    """How Google Cloud is read: with the credentials of the environment or a file, or from captured answers."""

    api: GoogleAddress = Field(
        default="https://{service}.googleapis.com",
        description="Address of Google's APIs, as for Private Google Access; {service} is the service's name",
    )
    credentials: Folder | None = Field(
        default=None,
        description="File of credentials (a workload identity's configuration, or a key); else the environment's",
    )
    impersonate: ServiceAccount | None = Field(default=None, description="Service account to become for reading")
    replay: Folder | None = Field(
        default=None, description="Folder of captured answers to read instead of asking Google Cloud"
    )
    logs: GcpLogSettings | None = Field(default=None, description="How audit logs are read; absent: they are not")
    concurrency: int = Field(default=4, strict=True, ge=1, le=16, description="Requests under way at once")
    patience_minutes: int = Field(
        default=10, strict=True, ge=0, le=1440, description="Minutes to wait for quotas in one sweep, at most"
    )


class Settings(Section):
    """Settings of the monitor. All paths are absolute once loaded; `aws.start` is in UTC."""

    organisation: Text = Field(description="Your organisation's name, as reports show it")
    state: Folder = Field(default=Path(STATE), description="Folder for database, keys and evidence: {state} elsewhere")
    database: Annotated[Text, AfterValidator(database_address)] = Field(
        default="sqlite:///{state}/monitor.db",
        repr=False,
        description="sqlite:///{state}/monitor.db or postgresql://…; MONITOR_DATABASE of the environment wins",
    )
    evidence: EvidenceSettings = Field(description="Where evidence is kept")
    retained: Location = Field(
        default="{state}/evidence/events", description="Folder or s3://bucket/prefix for retained events (Parquet)"
    )
    aws: AwsSettings | None = Field(default=None, description="How AWS is read; absent: it is not")
    gcp: GcpSettings | None = Field(default=None, description="How Google Cloud is read; absent: it is not")
    github: GitHubSettings | None = Field(default=None, description="How GitHub is read; absent: it is not")
    findings: FindingSettings = Field(
        default=FindingSettings(), description="Who owns what is found, and how long things may stay as they are"
    )
    schedules: SchedulesSettings = Field(
        default=SchedulesSettings(), description="When `monitor schedule` sweeps, and how it is watched"
    )
    alerts: AlertSettings | None = Field(default=None, description="Who is told of what is found; absent: nobody")
    workers: int = Field(default=0, strict=True, ge=0, le=1024, description="Processes that read logs; 0: one a core")
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what a person should know about the settings that is not a mistake."""
        return self._warnings

    def notice(self, warnings: Iterable[str]) -> None:
        """Keep what the loader has noticed."""
        self._warnings = tuple(warnings)

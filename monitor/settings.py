"""Settings: where the monitor's own things are kept, and how it reads. Read once, in the CLI, and passed down.

`{state}` stands for the state folder; relative paths are relative to the configuration's folder. Only the environment's
mapping that is passed in is looked at, never the process's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from monitor.errors import ConfigError
from monitor.expected import schema
from monitor.expected.controls import Controls, examine_controls
from monitor.expected.document import Document
from monitor.expected.fields import Moment, Text, bucket_mistake, shaped, shown
from monitor.expected.load import ExpectedState, FileRead, digest, examine, read, validated
from monitor.expected.mistakes import Mistake, did_you_mean, raised

FILE = "monitor.yaml"
STATE = "../var"
"""Where state is kept when the settings do not say."""
DATABASE = "MONITOR_DATABASE"
ENVIRONMENT = (DATABASE,)
"""Names of the environment that are read."""


@dataclass(frozen=True)
class _Folders:
    """What relative paths and `{state}` stand for."""

    config: Path
    state: Path


def _expanded(text: str, info: ValidationInfo) -> str:
    folders = info.context if isinstance(info.context, _Folders) else None
    for name in re.findall(r"\{[^{}]*\}?|\}", text):
        if name != "{state}":
            raise ValueError(f"{shown(text)} has {shown(name)}; only {{state}}, the state folder, is known")
    return text.replace("{state}", str(folders.state)) if folders else text


def _absolute(text: str, info: ValidationInfo) -> str:
    folders = info.context if isinstance(info.context, _Folders) else None
    return str((folders.config / text).resolve()) if folders else text


def _folder(value: object, info: ValidationInfo) -> object:
    if not isinstance(value, (str, Path)):
        return value
    text = str(value)
    if not text.strip() or "://" in text:
        raise ValueError(f"{shown(text)} is no path; write a folder or file of this machine here")
    return Path(_absolute(_expanded(text, info), info))


def _location(text: str, info: ValidationInfo) -> str:
    if "://" not in text:
        return _absolute(_expanded(text, info), info)
    scheme, _, rest = text.partition("://")
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3":
        raise ValueError(f"{shown(text)} is neither a folder nor a bucket; write a path, or s3://bucket/prefix")
    if wrong := bucket_mistake(bucket):
        raise ValueError(f"{shown(text)} names the bucket {shown(bucket)}, which {wrong}")
    return f"s3://{bucket}/{prefix}".rstrip("/")


def _database(text: str, info: ValidationInfo) -> str:
    # The address may hold a password, so that no message repeats it.
    scheme, separator, rest = text.partition("://")
    if scheme in ("postgresql", "postgresql+psycopg") and separator and rest.strip("/"):
        return text
    if scheme in ("postgres", "psql"):
        raise ValueError(f"begins with {scheme}://; write postgresql://")
    if scheme != "sqlite" or not rest.startswith("/"):
        raise ValueError("is no database; write sqlite:///{state}/monitor.db or postgresql://user@host/database")
    path = rest[1:].partition("?")[0]
    if not path or ":memory:" in path:
        raise ValueError("is a database in memory, which forgets; write sqlite:///{state}/monitor.db")
    return "sqlite:///" + _absolute(_expanded(path, info), info) + rest[1 + len(path) :]


Folder = Annotated[Path, BeforeValidator(_folder, json_schema_input_type=str)]
"""A path of this machine, absolute once loaded."""
Location = Annotated[Text, AfterValidator(_location)]
"""A folder (absolute once loaded) or `s3://bucket/prefix`, without a slash at its end."""
RoleName = Annotated[
    str,
    shaped(r"[A-Za-z0-9_+=,.@-]{1,64}", "is not the name of a role; write the name alone: it is taken in each account"),
]
# No blanks and no plus in the name of a log; an address without its scheme is recommended: https://c2sp.org/signed-note
Origin = Annotated[
    str, shaped(r"[A-Za-z0-9][A-Za-z0-9./_-]{2,199}", "is no origin; write it as evidence.example.com/controls")
]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True)


class EvidenceSettings(_Section):
    """Where evidence is kept, and under which name its log is signed."""

    folder: Folder = Field(default=Path("{state}/evidence"), description="Folder of the evidence log and its objects")
    origin: Origin = Field(description="The log's name, for ever: a host that you own, and a path")
    signing_key: Folder = Field(
        default=Path("{state}/keys/evidence.pem"), description="Private key (Ed25519, PEM); made on the first run"
    )


class TrailLogs(_Section):
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


class TrailSettings(_Section):
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


class AwsSettings(_Section):
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


class Settings(_Section):
    """Settings of the monitor. All paths are absolute once loaded; `aws.start` is in UTC."""

    organisation: Text = Field(description="Your organisation's name, as reports show it")
    state: Folder = Field(default=Path(STATE), description="Folder for database, keys and evidence: {state} elsewhere")
    database: Annotated[Text, AfterValidator(_database)] = Field(
        default="sqlite:///{state}/monitor.db",
        repr=False,
        description="sqlite:///{state}/monitor.db or postgresql://…; MONITOR_DATABASE of the environment wins",
    )
    evidence: EvidenceSettings = Field(description="Where evidence is kept")
    retained: Location = Field(
        default="{state}/evidence/events", description="Folder or s3://bucket/prefix for retained events (Parquet)"
    )
    aws: AwsSettings | None = Field(default=None, description="How AWS is read; absent: it is not")
    workers: int = Field(default=0, strict=True, ge=0, le=1024, description="Processes that read logs; 0: one a core")
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    @property
    def warnings(self) -> tuple[str, ...]:
        """Return what a person should know about the settings that is not a mistake."""
        return self._warnings


@dataclass(frozen=True)
class Config:
    """The whole configuration, validated. `files` maps the name of each file to the SHA-256 (hex) of its bytes."""

    settings: Settings
    expected: ExpectedState
    controls: Controls | None
    warnings: tuple[str, ...]
    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """Return the hex digest over all files, made as that of expected state."""
        return digest(self.files)


def load_settings(config_dir: Path, env: Mapping[str, str]) -> Settings:
    """Return the settings in `monitor.yaml`; raises ConfigError that lists every mistake."""
    settings, _, mistakes = _examine(config_dir, env)
    if settings is None:
        raise _missing(config_dir) or raised(mistakes, config_dir)
    return settings


def load_config(config_dir: Path, env: Mapping[str, str]) -> Config:
    """Return settings, expected state and, where `controls.yaml` is there, controls.

    Raises ConfigError that lists every mistake of all of them.
    """
    if nothing := _missing(config_dir):
        raise nothing
    settings, file, mistakes = _examine(config_dir, env)
    expected, wrong = examine(config_dir / "expected")
    controls_file, controls, files = config_dir / "controls.yaml", None, {file.name: file.sha256}
    if controls_file.exists():
        controls, files[controls_file.name], more = examine_controls(controls_file)
        wrong = (*wrong, *more)
    if settings is None or expected is None or wrong:
        raise raised((*mistakes, *wrong), config_dir)
    return Config(settings, expected, controls, (*settings.warnings, *expected.warnings), {**files, **expected.files})


def schemas() -> dict[str, dict[str, Any]]:
    """Return the JSON Schemas (2020-12) of all files of the configuration by their name in `config/schema/`."""
    return {**schema.schemas(), "settings": schema.schema_of(Settings, "Settings: config/monitor.yaml")}


def _missing(config_dir: Path) -> ConfigError | None:
    if config_dir.is_dir() and (config_dir / FILE).exists():
        return None
    what = (
        f"there is no {FILE} in {config_dir}" if config_dir.is_dir() else f"there is no configuration in {config_dir}"
    )
    return ConfigError(
        what,
        todo="copy the example's config/ folder and make it yours, as docs/expected-state.md shows (`monitor init`, "
        "which would write one, does not exist yet); name another folder with --config DIR",
    )


def _examine(config_dir: Path, env: Mapping[str, str]) -> tuple[Settings | None, FileRead, tuple[Mistake, ...]]:
    file = read(config_dir / FILE, FILE)
    document = file.document
    data: dict[str, object] = document.data if isinstance(document.data, dict) else {}
    if database := env.get(DATABASE):
        document = replace(document, data={**data, "database": database})
    config = config_dir.resolve()
    state = data.get("state")
    folders = _Folders(config, (config / (state if isinstance(state, str) and "{" not in state else STATE)).resolve())
    settings, mistakes = validated(Settings, document, folders)
    if database:
        mistakes = tuple(Mistake(DATABASE, 0, (), m.message) if m.path == ("database",) else m for m in mistakes)
    if isinstance(settings, Settings):
        settings._warnings = tuple(_noticed(env, file.document))
    return settings, file, mistakes


def _noticed(env: Mapping[str, str], document: Document) -> list[str]:
    unknown = sorted(name for name in env if name.startswith("MONITOR_") and name not in ENVIRONMENT)
    noticed = [f"{name} of the environment is not read{did_you_mean(name, ENVIRONMENT)}" for name in unknown]
    database = document.data.get("database") if isinstance(document.data, dict) else None
    if isinstance(database, str) and not env.get(DATABASE) and re.match(r"[a-z+]+://[^/@]*:[^/@]*@", database):
        place = f"{document.name}:{document.line(('database',))}"
        noticed.append(f"{place}: database: holds a password; give the address in {DATABASE} instead")
    return noticed

"""Read `monitor.yaml`, expected state and controls together, and tell every mistake of all of them at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from monitor.errors import ConfigError
from monitor.expected import schema
from monitor.expected.controls import Controls, examine_controls
from monitor.expected.document import Document
from monitor.expected.load import ExpectedState, FileRead, digest, examine, read, validated
from monitor.expected.mistakes import Mistake, did_you_mean, raised
from monitor.expected.waivers import FILE as WAIVERS
from monitor.expected.waivers import Terms, Waivers, examine_waivers
from monitor.settings.places import STATE, Folders
from monitor.settings.sections import Settings

FILE = "monitor.yaml"
DATABASE = "MONITOR_DATABASE"
GITHUB_TOKEN = "MONITOR_GITHUB_TOKEN"
GITHUB_APP_KEY = "MONITOR_GITHUB_APP_KEY"
ENVIRONMENT = (DATABASE, GITHUB_TOKEN, GITHUB_APP_KEY)
"""Names of the environment that are read."""


@dataclass(frozen=True)
class Config:
    """The whole configuration, validated. `files` maps the name of each file to the SHA-256 (hex) of its bytes."""

    settings: Settings
    expected: ExpectedState
    controls: Controls | None
    warnings: tuple[str, ...]
    files: Mapping[str, str]
    waivers: Waivers = field(default_factory=Waivers)

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


def load_config(
    config_dir: Path, env: Mapping[str, str], checks: Callable[[], Collection[str]] | None = None
) -> Config:
    """Return settings, expected state and, where `controls.yaml` and `waivers.yaml` are there, controls and waivers.

    Raises ConfigError that lists every mistake of all of them. `checks` gives the ids that a waiver may name, and is asked
    only if there is one.
    """
    if nothing := _missing(config_dir):
        raise nothing
    settings, file, mistakes = _examine(config_dir, env)
    expected, wrong = examine(config_dir / "expected")
    controls_file, controls, files = config_dir / "controls.yaml", None, {file.name: file.sha256}
    if controls_file.exists():
        controls, files[controls_file.name], more = examine_controls(controls_file)
        wrong = (*wrong, *more)
    waivers, more = _waivers(config_dir, settings, checks, files)
    wrong = (*wrong, *more)
    if settings is None or expected is None or wrong:
        raise raised((*mistakes, *wrong), config_dir)
    warnings = (*settings.warnings, *expected.warnings)
    return Config(settings, expected, controls, warnings, {**files, **expected.files}, waivers or Waivers())


def _waivers(
    config_dir: Path, settings: Settings | None, checks: Callable[[], Collection[str]] | None, files: dict[str, str]
) -> tuple[Waivers | None, tuple[Mistake, ...]]:
    """Return the waivers and what is wrong with them; the digest of their file goes into `files`."""
    path = config_dir / WAIVERS
    if not path.exists() and not path.is_symlink():
        return Waivers(), ()
    days = settings.findings.waiver_max_days if settings else Terms().max_days
    waivers, files[WAIVERS], mistakes = examine_waivers(path, Terms(days, checks() if checks else None))
    return waivers, mistakes


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
        todo="run `monitor init`, which writes one to make yours; or name another folder with --config DIR",
    )


def _examine(config_dir: Path, env: Mapping[str, str]) -> tuple[Settings | None, FileRead, tuple[Mistake, ...]]:
    file = read(config_dir / FILE, FILE)
    document = file.document
    data: dict[str, object] = document.data if isinstance(document.data, dict) else {}
    if database := env.get(DATABASE):
        document = replace(document, data={**data, "database": database})
    config = config_dir.resolve()
    state = data.get("state")
    folders = Folders(config, (config / (state if isinstance(state, str) and "{" not in state else STATE)).resolve())
    settings, mistakes = validated(Settings, document, folders)
    if database:
        mistakes = tuple(Mistake(DATABASE, 0, (), m.message) if m.path == ("database",) else m for m in mistakes)
    if isinstance(settings, Settings):
        settings.notice(_noticed(env, file.document))
    return settings, file, mistakes


def _noticed(env: Mapping[str, str], document: Document) -> list[str]:
    unknown = sorted(name for name in env if name.startswith("MONITOR_") and name not in ENVIRONMENT)
    noticed = [f"{name} of the environment is not read{did_you_mean(name, ENVIRONMENT)}" for name in unknown]
    database = document.data.get("database") if isinstance(document.data, dict) else None
    if isinstance(database, str) and not env.get(DATABASE) and re.match(r"[a-z+]+://[^/@]*:[^/@]*@", database):
        place = f"{document.name}:{document.line(('database',))}"
        noticed.append(f"{place}: database: holds a password; give the address in {DATABASE} instead")
    return noticed

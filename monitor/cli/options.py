"""Options that several commands share, and how a command gets its configuration."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monitor.cli.show import Format, complain

if TYPE_CHECKING:
    from monitor.settings import Config

ConfigDir = Annotated[Path, typer.Option("--config", help="The configuration's folder.")]
OutputFormat = Annotated[Format, typer.Option("--format", help="A table for people, or JSON for programs.")]


def configuration(folder: Path) -> Config:
    """Return the whole configuration, validated; warnings go to standard error. Raises ConfigError with every mistake."""
    from monitor.settings import load_config

    config = load_config(folder, os.environ, known_checks)
    for warning in config.warnings:
        complain(f"warning: {warning}")
    return config


def known_checks() -> list[str]:
    """Return the ids of all checks there are."""
    from monitor.sweep import registry

    return [check.id for check in registry.discover()]

"""Bringing a database to the schema this version knows. Alembic does it; the migrations travel inside the wheel."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL

import monitor
from monitor.errors import LedgerError
from monitor.store.engine import build, make_folder, parse, shown, sqlite_file, translated

_TODO = "check that the database runs, and that this role may create tables"


def upgrade(url: str) -> tuple[str | None, str]:
    """Bring the database to the newest schema, making it if needed; return the revisions before and after.

    Several processes may do so at once: one works, the others wait and find it done. Raises ConfigError for an address
    that is not one, LedgerError if the database cannot be reached or was upgraded by a newer version.
    """
    address = parse(url)
    make_folder(address)
    before, head = _state(address)
    config = _config(address)
    with translated(address, "upgrading the database", _TODO):
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise LedgerError(
                f"the database {shown(address)} cannot be upgraded from schema {before}: {error}",
                todo="if a newer monitor has upgraded it, use that version",
            ) from error
    return before, head


def state(url: str) -> tuple[str | None, str]:
    """Return the database's revision (None: no tables yet) and the newest that this version knows; nothing is made."""
    return _state(parse(url))


def migrations() -> Path:
    """Return the folder of migrations: inside the package if installed from a wheel, else the repository's alembic/."""
    package = Path(monitor.__file__).parent
    installed = package / "_migrations"
    return installed if installed.is_dir() else package.parent / "alembic"


def _state(address: URL) -> tuple[str | None, str]:
    head = ScriptDirectory.from_config(_config(address)).get_current_head()
    if head is None:
        raise LedgerError(f"no migrations in {migrations()}", todo="install the monitor again")
    file = sqlite_file(address)
    if file is not None and not file.exists():
        return None, head
    engine = build(address)
    try:
        with translated(address, "reading the schema", _TODO), engine.connect() as connection:
            return MigrationContext.configure(connection).get_current_revision(), head
    finally:
        engine.dispose()


def _config(address: URL) -> Config:
    """Return the configuration, without a file: none of Alembic's logging settings can reach the application's."""
    config = Config()
    config.set_main_option("script_location", str(migrations()).replace("%", "%%"))
    config.attributes["url"] = address
    return config

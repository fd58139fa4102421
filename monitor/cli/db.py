"""`monitor db`: the database's schema."""

from __future__ import annotations

from pathlib import Path

import typer

from monitor.cli.options import ConfigDir, configuration
from monitor.cli.show import say

app = typer.Typer(help="The database.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Keep `upgrade` a command of its own."""


@app.command()
def upgrade(config: ConfigDir = Path("config")) -> None:
    """Bring the database to this version's schema. Safe to run at any time, and by several at once.

    Example: monitor db upgrade
    """
    from monitor.store.migrate import upgrade as bring

    old, new = bring(configuration(config).settings.database)
    if old is None:
        say(f"The database was made, at schema {new}.")
    else:
        say(f"The database is at schema {new}." if old == new else f"The database went from schema {old} to {new}.")

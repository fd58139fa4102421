"""How Alembic reaches the database: `monitor db upgrade` hands the address over; the plain CLI takes MONITOR_DATABASE.

No logging is configured here: that belongs to the application.
"""

from __future__ import annotations

import os

from alembic import context
from alembic.util import CommandError
from sqlalchemy import URL

from monitor.store import engine as databases
from monitor.store.tables import METADATA


def address() -> URL:
    """Return the database to migrate. Raises CommandError if none is named."""
    given = context.config.attributes.get("url")
    if isinstance(given, URL):
        return given
    named = os.environ.get("MONITOR_DATABASE", "")
    if not named:
        raise CommandError(f"set MONITOR_DATABASE to {databases.FORMS}")
    return databases.parse(named)


def migrate_offline(url: URL) -> None:
    """Print the SQL instead of running it."""
    context.configure(url=url, target_metadata=METADATA, literal_binds=True, render_as_batch=databases.is_sqlite(url))
    with context.begin_transaction():
        context.run_migrations()


def migrate_online(url: URL) -> None:
    """Run every outstanding migration in one transaction, which processes that start at once take in turn."""
    databases.make_folder(url)
    engine = databases.build(url, migrating=True)
    try:
        with databases.writing(engine, "migrate") as connection:
            context.configure(
                connection=connection,
                target_metadata=METADATA,
                render_as_batch=databases.is_sqlite(url),
                compare_type=True,
                transactional_ddl=True,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


if context.is_offline_mode():
    migrate_offline(address())
else:
    migrate_online(address())

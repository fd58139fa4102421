"""Connections to SQLite and PostgreSQL, alike in what the store needs: transactions, foreign keys, UTC, errors."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tenacity
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from monitor.errors import ConfigError, LedgerError

FORMS = "sqlite:///folder/monitor.db or postgresql://user@host/database"

_SQLITE_WAIT_SECONDS = 60
_POSTGRES_CONNECT_SECONDS = 10
_WRITES = "monitor_writes"

# Advisory locks share one number space in a database: https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
_LOCKS = {"migrate": 0x6D6F6E69746F7201, "record": 0x6D6F6E69746F7202}


def parse(url: str) -> URL:
    """Return the database's address. Raises ConfigError (without it, for it may hold a password) if it is not one."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigError("the address of the database cannot be read", todo=f"write {FORMS}") from error
    backend = parsed.drivername.partition("+")[0]
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigError(f"databases of kind {backend!r} are not supported", todo=f"write {FORMS}")
    if parsed.database in (None, "", ":memory:"):
        raise ConfigError("a database in memory would forget every finding", todo=f"write {FORMS}")
    return parsed.set(drivername="sqlite+pysqlite")


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite database, or None for PostgreSQL."""
    return Path(url.database) if is_sqlite(url) and url.database else None


def is_sqlite(url: URL) -> bool:
    """Return whether the address is of a SQLite file."""
    return url.get_backend_name() == "sqlite"


def shown(url: URL) -> str:
    """Return the address for a person to read: no password, no options."""
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def make_folder(url: URL) -> None:
    """Make the folder of a SQLite database if need be. Raises LedgerError if it cannot be."""
    file = sqlite_file(url)
    if file is None:
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LedgerError(
            f"the folder {file.parent} cannot be made: {error}", todo="check `state` in monitor.yaml"
        ) from error


def build(url: URL, *, migrating: bool = False) -> Engine:
    """Return an engine; nothing is connected yet. Migrations need foreign keys off: SQLite alters by copying."""
    if is_sqlite(url):
        engine = create_engine(url, connect_args={"timeout": _SQLITE_WAIT_SECONDS})
        _prepare_sqlite(engine, foreign_keys=not migrating)
        return engine
    # Read in UTC: psycopg cannot build the first and last hours of the calendar in another zone.
    options = f"{url.query.get('options', '')} -c timezone=UTC".strip()
    arguments = {"options": options, "connect_timeout": _POSTGRES_CONNECT_SECONDS}
    return create_engine(url, connect_args=arguments, isolation_level="READ COMMITTED", pool_pre_ping=True)


@contextmanager
def writing(engine: Engine, purpose: str) -> Iterator[Connection]:
    """Hold one transaction that no other with the same purpose overlaps; committed at the end, or rolled back whole."""
    with engine.connect().execution_options(**{_WRITES: True}) as connection, connection.begin():
        lock(connection, purpose)
        yield connection


def lock(connection: Connection, purpose: str) -> None:
    """Wait until no other process holds a transaction for this purpose (`migrate`, `record`).

    SQLite needs nothing more: its writing transactions exclude each other from their first statement.
    """
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCKS[purpose]})")


@contextmanager
def translated(url: URL, doing: str, todo: str) -> Iterator[None]:
    """Turn what the database refuses into a LedgerError that names the database, never its password."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error) as error:
        cause = getattr(error, "orig", None) or error
        said = " ".join(str(cause).split())
        if url.password:
            said = said.replace(str(url.password), "***")
        raise LedgerError(f"{doing} failed in {shown(url)}: {said}", todo=todo) from error


def _prepare_sqlite(engine: Engine, *, foreign_keys: bool) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: sqlite3.Connection, _record: Any) -> None:
        # Transactions are begun below, so that DDL takes part in them, which sqlite3 would not do by itself:
        # https://docs.sqlalchemy.org/en/21/dialects/sqlite.html#sqlite-transactions
        connection.isolation_level = None
        connection.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        _write_ahead(connection)
        # Safe against a lost process; a power cut may lose the last sweeps, which the evidence log still has.
        connection.execute("PRAGMA synchronous = NORMAL")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


@tenacity.retry(
    retry=tenacity.retry_if_exception(_is_busy),
    wait=tenacity.wait_random_exponential(multiplier=0.02, max=1),
    stop=tenacity.stop_after_attempt(20),
    reraise=True,
)
def _write_ahead(connection: sqlite3.Connection) -> None:
    """Readers then never wait for the writer. Switching does not honour the busy timeout, so it is tried again."""
    connection.execute("PRAGMA journal_mode = WAL")

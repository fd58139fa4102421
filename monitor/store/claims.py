"""What holds the claims of slots for as long as this process lives: a connection to PostgreSQL, or a lock beside SQLite.

On PostgreSQL a claim is a session-level advisory lock on a connection of its own: it is freed the moment that connection
dies, so that a crashed sweep can be taken over at once. SQLite serves one scheduler, which may take over from itself.
https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from sqlalchemy import URL, Connection, Engine

from monitor.errors import LedgerError
from monitor.store.engine import shown, sqlite_file, translated, writing

Key = tuple[str, datetime]
"""A schedule's name and a slot."""
TODO = "nothing is lost: the slot stays owed, and is tried again"
_CLASS = 0x6D6F6E69
"""The first of the two numbers of every claim's lock. Locks of one number, as of recording, are another number space."""
_KEEPALIVE = ("tcp_keepalives_idle = 30", "tcp_keepalives_interval = 10", "tcp_keepalives_count = 3")
"""So that the server notices within a minute that the holder's machine is gone, and frees what it held.
https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-TCP-KEEPALIVES-IDLE"""
_holders: weakref.WeakSet[SqliteHolder] = weakref.WeakSet()


def holder(engine: Engine, url: URL) -> PostgresHolder | SqliteHolder:
    """Return what holds claims in this database; nothing is locked yet."""
    file = sqlite_file(url)
    return PostgresHolder(engine, url) if file is None else SqliteHolder(engine, url, file)


def name(key: Key) -> str:
    """Return a slot as text."""
    return f"{key[0]} {key[1].isoformat()}"


class PostgresHolder:
    """Holds claims by one connection out of the pool. `session` counts the connections: an earlier one's claims are gone."""

    def __init__(self, engine: Engine, url: URL) -> None:
        self.session = 0
        self._engine = engine
        self._url = url
        self._connection: Connection | None = None

    def enter(self) -> None:
        """Do nothing: there may be many."""

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield the connection that holds the claims. When it fails they are gone, and the next one begins anew."""
        try:
            with translated(self._url, "claiming a slot", TODO):
                if self._connection is None:
                    self._connection = self._connected()
                    self.session += 1
                yield self._connection
        except LedgerError:
            self.close()
            raise

    def lock(self, connection: Connection, key: Key) -> bool:
        """Return whether this session has the lock of a slot now. A session is given its own lock again."""
        return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_CLASS}, {_number(key)})").scalar())

    def unlock(self, connection: Connection, key: Key) -> None:
        """Give the lock back."""
        connection.exec_driver_sql(f"SELECT pg_advisory_unlock({_CLASS}, {_number(key)})")

    def close(self) -> None:
        """Give back everything: the connection ends."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.session += 1
            with contextlib.suppress(Exception):  # It may be gone already: that is why it is dropped.
                connection.close()

    def _connected(self) -> Connection:
        # Out of the pool, so that nobody else is handed it, and without transactions: it may stand idle for hours.
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        try:
            connection.detach()
            for setting in _KEEPALIVE:
                connection.exec_driver_sql(f"SET {setting}")
        except BaseException:
            connection.close()
            raise
        return connection


class SqliteHolder:
    """Holds claims by being the only scheduler. `session` never changes: the lock goes with the process."""

    session = 1

    def __init__(self, engine: Engine, url: URL, file: Path) -> None:
        self._engine = engine
        self._url = url
        self._path = file.with_name(file.name + ".scheduler-lock")
        self._lock = -1
        _holders.add(self)

    def enter(self) -> None:
        """Become the only scheduler. Raises LedgerError where there is one."""
        if self._lock >= 0:
            return
        try:
            self._lock = _taken(self._path)
        except BlockingIOError:
            raise LedgerError(
                f"another scheduler works on {shown(self._url)}: it holds {self._path}",
                todo="let one run, or move to PostgreSQL, where several may: `database` in monitor.yaml",
            ) from None
        except OSError as error:
            raise LedgerError(
                f"{self._path} cannot be locked: {error}", todo="grant write access to its folder"
            ) from error

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a connection within a transaction."""
        with translated(self._url, "claiming a slot", TODO), writing(self._engine, "record") as connection:
            yield connection

    def lock(self, connection: Connection, key: Key) -> bool:
        """Return True: nobody else is there."""
        return True

    def unlock(self, connection: Connection, key: Key) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Let another scheduler work."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def _taken(path: Path) -> int:
    """Return the descriptor that holds the lock; it goes with the process. Raises OSError."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _forget() -> None:
    # A lock on a file lives as long as any copy of its descriptor: a worker that outlives the scheduler must not keep it.
    for one in list(_holders):
        one.close()


os.register_at_fork(after_in_child=_forget)


def _number(key: Key) -> int:
    """Return the signed 32 bits of a slot. Two that share them cannot be worked on at once, and nothing worse."""
    return int.from_bytes(hashlib.sha256(name(key).encode()).digest()[:4], "big", signed=True)

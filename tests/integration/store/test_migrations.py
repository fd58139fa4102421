"""The schema: from nothing to the newest, once, by whoever comes first, and exactly what the tables say."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Enum, inspect, text
from sqlalchemy.exc import IntegrityError

from monitor.model import Outcome
from monitor.store import engine as databases
from monitor.store import migrate
from monitor.store.store import Store
from monitor.store.tables import HEAD, METADATA
from tests.integration.store.material import (
    KIND,
    SCOPE,
    SOURCE,
    START,
    exchange,
    judged,
    log_object,
    part,
    record,
    remembered,
    sealing,
)

Row = dict[str, Any]
REPOSITORY = Path(__file__).parents[3]
NEW_TABLES = {"acknowledgement", "remembered", "slot", "outbox", "thread"}
"""Tables that the first schema lacks."""
NEW_COLUMNS = {"waiver": "", "owner": "", "unknown_since": None}
"""Columns of findings that the first schema lacks, and what stands in them after an upgrade."""
AT_ONCE_PROGRAM = """
import os, sys
from monitor.store import engine, migrate

def at_once(action, processes):
    waiting, start = os.pipe()
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            os.close(start)
            os.read(waiting, 1)  # returns when the parent lets go of the other end
            action()
            os._exit(0)
        children.append(child)
    os.close(start)
    os.close(waiting)
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
"""
UPGRADE = """
migrate.upgrade(f"sqlite:///{sys.argv[2]}/warm.db")  # so that no import stands between the processes and their race
print(at_once(lambda: migrate.upgrade(sys.argv[1]), 4))
"""
CONNECT = """
def connect(number):
    with engine.build(engine.parse(f"sqlite:///{sys.argv[1]}/{number}.db")).connect():
        pass

print({code for number in range(15) for code in at_once(lambda: connect(number), 8)})
"""


def test_an_empty_database_comes_to_the_newest_schema_and_stays_there(empty_url: str) -> None:
    assert migrate.state(empty_url) == (None, HEAD)
    assert migrate.upgrade(empty_url) == (None, HEAD)
    assert migrate.state(empty_url) == (HEAD, HEAD)
    assert migrate.upgrade(empty_url) == (HEAD, HEAD)
    Store.open(empty_url).close()


def test_asking_for_the_state_makes_no_file(empty_sqlite_url: str) -> None:
    assert migrate.state(empty_sqlite_url) == (None, HEAD)
    assert not Path(empty_sqlite_url.removeprefix("sqlite:///")).parent.exists()


def test_processes_that_upgrade_at_once_all_succeed(empty_url: str, tmp_path: Path) -> None:
    assert _printed(AT_ONCE_PROGRAM + UPGRADE, empty_url, str(tmp_path)) == f"{[0] * 4}\n"
    assert migrate.state(empty_url) == (HEAD, HEAD)
    Store.open(empty_url).close()


def test_an_upgrade_of_postgres_waits_for_the_one_before(empty_postgres_url: str) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    engine = databases.build(databases.parse(empty_postgres_url))
    try:
        with ThreadPoolExecutor(1) as pool:
            with databases.writing(engine, "migrate") as connection:
                upgrading = pool.submit(migrate.upgrade, empty_postgres_url)
                while not upgrading.done() and connection.execute(waiting).scalar() == 0:
                    pass
                assert not upgrading.done()
                assert inspect(connection).get_table_names() == []
            assert upgrading.result(timeout=60) == (None, HEAD)
    finally:
        engine.dispose()


def test_processes_that_open_a_new_sqlite_file_at_once_all_succeed(tmp_path: Path) -> None:
    assert _printed(AT_ONCE_PROGRAM + CONNECT, str(tmp_path)) == "{0}\n"


def test_the_migrations_make_what_the_tables_say(store_url: str) -> None:
    with _connected(store_url) as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_every_closed_set_of_words_is_checked_by_the_database(store_url: str) -> None:
    closed = [
        (table, column) for table in METADATA.sorted_tables for column in table.c if isinstance(column.type, Enum)
    ]
    assert len(closed) == 10
    with _connected(store_url) as connection:
        for table, column in closed:
            checks = {
                check["name"]: check["sqltext"] for check in inspect(connection).get_check_constraints(table.name)
            }
            assert isinstance(column.type, Enum)
            sql = checks[f"ck_{table.name}_{column.type.name}"]
            assert [word for word in column.type.enums if f"'{word}'" not in sql] == []


def test_a_word_outside_its_set_is_refused(store_url: str) -> None:
    statement = text(
        "INSERT INTO sweep VALUES ('s', '2026-01-01', '2026-01-01', '2026-01-01', '2026-01-01', 0, 0, '', '', '{}')"
    )
    nonsense = text("INSERT INTO scope_coverage VALUES ('s', 0, '', '', :status, NULL, NULL, '', '', '{}', '[]')")
    with _connected(store_url) as connection:
        connection.execute(statement)
        connection.execute(nonsense, {"status": "complete"})
        with pytest.raises(IntegrityError):
            connection.execute(nonsense, {"status": "nonsense"})


def test_the_command_line_of_alembic_agrees_and_can_go_back(empty_url: str) -> None:
    program = "from alembic.config import main\nfor step in (['upgrade', 'head'], ['check'], ['downgrade', 'base']): main(step)"
    environment = os.environ | {"MONITOR_DATABASE": empty_url}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "No new upgrade operations detected.\n"), done.stderr
    assert migrate.state(empty_url) == (None, HEAD)
    with _connected(empty_url) as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_the_command_line_of_alembic_asks_for_the_address() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from alembic.config import main; main(['current'])"],
        cwd=REPOSITORY,
        env={name: value for name, value in os.environ.items() if name != "MONITOR_DATABASE"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "set MONITOR_DATABASE" in done.stdout + done.stderr


def test_a_database_of_the_first_schema_is_upgraded_with_all_that_it_holds(empty_url: str) -> None:
    read = record(
        0,
        objects=(log_object("k"),),
        exchanges=(exchange("1"),),
        marks={f"{SOURCE}|{SCOPE}": START},
        parts=(part("2026-03-14"),),
    )
    results = judged({"a": Outcome.FAIL, "b": Outcome.UNKNOWN})
    migrate.upgrade(empty_url)
    with Store.open(empty_url) as store:
        first = store.record(read, results, sealing(0))
    written = _rows(empty_url)
    _alembic(empty_url, command.downgrade, "base")
    _alembic(empty_url, command.upgrade, "0001")
    assert set(_rows(empty_url)) == set(written) - NEW_TABLES
    _write(empty_url, {name: rows for name, rows in written.items() if name not in NEW_TABLES})
    before = _rows(empty_url)
    assert sum(map(len, before.values())) == 9

    assert migrate.upgrade(empty_url) == ("0001", HEAD)
    after = _rows(empty_url)
    assert {name: after[name] for name in NEW_TABLES} == {name: [] for name in NEW_TABLES}
    assert _without(after, NEW_COLUMNS) == _without(before, ())
    assert [{name: row[name] for name in NEW_COLUMNS} for row in after["finding"]] == [NEW_COLUMNS] * 2
    with Store.open(empty_url) as store:
        assert store.record(read, results, sealing(0)) == first
        assert len(store.record(record(1, remembered=(remembered("1"),)), results, sealing(1)).kept) == 2
        assert store.remembered(KIND) == [remembered("1")]


def test_going_back_to_the_first_schema_forgets_only_what_came_later(store_url: str) -> None:
    with Store.open(store_url) as store:
        store.record(record(0, remembered=(remembered("1"),)), judged({"a": Outcome.FAIL}), sealing(0))
    before = _rows(store_url)
    _alembic(store_url, command.downgrade, "0001")
    assert _rows(store_url) == _without(before, NEW_COLUMNS)


def test_an_upgrade_leaves_the_logging_of_the_application_alone(empty_sqlite_url: str) -> None:
    mine = logging.getLogger("monitor.some.room")
    before = (logging.root.level, list(logging.root.handlers), mine.disabled, logging.getLogger("alembic").handlers)
    migrate.upgrade(empty_sqlite_url)
    assert before == (
        logging.root.level,
        list(logging.root.handlers),
        mine.disabled,
        logging.getLogger("alembic").handlers,
    )


def test_the_folder_of_migrations_is_no_package_that_would_shadow_alembic() -> None:
    assert not (migrate.migrations() / "__init__.py").exists()


def _printed(program: str, *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout


def _alembic(url: str, action: Callable[[Config, str], None], revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.migrations()))
    config.attributes["url"] = databases.parse(url)
    action(config, revision)


def _rows(url: str) -> dict[str, list[Row]]:
    with _connected(url) as connection:
        tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        return {
            name: [dict(row) for row in connection.execute(text(f"SELECT * FROM {name}")).mappings()] for name in tables
        }


def _without(found: dict[str, list[Row]], columns: Iterable[str]) -> dict[str, list[Row]]:
    """Return what tables of the first schema hold, without these columns of findings."""
    left = {name: rows for name, rows in found.items() if name not in NEW_TABLES}
    gone = set(columns)
    return left | {"finding": [{key: row[key] for key in row if key not in gone} for row in left["finding"]]}


def _write(url: str, written: dict[str, list[Row]]) -> None:
    """Write rows into tables of an older schema, leaving out the columns that it lacks."""
    engine = databases.build(databases.parse(url))
    try:
        with databases.writing(engine, "record") as connection:
            order = [table.name for table in METADATA.sorted_tables if table.name in written]
            for name in order:
                columns = [column["name"] for column in inspect(connection).get_columns(name)]
                values = ", ".join(f":{column}" for column in columns)
                for row in written[name]:
                    statement = text(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({values})")
                    connection.execute(statement, {column: row[column] for column in columns})
    finally:
        engine.dispose()


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    engine = databases.build(databases.parse(url))
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()

"""The roles of PostgreSQL: a sweep is recorded by the one that runs, and what is recorded cannot be altered by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from monitor.model import Outcome
from monitor.store import grants, migrate
from monitor.store.store import Store
from tests.integration.store import material

SQL = (Path(__file__).parents[3] / "deploy/postgres/roles.sql").read_text()
APPEND_ONLY = sorted(name for name, held in grants.RUN.items() if held == grants.APPEND)


def as_role(url: str, role: str) -> str:
    """Return the address of the same database for another role; the server trusts its own socket."""
    return make_url(url).set(username=role).render_as_string(hide_password=False)


@pytest.fixture
def apart(empty_postgres_url: str) -> Iterator[str]:
    """Return the address of a database that monitor_owner has migrated, with the roles' grants."""
    run_sql(empty_postgres_url)
    migrate.upgrade(as_role(empty_postgres_url, "monitor_owner"))
    run_sql(empty_postgres_url)
    yield empty_postgres_url


def run_sql(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SQL.encode())


def recorded(url: str) -> Store:
    store = Store.open(as_role(url, "monitor_run"))
    for number in range(2):
        record = material.record(
            number,
            objects=(material.log_object("AWSLogs/one.json.gz", damage="cut" if number == 0 else ""),),
            exchanges=(material.exchange("one"),),
            marks={f"{material.SOURCE}|{material.SCOPE}": material.START + number * material.DAY},
            parts=(material.part(f"2026-03-{14 + number}"),),
            remembered=(material.remembered(f"state-{number}"),),
        )
        store.record(record, material.judged({"one": Outcome.FAIL, "two": Outcome.PASS}), material.sealing(number))
    return store


def test_a_sweep_is_recorded_and_read_by_the_role_that_runs(apart: str) -> None:
    with recorded(apart) as store:
        assert store.recorded_sweeps() == {"sweep-0000", "sweep-0001"}
        (finding,) = store.open_findings()
        assert finding.times_seen == 2
        # The damaged object was read again: its row is the newer one.
        assert store.damaged_keys(material.SOURCE, material.SCOPE) == set()


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("statement", ["UPDATE {} SET sweep_id = 'x'", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_what_was_recorded_cannot_be_altered_by_the_role_that_runs(apart: str, table: str, statement: str) -> None:
    if table == "sweep":
        statement = statement.replace("sweep_id", "root")
    recorded(apart).close()
    with (
        psycopg.connect(as_role(apart, "monitor_run")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.format(table).encode())


@pytest.mark.parametrize("table", sorted(set(grants.RUN) - set(APPEND_ONLY)))
def test_living_rows_cannot_be_removed_by_the_role_that_runs(apart: str, table: str) -> None:
    with (
        psycopg.connect(as_role(apart, "monitor_run")) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"DELETE FROM {table}".encode())


def test_the_role_that_runs_cannot_change_the_schema(apart: str) -> None:
    for statement in (
        "CREATE TABLE stray (id int)",
        "UPDATE alembic_version SET version_num = '9999'",
        "ALTER TABLE finding_sighting OWNER TO monitor_run",
        "DROP TABLE finding_sighting",
    ):
        with (
            psycopg.connect(as_role(apart, "monitor_run")) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(statement.encode())


def test_a_table_of_a_later_migration_is_append_only_by_itself(apart: str) -> None:
    with psycopg.connect(as_role(apart, "monitor_owner"), autocommit=True) as connection:
        connection.execute(b"CREATE TABLE later (id int)")
    with psycopg.connect(as_role(apart, "monitor_run"), autocommit=True) as connection:
        connection.execute(b"INSERT INTO later VALUES (1)")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(b"UPDATE later SET id = 2")


def test_the_script_and_the_code_grant_the_same(apart: str) -> None:
    run = grants.privileges(as_role(apart, "monitor_run"))
    assert run == grants.Privileges(role="monitor_run", lacking=(), beyond=())
    with psycopg.connect(apart) as connection:
        assert held(connection, "monitor_prune", "DELETE") == set(grants.PRUNE)
        assert held(connection, "monitor_prune", "INSERT") == set()
        assert held(connection, "monitor_prune", "UPDATE") == set()
        assert held(connection, "monitor_prune", "SELECT") == set(grants.RUN)


def test_the_owner_may_do_more_than_is_needed_and_that_is_told(apart: str) -> None:
    owner = grants.privileges(as_role(apart, "monitor_owner"))
    assert owner
    assert "UPDATE finding_sighting" in owner.beyond
    assert owner.lacking == ()


def test_a_role_without_grants_lacks_what_is_needed(apart: str) -> None:
    with psycopg.connect(apart, autocommit=True) as connection:
        connection.execute(b"REVOKE INSERT ON finding FROM monitor_run")
    found = grants.privileges(as_role(apart, "monitor_run"))
    assert found
    assert found.lacking == ("INSERT finding",)


def test_sqlite_has_no_roles(sqlite_url: str) -> None:
    assert grants.privileges(sqlite_url) is None


def held(connection: psycopg.Connection[Any], role: str, privilege: str) -> set[str]:
    query = b"SELECT t FROM unnest(%s::text[]) AS t WHERE has_table_privilege(%s, t, %s)"
    return {row[0] for row in connection.execute(query, (list(grants.RUN), role, privilege))}

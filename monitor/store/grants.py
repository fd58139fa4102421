"""What each of PostgreSQL's roles may do with each table. deploy/postgres/roles.sql grants it; a test holds the two together.

`RUN` is what sweeping, scheduling and alerting need. Where it has no UPDATE, what was recorded stays as it was recorded.
`ON CONFLICT DO UPDATE` needs UPDATE even where nothing conflicts: https://www.postgresql.org/docs/current/sql-insert.html
"""

from __future__ import annotations

import msgspec
from sqlalchemy import inspect, text

from monitor.store.engine import build, is_sqlite, parse, translated
from monitor.store.tables import METADATA

APPEND = frozenset({"SELECT", "INSERT"})
LIVE = frozenset({"SELECT", "INSERT", "UPDATE"})
_LIVING = ("finding", "mark", "log_object", "slot", "outbox", "thread")
"""Rows that change: a damaged log object is read again, the rest moves by its nature."""
RUN = {name: LIVE if name in _LIVING else APPEND for name in METADATA.tables}
PRUNE = {name: frozenset({"SELECT", "DELETE"}) for name in ("log_object", "token_exchange", "remembered", "outbox")}
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE")


class Privileges(msgspec.Struct, frozen=True, kw_only=True):
    """What a role may not do though it must (`lacking`), and what it may do beyond need (`beyond`): `UPDATE sweep`, sorted."""

    role: str
    lacking: tuple[str, ...]
    beyond: tuple[str, ...]


def privileges(url: str) -> Privileges | None:
    """Return how the privileges of the address's role compare with `RUN`; None for SQLite, which has no roles.

    Raises LedgerError if the database cannot be reached, ConfigError for an address that is none.
    """
    address = parse(url)
    if is_sqlite(address):
        return None
    engine = build(address)
    lacking, beyond = [], []
    try:
        with translated(address, "reading privileges", "check the address"), engine.connect() as connection:
            role = str(connection.execute(text("SELECT current_user")).scalar())
            there = set(inspect(connection).get_table_names())
            asked = text("SELECT has_table_privilege(:name, :privilege)")
            for name in sorted(there & RUN.keys()):
                for privilege in _ALL:
                    held = connection.execute(asked, {"name": name, "privilege": privilege}).scalar()
                    if held and privilege not in RUN[name]:
                        beyond.append(f"{privilege} {name}")
                    elif not held and privilege in RUN[name]:
                        lacking.append(f"{privilege} {name}")
    finally:
        engine.dispose()
    return Privileges(role=role, lacking=tuple(lacking), beyond=tuple(beyond))

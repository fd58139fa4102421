"""Who has taken a finding up. It changes nothing of how a finding stands: that is what sweeps find."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from monitor.store.engine import _WRITES as WRITES
from monitor.store.engine import translated
from monitor.store.reconcile import Step
from monitor.store.tables import METADATA
from monitor.store.text import restored, stored

if TYPE_CHECKING:
    from monitor.store.store import Store

_ACKNOWLEDGEMENT = METADATA.tables["acknowledgement"]
_SIGHTING = METADATA.tables["finding_sighting"]
_SWEEP = METADATA.tables["sweep"]
_REACH = "check that the database runs and may be reached; then press the button again"
_LONGEST = 200


class Acknowledgement(msgspec.Struct, frozen=True):
    """Who has taken a finding up (`slack:U0123456789`), when (UTC), and whether it was reopened since."""

    who: str
    at: datetime
    reopened_since: bool


class Acknowledgements:
    """Those of a store. Methods raise LedgerError when the database cannot be read or written."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, finding_id: str, who: str, at: datetime) -> bool:
        """Note it, once for each time that the finding was opened or reopened; return whether it is new.

        A finding that is not there is not noted.
        """
        store = self._store
        with (
            translated(store._url, "noting an acknowledgement", _REACH),
            store._engine.connect().execution_options(**{WRITES: True}) as connection,
            connection.begin(),
        ):
            opened = _opened_by(connection, finding_id)
            if opened is None:
                return False
            row = {"finding_id": finding_id, "who": stored(who[:_LONGEST]), "sweep_id": opened, "at": at}
            kind = postgresql if connection.dialect.name == "postgresql" else sqlite
            put = kind.insert(_ACKNOWLEDGEMENT).values(row).on_conflict_do_nothing()
            return connection.execute(put.returning(_ACKNOWLEDGEMENT.c.who)).first() is not None

    def of(self, finding_id: str) -> list[Acknowledgement]:
        """Return who has taken a finding up, oldest first."""
        c = _ACKNOWLEDGEMENT.c
        store = self._store
        with translated(store._url, "reading acknowledgements", _REACH), store._engine.connect() as connection:
            opened = _opened_by(connection, finding_id)
            query = select(c.who, c.at, c.sweep_id).where(c.finding_id == finding_id).order_by(c.at, c.who)
            return [
                Acknowledgement(restored(row.who), row.at, row.sweep_id != opened) for row in connection.execute(query)
            ]


def _opened_by(connection: Connection, finding_id: str) -> str | None:
    """Return the sweep that last opened or reopened a finding, or None if there is no such finding."""
    query = (
        select(_SIGHTING.c.sweep_id)
        .join(_SWEEP, _SWEEP.c.id == _SIGHTING.c.sweep_id)
        .where(_SIGHTING.c.finding_id == finding_id, _SIGHTING.c.step.in_((Step.OPENED, Step.REOPENED)))
        .order_by(_SWEEP.c.manifest_index.desc())
        .limit(1)
    )
    return connection.execute(query).scalar()

"""The store: the database of one installation, opened at the schema that this version knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Self

from sqlalchemy import URL, Connection, Engine, inspect, text

from monitor.errors import LedgerError
from monitor.facts.change import TokenExchange
from monitor.facts.log_object import RetainedPart
from monitor.facts.remembered import Remembered
from monitor.model import ScopeCoverage, Severity
from monitor.store import queries, writing
from monitor.store.engine import build, make_folder, parse, translated
from monitor.store.engine import shown as shown_address
from monitor.store.engine import writing as one_writer
from monitor.store.planning import Planner
from monitor.store.reconcile import FindingState
from monitor.store.record import Reconciliation, SealedResult, Sealing, SweepRecord
from monitor.store.tables import HEAD
from monitor.store.views import Finding, RecordedSweep, Sighting

_REACH = "check that the database runs and may be reached, and the address in `database` or MONITOR_DATABASE"
_UPGRADE = "run `monitor db upgrade`"
_AGAIN = "mend the database and sweep again: what was sealed is recorded from the evidence log"
_OPEN_STATES = (FindingState.OPEN, FindingState.REOPENED)


class Store:
    """An open database. Every method raises LedgerError, naming the database, when it cannot be read or written.

    Use it as a context manager, or close it. Times are aware and UTC, in and out.
    """

    def __init__(self, engine: Engine, url: URL) -> None:
        self._engine = engine
        self._url = url

    @classmethod
    def open(cls, url: str) -> Self:
        """Return the store at `sqlite:///path` (its folder is made) or `postgresql://user@host/database`.

        Raises ConfigError if the address is not one of these, LedgerError if the database cannot be reached or its
        schema is not the one this version knows.
        """
        address = parse(url)
        make_folder(address)
        store = cls(build(address), address)
        try:
            store._require_head()
        except BaseException:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Give back every connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def record(
        self,
        record: SweepRecord,
        results: Sequence[SealedResult] | Iterable[SealedResult],
        sealing: Sealing,
        plan: Planner | None = None,
    ) -> Reconciliation:
        """Write a sealed sweep, its findings and what `plan` tells of them in one transaction; return what became of them.

        A sweep that is recorded already changes nothing and is answered as it was then.
        """
        with translated(self._url, "recording the sweep", _AGAIN), one_writer(self._engine, "record") as connection:
            return writing.record_sweep(connection, record, results, sealing, plan)

    def reconciliation(self, sweep_id: str) -> Reconciliation:
        """Return what a recorded sweep did to the findings; empty if it is not recorded."""
        with self._reading() as connection:
            return writing.reconciliation(connection, sweep_id)

    def read_keys(self, source: str, scope: str | None = None) -> set[str]:
        """Return the keys of the log objects that a source has read, in one scope or in all."""
        with self._reading() as connection:
            return queries.read_keys(connection, source, scope)

    def damaged_keys(self, source: str, scope: str) -> set[str]:
        """Return the keys of the log objects of a scope that could not be read whole."""
        with self._reading() as connection:
            return queries.damaged_keys(connection, source, scope)

    def content_hashes(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 (hex) of the inflated bytes by key, for those keys where it was taken."""
        with self._reading() as connection:
            return queries.content_hashes(connection, keys)

    def marks(self) -> dict[str, datetime]:
        """Return, by `source|scope`, up to when (UTC) events are read whole."""
        with self._reading() as connection:
            return queries.marks(connection)

    def exchanges(self, alive_at: datetime) -> list[TokenExchange]:
        """Return the exchanges whose credentials may be in use at the moment (UTC) or later, oldest first.

        Their expiry is later, or none is known and they were issued at most 36 hours before (or after).
        """
        with self._reading() as connection:
            return queries.exchanges(connection, alive_at)

    def remembered(self, kind: str, subject: str | None = None, since: datetime | None = None) -> list[Remembered]:
        """Return what is remembered of a kind, of one subject or of all, from then (UTC) on, oldest first, then by id."""
        with self._reading() as connection:
            return queries.remembered(connection, kind, subject, since)

    def latest(self, kind: str) -> dict[str, Remembered]:
        """Return, by subject, the newest that is remembered of a kind; of several at the same time the last by id."""
        with self._reading() as connection:
            return queries.latest(connection, kind)

    def open_findings(self, checks: Collection[str] | None = None) -> list[Finding]:
        """Return the findings that are open or reopened, of some checks or of all, most urgent first."""
        with self._reading() as connection:
            return queries.findings(connection, states=_OPEN_STATES, severity=None, checks=checks)

    def findings(
        self, *, state: FindingState | None = None, severity: Severity | None = None, check: str | None = None
    ) -> list[Finding]:
        """Return the findings that match all that is given, most urgent first, then oldest first."""
        states = None if state is None else (state,)
        checks = None if check is None else (check,)
        with self._reading() as connection:
            return queries.findings(connection, states=states, severity=severity, checks=checks)

    def finding(self, id_or_prefix: str) -> Finding | None:
        """Return the finding whose id is or begins so, in any case, with or without `F-`; None if there is none.

        Raises ConfigError, naming some of them, if several begin so.
        """
        with self._reading() as connection:
            return queries.finding(connection, id_or_prefix)

    def sightings(self, finding_id: str) -> list[Sighting]:
        """Return what each sweep did to a finding, oldest first."""
        with self._reading() as connection:
            return queries.sightings(connection, finding_id)

    def sweeps(self, limit: int = 50) -> list[RecordedSweep]:
        """Return the recorded sweeps, newest first, at most so many."""
        with self._reading() as connection:
            return queries.sweeps(connection, limit)

    def sweep(self, sweep_id: str) -> RecordedSweep | None:
        """Return a recorded sweep, or None."""
        with self._reading() as connection:
            return queries.sweep(connection, sweep_id)

    def recorded_sweeps(self) -> set[str]:
        """Return the ids of all recorded sweeps; a sealed one that is missing here must be recorded again."""
        with self._reading() as connection:
            return queries.recorded_sweeps(connection)

    def watched_since(self) -> datetime | None:
        """Return the earliest moment (UTC) that a recorded sweep looked back to, or None."""
        with self._reading() as connection:
            return queries.watched_since(connection)

    def last_sealing(self) -> Sealing | None:
        """Return where the last recorded sweep was sealed (the one furthest in the log), or None."""
        with self._reading() as connection:
            return queries.last_sealing(connection)

    def coverage(self, sweep_id: str) -> list[ScopeCoverage]:
        """Return what a sweep was to read against what it read, in the sweep's order."""
        with self._reading() as connection:
            return queries.coverage(connection, sweep_id)

    def parts(
        self, account: str | None = None, day_from: str | None = None, day_to: str | None = None
    ) -> list[RetainedPart]:
        """Return the files of retained events of an account (None: all), days (YYYY-MM-DD) included, by day."""
        with self._reading() as connection:
            return queries.parts(connection, account, day_from, day_to)

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with translated(self._url, "reading", _REACH), self._engine.connect() as connection:
            yield connection

    def _require_head(self) -> None:
        with translated(self._url, "opening the database", _REACH), self._engine.connect() as connection:
            current = _revision(connection)
        if current is None:
            raise LedgerError(f"the database {shown_address(self._url)} has no tables yet", todo=_UPGRADE)
        if current != HEAD:
            raise LedgerError(
                f"the database {shown_address(self._url)} is at schema {current}; this version needs {HEAD}",
                todo=f"{_UPGRADE}; if a newer monitor has upgraded it, use that version",
            )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()

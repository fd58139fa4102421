"""The tables. A projection of the evidence log: every row can be made again from what is sealed there.

A bare `datetime` field is SQLModel's UTCDateTime: naive values are refused, aware UTC comes back from both.
Models with `table=True` do not validate; rows are built from validated records, and enumerations carry a CHECK.
Outside text is written by `monitor.store.text`; what is indexed of it is cut, for B-tree entries are short.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, Enum, Index, Text
from sqlmodel import Field, SQLModel

from monitor.model import ChangeClass, CoverageStatus, Outcome, Severity
from monitor.store.reconcile import FindingState, Step
from monitor.store.words import MessageState, SlotState

HEAD = "0004"
"""The migration these tables belong to. A test keeps it equal to the newest: asking Alembic costs half a second."""

# Names that a migration can rely on: https://alembic.sqlalchemy.org/en/latest/naming.html
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

_LONGEST_WORD = 32


def _words(enumeration: type[StrEnum], name: str) -> Any:
    """Return a column type that stores the values (not the names), with a CHECK on both databases."""
    return Enum(
        enumeration,
        native_enum=False,
        create_constraint=True,
        name=name,
        length=_LONGEST_WORD,
        values_callable=lambda words: [word.value for word in words],
    )


class SweepRow(SQLModel, table=True):
    """One recorded sweep, and where it was sealed. `notes` is JSON."""

    __tablename__ = "sweep"

    id: str = Field(primary_key=True)
    planned_for: datetime
    at: datetime = Field(index=True)
    window_start: datetime
    window_end: datetime
    manifest_index: int = Field(sa_type=BigInteger)
    log_size: int = Field(sa_type=BigInteger)
    root: str
    checkpoint: str = Field(sa_type=Text)
    notes: str = Field(sa_type=Text)


class ScopeCoverageRow(SQLModel, table=True):
    """What one source read of one scope in one sweep. `counts` and `gaps` are JSON."""

    __tablename__ = "scope_coverage"

    sweep_id: str = Field(primary_key=True, foreign_key="sweep.id")
    number: int = Field(primary_key=True)
    scope: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    status: CoverageStatus = Field(sa_type=_words(CoverageStatus, "status"))
    window_start: datetime | None = None
    window_end: datetime | None = None
    reason: str = Field(sa_type=Text)
    grant_needed: str = Field(sa_type=Text)
    counts: str = Field(sa_type=Text)
    gaps: str = Field(sa_type=Text)


class MarkRow(SQLModel, table=True):
    """Up to when the events of one `source|scope` are read whole. Never moves back."""

    __tablename__ = "mark"

    mark_sha256: str = Field(primary_key=True)
    name: str = Field(sa_type=Text)
    until: datetime
    sweep_id: str = Field(foreign_key="sweep.id")


class LogObjectRow(SQLModel, table=True):
    """One log object that was read. Its key may be longer than an index entry, hence the digest of it."""

    __tablename__ = "log_object"

    key_sha256: str = Field(primary_key=True)
    source: str = Field(primary_key=True)
    key: str = Field(sa_type=Text)
    scope: str = Field(index=True)
    sweep_id: str = Field(foreign_key="sweep.id", index=True)
    sha256: str = Field(sa_type=Text)
    content_sha256: str = Field(sa_type=Text)
    size: int = Field(sa_type=BigInteger)
    raw_size: int = Field(sa_type=BigInteger)
    events: int = Field(sa_type=BigInteger)
    reads: int = Field(sa_type=BigInteger)
    attempts: int = Field(sa_type=BigInteger)
    data_events: int = Field(sa_type=BigInteger)
    service_writes: int = Field(sa_type=BigInteger)
    telemetry: int = Field(sa_type=BigInteger)
    writes: int = Field(sa_type=BigInteger)
    exchanges: int = Field(sa_type=BigInteger)
    elsewhere: int = Field(sa_type=BigInteger)
    first: datetime | None = None
    last: datetime | None = None
    damage: str = Field(sa_type=Text)


class TokenExchangeRow(SQLModel, table=True):
    """One issuing of credentials, whole in `body` (JSON): sessions outlive the window in which they began."""

    __tablename__ = "token_exchange"
    __table_args__ = (Index(None, "access_key", "account"),)

    exchange_sha256: str = Field(primary_key=True)
    time: datetime = Field(index=True)
    expires: datetime | None = Field(default=None, index=True)
    account: str
    access_key: str
    principal_id: str = Field(index=True)
    sweep_id: str = Field(foreign_key="sweep.id", index=True)
    body: str = Field(sa_type=Text)


class RememberedRow(SQLModel, table=True):
    """One thing that a source remembers, whole in `body` (JSON): a state that was seen, an event that was read."""

    __tablename__ = "remembered"
    __table_args__ = (Index(None, "kind", "at"), Index(None, "kind", "subject_sha256", "at"))

    kind: str = Field(primary_key=True)
    id_sha256: str = Field(primary_key=True)
    id: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    subject_sha256: str
    at: datetime
    sweep_id: str = Field(foreign_key="sweep.id", index=True)
    body: str = Field(sa_type=Text)


class RetainedPartRow(SQLModel, table=True):
    """One Parquet file of retained events; `day` is YYYY-MM-DD (UTC)."""

    __tablename__ = "retained_part"
    __table_args__ = (Index(None, "account", "day"),)

    sweep_id: str = Field(primary_key=True, foreign_key="sweep.id")
    number: int = Field(primary_key=True)
    path: str = Field(sa_type=Text)
    sha256: str = Field(sa_type=Text)
    rows: int = Field(sa_type=BigInteger)
    size: int = Field(sa_type=BigInteger)
    account: str
    day: str


class FindingRow(SQLModel, table=True):
    """The life of a failing (check, subject).

    `outcome`, `reason` and the result are of the latest judgement; severity, actor, scope and class of the latest
    failing one.
    """

    __tablename__ = "finding"

    id: str = Field(primary_key=True)
    check_id: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    state: FindingState = Field(sa_type=_words(FindingState, "state"), index=True)
    outcome: Outcome = Field(sa_type=_words(Outcome, "outcome"))
    severity: Severity = Field(sa_type=_words(Severity, "severity"))
    scope: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    change_class: ChangeClass | None = Field(default=None, sa_type=_words(ChangeClass, "change_class"))
    reason: str = Field(sa_type=Text)
    first_seen: datetime
    last_seen: datetime
    opened_by: str = Field(foreign_key="sweep.id")
    last_sweep: str = Field(foreign_key="sweep.id")
    last_step: Step = Field(sa_type=_words(Step, "last_step"))
    result_index: int = Field(sa_type=BigInteger)
    result_sha256: str
    times_seen: int
    waiver: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": ""})
    owner: str = Field(default="", sa_type=Text, sa_column_kwargs={"server_default": ""})
    unknown_since: datetime | None = None


class SlotRow(SQLModel, table=True):
    """One slot of a schedule that somebody has claimed, or that is lost. A slot without a row is owed."""

    __tablename__ = "slot"

    schedule: str = Field(primary_key=True)
    planned_for: datetime = Field(primary_key=True)
    state: SlotState = Field(sa_type=_words(SlotState, "state"), index=True)
    attempt: int
    owner: str = Field(sa_type=Text)
    claimed_at: datetime
    ended_at: datetime | None = None
    sweep_id: str = Field(default="", sa_type=Text)
    reason: str = Field(default="", sa_type=Text)


class OutboxRow(SQLModel, table=True):
    """One message to one target. Its id is made of what it says, so that planning it twice leaves one. `body` is JSON."""

    __tablename__ = "outbox"
    __table_args__ = (Index(None, "state", "next_at"),)

    id: str = Field(primary_key=True)
    sink: str
    target: str = Field(sa_type=Text)
    kind: str
    finding_id: str = Field(default="", sa_type=Text)
    created_at: datetime
    next_at: datetime
    state: MessageState = Field(sa_type=_words(MessageState, "state"))
    attempts: int = 0
    sent_at: datetime | None = None
    reference: str = Field(default="", sa_type=Text)
    error: str = Field(default="", sa_type=Text)
    body: str = Field(sa_type=Text)


class ThreadRow(SQLModel, table=True):
    """Where a sink keeps the thread of a finding: its target, and the sink's own reference of the first message."""

    __tablename__ = "thread"

    sink: str = Field(primary_key=True)
    finding_id: str = Field(primary_key=True)
    target: str = Field(sa_type=Text)
    reference: str = Field(sa_type=Text)
    created_at: datetime


class FindingSightingRow(SQLModel, table=True):
    """One sweep that moved or met a finding: what happened, and the index of the result in the evidence log."""

    __tablename__ = "finding_sighting"

    finding_id: str = Field(primary_key=True, foreign_key="finding.id")
    sweep_id: str = Field(primary_key=True, foreign_key="sweep.id", index=True)
    result_index: int = Field(sa_type=BigInteger)
    outcome: Outcome = Field(sa_type=_words(Outcome, "outcome"))
    step: Step = Field(sa_type=_words(Step, "step"))


class AcknowledgementRow(SQLModel, table=True):
    """One person (as `slack:U0123456789`) who has taken a finding up, since the sweep that last opened or reopened it."""

    __tablename__ = "acknowledgement"

    finding_id: str = Field(primary_key=True, foreign_key="finding.id")
    who: str = Field(primary_key=True)
    sweep_id: str = Field(primary_key=True, foreign_key="sweep.id")
    at: datetime


METADATA = SQLModel.metadata

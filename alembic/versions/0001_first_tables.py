"""The first tables: sweeps, coverage, log objects, token exchanges, retained parts, findings.

Types are SQLAlchemy's own here, so that a later SQLModel cannot change what an old migration did.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def _words(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    """Make every table."""
    op.create_table(
        "sweep",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("planned_for", sa.DateTime(timezone=True), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=False),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=False),
        sa.Column("manifest_index", sa.BigInteger(), nullable=False),
        sa.Column("log_size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.String(), nullable=False),
        sa.Column("checkpoint", sa.Text(), nullable=False),
        sa.Column("notes", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sweep")),
    )
    op.create_index(op.f("ix_sweep_at"), "sweep", ["at"])
    op.create_table(
        "finding",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column(
            "state",
            _words("state", "open", "resolved", "reopened"),
            nullable=False,
        ),
        sa.Column(
            "outcome",
            _words("outcome", "pass", "fail", "unknown", "not-applicable", "error"),
            nullable=False,
        ),
        sa.Column(
            "severity",
            _words("severity", "critical", "high", "medium", "low"),
            nullable=False,
        ),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column(
            "change_class",
            _words("change_class", "standard", "normal", "emergency", "direct"),
            nullable=True,
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by", sa.String(), nullable=False),
        sa.Column("last_sweep", sa.String(), nullable=False),
        sa.Column("last_step", _words("last_step", "opened", "kept", "reopened", "resolved"), nullable=False),
        sa.Column("result_index", sa.BigInteger(), nullable=False),
        sa.Column("result_sha256", sa.String(), nullable=False),
        sa.Column("times_seen", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["last_sweep"], ["sweep.id"], name=op.f("fk_finding_last_sweep_sweep")),
        sa.ForeignKeyConstraint(["opened_by"], ["sweep.id"], name=op.f("fk_finding_opened_by_sweep")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_finding")),
    )
    op.create_index(op.f("ix_finding_state"), "finding", ["state"])
    op.create_table(
        "log_object",
        sa.Column("key_sha256", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("raw_size", sa.BigInteger(), nullable=False),
        sa.Column("events", sa.BigInteger(), nullable=False),
        sa.Column("reads", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("data_events", sa.BigInteger(), nullable=False),
        sa.Column("service_writes", sa.BigInteger(), nullable=False),
        sa.Column("telemetry", sa.BigInteger(), nullable=False),
        sa.Column("writes", sa.BigInteger(), nullable=False),
        sa.Column("exchanges", sa.BigInteger(), nullable=False),
        sa.Column("elsewhere", sa.BigInteger(), nullable=False),
        sa.Column("first", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last", sa.DateTime(timezone=True), nullable=True),
        sa.Column("damage", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_log_object_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("key_sha256", "source", name=op.f("pk_log_object")),
    )
    op.create_index(op.f("ix_log_object_scope"), "log_object", ["scope"])
    op.create_index(op.f("ix_log_object_sweep_id"), "log_object", ["sweep_id"])
    op.create_table(
        "mark",
        sa.Column("mark_sha256", sa.String(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_mark_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("mark_sha256", name=op.f("pk_mark")),
    )
    op.create_table(
        "retained_part",
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("day", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_retained_part_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("sweep_id", "number", name=op.f("pk_retained_part")),
    )
    op.create_index(op.f("ix_retained_part_account_day"), "retained_part", ["account", "day"])
    op.create_table(
        "scope_coverage",
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column(
            "status",
            _words("status", "complete", "partial", "denied", "throttled", "lost"),
            nullable=False,
        ),
        sa.Column("window_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("window_end", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("grant_needed", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("gaps", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_scope_coverage_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("sweep_id", "number", name=op.f("pk_scope_coverage")),
    )
    op.create_table(
        "token_exchange",
        sa.Column("exchange_sha256", sa.String(), nullable=False),
        sa.Column("time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires", sa.DateTime(timezone=True), nullable=True),
        sa.Column("account", sa.String(), nullable=False),
        sa.Column("access_key", sa.String(), nullable=False),
        sa.Column("principal_id", sa.String(), nullable=False),
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_token_exchange_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("exchange_sha256", name=op.f("pk_token_exchange")),
    )
    op.create_index(op.f("ix_token_exchange_access_key_account"), "token_exchange", ["access_key", "account"])
    op.create_index(op.f("ix_token_exchange_expires"), "token_exchange", ["expires"])
    op.create_index(op.f("ix_token_exchange_principal_id"), "token_exchange", ["principal_id"])
    op.create_index(op.f("ix_token_exchange_sweep_id"), "token_exchange", ["sweep_id"])
    op.create_index(op.f("ix_token_exchange_time"), "token_exchange", ["time"])
    op.create_table(
        "finding_sighting",
        sa.Column("finding_id", sa.String(), nullable=False),
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.Column("result_index", sa.BigInteger(), nullable=False),
        sa.Column(
            "outcome",
            _words("outcome", "pass", "fail", "unknown", "not-applicable", "error"),
            nullable=False,
        ),
        sa.Column(
            "step",
            _words("step", "opened", "kept", "reopened", "resolved"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_finding_sighting_finding_id_finding")),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_finding_sighting_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("finding_id", "sweep_id", name=op.f("pk_finding_sighting")),
    )
    op.create_index(op.f("ix_finding_sighting_sweep_id"), "finding_sighting", ["sweep_id"])


def downgrade() -> None:
    """Drop every table."""
    op.drop_table("finding_sighting")
    op.drop_table("token_exchange")
    op.drop_table("scope_coverage")
    op.drop_table("retained_part")
    op.drop_table("mark")
    op.drop_table("log_object")
    op.drop_table("finding")
    op.drop_table("sweep")

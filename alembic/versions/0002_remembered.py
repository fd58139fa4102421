"""What sources remember from sweep to sweep: states that were seen, events that were read."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "remembered",
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id_sha256", sa.String(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_sha256", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_remembered_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("kind", "id_sha256", name=op.f("pk_remembered")),
    )
    op.create_index(op.f("ix_remembered_kind_at"), "remembered", ["kind", "at"])
    op.create_index(op.f("ix_remembered_kind_subject_sha256_at"), "remembered", ["kind", "subject_sha256", "at"])
    op.create_index(op.f("ix_remembered_sweep_id"), "remembered", ["sweep_id"])


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("remembered")

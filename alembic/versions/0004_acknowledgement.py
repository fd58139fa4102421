"""Who has taken a finding up: what the button *Acknowledge* notes."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "acknowledgement",
        sa.Column("finding_id", sa.String(), nullable=False),
        sa.Column("who", sa.String(), nullable=False),
        sa.Column("sweep_id", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["finding_id"], ["finding.id"], name=op.f("fk_acknowledgement_finding_id_finding")),
        sa.ForeignKeyConstraint(["sweep_id"], ["sweep.id"], name=op.f("fk_acknowledgement_sweep_id_sweep")),
        sa.PrimaryKeyConstraint("finding_id", "who", "sweep_id", name=op.f("pk_acknowledgement")),
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("acknowledgement")

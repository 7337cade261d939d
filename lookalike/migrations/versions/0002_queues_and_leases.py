"""Entries know their queue, when they were queued, and how long a worker holds them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what is pending counts as queued when it was last touched."""
    with op.batch_alter_table("entries") as batch_op:
        batch_op.add_column(sa.Column("queue", sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column("queued_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE entries SET queue = 'interactive', queued_at = updated_at, attempts = 0")
    with op.batch_alter_table("entries") as batch_op:
        batch_op.alter_column("queue", existing_type=sa.String(length=20), nullable=False)
        batch_op.alter_column("queued_at", existing_type=sa.DateTime(timezone=True), nullable=False)
        batch_op.create_index("ix_entries_state_queue", ["state", "queue", "queued_at"])


def downgrade() -> None:
    """Take the columns away."""
    with op.batch_alter_table("entries") as batch_op:
        batch_op.drop_index("ix_entries_state_queue")
        for name in ("leased_until", "queued_at", "queue"):
            batch_op.drop_column(name)

"""Entries know since when they are pending, however often they were queued again."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

INDEX = "ix_entries_index_state"
MOMENT = sa.DateTime(timezone=True)
LONG_AGO = "1970-01-01 00:00:00+00:00"


def upgrade() -> None:
    """Add the column (see 0003); what is pending counts as such since it was last queued."""
    op.add_column(
        "entries", sa.Column("pending_since", MOMENT, nullable=False, server_default=LONG_AGO)
    )
    # Of the others it means nothing, and millions of rows need not be written for it.
    op.execute("UPDATE entries SET pending_since = queued_at WHERE state = 'pending'")
    _index("queue", "pending_since")


def _index(*further: str) -> None:
    op.drop_index(INDEX, "entries")
    op.create_index(INDEX, "entries", ["index_id", "state", *further])


def downgrade() -> None:
    """Take it away."""
    _index()
    op.drop_column("entries", "pending_since")

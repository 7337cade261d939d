"""What it takes to build an index beside the live one, the recall of sampled searches, promises."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import SchemaItem

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

OBJECT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)
LONG_AGO = "1970-01-01 00:00:00+00:00"


def upgrade() -> None:
    """Add the columns one by one (see 0003), and make the tables."""
    for column in _columns():
        op.add_column("indexes", column)
    op.add_column("outbox", sa.Column("until", MOMENT, nullable=True))
    op.create_table(
        "sampled_queries",
        *_of_index("sampled_queries"),
        sa.Column("library", sa.String(length=100), nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("without", OBJECT, nullable=False),
        sa.Column("filter", OBJECT, nullable=False),
        sa.Column("shape", sa.String(length=20), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
    )
    op.create_table(
        "recall_samples",
        *_of_index("recall_samples"),
        sa.Column("shape", sa.String(length=20), nullable=False),
        sa.Column("recall", sa.Double(), nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
    )
    op.create_index("ix_recall_samples_asked_at", "recall_samples", ["asked_at"])


def _columns() -> tuple[sa.Column[Any], ...]:
    return (
        sa.Column("storage", sa.String(length=20), nullable=False, server_default="float32"),
        sa.Column("library", sa.String(length=100), nullable=True),
        sa.Column("centred", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("mean", sa.LargeBinary(), nullable=True),
        sa.Column("labels", OBJECT, nullable=False, server_default="[]"),
        sa.Column("switch", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("task", sa.String(length=20), nullable=True),
        sa.Column("paused", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("ticket", sa.Uuid(), nullable=True),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("position", sa.Uuid(), nullable=True),
        sa.Column("figures", OBJECT, nullable=True),
        sa.Column("measured_at", MOMENT, nullable=True),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("built_at", MOMENT, nullable=True),
        sa.Column("live_at", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False, server_default=LONG_AGO),
    )


def _of_index(table: str) -> tuple[SchemaItem, ...]:
    return (
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("index_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["index_id"], ["indexes.id"], name=op.f(f"fk_{table}_index_id_indexes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("recall_samples")
    op.drop_table("sampled_queries")
    op.drop_column("outbox", "until")
    for column in reversed(_columns()):
        op.drop_column("indexes", column.name)

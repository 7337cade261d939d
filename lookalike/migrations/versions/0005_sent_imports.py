"""Imports of files that are sent one after another; what became of each copy of a picture."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

FLAGS = ("of_owner", "cut_short")


def upgrade() -> None:
    """Add the columns one by one (see 0003). An item, not its bytes, now makes a link unique."""
    op.add_column("imports", sa.Column("received_at", sa.DateTime(timezone=True), nullable=True))
    for flag in FLAGS:
        op.add_column("imports", _flag(flag))
    _key("position")
    op.create_index("ix_imported_pictures_sha256", "imported_pictures", ["import_id", "sha256"])
    op.create_index(
        "ix_import_failures_retry", "import_failures", ["import_id", "retry", "position"]
    )


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())


def _key(column: str) -> None:
    # On SQLite the table is made anew, which is safe: no other refers to it.
    name = op.f("pk_imported_pictures")
    with op.batch_alter_table("imported_pictures") as table:
        table.drop_constraint(name, type_="primary")
        table.create_primary_key(name, ["import_id", column])


def downgrade() -> None:
    """Take the columns and the links of copies out again."""
    op.drop_index("ix_import_failures_retry", "import_failures")
    op.drop_index("ix_imported_pictures_sha256", "imported_pictures")
    op.execute(
        "DELETE FROM imported_pictures WHERE EXISTS (SELECT 1 FROM imported_pictures AS first "
        "WHERE first.import_id = imported_pictures.import_id "
        "AND first.sha256 = imported_pictures.sha256 "
        "AND first.position < imported_pictures.position)"
    )
    _key("sha256")
    for name in (*FLAGS, "received_at"):
        op.drop_column("imports", name)

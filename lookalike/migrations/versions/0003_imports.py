"""Imports, what each brought in, and what failed in it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

OBJECT = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the tables; pictures that are there already count as uploaded by themselves."""
    # Not in a batch: on SQLite that makes the table anew, and dropping the old one would take
    # every row that refers to it along.
    op.add_column(
        "pictures", sa.Column("uploaded", sa.Boolean(), nullable=False, server_default=sa.true())
    )
    _imports()
    op.create_table(
        "imported_pictures",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("picture_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("brought", sa.Boolean(), nullable=False),
        _of_import("imported_pictures"),
        sa.ForeignKeyConstraint(
            ["picture_id"],
            ["pictures.id"],
            name=op.f("fk_imported_pictures_picture_id_pictures"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("import_id", "sha256", name=op.f("pk_imported_pictures")),
    )
    op.create_index(op.f("ix_imported_pictures_picture_id"), "imported_pictures", ["picture_id"])
    op.create_table(
        "import_failures",
        sa.Column("import_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("picture_id", sa.Uuid(), nullable=True),
        sa.Column("retry", sa.Boolean(), nullable=False),
        _of_import("import_failures"),
        sa.PrimaryKeyConstraint("import_id", "position", name=op.f("pk_import_failures")),
    )


def _imports() -> None:
    op.create_table(
        "imports",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("spec", OBJECT, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("file_key", sa.String(length=100), nullable=True),
        sa.Column("library", sa.String(length=100), nullable=False),
        sa.Column("tags", OBJECT, nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("exhausted", sa.Boolean(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("new", sa.Integer(), nullable=False),
        sa.Column("duplicate", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Double(), nullable=True),
        sa.Column("rated_at", MOMENT, nullable=True),
        sa.Column("rated_settled", sa.Integer(), nullable=False),
        sa.Column("rehearsed", OBJECT, nullable=False),
        sa.Column("rehearsal", OBJECT, nullable=True),
        sa.Column("ticket", sa.Uuid(), nullable=True),
        sa.Column("leased_until", MOMENT, nullable=True),
        sa.Column("added_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("ended_at", MOMENT, nullable=True),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["library"], ["libraries.name"], name=op.f("fk_imports_library_libraries")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_imports")),
    )
    op.create_index("ix_imports_state", "imports", ["state"])


def _of_import(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["import_id"],
        ["imports.id"],
        name=op.f(f"fk_{table}_import_id_imports"),
        ondelete="CASCADE",
    )


def downgrade() -> None:
    """Drop them."""
    for table in ("import_failures", "imported_pictures", "imports"):
        op.drop_table(table)
    op.drop_column("pictures", "uploaded")

"""The migration that adds imports keeps the pictures that are there."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import func, select, text

from lookalike.services.db import MIGRATIONS
from lookalike.services.models import Entry, Picture, PictureTag
from tests.platforms import make_world, small


def test_a_folder_from_before_keeps_its_pictures_which_no_import_may_take_away(tmp_path: Path):
    world = make_world(tmp_path / "data")
    ids = world.indexed(small(1), small(2), tags=["old"])
    with world.db.write() as session:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "0002")
        assert "uploaded" not in str(session.execute(text("PRAGMA table_info(pictures)")).all())
        command.upgrade(config, "head")
    with world.db.read() as session:
        assert set(session.scalars(select(Picture.id).where(Picture.uploaded))) == set(ids)
        for table in (Entry, PictureTag):
            assert session.scalar(select(func.count()).select_from(table)) == 2
    world.platform.close()

"""The migration that tells since when entries are pending says of old ones what it can."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import select

from lookalike.services.db import MIGRATIONS
from lookalike.services.models import Entry, State
from tests.platforms import make_world, small


def test_what_is_pending_counts_as_such_since_it_was_queued(tmp_path: Path):
    world = make_world(tmp_path / "data")
    indexed, pending = world.indexed(small(1)), world.add(small(2))
    with world.db.write() as session:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "0005")
        command.upgrade(config, "head")
    with world.db.read() as session:
        entries = {entry.picture_id: entry for entry in session.scalars(select(Entry))}
    assert entries.keys() == {*indexed, *pending}
    waiting = entries[pending[0]]
    assert (waiting.state, waiting.pending_since) == (State.PENDING, waiting.queued_at)
    assert entries[indexed[0]].pending_since < waiting.queued_at
    world.platform.close()

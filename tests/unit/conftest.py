"""What unit tests share: a fresh database, and a whole platform on fakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from lookalike.services.db import Database
from tests.platforms import World, empty_database, make_world

# The same examples in every run, and no time limit on a machine that is busy.
settings.register_profile("steady", derandomize=True, deadline=None)
settings.load_profile("steady")


@pytest.fixture
def db(tmp_path: Path, database_url: str) -> Iterator[Database]:
    """A migrated database of its own."""
    path = tmp_path / "lookalike.db"
    path.write_bytes(empty_database())
    database = Database(database_url or f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    """A platform with nothing in it."""
    made = make_world(tmp_path / "data", database_url=database_url)
    yield made
    made.platform.close()

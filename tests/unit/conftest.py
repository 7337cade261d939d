"""What unit tests share: a fresh database, and a whole platform on fakes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lookalike.services.db import Database
from tests.platforms import World, make_world


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with all tables and nothing in them, for copying."""
    path = tmp_path_factory.mktemp("migrated") / "lookalike.db"
    db = Database(f"sqlite:///{path}")
    db.migrate()
    db.close()
    return path


@pytest.fixture
def db(migrated: Path, tmp_path: Path) -> Iterator[Database]:
    """A migrated database of its own."""
    path = tmp_path / "lookalike.db"
    shutil.copyfile(migrated, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def world(migrated: Path, tmp_path: Path) -> Iterator[World]:
    """A platform with nothing in it."""
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copyfile(migrated, folder / "lookalike.db")
    made = make_world(folder)
    yield made
    made.platform.close()

"""Many writers at once on PostgreSQL, where nobody holds everything: no error, nothing torn."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import func, select

from lookalike.services.blobs import original_key
from lookalike.services.db import MIGRATIONS, Database
from lookalike.services.errors import NotFoundError
from lookalike.services.labels import Changes
from lookalike.services.models import Base, Index, Library, OutboxItem, Picture
from tests.cluster import Servers
from tests.platforms import World, make_world, small

THREADS = 8
ROUNDS = 25


@pytest.fixture
def world(tmp_path: Path, emptied: Callable[[], str]) -> Iterator[World]:
    made = make_world(tmp_path / "data", database_url=emptied())
    yield made
    made.platform.close()


def together(work: Callable[[int], object], times: int = THREADS) -> None:
    """Do it on many threads at once; whatever one of them raises is raised here."""
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(work, number) for number in range(times)]:
            done.result()


def test_the_same_bytes_uploaded_at_once_are_one_picture(world: World):
    files = [small(seed) for seed in range(6)]

    def upload(number: int) -> None:
        world.add(*random.Random(number).sample(files, 6))

    together(upload, THREADS * 3)
    with world.db.read() as session:
        assert session.scalar(select(func.count()).select_from(Picture)) == 6


def test_uploads_changes_removals_and_indexing_at_once_leave_nothing_torn(world: World):
    files = [small(seed) for seed in range(4)]

    def meddle(number: int) -> None:
        dice = random.Random(number)
        for _ in range(ROUNDS):
            [picture_id] = world.add(dice.choice(files))
            world.platform.indexing.index([picture_id])
            try:
                world.platform.pictures.change(picture_id, Changes(tags=[str(dice.random())]))
                if dice.random() < 0.6:
                    world.platform.pictures.remove(picture_id)
            except NotFoundError:
                continue  # somebody else removed it

    together(meddle)
    world.platform.sweeping.run()  # settles what many at once left to it
    world.work()
    with world.db.read() as session:
        pictures = list(session.scalars(select(Picture)))
        assert session.scalar(select(func.count()).select_from(OutboxItem)) == 0
    for picture in pictures:
        assert world.blobs.exists(original_key(picture.sha256))
        assert world.has_point(picture.id)
        assert world.matches(picture.id, tags={"all": list(picture.tags)})
    assert world.vectors.count() == len(pictures)
    originals = {name for name in world.blob_names() if name.startswith("originals")}
    assert originals == {f"originals/{picture.sha256}" for picture in pictures}


def test_processes_that_start_at_once_make_one_index_and_one_library(
    tmp_path: Path, servers: Servers
):
    url = servers.postgres.database()
    together(lambda number: make_world(tmp_path / str(number), database_url=url).platform.close())
    db = Database(url)
    with db.read() as session:
        assert session.scalar(select(func.count()).select_from(Index)) == 1
        assert session.scalar(select(func.count()).select_from(Library)) == 1
    db.close()


def test_migrations_make_exactly_the_tables_of_the_models_and_go_back(servers: Servers):
    db = Database(servers.postgres.database())
    db.migrate()
    with db.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with db.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
    db.migrate()
    db.close()

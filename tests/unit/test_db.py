"""Transactions and migrations on SQLite."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, select, text

from lookalike.services import db as databases
from lookalike.services.db import MIGRATIONS, Database
from lookalike.services.errors import ConfigurationError, UnavailableError
from lookalike.services.models import Base, Library, OutboxItem, new_id


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An empty database, without anything of ours around it."""
    engine = create_engine(f"sqlite:///{tmp_path / 'empty.db'}")
    yield engine
    engine.dispose()


def migrate(engine: Engine, go: Any, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        go(config, revision)


def tables(engine: Engine) -> set[str]:
    return set(inspect(engine).get_table_names()) - {"alembic_version"}


def test_migrations_make_exactly_the_tables_of_the_models(engine: Engine):
    migrate(engine, command.upgrade, "head")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    assert tables(engine) == set(Base.metadata.tables)


def test_migrations_go_down_to_nothing_and_up_again(engine: Engine):
    migrate(engine, command.upgrade, "head")
    migrate(engine, command.downgrade, "base")
    assert tables(engine) == set()
    migrate(engine, command.upgrade, "head")
    assert tables(engine) == set(Base.metadata.tables)


def test_migrating_again_keeps_what_is_there(db: Database):
    with db.write() as session:
        session.add(Library(name="kept"))
    db.migrate()
    with db.read() as session:
        assert session.get(Library, "kept") is not None


def test_a_write_that_raises_is_undone(db: Database):
    def break_off() -> None:
        with db.write() as session:
            session.add(Library(name="half"))
            session.flush()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    with db.read() as session:
        assert session.get(Library, "half") is None


def test_a_read_sees_one_state_while_others_write(db: Database):
    with db.read() as reader:
        before = list(reader.scalars(select(Library.name)))
        with db.write() as writer:
            writer.add(Library(name="new"))
        assert list(reader.scalars(select(Library.name))) == before
    with db.read() as reader:
        assert list(reader.scalars(select(Library.name))) == [*before, "new"]


def test_writers_that_read_first_wait_for_each_other(db: Database):
    """Deferred transactions would fail with "locked", and lose counts, under this load."""
    with db.write() as session:
        session.add(OutboxItem(picture_id=new_id(), sha256="0"))

    def increment(_: int) -> None:
        with db.write() as session:
            item = session.scalars(select(OutboxItem)).one()
            item.sha256 = str(int(item.sha256) + 1)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(120)))
    with db.read() as session:
        assert session.scalars(select(OutboxItem)).one().sha256 == "120"


def test_rows_stay_readable_after_their_transaction(db: Database):
    with db.write() as session:
        row = Library(name="here")
        session.add(row)
    assert (row.name, row.added_at.tzinfo) == ("here", UTC)


def test_moments_come_back_aware_and_in_utc(db: Database):
    moment = datetime(2024, 6, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    with db.write() as session:
        session.add(Library(name="here", added_at=moment))
    with db.read() as session:
        stored = session.scalars(select(Library.added_at)).one()
    assert stored == moment
    assert stored.utcoffset() == timedelta(0)


def test_rows_that_others_need_cannot_go(db: Database):
    with db.read() as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"


def test_new_ids_sort_by_age():
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(set(ids))


def test_a_full_disk_is_an_outage(db: Database):
    with db.read() as session:
        pages = session.scalar(text("PRAGMA page_count"))

    def fill() -> None:
        with db.write() as session:
            session.execute(text(f"PRAGMA max_page_count={pages}"))
            session.execute(text("CREATE TABLE big AS SELECT zeroblob(100000) AS data"))

    with pytest.raises(UnavailableError):
        fill()


def test_a_database_that_cannot_be_opened_is_an_outage(tmp_path: Path):
    db = Database(f"sqlite:///{tmp_path}/no/such/folder/lookalike.db")
    with pytest.raises(UnavailableError):
        db.migrate()


@pytest.mark.both_databases
def test_one_at_a_time_is_alone_and_others_are_told_at_once(db: Database):
    with db.alone("this") as first, db.alone("this") as second, db.alone("that") as other:
        assert (first, second, other) == (True, False, True)
    with db.alone("this") as again:
        assert again


@pytest.mark.both_databases
def test_who_fails_alone_has_left(db: Database):
    with pytest.raises(RuntimeError), db.alone("this"):
        raise RuntimeError
    with db.alone("this") as again:
        assert again


def test_who_lost_the_connection_has_left(emptied: Callable[[], str]):
    db = Database(emptied())
    with db.alone("this") as first, db.write() as session:
        session.execute(
            text(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks "
                "WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
            )
        )
    with db.alone("this") as again:
        assert (first, again) == (True, True)
    db.close()


@pytest.fixture
def impatient(
    emptied: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Database]]:
    """Makes databases on PostgreSQL where no statement may take long; given more of the URL."""
    made: list[Database] = []
    emptied()  # what empties the tables for all tests is not to be impatient
    monkeypatch.setattr(databases, "STATEMENT_SECONDS", 0.2)

    def make(more: str = "") -> Database:
        made.append(Database(emptied() + more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def sleep(db: Database, seconds: float) -> None:
    with db.read() as session:
        session.execute(text(f"SELECT pg_sleep({seconds})"))


def test_a_statement_without_an_end_is_an_outage(impatient: Callable[..., Database]):
    db = impatient()
    with pytest.raises(UnavailableError):
        sleep(db, 60)
    sleep(db, 0)


def test_a_url_may_say_itself_how_long_statements_may_take(impatient: Callable[..., Database]):
    sleep(impatient("?options=-c%20statement_timeout%3D60000"), 0.5)


def test_migrations_may_take_longer(
    impatient: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
):
    def upgrade(config: Config, _revision: str) -> None:
        config.attributes["connection"].execute(text("SELECT pg_sleep(0.5)"))

    monkeypatch.setattr(command, "upgrade", upgrade)
    db = impatient()
    db.migrate()
    with pytest.raises(UnavailableError):
        sleep(db, 60)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other options")
def test_a_server_that_is_gone_without_a_word_holds_nobody_for_ever(
    impatient: Callable[..., Database],
):
    with impatient().engine.connect() as connection:
        handle = os.dup(connection.connection.driver_connection.fileno())
        with socket.socket(fileno=handle) as end:
            assert end.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            probes = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT", "TCP_USER_TIMEOUT")
            found = {
                name: end.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in probes
            }
    idle, between, count, unacknowledged = found.values()
    assert idle + between * count <= 30
    assert 0 < unacknowledged <= 30_000


@pytest.mark.parametrize(
    "url",
    ["garbage", "mysql://root:hush@db/x", "postgresql+psycopg2://db/x", "postgresql://db:hush/x"],
)
def test_what_is_no_database_of_ours_is_refused_by_the_name_of_its_setting(url: str):
    with pytest.raises(ConfigurationError, match="LOOKALIKE_DATABASE_URL") as caught:
        Database(url)
    assert "hush" not in str(caught.value)


def test_a_mistake_in_our_own_sql_is_not_taken_for_an_outage(db: Database):
    def mistake() -> None:
        with db.read() as session:
            session.execute(text("SELECT nonsense FROM libraries"))

    with pytest.raises(Exception, match="nonsense") as caught:
        mistake()
    assert not isinstance(caught.value, UnavailableError)

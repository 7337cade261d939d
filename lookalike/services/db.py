"""The database: engine, transactions and migrations, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from lookalike.services.errors import UnavailableError

MIGRATIONS = Path(__file__).parent.parent / "migrations"


class Database:
    """Hands out short transactions. Rows stay readable after their transaction has ended."""

    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self._writer = self.engine.execution_options(writes=True)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one state of the database and changes nothing."""
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits when the block ends well and is undone when it raises."""
        with (
            _translated(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    def migrate(self) -> None:
        """Bring the tables to the newest version; safe to call each time."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with _translated(), self._writer.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        if not _is_outage(error):
            raise
        raise UnavailableError(
            "The database cannot be used at the moment. Check that it runs and that its disk has "
            "space, and try again."
        ) from error


def _is_outage(error: DBAPIError) -> bool:
    """Whether the database is at fault (down, locked, disk full), not what it was asked."""
    if error.connection_invalidated:
        return True
    # SQLite calls mistakes in SQL operational as well, with this code.
    mistake = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return isinstance(error, OperationalError) and not mistake


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    # The driver's own transaction handling opens transactions late and as readers, and a reader
    # that turns writer fails with "locked" under load: we say BEGIN ourselves (_begin_sqlite).
    assert isinstance(connection, sqlite3.Connection)  # noqa: S101  narrows the type
    connection.isolation_level = None
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

"""The database: engine, transactions, locks and migrations, the same for SQLite and PostgreSQL."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, func, make_url, select, text
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from lookalike.services.errors import ConfigurationError, UnavailableError

MIGRATIONS = Path(__file__).parent.parent / "migrations"

POSTGRESQL = frozenset({"postgresql", "postgres", "postgresql+psycopg"})
SQLITE = frozenset({"sqlite", "sqlite+pysqlite"})

CONNECT_SECONDS = 5
"""Longest wait for a database server that does not answer."""

KEEPALIVE = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""Seconds, and probes: who waits for an answer from a machine that is gone (power, network, a
frozen host) is free again after 25 seconds, where the system's own two hours are for ever. A server
that thinks answers the probes, so it may take as long as it likes."""

UNACKNOWLEDGED_SECONDS = 25
"""The same for a question that never arrives: while it is repeated there are no probes."""

SERVER_KEEPALIVE = {
    "tcp_keepalives_idle": 10,
    "tcp_keepalives_interval": 5,
    "tcp_keepalives_count": 3,
}
"""The same seen from the server, so that what a machine that is gone had locked is free again."""

STATEMENT_SECONDS = 120
"""Longest statement, waiting for locks included. Pages ask for milliseconds; the longest honest
statement, a sample out of ten million pictures, takes a minute (1.6 s of 300,000). Checks, backups
and repairs go through the tables in pages. Migrations alone may take longer."""

POOL = {"pool_size": 8, "max_overflow": 24, "pool_timeout": 10, "pool_recycle": 1800}
"""Transactions last milliseconds, so 8 connections serve many threads; 24 more for a rush."""


class Database:
    """Hands out short transactions. Rows stay readable after their transaction has ended."""

    def __init__(self, url: str) -> None:
        """Prepare, without connecting. Raises ConfigurationError for a URL of neither kind."""
        self.engine = _engine(url)
        self._names: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        self._writer = self.engine.execution_options(writes=True)
        self._reader = self.engine
        if self.engine.dialect.name == "postgresql":
            # One state of the database for all statements of a transaction, as SQLite gives.
            self._reader = self.engine.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that sees one state of the database and changes nothing."""
        with _translated(), Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits when the block ends well and is undone when it raises.

        On PostgreSQL others write at the same time: take `lock`s or rows `for update` before
        deciding anything from what was read.
        """
        with (
            _translated(),
            Session(self._writer, expire_on_commit=False) as session,
            session.begin(),
        ):
            yield session

    @contextmanager
    def alone(self, name: str) -> Iterator[bool]:
        """Whether nobody else is in a block of this name; who is told so alone should go on.

        For work that needs no two at it, and holds no transaction. A process that dies has left.
        """
        if self.engine.dialect.name != "postgresql":  # one process owns a database that is a file
            with _alone(self._names[name]) as first:
                yield first
            return
        outside = self.engine.execution_options(isolation_level="AUTOCOMMIT")
        with _translated(), outside.connect() as connection, _holding(connection, name) as first:
            yield first

    def migrate(self) -> None:
        """Bring the tables to the newest version; safe to call each time, and by many at once."""
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        with _translated(), self._writer.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SET LOCAL statement_timeout = 0"))
                connection.execute(select(func.pg_advisory_xact_lock(_number("migrations"))))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def close(self) -> None:
        """Give every connection back."""
        self.engine.dispose()


def lock(session: Session, *names: str) -> None:
    """Wait until nobody else's write holds one of these names; hold them until this one ends.

    SQLite has a single writer, which holds everything anyway. The names are taken in one order
    by everybody, so that two writes never wait for each other.
    """
    if session.get_bind().dialect.name == "postgresql":
        for number in sorted({_number(name) for name in names}):
            session.execute(select(func.pg_advisory_xact_lock(number)))


def share(session: Session, name: str) -> None:
    """Wait until nobody's `lock` holds the name; hold it, together with others who share it."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(select(func.pg_advisory_xact_lock_shared(_number(name))))


def _number(name: str) -> int:
    """The name as the signed 64-bit number that PostgreSQL's advisory locks take."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@contextmanager
def _alone(place: threading.Lock) -> Iterator[bool]:
    first = place.acquire(blocking=False)
    try:
        yield first
    finally:
        if first:
            place.release()


@contextmanager
def _holding(connection: Connection, name: str) -> Iterator[bool]:
    first = bool(connection.scalar(select(func.pg_try_advisory_lock(_number(name)))))
    try:
        yield first
    finally:
        if first:
            _let_go(connection, name)


def _let_go(connection: Connection, name: str) -> None:
    try:
        connection.execute(select(func.pg_advisory_unlock(_number(name))))
    except DBAPIError:
        connection.invalidate()  # the lock goes with it


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
    except PoolTimeoutError as error:  # every connection of the pool is in use
        raise UnavailableError(
            "The database is busy: all connections are in use. Try again in a moment."
        ) from error


def _is_outage(error: DBAPIError) -> bool:
    """Whether the database is at fault (down, locked, disk full), not what it was asked."""
    if error.connection_invalidated:
        return True
    # SQLite calls mistakes in SQL operational as well, with this code.
    mistake = getattr(error.orig, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return isinstance(error, OperationalError) and not mistake


def parsed_url(url: str) -> URL:
    """The URL of a SQLite or PostgreSQL database. Raises ConfigurationError for any other.

    PostgreSQL goes by its usual names and is spoken to through psycopg 3.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # neither is shown on: it tells the password
        raise _unknown_database("no database's URL can be read from it") from None
    if parsed.drivername in POSTGRESQL:
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in SQLITE:
        raise _unknown_database(f"{parsed.drivername} is not a database that it can be")
    return parsed


def _unknown_database(problem: str) -> ConfigurationError:
    return ConfigurationError(
        f"The setting LOOKALIKE_DATABASE_URL is wrong: {problem}. Set it to a URL such as "
        "postgresql://lookalike:secret@postgres/lookalike, or leave it empty for SQLite."
    )


def _engine(url: str) -> Engine:
    parsed = parsed_url(url)
    if parsed.get_backend_name() != "sqlite":
        # A connection that the server dropped is noticed and replaced before it is used.
        return create_engine(parsed, pool_pre_ping=True, connect_args=_patience(parsed), **POOL)
    engine = create_engine(parsed, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _patience(url: URL) -> dict[str, Any]:
    """How long to wait for PostgreSQL in which case, but for what the URL says itself."""
    ours = {"statement_timeout": round(STATEMENT_SECONDS * 1000), **SERVER_KEEPALIVE}
    bounds = {
        "connect_timeout": CONNECT_SECONDS,
        **KEEPALIVE,
        "tcp_user_timeout": UNACKNOWLEDGED_SECONDS * 1000,
        "options": " ".join(f"-c {name}={value}" for name, value in ours.items()),
    }
    return {name: value for name, value in bounds.items() if name not in url.query}


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

"""One empty database after the other on a real PostgreSQL, quickly."""

from __future__ import annotations

from sqlalchemy import text

from lookalike.services.db import Database
from lookalike.services.models import Base
from tests.servers.postgres import Postgres


class Emptied:
    """A database that is migrated once and emptied for each test."""

    def __init__(self) -> None:
        self._server = Postgres()
        self._url = self._server.database()
        self._db = Database(self._url)
        self._db.migrate()

    def url(self) -> str:
        """The URL of the database, all its tables empty."""
        tables = ", ".join(Base.metadata.tables)
        with self._db.engine.begin() as connection:
            connection.execute(text(f"TRUNCATE {tables} CASCADE"))
        return self._url

    def stop(self) -> None:
        """End the server."""
        self._db.close()
        self._server.stop()

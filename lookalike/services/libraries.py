"""Libraries: named sets of pictures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from lookalike.services.db import Database, lock
from lookalike.services.errors import InvalidRequestError, NotFoundError
from lookalike.services.models import DEFAULT_LIBRARY, Library, Picture

NAME_PATTERN = r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}$"


@dataclass(frozen=True, slots=True)
class LibraryRecord:
    """A library and how many pictures it holds."""

    name: str
    images: int
    added_at: datetime


class Libraries:
    """Make and list libraries."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: set[str] = set()

    def create(self, name: str) -> LibraryRecord:
        """Make a library; one that exists already is returned as it is.

        Raises InvalidRequestError for a name that is not 1 to 100 letters, digits, `.`, `-`, `_`.
        """
        if not re.match(NAME_PATTERN, name) or name.endswith("\n"):
            raise InvalidRequestError(
                "A library's name has 1 to 100 letters, digits, dots, dashes or underscores, "
                "and begins with a letter, digit or underscore.",
                field="name",
            )
        with self._db.write() as session:
            lock(session, f"library {name}")
            if session.get(Library, name) is None:
                session.add(Library(name=name))
        return self.get(name)

    def ensure_default(self) -> None:
        """Make the library that is used when none is named."""
        self.create(DEFAULT_LIBRARY)

    def get(self, name: str) -> LibraryRecord:
        """One library. Raises NotFoundError."""
        with self._db.read() as session:
            row = session.execute(_records().where(Library.name == name)).first()
        if row is None:
            raise unknown_library(name)
        return LibraryRecord(*row)

    def require(self, name: str) -> None:
        """Check that a library exists. Raises NotFoundError.

        One that was there once is not looked up again: libraries stay.
        """
        if name not in self._known:
            with self._db.read() as session:
                require_library(session, name)
            self._known.add(name)

    def list(self) -> list[LibraryRecord]:
        """All libraries by name."""
        with self._db.read() as session:
            rows = session.execute(_records().order_by(Library.name))
            return [LibraryRecord(*row) for row in rows]


def _records() -> Select[str, int, datetime]:
    return (
        select(Library.name, func.count(Picture.id), Library.added_at)
        .outerjoin(Picture, Picture.library == Library.name)
        .group_by(Library.name, Library.added_at)
    )


def require_library(session: Session, name: str) -> None:
    """Check within a transaction that a library exists. Raises NotFoundError."""
    if session.get(Library, name) is None:
        raise unknown_library(name)


def unknown_library(name: str) -> NotFoundError:
    """The error for a library that is not there."""
    return NotFoundError(
        f"There is no library named {name!r}. Create it first, or use {DEFAULT_LIBRARY!r}.",
        library=name,
    )

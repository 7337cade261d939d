"""The imports of a platform on their way into an archive."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import Session

from lookalike.services.archive.form import (
    FAILURES,
    IMPORTS,
    LINKS,
    FailureLine,
    ImportLine,
    LinkLine,
    Model,
    Show,
    line_of,
    parse,
)
from lookalike.services.archive.members import Members
from lookalike.services.models import Base, Import, ImportedPicture, ImportFailure

ROWS = 500


class SavedImports:
    """The imports of one moment, as lines in temporary files: one may have brought millions."""

    def __init__(
        self, imports: IO[bytes], links: IO[bytes], present: IO[bytes], failures: IO[bytes]
    ) -> None:
        """The files are empty; `present` is for links of pictures that are in the archive."""
        self._imports, self._links, self._failures = imports, links, failures
        self._present = present
        self.imports = self.links = self.failures = 0

    def read(self, session: Session, show: Show) -> None:
        """Read them all in this transaction."""
        with_file = Import.file_key.is_not(None).label("with_file")
        imports = _columns(Import, ImportLine, with_file).order_by(Import.id)
        self.imports = _copy(session, imports, ImportLine, self._imports)
        links = _columns(ImportedPicture, LinkLine)
        links = links.order_by(ImportedPicture.import_id, ImportedPicture.position)
        _copy(session, links, LinkLine, self._links, show)
        failures = _columns(ImportFailure, FailureLine)
        failures = failures.order_by(ImportFailure.import_id, ImportFailure.position)
        self.failures = _copy(session, failures, FailureLine, self._failures)

    def write(self, members: Members, absent: Collection[str]) -> None:
        """Add them to the archive, but no link of a picture whose hash is `absent` from it."""
        self._links.seek(0)
        for text in self._links:
            link = parse(LinkLine, text, LINKS)
            if link.picture_id is None or link.sha256 not in absent:
                self._present.write(text)
                self.links += 1
        members.put_file(IMPORTS, self._imports)
        members.put_file(LINKS, self._present)
        members.put_file(FAILURES, self._failures)


@contextmanager
def saved_imports(folder: Path) -> Iterator[SavedImports]:
    """The imports, whose files lie in `folder` until the block ends."""
    with ExitStack() as stack:
        files = [stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in range(4)]
        yield SavedImports(*files)


def _columns(
    table: type[Base], line: type[Model], *more: ColumnElement[Any]
) -> Select[*tuple[Any, ...]]:
    """What a line tells of a row: the columns that its fields are called like, and `more`."""
    columns = table.__table__.columns
    return select(*(columns[name] for name in line.model_fields if name in columns), *more)


def _copy(
    session: Session,
    query: Select[*tuple[Any, ...]],
    line: type[Model],
    file: IO[bytes],
    show: Show = lambda *_: None,
) -> int:
    """Write the rows to the file, as lines; how many."""
    count = 0
    rows = session.execute(query, execution_options={"yield_per": ROWS}).mappings()
    for count, row in enumerate(rows, start=1):
        file.write(line_of(line.model_validate(dict(row))))
        show("Imported", count, 0)
    return count

"""What a verified archive holds, a line at a time: there may be millions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from lookalike.services.archive.form import (
    FAILURES,
    IMPORTS,
    LINKS,
    PICTURES,
    FailureLine,
    ImportLine,
    LibraryLine,
    LinkLine,
    Manifest,
    Model,
    PictureLine,
    parse,
)

LONG = (PICTURES, IMPORTS, LINKS, FAILURES)
"""Members that are too long for memory, however many lines they have."""


@dataclass(slots=True)
class Archive:
    """A verified archive; `files` has a copy of each of the `LONG` members by name."""

    path: Path
    manifest: Manifest
    libraries: list[LibraryLine]
    files: Mapping[str, IO[bytes]]

    def lines(self) -> Iterator[PictureLine]:
        """The pictures, in the order of their hashes."""
        return self._lines(PictureLine, PICTURES)

    def imports(self) -> Iterator[ImportLine]:
        """The imports, oldest first."""
        return self._lines(ImportLine, IMPORTS)

    def links(self) -> Iterator[LinkLine]:
        """The pictures of imports, by import and position."""
        return self._lines(LinkLine, LINKS)

    def failures(self) -> Iterator[FailureLine]:
        """What failed in imports, by import and position."""
        return self._lines(FailureLine, FAILURES)

    def _lines(self, model: type[Model], name: str) -> Iterator[Model]:
        file = self.files[name]
        file.seek(0)
        return (parse(model, line, name) for line in file)

"""Checks that the imports of an archive are whole, before anything of them is restored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import TypeVar
from uuid import UUID

from lookalike.services.archive.contents import Archive
from lookalike.services.archive.form import FailureLine, LinkLine, damaged
from lookalike.services.consistency.reading import IdSet
from lookalike.services.slices import sliced

Part = TypeVar("Part", LinkLine, FailureLine)


def check_imports(archive: Archive, pictures: IdSet) -> None:
    """Raise ArchiveError unless all its imports, with all that they name, are there once.

    `pictures` has the ids of the pictures that are in it.
    """
    known = _known(archive)
    links = _linked(_each_once(archive.links(), known), pictures)
    failures = sum(1 for _ in _each_once(archive.failures(), known))
    manifest = archive.manifest
    for found, promised, what in (
        (len(known), manifest.imports, "imports"),
        (links, manifest.imported, "imported pictures"),
        (failures, manifest.failures, "failures of imports"),
    ):
        if found != promised:
            raise damaged(f"{found} of {promised} {what} are there")


def _known(archive: Archive) -> set[UUID]:
    libraries = {library.name for library in archive.libraries}
    known: set[UUID] = set()
    for line in archive.imports():
        if line.library not in libraries:
            raise damaged("an import is into no library")
        if line.id in known:
            raise damaged("two imports have one id")
        known.add(line.id)
    return known


def _each_once(lines: Iterable[Part], imports: Set[UUID]) -> Iterator[Part]:
    """The lines, after each was found to be of an import and behind the line before it."""
    before: tuple[UUID, int] | None = None
    for line in lines:
        place = line.import_id, line.position
        if line.import_id not in imports or (before is not None and place <= before):
            raise damaged("a part of an import is of none, or comes twice")
        before = place
        yield line


def _linked(links: Iterable[LinkLine], pictures: IdSet) -> int:
    """How many there are, after each was found to be of a picture, or of a rehearsal's."""
    count = 0
    for some in sliced(links):
        count += len(some)
        named = [line.picture_id.bytes for line in some if line.picture_id is not None]
        if any(pictures.lacks(named)):
            raise damaged("an import has brought a picture that is not there")
    return count

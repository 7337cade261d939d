"""Sources stay open between slices, also where another process has read a part of them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from lookalike.services.importing.reading import Readers
from lookalike.services.labels import Labels
from lookalike.services.models import Import, new_id
from lookalike.services.sources.records import Found, Item


class Counted:
    """A source of ten items, and how often one was opened."""

    opened = 0

    def __init__(self, kind: str, spec: Mapping[str, Any], **given: Any) -> None:
        type(self).opened += 1
        self.given = given

    def items(self, start: int = 0) -> Iterator[Item]:
        """As `Source` promises."""
        for position in range(start, 10):
            yield Found(position, f"{position}", Labels(), lambda _sink: None)

    def total(self) -> int:
        """As `Source` promises."""
        return 10

    def close(self) -> None:
        """As `Source` promises."""


class NoBlobs:
    """Holds nothing."""

    def open(self, key: str) -> BinaryIO:
        """As `BlobStore` promises."""
        return io.BytesIO()


def row(position: int = 0) -> Import:
    return Import(id=new_id(), kind="zip", spec={}, position=position, of_owner=False)


def read(readers: Readers, one: Import, count: int) -> list[int]:
    with readers.reading(one) as reader:
        items = [reader.next() for _ in range(count)]
        one.position = reader.position
    return [item.position for item in items if item]


def test_two_processes_that_take_turns_open_a_source_once_each():
    Counted.opened = 0
    ours, theirs, one = Readers(Counted, NoBlobs()), Readers(Counted, NoBlobs()), row()
    turns = [read(readers, one, 2) for readers in (ours, theirs, ours, theirs, ours)]
    assert turns == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert Counted.opened == 2


def test_whoever_is_ahead_opens_it_again():
    Counted.opened = 0
    readers, one = Readers(Counted, NoBlobs()), row()
    read(readers, one, 5)
    one.position = 1
    assert read(readers, one, 1) == [1]
    assert Counted.opened == 2

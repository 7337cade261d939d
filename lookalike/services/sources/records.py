"""What sources of an import are and give: items that were found and items that were refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from lookalike.services.errors import PictureError
from lookalike.services.labels import Labels

MEBIBYTE = 1024 * 1024


class Sink(Protocol):
    """Takes the bytes of one item; a staged file is one."""

    def write(self, data: bytes, /) -> int:
        """Take the next bytes; answers how many."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """One item that can be read.

    `position` is its place in the source, from 0, the same in every reading of a source that has
    not changed. `name` is for people: no control characters, at most 1,000 letters.

    `read` writes the bytes to a sink and raises PictureError when this item alone is bad. Call it
    before the next item is taken: archives are read in one go. Only where it is `apart` may it be
    called later, and in another thread: what comes over a network is mostly waited for. Whatever
    the sink itself raises comes through unchanged.
    """

    position: int
    name: str
    labels: Labels
    read: Callable[[Sink], None]
    apart: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """One item that is refused before it is read."""

    position: int
    name: str
    error: PictureError


Item: TypeAlias = Found | Refused


class Source(Protocol):
    """Something that pictures come from. Not safe to use from several threads at once."""

    def items(self, start: int = 0) -> Iterator[Item]:
        """The items from position `start` on, in memory that does not grow with their bytes.

        One reading at a time. Closing the iterator releases what it holds. Raises SourceError
        when nothing more can be read, UnavailableError when trying again later can succeed.
        """
        ...

    def total(self) -> int | None:
        """How many items there are; None when only reading all of it would tell."""
        ...

    def close(self) -> None:
        """Release files and connections. May be called twice."""
        ...


@dataclass(frozen=True, slots=True)
class SourceLimits:
    """How much is taken from strangers.

    `max_bytes`: of one picture. `max_ratio`: unpacked bytes for each packed one; photographs reach
    2, and what people draw seldom 50. `max_text_bytes`: of one line, label file or header of an
    archive. The seconds are for a URL: to connect, between two pieces, and for all of it.
    """

    max_bytes: int = 50 * MEBIBYTE
    max_ratio: int = 50
    max_text_bytes: int = MEBIBYTE
    max_redirects: int = 5
    connect_seconds: float = 5
    read_seconds: float = 10
    total_seconds: float = 60

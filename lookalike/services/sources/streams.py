"""The bytes of an archive from its beginning on, packed or not, counted on both sides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol

from lookalike.services.errors import DamagedEntryError
from lookalike.services.sources.copying import BLOCK
from lookalike.services.sources.unpacking import (
    BROKEN,
    Unpacker,
    bzip2,
    gzip_or_zlib,
    ratio_too_high,
    xz,
)

_PACKED_BLOCK = 16 * 1024

MOST_WASTE = 1024**3
"""An archive may unpack to this much more than its ratio allows: some seconds, and entries that
are refused for it leave the others alone. Beyond, nobody waits for what may come."""

_UNPACKERS: Mapping[bytes, Callable[[], Unpacker]] = {
    b"\x1f\x8b": gzip_or_zlib,
    b"BZh": bzip2,
    b"\xfd7zXZ\x00": xz,
}


class Stream(Protocol):
    """Read once, from front to back."""

    @property
    def position(self) -> int:
        """How many bytes have been read or skipped."""
        ...

    @property
    def packed(self) -> int:
        """How many bytes of the file that took, more or less."""
        ...

    @property
    def length(self) -> int | None:
        """How many bytes there are in all; None where only reading would tell."""
        ...

    def read(self, size: int) -> bytes:
        """The next bytes, at least one and at most `size`; empty at the end.

        Raises PictureError where the file is damaged or too much comes out of it; nothing can be
        read after that.
        """
        ...

    def skip(self, size: int) -> None:
        """Pass over so many bytes, or all that are left."""
        ...


def open_stream(file: BinaryIO, max_ratio: int) -> Stream:
    """The stream that a file holds: unpacked as its first bytes say, or else as it is.

    `max_ratio`: unpacked bytes for each packed one, beyond the first `MOST_WASTE`.
    """
    file.seek(0)
    magic = file.read(6)
    for begin, make in _UNPACKERS.items():
        if magic.startswith(begin):
            return _PackedStream(file, make, max_ratio)
    return _PlainStream(file)


class _PlainStream:
    """See Stream. Keeps its own place, so others may read the file in between."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.length = file.seek(0, 2)
        self.position = 0

    @property
    def packed(self) -> int:
        """See Stream."""
        return self.position

    def read(self, size: int) -> bytes:
        """See Stream."""
        self._file.seek(self.position)
        data = self._file.read(size)
        self.position += len(data)
        return data

    def skip(self, size: int) -> None:
        """See Stream."""
        self.position = min(self.length, self.position + size)


class _PackedStream:
    """See Stream. Several packed streams after another count as one, as gzip and xz have it."""

    length = None

    def __init__(self, file: BinaryIO, make: Callable[[], Unpacker], max_ratio: int) -> None:
        self._file = file
        self._max_ratio = max_ratio
        self._place = 0
        self._make = make
        self._unpacker = make()
        self._waiting = b""
        self.position = 0

    @property
    def packed(self) -> int:
        """See Stream."""
        return self._place - len(self._waiting)

    def read(self, size: int) -> bytes:
        """See Stream."""
        while not self._unpacker.eof or self._next_stream():
            if self._unpacker.needs_input and not self._fill():
                raise DamagedEntryError("The archive ends too early. Make it again.")
            if data := self._unpack(size):
                return data
        return b""

    def skip(self, size: int) -> None:
        """See Stream."""
        while size > 0 and (data := self.read(min(size, BLOCK))):
            size -= len(data)

    def _unpack(self, size: int) -> bytes:
        given, self._waiting = self._waiting, b""
        try:
            data = self._unpacker.decompress(given, size)
        except BROKEN as error:
            raise DamagedEntryError(
                "The archive is damaged from here on. Make it again."
            ) from error
        self.position += len(data)
        if self.position > MOST_WASTE + self._max_ratio * self.packed:
            raise ratio_too_high()
        return data

    def _next_stream(self) -> bool:
        """Begin with the stream after this one; zeros between and after them mean nothing."""
        self._waiting = self._unpacker.unused_data.lstrip(b"\x00")
        while not self._waiting and self._fill():
            self._waiting = self._waiting.lstrip(b"\x00")
        if self._waiting:
            self._unpacker = self._make()
        return bool(self._waiting)

    def _fill(self) -> bool:
        if not self._waiting:
            self._file.seek(self._place)
            self._waiting = self._file.read(_PACKED_BLOCK)
            self._place += len(self._waiting)
        return bool(self._waiting)

"""Unpacking in bounded memory: however much a packed byte stands for, at most a block comes out."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Protocol

from lookalike.services.errors import DamagedEntryError, RatioTooHighError
from lookalike.services.sources.copying import BLOCK

MEMORY_BYTES = 128 * 1024 * 1024
"""Most that an xz file may ask for; its strongest usual preset asks for 65 MiB."""

BROKEN = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)
"""What the libraries raise for packed bytes that make no sense (bz2: OSError)."""


class Unpacker(Protocol):
    """One packed stream, as bz2's and lzma's decompressors have it."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What went in after the end of the stream."""
        ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take `data`, give at most `max_length` bytes."""
        ...


class Deflate:
    """zlib's decompressor with the manners of the others."""

    def __init__(self, window: int) -> None:
        """`window`: -15 for bare deflate, 31 for gzip, 47 for gzip or zlib."""
        self._zlib = zlib.decompressobj(window)
        self._full = False

    @property
    def eof(self) -> bool:
        """See Unpacker."""
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        """See Unpacker."""
        return not self._full and not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """See Unpacker."""
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """See Unpacker."""
        given = self._zlib.unconsumed_tail + data
        piece = self._zlib.decompress(given, max(0, max_length))
        # More may wait inside although all input is taken.
        self._full = len(piece) == max_length
        return piece


def deflate() -> Unpacker:
    """For entries of zip files."""
    return Deflate(-zlib.MAX_WBITS)


def gzip_or_zlib() -> Unpacker:
    """For gzip files and HTTP bodies."""
    return Deflate(32 + zlib.MAX_WBITS)


def xz() -> Unpacker:
    """For xz files."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=MEMORY_BYTES)


def bzip2() -> Unpacker:
    """For bzip2 files and entries of zip files."""
    return bz2.BZ2Decompressor()


def unpacked(blocks: Iterable[bytes], make: Callable[[], Unpacker]) -> Iterator[bytes]:
    """What one packed stream holds, in blocks. Raises DamagedEntryError for nonsense or a cut."""
    unpacker = make()
    source = iter(blocks)
    while not unpacker.eof:
        packed = next(source, b"") if unpacker.needs_input else b""
        hungry = unpacker.needs_input and not packed
        try:
            piece = unpacker.decompress(packed, BLOCK)
        except BROKEN as error:
            raise DamagedEntryError(
                "The packed data is damaged. Make the archive again."
            ) from error
        if piece:
            yield piece
        elif hungry and not unpacker.eof:
            raise DamagedEntryError("The packed data ends too early. Make the archive again.")


def damaged() -> DamagedEntryError:
    """The refusal of an entry that is not what the archive says."""
    return DamagedEntryError(
        "The entry is damaged, or the archive says wrong things of it. Make the archive again."
    )


def ratio_too_high() -> RatioTooHighError:
    """The refusal of what unpacks to too much."""
    return RatioTooHighError("This unpacks to far more than pictures ever do.")

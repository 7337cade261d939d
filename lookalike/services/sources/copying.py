"""Bytes from a source to a sink, counted as they really come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO

from lookalike.services.errors import TooLargeError
from lookalike.services.sources.records import MEBIBYTE, Sink

BLOCK = 64 * 1024


def copy(blocks: Iterable[bytes], sink: Sink, max_bytes: int) -> int:
    """Write every block; answers how many bytes. Raises TooLargeError at the first one too many."""
    size = 0
    for block in blocks:
        size += len(block)
        check_size(size, max_bytes)
        sink.write(block)
    return size


def check_size(size: int, max_bytes: int) -> None:
    """Raise TooLargeError where `size` is more than `max_bytes`."""
    if size > max_bytes:
        raise TooLargeError(
            f"The file has more than {max_bytes / MEBIBYTE:.4g} MB. Make it smaller, or have the "
            "administrator raise LOOKALIKE_MAX_FILE_BYTES.",
            max_bytes=max_bytes,
        )


def blocks_of(file: BinaryIO) -> Iterator[bytes]:
    """The rest of a file, piece by piece."""
    while block := file.read(BLOCK):
        yield block

"""The parts that picture files are made of, one reader a format; no pixel is decoded.

The readers are lazy and believe what the file says: a hostile file has no end of parts, so
whoever walks them keeps count (see `structure`).
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import BinaryIO, Literal, NamedTuple

LONGEST_JPEG_JUNK = 4096
"""Bytes between two segments that belong to neither; some cameras pad."""

_STANDALONE = {0x00, 0x01, 0xFF, *range(0xD0, 0xDA)}
"""Second bytes of JPEG markers without a length (T.81, B.1.1.3), stuffing and fill bytes."""


class Part(NamedTuple):
    """A part of a file: what it is, where its content starts and how many bytes that claims."""

    kind: bytes
    offset: int
    length: int


class Entry(NamedTuple):
    """An entry of a TIFF directory (TIFF 6.0, section 2): tag, type of values, their number."""

    tag: int
    type: int
    values: int


def jpeg_segments(file: BinaryIO) -> Iterator[int]:
    """Offsets of the markers before the first scan. Raises ValueError where there is none."""
    position = 2
    while True:
        position = _next_marker(file, position)
        file.seek(position)
        head = file.read(4)
        if len(head) < 4 or head[1] == 0xDA:
            return
        yield position
        position += 1 if head[1] in _STANDALONE else 2 + int.from_bytes(head[2:], "big")


def png_chunks(file: BinaryIO) -> Iterator[Part]:
    """The chunks up to IEND or the end of the file."""
    position = 8
    while True:
        file.seek(position)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4], "big")
        yield Part(head[4:], position + 8, length)
        position += 12 + length


def late_png_exif(file: BinaryIO) -> bytes | None:
    """The EXIF block of a PNG wherever it stands: Pillow meets late ones only after decoding."""
    for kind, offset, length in png_chunks(file):
        if kind == b"eXIf":
            file.seek(offset)
            return file.read(length)
    return None


def gif_blocks(file: BinaryIO) -> Iterator[int]:
    """Offsets of the extensions before the first frame and of their data blocks (GIF89a, 15)."""
    file.seek(10)
    flags = int.from_bytes(file.read(1), "big")
    position = 13 + (3 << (flags % 8 + 1) if flags & 128 else 0)
    file.seek(position)
    while file.read(1) == b"!":
        yield file.tell()
        file.seek(1, io.SEEK_CUR)
        while size := int.from_bytes(file.read(1), "big"):
            yield file.tell()
            file.seek(size, io.SEEK_CUR)


def tiff_entries(file: BinaryIO) -> Iterator[Entry]:
    """The first directory of a TIFF or BigTIFF, up to the end of the file."""
    file.seek(0)
    head = file.read(16)
    order = tiff_byte_order(head)
    big = b"+" in head[2:4]
    counter, entry = (8, 20) if big else (2, 12)
    file.seek(int.from_bytes(head[8:16] if big else head[4:8], order))
    for _ in range(int.from_bytes(file.read(counter), order)):
        row = file.read(entry)
        if len(row) < entry:
            return
        numbers = (row[:2], row[2:4], row[4 : entry // 2 + 2])
        yield Entry(*(int.from_bytes(number, order) for number in numbers))


def tiff_byte_order(head: bytes) -> Literal["little", "big"]:
    """The byte order that a TIFF's first byte announces."""
    return "little" if head[:1] == b"I" else "big"


def iso_boxes(file: BinaryIO) -> Iterator[Part]:
    """The outermost boxes of a HEIF or AVIF file (ISO/IEC 14496-12, 4.2)."""
    end = file.seek(0, io.SEEK_END)
    position = 0
    while position + 8 <= end:
        file.seek(position)
        head = file.read(16)
        size, header = int.from_bytes(head[:4], "big"), 8
        if size == 1:
            size, header = int.from_bytes(head[8:], "big"), 16
        size = size or end - position
        if size < header:
            return
        yield Part(head[4:8], position + header, size - header)
        position += size


def _next_marker(file: BinaryIO, position: int) -> int:
    file.seek(position)
    junk = file.read(LONGEST_JPEG_JUNK)
    found = junk.find(b"\xff")
    if found < 0 and len(junk) == LONGEST_JPEG_JUNK:
        raise ValueError("no JPEG marker where one should be")
    return position + max(found, 0)

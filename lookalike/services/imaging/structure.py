"""Files whose structure alone would hang or crash a decoder are refused before it sees them.

Measured with Pillow 13 on 8 to 50 MB: a JPEG header of empty segments takes half a minute and
gigabytes, a TIFF of a million strips 19 s, endless PNG chunks and GIF comments 10 s and more,
progressive scans without end hours. Real files stay far below these bounds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import BinaryIO

from lookalike.services.errors import CorruptError
from lookalike.services.imaging.containers import (
    gif_blocks,
    iso_boxes,
    jpeg_segments,
    png_chunks,
    tiff_entries,
)

MAX_JPEG_SEGMENTS = 2000
"""A 16 MB colour profile or depth map takes 256 segments of 64 KiB."""

MAX_JPEG_SCANS = 500
"""Encoders write about 10. libjpeg-turbo's own fuzzers stop at 500 as well."""

MAX_PNG_CHUNKS = 100_000
"""The largest file that is accepted by default makes 6,400 chunks of the usual 8 KiB."""

MAX_GIF_BLOCKS = 100_000
"""Blocks of up to 255 bytes with comments and colour profiles before the first frame."""

MAX_TIFF_VALUES = 200_000
"""Numbers in the first directory: two for each strip, of which most files have under 1,000."""

MAX_HEIC_DIRECTORY = 4 * 1024 * 1024
"""Bytes of the list of a HEIC's parts; a phone's 48-megapixel picture takes 20 KB."""

MAX_HEIC_ITEM = 4096
"""Bytes of one entry of that list: four letters and a short name."""

_BYTE_TYPES = {1, 2, 6, 7}
"""TIFF types whose values stay one string of bytes, however many there are."""


def check_structure(name: str, file: BinaryIO) -> None:
    """Refuse a structure that would hang or crash the decoder of format `name`.

    Raises CorruptError where there is no end to it and ValueError where it is damaged or cut.
    """
    if name in _CHECKS:
        _CHECKS[name](file)


def check_scans(name: str, data: bytes) -> None:
    """Raise CorruptError for a JPEG with more scans than decoding should take."""
    if name == "jpeg" and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise _endless("scans", MAX_JPEG_SCANS)


def _check_count(parts: Iterable[object], most: int, what: str) -> None:
    for number, _ in enumerate(parts, 1):
        if number > most:
            raise _endless(what, most)


def _check_tiff(file: BinaryIO) -> None:
    values = 0
    for entry in tiff_entries(file):
        values += 1 if entry.type in _BYTE_TYPES else entry.values
        if values > MAX_TIFF_VALUES:
            raise _endless("values", MAX_TIFF_VALUES)


def _check_heic(file: BinaryIO) -> None:
    """Every item's type and name must be text.

    pi-heif 1.4 turns them into str without looking and kills the process when they are not.
    """
    for kind, offset, length in iso_boxes(file):
        if kind == b"meta":
            file.seek(offset)
            directory = file.read(min(length, MAX_HEIC_DIRECTORY + 1))
            places = (entry.start() - 4 for entry in re.finditer(b"infe", directory))
            if len(directory) > MAX_HEIC_DIRECTORY or not all(
                start >= 0 and _names_are_text(directory, start) for start in places
            ):
                raise ValueError("names of HEIC items are not text")


def _names_are_text(directory: bytes, start: int) -> bool:
    """The `infe` box at `start` (ISO/IEC 14496-12, 8.11.6): version, flags, two numbers, text."""
    size = int.from_bytes(directory[start : start + 4], "big")
    entry = directory[start + 8 : start + min(size, MAX_HEIC_ITEM)]
    try:
        entry[10 if entry[:1] == b"\3" else 8 :].decode()
    except UnicodeDecodeError:
        return False
    return 12 < size <= MAX_HEIC_ITEM


def _endless(parts: str, most: int) -> CorruptError:
    return CorruptError(
        f"The file is made of more than {most:,} {parts}, which no real picture is. "
        "Export the picture again.",
        most=most,
    )


_CHECKS: Mapping[str, Callable[[BinaryIO], None]] = {
    "jpeg": lambda file: _check_count(jpeg_segments(file), MAX_JPEG_SEGMENTS, "segments"),
    "png": lambda file: _check_count(png_chunks(file), MAX_PNG_CHUNKS, "chunks"),
    "gif": lambda file: _check_count(gif_blocks(file), MAX_GIF_BLOCKS, "blocks"),
    "tiff": _check_tiff,
    "heic": _check_heic,
}

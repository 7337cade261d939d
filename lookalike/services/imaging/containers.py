"""What a file's own structure says before any pixel is decoded.

Decoders trust the structure. A JPEG header of millions of empty segments keeps Pillow busy for
half a minute and fills gigabytes, and so do the endless chunks of a PNG or the endless scans of a
progressive JPEG. Real files stay far below the bounds here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, Literal

from lookalike.services.errors import CorruptError

MAX_JPEG_SEGMENTS = 2000
"""A 16 MB colour profile or depth map takes 256 segments of 64 KiB."""

MAX_JPEG_JUNK = 4096
"""Bytes between two segments that belong to neither; some cameras pad."""

MAX_JPEG_SCANS = 500
"""Encoders write about 10. libjpeg-turbo's own fuzzers stop at 500 as well."""

MAX_PNG_CHUNKS = 100_000
"""The largest file that is accepted by default makes 6,400 chunks of the usual 8 KiB."""

MAX_HEIC_DIRECTORY = 4 * 1024 * 1024
"""Bytes of the list of a HEIC's parts; a phone's 48-megapixel picture takes 20 KB."""

MAX_HEIC_ITEM = 4096
"""Bytes of one entry of that list: four letters and a short name."""

_STANDALONE = {0x00, 0x01, 0xFF, *range(0xD0, 0xDA)}
"""Second bytes of JPEG markers without a length (T.81, B.1.1.3), stuffing and fill bytes."""


def check_structure(name: str, file: BinaryIO) -> None:
    """Refuse a structure that would hang or crash the decoder of format `name`.

    Raises CorruptError where there is no end to it and ValueError where it is damaged or cut.
    """
    if name == "jpeg":
        _walk_jpeg_header(file)
    elif name == "png":
        for _ in png_chunks(file):
            pass
    elif name == "heic":
        _check_heic_items(file)


def check_scans(name: str, data: bytes) -> None:
    """Raise CorruptError for a JPEG with more scans than decoding should take."""
    if name == "jpeg" and data.count(b"\xff\xda") > MAX_JPEG_SCANS:
        raise _endless("scans", MAX_JPEG_SCANS)


def png_chunks(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset of the data and length of each chunk up to IEND or the end of the file.

    Raises CorruptError after `MAX_PNG_CHUNKS`.
    """
    position = 8
    for _ in range(MAX_PNG_CHUNKS):
        file.seek(position)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        length = int.from_bytes(head[:4], "big")
        yield head[4:], position + 8, length
        position += 12 + length
    raise _endless("chunks", MAX_PNG_CHUNKS)


def late_png_exif(file: BinaryIO) -> bytes | None:
    """The EXIF block of a PNG wherever it stands: Pillow meets late ones only after decoding."""
    for kind, offset, length in png_chunks(file):
        if kind == b"eXIf":
            file.seek(offset)
            return file.read(length)
    return None


def ends_early(name: str, data: bytes) -> bool:
    """Whether the file stops before its own structure does; only worth asking after a failure."""
    check = _ENDS_EARLY.get(name)
    return check is not None and check(data)


def _walk_jpeg_header(file: BinaryIO) -> None:
    position = 2
    for _ in range(MAX_JPEG_SEGMENTS):
        position = _next_marker(file, position)
        file.seek(position)
        head = file.read(4)
        if len(head) < 4 or head[1] == 0xDA:
            return
        position += 1 if head[1] in _STANDALONE else 2 + int.from_bytes(head[2:], "big")
    raise _endless("segments", MAX_JPEG_SEGMENTS)


def _next_marker(file: BinaryIO, position: int) -> int:
    file.seek(position)
    junk = file.read(MAX_JPEG_JUNK)
    found = junk.find(b"\xff")
    if found < 0 and len(junk) == MAX_JPEG_JUNK:
        raise CorruptError("The JPEG's header is damaged. Export the picture again.")
    return position + max(found, 0)


def _check_heic_items(file: BinaryIO) -> None:
    """Every item's type and name must be text.

    pi-heif 1.4 turns them into str without looking and kills the process when they are not.
    """
    for kind, offset, length in _boxes(file):
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


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """Type, offset of the content and its length of the outermost boxes (14496-12, 4.2)."""
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
        yield head[4:8], position + header, size - header
        position += size


def _scan_without_end(data: bytes) -> bool:
    """Whether a scan of a JPEG begins after the last end-of-image marker."""
    return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")


def _riff_overruns(data: bytes) -> bool:
    return int.from_bytes(data[4:8], "little") + 8 > len(data)


def _directory_overruns(data: bytes) -> bool:
    """Whether the first directory of a TIFF or BigTIFF, by its own count, is not all there."""
    order: Literal["little", "big"] = "little" if data[:1] == b"I" else "big"
    big = b"+" in data[2:4]
    pointer, counter, entry = (8, 8, 20) if big else (4, 2, 12)
    start = int.from_bytes(data[8:16] if big else data[4:8], order)
    entries = int.from_bytes(data[start : start + counter], order)
    return start + counter + entries * entry + pointer > len(data)


def _box_overruns(data: bytes) -> bool:
    """Whether the last outermost box of a HEIF file claims more bytes than there are."""
    ends = [offset + length for _, offset, length in _boxes(io.BytesIO(data))]
    return not ends or ends[-1] != len(data)


def _endless(parts: str, most: int) -> CorruptError:
    return CorruptError(
        f"The file is made of more than {most:,} {parts}, which no real picture is. "
        "Export the picture again.",
        most=most,
    )


_ENDS_EARLY: Mapping[str, Callable[[bytes], bool]] = {
    "jpeg": _scan_without_end,
    "png": lambda data: b"IEND" not in data,
    "gif": lambda data: not data.endswith(b";"),
    "webp": _riff_overruns,
    "tiff": _directory_overruns,
    "avif": _box_overruns,
    "heic": _box_overruns,
}

"""Whether a file that cannot be decoded was cut short: people can do something about that."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

from lookalike.services.imaging.containers import iso_boxes, tiff_byte_order


def ends_early(name: str, data: bytes) -> bool:
    """Whether `data` stops before its own structure does; only worth asking after a failure."""
    check = _ENDS_EARLY.get(name)
    return check is not None and check(data)


def _scan_without_end(data: bytes) -> bool:
    """Whether a scan of a JPEG begins after the last end-of-image marker."""
    return data.rfind(b"\xff\xd9") <= data.rfind(b"\xff\xda")


def _riff_overruns(data: bytes) -> bool:
    return int.from_bytes(data[4:8], "little") + 8 > len(data)


def _directory_overruns(data: bytes) -> bool:
    """Whether the first directory of a TIFF or BigTIFF, by its own count, is not all there."""
    order = tiff_byte_order(data)
    big = b"+" in data[2:4]
    pointer, counter, entry = (8, 8, 20) if big else (4, 2, 12)
    start = int.from_bytes(data[8:16] if big else data[4:8], order)
    entries = int.from_bytes(data[start : start + counter], order)
    return start + counter + entries * entry + pointer > len(data)


def _box_overruns(data: bytes) -> bool:
    """Whether the outermost boxes of a HEIF or AVIF do not end where the file does."""
    ends = [offset + length for _, offset, length in iso_boxes(io.BytesIO(data))]
    return not ends or ends[-1] != len(data)


_ENDS_EARLY: Mapping[str, Callable[[bytes], bool]] = {
    "jpeg": _scan_without_end,
    "png": lambda data: b"IEND" not in data,
    "gif": lambda data: not data.endswith(b";"),
    "webp": _riff_overruns,
    "tiff": _directory_overruns,
    "avif": _box_overruns,
    "heic": _box_overruns,
}

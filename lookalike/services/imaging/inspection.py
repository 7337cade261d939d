"""The look at the door: whether a file is a picture that is accepted, and what it says."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO

from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.metadata import taken_at
from lookalike.services.imaging.opening import opened


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """What the header tells. `width` and `height` are upright, `taken_at` is aware or None.

    `format` is one of jpeg, png, webp, avif, gif, tiff, bmp, heic.
    """

    format: str
    width: int
    height: int
    taken_at: datetime | None


def inspect(file: BinaryIO, limits: Limits) -> PictureInfo:
    """Read the header of the picture in `file`, which is seekable and stays open.

    Pixels are not decoded, so damage further in shows only when `decode` is called. Raises
    EmptyFileError, NotAnImageError, UnsupportedFormatError, TooLargeError, TooManyPixelsError,
    TooSmallError, CorruptError or TruncatedError.
    """
    with opened(file, limits) as source:
        return PictureInfo(source.format, *source.size, taken_at(source.exif))

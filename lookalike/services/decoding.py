"""What decoding gives and takes: the bytes of a picture in, what an index keeps of it out.

Imported by the processes that decode, so it must not pull in anything large.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from lookalike.services.errors import UnavailableError
from lookalike.services.imaging.limits import Limits
from lookalike.services.records import Pixels


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """All that an index wants of a picture.

    `thumbnail` is a JPEG file, `pixels` one square for each recipe that was asked for, in that
    order, `dhash` and `phash` 64-bit fingerprints as 16 hex digits.
    """

    thumbnail: bytes
    pixels: tuple[Pixels, ...]
    dhash: str
    phash: str


def read_picture(file: BinaryIO, limits: Limits) -> bytes:
    """The bytes of a picture file, from its beginning; one more than is accepted tells of more.

    Raises UnavailableError if the file cannot be read: a failing disk is no bad picture.
    """
    try:
        file.seek(0)
        return file.read(limits.max_bytes + 1)
    except OSError as error:
        raise UnavailableError(
            f"The picture store cannot be read ({error.strerror}). Check its disk."
        ) from error

"""The work of decoding, as pure functions of bytes: run in this process or in another one."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from typing import Concatenate, TypeAlias, TypeVar

from PIL import Image

from lookalike.services.decoding import Prepared
from lookalike.services.errors import TooManyPixelsError, TooMuchMemoryError
from lookalike.services.imaging.decoding import LARGE_PIXELS, decode
from lookalike.services.imaging.fingerprints import dhash, phash
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.opening import opened
from lookalike.services.imaging.preparing import Box, crop, prepare
from lookalike.services.imaging.thumbnails import thumbnail
from lookalike.services.records import Pixels, Recipe

T = TypeVar("T")

Job: TypeAlias = Callable[Concatenate[bytes, Limits, ...], T]
"""A function of a picture's bytes, the limits, and whatever else it wants."""

PROBE_SIZE = (4000, 3000)
"""As large as a phone's picture: what decodes this has memory enough for nearly all."""


class Turn(Enum):
    """Instead of a result: the picture is so large that it must be decoded alone."""

    NEEDED = auto()


def prepare_for_index(
    data: bytes, limits: Limits, recipes: Sequence[Recipe], side: int
) -> Prepared:
    """Decode once; make the thumbnail, pixels for each recipe, and the fingerprints."""
    longest = max([side, *(recipe.size for recipe in recipes)])
    shorter = max([0, *(recipe.shorter for recipe in recipes)])
    image = decode(io.BytesIO(data), limits, longest, shorter)
    return Prepared(
        thumbnail(image, side),
        tuple(prepare(image, recipe) for recipe in recipes),
        f"{dhash(image):016x}",
        f"{phash(image):016x}",
    )


def prepare_query(data: bytes, limits: Limits, recipe: Recipe, box: Box | None) -> Pixels:
    """Decode and prepare a picture, or the part of it that `box` marks."""
    if box is None:
        return prepare(decode(io.BytesIO(data), limits, recipe.size, recipe.shorter), recipe)
    return prepare(crop(decode(io.BytesIO(data), limits), box), recipe)


def make_thumbnail(data: bytes, limits: Limits, side: int) -> bytes:
    """Decode and encode again as a small JPEG."""
    return thumbnail(decode(io.BytesIO(data), limits, side), side)


def attempt(job: Job[T], data: bytes, limits: Limits, *arguments: object) -> T:
    """Run a job; raises what it raises, and TooMuchMemoryError where it runs out of memory."""
    with memory_told():
        return job(data, limits, *arguments)


def attempt_unless_large(job: Job[T], data: bytes, limits: Limits, *arguments: object) -> T | Turn:
    """Like `attempt`, but a picture that is large by its header is left for later."""
    with memory_told():
        if _is_large(data, limits):
            return Turn.NEEDED
    return attempt(job, data, limits, *arguments)


def probe() -> None:
    """Decode a picture that is known to be good. Raises whatever stands in the way."""
    file = io.BytesIO()
    with memory_told():
        Image.new("RGB", PROBE_SIZE).save(file, "PNG", compress_level=1)
        width, height = PROBE_SIZE
        make_thumbnail(file.getvalue(), Limits(len(file.getvalue()), width * height, 1), 256)


@contextmanager
def memory_told() -> Iterator[None]:
    """Raise TooMuchMemoryError where memory ends, in a decoder or around it."""
    try:
        yield
    except (MemoryError, TooManyPixelsError) as error:
        if isinstance(error, TooManyPixelsError) and not isinstance(error.__cause__, MemoryError):
            raise
        raise TooMuchMemoryError(
            "The picture needs more memory than decoding one may take. Make it smaller and try "
            "again."
        ) from error


def _is_large(data: bytes, limits: Limits) -> bool:
    with opened(io.BytesIO(data), limits) as source:
        width, height = source.size
        return width * height > LARGE_PIXELS

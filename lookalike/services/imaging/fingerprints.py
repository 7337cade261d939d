"""64-bit perceptual hashes: pictures that look the same differ in few bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 8
"""Bits are an 8 x 8 grid, read row by row, the first one highest."""

SAMPLES = 32
"""Side of the grey square whose frequencies `phash` looks at."""


def dhash(picture: Image.Image) -> int:
    """Difference hash: whether brightness rises from each cell of a 9 x 8 grid to the next.

    Neal Krawetz, "Kind of Like That", The Hacker Factor Blog, 2013. 0 <= hash < 2**64.
    """
    cells = _grey(picture, (SIDE + 1, SIDE))
    return _number(cells[:, 1:] > cells[:, :-1])


def phash(picture: Image.Image) -> int:
    """DCT hash: which of 64 low frequencies are stronger than their median.

    Christoph Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions", 2010:
    32 x 32 grey, type II cosine transform, coefficients 1 to 8 each way.
    0 <= hash < 2**64.
    """
    cells = _grey(picture, (SAMPLES, SAMPLES)).astype(np.float64)
    low = _LOW_FREQUENCIES @ cells @ _LOW_FREQUENCIES.T
    # A thousandth of a grey level is far below any content and far above rounding errors, which
    # would otherwise decide the bits of flat and of symmetric pictures.
    strength = np.round(low, 3)
    return _number(strength > np.median(strength))


def hamming(first: int, second: int) -> int:
    """How many of the 64 bits differ, 0 to 64; up to about 10 means the same picture."""
    return (first ^ second).bit_count()


def _grey(picture: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    small = picture.resize(size, Image.Resampling.BOX, reducing_gap=3.0)
    return np.asarray(small.convert("L"))


def _number(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _cosines() -> NDArray[np.float64]:
    """Rows 1 to 8 of the orthonormal DCT-II matrix, sqrt(2/n) cos(pi (2j + 1) i / 2n)."""
    rows = np.arange(1, SIDE + 1)[:, None]
    columns = 2 * np.arange(SAMPLES) + 1
    waves = np.cos(np.pi * rows * columns / (2 * SAMPLES))
    return np.asarray(np.sqrt(2 / SAMPLES) * waves, dtype=np.float64)


_LOW_FREQUENCIES = _cosines()

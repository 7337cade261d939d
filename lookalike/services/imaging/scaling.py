"""Sizes that keep the shape, and the one way in which pictures are resized."""

from __future__ import annotations

import math

from PIL import Image

REDUCING_GAP = 3.0
"""Whole-number box reduction down to three times the target first: much faster on large pictures
and, from 3 on, indistinguishable from the filter alone (Pillow's documentation)."""


def fit(size: tuple[int, int], longest: int) -> tuple[int, int]:
    """Width and height of the same shape with a longest side of `longest`, each at least 1."""
    width, height = size
    scale = longest / max(size)
    return max(1, round(width * scale)), max(1, round(height * scale))


def covering(size: tuple[int, int], shorter: int) -> int:
    """The longest side of a picture of that shape whose shorter side is `shorter`."""
    return math.ceil(shorter * max(size) / min(size))


def resized(picture: Image.Image, size: tuple[int, int]) -> Image.Image:
    """The picture at exactly `size`, filtered against aliasing; the same object if it has it."""
    if picture.size == size:
        return picture
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=REDUCING_GAP)


def shrunk(picture: Image.Image, longest: int | None) -> Image.Image:
    """The picture with no side longer than `longest` (None: any length); never enlarged."""
    if longest is None or max(picture.size) <= longest:
        return picture
    return resized(picture, fit(picture.size, longest))

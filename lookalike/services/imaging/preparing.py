"""Pictures as a network wants them: a square of a given size, or a part cut out first."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from lookalike.services.errors import InvalidRequestError
from lookalike.services.imaging.scaling import fit, resized
from lookalike.services.records import Pixels, Recipe

Box = tuple[float, float, float, float]
"""Left, top, width and height as fractions of the upright picture, 0 to 1."""

ROUNDING = 1e-6
"""How far a box may stick out: sums of fractions that programs write are seldom exact."""


def prepare(picture: Image.Image, recipe: Recipe) -> Pixels:
    """Letterbox an RGB picture: scaled whole into the middle of a square, bars at both ends.

    Returns uint8 of shape (size, size, 3), writable. Bars have the colour `recipe.padding`.
    Small pictures are enlarged; the most extreme shape still keeps one pixel across.
    """
    width, height = fit(picture.size, recipe.size)
    square = Image.new("RGB", (recipe.size, recipe.size), recipe.padding)
    corner = ((recipe.size - width) // 2, (recipe.size - height) // 2)
    square.paste(resized(picture, (width, height)), corner)
    return np.array(square)


def crop(picture: Image.Image, box: Box) -> Image.Image:
    """The part of an upright picture that `box` marks, to the nearest pixel, at least one.

    Raises InvalidRequestError for a box that is empty or reaches outside 0..1.
    """
    x, y, width, height = box
    inside = (
        all(map(math.isfinite, box))
        and min(x, y) >= 0
        and min(width, height) > 0
        and max(x + width, y + height) <= 1 + ROUNDING
    )
    if not inside:
        raise InvalidRequestError(
            "crop must be x, y, width and height as parts of the picture between 0 and 1, "
            "such as 0.25, 0.25, 0.5, 0.5 for its middle.",
            field="crop",
        )
    left, right = _pixels(x, width, picture.width)
    top, bottom = _pixels(y, height, picture.height)
    return picture.crop((left, top, right, bottom))


def _pixels(start: float, length: float, side: int) -> tuple[int, int]:
    first = min(round(start * side), side - 1)
    return first, min(max(first + 1, round((start + length) * side)), side)

"""Pictures as a network wants them: a square of a given size, or a part cut out first."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from lookalike.services.errors import InvalidRequestError
from lookalike.services.imaging.scaling import REDUCING_GAP, fit, resized
from lookalike.services.records import Fit, Pixels, Recipe

Box = tuple[float, float, float, float]
"""Left, top, width and height as fractions of the upright picture, 0 to 1."""

BILINEAR = Image.Resampling.BILINEAR
ROUNDING = 1e-6
"""How far a box may stick out: sums of fractions that programs write are seldom exact."""


def prepare(picture: Image.Image, recipe: Recipe) -> Pixels:
    """An RGB picture as a square, the way that `recipe.fit` says.

    Returns uint8 of shape (size, size, 3), writable. Small pictures are enlarged.
    """
    return np.array(FITS[recipe.fit](picture, recipe))


def _letterboxed(picture: Image.Image, recipe: Recipe) -> Image.Image:
    """Scaled whole into the middle, bars of the colour `recipe.padding` at both ends.

    The most extreme shape still keeps one pixel across.
    """
    width, height = fit(picture.size, recipe.size)
    square = Image.new("RGB", (recipe.size, recipe.size), recipe.padding)
    corner = ((recipe.size - width) // 2, (recipe.size - height) // 2)
    square.paste(resized(picture, (width, height)), corner)
    return square


def _center_cropped(picture: Image.Image, recipe: Recipe) -> Image.Image:
    """The middle, after the shorter side was scaled to `recipe.shorter`.

    The same pixels as torchvision's `ImageClassification` transforms: their filter, their
    rounding. The part that will be cut out is scaled alone, so that no shape takes much memory.
    """
    width, height = (int(recipe.shorter * side / min(picture.size)) for side in picture.size)
    left, top = (round((side - recipe.size) / 2) for side in (width, height))
    across, down = picture.width / width, picture.height / height
    right = min((left + recipe.size) * across, picture.width)
    bottom = min((top + recipe.size) * down, picture.height)
    box = (left * across, top * down, right, bottom)
    return picture.resize((recipe.size, recipe.size), BILINEAR, box, REDUCING_GAP)


def _stretched(picture: Image.Image, recipe: Recipe) -> Image.Image:
    return resized(picture, (recipe.size, recipe.size))


FITS = {
    Fit.LETTERBOX: _letterboxed,
    Fit.CENTER_CROP: _center_cropped,
    Fit.STRETCH: _stretched,
}


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

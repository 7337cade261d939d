"""Pictures out of nothing: varied, fast to make, the same for the same seed on every machine."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray
from PIL import Image, ImageDraw

SIZE = (320, 240)

ROWS_AND_COLUMNS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}
"""EXIF 2.32, tag 274: the visual side that the stored row 0 and the stored column 0 are."""

CORNERS = {"red": (255, 0, 0), "green": (0, 160, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


def scene(seed: int = 0, size: tuple[int, int] = SIZE) -> Image.Image:
    """An RGB picture with soft colours behind, a texture over all and a few shapes in front."""
    rng = default_rng(seed)
    cells = rng.integers(0, 256, (*rng.integers(2, 5, 2), 3), dtype=np.uint8)
    picture = Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)
    texture = Image.fromarray(_texture(rng)).resize(size)
    picture = Image.blend(picture, Image.merge("RGB", [texture] * 3), rng.uniform(0.1, 0.5))
    for _ in range(rng.integers(2, 10)):
        _shape(ImageDraw.Draw(picture), rng, size)
    return picture


def picture(
    seed: int = 0,
    size: tuple[int, int] = SIZE,
    format: str = "JPEG",  # noqa: A002 - the name of the same argument of `Image.save`
    **options: Any,
) -> bytes:
    """The scene `seed` as a file of `format` (Pillow's name); `options` go to `Image.save`."""
    return saved(scene(seed, size), format, **options)


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file of a kind that Pillow writes; `options` go to `Image.save`."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def cornered(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Four flat quarters: red and green above, blue and white below."""
    width, height = size
    image = Image.new("RGB", size)
    for index, colour in enumerate(CORNERS.values()):
        left, top = index % 2 * width // 2, index // 2 * height // 2
        image.paste(colour, (left, top, left + width // 2, top + height // 2))
    return image


def lying(orientation: int, image: Image.Image) -> Image.Image:
    """The pixels as a camera stores them that marks the picture with this EXIF orientation."""
    rows, columns = ROWS_AND_COLUMNS[orientation]
    pixels = np.asarray(image)
    if rows in {"left", "right"}:
        pixels = pixels.swapaxes(0, 1)
    if rows in {"bottom", "right"}:
        pixels = pixels[::-1]
    if columns in {"bottom", "right"}:
        pixels = pixels[:, ::-1]
    return Image.fromarray(np.ascontiguousarray(pixels))


def exif(orientation: int | None = None, taken: str = "", offset: str = "") -> bytes:
    """An EXIF block with these tags."""
    block = Image.Exif()
    if orientation is not None:
        block[0x0112] = orientation
    if taken:
        block[0x8769] = {0x9003: taken, **({0x9011: offset} if offset else {})}
    return block.tobytes()


def _texture(rng: Generator) -> NDArray[np.uint8]:
    """128 x 128 grey: waves across at some angle and pitch, with grain."""
    angle, pitch = rng.uniform(0, np.pi), rng.uniform(0.05, 0.8)
    down, across = np.mgrid[0:128, 0:128]
    waves = np.sin(pitch * (across * np.cos(angle) + down * np.sin(angle)))
    grain = rng.normal(0, rng.uniform(0, 40), (128, 128))
    return np.clip(128 + 100 * waves + grain, 0, 255).astype(np.uint8)


def _shape(draw: ImageDraw.ImageDraw, rng: Generator, size: tuple[int, int]) -> None:
    width, height = size
    colour = tuple(int(level) for level in rng.integers(0, 256, 3))
    reach = min(size) * rng.uniform(0.08, 0.35)
    x, y = rng.uniform(0, width), rng.uniform(0, height)
    box = (x - reach, y - reach * rng.uniform(0.3, 1), x + reach, y + reach * rng.uniform(0.3, 1))
    kind = rng.integers(0, 4)
    if kind == 0:
        draw.ellipse(box, fill=colour)
    elif kind == 1:
        draw.rectangle(box, fill=colour)
    elif kind == 2:
        corners = int(rng.integers(3, 8))
        draw.regular_polygon((x, y, max(reach, 1)), corners, rotation=int(x), fill=colour)
    else:
        draw.line(box, fill=colour, width=max(1, int(reach / 6)))

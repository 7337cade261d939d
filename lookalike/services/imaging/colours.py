"""From every pixel layout that files use to plain 8-bit RGB as a person would see it."""

from __future__ import annotations

import io
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageCms

MAX_PROFILE_BYTES = 64 * 1024
"""Camera and display profiles (Display P3, Adobe RGB) have 0.5 to 4 KB. The large ones describe
printing inks and scanners and take longer to prepare than the picture to decode."""

WHITE = (255, 255, 255)

_CEILINGS = (255.0, 4095.0, 65535.0)
"""Brightest values that 8, 12 and 16 bits can hold."""


def opaque(picture: Image.Image) -> Image.Image:
    """The same picture in mode L, RGB or CMYK, at 8 bits a channel, on white where transparent.

    Values of more bits are divided by the smallest usual ceiling that holds the brightest of
    them (1 for fractions, else 8, 12 or 16 bits), so that 12-bit scans do not come out black;
    where values are negative or larger still, the range they span becomes 0 to 255.
    """
    if picture.mode in {"L", "RGB", "CMYK"} and not picture.has_transparency_data:
        return picture
    if picture.mode in {"I", "F"} or picture.mode.startswith("I;16"):
        return Image.fromarray(_to_bytes(np.asarray(picture)))
    if picture.mode == "LAB":
        return _from_lab().apply(picture)
    if picture.has_transparency_data:
        return _on_white(picture)
    return picture.convert("L" if picture.mode == "1" else "RGB")


def adobe_inverted(picture: Image.Image) -> Image.Image:
    """A CMYK picture from a JPEG without Adobe's marker, which Pillow has inverted all the same.

    Adobe stores ink inverted and says so in APP14; others store it as it is.
    """
    plain = picture.mode == "CMYK" and picture.format == "JPEG" and "adobe" not in picture.info
    return ImageChops.invert(picture) if plain else picture


def in_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """An RGB picture converted from its ICC profile to sRGB.

    Unchanged without a profile, and with one that is broken, large, not for RGB or sRGB itself.
    """
    if not profile or len(profile) > MAX_PROFILE_BYTES:
        return picture
    transform = _to_srgb(profile)
    return picture if transform is None else transform.apply(picture)


def _on_white(picture: Image.Image) -> Image.Image:
    """Composited before it is shrunk, which comes to the same and takes less memory."""
    if picture.mode == "La":
        picture = picture.convert("LA")
    layers = picture if picture.mode == "RGBA" else picture.convert("RGBA")
    paper = Image.new("RGB", layers.size, WHITE)
    paper.paste(layers, mask=layers)
    return paper


def _to_bytes(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    levels = np.nan_to_num(values.astype(np.float32), copy=False, nan=0, posinf=0, neginf=0)
    low, high = float(levels.min()), float(levels.max())
    ceilings = (1.0, *_CEILINGS) if values.dtype.kind == "f" else _CEILINGS
    if low < 0 or high > ceilings[-1]:
        scale, offset = 255 / max(high - low, 1e-30), low
    else:
        scale, offset = 255 / next(ceiling for ceiling in ceilings if high <= ceiling), 0.0
    levels *= np.float32(scale)
    levels -= np.float32(offset * scale)
    return np.clip(np.rint(levels, out=levels), 0, 255, out=levels).astype(np.uint8)


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


@lru_cache(maxsize=1)
def _from_lab() -> ImageCms.ImageCmsTransform:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return ImageCms.ImageCmsTransform(lab, _srgb(), "LAB", "RGB")


@lru_cache(maxsize=16)
def _to_srgb(profile: bytes) -> ImageCms.ImageCmsTransform | None:
    """How to convert, None where nothing is to be done.

    Kept, because preparing takes 4 ms and a phone's pictures all share one profile. A transform
    may be used by several threads: Little CMS copies what it changes while it works.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space != "RGB " or _is_srgb(source):
            return None
        return ImageCms.ImageCmsTransform(source, _srgb(), "RGB", "RGB")
    except (OSError, ValueError):
        return None


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    return "sRGB" in (profile.profile.profile_description or "")

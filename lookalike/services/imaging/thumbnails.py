"""Small copies for pages, encoded afresh so that nothing of the original but its look is left."""

from __future__ import annotations

import io

from PIL import Image

from lookalike.services.imaging.scaling import shrunk

QUALITY = 85
"""JPEG quality where differences stop being seen at this size; more only costs bytes."""


def thumbnail(picture: Image.Image, side: int) -> bytes:
    """An RGB picture as JPEG with no side longer than `side` pixels; never enlarged.

    Carries no EXIF, no ICC profile (it is sRGB) and no comment. The same picture makes the same
    bytes.
    """
    small = shrunk(picture, side).copy()
    small.info.clear()
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()

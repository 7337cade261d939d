"""From a file that nobody vouches for to pixels: upright, opaque, 8-bit sRGB."""

from __future__ import annotations

import io
import threading
from contextlib import AbstractContextManager, nullcontext
from typing import BinaryIO

from PIL import Image
from PIL.ImageFile import ImageFile

from lookalike.services.imaging.colours import adobe_inverted, in_srgb, opaque
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.metadata import upright
from lookalike.services.imaging.opening import Source, check_size, opened
from lookalike.services.imaging.scaling import covering, fit, shrunk
from lookalike.services.imaging.structure import check_scans

LARGE_PIXELS = 25_000_000
"""From here on pictures are decoded one at a time in a process: at 100 megapixels one takes up to
1.3 GB (WebP; JPEG far less), and many at once would take the machine."""

_large = threading.Lock()


def decode(
    file: BinaryIO, limits: Limits, longest: int | None = None, shorter: int = 0
) -> Image.Image:
    """Decode the picture in `file`, which is seekable and stays open.

    Returns mode RGB, 8 bits, upright by EXIF, the first frame or page, transparency over white,
    without metadata. With `longest`, no side is longer than that many pixels (never enlarged),
    and a large JPEG is decoded at a fraction of its size; but the shorter side keeps `shorter`
    pixels if it has them, however long the other is. Safe to call from several threads.

    Raises PictureError, whatever the bytes are: those of `inspect`, and CorruptError or
    TruncatedError for damage that only decoding shows. OSError only if `file` cannot be read.
    """
    file.seek(0)
    # In memory, so that a failing disk is not taken for a bad picture. One byte more than is
    # accepted tells that there is more.
    data = file.read(limits.max_bytes + 1)
    with opened(io.BytesIO(data), limits) as source:
        check_scans(source.format, data)
        if longest is not None and shorter:
            longest = max(longest, covering(source.size, shorter))
        with _turn(source):
            return _pixels(source, limits, longest)


def _turn(source: Source) -> AbstractContextManager[object]:
    width, height = source.size
    return _large if width * height > LARGE_PIXELS else nullcontext()


def _pixels(source: Source, limits: Limits, longest: int | None) -> Image.Image:
    """Shrink as soon as there are 8 bits: every later step is cheap then."""
    _load(source.picture, limits, longest)
    picture = shrunk(opaque(adobe_inverted(source.picture)), longest)
    if source.format != "tiff":  # Pillow turns TIFF while loading
        picture = upright(picture, source.orientation)
    if picture.mode != "RGB":
        picture = picture.convert("RGB")
    return _plain(in_srgb(picture, source.picture.info.get("icc_profile")))


def _load(picture: ImageFile, limits: Limits, longest: int | None) -> None:
    """Decode; the size is only known for sure afterwards, because headers can lie."""
    target = fit(picture.size, longest or max(picture.size))
    reduced = picture.draft(None, target) if max(target) < max(picture.size) else None
    picture.load()
    if reduced is None:
        check_size(picture.size, limits)


def _plain(picture: Image.Image) -> Image.Image:
    """Without its file, its metadata and its format."""
    plain = picture.copy() if isinstance(picture, ImageFile) else picture
    plain.info.clear()
    return plain

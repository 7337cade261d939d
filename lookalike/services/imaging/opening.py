"""Opening a picture that nobody vouches for, up to the point where its pixels could be decoded."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import pi_heif
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from PIL.ImageFile import ImageFile

from lookalike.services.errors import TooLargeError, TooManyPixelsError, TooSmallError
from lookalike.services.imaging.failures import translated
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.metadata import Size, orientation, read_exif, upright_size
from lookalike.services.imaging.signatures import HEAD_BYTES, identify, unsupported
from lookalike.services.imaging.structure import check_structure

# Pictures are decoded side by side already: threads inside each decoder would only compete.
AvifImagePlugin.DEFAULT_MAX_THREADS = 1
pi_heif.options.DECODE_THREADS = 1
# Only the main picture of a HEIC is wanted, not its previews, depth maps and masks.
pi_heif.options.THUMBNAILS = False
pi_heif.options.DEPTH_IMAGES = False
pi_heif.options.AUX_IMAGES = False

# Set once for the process, never around a call, which would not be safe in threads: sizes beyond
# the guard are errors, and Pillow's remarks about a file's metadata are not for the terminal.
warnings.filterwarnings("error", category=Image.DecompressionBombWarning)
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")

_PLUGINS: Mapping[str, Callable[[Any], ImageFile]] = {
    "jpeg": JpegImagePlugin.JpegImageFile,
    "png": PngImagePlugin.PngImageFile,
    "webp": WebPImagePlugin.WebPImageFile,
    "avif": AvifImagePlugin.AvifImageFile,
    "gif": GifImagePlugin.GifImageFile,
    "tiff": TiffImagePlugin.TiffImageFile,
    "bmp": BmpImagePlugin.BmpImageFile,
    "heic": pi_heif.HeifImageFile,
}
"""The allow-list. Plugins are called directly, not through `Image.open`: that would try others,
hide why one failed, and take an MPO (a JPEG with more JPEGs behind it) for a format of its own."""

_DNG_VERSION, _NEW_SUBFILE_TYPE, _SUB_IFDS = 50706, 254, 330

_guard = threading.Lock()


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that is open, with its header read and found to be within limits.

    `picture` still has its pixels in the file, lying as `orientation` (EXIF, 1 to 8) says;
    `size` is width and height once upright.
    """

    format: str
    picture: ImageFile
    exif: Image.Exif
    orientation: int
    size: Size


@contextmanager
def opened(file: BinaryIO, limits: Limits) -> Iterator[Source]:
    """Open the picture in `file`, which is seekable and stays open; read its header only.

    Raises PictureError for whatever is wrong, also for whatever goes wrong in the `with` block.
    """
    name = identify(_head(file, limits))
    _raise_guard(limits.max_pixels)
    with translated(name, file):
        check_structure(name, file)
        file.seek(0)
        with _PLUGINS[name](file) as picture:
            _refuse_camera_raw(picture)
            exif = read_exif(picture)
            lies = orientation(exif)
            size = upright_size(picture, lies)
            check_size(size, limits)
            yield Source(name, picture, exif, lies, size)


def check_size(size: Size, limits: Limits) -> None:
    """Raise TooManyPixelsError or TooSmallError unless width x height is within `limits`."""
    width, height = size
    facts = {"width": width, "height": height}
    if width * height > limits.max_pixels:
        raise TooManyPixelsError(
            f"The picture has {width:,} x {height:,} pixels, "
            f"but at most {limits.max_pixels / 1e6:,.6g} million are read. "
            "Make it smaller and try again.",
            max_pixels=limits.max_pixels,
            **facts,
        )
    if min(size) < limits.min_side:
        raise TooSmallError(
            f"The picture has {width:,} x {height:,} pixels, "
            f"but its smaller side needs at least {limits.min_side}.",
            min_side=limits.min_side,
            **facts,
        )


def _head(file: BinaryIO, limits: Limits) -> bytes:
    size = file.seek(0, io.SEEK_END)
    if size > limits.max_bytes:
        raise TooLargeError(
            f"The file has {size:,} bytes, but at most {limits.max_bytes:,} are accepted. "
            "Make it smaller and try again.",
            bytes=size,
            max_bytes=limits.max_bytes,
        )
    file.seek(0)
    return file.read(HEAD_BYTES)


def _raise_guard(pixels: int) -> None:
    """Let Pillow's own guard, one for the process, never be below the limit in use.

    It warns beyond this number and refuses beyond its double. It is the second line: it stands
    where Pillow allocates before `check_size` can look (frames of a GIF, canvas of a WebP).
    """
    with _guard:
        Image.MAX_IMAGE_PIXELS = max(pixels, Image.MAX_IMAGE_PIXELS or 0)


def _refuse_camera_raw(picture: ImageFile) -> None:
    """Raw photos in TIFF (DNG, NEF, ARW) show only a stamp-sized preview as their first page."""
    if not isinstance(picture, TiffImagePlugin.TiffImageFile):
        return
    tags = picture.tag_v2
    preview_first = tags.get(_NEW_SUBFILE_TYPE) == 1 and _SUB_IFDS in tags
    if _DNG_VERSION in tags or preview_first:
        raise unsupported("a raw photo (DNG, NEF, ARW)")

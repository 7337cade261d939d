"""What a picture says about itself in EXIF: which way is up and when it was taken.

Both are hints from a camera, often broken. Nothing here raises because of what they hold.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin
from PIL.ImageFile import ImageFile

from lookalike.services.imaging.containers import late_png_exif

Size = tuple[int, int]

_TRANSPOSITIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What sets each EXIF orientation (tag 274, EXIF 2.32 4.6.4) upright; 1 is upright already."""

OLDEST_PHOTOGRAPH = 1826
"""Years before are clocks that were never set."""


def read_exif(picture: ImageFile) -> Image.Exif:
    """The picture's EXIF, empty when it has none or none that can be read.

    The base class is asked, because PNG's own `getexif` decodes the whole picture.
    """
    try:
        exif = Image.Image.getexif(picture)
        if isinstance(picture, PngImagePlugin.PngImageFile) and "exif" not in picture.info:
            _add_late_exif(exif, picture)
    except Exception:  # a broken block fails in as many ways as a broken picture; see `failures`
        return Image.Exif()
    return exif


def _add_late_exif(exif: Image.Exif, picture: ImageFile) -> None:
    block = late_png_exif(cast("BinaryIO", picture.fp))
    if block is not None:
        exif.load(block)


def orientation(exif: Image.Exif) -> int:
    """How the stored pixels lie, 1 to 8; 1 (upright) for anything else that is written there."""
    value = _value(exif, ExifTags.Base.Orientation)
    return value if value in _TRANSPOSITIONS else 1


def upright_size(picture: ImageFile, lies: int) -> Size:
    """Width and height of an opened picture whose orientation is `lies` once it stands upright."""
    width, height = picture.size
    if isinstance(picture, TiffImagePlugin.TiffImageFile):
        tags = picture.tag_v2
        width, height = tags[TiffImagePlugin.IMAGEWIDTH], tags[TiffImagePlugin.IMAGELENGTH]
    return (height, width) if lies >= 5 else (width, height)


def upright(picture: Image.Image, lies: int) -> Image.Image:
    """The picture set upright; the same object when it is so already."""
    method = _TRANSPOSITIONS.get(lies)
    return picture if method is None else picture.transpose(method)


def taken_at(exif: Image.Exif) -> datetime | None:
    """When the picture was taken: DateTimeOriginal, in UTC unless OffsetTimeOriginal is given.

    Always an aware datetime that can be expressed in UTC; None when absent or nonsense.
    """
    try:
        details = exif.get_ifd(ExifTags.IFD.Exif)
        time = _text(details.get(ExifTags.Base.DateTimeOriginal))
        moment = datetime.strptime(time, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except Exception:  # as above: what a camera wrote there may be of any type
        return None
    if moment.year < OLDEST_PHOTOGRAPH:
        return None
    return _zoned(moment, _text(details.get(ExifTags.Base.OffsetTimeOriginal)))


def _zoned(moment: datetime, offset: str) -> datetime:
    try:
        zoned = moment.replace(tzinfo=datetime.strptime(offset, "%z").tzinfo)
        zoned.astimezone(UTC)
    except (ValueError, OverflowError):
        return moment
    return zoned


def _text(value: object) -> str:
    return value.rstrip("\0").strip() if isinstance(value, str) else ""


def _value(exif: Image.Exif, tag: int) -> Any:
    try:
        return exif.get(tag)
    except Exception:  # tags are parsed when asked for
        return None

"""Every odd picture file, with the code it must end with and where; built when first asked for."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import numpy as np
from PIL import Image

from lookalike.services.imaging.limits import Limits
from tests import heic
from tests.odd_bytes import (
    GREY,
    SRGB_COLORANTS,
    bmp_header,
    chunk,
    flipped,
    gif_frame_beyond_screen,
    icc_profile,
    jpeg_cmyk_not_inverted,
    jpeg_many_scans,
    jpeg_without_tables,
    png,
    png_16,
    png_bomb,
    png_late_exif,
    tiff_strips,
    zipped,
)
from tests.scenes import cornered, exif, lying, picture, saved, scene

LIMITS = Limits(max_bytes=50 * 1024 * 1024, max_pixels=100_000_000, min_side=16)
"""What `expect` was written for: the defaults of the settings."""

Builder: TypeAlias = Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class OddFile:
    """A file, the error code it must end with (None: it is a good picture) and who must say so.

    `stage` is "inspect" or "decode" and None for good pictures. A file that `inspect` refuses is
    refused by `decode` too, with the same code.
    """

    name: str
    data: bytes
    expect: str | None
    stage: str | None


def _rgba(colour: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
    """The scene on the left, on the right nothing but `colour` that cannot be seen."""
    image = scene().convert("RGBA")
    image.paste((*colour, 0), (160, 0, 320, 240))
    return image


def _palette() -> Image.Image:
    return scene().quantize(64)


def _frames() -> list[Image.Image]:
    return [scene(seed) for seed in (1, 2)]


def _turned(kind: str, orientation: int) -> bytes:
    return saved(lying(orientation, cornered()), kind, exif=exif(orientation))


def _tiff_float() -> bytes:
    return saved(Image.fromarray(np.asarray(scene().convert("L"), np.float32) / 255), "TIFF")


def _tiff_16() -> bytes:
    return saved(Image.fromarray(np.asarray(scene().convert("L"), np.uint16) * 257), "TIFF")


def _tiff_with_tag(tag: int, value: int | tuple[int, ...]) -> bytes:
    return saved(scene(), "TIFF", tiffinfo={tag: value})


_GOOD: dict[str, Builder] = {
    "jpeg": picture,
    "jpeg_progressive": lambda: picture(progressive=True),
    "jpeg_grey": lambda: saved(scene().convert("L"), "JPEG"),
    "jpeg_cmyk_adobe_inverted": lambda: saved(scene().convert("CMYK"), "JPEG"),
    "jpeg_cmyk_not_inverted": lambda: jpeg_cmyk_not_inverted(scene()),
    "jpeg_mpo": lambda: saved(scene(), "MPO", save_all=True, append_images=_frames()),
    "jpeg_broken_exif": lambda: picture(exif=b"Exif\0\0II*\0\xff\xff\xff\x7fnonsense"),
    "jpeg_nonsense_orientation": lambda: picture(exif=exif(99)),
    "jpeg_broken_icc": lambda: picture(icc_profile=b"not a colour profile" * 20),
    "jpeg_wide_gamut": lambda: picture(icc_profile=icc_profile(*SRGB_COLORANTS, gamma=1.8)),
    "jpeg_damaged_scan": lambda: flipped(picture(), 1, 1),
    "png": lambda: picture(format="PNG"),
    "png_16_bit_grey": lambda: png_16(scene().convert("L")),
    "png_16_bit_rgb": lambda: png_16(scene()),
    "png_palette": lambda: saved(_palette(), "PNG"),
    "png_palette_transparent": lambda: saved(_palette(), "PNG", transparency=3),
    "png_alpha": lambda: saved(_rgba(), "PNG"),
    "png_grey_alpha": lambda: saved(_rgba().convert("LA"), "PNG"),
    "png_1_bit": lambda: saved(scene().convert("1"), "PNG"),
    "png_animated": lambda: saved(scene(), "PNG", save_all=True, append_images=_frames()),
    "png_late_exif": lambda: png_late_exif(lying(6, cornered()), exif(6)),
    "webp": lambda: picture(format="WEBP"),
    "webp_lossless": lambda: picture(format="WEBP", lossless=True),
    "webp_alpha": lambda: saved(_rgba(), "WEBP"),
    "webp_animated": lambda: saved(scene(), "WEBP", save_all=True, append_images=_frames()),
    "avif": lambda: picture(format="AVIF", speed=10),
    "avif_alpha": lambda: saved(_rgba(), "AVIF", speed=10),
    "avif_animated": lambda: saved(
        scene(), "AVIF", speed=10, save_all=True, append_images=_frames()
    ),
    "gif": lambda: picture(format="GIF"),
    "gif_transparent": lambda: saved(_palette(), "GIF", transparency=3),
    "gif_animated": lambda: saved(scene(), "GIF", save_all=True, append_images=_frames()),
    "tiff": lambda: picture(format="TIFF"),
    "tiff_lzw": lambda: picture(format="TIFF", compression="tiff_lzw"),
    "tiff_jpeg": lambda: picture(format="TIFF", compression="jpeg"),
    "tiff_pages": lambda: saved(scene(), "TIFF", save_all=True, append_images=_frames()),
    "tiff_cmyk": lambda: saved(scene().convert("CMYK"), "TIFF"),
    "tiff_16_bit": _tiff_16,
    "tiff_float": _tiff_float,
    "tiff_lab": lambda: saved(scene().convert("RGB").convert("LAB"), "TIFF"),
    "bmp": lambda: picture(format="BMP"),
    "bmp_top_down": lambda: bmp_header(64, -48, bytes(64 * 48 * 3)),
    "heic": lambda: heic.encode(scene()),
    "heic_turned": lambda: heic.encode(scene(), quarter_turns=1, exif=exif(8)),
    "smallest": lambda: picture(size=(16, 16), format="PNG"),
    **{
        f"{kind.lower()}_orientation_{orientation}": partial(_turned, kind, orientation)
        for kind in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF")
        for orientation in range(1, 9)
    },
}

_SVG = b'<?xml version="1.0"?>\n<!-- a drawing -->\n<svg xmlns="http://www.w3.org/2000/svg"/>'

_REFUSED_AT_THE_DOOR: dict[str, tuple[str, Builder]] = {
    "empty": ("empty_file", bytes),
    "text": ("not_an_image", lambda: b"This is not a picture, whatever its name says.\n" * 9),
    "html": ("not_an_image", lambda: b"<!doctype html><html><body><svg></svg></body></html>"),
    "zip": ("not_an_image", zipped),
    "random": ("not_an_image", lambda: np.random.default_rng(1).bytes(20_000)),
    "svg": ("unsupported_format", lambda: _SVG),
    "svg_bare": ("unsupported_format", lambda: b"<svg width='10' height='10'></svg>"),
    "eps": ("unsupported_format", lambda: saved(scene(), "EPS")),
    "postscript": ("unsupported_format", lambda: b"%!PS\nshowpage\n"),
    "pdf": ("unsupported_format", lambda: saved(scene(), "PDF")),
    "psd": ("unsupported_format", lambda: b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, 64, 64, 8, 3)),
    "ico": ("unsupported_format", lambda: saved(scene(), "ICO")),
    "jpeg_2000": ("unsupported_format", lambda: saved(scene(), "JPEG2000")),
    "jpeg_xl": ("unsupported_format", lambda: b"\xff\x0a" + bytes(range(1, 200))),
    "netpbm": ("unsupported_format", lambda: saved(scene(), "PPM")),
    "raw_cr2": ("unsupported_format", lambda: b"II*\0\x10\0\0\0CR\x02\0" + bytes(500)),
    "raw_dng": ("unsupported_format", lambda: _tiff_with_tag(50706, (1, 4, 0, 0))),
    "video": ("unsupported_format", lambda: b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom" + bytes(500)),
    "one_pixel": ("too_small", lambda: picture(size=(1, 1), format="PNG")),
    "line": ("too_small", lambda: picture(size=(1, 20_000), format="PNG")),
    "narrow": ("too_small", lambda: picture(size=(15, 400), format="PNG")),
    "bomb_claimed": ("too_many_pixels", lambda: png((50_000, 50_000), 1, GREY, bytes(9))),
    "bomb_real": ("too_many_pixels", lambda: png_bomb(11_000, 11_000)),
    "gif_frame_bomb": ("too_many_pixels", lambda: gif_frame_beyond_screen(60_000, 60_000)),
    "bmp_huge": ("too_many_pixels", lambda: bmp_header(2_000_000, 2_000_000)),
    "bmp_negative_width": ("too_many_pixels", lambda: bmp_header(-64, 48, bytes(9216))),
    "bmp_no_height": ("corrupt", lambda: bmp_header(64, 0)),
    "png_bad_header_checksum": ("corrupt", lambda: _with(picture(format="PNG"), 29, b"\0\0\0\0")),
    "png_endless_chunks": ("corrupt", lambda: _png_chunks(110_000)),
    "gif_endless_comment": ("corrupt", lambda: _gif_extension(b"\xfe" + b"\1a" * 110_000 + b"\0")),
    "gif_endless_extensions": ("corrupt", lambda: _gif_extension(b"\xfe\0!" * 110_000 + b"\xfe\0")),
    "tiff_endless_strips": ("corrupt", lambda: tiff_strips(210_000)),
    "jpeg_endless_segments": ("corrupt", lambda: _with(picture(), 2, b"\xff\xe3\0\2" * 5000)),
    "heic_item_type_not_text": (
        "corrupt",
        lambda: heic.encode(scene(), exif=exif(1)).replace(
            b"Exif\0\0\0\0\xc0", b"Ex\xfff\0\0\0\0\xc0"
        ),
    ),
    "heic_endless_items": ("corrupt", lambda: _heic_items(400_000)),
    "jpeg_only_beginning": ("truncated", lambda: picture()[:200]),
    "png_only_beginning": ("truncated", lambda: picture(format="PNG")[:30]),
    "webp_truncated": ("truncated", lambda: _half(picture(format="WEBP"))),
    "avif_truncated": ("truncated", lambda: _half(picture(format="AVIF", speed=10))),
    "tiff_lzw_truncated": (
        "truncated",
        lambda: _half(picture(format="TIFF", compression="tiff_lzw")),
    ),
}

_REFUSED_WHEN_DECODED: dict[str, tuple[str, Builder]] = {
    "jpeg_truncated": ("truncated", lambda: _half(picture())),
    "jpeg_progressive_truncated": ("truncated", lambda: _half(picture(progressive=True))),
    "png_truncated": ("truncated", lambda: _half(picture(format="PNG"))),
    "gif_truncated": ("truncated", lambda: _half(picture(format="GIF"))),
    "tiff_truncated": ("truncated", lambda: _half(picture(format="TIFF"))),
    "bmp_truncated": ("truncated", lambda: _half(picture(format="BMP"))),
    "jpeg_corrupt": ("corrupt", lambda: jpeg_without_tables(picture())),
    "jpeg_endless_scans": ("corrupt", lambda: jpeg_many_scans(600)),
    "png_corrupt": ("corrupt", lambda: flipped(picture(format="PNG"))),
    "tiff_lzw_corrupt": (
        "corrupt",
        lambda: flipped(picture(format="TIFF", compression="tiff_lzw"), 4000),
    ),
}


def _half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def _with(data: bytes, at: int, inserted: bytes) -> bytes:
    return data[:at] + inserted + data[at:]


def _heic_items(count: int) -> bytes:
    entry = struct.pack(">I", 4000) + b"infe\2\0\0\0\0\1\0\0"
    directory = struct.pack(">I", 8 + count * len(entry)) + b"meta" + entry * count
    return b"\0\0\0\x14ftypheic\0\0\0\0heic" + directory


def _gif_extension(extension: bytes) -> bytes:
    palette_end = 13 + 3 * 256
    return _with(picture(format="GIF"), palette_end, b"!" + extension)


def _png_chunks(count: int) -> bytes:
    return _with(picture(format="PNG"), 33, chunk(b"abCd", b"") * count)


class OddFiles(Mapping[str, OddFile]):
    """The odd files by name; each is built once, when it is asked for."""

    def __init__(self) -> None:
        self._builders: dict[str, tuple[str | None, str | None, Builder]] = {
            **{name: (None, None, build) for name, build in _GOOD.items()},
            **{name: (*row[:1], "inspect", row[1]) for name, row in _REFUSED_AT_THE_DOOR.items()},
            **{name: (*row[:1], "decode", row[1]) for name, row in _REFUSED_WHEN_DECODED.items()},
        }
        self._built: dict[str, OddFile] = {}

    def __getitem__(self, name: str) -> OddFile:
        if name not in self._built:
            expect, stage, build = self._builders[name]
            self._built[name] = OddFile(name, build(), expect, stage)
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._builders)

    def __len__(self) -> int:
        return len(self._builders)


ODD: Mapping[str, OddFile] = OddFiles()

GOOD_NAMES = tuple(_GOOD)
BAD_NAMES = (*_REFUSED_AT_THE_DOOR, *_REFUSED_WHEN_DECODED)

"""From files to pixels: what every layout looks like, and what every damage ends as."""

from __future__ import annotations

import io
import struct
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from lookalike.services.errors import CorruptError, PictureError, TooLargeError
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.inspection import inspect
from lookalike.services.imaging.limits import Limits
from tests import heic
from tests.factories import BAD_NAMES, GOOD_NAMES, LIMITS, ODD, picture, saved, scene
from tests.odd_bytes import SRGB_COLORANTS, icc_profile, png_16
from tests.scenes import CORNERS, ROWS_AND_COLUMNS, cornered, exif, lying

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")


def pixels(data: bytes, longest: int | None = None) -> NDArray[np.int16]:
    return np.asarray(decode(io.BytesIO(data), LIMITS, longest)).astype(np.int16)


def difference(first: NDArray[np.int16], second: Image.Image | NDArray[np.int16]) -> float:
    """Mean distance of two pictures in levels of 255."""
    return float(np.abs(first - np.asarray(second, dtype=np.int16)).mean())


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_pictures_become_plain_rgb_of_the_size_seen_at_the_door(name: str):
    data = ODD[name].data
    info = inspect(io.BytesIO(data), LIMITS)
    image = decode(io.BytesIO(data), LIMITS)
    assert type(image) is Image.Image
    assert (image.mode, image.size) == ("RGB", (info.width, info.height))
    assert (image.info, image.getexif()) == ({}, {})


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_files_end_with_their_code(name: str):
    with pytest.raises(PictureError) as refusal:
        decode(io.BytesIO(ODD[name].data), LIMITS)
    assert refusal.value.code == ODD[name].expect


LOOK_LIKE_THE_SCENE = (
    "jpeg", "jpeg_progressive", "jpeg_cmyk_adobe_inverted", "jpeg_cmyk_not_inverted", "jpeg_mpo",
    "jpeg_broken_exif", "jpeg_nonsense_orientation", "jpeg_broken_icc", "png",
    "png_16_bit_rgb", "png_palette", "png_animated", "webp", "webp_lossless", "webp_animated",
    "avif", "avif_animated", "gif", "gif_animated", "tiff", "tiff_lzw", "tiff_jpeg", "tiff_pages",
    "tiff_cmyk", "tiff_lab", "bmp", "heic",
)  # fmt: skip
GREY_LIKE_THE_SCENE = ("jpeg_grey", "png_16_bit_grey", "tiff_16_bit", "tiff_float")


@pytest.mark.parametrize("name", LOOK_LIKE_THE_SCENE)
def test_every_layout_shows_the_first_frame_in_its_colours(name: str):
    assert difference(pixels(ODD[name].data), scene()) < 14


@pytest.mark.parametrize("name", GREY_LIKE_THE_SCENE)
def test_every_grey_layout_keeps_its_brightness(name: str):
    assert difference(pixels(ODD[name].data), scene().convert("L").convert("RGB")) < 3


@pytest.mark.parametrize("orientation", ROWS_AND_COLUMNS)
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_every_orientation_is_set_upright_to_the_pixel(kind: str, orientation: int):
    options = {"lossless": True} if kind == "WEBP" else {}
    stored = lying(orientation, cornered())
    data = saved(stored, kind, exif=exif(orientation), **options)
    assert np.array_equal(pixels(data), np.asarray(cornered()))


@pytest.mark.parametrize("orientation", ROWS_AND_COLUMNS)
@pytest.mark.parametrize("kind", ["jpeg", "avif"])
@pytest.mark.parametrize("longest", [None, 32])
def test_orientation_counts_in_lossy_formats_and_in_small(
    kind: str, orientation: int, longest: int | None
):
    found = pixels(ODD[f"{kind}_orientation_{orientation}"].data, longest)
    height, width = found.shape[:2]
    assert (width, height) == ((64, 48) if longest is None else (32, 24))
    quarters = [
        found[row * height // 4, column * width // 4] for row in (1, 3) for column in (1, 3)
    ]
    assert difference(np.array(quarters), np.array(list(CORNERS.values()))) < 12


def test_orientation_that_stands_behind_the_pixels_counts():
    assert np.array_equal(pixels(ODD["png_late_exif"].data), np.asarray(cornered()))


@pytest.mark.parametrize("turns", range(4))
def test_heic_is_turned_by_its_container_and_not_again_by_exif(turns: int):
    data = heic.encode(cornered(), quarter_turns=turns, exif=exif(6))
    assert difference(pixels(data), cornered().rotate(90 * turns, expand=True)) < 2


@pytest.mark.parametrize("hidden", [(255, 0, 0), (0, 0, 0), (0, 255, 0)])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("longest", [None, 32])
def test_what_is_transparent_is_white_whatever_hides_there(
    kind: str, hidden: tuple[int, int, int], longest: int | None
):
    image = Image.new("RGBA", (64, 64), (*hidden, 0))
    assert pixels(saved(image, kind), longest).min() >= 254


def test_half_transparent_is_half_white():
    assert pixels(saved(Image.new("RGBA", (16, 16), (255, 0, 0, 128)), "PNG"))[0, 0].tolist() == [
        255,
        127,
        127,
    ]


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_a_transparent_palette_entry_is_white(kind: str):
    image = Image.new("P", (16, 16), 1)
    image.putpalette([0, 0, 0, 9, 8, 7])
    assert pixels(saved(image, kind, transparency=1)).min() == 255


def test_a_transparent_colour_of_an_rgb_png_is_white():
    image = Image.new("RGB", (16, 16), (9, 8, 7))
    assert pixels(saved(image, "PNG", transparency=(9, 8, 7))).min() == 255


@pytest.mark.parametrize("level", [0, 40, 128, 255])
def test_16_bit_grey_is_neither_white_nor_black(level: int):
    data = png_16(Image.fromarray(np.array([[level] * 16 + [255] * 16] * 16, np.uint8)))
    assert pixels(data)[0, 0].tolist() == [level] * 3


def tiff(values: NDArray[np.generic]) -> bytes:
    return saved(Image.fromarray(np.tile(values, (16, 8))), "TIFF")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 2048, 4095], np.uint16), [0, 128, 255]),
        (np.array([0, 32768, 65535], np.uint16), [0, 128, 255]),
        (np.array([0, 100, 200], np.int32), [0, 100, 200]),
        (np.array([0.0, 0.5, 1.0], np.float32), [0, 128, 255]),
        (np.array([-1.0, 0.0, 1.0], np.float32), [0, 128, 255]),
        (np.array([0, 5e9, 1e10], np.float32), [0, 128, 255]),
        (np.array([np.nan, 0.5, np.inf], np.float32), [0, 128, 0]),
        (np.array([-3e38, 0, 3e38], np.float32), [0, 128, 255]),
        (np.array([7.0, 7.0, 7.0], np.float32), [7, 7, 7]),
        (np.array([0, 0, 0], np.uint16), [0, 0, 0]),
    ],
)
def test_wide_values_are_brought_to_8_bits_by_the_ceiling_that_holds_them(
    values: NDArray[np.generic], expected: list[int]
):
    assert pixels(tiff(values))[0, :3, 0].tolist() == expected


def test_a_foreign_colour_space_is_converted():
    red, green, blue = SRGB_COLORANTS
    swapped = icc_profile(green, red, blue)
    data = saved(Image.new("RGB", (16, 16), (255, 0, 0)), "PNG", icc_profile=swapped)
    assert difference(pixels(data)[:1, :1], np.array([[[0, 255, 0]]])) < 2


@pytest.mark.parametrize("name", [b"sRGB IEC61966-2.1", b"broken"])
def test_srgb_and_broken_profiles_change_nothing(name: bytes):
    red, green, blue = SRGB_COLORANTS
    profile = icc_profile(green, red, blue, name=name)
    profile = profile[:200] if name == b"broken" else profile
    data = saved(Image.new("RGB", (16, 16), (255, 0, 0)), "PNG", icc_profile=profile)
    assert pixels(data)[0, 0].tolist() == [255, 0, 0]


def test_a_profile_for_another_layout_is_ignored():
    profile = icc_profile(*SRGB_COLORANTS, gamma=1.0).replace(b"RGB XYZ ", b"GRAYXYZ ")
    data = saved(Image.new("L", (16, 16), 100), "PNG", icc_profile=profile)
    assert pixels(data)[0, 0].tolist() == [100] * 3


@pytest.mark.parametrize("name", GOOD_NAMES)
@pytest.mark.parametrize("longest", [1, 17, 100, 5000])
def test_longest_bounds_both_sides_and_never_enlarges(name: str, longest: int):
    full = decode(io.BytesIO(ODD[name].data), LIMITS)
    small = decode(io.BytesIO(ODD[name].data), LIMITS, longest)
    assert max(small.size) == min(longest, max(full.size))
    assert abs(small.width * full.height - small.height * full.width) <= max(full.size)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((2000, 1000), (200, 100)),
        ((600, 400), (150, 100)),
        ((1000, 4000), (100, 400)),
        ((500, 40), (500, 40)),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_the_shorter_side_keeps_what_a_crop_needs_however_long_the_other_is(kind, size, expected):
    data = saved(Image.new("RGB", size, "red"), kind)
    assert decode(io.BytesIO(data), LIMITS, longest=120, shorter=100).size == expected


def test_a_large_jpeg_in_small_looks_like_itself_in_full():
    data = picture(3, size=(2000, 1500), quality=90)
    full = decode(io.BytesIO(data), LIMITS).resize((200, 150), Image.Resampling.LANCZOS)
    assert difference(pixels(data, 200), full) < 2


def test_a_jpeg_is_not_too_small_because_it_was_decoded_at_a_fraction():
    data = saved(Image.new("RGB", (4000, 20), "red"), "JPEG")
    assert decode(io.BytesIO(data), LIMITS, longest=100).size == (100, 1)


def test_a_file_that_grew_beyond_the_limit_is_refused():
    data = picture()
    limits = Limits(max_bytes=len(data) - 1, max_pixels=10**8, min_side=16)
    with pytest.raises(TooLargeError):
        decode(io.BytesIO(data), limits)


def test_a_header_that_lies_about_its_size_is_found_out_when_decoding():
    claimed, real = struct.pack(">II", 16, 16), struct.pack(">II", 160, 160)
    data = heic.encode(scene(size=(160, 160))).replace(real, claimed)
    limits = Limits(max_bytes=10**6, max_pixels=16 * 16, min_side=16)
    assert inspect(io.BytesIO(data), limits).width == 16
    with pytest.raises(CorruptError):
        decode(io.BytesIO(data), limits)


@pytest.mark.parametrize("broken", ["read", "seek"])
def test_a_failing_disk_is_not_a_bad_picture(broken: str):
    class Failing(io.BytesIO):
        def fail(self, *_: object) -> int:
            raise OSError(5, "Input/output error")

    file = Failing(picture())
    setattr(file, broken, file.fail)
    with pytest.raises(OSError, match="Input/output error"):
        decode(file, LIMITS)


def test_threads_do_not_disturb_each_other():
    names = [name for name in ODD if name != "bomb_real"]

    def outcome(name: str) -> bytes | str:
        try:
            return decode(io.BytesIO(ODD[name].data), LIMITS, 100).tobytes()
        except PictureError as error:
            return error.code

    alone = [outcome(name) for name in names]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(outcome, names * 3))
    assert together == alone * 3

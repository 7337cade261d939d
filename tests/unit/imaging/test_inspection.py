"""The look at the door: what is refused and why, and what a header tells."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lookalike.services.errors import (
    CorruptError,
    PictureError,
    TooLargeError,
    TooManyPixelsError,
    UnsupportedFormatError,
)
from lookalike.services.imaging.inspection import PictureInfo, inspect
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.signatures import FORMATS
from tests import heic
from tests.factories import BAD_NAMES, GOOD_NAMES, LIMITS, ODD, picture, saved
from tests.odd_bytes import gif_frame_beyond_screen
from tests.scenes import cornered, exif

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")

SIZES = {"smallest": (16, 16), "bmp_top_down": (64, 48), "heic_turned": (240, 320)}


def look(data: bytes, limits: Limits = LIMITS) -> PictureInfo:
    return inspect(io.BytesIO(data), limits)


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_good_pictures_are_let_in_with_their_format_and_upright_size(name: str):
    info = look(ODD[name].data)
    assert info.format == name.split("_", maxsplit=1)[0].replace("smallest", "png")
    turned = "orientation" in name and "nonsense" not in name
    small = turned or name == "png_late_exif"
    expected = (64, 48) if small else SIZES.get(name, (320, 240))
    assert (info.width, info.height) == expected


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_files_are_refused_at_their_stage_with_their_code(name: str):
    odd = ODD[name]
    if odd.stage == "decode":
        assert look(odd.data).format == name.split("_", maxsplit=1)[0]
    else:
        with pytest.raises(PictureError) as refusal:
            look(odd.data)
        assert refusal.value.code == odd.expect


@pytest.mark.parametrize("name", [name for name in BAD_NAMES if ODD[name].stage == "inspect"])
def test_refusals_are_sentences_with_facts_that_json_can_hold(name: str):
    with pytest.raises(PictureError) as refusal:
        look(ODD[name].data)
    assert refusal.value.message[0].isupper()
    assert refusal.value.message.endswith(".")
    assert all(isinstance(value, str | int | list) for value in refusal.value.details.values())


@pytest.mark.parametrize(
    ("name", "word"),
    [("svg", "SVG"), ("eps", "EPS"), ("pdf", "PDF"), ("raw_cr2", "CR2"), ("jpeg_xl", "JPEG XL")],
)
def test_an_unread_format_is_named_together_with_those_that_are_read(name: str, word: str):
    with pytest.raises(UnsupportedFormatError) as refusal:
        look(ODD[name].data)
    assert word in refusal.value.message
    assert word in refusal.value.details["looks_like"]
    assert refusal.value.details["formats"] == list(FORMATS)


def test_a_file_of_exactly_the_largest_size_passes_and_one_byte_more_does_not():
    data = picture()
    limits = Limits(max_bytes=len(data), max_pixels=10**8, min_side=16)
    assert look(data, limits).width == 320
    with pytest.raises(TooLargeError) as refusal:
        look(data + b"\0", limits)
    assert refusal.value.details == {"bytes": len(data) + 1, "max_bytes": len(data)}


def test_a_picture_of_exactly_the_most_pixels_passes_and_one_row_more_does_not():
    limits = Limits(max_bytes=10**7, max_pixels=320 * 240, min_side=16)
    assert look(picture(size=(320, 240)), limits).height == 240
    with pytest.raises(TooManyPixelsError) as refusal:
        look(picture(size=(320, 241)), limits)
    assert refusal.value.details["max_pixels"] == 76_800


def test_limits_beyond_pillows_own_guard_can_be_set():
    undisposed = gif_frame_beyond_screen(20_000, 20_000).replace(b"!\xf9\4\x08", b"!\xf9\4\0")
    info = look(undisposed, Limits(max_bytes=10**6, max_pixels=400_000_000, min_side=16))
    assert (info.width, info.height) == (20_000, 20_000)
    with pytest.raises(TooManyPixelsError):
        look(undisposed)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_the_time_taken_comes_with_its_zone(kind: str):
    block = exif(taken="2024:02:29 12:30:00", offset="+05:30")
    zone = timezone(timedelta(hours=5, minutes=30))
    info = look(saved(cornered(), kind, exif=block))
    assert info.taken_at == datetime(2024, 2, 29, 12, 30, tzinfo=zone)
    assert info.taken_at.utcoffset() == timedelta(hours=5, minutes=30)


def test_a_heic_tells_when_it_was_taken():
    block = exif(taken="2024:02:29 12:30:00")
    info = look(heic.encode(cornered(), exif=block))
    assert info.taken_at == datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize("offset", ["", "nonsense", "+99:99", "   :  "])
def test_without_a_good_zone_the_time_taken_is_utc(offset: str):
    info = look(saved(cornered(), "JPEG", exif=exif(taken="2024:02:29 12:30:00", offset=offset)))
    assert info.taken_at == datetime(2024, 2, 29, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "taken",
    ["", "0000:00:00 00:00:00", "    :  :     :  :  ", "2023:02:29 12:00:00", "yesterday",
     "0001:01:01 00:00:00", "2024:01:01"],
)  # fmt: skip
def test_nonsense_is_not_a_time(taken: str):
    assert look(saved(cornered(), "JPEG", exif=exif(taken=taken))).taken_at is None


def test_a_time_that_utc_cannot_express_still_converts():
    late = look(saved(cornered(), "JPEG", exif=exif(taken="9999:12:31 23:00:00", offset="-05:00")))
    assert late.taken_at is not None
    assert late.taken_at.astimezone(UTC).year == 9999


def test_broken_exif_does_not_keep_a_picture_out():
    info = look(ODD["jpeg_broken_exif"].data)
    assert (info.width, info.height, info.taken_at) == (320, 240, None)


def test_pixels_are_not_decoded_at_the_door():
    assert look(ODD["png_corrupt"].data).format == "png"


def test_the_callers_file_stays_open_and_where_it_stands_does_not_matter():
    file = io.BytesIO(picture())
    file.seek(1000)
    assert inspect(file, LIMITS).format == "jpeg"
    assert not file.closed


def test_a_refused_file_stays_open_too():
    file = io.BytesIO(ODD["png_bad_header_checksum"].data)
    with pytest.raises(CorruptError):
        inspect(file, LIMITS)
    assert not file.closed

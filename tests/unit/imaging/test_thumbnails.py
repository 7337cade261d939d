"""Small copies that carry nothing but the look."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.thumbnails import thumbnail
from tests.factories import LIMITS, picture, saved, scene
from tests.odd_bytes import SRGB_COLORANTS, icc_profile
from tests.scenes import cornered, exif


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data), formats=("JPEG",))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1000, 500), (256, 128)),
        ((500, 1000), (128, 256)),
        ((256, 256), (256, 256)),
        ((100, 50), (100, 50)),
        ((20_000, 16), (256, 1)),
    ],
)
def test_the_longest_side_is_bounded_and_nothing_is_enlarged(
    size: tuple[int, int], expected: tuple[int, int]
):
    assert opened(thumbnail(Image.new("RGB", size), 256)).size == expected


def test_nothing_of_the_originals_metadata_is_left():
    block = exif(taken="2024:01:01 00:00:00")
    profile = icc_profile(*SRGB_COLORANTS, gamma=1.8)
    original = picture(exif=block, icc_profile=profile, comment=b"secret", dpi=(300, 300))
    small = thumbnail(decode(io.BytesIO(original), LIMITS), 100)
    assert set(opened(original).info) >= {"exif", "icc_profile", "comment", "dpi"}
    assert set(opened(small).info) == {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert opened(small).info["jfif_unit"] == 0
    assert b"secret" not in small


def test_a_picture_that_still_has_metadata_loses_it_and_keeps_its_own():
    image = scene()
    image.info["comment"] = b"secret"
    assert b"secret" not in thumbnail(image, 1000)
    assert image.info == {"comment": b"secret"}


def test_a_thumbnail_of_a_turned_picture_is_upright():
    turned = saved(cornered().rotate(90, expand=True), "JPEG", exif=exif(6))
    small = opened(thumbnail(decode(io.BytesIO(turned), LIMITS), 32))
    assert small.size == (32, 24)
    assert np.allclose(small.getpixel((4, 4)), (255, 0, 0), atol=12)


def test_the_same_picture_makes_the_same_bytes():
    assert thumbnail(scene(5), 200) == thumbnail(scene(5), 200)
    assert thumbnail(scene(5), 200) != thumbnail(scene(6), 200)

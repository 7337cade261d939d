"""What every decoder promises, run against each implementation."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from lookalike.services.adapters.decoding.inline import InlineDecoder
from lookalike.services.adapters.decoding.processes import ProcessDecoder
from lookalike.services.errors import InvalidRequestError, PictureError, TooManyPixelsError
from lookalike.services.imaging.decoding import LARGE_PIXELS, decode
from lookalike.services.imaging.fingerprints import dhash, phash
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.preparing import crop, prepare
from lookalike.services.imaging.thumbnails import thumbnail
from lookalike.services.ports import Decoder
from lookalike.services.records import Recipe
from tests.factories import BAD_NAMES, GOOD_NAMES, LIMITS, ODD, picture, saved

SMALL = Recipe(32, (0, 0, 0), (1, 1, 1), (9, 8, 7))
WIDE = Recipe(48, (0, 0, 0), (1, 1, 1), (0, 0, 0))
SIDE = 96


@pytest.fixture(scope="module", params=["inline", "processes"])
def decoder(request: pytest.FixtureRequest) -> Iterator[Decoder]:
    made = InlineDecoder(LIMITS) if request.param == "inline" else ProcessDecoder(LIMITS, 2)
    yield made
    made.close()


def test_an_index_gets_what_imaging_makes(decoder: Decoder):
    data = picture(3, (300, 200))
    prepared = decoder.prepare_for_index(data, [SMALL, WIDE], SIDE)
    image = decode(BytesIO(data), LIMITS, SIDE)
    assert prepared.thumbnail == thumbnail(image, SIDE)
    for pixels, recipe in zip(prepared.pixels, [SMALL, WIDE], strict=True):
        assert pixels.dtype == np.uint8
        assert pixels.flags.writeable
        np.testing.assert_array_equal(pixels, prepare(image, recipe))
    assert prepared.dhash == f"{dhash(image):016x}"
    assert prepared.phash == f"{phash(image):016x}"


def test_pixels_larger_than_the_thumbnail_are_not_made_from_it(decoder: Decoder):
    data = picture(3, (300, 200))
    [pixels] = decoder.prepare_for_index(data, [WIDE], 16).pixels
    np.testing.assert_array_equal(pixels, prepare(decode(BytesIO(data), LIMITS, 48), WIDE))


def test_an_index_may_want_no_pixels(decoder: Decoder):
    assert decoder.prepare_for_index(picture(), [], SIDE).pixels == ()


def test_a_query_is_the_whole_picture_or_a_part(decoder: Decoder):
    data = picture(4, (300, 200))
    whole = decode(BytesIO(data), LIMITS, SMALL.size)
    np.testing.assert_array_equal(decoder.prepare_query(data, SMALL, None), prepare(whole, SMALL))
    box = (0.25, 0.5, 0.5, 0.25)
    part = crop(decode(BytesIO(data), LIMITS), box)
    np.testing.assert_array_equal(decoder.prepare_query(data, SMALL, box), prepare(part, SMALL))


def test_a_box_outside_the_picture_is_refused(decoder: Decoder):
    with pytest.raises(InvalidRequestError, match="crop") as caught:
        decoder.prepare_query(picture(), SMALL, (0.5, 0, 0.6, 1))
    assert caught.value.details == {"field": "crop"}


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_every_kind_of_picture_has_a_thumbnail(decoder: Decoder, name: str):
    with Image.open(BytesIO(decoder.make_thumbnail(ODD[name].data, SIDE))) as image:
        assert image.format == "JPEG"
        assert max(image.size) <= SIDE


@pytest.mark.parametrize("name", BAD_NAMES)
def test_every_bad_picture_has_its_code_and_a_sentence(decoder: Decoder, name: str):
    with pytest.raises(PictureError) as caught:
        decoder.prepare_for_index(ODD[name].data, [SMALL], SIDE)
    assert caught.value.code == ODD[name].expect
    assert caught.value.message.endswith(".")


def test_facts_about_a_bad_picture_come_along(decoder: Decoder):
    data = saved(Image.new("1", (10_001, 10_000)), "PNG")
    with pytest.raises(TooManyPixelsError) as caught:
        decoder.make_thumbnail(data, SIDE)
    assert caught.value.details == {"max_pixels": 100_000_000, "width": 10_001, "height": 10_000}


def test_large_pictures_are_decoded_too(decoder: Decoder):
    width, height = 5_001, 5_000
    assert width * height > LARGE_PIXELS
    data = saved(Image.new("1", (width, height)), "PNG")
    with Image.open(BytesIO(decoder.make_thumbnail(data, SIDE))) as image:
        assert image.size == (96, 96)


def test_many_threads_each_get_their_own_picture(decoder: Decoder):
    pictures = [picture(seed, (64, 48)) for seed in range(24)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda data: decoder.make_thumbnail(data, SIDE), pictures))
    alone = InlineDecoder(LIMITS)
    assert made == [alone.make_thumbnail(data, SIDE) for data in pictures]


@pytest.mark.parametrize("kind", [InlineDecoder, lambda limits: ProcessDecoder(limits, 1)])
def test_closing_twice_or_without_any_use_is_no_trouble(kind):
    unused: Decoder = kind(Limits(1, 1, 1))
    unused.close()
    warm: Decoder = kind(Limits(1, 1, 1))
    warm.warm()
    warm.close()
    warm.close()

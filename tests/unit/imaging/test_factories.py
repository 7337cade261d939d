"""The generator itself: the same everywhere, varied, and every odd file says what it is for."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lookalike.services.errors import PictureError
from tests.factories import BAD_NAMES, GOOD_NAMES, ODD, picture, scene

NOT_OF_THE_FILE = {"too_large", "blob_missing", "internal"}
NOT_OF_THE_FILE |= {"decode_timeout", "decoder_crashed", "too_much_memory"}
CODES = {error.code for error in PictureError.__subclasses__()}


def test_the_same_seed_makes_the_same_file_and_another_seed_another():
    assert picture(1) == picture(1)
    assert len({picture(seed) for seed in range(50)}) == 50


def test_scenes_differ_in_colour_and_shape():
    small = np.stack([np.asarray(scene(seed).resize((8, 6)), np.float32) for seed in range(40)])
    apart = np.abs(small[:, None] - small[None]).mean(axis=(2, 3, 4))
    assert apart[~np.eye(40, dtype=bool)].min() > 20


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP"])
def test_pictures_come_in_the_format_and_size_asked_for(kind: str):
    image = Image.open(io.BytesIO(picture(7, (200, 100), kind)))
    assert (image.format, image.size) == (kind, (200, 100))


def test_odd_files_are_built_once_and_know_their_end():
    assert ODD["png"] is ODD["png"]
    assert {name for name in ODD if ODD[name].expect is None} == set(GOOD_NAMES)
    assert {ODD[name].expect for name in BAD_NAMES} == CODES - NOT_OF_THE_FILE
    assert {ODD[name].stage for name in BAD_NAMES} == {"inspect", "decode"}

"""Perceptual hashes: near for the same look, far for another."""

from __future__ import annotations

import io
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageEnhance

from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.fingerprints import dhash, hamming, phash
from tests.factories import LIMITS, saved, scene

HASHES = [dhash, phash]

words = st.integers(0, 2**64 - 1)


@pytest.mark.parametrize("fingerprint", HASHES)
def test_the_same_look_differs_in_few_bits(fingerprint):
    for seed in range(10):
        image = scene(seed)
        squeezed = decode(io.BytesIO(saved(image, "JPEG", quality=30)), LIMITS)
        brighter = ImageEnhance.Brightness(image).enhance(1.1)
        smaller = image.resize((160, 120), Image.Resampling.LANCZOS)
        for changed in (squeezed, brighter, smaller):
            assert hamming(fingerprint(image), fingerprint(changed)) <= 10


@pytest.mark.parametrize("fingerprint", HASHES)
def test_different_pictures_differ_in_many_bits(fingerprint):
    hashes = [fingerprint(scene(seed)) for seed in range(20)]
    distances = [hamming(first, second) for first, second in combinations(hashes, 2)]
    assert min(distances) > 10
    assert 24 < sum(distances) / len(distances) < 40


@pytest.mark.parametrize("fingerprint", HASHES)
def test_a_flat_picture_has_no_bits(fingerprint):
    assert {fingerprint(Image.new("RGB", (100, 60), (level,) * 3)) for level in range(256)} == {0}


def test_dhash_is_set_where_brightness_rises_to_the_right():
    rising = Image.linear_gradient("L").rotate(90)
    assert dhash(rising.convert("RGB")) == 2**64 - 1
    assert dhash(rising.rotate(180).convert("RGB")) == 0


def test_dhash_reads_rows_from_the_top_left_with_the_first_bit_highest():
    image = Image.new("L", (9, 8), 0)
    image.putpixel((1, 0), 255)
    assert dhash(image.convert("RGB")) == 1 << 63


def test_phash_is_half_ones_for_a_varied_picture():
    assert phash(scene(2)).bit_count() == 32


def test_phash_of_the_negative_has_the_other_bits():
    image = scene(4).convert("L")
    negative = image.point(lambda level: 255 - level)
    assert hamming(phash(image.convert("RGB")), phash(negative.convert("RGB"))) >= 62


@given(first=words, second=words)
def test_hamming_counts_bits_that_differ(first: int, second: int):
    expected = sum(a != b for a, b in zip(f"{first:064b}", f"{second:064b}", strict=True))
    assert hamming(first, second) == hamming(second, first) == expected

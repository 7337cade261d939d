"""Squares for the network, and parts of pictures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lookalike.services.errors import InvalidRequestError
from lookalike.services.imaging.preparing import crop, prepare
from lookalike.services.records import Fit, Recipe
from tests.factories import scene
from tests.scenes import CORNERS, cornered

PADDING = (124, 116, 104)


def recipe(size: int) -> Recipe:
    return Recipe(size, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5), PADDING)


@settings(deadline=None)
@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    size=st.integers(8, 300),
)
def test_any_shape_fills_the_square_with_picture_and_bars_only(width: int, height: int, size: int):
    found = prepare(Image.new("RGB", (width, height), "white"), recipe(size))
    assert (found.shape, found.dtype) == ((size, size, 3), np.uint8)
    assert found.flags.writeable
    white = (found >= 253).all(axis=2)
    assert white.any()
    assert (found[~white] == PADDING).all()
    rows, columns = white.any(axis=1).sum(), white.any(axis=0).sum()
    assert max(rows, columns) == size
    assert white.sum() == rows * columns


def test_a_square_picture_of_the_right_size_is_left_as_it_is():
    image = scene(size=(64, 64))
    assert np.array_equal(prepare(image, recipe(64)), np.asarray(image))


def test_bars_are_equal_on_both_sides():
    found = prepare(Image.new("RGB", (200, 100), "white"), recipe(100))
    padded = (found == PADDING).all(axis=(1, 2))
    assert padded.tolist() == [True] * 25 + [False] * 50 + [True] * 25


@settings(deadline=None)
@given(
    width=st.integers(1, 3000),
    height=st.integers(1, 3000),
    size=st.integers(8, 300),
    margin=st.integers(0, 40),
)
def test_a_centre_crop_of_any_shape_is_picture_to_its_edges(width, height, size, margin):
    cut = replace(recipe(size), fit=Fit.CENTER_CROP, shorter=size + margin)
    found = prepare(Image.new("RGB", (width, height), "white"), cut)
    assert (found.shape, found.dtype) == ((size, size, 3), np.uint8)
    assert (found == 255).all()


def test_a_centre_crop_is_the_middle_of_the_picture_at_its_scale():
    """400 x 200: the shorter side becomes 100, so that every second pixel counts."""
    ramp = np.zeros((200, 400, 3), np.uint8)
    ramp[:, :, 0] = np.arange(400) // 2
    ramp[:, :, 1] = np.arange(200)[:, np.newaxis] // 2
    cut = replace(recipe(60), fit=Fit.CENTER_CROP, shorter=100)
    found = prepare(Image.fromarray(ramp), cut).astype(int)
    assert abs(found[30, :, 0] - np.arange(70, 130)).max() <= 1
    assert abs(found[:, 30, 1] - np.arange(20, 80)).max() <= 1


def test_a_stretched_picture_keeps_its_corners_and_not_its_shape():
    found = prepare(cornered((600, 100)), replace(recipe(64), fit=Fit.STRETCH))
    assert found.shape == (64, 64, 3)
    for (row, column), colour in zip(
        [(4, 4), (4, -4), (-4, 4), (-4, -4)], CORNERS.values(), strict=True
    ):
        assert abs(found[row, column].astype(int) - colour).max() < 30


def test_a_large_picture_is_filtered_and_not_sampled():
    checks = np.indices((1000, 1000)).sum(axis=0) % 2 * 255
    image = Image.fromarray(checks.astype(np.uint8)).convert("RGB")
    found = prepare(image, recipe(50))
    assert abs(found.astype(int) - 127).max() <= 3


@pytest.mark.parametrize(
    ("box", "colour"),
    [
        ((0, 0, 0.5, 0.5), "red"),
        ((0.5, 0, 0.5, 0.5), "green"),
        ((0, 0.5, 0.5, 0.5), "blue"),
        ((0.5, 0.5, 0.5, 0.5), "white"),
    ],
)
def test_a_crop_shows_that_part(box: tuple[float, float, float, float], colour: str):
    part = crop(cornered(), box)
    assert part.size == (32, 24)
    assert part.getcolors() == [(32 * 24, CORNERS[colour])]


fractions = st.floats(0, 1)


@settings(deadline=None)
@given(
    size=st.tuples(st.integers(1, 500), st.integers(1, 500)),
    x=fractions,
    y=fractions,
    width=fractions,
    height=fractions,
)
def test_any_good_box_gives_at_least_one_pixel_and_about_its_share(
    size: tuple[int, int], x: float, y: float, width: float, height: float
):
    box = (x * (1 - width), y * (1 - height), width or 1e-300, height or 1e-300)
    part = crop(Image.new("RGB", size), box)
    assert 1 <= part.width <= size[0]
    assert 1 <= part.height <= size[1]
    assert abs(part.width - box[2] * size[0]) <= 1
    assert abs(part.height - box[3] * size[1]) <= 1


def test_the_whole_picture_can_be_asked_for_in_fractions_that_do_not_quite_add_up():
    assert crop(scene(), (0.1 + 0.2, 0, 0.7000000001, 1)).size == (224, 240)


@pytest.mark.parametrize(
    "box",
    [
        (-0.1, 0, 0.5, 0.5),
        (0, -0.1, 0.5, 0.5),
        (0, 0, 0, 0.5),
        (0, 0, 0.5, 0),
        (0.5, 0, 0.6, 0.5),
        (0, 0.5, 0.5, 0.6),
        (1, 0, 0.1, 0.1),
        (0, 0, -0.5, 0.5),
        (math.nan, 0, 0.5, 0.5),
        (0, 0, math.inf, 0.5),
        (0, 0, 100, 100),
    ],
)
def test_an_empty_box_or_one_outside_is_refused(box: tuple[float, float, float, float]):
    with pytest.raises(InvalidRequestError) as refusal:
        crop(scene(), box)
    assert refusal.value.details == {"field": "crop"}

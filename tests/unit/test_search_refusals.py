"""Searches that cannot be answered: each says why."""

from __future__ import annotations

from io import BytesIO
from uuid import uuid4

import pytest

from lookalike.services.errors import (
    BlobMissingError,
    InvalidRequestError,
    NotAnImageError,
    NotFoundError,
    TruncatedError,
    UnavailableError,
)
from tests.factories import ODD
from tests.platforms import OUTAGE, World, small

pytestmark = pytest.mark.both_databases


@pytest.mark.parametrize("role", ["like", "unlike"])
def test_an_unknown_example_is_not_found(world: World, role: str):
    unknown = uuid4()
    with pytest.raises(NotFoundError) as caught:
        world.search(**{role: [unknown]})
    assert caught.value.details == {"id": str(unknown)}


@pytest.mark.parametrize(
    ("data", "state"), [(small(), "pending"), (ODD["jpeg_truncated"].data, "failed")]
)
def test_an_example_without_a_vector_says_how_it_stands(world: World, data: bytes, state: str):
    [picture_id] = world.add(data)
    if state == "failed":
        world.work()
    with pytest.raises(InvalidRequestError, match=f"'0.jpg' is {state}") as caught:
        world.search(like=[picture_id])
    assert caught.value.details == {"id": str(picture_id), "state": state}


def test_an_unknown_library_is_not_found(world: World):
    with pytest.raises(NotFoundError, match="attic"):
        world.search(picture=BytesIO(small()), library="attic")


def test_nothing_to_search_with_is_refused(world: World):
    with pytest.raises(InvalidRequestError, match="Nothing to search with") as caught:
        world.search()
    assert caught.value.details == {"field": "like"}


def test_a_crop_needs_one_picture(world: World):
    ids = world.scenes(2)
    for examples in ({"like": ids}, {"unlike": ids[:1]}):
        with pytest.raises(InvalidRequestError, match="crop") as caught:
            world.search(crop=(0, 0, 1, 1), **examples)
        assert caught.value.details == {"field": "crop"}


@pytest.mark.parametrize(
    "box",
    [
        (0, 0, 0, 1),
        (0, 0, 1, 0),
        (0.5, 0, 0.6, 1),
        (0, 0.9, 1, 0.2),
        (-0.1, 0, 1, 1),
        (1, 1, 1, 1),
        (0, 0, float("nan"), 1),
    ],
)
def test_a_crop_outside_the_picture_or_empty_is_refused(world: World, box):
    with pytest.raises(InvalidRequestError) as caught:
        world.search(picture=BytesIO(small()), crop=box)
    assert caught.value.details == {"field": "crop"}


def test_the_same_picture_cannot_be_liked_and_not(world: World):
    ids = world.scenes(2)
    with pytest.raises(InvalidRequestError) as caught:
        world.search(like=ids, unlike=ids[1:])
    assert caught.value.details == {"field": "unlike"}


def test_an_upload_that_is_no_picture_is_refused_like_at_the_door(world: World):
    with pytest.raises(NotAnImageError):
        world.search(picture=BytesIO(b"text"))
    with pytest.raises(TruncatedError):
        world.search(picture=BytesIO(ODD["jpeg_truncated"].data))


@pytest.mark.parametrize("part", ["vectors", "embedder"])
def test_a_part_that_is_down_makes_search_unavailable(world: World, part: str):
    getattr(world, part).failure = OUTAGE
    with pytest.raises(UnavailableError):
        world.search(picture=BytesIO(small()))


def test_no_network_is_asked_while_the_vectors_cannot_be(world: World):
    world.vectors.failure = OUTAGE
    world.embedder.failure = AssertionError("asked for nothing")
    with pytest.raises(UnavailableError):
        world.search(picture=BytesIO(small()))


def test_a_crop_of_a_picture_whose_file_is_lost_says_so(world: World):
    [picture_id] = world.indexed(small())
    world.lose_original(picture_id)
    with pytest.raises(BlobMissingError):
        world.search(like=[picture_id], crop=(0, 0, 1, 1))

"""Search: the right neighbours, in order, and nobody else's."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from PIL import Image

from lookalike.services.filters import Filter
from lookalike.services.ports import VectorQuery
from lookalike.services.records import Hit, target
from tests.factories import ODD
from tests.platforms import OUTAGE, World, small
from tests.scenes import saved, scene

pytestmark = pytest.mark.both_databases


def found(world: World, **request: Any) -> list[UUID]:
    return [one.shown.picture.id for one in world.search(**request).results]


def scores(world: World, ids: list[UUID], wanted: np.ndarray) -> dict[UUID, float]:
    """Cosine to the wanted direction, worked out beside the search."""
    vectors = world.vectors.vectors(ids)
    return {one: float(vectors[one] @ wanted) for one in ids}


def ranked(world: World, ids: list[UUID], wanted: np.ndarray) -> list[UUID]:
    by_score = scores(world, ids, wanted)
    return sorted(ids, key=lambda one: -by_score[one])


def side_by_side(*seeds: int) -> bytes:
    """Scenes next to each other, losslessly."""
    images = [scene(seed, (64, 64)) for seed in seeds]
    strip = Image.new("RGB", (64 * len(images), 64))
    for place, image in enumerate(images):
        strip.paste(image, (64 * place, 0))
    return saved(strip, "PNG")


def test_neighbours_of_a_stored_picture_come_best_first_without_itself(world: World):
    ids = world.scenes(8)
    answer = world.search(like=[ids[0]])
    wanted = world.vectors.vectors(ids[:1])[ids[0]]
    assert [one.shown.picture.id for one in answer.results] == ranked(world, ids[1:], wanted)
    expected = scores(world, ids, wanted)
    for one in answer.results:
        assert one.score == pytest.approx(expected[one.shown.picture.id], abs=1e-5)


def test_the_answer_says_which_index_and_model_made_it(world: World):
    ids = world.scenes(2)
    answer = world.search(like=ids[:1])
    assert answer.index_id == world.platform.indexes.live().id
    assert answer.model == "fake"
    assert answer.took_ms > 0


def test_examples_that_are_liked_and_not_liked_pull_and_push(world: World):
    ids = world.scenes(10)
    vectors = world.vectors.vectors(ids)
    liked, unliked, rest = ids[:2], ids[2:4], ids[4:]
    wanted = target([vectors[one] for one in liked], [vectors[one] for one in unliked])
    assert found(world, like=liked, unlike=unliked) == ranked(world, rest, wanted)


def test_dislikes_alone_find_what_is_least_alike(world: World):
    ids = world.scenes(6)
    away = -world.vectors.vectors(ids[:1])[ids[0]]
    assert found(world, unlike=ids[:1]) == ranked(world, ids[1:], away)


def test_an_uploaded_picture_finds_the_same_picture_first(world: World):
    ids = world.scenes(5)
    answer = world.search(picture=BytesIO(small(3)))
    assert answer.results[0].shown.picture.id == ids[3]
    assert answer.results[0].score == pytest.approx(1, abs=1e-3)
    assert len(answer.results) == 5


def test_an_upload_and_stored_examples_go_together(world: World):
    ids = world.scenes(6)
    vectors = world.vectors.vectors(ids)
    wanted = target([vectors[ids[0]], vectors[ids[1]]], [vectors[ids[2]]])
    expected = [one for one in ranked(world, ids, wanted) if one not in ids[1:3]]
    assert found(world, picture=BytesIO(small(0)), like=[ids[1]], unlike=[ids[2]]) == expected


def test_nothing_of_an_upload_is_kept(world: World):
    world.scenes(2)
    before = world.blob_names()
    world.search(picture=BytesIO(small(9)))
    assert world.blob_names() == before
    assert sum(world.platform.pictures.counts().values()) == 2


@pytest.mark.parametrize(("place", "box"), [(0, (0, 0, 0.5, 1)), (1, (0.5, 0, 0.5, 1))])
def test_a_part_of_an_upload_is_searched_alone(world: World, place: int, box):
    ids = world.indexed(*(side_by_side(seed) for seed in range(6)))
    answer = world.search(picture=BytesIO(side_by_side(2, 4)), crop=box)
    assert answer.results[0].shown.picture.id == ids[(2, 4)[place]]
    assert answer.results[0].score == pytest.approx(1, abs=1e-3)


def test_a_part_of_a_stored_picture_is_searched_alone_without_that_picture(world: World):
    ids = world.indexed(*(side_by_side(seed) for seed in range(6)))
    [both] = world.indexed(side_by_side(1, 5))
    answer = world.search(like=[both], crop=(0.5, 0, 0.5, 1))
    assert answer.results[0].shown.picture.id == ids[5]
    assert answer.results[0].score == pytest.approx(1, abs=1e-3)
    assert both not in [one.shown.picture.id for one in answer.results]


def test_the_whole_as_a_part_is_the_whole(world: World):
    ids = world.scenes(5)
    whole = world.search(like=ids[:1])
    same = world.search(like=ids[:1], crop=(0, 0, 1, 1))
    assert [one.shown.picture.id for one in same.results] == [
        one.shown.picture.id for one in whole.results
    ]


def test_filters_narrow_the_neighbours_alone_and_combined(world: World):
    red = world.indexed(*(small(seed) for seed in range(3)), tags=["red"], attributes={"n": 1})
    blue = world.indexed(
        *(small(seed, format="PNG") for seed in range(3, 6)), tags=["blue"], attributes={"n": 2}
    )
    tall = world.indexed(small(7, (48, 64)), tags=["red", "blue"], attributes={"n": 2})

    def meeting(**asked: Any) -> set[UUID]:
        return set(found(world, picture=BytesIO(small(9)), filter=Filter.model_validate(asked)))

    assert meeting() == {*red, *blue, *tall}
    assert meeting(tags={"any": ["red"]}) == {*red, *tall}
    assert meeting(tags={"all": ["red", "blue"]}) == {*tall}
    assert meeting(tags={"none": ["red"]}) == {*blue}
    assert meeting(format=["png"]) == {*blue}
    assert meeting(orientation="portrait") == {*tall}
    assert meeting(attributes={"n": 2}) == {*blue, *tall}
    assert meeting(attributes={"n": {"gte": 2}}, tags={"any": ["blue"]}, format=["jpeg"]) == {*tall}
    assert meeting(tags={"any": ["green"]}) == set()


def test_pages_of_results_follow_each_other_without_gaps(world: World):
    ids = world.scenes(11)
    whole = found(world, like=ids[:1], limit=100)
    paged = [
        one
        for offset in range(0, 12, 4)
        for one in found(world, like=ids[:1], limit=4, offset=offset)
    ]
    assert paged == whole
    assert len(whole) == 10
    assert found(world, like=ids[:1], offset=10) == []


def test_the_lowest_score_asked_for_is_included(world: World):
    ids = world.scenes(6)
    answer = world.search(like=ids[:1])
    third = answer.results[2].score
    assert len(world.search(like=ids[:1], min_score=third).results) == 3
    assert found(world, like=ids[:1], min_score=1.01) == []


def test_exactness_is_asked_of_the_vectors_only_when_it_is_asked_for(world: World, monkeypatch):
    ids = world.scenes(6)
    asked: list[bool] = []
    search = world.vectors.inner.search

    def watched(query: VectorQuery) -> list[Hit]:
        asked.append(query.exact)
        return search(query)

    monkeypatch.setattr(world.vectors.inner, "search", watched)
    assert found(world, like=ids[:1], exact=True) == found(world, like=ids[:1])
    assert asked == [True, False]


def test_another_librarys_pictures_are_never_shown(world: World):
    world.platform.libraries.create("attic")
    here = world.scenes(3)
    there = world.scenes(3, library="attic")
    assert set(found(world, like=here[:1])) == {*here[1:]}
    assert set(found(world, like=there[:1], library="attic")) == {*there[1:]}
    assert set(found(world, picture=BytesIO(small(0)), library="attic")) == {*there}
    assert set(found(world, like=there[:1])) == {*here}


def test_a_removed_picture_never_shows_even_while_its_vector_lingers(world: World):
    ids = world.scenes(3)
    world.vectors.failure = OUTAGE
    world.platform.pictures.remove(ids[1])
    world.vectors.failure = None
    assert world.has_point(ids[1])
    assert found(world, like=ids[:1]) == [ids[2]]


def test_pictures_that_wait_or_failed_are_not_found(world: World):
    ids = world.scenes(2)
    world.indexed(ODD["jpeg_truncated"].data)
    world.add(small(5))
    assert found(world, like=ids[:1]) == [ids[1]]


def test_an_empty_library_has_no_neighbours(world: World):
    assert found(world, picture=BytesIO(small())) == []

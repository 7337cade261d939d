"""Filters to measure with: a picture meets its own, and they leave about as much as they should."""

from __future__ import annotations

import pytest

from lookalike.services.records import Payload
from lookalike.services.reindexing.narrowing import Narrowing
from lookalike.services.shapes import Shape, shape_of
from tests.contract.points import payload
from tests.fakes import meets

SHARES = (0.2, 0.04)
TAGS = {"most": 2, "fifth": 5, "tenth": 10, "few": 25, "rare": 200}


def many(count: int = 500) -> list[Payload]:
    """Pictures with tags of 1 in 2 to 1 in 200, one width, and numbers that are spread."""
    return [
        payload(
            tags=tuple(tag for tag, each in TAGS.items() if number * 7919 % each == 0),
            width=640,
            bytes=number * 31 % count,
            attributes={"price": number, "new": True, "brand": "x"},
        )
        for number in range(count)
    ]


def made(shape: Shape, share: float) -> list[tuple[Payload, tuple]]:
    """Every picture that allows the shape, with its filter."""
    pictures = many()
    narrowing = Narrowing(pictures)
    make = {
        Shape.TAG: narrowing.one_tag,
        Shape.TAGS: narrowing.several_tags,
        Shape.RANGE: narrowing.range,
        Shape.MIXED: narrowing.mixed,
    }[shape]
    tried = [(one, make(one, share, turn)) for turn, one in enumerate(pictures)]
    return [(one, conditions) for one, conditions in tried if conditions is not None]


FILTERED = [shape for shape in Shape if shape is not Shape.UNFILTERED]


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("shape", FILTERED)
def test_a_filter_has_its_shape_and_the_picture_meets_it(shape: Shape, share: float):
    found = made(shape, share)
    assert found
    for picture, conditions in found:
        assert shape_of(conditions) is shape
        assert all(meets(picture, condition) for condition in conditions)


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("shape", [Shape.RANGE, Shape.MIXED])
def test_ranges_leave_about_the_share_that_is_wanted(shape: Shape, share: float):
    pictures = many()
    for _, conditions in made(shape, share)[:50]:
        left = sum(all(meets(one, each) for each in conditions) for one in pictures)
        assert share / 4.5 < left / len(pictures) < share * 4.5


@pytest.mark.parametrize(("share", "tag"), [(0.2, "fifth"), (0.04, "few")])
def test_of_its_tags_a_picture_takes_the_one_that_leaves_the_share(share: float, tag: str):
    pictures = many()
    tagged = next(one for one in pictures if len(one.tags) == len(TAGS))
    [condition] = Narrowing(pictures).one_tag(tagged, share, 0) or ()
    assert condition.values == (tag,)


def test_tags_that_leave_as_much_take_turns():
    pictures = [payload(tags=("one", "other")) if n % 5 == 0 else payload() for n in range(100)]
    narrowing = Narrowing(pictures)
    chosen = {narrowing.one_tag(pictures[0], 0.2, turn) for turn in range(4)}
    assert len(chosen) == 2


def test_a_range_is_of_a_number_that_tells_pictures_apart():
    names = {one.key for _, conditions in made(Shape.RANGE, 0.04) for one in conditions}
    assert names == {("bytes",), ("attributes", "price")}


def test_shares_are_those_of_the_picture_s_own_library():
    pictures = [payload(library="all", tags=("both",)) for _ in range(50)]
    pictures += [payload(library="some", tags=("both", "x") if n < 10 else ()) for n in range(50)]
    narrowing = Narrowing(pictures)
    [condition] = narrowing.one_tag(payload(library="some", tags=("both", "x")), 0.2, 0) or ()
    assert condition.values == ("both",)
    [other] = narrowing.one_tag(payload(library="all", tags=("both", "x")), 0.02, 0) or ()
    assert other.values == ("x",)


def test_without_tags_there_is_no_tag_filter_and_a_mixed_one_takes_the_format():
    pictures = [payload(format="png" if n % 3 else "jpeg", bytes=n) for n in range(60)]
    narrowing = Narrowing(pictures)
    assert narrowing.one_tag(pictures[0], 0.2, 0) is None
    assert narrowing.several_tags(pictures[0], 0.2, 0) is None
    [kind, _] = narrowing.mixed(pictures[0], 0.2, 0) or ()
    assert kind.key == ("format",)


def test_one_tag_alone_is_not_several():
    assert Narrowing([payload(tags=("x",))]).several_tags(payload(tags=("x",)), 0.2, 0) is None


def test_a_picture_of_a_library_that_is_not_in_the_sample_gets_filters_too():
    elsewhere = payload(library="elsewhere", tags=("x", "y"), taken=5.0)
    narrowing = Narrowing(many(10))
    for make in (narrowing.one_tag, narrowing.several_tags, narrowing.range, narrowing.mixed):
        conditions = make(elsewhere, 0.2, 3)
        assert conditions
        assert all(meets(elsewhere, one) for one in conditions)

"""Gates: each says what is needed, what was measured, and by how much it failed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from lookalike.services.errors import InvalidRequestError
from lookalike.services.reindexing.figures import Counts, Figures, Quality, Searches, Times
from lookalike.services.reindexing.gates import Gate, failed, gate_names, gates
from lookalike.services.shapes import Shape

COUNTS = Counts(
    pictures=100, indexed=98, failed=2, pending=0, points=98, least=98, most=98, missing=0
)
TIMES = Times(median_ms=0.4, p95_ms=1.5)


def searches(recall: float, queries: int = 500) -> Searches:
    return Searches(queries, recall, TIMES, TIMES)


GOOD = Figures(
    counts=COUNTS,
    bytes_per_picture=5120.0,
    searches={shape: searches(0.99) for shape in Shape},
    overlap=0.4,
    quality={"cat": Quality(50, 0.612, 0.600), "no": None, "new": Quality(3, 0.5, None)},
)


def gate(figures: Figures, name: str) -> Gate:
    [one] = [one for one in gates(figures) if one.name == name]
    return one


def with_recall(shape: Shape, measured: Searches) -> Figures:
    return replace(GOOD, searches={**GOOD.searches, shape: measured})


def test_a_good_index_passes_every_gate_and_each_says_why():
    found = gates(GOOD)
    assert failed(found) == []
    assert gate_names(GOOD.quality) == [one.name for one in found]
    assert [one.name for one in found] == [
        "counts",
        "missing",
        "recall",
        "recall: one tag",
        "recall: several tags",
        "recall: range",
        "recall: mixed",
        "mAP: cat",
        "mAP: no",
        "mAP: new",
    ]
    assert all(one.message.endswith(".") for one in found)


def test_figures_are_the_same_after_they_were_stored_as_json():
    assert Figures.from_dict(json.loads(json.dumps(GOOD.as_dict()))) == GOOD


@pytest.mark.parametrize(
    ("shape", "measured", "passes"),
    [
        (Shape.UNFILTERED, 0.98, True),
        (Shape.UNFILTERED, 0.97999, False),
        (Shape.TAG, 0.95, True),
        (Shape.TAG, 0.94999, False),
        (Shape.MIXED, 0.0, False),
    ],
)
def test_recall_must_reach_what_is_needed(shape: Shape, measured: float, passes: bool):
    [at] = [place for place, one in enumerate(Shape) if one is shape]
    assert gates(with_recall(shape, searches(measured)))[2 + at].passed is passes


def test_a_failed_recall_says_which_and_by_how_much():
    one = gate(with_recall(Shape.TAG, searches(0.912)), "recall: one tag")
    assert (one.passed, one.measured, one.needed) == (False, 0.912, 0.95)
    assert one.message == (
        "recall@10 with one tag is 0.912, and 0.950 is needed: 0.038 too little."
    )


def test_a_recall_that_nearly_passes_is_not_shown_as_passing():
    one = gate(with_recall(Shape.UNFILTERED, searches(0.97999)), "recall")
    assert one.message.startswith("recall@10 without a filter is 0.979, and 0.980 is needed")
    assert one.message.endswith(": 0.001 too little.")


def test_too_few_queries_decide_nothing():
    one = gate(with_recall(Shape.RANGE, searches(0.5, queries=19)), "recall: range")
    assert (one.passed, one.measured) == (True, None)
    assert "19 searches, and 20 are needed" in one.message
    assert not gate(with_recall(Shape.RANGE, searches(0.5, queries=20)), one.name).passed


def test_a_shape_that_no_picture_allows_has_nothing_to_measure():
    left = {shape: one for shape, one in GOOD.searches.items() if shape is not Shape.TAGS}
    one = gate(replace(GOOD, searches=left), "recall: several tags")
    assert (one.passed, one.measured) == (True, None)
    assert one.message.startswith("Nothing to measure recall@10 with several tags with")


@pytest.mark.parametrize(
    ("points", "least", "most", "passes", "says"),
    [
        (98, 98, 98, True, "98 vectors"),
        (97, 98, 98, False, "1 too few."),
        (99, 98, 98, False, "1 too many."),
        (99, 98, 120, True, "99 vectors"),
        (1_121, 98, 120, False, "1,001 too many."),
    ],
)
def test_points_must_be_as_many_as_entries_say(points, least, most, passes, says):
    counts = replace(COUNTS, points=points, least=least, most=most)
    one = gate(replace(GOOD, counts=counts), "counts")
    assert one.passed is passes
    assert says in one.message


def test_pictures_that_the_live_index_alone_has_stop_a_switch():
    one = gate(replace(GOOD, counts=replace(COUNTS, missing=1_200)), "missing")
    assert (one.passed, one.measured, one.needed) == (False, 1_200, 0)
    assert one.message.startswith("1,200 pictures that the live index finds are not in this one")


@pytest.mark.parametrize(
    ("here", "live", "passes"),
    [(0.6, 0.6, True), (0.5995, 0.6, True), (0.598, 0.6, False), (0.0, 0.0005, True)],
)
def test_map_may_not_be_worse_than_the_live_one_s(here: float, live: float, passes: bool):
    quality = {"cat": Quality(50, here, live)}
    assert gate(replace(GOOD, quality=quality), "mAP: cat").passed is passes


def test_a_worse_map_says_by_how_much():
    quality = {"cat": Quality(50, 0.55, 0.6)}
    assert gate(replace(GOOD, quality=quality), "mAP: cat").message == (
        "mAP of 'cat' is 0.550, the live index has 0.600, and 0.599 is needed: 0.049 too little."
    )


BAD = replace(
    with_recall(Shape.TAG, searches(0.9)), counts=replace(COUNTS, missing=3), overlap=None
)


def test_a_failed_gate_may_be_overridden_by_its_name_alone():
    found = gates(BAD)
    assert [one.name for one in failed(found)] == ["missing", "recall: one tag"]
    assert [one.name for one in failed(found, ["recall: one tag"])] == ["missing"]
    assert failed(found, ["missing", "recall: one tag", "counts"]) == []


def test_overriding_a_gate_that_does_not_exist_names_those_that_do():
    with pytest.raises(InvalidRequestError, match=r"no gate 'recal'.*counts, missing, recall, "):
        failed(gates(GOOD), ["recal"])

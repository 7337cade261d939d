"""Shapes: every filter has one, and those that a graph copes with differently differ."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lookalike.services.filters import parse_filter
from lookalike.services.models import RecallSample, SampledQuery
from lookalike.services.shapes import Shape, shape_of


@pytest.mark.parametrize(
    ("asked", "shape"),
    [
        ({}, Shape.UNFILTERED),
        ({"tags": {}}, Shape.UNFILTERED),
        ({"width": {}, "taken": {}}, Shape.UNFILTERED),
        ({"tags": {"any": ["a"]}}, Shape.TAG),
        ({"tags": {"all": ["a"]}}, Shape.TAG),
        ({"tags": {"any": ["a", "b", "c"]}}, Shape.TAG),
        ({"tags": {"all": ["a", "b"]}}, Shape.TAGS),
        ({"tags": {"any": ["a"], "all": ["b"]}}, Shape.TAGS),
        ({"width": {"gte": 10}}, Shape.RANGE),
        ({"taken": {"from": "2024-01-01"}, "bytes": {"lte": 5}}, Shape.RANGE),
        ({"attributes": {"price": {"gte": 1, "lte": 2}}}, Shape.RANGE),
        ({"tags": {"any": ["a"]}, "width": {"gte": 10}}, Shape.MIXED),
        ({"tags": {"none": ["a"]}}, Shape.MIXED),
        ({"text": "?"}, Shape.UNFILTERED),
        ({"text": "dog"}, Shape.MIXED),
        ({"text": "dog", "tags": {"any": ["a"]}}, Shape.MIXED),
        ({"format": ["png"]}, Shape.MIXED),
        ({"orientation": "square"}, Shape.MIXED),
        ({"attributes": {"brand": "x"}}, Shape.MIXED),
    ],
)
def test_a_filter_has_the_shape_of_what_it_is_made_of(asked: dict[str, Any], shape: Shape):
    assert shape_of(parse_filter(json.dumps(asked)).conditions()) is shape


def test_the_tables_have_room_for_every_shape():
    for table in (SampledQuery, RecallSample):
        room = table.__table__.c.shape.type.length
        assert all(len(shape) <= room for shape in Shape)

"""Shapes of filters: recall is measured for each, as a graph copes with each in its own way."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from lookalike.services.filters import AnyOf, Condition, Range


class Shape(StrEnum):
    """What a filter is made of. MIXED is whatever has no name of its own."""

    UNFILTERED = "unfiltered"
    TAG = "one tag"
    TAGS = "several tags"
    RANGE = "range"
    MIXED = "mixed"


def shape_of(conditions: Sequence[Condition]) -> Shape:
    """The shape of a filter with these conditions, all of which must hold."""
    if not conditions:
        return Shape.UNFILTERED
    if all(isinstance(one, Range) for one in conditions):
        return Shape.RANGE
    if all(isinstance(one, AnyOf) and one.key == ("tags",) for one in conditions):
        return Shape.TAG if len(conditions) == 1 else Shape.TAGS
    return Shape.MIXED

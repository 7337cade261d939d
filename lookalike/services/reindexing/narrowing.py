"""Filters that a picture itself meets and that leave about a given share of its library."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import TypeAlias

from lookalike.services.filters import AnyOf, Condition, Key, Range
from lookalike.services.records import Payload

MOST_TAGS = 8
"""Tags of a picture that are tried in pairs: its most common ones, as pairs leave little."""

NEAR = math.log(2)
"""Within a factor of two of the share that is wanted, one filter is as good as another."""

Conditions: TypeAlias = tuple[Condition, ...]


class Narrowing:
    """Makes filters. Shares are estimated from a sample of the pictures, library by library.

    Each method takes what filters see of a picture, the `share` to leave, 0 to 1, and a number,
    the `turn`, by which it varies what it picks from. It answers conditions that the picture
    meets and that come as near to the share as its row allows, or None when it allows no such
    filter.
    """

    def __init__(self, sample: Sequence[Payload]) -> None:
        self._pictures = Counter(one.library for one in sample)
        self._holders: defaultdict[tuple[str, AnyOf], set[int]] = defaultdict(set)
        self._numbers: defaultdict[tuple[str, Key], list[float]] = defaultdict(list)
        for row, one in enumerate(sample):
            for facet in (*_tags(one), *_kinds(one)):
                self._holders[one.library, facet].add(row)
            for key, value in _numbers(one).items():
                self._numbers[one.library, key].append(value)
        for values in self._numbers.values():
            values.sort()

    def one_tag(self, picture: Payload, share: float, turn: int) -> Conditions | None:
        """One of the tags."""
        options = [(tag,) for tag in _tags(picture)]
        return self._nearest(picture.library, options, share, turn)

    def several_tags(self, picture: Payload, share: float, turn: int) -> Conditions | None:
        """Two of the tags, both needed."""
        common = sorted(_tags(picture), key=lambda tag: -self._left(picture.library, (tag,)))
        options = list(combinations(common[:MOST_TAGS], 2))
        return self._nearest(picture.library, options, share, turn)

    def range(self, picture: Payload, share: float, turn: int) -> Conditions | None:
        """A range of a number around the picture's own."""
        options = [
            (self._window(picture.library, key, value, share),)
            for key, value in _numbers(picture).items()
        ]
        return self._nearest(picture.library, options, share, turn)

    def mixed(self, picture: Payload, share: float, turn: int) -> Conditions | None:
        """A tag, or else the format or orientation, and a range; each does half of the work."""
        facets = [(facet,) for facet in _tags(picture) or _kinds(picture)]
        facet = self._nearest(picture.library, facets, math.sqrt(share), turn)
        if facet is None:
            return None
        rest = min(1.0, share / self._left(picture.library, facet))
        window = self.range(picture, rest, turn)
        return window and (*facet, *window)

    def _nearest(
        self, library: str, options: Sequence[Conditions], share: float, turn: int
    ) -> Conditions | None:
        if not options:
            return None
        first = turn % len(options)
        return min(
            [*options[first:], *options[:first]],
            key=lambda one: max(NEAR, abs(math.log(self._left(library, one) / share))),
        )

    def _left(self, library: str, conditions: Conditions) -> float:
        """The share that meets the conditions; half a picture of the sample stands for none."""
        pictures = max(1, self._pictures[library])
        return max(0.5, self._count(library, conditions)) / pictures

    def _count(self, library: str, conditions: Conditions) -> int:
        for one in conditions:
            if isinstance(one, Range) and one.gte is not None and one.lte is not None:
                values = self._numbers[library, one.key]
                return bisect_right(values, one.lte) - bisect_left(values, one.gte)
        held = [self._holders[library, one] for one in conditions if isinstance(one, AnyOf)]
        return len(set.intersection(*held))

    def _window(self, library: str, key: Key, value: float, share: float) -> Range:
        """From so many sampled values around the picture's own, itself among them."""
        values = self._numbers[library, key]
        wide = round(share * self._pictures[library])
        start = max(0, min(bisect_left(values, value) - wide // 2, len(values) - wide))
        inside = [value, *values[start : start + wide]]
        return Range(key, min(inside), max(inside))


def _tags(picture: Payload) -> list[AnyOf]:
    return [AnyOf(("tags",), (tag,)) for tag in picture.tags]


def _kinds(picture: Payload) -> list[AnyOf]:
    return [
        AnyOf(("format",), (picture.format,)),
        AnyOf(("orientation",), (str(picture.orientation),)),
    ]


def _numbers(picture: Payload) -> dict[Key, float]:
    fields: dict[Key, object] = {
        (name,): getattr(picture, name) for name in ("width", "height", "bytes", "taken", "added")
    }
    fields |= {("attributes", name): value for name, value in picture.attributes.items()}
    return {
        key: value
        for key, value in fields.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }

"""What is measured of an index before it may go live, and for people to choose by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from lookalike.services.shapes import Shape


@dataclass(frozen=True, slots=True)
class Counts:
    """How an index stood at one moment.

    `pictures` there are in all; `indexed`, `failed` and `pending` are entries of the index,
    `points` the vectors in its collection. There have to be from `least` to `most` points, given
    what came and went while they were counted. `missing` pictures are in the live index and not
    in this one; those that both are just being brought into are not among them.
    """

    pictures: int
    indexed: int
    failed: int
    pending: int
    points: int
    least: int
    most: int
    missing: int


@dataclass(frozen=True, slots=True)
class Times:
    """How long searches took, in milliseconds: the median, and what 95 in 100 stayed below."""

    median_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Searches:
    """Searches with filters of one shape, as usual and exact.

    `recall` is the mean share of the ten nearest that the usual search found, 0 to 1.
    """

    queries: int
    recall: float
    usual: Times
    exact: Times


@dataclass(frozen=True, slots=True)
class Quality:
    """How well pictures with one tag find each other: mean average precision, 0 to 1.

    Of the same `queries` in the index and in the live one; `live_map` is None where there is no
    other one to compare with.
    """

    queries: int
    mean_average_precision: float
    live_map: float | None


@dataclass(frozen=True, slots=True)
class Figures:
    """All that was measured.

    `bytes_per_picture` is what the collection takes by its number of points; None when the store
    cannot tell. `searches` are by shape of filter, without those that there was nothing to measure
    with. `overlap` is the mean share of the first ten results, 0 to 1, that the live index gives
    too; None when there was none to compare with. `quality` is by label, None where no two
    pictures have it. Both compare with `compared_with`, which was live then.
    """

    counts: Counts
    bytes_per_picture: float | None
    searches: Mapping[Shape, Searches]
    overlap: float | None
    quality: Mapping[str, Quality | None]
    compared_with: UUID | None = None

    def as_dict(self) -> dict[str, Any]:
        """The same as JSON-ready values."""
        values: dict[str, Any] = _FIGURES.dump_python(self, mode="json")
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Figures:
        """What `as_dict` gave."""
        return _FIGURES.validate_python(values)


_FIGURES = TypeAdapter(Figures)

"""The gates between a built index and a live one: what is needed, what was measured, which failed.

Overlap with the live index has no gate: a better model finds other pictures.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from lookalike.services.errors import InvalidRequestError
from lookalike.services.reindexing.figures import Counts, Figures, Quality, Searches
from lookalike.services.shapes import Shape

UNFILTERED_RECALL = 0.98
FILTERED_RECALL = 0.95
"""Recall@10 that is needed, of Lookalike's budgets."""

LEAST_QUERIES = 20
"""Fewer queries decide nothing: 20 may lose four of their 200 neighbours at a recall of 0.98, and a
single odd query can lose as many. So few also come from few pictures, which engines compare one by
one anyway."""

MAP_TOLERANCE = 0.001
"""Mean average precision that may be lost. Smaller storage rounds numbers, which swaps neighbours
that are about equally near: float16 moved the mean of a class of 27 by 0.0002 (vectors drawn at
random around 20 centres), and nobody would see this much."""


COUNTS, MISSING = "counts", "missing"
COUNTED = frozenset({COUNTS, MISSING})
"""Gates that need no measurement: whether every picture is in the index."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition of a switch. `message` says in a sentence what was measured and is needed.

    `measured` is None where there was too little to measure; it has passed then.
    """

    name: str
    passed: bool
    measured: float | None
    needed: float
    message: str


def gates(figures: Figures) -> list[Gate]:
    """Every gate, in the order in which people are shown them."""
    return [
        *count_gates(figures.counts),
        *(_recall(shape, figures.searches.get(shape)) for shape in Shape),
        *(_quality(label, quality) for label, quality in figures.quality.items()),
    ]


def count_gates(counts: Counts) -> list[Gate]:
    """The gates that are COUNTED."""
    return [_points(counts), _missing(counts)]


def gate_names(labels: Iterable[str]) -> list[str]:
    """The gates that an index has, before it is measured; `labels` are tags to measure mAP by."""
    return [COUNTS, MISSING, *map(_recall_name, Shape), *map(_quality_name, labels)]


def check_names(known: Collection[str], override: Collection[str]) -> None:
    """Raises InvalidRequestError for a name that no gate has."""
    for name in override:
        if name not in known:
            raise InvalidRequestError(
                f"There is no gate {name!r} to override. The gates are: {', '.join(known)}.",
                field="override",
            )


def failed(found: Sequence[Gate], override: Collection[str] = ()) -> list[Gate]:
    """The gates that stop a switch: failed, and not named in `override`.

    Raises InvalidRequestError for a name that no gate has.
    """
    check_names([gate.name for gate in found], override)
    return [gate for gate in found if not gate.passed and gate.name not in override]


def _points(counts: Counts) -> Gate:
    passed = counts.least <= counts.points <= counts.most
    needed = counts.least if counts.points <= counts.least else counts.most
    return Gate(
        COUNTS,
        passed,
        counts.points,
        counts.points if passed else needed,
        f"The collection holds {counts.points:,} vectors, for {counts.indexed:,} pictures that are "
        f"indexed{_besides(counts)}" + ("." if passed else _off(counts)),
    )


def _besides(counts: Counts) -> str:
    return f" and {counts.pending:,} that are pending" if counts.pending else ""


def _off(counts: Counts) -> str:
    if counts.points < counts.least:
        return f": {counts.least - counts.points:,} too few."
    return f": {counts.points - counts.most:,} too many."


def _missing(counts: Counts) -> Gate:
    message = (
        f"{counts.missing:,} pictures that the live index finds are not in this one, and none may "
        "be missing."
        if counts.missing
        else "Every picture that the live index finds is in this one."
    )
    return Gate(MISSING, not counts.missing, counts.missing, 0, message)


def _recall_name(shape: Shape) -> str:
    return "recall" if shape is Shape.UNFILTERED else f"recall: {shape}"


def _recall(shape: Shape, searches: Searches | None) -> Gate:
    name = _recall_name(shape)
    needed = UNFILTERED_RECALL if shape is Shape.UNFILTERED else FILTERED_RECALL
    asked = _ASKED[shape]
    if searches is None or searches.queries < LEAST_QUERIES:
        return Gate(name, True, None, needed, _too_little(asked, searches))
    recall = searches.recall
    message = f"recall@10 {asked} is {_floor(recall)}, and {needed:.3f} is needed"
    return Gate(name, recall >= needed, recall, needed, message + _short(recall, needed))


_ASKED = {
    Shape.UNFILTERED: "without a filter",
    Shape.TAG: "with one tag",
    Shape.TAGS: "with several tags",
    Shape.RANGE: "with a range",
    Shape.MIXED: "with a mixed filter",
}


def _too_little(asked: str, searches: Searches | None) -> str:
    if searches is None:
        return f"Nothing to measure recall@10 {asked} with: no picture allows such a search."
    return (
        f"Too little to measure recall@10 {asked} with: {searches.queries} searches, and "
        f"{LEAST_QUERIES} are needed."
    )


def _quality_name(label: str) -> str:
    return f"mAP: {label}"


def _quality(label: str, quality: Quality | None) -> Gate:
    name = _quality_name(label)
    if quality is None:
        message = f"Nothing to measure mAP of {label!r} with: no two pictures have this tag."
        return Gate(name, True, None, 0, message)
    measured = quality.mean_average_precision
    if quality.live_map is None:
        message = f"mAP of {label!r} is {_floor(measured)}, and no other index is live."
        return Gate(name, True, measured, 0, message)
    needed = max(0.0, quality.live_map - MAP_TOLERANCE)
    message = (
        f"mAP of {label!r} is {_floor(measured)}, the live index has {_floor(quality.live_map)}, "
        f"and {needed:.3f} is needed"
    )
    return Gate(name, measured >= needed, measured, needed, message + _short(measured, needed))


def _floor(share: float) -> str:
    """Three digits, never rounded up: 0.9799 must not look like the 0.98 that was needed."""
    return f"{math.floor(share * 1000) / 1000:.3f}"


def _short(measured: float, needed: float) -> str:
    if measured >= needed:
        return "."
    return f": {math.ceil((needed - measured) * 1000) / 1000:.3f} too little."

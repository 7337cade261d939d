"""Which searches an index is measured by: a fair sample, the same each time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import pytest

from lookalike.services.db import Database
from lookalike.services.reindexing import queries
from lookalike.services.reindexing.gates import gates
from lookalike.services.reindexing.queries import questions, sample
from lookalike.services.shapes import Shape
from tests.two_indexes import Bench, make_bench

pytestmark = pytest.mark.both_databases

Make: TypeAlias = Callable[..., Bench]


@pytest.fixture
def make(db: Database) -> Make:
    """Makes a bench; `built` is the collection that the new index is to have."""
    return partial(make_bench, db)


def test_the_same_pictures_ask_each_time_in_no_order_that_has_to_do_with_them(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "QUERIES", 10)
    bench = make()
    bench.add(range(1, 41))
    first = [one.id.int for one in sample(bench.db, None)]
    assert len(first) == 10
    assert first == [one.id.int for one in sample(bench.db, None)]
    assert max(first) - min(first) > 20
    bench.add(range(41, 45), library="other")
    assert [one.id.int for one in sample(bench.db, "main")] == first


def test_the_few_pictures_with_tags_are_found_among_many_without(
    make: Make, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(queries, "QUERIES", 3)
    bench = make()
    bench.add(range(1, 41))
    rare = bench.add([50, 51], tags=["rare", "rarer"])
    asked = questions(bench.db, None)
    assert {one.id for one in asked[Shape.TAG]} == set(rare)
    assert {one.id for one in asked[Shape.TAGS]} == set(rare)
    assert len(asked[Shape.UNFILTERED]) == len(asked[Shape.MIXED]) == 3


def test_without_tags_there_are_no_questions_with_tags(make: Make):
    bench = make()
    bench.add(range(1, 31))
    figures = bench.measure()
    assert set(figures.searches) == {Shape.UNFILTERED, Shape.RANGE, Shape.MIXED}
    said = [gate.message for gate in gates(figures) if gate.name == "recall: one tag"]
    assert said[0].startswith("Nothing to measure")

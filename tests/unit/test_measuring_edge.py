"""The real engine under the measurement: it understands every shape of filter."""

from __future__ import annotations

from pathlib import Path

from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.db import Database
from lookalike.services.reindexing.gates import failed, gates
from lookalike.services.shapes import Shape
from tests.two_indexes import SPEC, make_bench, tagged


def test_the_engine_itself_can_be_measured(db: Database, tmp_path: Path):
    store = EdgeStore(tmp_path / "vectors")
    try:
        bench = make_bench(db, store.open("built", SPEC))
        tagged(bench, 60)
        figures = bench.measure(labels=["a"])
    finally:
        store.close()
    assert set(figures.searches) == set(Shape)
    assert {one.recall for one in figures.searches.values()} == {1.0}
    assert figures.overlap == 1.0
    assert failed(gates(figures)) == []

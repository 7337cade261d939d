"""What each storage costs and keeps: bytes a picture, recall and search times, on Edge."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np

from bench.recall import QUERIES, SHAPES, fill, grow, measured
from bench.searching import embed
from lookalike.services.adapters.edge.store import EdgeStore
from lookalike.services.records import CollectionSpec, Storage, Vectors
from lookalike.services.settings import Settings

VECTORS = 20_000
SHOWN = SHAPES[:2]
"""No filter, and one tag of 20%."""


def run(pictures: list[Path], scratch: Path) -> None:
    """Print a line for each storage."""
    compare(grow(embed(pictures, Settings(data_dir=scratch, port=0)), VECTORS, seed=1))


def compare(vectors: Vectors) -> None:
    """Print a line for each storage of these vectors."""
    print(
        f"{len(vectors)} vectors of {vectors.shape[1]}   searched    "
        + "   ".join(f"recall@10, median ms: {shape.name}" for shape in SHOWN)
    )
    for storage in Storage:
        print(_line(vectors, storage), flush=True)


def _line(vectors: Vectors, storage: Storage) -> str:
    chosen = np.random.default_rng(0).choice(len(vectors), QUERIES, replace=False)
    with tempfile.TemporaryDirectory() as folder, closing(EdgeStore(Path(folder))) as store:
        collection = store.open("storages", CollectionSpec(vectors.shape[1], storage=storage))
        fill(collection, vectors, seed=0)
        size = collection.bytes_used() / len(vectors)
        found = [measured(collection, shape, vectors, chosen) for shape in SHOWN]
    shown = "   ".join(f"{one.recall:9.3f} {one.median_ms:7.2f} ms" for one in found)
    return f"{storage:22} {size:6.0f} bytes   {shown}"

"""Embedders that need no network: colours in a grid, the same vector for the same picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lookalike.services.errors import NotFoundError
from lookalike.services.ports import Embedder
from lookalike.services.records import (
    ModelAvailability,
    ModelDefinition,
    Pixels,
    Recipe,
    Vectors,
    Weights,
)

CELLS = 4
SIZE = 32
RECIPE = Recipe(size=SIZE, mean=(0, 0, 0), deviation=(1, 1, 1), padding=(255, 255, 255))


class FakeEmbedder:
    """`ports.Embedder`: mean colours of some cells, so that alike pictures are near each other."""

    forward_batch = 16

    def __init__(self, name: str = "fake", cells: int = CELLS) -> None:
        self._cells = cells
        self.definition = ModelDefinition(name, cells * cells * 3 + 1, RECIPE)

    def embed(self, pictures: Sequence[Pixels]) -> Vectors:
        """As `ports.Embedder.embed` promises."""
        if not len(pictures):
            return np.empty((0, self.definition.dimensions), np.float32)
        count, side = self._cells, SIZE // self._cells
        cells = np.stack(pictures).reshape(-1, count, side, count, side, 3)
        colours = cells.mean(axis=(2, 4)).reshape(len(pictures), -1) - 127.5
        # One number that is never zero gives every picture a direction.
        rows = np.concatenate([colours, np.full((len(pictures), 1), 8.0)], axis=1)
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


class FakeEmbedders:
    """`ports.Embedders` over the embedders it is given, all of them present."""

    def __init__(self, *embedders: Embedder) -> None:
        self._embedders = {one.definition.name: one for one in embedders or (FakeEmbedder(),)}

    def available(self) -> list[ModelAvailability]:
        """As `ports.Embedders.available` promises."""
        present = [one.definition for one in self._embedders.values()]
        return [ModelAvailability(definition, Weights.PRESENT, "") for definition in present]

    def get(self, name: str) -> Embedder:
        """As `ports.Embedders.get` promises."""
        if name not in self._embedders:
            raise NotFoundError(f"There is no model {name!r}.", model=name)
        return self._embedders[name]

    def pull(self, name: str, progress: Callable[[int, int | None], None]) -> None:
        """As `ports.Embedders.pull` promises: all are here."""
        self.get(name)

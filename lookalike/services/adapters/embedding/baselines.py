"""What networks must beat: comparing pictures pixel by pixel, and by the colours in them.

On the 542 food photographs that the other recipes were chosen with, P@5 and mean average precision
are 0.423 and 0.261 for `pixels`, 0.478 and 0.324 for `colors`, where EfficientNet-Lite1 has 0.661
and 0.512.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lookalike.services.adapters.embedding.batches import joined, stacked
from lookalike.services.records import (
    Distance,
    Fit,
    ModelDefinition,
    Pixels,
    Recipe,
    Vectors,
)

SIDE = 32
LEVELS = 4


@dataclass(frozen=True, slots=True)
class Baseline:
    """`ports.Embedder` without a network. `rows` takes uint8 (n, size, size, 3)."""

    definition: ModelDefinition
    rows: Callable[[Pixels], Vectors]
    forward_batch: int = 64

    def embed(self, pictures: Sequence[Pixels]) -> Vectors:
        """Embed prepared pictures, as `ports.Embedder.embed` promises.

        Raises ValueError for pictures that were not prepared by this model's recipe.
        """
        starts = range(0, len(pictures), self.forward_batch)
        batches = (pictures[start : start + self.forward_batch] for start in starts)
        parts = [self.rows(stacked(batch, self.definition)) for batch in batches]
        return joined(parts, self.definition)


def _brightness(batch: Pixels) -> Vectors:
    """Every channel of every pixel, 0 to 1: their distance is the pixels' difference."""
    rows: Vectors = np.divide(batch.reshape(len(batch), -1), 255, dtype=np.float32)
    return rows


def _histograms(batch: Pixels) -> Vectors:
    """The root of the share of pixels in each of LEVELS x LEVELS x LEVELS colours.

    The cosine of two of them is the Bhattacharyya coefficient of the histograms.
    """
    red, green, blue = np.moveaxis(batch // (256 // LEVELS), -1, 0).astype(np.intp)
    colours = ((red * LEVELS + green) * LEVELS + blue).reshape(len(batch), -1)
    counts = np.array([np.bincount(one, minlength=LEVELS**3) for one in colours])
    rows: Vectors = np.sqrt(counts / colours.shape[1]).astype(np.float32)
    return rows


def _definition(name: str, dimensions: int, size: int, distance: Distance) -> ModelDefinition:
    recipe = Recipe(size, (0,) * 3, (1,) * 3, (255,) * 3, Fit.STRETCH, pool="")
    return ModelDefinition(name, dimensions, recipe, distance)


MODELS: dict[str, Baseline] = {
    "pixels": Baseline(_definition("pixels", SIDE * SIDE * 3, SIDE, Distance.EUCLID), _brightness),
    "colors": Baseline(_definition("colors", LEVELS**3, 128, Distance.COSINE), _histograms),
}
"""The baselines by name."""

"""Pictures as one array, and rows as one: what every way to compute has in common."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lookalike.services.records import Distance, ModelDefinition, Pixels, Vectors


def stacked(pictures: Sequence[Pixels], definition: ModelDefinition) -> Pixels:
    """One uint8 array (n, size, size, 3) of one picture or more.

    Raises ValueError for pictures that were not prepared by the model's recipe.
    """
    batch = np.stack(pictures)
    size = definition.recipe.size
    if batch.shape[1:] != (size, size, 3) or batch.dtype != np.uint8:
        raise ValueError(
            f"{definition.name} takes uint8 pictures of {size} x {size} x 3, "
            f"not {batch.dtype} of {batch.shape[1:]}"
        )
    return batch


def joined(parts: Sequence[Vectors], definition: ModelDefinition) -> Vectors:
    """All rows in order, of unit length for a cosine model; float32 (0, dimensions) for none."""
    vectors = np.concatenate([np.empty((0, definition.dimensions), np.float32), *parts])
    if definition.distance is not Distance.COSINE:
        return vectors
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
    return unit

"""Centring: what all pictures of a library have in common is taken out of every vector.

Vectors of a network lie in a cone around their mean, which says nothing about what sets one
picture apart. Without it, angles are about differences.

How many pictures a mean needs, in 20 random samples of each size out of 542 food photographs, as
gain in mean average precision over vectors that are not centred (worst sample in brackets):

    pictures               10               50              100             300       all 542
    EfficientNet-Lite1  +0.010 (+0.001)  +0.018 (+0.015)  +0.019 (+0.017)  +0.020 (+0.019)  +0.020
    EfficientNet-Lite0  +0.009 (+0.004)  +0.017 (+0.013)  +0.018 (+0.015)  +0.018 (+0.018)  +0.018

They must come from all over the library: the mean of one class alone cost up to 0.075.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from lookalike.services.errors import InvalidRequestError, UnavailableError
from lookalike.services.ports import Embedder
from lookalike.services.records import Distance, ModelDefinition, Pixels, Vector, Vectors

LEAST = 100
"""Fewest pictures that a mean is fitted on: in any sample of 100, most of the gain was there."""

SAMPLE = 2000
"""Most pictures that a mean needs. Beyond 300 the gain moved by less than 0.001, and the error of
a mean falls with the root of their number; the rest is for libraries of many more classes."""

_STORED = np.dtype("<f4")


def fit(vectors: Vectors) -> Vector:
    """The mean (dimensions,) of `vectors` (n, dimensions), to subtract from all of a library.

    SAMPLE of its pictures, drawn evenly, are enough. Raises InvalidRequestError for fewer than
    LEAST.
    """
    if len(vectors) < LEAST:
        raise InvalidRequestError(
            f"Centring needs at least {LEAST} pictures to tell what they have in common, and there "
            f"are {len(vectors)}. Add pictures, or do without it.",
            pictures=len(vectors),
            least=LEAST,
        )
    mean: Vector = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean


def centre(vectors: Vectors, mean: Vector) -> Vectors:
    """The vectors (n, dimensions) without `mean` (dimensions,), at unit length.

    One that equals the mean has no direction left: it is zero, and alike to nothing.
    """
    rest = vectors - mean
    lengths: Vectors = np.linalg.norm(rest, axis=1, keepdims=True)
    lengths[lengths == 0] = 1
    return rest / lengths


def to_bytes(mean: Vector) -> bytes:
    """The mean as it is stored: its numbers in order, float32, little endian."""
    return mean.astype(_STORED).tobytes()


def from_bytes(data: bytes, dimensions: int) -> Vector:
    """What `to_bytes` stored. Raises UnavailableError unless it has so many dimensions."""
    if len(data) != dimensions * _STORED.itemsize:
        raise UnavailableError(
            f"The mean vector stored with the index is damaged: it has {len(data)} bytes, and "
            f"{dimensions} dimensions take {dimensions * _STORED.itemsize}. Build the index again.",
            bytes=len(data),
            dimensions=dimensions,
        )
    return np.frombuffer(data, _STORED).astype(np.float32)


class Centred:
    """`ports.Embedder`: another embedder, with the `mean` of a library taken out of its vectors.

    Raises InvalidRequestError for a model whose distance is EUCLID.
    """

    def __init__(self, embedder: Embedder, mean: Vector) -> None:
        self._embedder = embedder
        self._mean = mean
        self._definition = centred(embedder.definition)

    @property
    def definition(self) -> ModelDefinition:
        """As `ports.Embedder` promises: that of the other embedder, centred."""
        return self._definition

    @property
    def forward_batch(self) -> int:
        """As `ports.Embedder` promises."""
        return self._embedder.forward_batch

    def embed(self, pictures: Sequence[Pixels]) -> Vectors:
        """As `ports.Embedder` promises, but that a vector equal to the mean becomes zero."""
        return centre(self._embedder.embed(pictures), self._mean)


def centred(definition: ModelDefinition) -> ModelDefinition:
    """The model with centring as the last step of its recipe.

    Raises InvalidRequestError where that would change nothing.
    """
    if definition.distance is Distance.EUCLID:
        raise InvalidRequestError(
            f"{definition.name} compares by Euclidean distance, and subtracting the same vector "
            "from all changes no distance. Centring is for models that compare by cosine.",
            model=definition.name,
        )
    return replace(definition, centred=True)

"""Plain values that cross the ports: what embedders, vector indexes and blob stores talk about."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
"""RGB picture, shape (height, width, 3), dtype uint8, values 0 to 255, upright."""

Vector: TypeAlias = NDArray[np.float32]
"""One embedding, shape (dimensions,), dtype float32. Unit length for cosine models alone."""

Vectors: TypeAlias = NDArray[np.float32]
"""Embeddings of a batch, shape (n, dimensions), dtype float32, one row a picture."""

Scalar: TypeAlias = str | int | float | bool
"""What an attribute's value may be."""


class Distance(StrEnum):
    """How two vectors are compared. The score is larger for more alike, and 1 for the same.

    COSINE: the cosine of the angle between them, -1 to 1. EUCLID: `likeness` of the straight line
    between them, over 0 to 1.
    """

    COSINE = "cosine"
    EUCLID = "euclid"


class Storage(StrEnum):
    """How a collection keeps its vectors in memory.

    Numbers of FLOAT32 take 4 bytes and those of FLOAT16 2. The others keep a small copy of each
    vector beside the full one, search in it, and score the best again with the full ones:
    INT8 a byte a number, BINARY a bit, TURBO few bits after a rotation (where the engine has it).
    """

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    INT8 = "int8"
    BINARY = "binary"
    TURBO = "turbo"


class Queue(StrEnum):
    """Where a batch of pictures waits for a worker. Workers empty the first queue first."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class Fit(StrEnum):
    """How a picture of any shape becomes the square that a network wants.

    LETTERBOX: whole, with bars at two sides. CENTER_CROP: its shorter side is scaled to
    `Recipe.shorter`, and the middle is cut out. STRETCH: whole, without keeping its shape.
    """

    LETTERBOX = "letterbox"
    CENTER_CROP = "center crop"
    STRETCH = "stretch"


class Weights(StrEnum):
    """Where a model's weights stand on this machine."""

    PRESENT = "present"
    DOWNLOADABLE = "downloadable"
    MISSING = "missing"


class Orientation(StrEnum):
    """Which side of the upright picture is longer."""

    LANDSCAPE = "landscape"
    PORTRAIT = "portrait"
    SQUARE = "square"

    @classmethod
    def of(cls, width: int, height: int) -> Orientation:
        """Name the shape of a picture of `width` x `height` pixels."""
        if width == height:
            return cls.SQUARE
        return cls.LANDSCAPE if width > height else cls.PORTRAIT


@dataclass(frozen=True, slots=True)
class Recipe:
    """How pixels are prepared before a network sees them; part of a model's definition.

    `size` is the side of the square input in pixels. `mean` and `deviation` are per RGB channel
    on a 0..1 scale and are applied by the embedder, so that prepared pictures stay uint8.
    `padding` is the RGB colour of letterbox bars. `shorter` is the length that the shorter side
    has before a centre crop, in pixels, at least `size`; 0 for the other fits. `pool` says how
    what the network sees all over the picture becomes one vector; empty for not at all.
    """

    size: int
    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    padding: tuple[int, int, int]
    fit: Fit = Fit.LETTERBOX
    pool: str = "average"
    shorter: int = 0

    def __str__(self) -> str:
        size = f"{self.shorter} to {self.size}" if self.shorter else str(self.size)
        return f"{self.fit} {size}" + (f", {self.pool} pool" if self.pool else "")


@dataclass(frozen=True, slots=True)
class ModelDefinition:
    """A model by name: what it makes, how pictures are prepared for it, how vectors compare.

    `centred` says that the mean of a library is taken out of its vectors (`centring`).
    """

    name: str
    dimensions: int
    recipe: Recipe
    distance: Distance = Distance.COSINE
    centred: bool = False

    @property
    def steps(self) -> str:
        """What becomes of a picture, in words: `letterbox 240, average pool, L2, centred`."""
        length = ", L2" if self.distance is Distance.COSINE else ""
        return f"{self.recipe}{length}" + (", centred" if self.centred else "")


@dataclass(frozen=True, slots=True)
class ModelAvailability:
    """A model and whether its weights are here; `hint` says what to do when they are not."""

    definition: ModelDefinition
    weights: Weights
    hint: str


@dataclass(frozen=True, slots=True)
class CollectionSpec:
    """What a vector collection is made for. Fixed for its lifetime."""

    dimensions: int
    distance: Distance = Distance.COSINE
    storage: Storage = Storage.FLOAT32


@dataclass(frozen=True, slots=True)
class Payload:
    """What the vector index knows about a picture: the fields that filters use.

    `library` is the library's name. `taken` and `added` are seconds since the epoch, UTC;
    `taken` is None when the picture does not say. `attributes` maps names to scalars. `words` are
    those of its texts, as `words.words_of` makes them.
    """

    library: str
    tags: tuple[str, ...]
    format: str
    orientation: Orientation
    width: int
    height: int
    bytes: int
    taken: float | None
    added: float
    attributes: Mapping[str, Scalar]
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """A picture as the vector index stores it. `id` is the picture's id."""

    id: UUID
    vector: Vector
    payload: Payload


@dataclass(frozen=True, slots=True)
class Hit:
    """One neighbour: a picture's id and how alike it is, as `Distance` says: 1 is the same."""

    id: UUID
    score: float


def likeness(distance: float, dimensions: int) -> float:
    """The score of two vectors that lie `distance` apart (Euclidean): 1 for none, towards 0.

    1 / (1 + d), where d is the distance over the root of `dimensions`: the root mean square of
    the differences, number by number. Without that root every score of a long vector would be
    next to 0. Falls as the distance grows, so the nearest has the best score.
    """
    return 1 / (1 + distance / math.sqrt(dimensions))


def scored(found: Sequence[Hit], spec: CollectionSpec) -> list[Hit]:
    """What an engine of ours found, in its order, with our scores in place of its own.

    Qdrant's own are cosines already, and distances for EUCLID.
    """
    if spec.distance is Distance.COSINE:
        return list(found)
    return [Hit(hit.id, likeness(hit.score, spec.dimensions)) for hit in found]


def target(
    like: Sequence[Vector], unlike: Sequence[Vector], distance: Distance = Distance.COSINE
) -> Vector:
    """The vector to search for, given examples of what is wanted and what is not.

    Rocchio's relevance feedback with equal weights (also Qdrant's `average_vector` strategy):
    mean(like) + (mean(like) - mean(unlike)); without any `like`, -mean(unlike). Of unit length
    for COSINE, as far out as the formula puts it for EUCLID. Raises ValueError without any
    example.
    """
    if not like and not unlike:
        raise ValueError("at least one example is needed")
    wanted = np.mean(like, axis=0) if len(like) else np.zeros_like(unlike[0])
    if len(unlike):
        wanted = 2 * wanted - np.mean(unlike, axis=0)
    return comparable(wanted, distance)


def comparable(vector: Vector, distance: Distance) -> Vector:
    """The vector as float32: at unit length (if it has any) for COSINE, as it is for EUCLID."""
    length = float(np.linalg.norm(vector)) if distance is Distance.COSINE else 1.0
    return (vector / length if length else vector).astype(np.float32)

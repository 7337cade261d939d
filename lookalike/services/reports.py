"""What `evaluation` measured, for people and programs."""

from __future__ import annotations

from dataclasses import dataclass

from lookalike.services.labelled import Failure, LabelledFile


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """How well the pictures of one class find each other. `mean_average_precision` is 0 to 1."""

    name: str
    pictures: int
    mean_average_precision: float


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A picture that was found, and how alike it is by the score of `records.Distance`."""

    file: LabelledFile
    score: float


@dataclass(frozen=True, slots=True)
class Example:
    """A picture that searched, and its first neighbours, best first."""

    file: LabelledFile
    neighbours: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """What `evaluate` measured. Precisions are means over the queries, 0 to 1.

    `pictures` were embedded; `queries` of them searched among all others; `alone` did not,
    because they are the only one of their class. `classes` are those with queries, by name.
    `pictures_per_second` counts decoding and the forward pass, not loading the model.
    `examples` are the first picture of each class, the same whatever the model.
    """

    model: str
    centred: bool
    reranked: bool
    recipe: str
    distance: str
    bytes_per_vector: int
    pictures_per_second: float
    pictures: int
    queries: int
    alone: int
    precision_at_1: float
    precision_at_5: float
    precision_at_10: float
    mean_average_precision: float
    classes: tuple[ClassQuality, ...]
    failures: tuple[Failure, ...]
    examples: tuple[Example, ...]

    @property
    def title(self) -> str:
        """The model, and what was done besides: `colors, centred, re-ranked`."""
        besides = [("centred", self.centred), ("re-ranked", self.reranked)]
        return ", ".join([self.model, *(word for word, done in besides if done)])

    def as_dict(self) -> dict[str, object]:
        """The report as JSON-ready values, with the measures under their usual names."""
        return {
            "model": self.model,
            "centred": self.centred,
            "reranked": self.reranked,
            "recipe": self.recipe,
            "distance": self.distance,
            "bytes_per_vector": self.bytes_per_vector,
            "pictures_per_second": round(self.pictures_per_second, 1),
            "pictures": self.pictures,
            "queries": self.queries,
            "alone": self.alone,
            "P@1": self.precision_at_1,
            "P@5": self.precision_at_5,
            "P@10": self.precision_at_10,
            "mAP": self.mean_average_precision,
            "classes": {
                one.name: {"pictures": one.pictures, "mAP": one.mean_average_precision}
                for one in self.classes
            },
            "failures": [
                {"filename": one.filename, "code": one.code, "message": one.message}
                for one in self.failures
            ],
        }

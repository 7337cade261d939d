"""How good the neighbours are, measured on pictures that people have sorted into folders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lookalike.services.errors import InvalidRequestError, LookalikeError, UnavailableError
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.preparing import prepare
from lookalike.services.pipeline import batches
from lookalike.services.ports import Embedder
from lookalike.services.ranking import leave_one_out
from lookalike.services.records import ModelDefinition, Pixels, Recipe, Vectors

BATCH = 32
THREADS = 2


@dataclass(frozen=True, slots=True)
class ClassQuality:
    """How well the pictures of one class find each other. `mean_average_precision` is 0 to 1."""

    name: str
    pictures: int
    mean_average_precision: float


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read. `filename` is relative to the evaluated folder."""

    filename: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Report:
    """What `evaluate` measured. Precisions are means over the queries, 0 to 1.

    `pictures` were embedded; `queries` of them searched among all others; `alone` did not,
    because they are the only one of their class. `classes` are those with queries, by name.
    """

    model: str
    recipe: str
    pictures: int
    queries: int
    alone: int
    precision_at_1: float
    precision_at_5: float
    precision_at_10: float
    mean_average_precision: float
    classes: tuple[ClassQuality, ...]
    failures: tuple[Failure, ...]

    def as_dict(self) -> dict[str, object]:
        """The report as JSON-ready values, with the measures under their usual names."""
        return {
            "model": self.model,
            "recipe": self.recipe,
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


@dataclass(frozen=True, slots=True)
class _File:
    """A file and the class it was sorted into. `name` is relative to the evaluated folder."""

    path: Path
    name: str
    label: str


def evaluate(
    folder: Path, embedder: Embedder, limits: Limits, progress: Callable[[int, int], None]
) -> Report:
    """Let every picture below `folder` search among all others; a hit is one of its class.

    The sub-folders of `folder` are the classes; what lies deeper belongs to them, and names that
    begin with a dot are passed over. Files that cannot be read are reported and left out.
    `progress` is called with (files done, files in all) as the embedding goes on.

    Pixels are held for a few batches only, vectors for all pictures. Raises InvalidRequestError
    if the folder is not laid out so, or if no class has two pictures that can be read;
    UnavailableError if the model cannot be used.
    """
    files = _files(folder)
    if not files:
        raise InvalidRequestError(
            f"{folder} has no sub-folders with pictures in them. Sort the pictures into one "
            "sub-folder for each class, such as shoes/1.jpg, shoes/2.jpg, bags/1.jpg.",
            folder=str(folder),
        )
    read, vectors, failures = _embedded(files, embedder, limits, progress)
    return _report(embedder.definition, [file.label for file in read], vectors, failures)


def _files(folder: Path) -> list[_File]:
    paths = sorted(path for path in folder.glob("*/**/*") if path.is_file())
    parts = [path.relative_to(folder).parts for path in paths]
    return [
        _File(path, "/".join(below), below[0])
        for path, below in zip(paths, parts, strict=True)
        if not any(part.startswith(".") for part in below)
    ]


def _embedded(
    files: Sequence[_File],
    embedder: Embedder,
    limits: Limits,
    progress: Callable[[int, int], None],
) -> tuple[list[_File], Vectors, list[Failure]]:
    """The files that could be read, their vectors in the same order, and the other files."""
    read: list[_File] = []
    rows = [np.empty((0, embedder.definition.dimensions), np.float32)]
    failures: list[Failure] = []
    work = partial(_prepared, limits, embedder.definition.recipe)
    for batch in batches(files, work, BATCH, THREADS):
        good = [(file, pixels) for file, pixels in batch if not isinstance(pixels, Failure)]
        read += [file for file, _ in good]
        rows.append(embedder.embed([pixels for _, pixels in good]))
        failures += [failure for _, failure in batch if isinstance(failure, Failure)]
        progress(len(read) + len(failures), len(files))
    return read, np.concatenate(rows), failures


def _prepared(limits: Limits, recipe: Recipe, file: _File) -> tuple[_File, Pixels | Failure]:
    try:
        with file.path.open("rb") as stream:
            return file, prepare(decode(stream, limits, recipe.size, recipe.shorter), recipe)
    except LookalikeError as error:
        return file, Failure(file.name, error.code, error.message)
    except OSError as error:
        message = f"The file cannot be opened: {error.strerror}."
        return file, Failure(file.name, UnavailableError.code, message)


def _report(
    model: ModelDefinition, labels: list[str], vectors: Vectors, failures: list[Failure]
) -> Report:
    names, classes = np.unique(np.array(labels, dtype=str), return_inverse=True)
    if len(names) == len(labels):
        raise InvalidRequestError(
            "No class has two pictures that can be read, so there is nothing to measure. Put at "
            "least two pictures into each sub-folder.",
            unread=len(failures),
        )
    scores = leave_one_out(vectors, classes)
    return Report(
        model=model.name,
        recipe=model.steps,
        pictures=len(labels),
        queries=len(scores.queries),
        alone=len(labels) - len(scores.queries),
        precision_at_1=float(scores.precision_at_1.mean()),
        precision_at_5=float(scores.precision_at_5.mean()),
        precision_at_10=float(scores.precision_at_10.mean()),
        mean_average_precision=float(scores.average_precision.mean()),
        classes=tuple(_classes(np.array(labels)[scores.queries], scores.average_precision)),
        failures=tuple(failures),
    )


def _classes(
    labels: NDArray[np.str_], average_precision: NDArray[np.float64]
) -> Iterator[ClassQuality]:
    """One row a query in, one item a class out: all pictures of a class search, or none."""
    for name in np.unique(labels):
        own = average_precision[labels == name]
        yield ClassQuality(str(name), len(own), float(own.mean()))

"""Pictures that people have sorted into folders, and their vectors."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from lookalike.services.errors import InvalidRequestError, LookalikeError, UnavailableError
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.preparing import prepare
from lookalike.services.pipeline import batches
from lookalike.services.ports import Embedder
from lookalike.services.records import Pixels, Recipe, Vectors

BATCH = 32
THREADS = 2


@dataclass(frozen=True, slots=True)
class LabelledFile:
    """A file and the class it was sorted into. `name` is relative to the folder of all classes."""

    path: Path
    name: str
    label: str


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read. `filename` is relative to the folder of all classes."""

    filename: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Files that could be read and their vectors (n, dimensions), in the same order.

    `seconds` is what decoding and embedding took, without loading the model.
    """

    files: tuple[LabelledFile, ...]
    vectors: Vectors
    failures: tuple[Failure, ...]
    seconds: float


def labelled_files(folder: Path) -> list[LabelledFile]:
    """The files below `folder`, by name. Its sub-folders are the classes.

    What lies deeper belongs to them, and names that begin with a dot are passed over. Raises
    InvalidRequestError if there are none.
    """
    paths = sorted(path for path in folder.glob("*/**/*") if path.is_file())
    parts = [path.relative_to(folder).parts for path in paths]
    files = [
        LabelledFile(path, "/".join(below), below[0])
        for path, below in zip(paths, parts, strict=True)
        if not any(part.startswith(".") for part in below)
    ]
    if not files:
        raise InvalidRequestError(
            f"{folder} has no sub-folders with pictures in them. Sort the pictures into one "
            "sub-folder for each class, such as shoes/1.jpg, shoes/2.jpg, bags/1.jpg.",
            folder=str(folder),
        )
    return files


def embed_files(
    files: Sequence[LabelledFile],
    embedder: Embedder,
    limits: Limits,
    progress: Callable[[int, int], None],
) -> Embedded:
    """Decode, prepare and embed. Files that cannot be read become failures.

    `progress` is called with (files done, files in all). Pixels are held for a few batches only.
    Raises UnavailableError if the model cannot be used.
    """
    recipe = embedder.definition.recipe
    embedder.embed([np.zeros((recipe.size, recipe.size, 3), np.uint8)])
    read: list[LabelledFile] = []
    rows = [np.empty((0, embedder.definition.dimensions), np.float32)]
    failures: list[Failure] = []
    started = time.perf_counter()
    for batch in batches(files, partial(_prepared, limits, recipe), BATCH, THREADS):
        good = [(file, pixels) for file, pixels in batch if not isinstance(pixels, Failure)]
        read += [file for file, _ in good]
        rows.append(embedder.embed([pixels for _, pixels in good]))
        failures += [failure for _, failure in batch if isinstance(failure, Failure)]
        progress(len(read) + len(failures), len(files))
    seconds = time.perf_counter() - started
    return Embedded(tuple(read), np.concatenate(rows), tuple(failures), seconds)


def _prepared(
    limits: Limits, recipe: Recipe, file: LabelledFile
) -> tuple[LabelledFile, Pixels | Failure]:
    try:
        with file.path.open("rb") as stream:
            picture = decode(stream, limits, recipe.size, recipe.shorter)
            return file, prepare(picture, recipe)
    except LookalikeError as error:
        return file, Failure(file.name, error.code, error.message)
    except OSError as error:
        message = f"The file cannot be opened: {error.strerror}."
        return file, Failure(file.name, UnavailableError.code, message)

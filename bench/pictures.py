"""The pictures to measure with: a folder's, the sample set, or generated ones."""

from __future__ import annotations

import hashlib
from pathlib import Path

from lookalike.cli.demo import sample_pictures
from lookalike.cli.transfer import find_pictures
from tests.factories import picture

GENERATED = 500


def bench_pictures(folder: Path | None, scratch: Path) -> list[Path]:
    """Paths of the pictures in `folder`, else of the sample set, else of generated ones.

    Of files with the same bytes one is taken: an import does not index the others.
    """
    folder = folder or sample_pictures(scratch / "sample")
    found = find_pictures([folder])[0] if folder else []
    different = {hashlib.sha256(path.read_bytes()).digest(): path for path in found}
    return list(different.values()) or generate(scratch / "generated", GENERATED)


def generate(folder: Path, count: int, first: int = 0) -> list[Path]:
    """Write `count` different JPEGs of 320 x 240 pixels into `folder`, from number `first` on."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {number: folder / f"{number:05d}.jpg" for number in range(first, first + count)}
    for number, path in paths.items():
        path.write_bytes(picture(seed=number))
    return list(paths.values())

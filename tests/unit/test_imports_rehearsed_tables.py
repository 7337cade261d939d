"""A rehearsal of a table of thousands of mixed rows foretells exactly what the import then does."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lookalike.services.importing.starting import Wanted
from lookalike.services.models import ImportState, State
from tests.factories import saved, scene
from tests.platforms import make_world
from tests.unit.test_imports import pictures
from tests.unit.test_imports_rehearsal import (
    KINDS,
    KNOWN,
    LARGE,
    LARGEST,
    as_foretold,
    cut,
    most,
    numbered,
)

COLUMNS = ("path", "url", "title", "tags", "price", "note")
COPIED = 300
"""So many pictures have rows that name them again, or a copy of their file."""


@dataclass(frozen=True)
class Line:
    """A row by column, or `text` as it is, in a table of each form."""

    row: Mapping[str, Any]
    text: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Pictures:
    """The folder that paths of the table are relative to."""

    folder: Path

    def name(self, path: str, data: bytes, **columns: Any) -> Line:
        """A row that names a file of these bytes."""
        file = self.folder / path
        if not file.exists():
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(data)
        return Line({"path": path, **columns})


def new(files: Pictures, number: int, **columns: Any) -> Line:
    """A row that names a picture which no other kind of row brings."""
    return files.name(f"new/{number % 97}-{number}.jpg", numbered(number), **columns)


def labelled(files: Pictures, number: int) -> Line:
    """With all that can be said of a picture."""
    said = {"title": f"Nº {number}", "tags": f"a{number % 7}, b", "price": number / 4}
    return new(files, number, **said, note="two\nlines" if number % 9 == 0 else "")


def of(kind: str) -> Callable[[Pictures, int], Line]:
    """Rows that name files of a kind which archives have too."""
    return lambda files, number: files.name(f"{kind}/{number}", KINDS[kind](number))


def garbled(_: Pictures, number: int) -> Line:
    """A line that cannot be read."""
    return Line({}, {"csv": f'{number}.jpg,,"ti"tle,,,', "jsonl": f'{{"path": "{number}.jpg"'})


def short(_: Pictures, number: int) -> Line:
    """A line that is no row of this table."""
    return Line({}, {"csv": f"{number}.jpg", "jsonl": f'["{number}.jpg"]'})


def placed(path: str) -> Callable[[Pictures, int], Line]:
    """Rows that name a path, with their number in it."""
    return lambda _, number: Line({"path": path.format(number)})


def at(host: str) -> Callable[[Pictures, int], Line]:
    """Rows that name a picture of a machine which none may be fetched from."""
    return lambda _, number: Line({"url": f"http://{host}/{number}.jpg"})


def known(files: Pictures, number: int) -> Line:
    """A picture that was stored before."""
    return files.name(f"known/{number}", numbered(-1 - number % KNOWN))


ROWS: Mapping[str, tuple[int, Callable[[Pictures, int], Line]]] = {
    "new": (24, new),
    "labelled": (16, labelled),
    "named again": (5, lambda files, number: new(files, number % COPIED)),
    "copied": (5, lambda files, number: files.name(f"{number}", numbered(number % COPIED))),
    "known": (4, known),
    "failed before": (2, lambda files, number: files.name(f"{number}-", cut(-1 - number % 5))),
    **{name: (3, of(name)) for name in ("cut", "cut again", "text", "empty", "tiny", "svg")},
    "too large": (1, lambda files, number: files.name(f"large/{number % 3}", LARGE)),
    "missing": (12, placed("missing/{}.jpg")),
    "absolute": (3, placed("/etc/{}.jpg")),
    "absolute and there": (2, lambda files, _: Line({"path": str(files.folder / "there.jpg")})),
    "outside": (5, placed("../outside.jpg")),
    "outside and back": (2, placed("../in/there.jpg")),
    "folder": (3, placed("folder")),
    "link": (3, placed("link.jpg")),
    "below a file": (2, placed("there.jpg/{}.jpg")),
    "pipe": (2, placed("pipe.jpg")),
    "own machine": (3, at("127.0.0.1:1")),
    "own machine again": (2, at("[::1]:1")),
    "own network": (2, at("10.1.2.3")),
    "metadata": (2, at("169.254.169.254")),
    "no URL": (2, lambda *_: Line({"url": "http://"})),
    "no place": (3, lambda *_: Line({"title": "Nothing"})),
    "long title": (4, lambda files, number: new(files, number, title="t" * 501)),
    "long note": (3, lambda files, number: new(files, number, note="n" * 1001)),
    "many tags": (2, lambda files, number: new(files, number, tags=",".join(map(str, range(101))))),
    "many digits": (3, lambda files, number: new(files, number, price=2**53 + 1)),
    "garbled": (3, garbled),
    "short": (3, short),
}
"""How often each kind comes, and how its rows are made."""

CODES = {
    *("truncated", "not_an_image", "empty_file", "too_small", "too_large", "unsupported_format"),
    *("missing_file", "unsafe_name", "not_a_file", "blocked_address", "bad_row"),
}


def table(files: Pictures, rows: int, form: str) -> bytes:
    """Rows of every kind in an order that looks random and is always the same."""
    weights = [weight for weight, _ in ROWS.values()]
    kinds = random.Random(11).choices(list(ROWS), weights, k=rows)
    lines = (ROWS[kind][1](files, number) for number, kind in enumerate(kinds))
    head = f"{','.join(COLUMNS)}\n" if form == "csv" else ""
    return (head + "".join(written(line, form) for line in lines)).encode()


def written(line: Line, form: str) -> str:
    if line.text is not None:
        return f"{line.text[form]}\n"
    if form == "jsonl":
        return f"{json.dumps(line.row)}\n"
    buffer = io.StringIO()
    csv.DictWriter(buffer, COLUMNS, lineterminator="\n").writerow(line.row)
    return buffer.getvalue()


def prepared(folder: Path) -> Pictures:
    """A folder with what is no plain file, and a picture outside of it."""
    there = folder / "in"
    (there / "folder").mkdir(parents=True)
    (there / "there.jpg").write_bytes(saved(scene(2, (64, 48)), "JPEG"))
    (there / "link.jpg").symlink_to("there.jpg")
    os.mkfifo(there / "pipe.jpg")
    (folder / "outside.jpg").write_bytes(saved(scene(3, (64, 48)), "JPEG"))
    return Pictures(there)


@pytest.mark.both_databases
@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.timeout(600)
def test_the_prediction_equals_the_outcome_on_a_table_of_mixed_rows(
    tmp_path: Path, database_url: str, form: str
):
    files = prepared(tmp_path)
    world = make_world(
        tmp_path / "data",
        database_url=database_url,
        import_roots=(files.folder,),
        max_file_bytes=LARGEST,
    )
    world.indexed(*(numbered(-1 - number) for number in range(KNOWN)))
    failed = world.indexed(*(cut(-1 - number) for number in range(5)))
    assert {world.state(one) for one in failed} == {State.FAILED}
    rows = most(world) if form == "csv" else most(world) // 5
    before = world.blob_names(), pictures(world)
    with world.platform.staging.new(2**30) as staged:
        staged.write(table(files, rows, form))
        wanted = Wanted(
            "manifest", {"format": form, "folder": "."}, f"a.{form}", "main", dry_run=True
        )
        import_id = world.platform.imports.start(wanted, staged).row.id
    world.carry()
    rehearsed = world.platform.imports.get(import_id)
    assert (rehearsed.row.state, rehearsed.found) == (ImportState.DONE, rows)
    assert (world.blob_names() - {f"imports/{import_id}"}, pictures(world)) == before
    foretold, took = as_foretold(world, rehearsed)
    assert set(foretold["codes"]) == CODES
    assert min(foretold["new"], foretold["duplicate"], foretold["failed"]) > rows / 50
    assert sum(foretold["codes"].values()) == foretold["failed"]
    print(f"{rows} rows: took {took:.1f} s, {foretold}")
    world.platform.close()

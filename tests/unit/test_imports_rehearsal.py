"""A rehearsal of thousands of mixed items foretells exactly what the import then does."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update

from lookalike.services.errors import InvalidRequestError
from lookalike.services.importing.files import is_gone
from lookalike.services.importing.progress import Progress
from lookalike.services.importing.starting import Wanted
from lookalike.services.models import Import, ImportState
from tests.factories import saved, scene
from tests.platforms import World, make_world, small
from tests.unit.test_imports import counts, pictures, run
from tests.unit.test_receiving import send

ITEMS = 10_000
SENT = 500
AT_ONCE = 64
LARGEST = 100_000
LARGE = bytes(LARGEST + 1)
KNOWN = 40


def numbered(number: int) -> bytes:
    """A sound picture with bytes of its own: a JPEG with a comment (ITU T.81, B.2.4.5)."""
    base, comment = small(), f"number {number}".encode()
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return base[:2] + segment + base[2:]


def cut(number: int) -> bytes:
    """Looks sound at the door; its end is missing."""
    return numbered(number)[:-200]


TINY = saved(scene(1, (8, 8)), "PNG")
KINDS: Mapping[str, Callable[[int], bytes]] = {
    "new": numbered,
    "again": lambda number: numbered(number % 500),
    "known": lambda number: numbered(-1 - number % KNOWN),
    "cut": cut,
    "cut again": lambda number: cut(number % 50),
    "text": lambda number: f"no picture {number}".encode(),
    "empty": lambda _: b"",
    "tiny": lambda _: TINY,
    "svg": lambda number: f"<svg id='{number}'/>".encode(),
}
WEIGHTS = [70, 8, 4, 5, 3, 3, 2, 3, 2]


def mixed() -> dict[str, bytes]:
    """Items of every kind in an order that looks random and is always the same."""
    kinds = random.Random(7).choices(list(KINDS), WEIGHTS, k=ITEMS)
    return {f"{number:05}.jpg": KINDS[kind](number) for number, kind in enumerate(kinds)}


def sent(world: World, files: Mapping[str, bytes], *, dry_run: bool = False) -> UUID:
    """Send the files in an import of their own, which is carried out to its end."""
    spec = {"files": len(files), "fingerprint": "a" * 64}
    wanted = Wanted("files", spec, "mixed", "main", dry_run=dry_run)
    import_id = world.platform.imports.start(wanted).row.id
    for position, names in enumerate(batched(files, AT_ONCE)):
        send(world, import_id, AT_ONCE * position, *(files[name] for name in names))
    world.carry()
    return import_id


def batched(names: Iterable[str], size: int) -> Iterator[list[str]]:
    left = iter(names)
    while some := list(islice(left, size)):
        yield some


def test_the_prediction_equals_the_outcome_on_mixed_files_that_are_sent(tmp_path: Path):
    world = make_world(tmp_path / "data", max_file_bytes=LARGEST)
    world.indexed(*(numbered(-1 - number) for number in range(KNOWN)))
    files = dict(islice(mixed().items(), SENT)) | {f"large {n}": LARGE for n in range(3)}
    before = world.blob_names()
    rehearsed_id = sent(world, files, dry_run=True)
    foretold = world.platform.imports.get(rehearsed_id).row.rehearsal
    assert foretold is not None
    assert (world.blob_names(), pictures(world), world.staged_files()) == (before, KNOWN, [])
    done_id = sent(world, files)
    done = world.platform.imports.get(done_id)
    assert done.row.state == ImportState.DONE
    assert counts(done) == (foretold["new"], foretold["duplicate"], foretold["failed"])
    assert world.platform.imports.codes(done_id) == foretold["codes"]
    assert done.row.bytes == foretold["bytes"]
    assert set(foretold["codes"]) >= {"truncated", "not_an_image", "too_small", "too_large"}
    assert min(foretold["new"], foretold["duplicate"], foretold["failed"]) > 10
    world.platform.close()


@pytest.mark.both_databases
@pytest.mark.timeout(600)
def test_the_prediction_equals_the_outcome_on_ten_thousand_mixed_items(world: World):
    world.indexed(*(numbered(-1 - number) for number in range(KNOWN)))
    files = dict(islice(mixed().items(), most(world)))
    rehearsed = run(world, files, dry_run=True)
    assert (rehearsed.row.state, rehearsed.found) == (ImportState.DONE, len(files))
    assert pictures(world) == KNOWN
    foretold, took = as_foretold(world, rehearsed)
    assert set(foretold["codes"]) >= {"truncated", "not_an_image", "empty_file", "too_small"}
    assert sum(foretold["codes"].values()) == foretold["failed"] > len(files) / 10
    # Foretold on one machine in one minute: the order of magnitude is right.
    assert took / 10 < foretold["seconds"] < took * 10
    print(f"{len(files)}: foretold {foretold['seconds']:.1f} s, took {took:.1f} s, {foretold}")


def most(world: World) -> int:
    """Ten thousand; a fifth of that on PostgreSQL, which takes longer for each."""
    return ITEMS if world.db.engine.dialect.name == "sqlite" else ITEMS // 5


def as_foretold(world: World, rehearsed: Progress) -> tuple[dict[str, Any], float]:
    """Carry out what was rehearsed, just as foretold; that, and how many seconds it took."""
    foretold = rehearsed.row.rehearsal
    assert foretold is not None
    world.platform.imports.perform(rehearsed.row.id)
    begun = monotonic()
    world.carry()
    took = monotonic() - begun
    done = world.platform.imports.get(rehearsed.row.id)
    assert done.row.state == ImportState.DONE
    assert counts(done) == (foretold["new"], foretold["duplicate"], foretold["failed"])
    assert world.platform.imports.codes(done.row.id) == foretold["codes"]
    assert done.row.bytes == foretold["bytes"]
    return foretold, took


def test_a_rehearsal_whose_file_is_gone_is_not_carried_out_and_keeps_its_figures(world: World):
    rehearsed = run(world, {"a.png": small(1), "text.jpg": b"text"}, dry_run=True)
    with world.db.write() as session:
        session.execute(update(Import).values(file_key=None))
    with pytest.raises(InvalidRequestError, match="Send it again"):
        world.platform.imports.perform(rehearsed.row.id)
    after = world.platform.imports.get(rehearsed.row.id)
    assert (after.row.state, after.row.new, after.row.failed) == (ImportState.DONE, 1, 1)


@pytest.mark.parametrize(
    ("kind", "spec", "gone"),
    [
        ("zip", {}, True),
        ("zip", {"path": "/srv/a.zip"}, False),
        ("webdataset", {"folder": "/srv/shards"}, False),
        ("manifest", {"format": "csv", "folder": "/srv/pictures"}, True),
        ("folder", {"path": "/srv/pictures"}, False),
        ("s3", {"url": "s3://pictures/"}, False),
        ("files", {"files": 3}, True),
    ],
)
def test_what_is_gone_is_what_nobody_can_read_again(kind: str, spec: dict, gone: bool):
    assert is_gone(Import(kind=kind, spec=spec)) is gone
    assert is_gone(Import(kind=kind, spec=spec, file_key="key")) is (kind == "files")

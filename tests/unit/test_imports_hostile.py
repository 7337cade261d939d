"""Sources that mean harm, imported as a whole: each item fails alone, nothing is left behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lookalike.services.importing.starting import Wanted
from lookalike.services.models import ImportState
from tests.hostile import Packed, many_entries, member, tar_of, zip_bomb, zip_of
from tests.platforms import World, make_world, small
from tests.unit.sources import web_server
from tests.unit.sources.reading import KIB, LIMITS, nothing_left_open
from tests.unit.sources.test_fetching import BAD as BAD_ANSWERS
from tests.unit.sources.test_tars import BAD as BAD_MEMBERS
from tests.unit.sources.test_zips import BAD as BAD_ENTRIES
from tests.unit.sources.web_server import BadServer

Outcomes = list[str]


@pytest.fixture
def careful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A platform that takes little and waits briefly; afterwards nothing may be left of imports."""
    patient = partial(
        type(LIMITS),
        connect_seconds=LIMITS.connect_seconds,
        read_seconds=LIMITS.read_seconds,
        total_seconds=LIMITS.total_seconds,
    )
    monkeypatch.setattr("lookalike.services.bootstrap.SourceLimits", patient)
    world = make_world(
        tmp_path / "data", max_file_bytes=256 * KIB, import_networks=("127.0.0.1/32",)
    )
    around = set(tmp_path.iterdir())
    yield world
    assert world.staged_files() == []
    assert set(tmp_path.iterdir()) == around
    world.platform.close()


def outcomes(world: World, kind: str, data: bytes) -> Outcomes:
    """Import these bytes to the end; what became of each item, in order."""
    with world.platform.staging.new(2**30) as staged:
        staged.write(data)
        import_id = world.platform.imports.start(Wanted(kind, {}, "a", "main"), staged).row.id
    world.carry()
    done = world.platform.imports.get(import_id)
    assert (done.row.state, done.found) == (ImportState.DONE, done.row.total)
    failures = world.platform.imports.failures(import_id, 100_000).failures
    failed = {one.position: one.code for one in failures}
    return [failed.get(position, "ok") for position in range(done.found)]


def told_of(
    world: World, kind: str, make: Callable[[Any, bytes, bytes], bytes], bad: Mapping[str, Any]
) -> dict[str, Outcomes]:
    """What became of archives with a bad item each between two sound pictures."""
    told = {}
    with nothing_left_open():
        for number, (name, one) in enumerate(bad.items()):
            archive = make(one, small(2 * number), small(2 * number + 1))
            told[name] = outcomes(world, kind, archive)
        world.platform.carrying.close()
    return told


def test_bad_entries_of_zip_files(careful: World):
    def around(bad: Packed, first: bytes, last: bytes) -> bytes:
        return zip_of([Packed(b"first.jpg", first), bad, Packed(b"last.jpg", last)])

    # The other one points into an archive of its own size.
    bad = {name: one for name, one in BAD_ENTRIES.items() if name != "begins in the directory"}
    told = told_of(careful, "zip", around, {name: entry for name, (entry, _) in bad.items()})
    assert told == {name: ["ok", code, "ok"] for name, (_, code) in bad.items()}
    assert_only_sound_pictures_are_stored(careful, 2 * len(bad))


def test_bad_members_of_tar_files(careful: World):
    def around(bad: Any, first: bytes, last: bytes) -> bytes:
        return tar_of([member("first.jpg", first), bad, member("last.jpg", last)])

    bad = {name: one for name, (one, _) in BAD_MEMBERS.items()}
    told = told_of(careful, "tar", around, bad)
    assert told == {name: ["ok", code, "ok"] for name, (_, code) in BAD_MEMBERS.items()}
    assert_only_sound_pictures_are_stored(careful, 2 * len(BAD_MEMBERS))


def assert_only_sound_pictures_are_stored(world: World, count: int) -> None:
    stored = [name for name in world.blob_names() if name.startswith("originals/")]
    assert len(stored) == world.vectors.count() == count


def test_urls_that_lead_to_harm(careful: World, monkeypatch: pytest.MonkeyPatch):
    served: Mapping[str, object] = {
        **web_server.ANSWERS,
        "/first": web_server.answer(small(1)),
        "/last": web_server.answer(small(2)),
    }
    monkeypatch.setattr(web_server, "ANSWERS", served)
    # What says that it is a picture is left to whoever looks at the bytes.
    bad = BAD_ANSWERS | dict.fromkeys(["/html", "/negative"], "not_an_image")
    with BadServer() as server:
        lines = [server.base + path for path in ("/first", *bad, "/last")]
        told = outcomes(careful, "urls", "\n".join(lines).encode())
    assert told == ["ok", *bad.values(), "ok"]
    assert_only_sound_pictures_are_stored(careful, 2)


def test_a_bomb_of_overlapping_entries_fails_entry_by_entry(careful: World):
    told = outcomes(careful, "zip", zip_bomb(200, 100_000))
    assert set(told) == {"damaged_entry"}
    assert_only_sound_pictures_are_stored(careful, 0)


def test_thousands_of_bad_entries_are_gone_through(careful: World):
    assert outcomes(careful, "zip", many_entries(5_000)) == ["not_an_image"] * 5_000
    assert_only_sound_pictures_are_stored(careful, 0)


def test_many_bad_files_share_one_archive_with_good_ones(careful: World):
    entries = [Packed(f"{number}.jpg".encode(), small(number)) for number in range(20)]
    mixed = [one for pair in zip(entries, _bad_once(), strict=False) for one in pair]
    told = outcomes(careful, "zip", zip_of(mixed))
    assert told.count("ok") == len(told) // 2
    assert_only_sound_pictures_are_stored(careful, len(told) // 2)


def _bad_once() -> Iterator[Packed]:
    """Bad entries whose names are all different."""
    names: set[bytes] = set()
    for bad, code in BAD_ENTRIES.values():
        if code != "duplicate_name" and bad.name not in names:
            names.add(bad.name)
            yield bad

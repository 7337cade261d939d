"""Imports at the terminal: beside a server and alone, rehearsed, listed, undone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lookalike.cli.importing import sort_sources
from lookalike.cli.imports import duration
from tests.program import Server, run
from tests.unit.test_imports import BAD, scenes, zipped


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "trip.zip"
    path.write_bytes(zipped(scenes(0, 12) | BAD))
    return path


def listed(data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("imports", "--data", data, "--json").stdout)
    return found


def test_an_archive_is_rehearsed_imported_and_undone_without_a_server(data: Path, archive: Path):
    rehearsed = run("import", archive, "--dry-run", "--data", data)
    assert rehearsed.returncode == 1
    assert "Rehearsal of trip.zip: 15 pictures: 12 new, 0 known already, 3 failed" in (
        rehearsed.stdout
    )
    assert "[not_an_image]" in rehearsed.stderr
    done = run("import", archive, "--data", data, "--json", "--tag", "trip", "--library", "new")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["state"], answer["new"]) == (1, "done", 12)
    assert len(answer["failures"]) == sum(answer["codes"].values()) == 3
    undone = run("imports", "undo", answer["id"], "--data", data)
    assert (undone.returncode, "13 removed again" in undone.stdout) == (0, True), undone.stderr
    assert [one["state"] for one in listed(data)] == ["undone", "done"]


def test_beside_a_server_it_goes_on_there(start: Callable[..., Server], data: Path, archive: Path):
    server = start()
    clean = archive.with_name("clean.zip")
    clean.write_bytes(zipped(scenes(20, 5)))
    done = run("import", clean, "--data", data)
    assert (done.returncode, "5 new" in done.stdout) == (0, True), done.stderr
    [one] = listed(data)
    shown = run("imports", "show", one["id"], "--url", server.url)
    assert "clean.zip (done): 5 pictures" in shown.stdout
    refused = run("imports", "pause", one["id"], "--data", data)
    assert (refused.returncode, "Traceback" in refused.stderr) == (1, False)
    assert "cannot be paused" in refused.stderr


def test_sources_are_told_from_files_and_folders(tmp_path: Path, archive: Path):
    (tmp_path / "folder.zip").mkdir()
    (tmp_path / "a.jpg").write_bytes(b"")
    given = [str(archive), "s3://bucket/x", str(tmp_path / "folder.zip"), str(tmp_path / "a.jpg")]
    paths, others = sort_sources(given, dry_run=False)
    assert others == given[:2]
    assert [str(path) for path in paths] == given[2:]
    assert sort_sources(given[2:3], dry_run=True) == ([], given[2:3])


@pytest.mark.parametrize("arguments", [["nowhere.zip"], ["a.jpg", "--dry-run"]])
def test_wrong_use_ends_with_2(data: Path, tmp_path: Path, arguments: list[str]):
    (tmp_path / "a.jpg").write_bytes(b"")
    known = [str(tmp_path / one) if one == "a.jpg" else one for one in arguments]
    assert run("import", *known, "--data", data).returncode == 2


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59, "59 s"), (100, "2 min"), (3600, "1 h 0 min"), (8000, "2 h 13 min")],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str):
    assert duration(seconds) == words

"""Imports at the terminal: beside a server and alone, rehearsed, listed, undone."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import tarfile
from collections.abc import Callable
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from lookalike.cli.importing import sort_sources
from lookalike.cli.imports import duration
from tests.platforms import small
from tests.program import Server, command, environment, run, wait_for
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


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of pictures beside it."""
    path = tmp_path / "shop" / "catalogue.csv"
    (path.parent / "photos").mkdir(parents=True)
    for name, data in scenes(0, 3).items():
        (path.parent / "photos" / name).write_bytes(data)
    rows = [f"photos/{name},{name},red" for name in scenes(0, 3)]
    path.write_text("\n".join(["path,title,tags", *rows]))
    return path


def test_a_table_finds_the_pictures_beside_it_without_a_server(data: Path, table: Path):
    done = run("import", table, "--data", data, "--json")
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["new"], answer["failed"]) == (0, 3, 0), done.stderr


def test_beside_a_server_on_the_same_data_a_table_finds_the_pictures_beside_it(
    start: Callable[..., Server], data: Path, table: Path
):
    start()
    done = run("import", table, "--data", data, "--json")
    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 3), done.stderr


def test_a_server_elsewhere_is_told_where_the_pictures_of_a_table_lie(
    start: Callable[..., Server], table: Path
):
    server = start(import_roots=json.dumps([str(table.parent)]))
    lost = run("import", table, "--url", server.url)
    assert (lost.returncode, "folder" in lost.stderr) == (1, True)
    done = run("import", table, "--folder", table.parent, "--url", server.url, "--json")
    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 3), done.stderr


def test_only_the_owner_of_the_data_folder_has_a_server_read_any_folder(
    start: Callable[..., Server], data: Path, table: Path
):
    server = start()
    folder = table.parent / "photos"
    (folder / "captions.txt").write_text("image,caption\n0.jpg,a brown dog")
    refused = run("import", folder, "--kind", "flickr30k", "--dry-run", "--url", server.url)
    assert (refused.returncode, "LOOKALIKE_IMPORT_ROOTS" in refused.stderr) == (1, True)
    assert (data / "owner.lock").stat().st_mode & 0o077 == 0
    rehearsed = run("import", table.parent / "photos", "--dry-run", "--data", data)
    assert (rehearsed.returncode, "3 new" in rehearsed.stdout) == (0, True), rehearsed.stderr


def test_a_folder_is_an_import_that_can_be_undone(
    start: Callable[..., Server], data: Path, table: Path
):
    server = start()
    (table.parent / "photos" / "bad.jpg").write_bytes(b"no picture")
    done = run("import", table.parent / "photos", "--data", data, "--json")
    outcome = json.loads(done.stdout)
    assert (done.returncode, outcome["indexed"], outcome["failed"]) == (1, 3, 1)
    csv = run("imports", "failures", outcome["import_id"], "--csv", "--data", data)
    assert "not_an_image" in csv.stdout.splitlines()[1]
    undone = run("imports", "undo", outcome["import_id"], "--data", data)
    assert undone.returncode == 0, undone.stderr
    wait_for(lambda: server.http.get("/images").json()["images"] == [])


def killed_halfway(server: Server, tmp_path: Path, *options: str | Path) -> list[str | Path]:
    """What to give again after a terminal was killed that had sent 64 of 81 files."""
    folder = tmp_path / "many"
    folder.mkdir()
    for name, content in scenes(0, 80).items():
        (folder / name).write_bytes(content)
    last = tmp_path / "pipe"
    os.mkfifo(last)  # nobody writes to it, so that the terminal comes to a stop there
    arguments = ["import", folder, last, *options]
    sending = subprocess.Popen(command(*arguments), env=environment())
    wait_for(
        lambda: any(one["found"] == 64 for one in server.http.get("/imports").json()["imports"])
    )
    sending.kill()
    sending.wait()
    last.unlink()
    last.touch()
    return arguments


def test_a_terminal_that_is_killed_goes_on_with_its_import(
    start: Callable[..., Server], data: Path, tmp_path: Path
):
    arguments = killed_halfway(start(), tmp_path, "--data", data)
    [begun] = listed(data)
    done = run(*arguments, "--json")
    outcome = json.loads(done.stdout)
    assert (outcome["import_id"], outcome["indexed"]) == (begun["id"], 80), done.stderr
    assert [one["code"] for one in outcome["failures"]] == ["empty_file"]


def test_a_server_elsewhere_is_sent_an_archive_up_to_a_limit_of_its_own(
    start: Callable[..., Server], archive: Path
):
    size = archive.stat().st_size
    server = start(max_request_bytes="2000", max_import_bytes=str(size + 2000))
    assert size > 2000
    done = run("import", archive, "--url", server.url)
    assert "12 new, 0 known already, 3 failed" in done.stdout, done.stderr
    with archive.open("ab") as file:
        file.write(bytes(2_000_000))
    refused = run("import", archive, "--url", server.url)
    assert (refused.returncode, "LOOKALIKE_MAX_IMPORT_BYTES" in refused.stderr) == (1, True)


ROWS_OF_FILES = ("pictures", "entries", "imported_pictures")


def left(data: Path) -> tuple[list[Path], list[int]]:
    """Files of pictures and staged ones below the data folder, and rows about pictures."""
    files = [path for name in ("blobs", "staging") for path in (data / name).glob("*/**/*")]
    with closing(sqlite3.connect(data / "lookalike.db")) as db:
        counts = [db.execute(f"SELECT count(*) FROM {one}").fetchone()[0] for one in ROWS_OF_FILES]
    return [path for path in files if path.is_file()], counts


def test_files_are_rehearsed_on_a_server_elsewhere_as_they_then_come_in(
    start: Callable[..., Server], data: Path, tmp_path: Path
):
    server = start(max_file_bytes="20000")
    folder = tmp_path / "mixed"
    folder.mkdir()
    again = {"again.jpg": small(0), "large.jpg": small(90) + bytes(20_000)}
    for name, content in (scenes(0, 70) | BAD | again).items():
        (folder / name).write_bytes(content)
    single = tmp_path / "single.png"
    single.write_bytes(small(91))
    arguments = ("import", folder, single, "--url", server.url, "--json")
    rehearsed = run(*arguments, "--dry-run")
    told = json.loads(rehearsed.stdout)
    assert (rehearsed.returncode, told["state"], told["dry_run"]) == (1, "done", True)
    assert left(data) == ([], [0, 0, 0])
    assert run(*arguments).returncode == 1
    [done, _] = server.http.get("/imports").json()["imports"]
    for name in ("new", "duplicate", "failed", "bytes"):
        assert told["rehearsal"][name] == done[name]
    failures = server.http.get(f"/imports/{done['id']}/failures").json()
    assert told["codes"] == told["rehearsal"]["codes"] == failures["codes"]
    assert done["new"] == 71
    assert set(failures["codes"]) == {"not_an_image", "empty_file", "truncated", "too_large"}
    shown = run("import", folder, "--dry-run", "--url", server.url)
    assert f"Rehearsal of {folder}: 75 pictures: 0 new, 71 known already, 4 failed. It would" in (
        shown.stdout
    )
    refused = run("imports", "perform", told["id"], "--url", server.url)
    assert (refused.returncode, "without --dry-run" in refused.stderr) == (1, True)


def test_a_terminal_that_is_killed_goes_on_with_its_rehearsal(
    start: Callable[..., Server], data: Path, tmp_path: Path
):
    server = start()
    arguments = killed_halfway(server, tmp_path, "--dry-run", "--url", server.url)
    [begun] = listed(data)
    done = json.loads(run(*arguments, "--json").stdout)
    assert (done["id"], done["new"], done["codes"]) == (begun["id"], 80, {"empty_file": 1})
    assert left(data) == ([], [0, 0, 0])


def test_a_folder_in_the_layout_of_flickr30k_brings_its_captions(data: Path, table: Path):
    captions = ["image,caption", "0.jpg,a brown dog", "0.jpg,it runs", "1.jpg,a red car"]
    (table.parent / "photos" / "captions.txt").write_text("\n".join(captions))
    folder = table.parent / "photos"
    done = run("import", folder, "--kind", "flickr30k", "--data", data, "--json")
    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 3), done.stderr
    asked = json.dumps({"text": "brown dog"})
    found = run("search", folder / "1.jpg", "--filter", asked, "--data", data, "--json")
    assert [one["image"]["filename"] for one in json.loads(found.stdout)["results"]] == ["0.jpg"]


def test_a_shard_is_told_from_a_tar_by_its_kind(
    start: Callable[..., Server], data: Path, tmp_path: Path
):
    server = start()
    shard = tmp_path / "shard-00000.tar"
    with tarfile.open(shard, "w") as tar:
        for name, content in {"a.jpg": small(), "a.txt": b"a brown dog"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, BytesIO(content))
    done = run("import", shard, "--kind", "webdataset", "--data", data, "--json")
    assert (done.returncode, json.loads(done.stdout)["new"]) == (0, 1), done.stderr
    [image] = server.http.get("/images").json()["images"]
    assert "a brown dog" in {image["title"], *image["attributes"].values()}


def test_a_folder_is_rehearsed_without_a_server(data: Path, table: Path):
    rehearsed = run("import", table.parent / "photos", "--dry-run", "--data", data)
    assert (rehearsed.returncode, "3 new" in rehearsed.stdout) == (0, True), rehearsed.stderr


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
    paths, others = sort_sources(given)
    assert others == given[:2]
    assert [str(path) for path in paths] == given[2:]
    assert sort_sources(given[2:3], "webdataset") == ([], given[2:3])


@pytest.mark.parametrize("arguments", [["nowhere.zip"], ["nowhere.jpg", "--dry-run"]])
def test_wrong_use_ends_with_2(data: Path, arguments: list[str]):
    assert run("import", *arguments, "--data", data).returncode == 2


def test_single_pictures_are_rehearsed_too_without_a_server(data: Path, table: Path):
    one = table.parent / "photos" / "0.jpg"
    rehearsed = run("import", one, "--dry-run", "--data", data)
    assert (rehearsed.returncode, "1 new" in rehearsed.stdout) == (0, True), rehearsed.stderr
    assert left(data) == ([], [0, 0, 0])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.2, "1 s"), (59, "59 s"), (100, "2 min"), (3600, "1 h 0 min"), (8000, "2 h 13 min")],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str):
    assert duration(seconds) == words

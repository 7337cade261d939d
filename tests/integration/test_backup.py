"""Backup and restore with the real parts: searches answer as before, wherever the pictures went."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from lookalike.services.archive.backup import VECTORS_TOGETHER
from tests.cluster import Servers
from tests.integration.edge_platform import edge_platform
from tests.integration.scene import QUICK, files
from tests.program import Server, run, wait_for

PICTURES = 60
QUERIES = 50


@pytest.fixture(params=[False, True], ids=["computed again", "with vectors"])
def vectors(request: pytest.FixtureRequest) -> bool:
    return request.param


def test_from_folder_to_folder_searches_answer_the_same(tmp_path: Path, vectors: bool):
    archive = tmp_path / "pictures.tar"
    with edge_platform(tmp_path / "one") as one:
        ids = one.add(range(PICTURES))
        one.platform.libraries.create("attic")
        attic = one.add(range(10, 30), "attic")
        before = one.neighbours(ids[:QUERIES]), one.neighbours(attic, "attic")
        one.platform.backup.run(archive, vectors=vectors)
    with edge_platform(tmp_path / "two") as two:
        restored = two.platform.restore.run(archive)
        assert restored.pictures == PICTURES + 20
        assert restored.vectors == (restored.pictures if vectors else 0)
        two.work()
        assert (two.neighbours(ids[:QUERIES]), two.neighbours(attic, "attic")) == before
        assert two.platform.checking.run(deep=True, patience=0).differences == []


def test_from_sqlite_to_postgres_and_back(
    tmp_path: Path, emptied: Callable[[], str], vectors: bool
):
    there, back = tmp_path / "there.tar", tmp_path / "back.tar"
    with edge_platform(tmp_path / "one") as one:
        ids = one.add(range(PICTURES))
        before = one.neighbours(ids[:QUERIES])
        one.platform.backup.run(there, vectors=vectors)
    with edge_platform(tmp_path / "two", database_url=emptied()) as two:
        two.platform.restore.run(there)
        two.work()
        assert two.neighbours(ids[:QUERIES]) == before
        two.platform.backup.run(back, vectors=vectors)
    with edge_platform(tmp_path / "three") as three:
        three.platform.restore.run(back)
        three.work()
        assert three.neighbours(ids[:QUERIES]) == before
        assert three.platform.checking.run(deep=True, patience=0).differences == []


def test_vectors_in_several_parts_all_come_along(tmp_path: Path, monkeypatch):
    assert VECTORS_TOGETHER > 7
    monkeypatch.setattr("lookalike.services.archive.backup.VECTORS_TOGETHER", 7)
    archive = tmp_path / "pictures.tar"
    with edge_platform(tmp_path / "one") as one:
        one.add(range(20))
        one.platform.backup.run(archive, vectors=True)
    with edge_platform(tmp_path / "two") as two:
        assert two.platform.restore.run(archive).vectors == 20
        assert two.queue.batches == []


# The program


def test_the_commands_move_a_folder(data: Path, folder: Path, tmp_path: Path):
    archive, moved = tmp_path / "pictures.tar", tmp_path / "moved"
    assert run("import", folder, "--data", data).returncode == 0
    written = run("backup", archive, "--data", data)
    assert written.returncode == 0, written.stderr
    assert "12 pictures" in written.stdout
    restored = run("restore", archive, "--data", moved)
    assert restored.returncode == 0, restored.stderr
    assert "12 pictures restored." in restored.stdout
    status = json.loads(run("status", "--data", moved, "--json").stdout)
    assert status["images"] == {"pending": 0, "indexed": 12, "failed": 0}
    twice = run("restore", archive, "--data", moved)
    assert twice.returncode == 2
    assert "There are pictures here already" in twice.stderr
    assert run("check", "--deep", "--data", moved).returncode == 0


def test_from_a_folder_to_servers_and_back(
    start: Callable[..., Server], data: Path, servers: Servers, tmp_path: Path
):
    there, back, home = tmp_path / "there.tar", tmp_path / "back.tar", tmp_path / "home"
    server = start()
    ids = server.upload(files(24))
    server.settle()
    best, scores = exact(server.http, ids)
    before = best, pytest.approx(scores, abs=1e-3)
    assert server.stop() == 0
    assert run("backup", there, "--data", data).returncode == 0
    with servers.fresh(tmp_path / "cluster", **QUICK) as cluster:
        restored = cluster.run("restore", str(there))
        assert (restored.returncode, "Workers are indexing 24" in restored.stdout) == (0, True)
        web, _ = cluster.web(qdrant_search_seconds="5"), cluster.worker()
        assert set(web.settle(ids).values()) == {"indexed"}
        assert exact(web.http, ids) == before
        written = cluster.run("backup", str(back), "--vectors")
        assert (written.returncode, "24 vectors" in written.stdout) == (0, True), written.stderr
    assert run("restore", back, "--data", home).returncode == 0
    at_home = Server(home)
    try:
        assert exact(at_home.http, ids) == before
    finally:
        at_home.stop()
        at_home.http.close()


def test_an_import_goes_to_servers_and_back_and_is_undone_on_either(
    data: Path, folder: Path, servers: Servers, tmp_path: Path
):
    there, back, home = tmp_path / "there.tar", tmp_path / "back.tar", tmp_path / "home"
    (folder / "bad.jpg").write_bytes(b"no picture")
    assert run("import", folder, "--data", data).returncode == 1
    assert "12 pictures, 1 import," in run("backup", there, "--data", data).stdout
    with servers.fresh(tmp_path / "cluster", **QUICK) as cluster:
        assert "1 import restored" in cluster.run("restore", str(there)).stdout
        web, _ = cluster.web(qdrant_search_seconds="5"), cluster.worker()
        [one] = web.http.get("/imports").json()["imports"]
        assert (one["state"], one["new"], one["failed"]) == ("done", 12, 1)
        failed = web.http.get(f"/imports/{one['id']}/failures").json()["failures"]
        assert [(line["name"][-7:], line["code"]) for line in failed] == [
            ("bad.jpg", "not_an_image")
        ]
        assert cluster.run("backup", str(back)).returncode == 0
        kept = web.upload(files(1))
        undo(web.http, one["id"])
        assert [image["id"] for image in web.http.get("/images").json()["images"]] == kept
    assert run("restore", back, "--data", home).returncode == 0
    assert run("imports", "undo", one["id"], "--data", home).returncode == 0
    status = json.loads(run("status", "--data", home, "--json").stdout)
    assert status["images"] == {"pending": 0, "indexed": 0, "failed": 0}
    assert run("check", "--deep", "--data", home).returncode == 0


def undo(http: httpx.Client, import_id: str) -> None:
    http.post(f"/imports/{import_id}/undo").raise_for_status()
    wait_for(lambda: http.get(f"/imports/{import_id}").json()["state"] == "undone")


def exact(http: httpx.Client, ids: list[str]) -> tuple[list[str], list[float]]:
    """The ids of the exact ten best for each of these pictures, one after the other; the scores."""
    best = []
    for one in ids:
        answer = http.post("/search", json={"like": [one], "limit": 10, "exact": True})
        best += answer.raise_for_status().json()["results"]
    assert len(best) == 10 * len(ids)
    return [found["image"]["id"] for found in best], [found["score"] for found in best]


def test_beside_a_running_server_both_say_to_stop_it(
    start: Callable[..., Server], data: Path, tmp_path: Path
):
    start()
    (tmp_path / "some.tar").write_bytes(b"x")
    for arguments in (["backup", tmp_path / "new.tar"], ["restore", tmp_path / "some.tar"]):
        ended = run(*arguments, "--data", data)
        assert ended.returncode == 1
        assert "`lookalike up`" in ended.stderr
        assert "Stop it" in ended.stderr
    assert not (tmp_path / "new.tar").exists()


def test_wrong_files_end_with_a_sentence(data: Path, tmp_path: Path):
    (tmp_path / "a.tar").write_bytes(b"no archive")
    ended = run("restore", tmp_path / "a.tar", "--data", data)
    assert ended.returncode == 1
    assert ended.stderr.startswith("lookalike: The archive is damaged or incomplete")
    assert "Traceback" not in ended.stderr
    assert run("restore", tmp_path / "none.tar", "--data", data).returncode == 2
    nothing = run("backup", tmp_path / "b.tar", "--data", tmp_path / "nowhere")
    assert nothing.returncode == 1
    assert "There is no Lookalike data" in nothing.stderr
    assert not (tmp_path / "nowhere").exists()

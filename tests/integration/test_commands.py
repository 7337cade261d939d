"""The terminal, alone and beside a running server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories import picture
from tests.program import Server, run


def test_import_and_search_without_a_server(data: Path, folder: Path) -> None:
    imported = run("import", folder, "--data", data, "--tag", "first", "--json")
    assert imported.returncode == 0, imported.stderr
    outcome = json.loads(imported.stdout)
    assert (outcome["found"], outcome["indexed"], outcome["failures"]) == (12, 12, [])
    found = run("search", folder / "odd" / "1.jpg", "--data", data, "--json", "--limit", "3")
    results = json.loads(found.stdout)["results"]
    assert len(results) == 3
    assert results[0]["image"]["filename"] == "1.jpg"
    assert results[0]["image"]["tags"] == ["first"]
    assert results[0]["score"] == pytest.approx(1, abs=0.01)


def test_beside_a_running_server(start: Callable[..., Server], data: Path, folder: Path) -> None:
    server = start()
    assert run("import", folder, "--data", data, "--library", "archive").returncode == 0
    page = server.http.get("/images", params={"library": "archive"}).json()
    assert len(page["images"]) == 12
    found = run("search", folder / "odd" / "1.jpg", "--library", "archive", "--url", server.url)
    assert found.returncode == 0
    assert "1.jpg" in found.stdout
    status = json.loads(run("status", "--data", data, "--json").stdout)
    assert status["images"] == {"pending": 0, "indexed": 12, "failed": 0}
    assert status["queue"]["workers"] == 1


def test_importing_twice_stores_once(data: Path, folder: Path) -> None:
    run("import", folder, "--data", data)
    again = json.loads(run("import", folder, "--data", data, "--json").stdout)
    assert (again["indexed"], again["duplicates"], again["failures"]) == (12, 12, [])
    assert json.loads(run("status", "--data", data, "--json").stdout)["images"]["indexed"] == 12


def test_bad_files_are_named_and_the_rest_goes_on(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "good.jpg").write_bytes(picture(seed=1))
    (folder / "same").mkdir()
    (folder / "same" / "good.jpg").write_text("a text under the name of a good picture")
    (folder / "empty.png").touch()
    (folder / "half.jpg").write_bytes(picture(seed=2)[:3000])
    (folder / "notes.txt").write_text("not even called a picture")
    (folder / ".hidden.jpg").write_text("not looked at")
    ended = run("import", folder, "--data", data, "--json")
    outcome = json.loads(ended.stdout)
    assert ended.returncode == 1
    assert (outcome["indexed"], outcome["skipped"]) == (1, 1)
    failures = {Path(one["file"]).relative_to(folder): one for one in outcome["failures"]}
    assert {str(path): one["code"] for path, one in failures.items()} == {
        "same/good.jpg": "not_an_image",
        "empty.png": "empty_file",
        "half.jpg": "truncated",
    }
    assert all(one["message"].endswith(".") for one in failures.values())


def test_a_folder_without_data_is_said_so(data: Path, folder: Path) -> None:
    found = run("search", folder / "odd" / "1.jpg", "--data", data)
    assert found.returncode == 1
    assert "lookalike import" in found.stderr
    assert not data.exists()


def test_no_server_at_the_url_is_said_so(folder: Path) -> None:
    found = run("search", folder / "odd" / "1.jpg", "--url", "http://127.0.0.1:9")
    assert found.returncode == 1
    assert "http://127.0.0.1:9" in found.stderr
    assert "Traceback" not in found.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["search", "no-such-file.jpg"],
        ["import"],
        ["search", __file__, "--filter", "{not json"],
        ["search", __file__, "--filter", '{"colour": "red"}'],
        ["frobnicate"],
    ],
)
def test_wrong_use_ends_with_2(data: Path, arguments: list[str]) -> None:
    ended = run(*arguments, "--data", data)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr


def test_models_are_listed() -> None:
    listed = json.loads(run("models", "--json").stdout)["models"]
    default = next(one for one in listed if one["name"] == "efficientnet-lite1")
    assert (default["dimensions"], default["weights"]) == (1280, "present")


def test_evaluate_prints_the_metrics(folder: Path, data: Path) -> None:
    ended = run("evaluate", folder, "--data", data, "--json")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(ended.stdout)
    assert report["model"] == "efficientnet-lite1"
    assert 0 <= report["mAP"] <= 1


COMMANDS = (
    "up demo import search status recall models evaluate reindex indexes failures check backup "
    "restore migrate"
)


@pytest.mark.parametrize("name", ["", *COMMANDS.split()])
def test_help_teaches(name: str) -> None:
    shown = run(*([name] if name else []), "--help")
    assert shown.returncode == 0
    assert len(shown.stdout.splitlines()) > 5


def test_logs_stay_out_of_what_commands_answer(data: Path, folder: Path):
    done = run("import", folder, "--data", data)
    assert "12 indexed" in done.stdout
    assert "event" not in done.stdout + done.stderr
    assert "[info" not in done.stdout + done.stderr

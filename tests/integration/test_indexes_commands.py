"""Indexes and failures at the terminal: built, switched to, gone back from, tried again."""

from __future__ import annotations

import io
import json
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from PIL import Image, ImageOps

from lookalike.cli.index_tables import distinct
from tests.cluster import Servers
from tests.factories import picture
from tests.program import Server, command, environment, run, wait_for
from tests.servers.processes import wait_until


def listed(data: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run("indexes", "--data", data, "--json").stdout)
    return found


def change(data: Path, statement: str, *values: object) -> None:
    """Change the database behind everybody's back, while nobody has it."""
    with sqlite3.connect(data / "lookalike.db") as connection:
        assert connection.execute(statement, values).rowcount == 1


def interrupted(*arguments: str | Path, **settings: str) -> tuple[int, str]:
    """Press Ctrl-C as soon as the build has begun; exit code and what was said."""
    process = subprocess.Popen(
        command("reindex", *arguments),
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**settings),
        # Where the tests themselves run in the background, it would be ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  one call to the system
    )
    assert process.stderr is not None
    assert process.stderr.readline().startswith("Building index")
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    return process.returncode, said


def test_a_model_is_changed_and_changed_back_without_a_server(data: Path, folder: Path):
    run("import", folder, "--data", data)
    done = run("reindex", "--model", "colors", "--data", data)
    assert done.returncode == 0, done.stderr
    assert "Searches use colors now" in done.stdout
    assert "12 indexed, 0 failed" in done.stdout
    assert "recall" in done.stdout
    new, old = listed(data)
    assert (new["model"], new["state"], old["state"]) == ("colors", "live", "ready")
    assert old["figures"], "it was not measured, so there is no way back"
    back = run("indexes", "activate", old["id"], "--data", data)
    assert "Searches use efficientnet-lite1 now" in back.stdout, back.stderr
    retired = json.loads(run("indexes", "retire", new["id"], "--data", data, "--json").stdout)
    assert (retired["state"], retired["task"]) == ("retired", None)


def test_beside_a_server_an_index_is_built_and_left_alone_until_it_is_wanted(
    start: Callable[..., Server], data: Path, folder: Path
):
    server = start()
    server.upload({path.name: path.read_bytes() for path in folder.rglob("*.jpg")})
    server.settle()
    built = run("reindex", "--model", "colors", "--no-switch", "--json", "--url", server.url)
    one = json.loads(built.stdout)
    assert (built.returncode, one["state"], one["images"]["indexed"]) == (0, "ready", 12)
    assert server.http.get("/status").json()["index"]["model"] == "efficientnet-lite1"
    several = run("indexes", "show", "0", "--data", data)
    assert (several.returncode, "Several ids begin" in several.stderr) == (2, True)
    nobody = run("indexes", "show", "ffff", "--data", data)
    assert (nobody.returncode, "`lookalike indexes` lists all" in nobody.stderr) == (1, True)
    ids = [other["id"] for other in server.http.get("/indexes").json()["indexes"]]
    beginning = one["id"][: distinct(ids)]
    assert beginning in run("indexes", "--data", data).stdout
    switched = run("indexes", "activate", beginning, "--data", data, "--json")
    assert json.loads(switched.stdout)["state"] == "live"
    refused = run("indexes", "retire", beginning, "--data", data)
    assert (refused.returncode, "Let another one go live first" in refused.stderr) == (1, True)


def test_a_model_that_finds_labelled_pictures_worse_is_stopped_unless_overridden(
    data: Path, tmp_path: Path
):
    with Image.open(io.BytesIO(picture(seed=500))) as scene:
        turned = [scene, ImageOps.mirror(scene), ImageOps.flip(scene), scene.rotate(180)]
    folder = tmp_path / "scene"
    folder.mkdir()
    for number, one in enumerate(turned):
        one.convert("RGB").save(folder / f"{number}.jpg")
    run("import", folder, "--data", data, "--tag", "scene")
    others = tmp_path / "others"
    others.mkdir()
    for seed in range(20):
        (others / f"{seed}.jpg").write_bytes(picture(seed=seed))
    run("import", others, "--data", data)
    stopped = run("reindex", "--model", "pixels", "--label", "scene", "--data", data)
    assert stopped.returncode == 1, stopped.stdout
    assert "too little" in stopped.stderr
    new, old = listed(data)
    assert (new["state"], old["state"]) == ("ready", "live")
    assert (
        f"lookalike indexes activate {new['id']} --override 'mAP: scene' --data {data}"
        in stopped.stderr
    )
    named = ["--override", "mAP: scene"]
    overridden = run("indexes", "activate", new["id"], *named, "--data", data)
    assert "Searches use pixels now" in overridden.stdout, overridden.stderr


def test_a_build_that_is_interrupted_goes_on_at_the_next_start(
    start: Callable[..., Server], data: Path, folder: Path
):
    run("import", folder, "--data", data)
    code, said = interrupted("--model", "colors", "--data", data)
    assert (code, "at the next `lookalike up`" in said) == (1, True), said
    server = start()
    wait_for(lambda: server.http.get("/status").json()["index"]["model"] == "colors")


def test_on_servers_a_build_goes_on_without_the_command(servers: Servers, tmp_path: Path):
    with servers.fresh(tmp_path / "cluster") as cluster:
        web = cluster.web()
        ids = web.upload({f"{seed}.jpg": picture(seed=seed) for seed in range(6)})
        code, said = interrupted("--model", "colors", "--url", web.url)
        assert (code, "goes on without this command" in said) == (1, True), said
        cluster.worker()
        web.settle(ids)
        wait_until(
            lambda: web.http.get("/status").json()["index"]["model"] == "colors",
            "it goes live by itself",
            120,
        )
        [new, old] = json.loads(cluster.run("indexes", "--json").stdout)
        assert (new["state"], old["state"], new["images"]["indexed"]) == ("live", "ready", 6)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["reindex"], 2, "--model"),
        (["reindex", "--model", "colors", "--storage", "paper"], 2, "float32"),
        (["reindex", "--model", "colors", "--override", "everything"], 2, "The gates are: counts"),
        (["reindex", "--model", "colors"], 1, "no Lookalike data"),
        (["indexes", "show", "0"], 1, "no Lookalike data"),
        (["failures", "--retry"], 1, "no Lookalike data"),
    ],
)
def test_wrong_use_says_what_to_do(data: Path, arguments: list[str], code: int, said: str):
    ended = run(*arguments, "--data", data)
    assert (ended.returncode, said in ended.stderr) == (code, True), ended.stderr
    assert not data.exists()


def test_failures_are_shown_and_tried_again(start: Callable[..., Server], data: Path, folder: Path):
    run("import", folder, "--data", data)
    assert "No picture has failed." in run("failures", "--data", data).stdout
    failed = "UPDATE entries SET state = 'failed', code = 'gave_up', message = 'It did.' WHERE "
    first = "picture_id = (SELECT MIN(picture_id) FROM entries)"
    change(data, failed + first)
    shown = run("failures", "--code", "gave_up", "--data", data)
    assert (shown.returncode, "It did." in shown.stdout) == (0, True)
    again = run("failures", "--retry", "--data", data)
    assert (again.returncode, "another try: 1" in again.stdout) == (0, True), again.stderr
    change(data, failed + first)
    server = start()
    beside = json.loads(run("failures", "--retry", "--json", "--url", server.url).stdout)
    assert beside["retried"] == 1
    wait_for(lambda: server.http.get("/status").json()["images"]["indexed"] == 12)


def test_what_fails_again_ends_the_command_with_1(data: Path, tmp_path: Path):
    folder = tmp_path / "half"
    folder.mkdir()
    (folder / "half.jpg").write_bytes(picture(seed=2)[:3000])
    run("import", folder, "--data", data)
    again = run("failures", "--retry", "--data", data)
    assert (again.returncode, "truncated" in again.stdout) == (1, True)


def test_the_status_tells_what_is_at_work_and_what_it_takes(data: Path, folder: Path):
    run("import", folder, "--data", data)
    told = run("status", "--data", data).stdout
    assert "interactive: 0 waiting" in told
    assert "Disk:     sql " in told
    answer = json.loads(run("status", "--data", data, "--json").stdout)
    assert answer["resources"]["stored"]["vectors"] > 0
    assert [one["state"] for one in answer["indexes"]] == ["live"]


def test_ids_are_cut_where_they_differ():
    first = str(UUID("0199c0de-0000-7000-8000-000000000001"))
    later = str(UUID("0199c0de-0001-7000-8000-000000000001"))
    assert distinct([first, later]) == 13
    assert distinct([first]) == distinct([]) == 8

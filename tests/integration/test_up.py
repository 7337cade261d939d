"""`lookalike up` as a process: how it starts, what it refuses, how it stops."""

from __future__ import annotations

import os
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from tests.factories import picture
from tests.program import Server, run


def test_it_says_where_it_answers_and_does(start: Callable[..., Server]) -> None:
    server = start()
    assert server.line == f"Lookalike is ready at {server.url}\n"
    assert httpx.get(f"{server.url}/healthz", trust_env=False).json() == {"status": "ok"}
    ready = httpx.get(f"{server.url}/readyz", trust_env=False)
    assert ready.json() == {
        "ready": True,
        "parts": {"database": "ok", "vectors": "ok", "queue": "ok", "blobs": "ok"},
    }


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_cleanly(start: Callable[..., Server], number: int) -> None:
    server = start()
    server.upload({"a.jpg": picture(seed=1)})
    server.settle()
    assert server.stop(number) == 0
    assert server.process.stderr is not None
    assert server.process.stderr.read() == ""


def test_what_it_had_in_hand_is_taken_up_at_the_next_start(start: Callable[..., Server]) -> None:
    server = start()
    ids = server.upload({f"{seed}.jpg": picture(seed=seed) for seed in range(40)})
    assert server.stop() == 0
    server = start()
    server.settle()
    assert set(server.states(ids).values()) == {"indexed"}


def test_a_second_one_says_who_holds_the_folder(start: Callable[..., Server], data: Path) -> None:
    server = start()
    second = run("up", "--port", "0", "--data", data)
    assert second.returncode == 1
    assert "lookalike up" in second.stderr
    assert str(server.process.pid) in second.stderr
    assert server.url in second.stderr
    assert "Traceback" not in second.stderr


def test_a_folder_whose_holder_was_killed_is_free(start: Callable[..., Server]) -> None:
    start().kill()
    assert start().url.startswith("http://127.0.0.1:")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_machines_are_not_admitted_unasked(data: Path, host: str) -> None:
    refused = run("up", "--host", host, "--port", "0", "--data", data)
    assert refused.returncode == 2
    assert "LOOKALIKE_ALLOW_REMOTE" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_other_machines_are_admitted_when_the_setting_says_so(
    start: Callable[..., Server],
) -> None:
    server = start(host="0.0.0.0", allow_remote="true")
    port = server.url.rpartition(":")[2]
    answer = httpx.get(
        f"http://127.0.0.1:{port}/healthz", headers={"Host": "lookalike"}, trust_env=False
    )
    assert answer.status_code == 200


def test_a_port_in_use_is_said_so(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = run("up", "--port", str(port), "--data", data)
    assert refused.returncode == 2
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_wrong_setting_is_named(data: Path) -> None:
    refused = run("up", "--data", data, precision="float7")
    assert refused.returncode == 2
    assert "LOOKALIKE_PRECISION" in refused.stderr


def test_an_unknown_model_is_refused_with_the_known_ones(data: Path) -> None:
    refused = run("up", "--port", "0", "--data", data, model="resnet-of-dreams")
    assert refused.returncode != 0
    assert "efficientnet-lite1" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    refused = run("up", "--port", "0", "--data", tmp_path / "data")
    assert refused.returncode == 2
    assert "--data" in refused.stderr


def test_a_data_path_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    refused = run("up", "--port", "0", "--data", tmp_path / "file")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr

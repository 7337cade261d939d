"""Processes of servers that cannot do their work say why and end; those that can, log as told."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import Servers
from tests.integration.scene import files
from tests.program import environment, run

BINARIES = Path(sys.executable).parent
APP = "lookalike.workers.app"
NOBODY = "http://127.0.0.1:1"
SERVERS = {
    "broker_url": "redis://127.0.0.1:1/0",
    "database_url": "postgresql://lookalike@127.0.0.1:1/none",
    "qdrant_url": NOBODY,
}
"""Servers that nobody runs: who starts comes as far as asking them."""


@pytest.fixture
def taken_port() -> Iterator[str]:
    with socket.create_server(("0.0.0.0", 0)) as listener:
        yield str(listener.getsockname()[1])


def ended(
    *arguments: str | Path, folder: Path, **settings: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of a server on its own; one that does not end by itself fails the test."""
    return subprocess.run(
        [BINARIES / arguments[0], *arguments[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=folder,
        env=environment(data_dir=str(folder / "data"), **settings),
        check=False,
    )


def assert_told(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """It ended for a setting, with one sentence and nothing that only programmers understand."""
    assert done.returncode == 2, done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("lookalike: ")]
    assert [word for word in words if word not in sentence] == []
    assert "Traceback" not in done.stdout + done.stderr


def test_a_worker_whose_metrics_port_is_taken_says_so_and_ends(tmp_path: Path, taken_port: str):
    done = ended("celery", "-A", APP, "worker", folder=tmp_path, **SERVERS, metrics_port=taken_port)
    assert_told(done, "LOOKALIKE_METRICS_PORT", taken_port)


@pytest.mark.parametrize("url", ["garbage", "mysql://root:hush@127.0.0.1/x"])
def test_a_worker_without_a_database_that_it_can_use_says_so_and_ends(tmp_path: Path, url: str):
    settings = SERVERS | {"database_url": url}
    done = ended("celery", "-A", APP, "worker", folder=tmp_path, **settings)
    assert_told(done, "LOOKALIKE_DATABASE_URL")
    assert "hush" not in done.stderr


@pytest.mark.parametrize("url", ["garbage", "mysql://root:hush@127.0.0.1/x"])
def test_migrating_a_database_that_is_none_says_so(tmp_path: Path, url: str):
    done = run("migrate", "--data", tmp_path, database_url=url)
    assert_told(done, "LOOKALIKE_DATABASE_URL")


def test_a_web_server_without_a_database_that_it_can_use_says_so_and_ends(tmp_path: Path):
    config = "python:lookalike.web.gunicorn"
    settings = SERVERS | {"database_url": "garbage"}
    done = ended(
        "gunicorn", "--config", config, "lookalike.web.wsgi:app", folder=tmp_path, **settings
    )
    assert_told(done, "LOOKALIKE_DATABASE_URL")


@pytest.mark.parametrize("program", ["worker", "beat"])
def test_without_a_broker_to_share_nothing_waits_for_tasks_for_ever(tmp_path: Path, program: str):
    settings = SERVERS | {"broker_url": ""}
    done = ended("celery", "-A", APP, program, folder=tmp_path, **settings)
    assert_told(done, "LOOKALIKE_BROKER_URL")


def test_a_wrong_setting_of_a_worker_is_named(tmp_path: Path):
    done = ended("celery", "-A", APP, "worker", folder=tmp_path, **SERVERS, task_batch="many")
    assert_told(done, "LOOKALIKE_TASK_BATCH")


def test_a_worker_that_would_fork_says_so_and_ends(tmp_path: Path):
    done = ended("celery", "-A", APP, "worker", "-P", "processes", folder=tmp_path, **SERVERS)
    assert_told(done, "prefork", "-P threads")


FAREWELL = ("", "worker: Warm shutdown (MainProcess)")
"""What Celery says past every log when it is asked to stop."""


def test_every_line_of_web_and_worker_is_json_where_logs_are(servers: Servers, tmp_path: Path):
    with servers.fresh(tmp_path / "cluster", log_format="json", log_level="info") as cluster:
        web, worker = cluster.web(), cluster.worker()
        web.settle(web.upload(files(1)))
        assert (web.stop(), worker.stop()) == (0, 0)
    for name, own in (("web", "gunicorn.error"), ("worker", "celery.worker.consumer.connection")):
        lines = cluster.log(name).splitlines()
        events = [json.loads(line) for line in lines if line not in FAREWELL]
        assert {"event", "level", "timestamp"} <= set.intersection(*map(set, events))
        assert own in {event.get("logger") for event in events}

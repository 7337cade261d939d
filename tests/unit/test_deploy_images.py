"""The images and the reverse proxy in front of them fit the program."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from lookalike.services.settings import Settings
from tests.unit.test_deploy import DEPLOY, PING, ROOT, SERVICES, WEB, WORKER, run, tool

DOCKERFILE = (DEPLOY / "images/Dockerfile").read_text()
CADDYFILE = (DEPLOY / "proxy/Caddyfile").read_text()


def stages() -> dict[str, tuple[str, str]]:
    """Each stage of the Dockerfile: what it builds on, and its instructions."""
    parts = re.split(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, flags=re.MULTILINE)[1:]
    return {name: (base, body) for base, name, body in zip(*[iter(parts)] * 3, strict=True)}


@pytest.mark.parametrize("target", ["web", "worker", "worker-cuda"])
def test_images_run_without_root_and_with_a_health_check(target: str):
    bodies, base = "", target
    while base in stages():
        base, body = stages()[base]
        bodies = body + bodies
    assert base == "${PYTHON_IMAGE}"
    assert re.findall(r"^USER (\S+)$", bodies, re.MULTILINE) == ["10001:10001"]
    assert len(re.findall(r"^HEALTHCHECK ", bodies, re.MULTILINE)) == 1
    command = re.findall(r"^CMD (\[.*\])$", bodies, re.MULTILINE)[-1]
    assert yaml.safe_load(command) == (WEB if target == "web" else WORKER)
    for needless in ("apt-get", "gcc", "build-essential", "git "):
        assert needless not in bodies


def test_the_health_check_of_the_worker_s_image_is_the_agreed_one():
    assert f'CMD ["sh", "-c", "exec {PING}"]' in stages()["worker"][1]


def test_every_target_that_compose_builds_is_there():
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert targets == {"web", "worker", "worker-cuda"} <= set(stages())


def test_what_the_images_are_built_from_exists_and_is_let_in():
    let_in = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE)
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    sources = [source for copy in copies for source in copy.split()]
    assert sorted(sources) == sorted(let_in)
    assert all((ROOT / source).exists() for source in sources)


def test_no_package_index_is_named():
    assert re.search(r'^ARG TORCH_INDEX_URL=""$', DOCKERFILE, re.MULTILINE)
    assert "://" not in DOCKERFILE


class Answers(BaseHTTPRequestHandler):
    """200 on /healthz, 503 elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/healthz" else 503)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  the library's name
        """Say nothing."""


@pytest.fixture
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def healthy(port: int, path: str) -> subprocess.CompletedProcess[str]:
    return run([sys.executable, str(DEPLOY / "images/healthy.py"), path], LOOKALIKE_PORT=str(port))


def test_the_web_health_check_tells_an_answer_from_none(port: int):
    assert healthy(port, "/healthz").returncode == 0
    refused = healthy(port, "/readyz")
    assert refused.returncode == 1
    assert "503" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_the_web_health_check_fails_when_nothing_listens():
    assert healthy(9, "/healthz").returncode == 1


def test_the_dockerfile_is_free_of_known_mistakes():
    checked = run([tool("hadolint"), str(DEPLOY / "images/Dockerfile")])
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("setting", "matcher", "unit"),
    [("max_request_bytes", "@other", "MiB"), ("max_import_bytes", "@import", "GiB")],
)
def test_the_proxy_lets_the_largest_upload_through_and_little_more(
    setting: str, matcher: str, unit: str
):
    size = re.search(rf"request_body {matcher} {{\s+max_size (\d+){unit}", CADDYFILE)
    assert size
    largest = Settings.model_fields[setting].default
    bytes_each = {"MiB": 1024**2, "GiB": 1024**3}[unit]
    assert 1 < int(size[1]) * bytes_each / largest < 1.05


def test_the_proxy_holds_no_event_back_and_keeps_metrics_inside():
    assert "flush_interval -1" in CADDYFILE
    assert re.search(r"@inside path /metrics /metrics/\*\n\s*respond @inside 404", CADDYFILE)
    assert "header_up Host" not in CADDYFILE


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_proxy_understands_its_file(scheme: str, tmp_path: Path):
    checked = run(
        [tool("caddy"), "validate", "--adapter", "caddyfile", "--config", "Caddyfile"],
        cwd=shutil.copytree(DEPLOY / "proxy", tmp_path / "proxy"),
        SITE_HOST="localhost",
        SITE_SCHEME=scheme,
    )
    assert checked.returncode == 0, checked.stderr

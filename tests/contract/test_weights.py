"""Weights that are fetched: from a server on loopback that does what servers and networks do."""

from __future__ import annotations

import fcntl
import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lookalike.services.adapters.embedding.networks import Download
from lookalike.services.adapters.embedding.registry import ModelRegistry
from lookalike.services.errors import BusyError, UnavailableError
from tests.program import run
from tests.small_network import SmallNetwork


class Files(ThreadingHTTPServer):
    """Serves `content` under any name: so many bytes an answer, then it hangs up.

    Knows ranges unless told otherwise; `asked` holds the range and path of each request.
    """

    daemon_threads = True

    def __init__(self, content: bytes) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = content
        self.at_most = len(content)
        self.knows_ranges = True
        self.tells_length = True
        self.status = 200
        self.asked: list[tuple[str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/models"


class Answer(BaseHTTPRequestHandler):
    server: Files

    def do_GET(self) -> None:
        files, wanted = self.server, self.headers.get("Range", "")
        files.asked.append((wanted, self.path))
        start = int(wanted[6:-1]) if wanted and files.knows_ranges else 0
        status = 206 if start else files.status
        if start >= len(files.content):
            status = 416
        body = files.content[start:] if status in {200, 206} else b""
        self.send_response(status)
        if files.tells_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: files.at_most])

    def log_message(self, *_: object) -> None:
        """Stay quiet."""


@pytest.fixture
def files(tmp_path) -> Iterator[Files]:
    SmallNetwork(tmp_path / "published.pth")
    server = Files((tmp_path / "published.pth").read_bytes())
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def registry(files, tmp_path) -> ModelRegistry:
    """One model, `small`, whose weights are on the server."""
    checksum = hashlib.sha256(files.content).hexdigest()[:8]
    small = replace(
        SmallNetwork(tmp_path / "made.pth").network,
        find_weights=lambda: None,
        hint="Fetch them: lookalike models pull small",
        download=Download(f"small-{checksum}.pth", 1),
    )
    return ModelRegistry(
        "float32", 4, tmp_path / "cache", {"small": small}, weights_url=files.url + "/"
    )


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "cache" / "weights"


def pull(registry: ModelRegistry) -> list[tuple[int, int | None]]:
    """Fetch, and give what was told of the progress."""
    told: list[tuple[int, int | None]] = []
    registry.pull("small", lambda done, total: told.append((done, total)))
    return told


def standing(registry: ModelRegistry) -> str:
    return registry.available()[0].weights


def kept(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir()]


def test_fetched_weights_are_present_and_load(registry, files, folder):
    assert standing(registry) == "downloadable"
    with pytest.raises(UnavailableError, match="lookalike models pull small"):
        registry.get("small")
    told = pull(registry)
    assert told[-1] == (len(files.content), len(files.content))
    assert standing(registry) == "present"
    assert kept(folder) == [files.content]
    [(_, path)] = files.asked
    assert path == f"/models/{next(folder.iterdir()).name}"
    embedder = registry.get("small")
    assert embedder.embed([]).shape == (0, 8)


def test_weights_that_are_here_and_whole_are_not_fetched_again(registry, files):
    pull(registry)
    assert pull(registry) == []
    assert len(files.asked) == 1


def test_damaged_weights_are_fetched_anew(registry, files, folder):
    pull(registry)
    file = next(folder.iterdir())
    file.write_bytes(files.content[:-1] + b"?")
    pull(registry)
    assert kept(folder) == [files.content]


def test_what_is_cut_off_is_kept_and_gone_on_with(registry, files, folder):
    files.at_most = 1000
    with pytest.raises(UnavailableError, match="run the command again to go on"):
        pull(registry)
    assert standing(registry) == "downloadable"
    assert kept(folder) == [files.content[:1000]]
    files.at_most = len(files.content)
    told = pull(registry)
    assert [asked for asked, _ in files.asked] == ["", "bytes=1000-"]
    assert told[0][0] > 1000
    assert told[-1] == (len(files.content), len(files.content))
    assert kept(folder) == [files.content]


def test_a_server_without_ranges_is_asked_for_all_again(registry, files, folder):
    files.at_most = 1000
    with pytest.raises(UnavailableError):
        pull(registry)
    files.at_most, files.knows_ranges = len(files.content), False
    pull(registry)
    assert kept(folder) == [files.content]


def test_all_that_was_missing_is_the_check_after_a_crash_at_the_end(registry, files, folder):
    pull(registry)
    file = next(folder.iterdir())
    file.rename(f"{file}.part")
    pull(registry)
    assert files.asked[-1][0] == f"bytes={len(files.content)}-"
    assert kept(folder) == [files.content]


@pytest.mark.parametrize("damage", ["other bytes", "cut without a word", "a part of another file"])
def test_a_file_with_another_checksum_is_refused_and_thrown_away(registry, files, folder, damage):
    whole = files.content
    if damage == "other bytes":
        files.content = whole[:-1] + b"?"
    elif damage == "cut without a word":
        files.at_most, files.tells_length = 1000, False
    else:
        files.at_most = 1000
        with pytest.raises(UnavailableError):
            pull(registry)
        [part] = folder.iterdir()
        part.write_bytes(b"?" * 1000)
        files.at_most = len(whole)
    with pytest.raises(UnavailableError, match="not the file that was asked for"):
        pull(registry)
    assert kept(folder) == []
    assert standing(registry) == "downloadable"
    files.content, files.at_most, files.tells_length = whole, len(whole), True
    pull(registry)
    assert kept(folder) == [whole]


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_refusal_is_told_with_its_status(registry, files, status):
    files.status = status
    with pytest.raises(UnavailableError, match=f"answers {status}.*LOOKALIKE_WEIGHTS_URL"):
        pull(registry)
    assert standing(registry) == "downloadable"


def test_two_at_once_do_not_mix(registry, folder, files):
    folder.mkdir(parents=True)
    name = f"small-{hashlib.sha256(files.content).hexdigest()[:8]}.pth"
    with (folder / f"{name}.part").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="Another process is fetching"):
            pull(registry)
    pull(registry)
    assert kept(folder) == [files.content]


def test_a_folder_that_cannot_be_written_is_told(registry, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(UnavailableError, match="cannot be written"):
        pull(registry)


# The command


def test_the_command_fetches_from_the_server_that_a_setting_names(files, folder, tmp_path):
    done = run(
        "models",
        "pull",
        "resnet18-letterbox",
        "--data",
        str(tmp_path / "data"),
        weights_url=files.url,
        cache_dir=str(tmp_path / "cache"),
    )
    assert files.asked == [("", "/models/resnet18-f37072fd.pth")]
    assert done.returncode == 1
    assert "does not begin with f37072fd" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert list(folder.iterdir()) == []


def test_the_command_lists_what_is_here_what_can_be_fetched_and_what_is_missing(tmp_path):
    own = {"alexnet": str(tmp_path / "gone.pth")}
    done = run(
        "models",
        "--data",
        str(tmp_path),
        "--json",
        cache_dir=str(tmp_path),
        weights=json.dumps(own),
    )
    listed = {one["name"]: one for one in json.loads(done.stdout)["models"]}
    assert listed["colors"]["weights"] == "present"
    assert listed["resnet50"]["weights"] == "downloadable"
    assert "lookalike models pull resnet50" in listed["resnet50"]["hint"]
    assert listed["alexnet-letterbox"]["weights"] == "missing"
    assert own["alexnet"] in listed["alexnet-letterbox"]["hint"]
    people = run(
        "models", "--data", str(tmp_path), cache_dir=str(tmp_path), weights=json.dumps(own)
    )
    assert "lookalike models pull NAME" in people.stdout
    assert "gone.pth" in people.stdout


def test_the_command_names_the_models_where_one_is_not_known(tmp_path):
    done = run("models", "pull", "resnet19", "--data", str(tmp_path))
    assert done.returncode == 1
    assert "resnet18" in done.stderr

"""Lookalike on servers: real PostgreSQL, Valkey, gunicorn, Celery; Qdrant's test double."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.program import environment
from tests.qdrant_double.process import Running, running
from tests.servers.postgres import Postgres
from tests.servers.processes import free_port, start, wait_until
from tests.servers.valkey import Valkey

BINARIES = Path(sys.executable).parent
WEB_CONFIG = "python:lookalike.web.gunicorn"
START_SECONDS = 90
STOP_SECONDS = 60


@dataclass
class Cluster:
    """Servers to run on; `web`, `worker` and `beat` start processes, which die with the tests."""

    folder: Path
    postgres: Postgres
    valkey: Valkey
    qdrant: Running
    settings: dict[str, str]
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def web(self, **settings: str) -> Web:
        """gunicorn on a free port."""
        port = free_port()
        process = self._start(
            "web",
            [BINARIES / "gunicorn", "--config", WEB_CONFIG, "lookalike.web.wsgi:app"],
            {"port": str(port), **settings},
        )
        return Web(process, f"http://127.0.0.1:{port}")

    def up(self) -> Web:
        """`lookalike up` on a free port."""
        port = str(free_port())
        command = [BINARIES / "lookalike", "up", "--port", port]
        return Web(self._start("up", command, {}), f"http://127.0.0.1:{port}")

    def worker(self, **settings: str) -> Worker:
        """A Celery worker."""
        number = len(self.processes)
        name = f"worker{number}@localhost"
        process = self._start("worker", [*_celery("worker"), "--hostname", name], settings)
        return Worker(process)

    def beat(self, **settings: str) -> Worker:
        """Celery's clock."""
        schedule = self.folder / "beat"
        process = self._start("beat", [*_celery("beat"), "--schedule", str(schedule)], settings)
        return Worker(process)

    def log(self, name: str) -> str:
        """What all processes of this kind have logged."""
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the `lookalike` command on these servers to its end."""
        return subprocess.run(
            [BINARIES / "lookalike", *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            env=self.environment(),
        )

    def environment(self, **settings: str) -> dict[str, str]:
        """What processes find in their environment. What killed ones leave goes with the folder."""
        failpoints = settings.pop("failpoints", "")
        return environment(**{**self.settings, **settings}) | (
            {"TMPDIR": str(self.folder)}
            | ({"LOOKALIKE_FAILPOINTS": failpoints} if failpoints else {})
        )

    def tell(self) -> None:
        """Print what went wrong by the logs, for the reader of a test that failed."""
        for name in ("web", "up", "worker", "beat"):
            lines = [one for one in self.log(name).splitlines() if '"level": "info"' not in one]
            print(f"== {name}", *lines[-30:], sep="\n")

    def stop(self) -> None:
        """End every process that was started."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(STOP_SECONDS)

    def _start(
        self, name: str, command: list[str | Path], settings: dict[str, str]
    ) -> subprocess.Popen[bytes]:
        process = start(
            command,
            self.folder / f"{name}.log",
            env=self.environment(**settings),
            start_new_session=True,
            cwd=self.folder,
        )
        self.processes.append(process)
        return process


@dataclass
class Worker:
    """A process, to be stopped or killed."""

    process: subprocess.Popen[bytes]

    def alive(self) -> bool:
        """Whether it still runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it and its children as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_SECONDS)

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(STOP_SECONDS)


class Web(Worker):
    """A web server and a client of its API."""

    def __init__(self, process: subprocess.Popen[bytes], url: str) -> None:
        super().__init__(process)
        self.url = url
        self.http = httpx.Client(base_url=f"{url}/api/v1", timeout=60, trust_env=False)
        wait_until(self.answers, "the web answers", START_SECONDS)

    def answers(self) -> bool:
        """Whether it is alive."""
        try:
            return self.http.get(f"{self.url}/healthz").status_code == 200
        except httpx.HTTPError:
            return False

    def upload(self, files: dict[str, bytes], **fields: str) -> list[str]:
        """Upload files by name; the ids of those that were accepted."""
        parts = [("file", (name, data)) for name, data in files.items()]
        answer = self.http.post("/images", files=parts, data=fields)
        answer.raise_for_status()
        return [image["id"] for image in answer.json()["images"]]

    def states(self, ids: list[str]) -> dict[str, str]:
        """The state of each of these pictures."""
        found = {}
        for begin in range(0, len(ids), 200):
            part = ids[begin : begin + 200]
            answer = self.http.get("/images", params={"id": part, "limit": len(part)})
            answer.raise_for_status()
            found.update({image["id"]: image["state"] for image in answer.json()["images"]})
        return found

    def settle(self, ids: list[str], seconds: float = 120) -> dict[str, str]:
        """Wait until none of these pictures is pending; their states."""
        wait_until(lambda: "pending" not in self.states(ids).values(), "all are indexed", seconds)
        return self.states(ids)


def _celery(command: str) -> list[str | Path]:
    return [BINARIES / "celery", "-A", "lookalike.workers.app", command]


class Servers:
    """The servers, shared by several tests: each gets empty ones with `fresh`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self.postgres = Postgres()
        self._stack.callback(self.postgres.stop)
        self.valkey = Valkey(folder / "valkey")
        self._stack.callback(self.valkey.stop)
        self.qdrant = self._stack.enter_context(running())

    @contextmanager
    def fresh(self, folder: Path, **settings: str) -> Iterator[Cluster]:
        """A cluster with nothing in it; its processes end with the block."""
        folder.mkdir(parents=True, exist_ok=True)
        self.valkey.client.flushall()
        httpx.post(f"{self.qdrant.url}/_double/empty", trust_env=False).raise_for_status()
        urls = {
            "database_url": self.postgres.database(),
            "broker_url": self.valkey.url,
            "qdrant_url": self.qdrant.url,
            "data_dir": str(folder / "data"),
            "log_format": "json",
            "log_level": "info",
            "web_processes": "1",
        }
        made = Cluster(folder, self.postgres, self.valkey, self.qdrant, urls | settings)
        try:
            yield made
        finally:
            made.stop()
            made.tell()

    def stop(self) -> None:
        """End every server."""
        self._stack.close()

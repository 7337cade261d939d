"""What a random mix of events happens to: servers with their processes, or one process alone."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

import httpx

from tests.cluster import Cluster, Servers, Worker
from tests.integration import builds
from tests.program import Server, run
from tests.servers.processes import wait_until

HELD = "before_commit=wait:0.2,before_publish=wait:0.2"
"""Uploads and batches of imports take long enough for something to happen meanwhile."""


class Ground(Protocol):
    """A platform that is used, killed and started again."""

    http: httpx.Client

    def work(self) -> None:
        """See that somebody works who is not to be killed at a failpoint."""

    def doom(self, moment: str, passes: int) -> None:
        """Let work be done by a process that is killed when it comes there."""

    def kill_worker(self) -> None:
        """End a process that works, as a power cut would."""

    def stop_worker(self) -> None:
        """Ask a process that works to end; it must."""

    def kill_web(self) -> None:
        """End what serves the API, as a power cut would."""

    def start_web(self) -> None:
        """Serve the API again, after `kill_web`."""

    def revive(self) -> None:
        """Go on after a request without an answer, which only a killed process may leave."""

    def finish(self) -> None:
        """Leave only processes that nothing happens to any more."""

    def assert_collections_fit(self) -> None:
        """The vector store has what the indexes need, and nothing else, sooner or later."""

    def assert_alive(self) -> None:
        """Every process that should be alive is."""

    def check(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        """`lookalike check`: its exit code, and the differences. May come last only."""


MakeGround = Callable[[Path], AbstractContextManager[Ground]]


class OnServers:
    """PostgreSQL, Valkey and the Qdrant double; processes for the web, the clock and work."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.beat = cluster.beat()
        self.workers: list[Worker] = []
        self.sound: list[Worker] = []
        self.start_web()

    def start_web(self) -> None:
        """See Ground."""
        self.web = self.cluster.web(failpoints=HELD)
        self.http = self.web.http

    def work(self) -> None:
        """See Ground."""
        if not any(worker.alive() for worker in self.sound):
            self.sound.append(self._start(HELD))

    def doom(self, moment: str, passes: int) -> None:
        """See Ground. Beside another one at most."""
        for worker in self.alive()[1:]:
            worker.kill()
        self._start(f"{HELD},{moment}=kill*{passes}")

    def kill_worker(self) -> None:
        """See Ground."""
        self.alive()[0].kill()

    def stop_worker(self) -> None:
        """See Ground."""
        self.alive()[0].stop()

    def kill_web(self) -> None:
        """See Ground."""
        self.web.kill()

    def revive(self) -> None:
        """See Ground. Nobody killed the web just now."""
        raise AssertionError("The web gave no answer.")

    def finish(self) -> None:
        """See Ground."""
        for worker in self.alive():
            worker.kill()
        self.kill_web()
        self.start_web()
        self.work()

    def assert_collections_fit(self) -> None:
        """See Ground."""
        builds.assert_collections_fit(self.cluster, self.http)

    def assert_alive(self) -> None:
        """See Ground."""
        assert self.web.alive()
        assert self.beat.alive()
        assert self.alive()

    def check(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        """See Ground."""
        done = self.cluster.run("check", "--json", *options)
        return done.returncode, json.loads(done.stdout)["differences"]

    def alive(self) -> list[Worker]:
        """The workers that run."""
        return [worker for worker in self.workers if worker.alive()]

    def _start(self, failpoints: str) -> Worker:
        self.workers.append(self.cluster.worker(failpoints=failpoints))
        return self.workers[-1]


class InOneProcess:
    """SQLite, Qdrant Edge, a folder: whatever is killed, it is all of `lookalike up`."""

    def __init__(self, data: Path, **settings: str) -> None:
        self._data = data
        self._settings = settings
        self._start(HELD)

    def work(self) -> None:
        """See Ground."""
        if self._doomed:
            self.kill_web()
            self.start_web()

    def doom(self, moment: str, passes: int) -> None:
        """See Ground."""
        self.kill_web()
        self._start(f"{HELD},{moment}=kill*{passes}")
        self._doomed = True

    def kill_worker(self) -> None:
        """See Ground."""
        self.kill_web()
        self.start_web()

    def stop_worker(self) -> None:
        """See Ground. It may have come to its failpoint first."""
        assert self._server.stop() in {0, -signal.SIGKILL}
        self.start_web()

    def kill_web(self) -> None:
        """See Ground."""
        self._server.kill()

    def start_web(self) -> None:
        """See Ground."""
        self.close()
        self._start(HELD)

    def revive(self) -> None:
        """See Ground."""
        assert self._server.process.wait(10) == -signal.SIGKILL, self._said()
        self.start_web()

    def finish(self) -> None:
        """See Ground."""
        self.kill_worker()

    def assert_collections_fit(self) -> None:
        """See Ground."""
        fed = [one for one in builds.indexes(self.http) if one["state"] in builds.FED]
        there = {builds.collection(one) for one in fed}
        wait_until(lambda: self._collections() == there, f"the store has {there}")

    def assert_alive(self) -> None:
        """See Ground."""
        assert self._server.process.poll() is None

    def check(self, *options: str) -> tuple[int, list[dict[str, Any]]]:
        """See Ground."""
        self._server.stop()
        done = run("check", "--json", "--data", self._data, *options, **self._settings)
        return done.returncode, json.loads(done.stdout)["differences"]

    def close(self) -> None:
        """End it, and let go of its pipes."""
        self._server.process.kill()
        self._server.process.communicate()
        self.http.close()

    def _start(self, failpoints: str) -> None:
        self._doomed = False
        self._server = Server(self._data, failpoints=failpoints, **self._settings)
        self.http = self._server.http
        if not self._server.line:  # killed before it was ready, by what it began with
            self.revive()

    def _said(self) -> str:
        assert self._server.process.stderr
        return self._server.process.stderr.read()

    def _collections(self) -> set[str]:
        return {path.name for path in (self._data / "vectors").iterdir() if path.is_dir()}


@contextmanager
def on_servers(servers: Servers, folder: Path, **settings: str) -> Iterator[OnServers]:
    """Empty servers for as long as the block lasts."""
    with servers.fresh(folder, **settings) as cluster:
        yield OnServers(cluster)


@contextmanager
def in_one_process(folder: Path, **settings: str) -> Iterator[InOneProcess]:
    """An empty data folder for as long as the block lasts."""
    made = InOneProcess(folder / "data", **settings)
    with contextlib.closing(made):
        yield made

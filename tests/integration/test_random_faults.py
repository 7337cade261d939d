"""A random mix of uploads, changes, removals, kills and restarts ends with nothing lost."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.cluster import Cluster, Servers, Web, Worker
from tests.integration.scene import QUICK, assert_nothing_lost, files

RUNS = 3
"""A run takes half a minute; more of them (FAULT_RUNS), at random, look for what these have not
found."""

MOMENTS = ["after_receive", "after_decode", "after_embed", "after_upsert", "after_commit"]


class Faults(RuleBasedStateMachine):
    """Every run has empty servers and processes of its own."""

    servers: Servers
    folder: Path
    chosen: Mapping[str, str] = QUICK
    runs = count()

    def __init__(self) -> None:
        super().__init__()
        self.stack = contextlib.ExitStack()
        place = self.folder / f"run-{next(self.runs)}"
        self.cluster: Cluster = self.stack.enter_context(self.servers.fresh(place, **self.chosen))
        self.web: Web = self.cluster.web()
        self.beat: Worker = self.cluster.beat()
        self.workers: list[Worker] = []
        self.kept: list[str] = []
        self.removed: list[str] = []
        self.uploaded = 0

    @rule(number=st.integers(1, 24), queue=st.sampled_from(["interactive", "bulk"]))
    def upload(self, number: int, queue: str) -> None:
        self.kept += self.web.upload(files(number, self.uploaded), queue=queue)
        self.uploaded += number

    @precondition(lambda self: self.kept)
    @rule(data=st.data())
    def remove(self, data: Any) -> None:
        chosen = data.draw(st.sampled_from(self.kept))
        assert self.web.http.delete(f"/images/{chosen}").status_code in {204, 503}
        if self.web.http.get(f"/images/{chosen}").status_code == 404:
            self.kept.remove(chosen)
            self.removed.append(chosen)

    @precondition(lambda self: self.kept)
    @rule(data=st.data(), tag=st.sampled_from(["sea", "hill"]))
    def change(self, data: Any, tag: str) -> None:
        chosen = data.draw(st.sampled_from(self.kept))
        answer = self.web.http.patch(f"/images/{chosen}", json={"tags": [tag]})
        assert answer.status_code in {200, 503}

    @precondition(lambda self: len(self.alive()) < 2)
    @rule(moment=st.sampled_from([*MOMENTS, ""]), passes=st.integers(0, 2))
    def start_worker(self, moment: str, passes: int) -> None:
        failpoints = {"failpoints": f"{moment}=kill*{passes}"} if moment else {}
        self.workers.append(self.cluster.worker(**failpoints))

    @precondition(lambda self: self.alive())
    @rule(asked=st.booleans())
    def end_worker(self, asked: bool) -> None:
        worker = self.alive()[0]
        if asked:
            worker.stop()
        else:
            worker.kill()

    @rule()
    def kill_web(self) -> None:
        self.web.kill()
        self.web = self.cluster.web()

    @rule()
    def kill_broker(self) -> None:
        self.cluster.valkey.kill()
        self.cluster.valkey.start()

    @rule()
    def empty_broker(self) -> None:
        self.cluster.valkey.client.flushall()

    @rule()
    def restart_database(self) -> None:
        self.cluster.postgres.restart()

    @rule()
    def lose_vectors(self) -> None:
        url = f"{self.cluster.qdrant.url}/_double/empty"
        httpx.post(url, trust_env=False).raise_for_status()

    def alive(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.alive()]

    def teardown(self) -> None:
        with self.stack:
            for worker in self.alive():
                worker.kill()
            last = self.cluster.worker()
            self.end([self.web, self.beat, last])

    def end(self, alive: Sequence[Worker]) -> None:
        """What must be true when everything runs again."""
        if self.kept:
            assert_nothing_lost(
                self.cluster, self.web, self.kept, deleted=self.removed, alive=alive
            )


def run_at_random(machine: type[Faults], servers: Servers, folder: Path, runs: int) -> None:
    """So many runs, or as many as FAULT_RUNS says."""
    asked = os.environ.get("FAULT_RUNS")
    run_state_machine_as_test(
        type("Here", (machine,), {"servers": servers, "folder": folder}),
        settings=settings(
            max_examples=int(asked or runs),
            stateful_step_count=14,
            deadline=None,
            derandomize=not asked,  # the same every time, unless somebody goes looking
            phases=[Phase.generate],  # a run takes half a minute: it is told, not shrunk
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_nothing_is_lost_and_nothing_comes_back(servers: Servers, tmp_path: Path):
    run_at_random(Faults, servers, tmp_path, RUNS)

"""A random mix of uploads, changes, removals, kills and restarts ends with nothing lost."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.cluster import Servers
from tests.integration.grounds import OnServers, on_servers
from tests.integration.mix import SECONDS_A_RUN, Mix, asked_runs, happens, run_at_random
from tests.integration.scene import QUICK

RUNS = 2
"""A run takes a minute; more (FAULT_RUNS), at random, look for what these have not found."""


class OfProcesses(Mix):
    """On servers, processes of two kinds are killed, and their queue is lost."""

    ground: OnServers
    events = (*Mix.events, "kill_web", "empty_broker")

    @happens
    def kill_web(self, dice: Random) -> None:
        self.upload(dice)
        self.ground.kill_web()
        self.ground.start_web()
        self.happened["kill_web"] += 1

    @happens
    def empty_broker(self, dice: Random) -> None:
        self.upload(dice)
        self.ground.cluster.valkey.client.flushall()
        self.happened["empty_broker"] += 1


class Faults(OfProcesses):
    """The servers' own faults too."""

    events = (*OfProcesses.events, "kill_broker", "restart_database", "lose_vectors")

    @happens
    def kill_broker(self, dice: Random) -> None:
        self.upload(dice)
        self.ground.cluster.valkey.kill()
        self.ground.cluster.valkey.start()
        self.happened["kill_broker"] += 1

    @happens
    def restart_database(self, dice: Random) -> None:
        self.upload(dice)
        self.ground.cluster.postgres.restart()
        self.happened["restart_database"] += 1

    @happens
    def lose_vectors(self, dice: Random) -> None:
        self.upload(dice)
        url = f"{self.ground.cluster.qdrant.url}/_double/empty"
        httpx.post(url, trust_env=False).raise_for_status()
        self.happened["lose_vectors"] += 1


@pytest.mark.timeout(SECONDS_A_RUN * asked_runs(RUNS))
def test_whatever_happens_nothing_is_lost_and_nothing_comes_back(servers: Servers, tmp_path: Path):
    run_at_random(Faults, partial(on_servers, servers, **QUICK), tmp_path, RUNS)

"""What every fault ends in: the check that nothing was lost and nothing came back."""

from __future__ import annotations

import json
from collections.abc import Sequence

from tests.cluster import Cluster, Web, Worker
from tests.factories import picture

QUICK = {"lease_seconds": "2", "sweep_seconds": "1", "task_batch": "16"}
"""A lease this short makes others take over within seconds; tasks of one forward pass each."""


def files(count: int, first: int = 0) -> dict[str, bytes]:
    """So many different picture files by name."""
    return {f"{number}.jpg": picture(number, (96, 72)) for number in range(first, first + count)}


def assert_nothing_lost(
    cluster: Cluster,
    web: Web,
    ids: Sequence[str],
    *,
    deleted: Sequence[str] = (),
    alive: Sequence[Worker] = (),
) -> None:
    """Every acknowledged picture is indexed exactly once or failed with a reason.

    Nothing deleted is found, SQL, blobs and vectors agree, and the processes are alive.
    """
    states = web.settle(list(ids))
    assert set(states) == set(ids), "an acknowledged picture is gone"
    assert set(states.values()) == {"indexed"}
    for picture_id in deleted:
        assert web.http.get(f"/images/{picture_id}").status_code == 404
    check = cluster.run("check", "--json")
    report = json.loads(check.stdout)
    assert (check.returncode, report["differences"]) == (0, []), check.stdout
    assert all(process.alive() for process in alive)

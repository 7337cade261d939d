"""Builds of indexes over the API: started, watched, and what must be true when they have ended."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

import httpx
from qdrant_client import QdrantClient

from tests.cluster import Cluster
from tests.integration.scene import QUICK
from tests.servers.processes import wait_until

SMALL = {**QUICK, "model": "colors", "task_batch": "8", "qdrant_search_seconds": "20"}
"""Models that need no network, so that a build takes seconds; searches may wait for the double."""

FED = {"building", "ready", "live"}


def start(http: httpx.Client, model: str = "pixels", **plan: Any) -> str:
    """Begin to build an index; its id."""
    answer = http.post("/indexes", json={"model": model, **plan})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def indexes(http: httpx.Client) -> list[dict[str, Any]]:
    """Every index, the newest first."""
    answer = http.get("/indexes")
    answer.raise_for_status()
    found: list[dict[str, Any]] = answer.json()["indexes"]
    return found


def show(http: httpx.Client, index_id: str) -> dict[str, Any]:
    """One index."""
    answer = http.get(f"/indexes/{index_id}")
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def live(http: httpx.Client) -> str:
    """The id of the live index."""
    [found] = [one["id"] for one in indexes(http) if one["state"] == "live"]
    return str(found)


def wait_for_state(http: httpx.Client, index_id: str, state: str, seconds: float = 120) -> None:
    """Wait until the index is in this state and workers have nothing left to do for it."""

    def done() -> bool:
        one = show(http, index_id)
        assert one["state"] != "failed", one["error"]
        return bool(one["state"] == state and one["task"] is None)

    wait_until(done, f"the index is {state}", seconds)


def change(http: httpx.Client, index_id: str, what: str) -> None:
    """Do something to an index that must be possible: `pause`, `activate`, ..."""
    answer = http.post(f"/indexes/{index_id}/{what}", json={} if what == "activate" else None)
    assert answer.status_code == 200, answer.text


def retire(http: httpx.Client, index_id: str) -> None:
    """Retire an index or give it up."""
    answer = http.delete(f"/indexes/{index_id}")
    assert answer.status_code == 200, answer.text


def settle(http: httpx.Client) -> None:
    """Wait until workers have nothing left to do, for any index."""

    def settled() -> bool:
        found = indexes(http)
        pending = [one["images"]["pending"] for one in found if one["state"] in FED]
        return not any(pending) and not any(one["task"] for one in found)

    wait_until(settled, "every index is done", 120)


def assert_in_each_index(http: httpx.Client, ids: Collection[str]) -> None:
    """Each of these pictures, and no other, is in every index that is live or ready."""
    settle(http)
    for one in indexes(http):
        if one["state"] in {"live", "ready"}:
            counted = (one["images"]["indexed"], one["images"]["failed"], one["pictures"])
            assert counted == (len(ids), 0, len(ids)), one


def assert_collections_fit(cluster: Cluster, http: httpx.Client) -> None:
    """The vector store has a collection for each index that is not retired, and no other.

    The live one has the alias. Both may be left to a sweep.
    """
    client = QdrantClient(cluster.qdrant.url, check_compatibility=False)
    there = {one["id"]: collection(one) for one in indexes(http) if one["state"] in FED}

    def fit() -> bool:
        names = {one.name for one in client.get_collections().collections}
        aliases = [one.collection_name for one in client.get_aliases().aliases]
        return names == set(there.values()) and aliases == [there[live(http)]]

    wait_until(fit, f"the store has {there.values()}", 30)


def collection(index: dict[str, Any]) -> str:
    """The name of an index's collection."""
    return f"{index['model']}-{UUID(index['id']).hex}"

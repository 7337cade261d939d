"""Failures, resources and the wider status over the API."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from lookalike.services.reindexing.lifecycle import Plan
from tests.factories import ODD
from tests.platforms import World, make_world, small

pytestmark = pytest.mark.both_databases

API = "/api/v1"


def test_failures_are_told_by_code_and_one_by_one_and_tried_again(
    client: FlaskClient, world: World
):
    [bad, _good] = world.indexed(ODD["jpeg_truncated"].data, small(1))
    answer = client.get(f"{API}/failures?code=truncated").json
    assert [(one["code"], one["pictures"]) for one in answer["codes"]] == [("truncated", 1)]
    [failed] = answer["failures"]
    assert (failed["picture_id"], failed["filename"]) == (str(bad), "0.jpg")
    assert client.get(failed["urls"]["page"]).status_code == 200
    retried = client.post(f"{API}/failures/retry", json={"picture_id": str(bad)})
    assert (retried.status_code, retried.json) == (202, {"pictures": 1})
    assert client.get(f"{API}/failures").json == {
        "codes": [],
        "failures": [],
        "next_cursor": None,
    }
    world.work()
    assert client.get(f"{API}/failures?code=corrupt").json["failures"] == []
    assert client.post(f"{API}/failures/retry", json={}).json == {"pictures": 1}


def test_failures_of_what_is_not_there_are_not_found(client: FlaskClient):
    assert client.get(f"{API}/failures?index={uuid4()}").status_code == 404
    unknown = {"picture_id": str(uuid4())}
    assert client.post(f"{API}/failures/retry", json=unknown).status_code == 404


def test_the_status_tells_queues_and_indexes(client: FlaskClient, world: World):
    world.indexed(small(1))
    index_id = world.platform.reindexing.start(Plan("coarse")).row.id
    world.add(small(2))
    status = client.get(f"{API}/status").json
    queues = {one["name"]: one for one in status["queue"]["queues"]}
    assert queues["interactive"]["oldest_seconds"] > queues["bulk"]["oldest_seconds"] == 0
    assert queues["interactive"]["waiting"] == status["queue"]["waiting"] == 1
    newest, live = status["indexes"]
    assert (newest["id"], newest["state"], newest["task"]) == (str(index_id), "building", "build")
    assert (live["model"], live["state"], live["storage"]) == ("fake", "live", "float32")


def test_resources_are_told_in_bytes(client: FlaskClient, world: World, database_url: str):
    world.indexed(small(1))
    answer = client.get(f"{API}/resources").json
    assert answer["stored"]["blobs"] > 0
    assert (answer["stored"]["sql"] is None) == bool(database_url)
    assert 0 < answer["free"] <= answer["total"]
    assert answer["memory"] > 0
    assert answer["workers"] == []  # it is a thread of the process whose memory this is


@pytest.fixture
def apart(data: Path, database_url: str) -> Iterator[World]:
    """A platform whose workers are processes of their own."""
    made = make_world(data, database_url=database_url, broker_url="redis://127.0.0.1:9/0")
    yield made
    made.platform.close()


def test_workers_are_told_by_name_unless_the_queue_is_down(
    apart: World, create_client: Callable[[World], FlaskClient]
):
    client = create_client(apart)
    [worker] = client.get(f"{API}/resources").json["workers"]
    assert worker == {"name": "hand@localhost", "memory": 100_000_000}
    apart.queue.down = True
    answer = client.get(f"{API}/resources")
    assert (answer.status_code, answer.json["workers"]) == (200, None)

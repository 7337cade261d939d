"""The recall meter over the API: by shape of filter, over time, with what is yet to come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from lookalike.services.models import RecallSample, SampledQuery, now
from lookalike.services.shapes import Shape
from tests.integration.calls import API, refused
from tests.platforms import World

pytestmark = pytest.mark.both_databases

NOTHING = {"recall": None, "queries": 0}


def put(world: World, *measured: tuple[datetime, Shape, float]) -> None:
    index_id = world.platform.indexes.live().id
    with world.db.write() as session:
        session.add_all(
            RecallSample(index_id=index_id, shape=shape, recall=found, asked_at=at)
            for at, shape, found in measured
        )


def wait_in_line(world: World) -> None:
    live = world.platform.indexes.live()
    vector = bytes(4 * live.embedder.definition.dimensions)
    with world.db.write() as session:
        facts: dict[str, Any] = {"vector": vector, "filter": {}, "shape": Shape.UNFILTERED}
        session.add(SampledQuery(index_id=live.id, library="main", **facts))


def test_before_the_first_search_there_is_nothing_to_tell(client: FlaskClient):
    assert client.get(f"{API}/recall").json == {
        "shapes": [],
        "overall": {"day": NOTHING, "week": NOTHING},
        "sampled": 0,
    }


def test_recall_is_told_by_shape_and_day_or_hour(client: FlaskClient, world: World):
    day = (now() - timedelta(days=3)).replace(hour=0, minute=0, second=0, microsecond=0)
    put(
        world,
        (day + timedelta(hours=1, minutes=5), Shape.TAGS, 1.0),
        (day + timedelta(hours=1, minutes=50), Shape.TAGS, 0.5),
        (day + timedelta(hours=4), Shape.TAGS, 0.0),
        (day + timedelta(days=1), Shape.UNFILTERED, 0.75),
    )
    wait_in_line(world)
    answer = client.get(f"{API}/recall?step=day").json
    assert answer["sampled"] == 1
    assert answer["overall"] == {"day": NOTHING, "week": {"recall": 0.5625, "queries": 4}}
    unfiltered, tags = answer["shapes"]
    assert unfiltered == {
        "shape": "unfiltered",
        "recall": 0.75,
        "queries": 1,
        "points": [{"at": moment(day + timedelta(days=1)), "recall": 0.75, "queries": 1}],
    }
    assert (tags["shape"], tags["recall"], tags["queries"]) == ("several tags", 0.5, 3)
    assert tags["points"] == [{"at": moment(day), "recall": 0.5, "queries": 3}]
    _, tags = client.get(f"{API}/recall?step=hour").json["shapes"]
    assert client.get(f"{API}/recall").json["shapes"][1] == tags
    assert tags["points"] == [
        {"at": moment(day + timedelta(hours=1)), "recall": 0.75, "queries": 2},
        {"at": moment(day + timedelta(hours=4)), "recall": 0.0, "queries": 1},
    ]


def moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_how_far_to_look_back_is_up_to_the_caller(client: FlaskClient, world: World):
    put(
        world,
        (now() - timedelta(minutes=90), Shape.TAG, 0.5),
        (now() - timedelta(days=20), Shape.TAG, 0.1),
    )

    def seen(query: str) -> int:
        shapes = client.get(f"{API}/recall?{query}").json["shapes"]
        return sum(one["queries"] for one in shapes)

    assert (seen("hours=1"), seen("hours=2"), seen(""), seen("hours=720")) == (0, 1, 1, 2)


@pytest.mark.parametrize(
    "query", ["hours=0", "hours=721", "hours=1.5", "hours=x", "step=week", "since=0"]
)
def test_what_cannot_be_told_is_refused(client: FlaskClient, query: str):
    refused(client.get(f"{API}/recall?{query}"), 400, "invalid_request")


def test_a_search_over_the_api_is_in_the_meter_after_the_next_sweep(
    client: FlaskClient, world: World
):
    ids = world.scenes(3)
    answer = client.post(f"{API}/search", json={"like": [str(ids[0])]})
    assert answer.status_code == 200
    world.platform.search._sampling.close()  # it has been written by then
    assert client.get(f"{API}/recall").json["sampled"] == 1
    world.platform.sweeping.run()
    told = client.get(f"{API}/recall").json
    assert told["sampled"] == 0
    assert told["overall"]["day"] == told["overall"]["week"] == {"recall": 1.0, "queries": 1}
    assert [one["shape"] for one in told["shapes"]] == ["unfiltered"]

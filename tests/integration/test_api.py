"""The JSON API: what every operation answers."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from flask.testing import FlaskClient

from tests.factories import ODD
from tests.integration.calls import API, UNKNOWN, ids_of, refused, search
from tests.platforms import OUTAGE, World, small

pytestmark = pytest.mark.both_databases


def test_a_library_is_made_once_and_listed(client: FlaskClient):
    for _ in range(2):
        made = client.post(f"{API}/libraries", json={"name": "attic"})
        assert made.status_code == 201
        assert (made.json["name"], made.json["images"]) == ("attic", 0)
    names = [one["name"] for one in client.get(f"{API}/libraries").json["libraries"]]
    assert names == ["attic", "main"]


def test_a_picture_is_shown_with_all_that_was_promised(client: FlaskClient, world: World):
    [picture_id] = world.indexed(small(), title="T", tags=["b", "a"], attributes={"n": 1.5})
    shown = client.get(f"{API}/images/{picture_id}").json
    picture = world.show(picture_id).picture
    base = f"/api/v1/images/{picture_id}"
    assert shown == {
        "id": str(picture_id),
        "library": "main",
        "state": "indexed",
        "error": None,
        "filename": "0.jpg",
        "title": "T",
        "tags": ["a", "b"],
        "attributes": {"n": 1.5},
        "width": 64,
        "height": 48,
        "format": "jpeg",
        "bytes": len(small()),
        "sha256": picture.sha256,
        "taken_at": None,
        "added_at": shown["added_at"],
        "urls": {
            "page": f"/images/{picture_id}",
            "original": f"{base}/original",
            "thumbnail": f"{base}/thumbnail",
            "similar": f"{base}/similar",
        },
    }
    assert datetime.fromisoformat(shown["added_at"]) == picture.added_at
    for url in shown["urls"].values():
        assert client.get(url).status_code == 200


def test_a_failed_picture_is_shown_with_its_reason(client: FlaskClient, world: World):
    [picture_id] = world.indexed(ODD["jpeg_truncated"].data)
    shown = client.get(f"{API}/images/{picture_id}").json
    assert shown["state"] == "failed"
    assert shown["error"]["code"] == "truncated"
    assert shown["error"]["message"].endswith(".")


def test_listing_pages_and_filters(client: FlaskClient, world: World):
    ids = [str(one) for one in world.indexed(*(small(seed) for seed in range(5)), tags=["a"])]
    [waiting] = world.add(small(9))
    first = client.get(f"{API}/images?limit=4").json
    assert [one["id"] for one in first["images"]] == [str(waiting), *ids[:1:-1]]
    rest = client.get(f"{API}/images?limit=4&cursor={first['next_cursor']}").json
    assert [one["id"] for one in rest["images"]] == ids[1::-1]
    assert rest["next_cursor"] is None

    def listed(query: str) -> list[str]:
        return [one["id"] for one in client.get(f"{API}/images?{query}").json["images"]]

    assert listed("state=pending") == [str(waiting)]
    assert listed("tag=a&state=indexed&library=main") == ids[::-1]
    assert listed("library=attic") == []
    assert listed(f"id={ids[0]}&id={ids[3]}&id={UNKNOWN}") == [ids[3], ids[0]]


def test_a_change_answers_the_picture_as_it_is_now(client: FlaskClient, world: World):
    [picture_id] = world.indexed(small(), title="T", tags=["a"])
    changed = client.patch(f"{API}/images/{picture_id}", json={"tags": ["b", "b"], "title": None})
    assert changed.status_code == 200
    assert (changed.json["tags"], changed.json["title"]) == (["b"], "T")
    assert client.get(f"{API}/images/{picture_id}").json == changed.json


def test_a_removed_picture_is_gone_everywhere(client: FlaskClient, world: World):
    [picture_id, other] = world.indexed(small(1), small(2))
    removed = client.delete(f"{API}/images/{picture_id}")
    assert (removed.status_code, removed.data) == (204, b"")
    for end in ("", "/original", "/thumbnail", "/similar"):
        refused(client.get(f"{API}/images/{picture_id}{end}"), 404, "not_found")
    refused(client.delete(f"{API}/images/{picture_id}"), 404, "not_found")
    refused(client.patch(f"{API}/images/{picture_id}", json={}), 404, "not_found")
    assert ids_of(search(client, small(1))) == [other]


def test_searches_by_upload_by_id_and_similar_agree(client: FlaskClient, world: World):
    ids = world.scenes(6)
    by_id = client.post(f"{API}/search", json={"like": [str(ids[0])]})
    similar = client.get(f"{API}/images/{ids[0]}/similar")
    uploaded = search(client, small(0))
    assert ids_of(by_id) == ids_of(similar)
    assert ids_of(uploaded) == [ids[0], *ids_of(by_id)]
    assert uploaded.json["results"][0]["score"] == pytest.approx(1, abs=1e-3)
    assert by_id.json["index"] == {"id": str(world.platform.indexes.live().id), "model": "fake"}
    assert by_id.json["took_ms"] > 0
    scores = [one["score"] for one in by_id.json["results"]]
    assert scores == sorted(scores, reverse=True)


def test_a_search_takes_every_part_of_the_contract_together(client: FlaskClient, world: World):
    ids = world.scenes(6, tags=["a"])
    query = {
        "library": "main",
        "like": [str(ids[0])],
        "unlike": [str(ids[1])],
        "filter": {"tags": {"any": ["a"]}, "width": {"gte": 64}},
        "limit": 2,
        "offset": 1,
        "min_score": -1,
        "exact": True,
    }
    answer = client.post(f"{API}/search", json=query)
    assert len(ids_of(answer)) == 2
    assert not set(ids_of(answer)) & set(ids[:2])
    whole = client.post(f"{API}/search", json={**query, "limit": 10, "offset": 0})
    assert ids_of(answer) == ids_of(whole)[1:3]


def test_a_search_by_upload_takes_the_same_query_beside_it(client: FlaskClient, world: World):
    world.platform.libraries.create("attic")
    world.scenes(3, tags=["a"])
    there = world.scenes(3, library="attic", tags=["b"])
    found = search(client, small(1), {"library": "attic", "limit": 1, "crop": [0, 0, 1, 1]})
    assert ids_of(found) == [there[1]]
    assert ids_of(search(client, small(1), {"filter": {"tags": {"any": ["b"]}}})) == []


def test_similar_takes_limit_score_and_filter_and_stays_in_the_library(
    client: FlaskClient, world: World
):
    world.platform.libraries.create("attic")
    world.scenes(4)
    there = world.scenes(4, library="attic", tags=["a"])
    similar = f"{API}/images/{there[0]}/similar"
    assert set(ids_of(client.get(similar))) == {*there[1:]}
    assert len(ids_of(client.get(f"{similar}?limit=2"))) == 2
    assert ids_of(client.get(f"{similar}?min_score=1.01")) == []
    asked = {"filter": json.dumps({"tags": {"none": ["a"]}})}
    assert ids_of(client.get(similar, query_string=asked)) == []


def test_models_and_status_are_told(client: FlaskClient, world: World):
    [model, other] = client.get(f"{API}/models").json["models"]
    assert other["name"] == "coarse"
    assert model == {
        "name": "fake",
        "dimensions": 49,
        "distance": "cosine",
        "recipe": "letterbox 32, average pool, L2",
        "weights": "present",
        "hint": "",
    }
    world.indexed(small(1), ODD["jpeg_truncated"].data)
    world.add(small(2))
    status = client.get(f"{API}/status").json
    assert status["images"] == {"pending": 1, "indexed": 1, "failed": 1}
    assert (status["queue"]["waiting"], status["queue"]["workers"]) == (1, 1)
    assert status["index"] == {"id": str(world.platform.indexes.live().id), "model": "fake"}


def test_health_is_being_alive_and_readiness_names_what_is_wrong(client: FlaskClient, world: World):
    world.queue.down = True
    assert client.get("/healthz").json == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "ready": False,
        "parts": {"database": "ok", "vectors": "ok", "queue": OUTAGE.message, "blobs": "ok"},
    }
    world.queue.down = False
    assert client.get("/readyz").status_code == 200


def test_background_work_gives_way_to_a_search_until_it_is_answered(
    client: FlaskClient, world: World
):
    [picture_id, _] = world.indexed(small(1), small(2))
    courtesy, seen = world.platform.courtesy, []
    world.vectors.before["search"] = lambda: seen.append(courtesy.is_answering)
    assert ids_of(client.post(f"{API}/search", json={"like": [str(picture_id)]}))
    world.vectors.before["search"] = lambda: seen.append(courtesy.is_answering)
    client.get(f"{API}/images/{picture_id}/similar")
    assert (seen, courtesy.is_answering) == ([True, True], False)


def test_a_search_that_is_refused_holds_nothing_up(client: FlaskClient, world: World):
    refused(client.post(f"{API}/search", json={"like": [UNKNOWN]}), 404, "not_found")
    assert not world.platform.courtesy.is_answering

"""The JSON API: every operation's answer and every kind of refusal."""

from __future__ import annotations

import json
from datetime import datetime
from io import BytesIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from tests.factories import ODD
from tests.platforms import OUTAGE, World, small

API = "/api/v1"
UNKNOWN = "0190163d-8694-739b-aea5-966c26f8ad91"


def refused(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Check an error's shape; gives its details."""
    assert (response.status_code, response.json["error"]["code"]) == (status, code)
    assert set(response.json) == {"error"}
    error = response.json["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["message"]
    assert error["message"][-1] in ".)"
    assert "Traceback" not in response.text
    return error["details"]


def search(client: FlaskClient, picture: bytes, query: Any = None) -> TestResponse:
    parts: dict[str, Any] = {"image": (BytesIO(picture), "query.jpg")}
    if query is not None:
        parts["query"] = query if isinstance(query, str) else json.dumps(query)
    return client.post(f"{API}/search", data=parts)


def ids_of(answer: TestResponse) -> list[UUID]:
    assert answer.status_code == 200, answer.text
    return [UUID(one["image"]["id"]) for one in answer.json["results"]]


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
    [model] = client.get(f"{API}/models").json["models"]
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
    assert client.get(f"{API}/status").json == {
        "images": {"pending": 1, "indexed": 1, "failed": 1},
        "queue": {"waiting": 1, "workers": 1},
        "index": {"id": str(world.platform.indexes.live().id), "model": "fake"},
    }


def test_health_is_being_alive_and_readiness_names_what_is_wrong(client: FlaskClient, world: World):
    world.queue.down = True
    assert client.get("/healthz").json == {"status": "ok"}
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "ready": False,
        "parts": {"database": "ok", "vectors": "ok", "queue": OUTAGE.message},
    }
    world.queue.down = False
    assert client.get("/readyz").status_code == 200


WRONG_REQUESTS: list[tuple[int, str, str, dict[str, Any]]] = [
    (404, "GET", "/nothing", {}),
    (404, "GET", "/images/not-an-id", {}),
    (404, "GET", f"/images/{UNKNOWN}", {}),
    (404, "GET", f"/images/{UNKNOWN}/similar", {}),
    (405, "PUT", "/images", {}),
    (405, "DELETE", "/libraries", {}),
    (405, "POST", f"/images/{UNKNOWN}", {}),
    (400, "GET", "/images?limit=0", {}),
    (400, "GET", "/images?limit=501", {}),
    (400, "GET", "/images?limit=ten", {}),
    (400, "GET", "/images?limit=1&limit=2", {}),
    (400, "GET", "/images?state=lost", {}),
    (400, "GET", "/images?cursor=x", {}),
    (400, "GET", "/images?colour=red", {}),
    (400, "GET", "/images?" + "&".join(f"id={uuid4()}" for _ in range(201)), {}),
    (400, "POST", "/libraries", {"json": {"name": "a b"}}),
    (400, "POST", "/libraries", {"json": {"name": 1}}),
    (400, "POST", "/libraries", {"json": {}}),
    (400, "POST", "/libraries", {"json": []}),
    (400, "POST", "/libraries", {"json": {"name": "a", "colour": 1}}),
    (400, "POST", "/libraries", {"data": "name=a"}),
    (400, "POST", "/libraries", {}),
    (400, "PATCH", f"/images/{UNKNOWN}", {"json": {"tags": "a"}}),
    (400, "PATCH", f"/images/{UNKNOWN}", {"json": {"title": 1}}),
    (400, "PATCH", f"/images/{UNKNOWN}", {"json": {"sha256": "0"}}),
    (400, "PATCH", f"/images/{UNKNOWN}", {"json": {"attributes": {"a": None}}}),
    (400, "POST", "/search", {"json": {}}),
    (400, "POST", "/search", {"json": {"like": ["x"]}}),
    (404, "POST", "/search", {"json": {"like": [UNKNOWN]}}),
    (404, "POST", "/search", {"json": {"like": [UNKNOWN], "library": "attic"}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN] * 101}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "limit": 0}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "limit": 1001}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "limit": "5"}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "offset": -1}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "crop": [0, 0, 2, 1]}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "crop": [0, 0, 1]}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "filter": []}}),
    (400, "POST", "/search", {"json": {"like": [UNKNOWN], "speed": "fast"}}),
    (400, "POST", "/search", {"data": "{}"}),
    (400, "POST", "/search", {"data": {"query": "{}"}}),
    (400, "GET", f"/images/{UNKNOWN}/similar?filter=x", {}),
    (400, "GET", f"/images/{UNKNOWN}/similar?filter={{}}&unlike=1", {}),
    (400, "GET", f"/images/{UNKNOWN}/similar?min_score=nan", {}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "method", "path", "body"), WRONG_REQUESTS)
def test_wrong_requests_are_refused_in_one_shape(
    client: FlaskClient, status: int, method: str, path: str, body: dict[str, Any]
):
    code = "not_found" if status == 404 else "invalid_request"
    refused(client.open(API + path, method=method, **body), status, code)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nonsense", b"\xff\xfe", b"\0", b'{"like": NaN}', b"[" * 100_000, b'"\\ud800"'],
)
@pytest.mark.parametrize("path", ["/search", "/libraries"])
def test_bodies_that_are_no_json_are_refused(client: FlaskClient, path: str, body: bytes):
    answer = client.post(API + path, data=body, content_type="application/json")
    refused(answer, 400, "invalid_request")


def test_the_first_problem_is_named_and_all_are_listed(client: FlaskClient):
    body = {"like": ["x"], "limit": 0}
    details = refused(client.post(f"{API}/search", json=body), 400, "invalid_request")
    assert {one["field"] for one in details["problems"]} == {"like.0", "limit"}


def test_other_methods_are_told_which_ones_there_are(client: FlaskClient):
    allowed = client.put(f"{API}/images").headers["Allow"]
    assert {"GET", "POST"} <= {one.strip() for one in allowed.split(",")}


@pytest.mark.parametrize("fields", [[], ["picture"], ["image", "image"], ["image", "other"]])
def test_a_search_by_upload_takes_exactly_one_picture(client: FlaskClient, fields: list[str]):
    parts = MultiDict((field, (BytesIO(small()), "a.jpg")) for field in fields)
    answer = client.post(f"{API}/search", data=parts, content_type="multipart/form-data")
    assert refused(answer, 400, "invalid_request") == {"field": "image"}


@pytest.mark.parametrize(
    "query", ["", "nonsense", "[]", '{"limit": 0}', '{"colour": "red"}', '{"filter": {"width": 1}}']
)
def test_a_query_beside_an_upload_is_checked_too(client: FlaskClient, query: str):
    refused(search(client, small(), query), 400, "invalid_request")


def test_a_picture_that_waits_is_no_example_yet(client: FlaskClient, world: World):
    [waiting] = world.add(small())
    details = refused(client.get(f"{API}/images/{waiting}/similar"), 400, "invalid_request")
    assert details == {"id": str(waiting), "state": "pending"}


@pytest.mark.parametrize(
    ("name", "status"), [("text", 415), ("svg", 415), ("empty", 422), ("jpeg_truncated", 422),
                         ("one_pixel", 422), ("bomb_claimed", 413)]
)  # fmt: skip
def test_a_search_by_what_is_no_good_picture_says_why(client: FlaskClient, name: str, status: int):
    odd = ODD[name]
    assert odd.expect
    refused(search(client, odd.data), status, odd.expect)


def test_an_outage_is_503_and_can_be_told_from_a_mistake_of_ours(client: FlaskClient, world: World):
    ids = world.scenes(2)
    world.vectors.failure = OUTAGE
    refused(client.get(f"{API}/images/{ids[0]}/similar"), 503, "unavailable")
    world.vectors.failure = RuntimeError("secret")
    answer = client.get(f"{API}/images/{ids[0]}/similar")
    refused(answer, 500, "internal")
    assert "secret" not in answer.text


def test_a_lost_original_is_gone_not_unknown(client: FlaskClient, world: World):
    [picture_id] = world.add(small())
    world.lose_original(picture_id)
    refused(client.get(f"{API}/images/{picture_id}/original"), 410, "blob_missing")
    refused(client.get(f"{API}/images/{picture_id}/thumbnail"), 410, "blob_missing")

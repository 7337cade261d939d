"""The JSON API: every kind of refusal."""

from __future__ import annotations

from io import BytesIO
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from tests.factories import ODD
from tests.integration.calls import API, UNKNOWN, refused, search
from tests.platforms import OUTAGE, World, small

pytestmark = pytest.mark.both_databases

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


def test_a_json_body_is_bounded_long_before_it_fills_memory(client: FlaskClient):
    body = b'{"like": ["' + b"x" * 1024 * 1024 + b'"]}'
    answer = client.post("/api/v1/search", data=body, content_type="application/json")
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")


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

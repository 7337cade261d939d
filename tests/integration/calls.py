"""Calls that several tests of the API make, and the shape that every refusal has."""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

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

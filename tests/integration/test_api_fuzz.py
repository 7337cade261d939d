"""The API under fire: requests made from its own OpenAPI document, by schemathesis."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from types import UnionType
from typing import Any
from uuid import UUID

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from pydantic import BaseModel
from schemathesis import Case
from schemathesis.transport.serialization import Binary

from lookalike.services.filters import NumberRange, TimeRange
from lookalike.web.app import APIS, create_app
from lookalike.web.openapi import document
from tests.factories import ODD
from tests.platforms import World, make_world, small

pytestmark = pytest.mark.both_databases

EXAMPLES = 100
"""Random requests to each operation, besides those that the document's bounds suggest."""

CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {
            # What a schema cannot say: that ids and libraries exist and that bytes are a picture.
            "positive_data_acceptance": {"expected-statuses": ["2xx", 404, 410, 413, 415, 422]}
        }
    }
)


class Known:
    """A platform with pictures in every state, and what is known about it."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.platform.libraries.create("attic")
        self.ids = world.scenes(6, tags=["red"], attributes={"n": 1})
        world.scenes(2, library="attic")
        world.indexed(ODD["jpeg_truncated"].data)
        world.add(small(50))

    def fitting(self, case: Case) -> Case:
        """What is sent: the case, or, if it is valid, one whose parts fit each other as well.

        Every other time they fit what is there, too. The case itself stays as it is, because the
        checks know it as valid.
        """
        if case.meta is None or not case.meta.generation.mode.is_positive:
            return case
        sent = case.operation.Case(
            path_parameters=deepcopy(case.path_parameters),
            headers=case.headers,
            query=deepcopy(case.query),
            body=deepcopy(case.body) if isinstance(case.body, dict) else case.body,
            media_type=case.media_type,
        )
        if case.method != "DELETE":
            self._find(sent.path_parameters, "picture_id")
        put_ranges_in_order(sent.query)
        put_ranges_in_order(sent.body)
        if isinstance(sent.body, dict):
            put_pictures_in(sent.body)
            self._fit_body(sent.path, sent.media_type, sent.body)
        return sent

    def _fit_body(self, path: str, media_type: str | None, body: dict[str, Any]) -> None:
        if path == "/search" and media_type == "multipart/form-data":
            self._fit_search(body.get("query"), with_upload=True)
        elif path == "/search":
            self._fit_search(body, with_upload=False)
        elif path == "/imports/{import_id}/images":
            fit_files(body)
        elif len(repr(body)) % 4 and "library" in body:
            body["library"] = "main"

    def _find(self, holder: Any, name: str) -> None:
        try:
            random = UUID(holder[name])
        except (TypeError, KeyError, ValueError, AttributeError):
            return
        if random.int % 2:
            holder[name] = str(self.ids[random.int % len(self.ids)])

    def _fit_search(self, asked: Any, *, with_upload: bool) -> None:
        if not isinstance(asked, dict):
            return
        like, unlike = asked.get("like"), asked.get("unlike")
        if is_filled(asked.get("crop"), int | float, 4):
            asked["crop"] = box_inside(*asked["crop"])
            asked["like"] = [str(self.ids[0])]
        elif not like and not unlike and not with_upload and like in (None, []):
            asked["like"] = [str(self.ids[1])]
        if isinstance(asked.get("like"), list) and isinstance(unlike, list):
            asked["unlike"] = [one for one in unlike if one not in asked["like"]]


def put_pictures_in(body: dict[str, Any]) -> None:
    """Every other time, let the first file be a picture."""
    seed = len(repr(body))
    if seed % 2 == 0 and is_filled(body.get("file"), Binary):
        body["file"][0] = Binary(small(seed))
    if seed % 2 == 0 and isinstance(body.get("image"), Binary):
        body["image"] = Binary(small(seed))


def fit_files(body: dict[str, Any]) -> None:
    """Send a file for each item that has no error."""
    if is_filled(body.get("items"), dict):
        body["file"] = [Binary(small(1)) for item in body["items"] if not item.get("error")]


def is_filled(value: Any, kind: type | UnionType, length: int | None = None) -> bool:
    """Whether it is a list of such values, so many or at least one."""
    if not isinstance(value, list) or not all(isinstance(one, kind) for one in value):
        return False
    return len(value) == length if length else bool(value)


def box_inside(*numbers: float) -> list[float]:
    """A box that is not empty and inside the picture, out of four numbers from 0 to 1."""
    x, y, width, height = (min(max(float(one), 0.0), 1.0) for one in numbers)
    return [0.9 * x, 0.9 * y, 0.1 + 0.9 * width * (1 - x), 0.1 + 0.9 * height * (1 - y)]


def put_ranges_in_order(part: Any) -> None:
    """Swap the ends of ranges that are the wrong way round, however deep they lie."""
    if not isinstance(part, dict):
        return
    for kind, low, high in ((NumberRange, "gte", "lte"), (TimeRange, "from", "to")):
        if {low, high} <= part.keys() and not is_valid(kind, part):
            part[low], part[high] = part[high], part[low]
    for name, value in part.items():
        put_ranges_in_order(value)
        if name == "filter" and isinstance(value, str):
            part[name] = in_order(value)


def is_valid(kind: type[BaseModel], part: dict[str, Any]) -> bool:
    """Whether it is such a range."""
    try:
        kind.model_validate_json(json.dumps(part))
    except ValueError:
        return False
    return True


def in_order(text: str) -> str:
    """A filter that is written as text, with its ranges in order."""
    try:
        asked = json.loads(text)
    except ValueError:
        return text
    put_ranges_in_order(asked)
    return json.dumps(asked)


class Called:
    """A WSGI app that stands in for one that does not exist yet while tests are collected."""

    def __init__(self) -> None:
        self.app: Flask | None = None

    def __call__(self, environ: Any, start_response: Any) -> Any:
        assert self.app is not None
        return self.app(environ, start_response)


CALLED = Called()
SCHEMA = schemathesis.openapi.from_dict(
    document(operation for api in APIS for operation in api.operations), config=CONFIG
)
SCHEMA.app = CALLED


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Known]:
    """The platform that is called."""
    world = make_world(tmp_path_factory.mktemp("fuzz"))
    CALLED.app = create_app(world.platform)
    yield Known(world)
    world.platform.close()


@SCHEMA.parametrize()
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
def test_every_operation_keeps_its_promises(case: Case, known: Known):
    case.validate_response(known.fitting(case).call())
    assert known.world.staged_files() == []

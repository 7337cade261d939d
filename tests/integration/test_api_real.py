"""The API over the real parts: Qdrant Edge, SQLite, files and the default network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from lookalike.services.bootstrap import bootstrap
from lookalike.services.settings import Settings
from lookalike.web.app import create_app
from tests.factories import picture
from tests.program import MODEL_CACHE

pytestmark = pytest.mark.xdist_group("models")

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP")


class Running:
    """The app on a data folder, with a worker that works when it is told to."""

    def __init__(self, client: FlaskClient, index: Any) -> None:
        self.client = client
        self._index = index

    def upload(self, data: bytes, **fields: str) -> str:
        """Upload a picture and index it; gives its id."""
        parts = {"file": (BytesIO(data), "a.jpg"), **fields}
        [image] = self.client.post("/api/v1/images", data=parts).json["images"]
        self._index([UUID(image["id"])])
        return image["id"]

    def search(self, data: bytes, **query: Any) -> list[tuple[str, float]]:
        """Ids and scores of the neighbours of a picture."""
        parts = {"image": (BytesIO(data), "query.jpg"), "query": json.dumps(query)}
        answer = self.client.post("/api/v1/search", data=parts)
        assert answer.status_code == 200, answer.text
        return [(one["image"]["id"], one["score"]) for one in answer.json["results"]]


@contextmanager
def running(data: Path) -> Iterator[Running]:
    """Open the data folder for the length of the block."""
    platform = bootstrap(Settings(_env_file=None, data_dir=data, cache_dir=MODEL_CACHE))
    try:
        yield Running(create_app(platform).test_client(), platform.indexing.index)
    finally:
        platform.close()


def test_from_upload_to_search_to_removal_and_across_a_restart(data: Path):
    with running(data) as first:
        ids = [
            first.upload(picture(seed, format=kind), tags=kind, attributes=f'{{"n": {seed}}}')
            for seed, kind in enumerate(FORMATS)
        ]
        for seed, picture_id in enumerate(ids):
            assert first.client.get(f"/api/v1/images/{picture_id}").json["state"] == "indexed"
            found = first.search(picture(seed, format="PNG"))
            assert found[0][0] == picture_id
            assert found[0][1] > max(0.9, found[1][1] + 0.05)
            assert len(found) == len(ids)
        assert first.search(picture(0), filter={"tags": {"any": ["PNG"]}})[0][0] == ids[1]
        asked = {"attributes": {"n": {"gte": 4}}, "format": ["tiff", "bmp"]}
        assert {one for one, _ in first.search(picture(0), filter=asked)} == {ids[4], ids[5]}
        first.client.patch(f"/api/v1/images/{ids[2]}", json={"tags": ["changed"]})
        first.client.delete(f"/api/v1/images/{ids[3]}")
    with running(data) as second:
        assert {one for one, _ in second.search(picture(3))} == {*ids} - {ids[3]}
        [(only, _)] = second.search(picture(3), filter={"tags": {"any": ["changed"]}})
        assert only == ids[2]
        similar = second.client.get(f"/api/v1/images/{ids[0]}/similar").json["results"]
        assert {one["image"]["id"] for one in similar} == {*ids} - {ids[0], ids[3]}
        assert second.client.get("/readyz").status_code == 200


def test_pictures_that_look_alike_are_found_before_others(data: Path):
    with running(data) as app:
        same = [app.upload(picture(1, quality=q)) for q in (20, 60)]
        others = [app.upload(picture(seed)) for seed in range(2, 6)]
        found = [one for one, _ in app.search(picture(1, size=(160, 120), quality=40))]
        assert set(found[:2]) == set(same)
        assert set(found[2:]) == set(others)

"""Pictures are found by the words of their titles and captions, over the API."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from lookalike.services.adapters.edge.collection import EdgeCollection
from lookalike.services.adapters.edge.shard import Shard
from lookalike.services.adapters.qdrant_payload import engine_payload
from lookalike.services.consistency.report import Kind
from lookalike.services.payloads import payload_of
from lookalike.web.app import create_app
from tests.integration.calls import API, refused, search
from tests.integration.edge_platform import EdgePlatform, edge_platform
from tests.platforms import World, make_world, small

CAPTIONS = {
    "dog.jpg": ["A dog.", "It runs.", "The brown dog's on a beach.", "Sand!", "A wet Dog"],
    "cat.jpg": ["A cat.", "It sits.", "A BROWN cat is on a sofa.", "Fur!", "猫がいる"],
}


@pytest.fixture(params=["fakes", "edge"])
def made(request, tmp_path: Path, database_url: str) -> Iterator[World | EdgePlatform]:
    """A platform that may import from `pictures` beside its data folder."""
    options: dict[str, Any] = {"import_roots": (tmp_path,), "database_url": database_url}
    if request.param == "edge":
        with edge_platform(tmp_path / "data", **options) as platform:
            yield platform
    else:
        world = make_world(tmp_path / "data", **options)
        yield world
        world.platform.close()


@pytest.fixture
def client(made: World | EdgePlatform) -> FlaskClient:
    return create_app(made.platform).test_client()


def bring_in(made: World | EdgePlatform, client: FlaskClient, folder: Path, library: str) -> None:
    """Import the Flickr30k layout: pictures in `folder`, and the file of five captions each."""
    folder.mkdir(exist_ok=True)
    lines = []
    for seed, (name, captions) in enumerate(CAPTIONS.items()):
        (folder / name).write_bytes(small(seed))
        lines += [f"{name}#{number}\t{text}" for number, text in enumerate(captions)]
    file = io.BytesIO("\n".join(lines).encode())
    source = json.dumps({"path": str(folder)})
    form = {"kind": "flickr30k", "source": source, "library": library}
    started = client.post(f"{API}/imports", data=form | {"file": (file, "results.token")})
    assert started.status_code == 202, started.text
    work(made)
    assert client.get(f"{API}/imports/{started.json['id']}").json["new"] == len(CAPTIONS)


def work(made: World | EdgePlatform) -> None:
    """Go on with imports, and index what they bring in, until nothing is queued."""
    for _ in range(100):
        made.work()
        if not made.queue.imports:
            return
        made.platform.carrying.go_on(*made.queue.imports.pop(0))
    raise AssertionError("it does not come to an end")


def titles(client: FlaskClient, text: str, library: str = "main", **asked: Any) -> set[str]:
    """The titles of what a search by a picture finds that looks for these words."""
    query = {"library": library, "filter": {"text": text, **asked}}
    answer = search(client, small(9), query)
    assert answer.status_code == 200, answer.text
    return {one["image"]["title"] for one in answer.json["results"]}


@pytest.mark.both_databases
def test_an_import_of_flickr30k_is_found_by_words_of_any_caption(
    made: World | EdgePlatform, client: FlaskClient, tmp_path: Path
):
    bring_in(made, client, tmp_path / "pictures", "main")
    assert titles(client, "brown") == {"A dog.", "A cat."}
    assert titles(client, "beach, brown DOG!") == {"A dog."}
    assert titles(client, "Sofa brown") == {"A cat."}
    assert titles(client, "brown cat beach") == set()
    assert titles(client, "bro") == set()
    assert titles(client, "猫 sits") == {"A cat."}
    assert titles(client, "いる猫") == set()
    assert titles(client, "brown", width={"gte": 65}) == set()


def test_only_the_library_that_is_searched_is_looked_through(
    made: World | EdgePlatform, client: FlaskClient, tmp_path: Path
):
    client.post(f"{API}/libraries", json={"name": "attic"})
    bring_in(made, client, tmp_path / "pictures", "attic")
    assert titles(client, "beach brown") == set()
    assert titles(client, "beach brown", "attic") == {"A dog."}


def test_a_change_of_title_or_attributes_is_found_at_once(
    made: World | EdgePlatform, client: FlaskClient, tmp_path: Path
):
    bring_in(made, client, tmp_path / "pictures", "main")
    listed = client.get(f"{API}/images").json["images"]
    [dog] = [one["id"] for one in listed if one["title"] == "A dog."]
    client.patch(f"{API}/images/{dog}", json={"title": "Its name is Rex."})
    assert titles(client, "rex beach") == {"Its name is Rex."}
    client.patch(f"{API}/images/{dog}", json={"attributes": {"where": "Königssee", "age": 7}})
    assert titles(client, "rex beach") == set()
    assert titles(client, "rex KÖNIGSSEE") == {"Its name is Rex."}
    assert titles(client, "7") == set()


def test_similar_pictures_take_the_filter_too(
    made: World | EdgePlatform, client: FlaskClient, tmp_path: Path
):
    bring_in(made, client, tmp_path / "pictures", "main")
    listed = client.get(f"{API}/images").json["images"]
    [dog] = [one["id"] for one in listed if one["title"] == "A dog."]
    url = f"{API}/images/{dog}/similar"
    found = client.get(url, query_string={"filter": '{"text": "brown"}'}).json["results"]
    assert [one["image"]["title"] for one in found] == ["A cat."]
    too_long = json.dumps({"text": "a" * 201})
    refused(client.get(url, query_string={"filter": too_long}), 400, "invalid_request")


def test_points_that_were_made_before_words_were_kept_are_found_and_mended(
    tmp_path: Path, database_url: str
):
    with edge_platform(tmp_path / "data", database_url=database_url) as edge:
        [older, newer] = edge.add([1, 2])
        forget_words(edge, older)
        client = create_app(edge.platform).test_client()
        assert titles(client, "number") == {"Number 2"}
        report = edge.platform.checking.run(patience=0)
        assert [(one.kind, one.id) for one in report.differences] == [
            (Kind.PAYLOAD_WRONG, str(older))
        ]
        edge.platform.repairing.run(report)
        assert titles(client, "number") == {"Number 1", "Number 2"}
        assert titles(client, "number", tags={"all": ["third 1"]}) == {"Number 1"}
        assert edge.platform.checking.run(patience=0).differences == []
        assert set(edge.vectors.vectors([older, newer])) == {older, newer}


def forget_words(edge: EdgePlatform, picture_id: Any) -> None:
    """Give the point the payload that it had before there were words."""
    payload = engine_payload(picture_id, payload_of(edge.platform.pictures.get(picture_id).picture))
    del payload["words"]
    assert isinstance(edge.vectors, EdgeCollection)
    call = partial(Shard.set_payload, point_id=picture_id, payload=payload)
    edge.vectors._live.update([picture_id], call)

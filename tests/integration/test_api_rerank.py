"""The search option `rerank`, over HTTP and in the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest
from flask.testing import FlaskClient

from lookalike.services import reranking
from lookalike.services.filters import AnyOf
from lookalike.services.ports import VectorQuery
from lookalike.services.records import Distance
from tests.integration.calls import API, ids_of, refused, search
from tests.platforms import World, small
from tests.program import run


@pytest.fixture
def ids(world: World) -> list[UUID]:
    return world.scenes(40)


def expected(world: World, ids: Sequence[UUID], **asked: object) -> list[UUID]:
    """What the service finds for the first picture."""
    like = [world.vectors.vectors(ids[:1])[ids[0]]]
    query = VectorQuery("main", like, without=frozenset(ids[:1]), **asked)
    return [hit.id for hit in reranking.search(world.vectors, query, Distance.COSINE)]


def test_a_search_by_id_by_upload_and_similar_are_reranked_where_it_is_asked_for(
    client: FlaskClient, world: World, ids: list[UUID]
):
    body = {"like": [str(ids[0])], "limit": 40}
    plain = client.post(f"{API}/search", json=body)
    answer = client.post(f"{API}/search", json=body | {"rerank": True})
    assert ids_of(answer) == expected(world, ids, limit=40) != ids_of(plain)
    assert ids_of(client.post(f"{API}/search", json=body | {"rerank": False})) == ids_of(plain)
    similar = client.get(f"{API}/images/{ids[0]}/similar?limit=40&rerank=true")
    assert ids_of(similar) == ids_of(answer)
    uploaded = search(client, small(0), {"limit": 40, "rerank": True})
    assert set(ids_of(uploaded)) == set(ids)
    assert ids_of(uploaded) != ids_of(search(client, small(0), {"limit": 40}))


def test_scores_are_those_of_the_plain_search(client: FlaskClient, ids: list[UUID]):
    def scores(**more: object) -> dict[str, float]:
        body = {"like": [str(ids[0])], "limit": 40, **more}
        found = client.post(f"{API}/search", json=body).json["results"]
        return {one["image"]["id"]: one["score"] for one in found}

    assert scores(rerank=True) == pytest.approx(scores())


def test_a_filter_chooses_what_is_reranked(client: FlaskClient, world: World, ids: list[UUID]):
    for one in ids[::2]:
        client.patch(f"{API}/images/{one}", json={"tags": ["even"]})
    body = {"like": [str(ids[0])], "filter": {"tags": {"any": ["even"]}}, "rerank": True}
    answer = client.post(f"{API}/search", json={**body, "limit": 5, "offset": 3})
    wanted = [AnyOf(("tags",), ("even",))]
    assert ids_of(answer) == expected(world, ids, conditions=wanted, limit=5, offset=3)


@pytest.mark.parametrize("wrong", ["yes", 1, None])
def test_anything_but_true_and_false_is_refused(client: FlaskClient, ids: list[UUID], wrong):
    body = {"like": [str(ids[0])], "rerank": wrong}
    for answer in (
        client.post(f"{API}/search", json=body),
        client.get(f"{API}/images/{ids[0]}/similar?rerank=perhaps"),
    ):
        assert "rerank" in json.dumps(refused(answer, 400, "invalid_request"))


def test_the_terminal_reranks_where_it_is_asked_to(folder: Path, data: Path):
    imported = run("import", folder, "--data", data, model="colors")
    assert imported.returncode == 0, imported.stderr
    orders = []
    for option in ((), ("--rerank",)):
        asked = ("search", folder / "even/0.jpg", "--data", data, "--limit", "12", "--json")
        done = run(*asked, *option, model="colors")
        assert done.returncode == 0, done.stderr
        orders.append([one["image"]["filename"] for one in json.loads(done.stdout)["results"]])
    plain, together = orders
    assert len(plain) == 12
    assert sorted(plain) == sorted(together)
    assert plain != together

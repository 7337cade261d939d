"""Builds and switches of indexes, whatever is killed, lost or changed meanwhile."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from qdrant_client import QdrantClient

from tests.cluster import Cluster, Servers
from tests.integration import builds
from tests.integration.builds import SMALL, live, show, wait_for_state
from tests.integration.scene import assert_nothing_lost, files
from tests.integration.searching import (
    LIMIT,
    Question,
    Searcher,
    across,
    answers,
    ask,
    assert_each_from_one_index,
    page_of,
    switches,
)
from tests.program import Server, run, wait_for
from tests.servers.processes import wait_until

SLOW = {"failpoints": "after_decode=wait:0.4"}
"""Makes a build last long enough for something to happen meanwhile."""


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path / "cluster", **SMALL) as made:
        yield made


@pytest.fixture
def start_server(start: Callable[..., Server]) -> Callable[..., Server]:
    """An embedded platform, of the same small models."""
    return lambda **settings: start(**{**SMALL, **settings})


def kill_at(cluster: Cluster, *moments: str) -> None:
    """A worker after the other, each of which is killed at its moment."""
    for moment in moments:
        doomed = cluster.worker(failpoints=f"{moment}=kill")
        wait_until(lambda one=doomed: not one.alive(), f"a worker is killed at {moment}", 60)


def assert_sound(data: Path, ids: Sequence[str]) -> None:
    """On an embedded platform nothing is lost, and nothing is left over."""
    check = run("check", "--json", "--data", data)
    report = json.loads(check.stdout)
    assert (check.returncode, report["differences"]) == (0, []), check.stdout
    assert {one["points"] for one in report["indexes"]} == {len(ids)}


def test_a_build_goes_on_where_its_worker_was_killed_whatever_the_step(cluster: Cluster):
    web, beat, first = cluster.web(), cluster.beat(), cluster.worker()
    ids = web.upload(files(100))  # as many as a mean needs
    web.settle(ids)
    first.kill()
    before = live(web.http)
    built = builds.start(web.http, "colors", centred=True, activate=True)
    kill_at(cluster, "build_fit", "build_feed", "after_upsert", "build_measure")
    assert live(web.http) == before
    kill_at(cluster, "build_switch")
    assert live(web.http) == built
    builds.retire(web.http, before)
    kill_at(cluster, "build_drop")
    worker = cluster.worker()
    wait_for_state(web.http, before, "retired")
    builds.assert_in_each_index(web.http, ids)
    builds.assert_collections_fit(cluster, web.http)
    assert_nothing_lost(cluster, web, ids, alive=[web, worker, beat])


def test_a_killed_program_goes_on_with_its_build_also_under_another_setting(
    start_server: Callable[..., Server], data: Path
):
    server = start_server(failpoints="build_feed=kill")
    ids = server.upload(files(24))
    server.settle()
    before = live(server.http)
    built = builds.start(server.http)
    server.process.wait(60)
    server = start_server(model="efficientnet-lite0", failpoints="after_upsert=kill")
    server.process.wait(60)
    server = start_server(model="efficientnet-lite0")
    wait_for_state(server.http, built, "ready")
    assert live(server.http) == before
    builds.assert_in_each_index(server.http, ids)
    server.stop()
    assert_sound(data, ids)


def test_a_build_outlives_its_broker_and_its_database(cluster: Cluster):
    web, beat, worker = cluster.web(), cluster.beat(), cluster.worker(**SLOW)
    ids = web.upload(files(32))
    web.settle(ids)
    before, built = live(web.http), builds.start(web.http)
    wait_until(lambda: show(web.http, built)["images"]["indexed"] > 0, "it has begun", 60)
    cluster.valkey.kill()
    cluster.valkey.start()
    cluster.valkey.client.flushall()
    cluster.postgres.restart()
    wait_for_state(web.http, built, "ready")
    assert live(web.http) == before
    builds.assert_in_each_index(web.http, ids)
    assert_nothing_lost(cluster, web, ids, alive=[web, worker, beat])


def test_vectors_that_are_lost_in_the_middle_of_a_build_are_made_again(cluster: Cluster):
    web, beat, worker = cluster.web(), cluster.beat(), cluster.worker(**SLOW)
    ids = web.upload(files(32))
    web.settle(ids)
    built = builds.start(web.http)
    wait_until(lambda: show(web.http, built)["images"]["indexed"] > 7, "it has begun", 60)
    client = QdrantClient(cluster.qdrant.url, check_compatibility=False)
    client.delete_collection(builds.collection(show(web.http, built)))
    wait_for_state(web.http, built, "ready")
    builds.assert_in_each_index(web.http, ids)
    assert_nothing_lost(cluster, web, ids, alive=[web, worker, beat])


def test_uploads_removals_a_pause_and_giving_up_on_servers(cluster: Cluster):
    web, beat, worker = cluster.web(), cluster.beat(), cluster.worker(**SLOW)
    ids, removed = while_building(web)
    assert_nothing_lost(cluster, web, ids, deleted=removed, alive=[web, worker, beat])
    builds.assert_collections_fit(cluster, web.http)


def test_uploads_removals_a_pause_and_giving_up_in_one_process(
    start_server: Callable[..., Server], data: Path
):
    server = start_server(**SLOW)
    ids, _ = while_building(server)
    there = {builds.collection(show(server.http, live(server.http)))}
    folders = lambda: {path.name for path in (data / "vectors").iterdir() if path.is_dir()}  # noqa: E731
    wait_for(lambda: len(folders() - there) == 1)
    server.stop()
    assert_sound(data, ids)


def while_building(server: Server) -> tuple[list[str], list[str]]:
    """Give up one build, then pause and resume another, with uploads and removals all along.

    The pictures that are left, and those that were removed.
    """
    http, ids = server.http, server.upload(files(24))
    wait_for(lambda: set(server.states(ids).values()) == {"indexed"})
    before, given_up = live(http), builds.start(http)
    ids += server.upload(files(4, first=100))
    builds.retire(http, given_up)
    wait_for_state(http, given_up, "retired")
    built = builds.start(http)
    ids += server.upload(files(4, first=200))
    builds.change(http, built, "pause")
    for picture_id in ids[:6]:
        assert http.delete(f"/images/{picture_id}").status_code == 204
    ids += server.upload(files(4, first=300))
    wait_for(lambda: set(server.states(ids[6:]).values()) == {"indexed"})
    assert show(http, built)["state"] == "building"
    builds.change(http, built, "resume")
    ids += server.upload(files(4, first=400))
    assert http.delete(f"/images/{ids[-1]}").status_code == 204
    wait_for_state(http, built, "ready")
    kept, removed = ids[6:-1], [*ids[:6], ids[-1]]
    builds.assert_in_each_index(http, kept)
    assert live(http) == before
    return kept, removed


def test_people_search_all_the_while_on_servers(cluster: Cluster):
    web, beat, worker = cluster.web(), cluster.beat(), cluster.worker(**SLOW)
    ids = searched_while_switching(web)
    assert_nothing_lost(cluster, web, ids, alive=[web, worker, beat])


def test_people_search_all_the_while_in_one_process(
    start_server: Callable[..., Server], data: Path
):
    server = start_server(**SLOW)
    ids = searched_while_switching(server)
    server.stop()
    assert_sound(data, ids)


def asked(http: httpx.Client, pictures: Mapping[str, bytes]) -> list[Question]:
    """Questions by pictures that are stored and by uploads, exact or not, about all or some."""
    ids = list(pictures)
    tagged = ids[::2]
    for one in tagged:
        http.patch(f"/images/{one}", json={"tags": ["sea"]}).raise_for_status()
    sea: dict[str, Any] = {"filter": {"tags": {"any": ["sea"]}}}
    few = dict(islice(pictures.items(), 6))
    questions = [
        *(Question(f"like {one}", {"like": [one], "exact": True}, len(ids) - 1) for one in ids),
        *(
            Question(f"like {one} of the sea", {"like": [one], **sea}, len(set(tagged) - {one}))
            for one in ids
        ),
        *(Question(f"upload {one}", {}, len(ids), picture) for one, picture in few.items()),
        *(Question(f"upload {one} of the sea", sea, len(tagged), few[one]) for one in few),
    ]
    [last] = questions[-1:]
    wait_for(lambda: len(ask(http, last, len(ids)).json()["results"]) == last.found)
    return questions


def searched_while_switching(server: Server) -> list[str]:
    """Build, switch, roll back, switch again and retire, while people search; all pictures."""
    http, pictures = server.http, files(24)
    ids = server.upload(pictures)
    wait_for(lambda: set(server.states(ids).values()) == {"indexed"})
    questions = asked(http, dict(zip(ids, pictures.values(), strict=True)))
    before = live(http)
    expected = {before: answers(http, questions, before)}
    with (
        Searcher(f"{server.url}/api/v1", questions) as first,
        Searcher(f"{server.url}/api/v1", questions) as other,
    ):
        built = builds.start(http)
        http.post("/libraries", json={"name": "elsewhere"}).raise_for_status()
        late = server.upload(files(8, first=100), library="elsewhere")
        http.delete(f"/images/{late.pop()}").raise_for_status()
        wait_for_state(http, built, "ready")
        expected[built] = answers(http, questions, built)
        for index_id in (built, before, built):
            was_live = live(http)
            pages = across(
                http, questions[::5], lambda one=index_id: builds.change(http, one, "activate")
            )
            assert {page.index for page in pages} == {was_live}
            assert_each_from_one_index(pages, expected)
            seen = len(first.pages)
            wait_for(lambda seen=seen: len(first.pages) > seen + 2 * len(ids) // LIMIT)
        builds.retire(http, before)
        wait_for_state(http, before, "retired")
        assert {page_of(http, 0, one, LIMIT, before).status for one in questions} == {404}
        seen = len(first.pages)
        wait_for(lambda: len(first.pages) > seen + 2 * len(ids) // LIMIT)
    builds.assert_in_each_index(http, [*ids, *late])
    for searcher in (first, other):
        assert searcher.broken == []
        assert_each_from_one_index(searcher.pages, expected)
        assert switches(searcher.pages) >= 3
    return [*ids, *late]

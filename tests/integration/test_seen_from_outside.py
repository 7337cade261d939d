"""Metrics, readiness and logs of a cluster: what its operators see."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lookalike.services import metrics
from tests.cluster import Cluster, Servers
from tests.factories import picture
from tests.integration.scene import QUICK, files
from tests.servers.processes import free_port, wait_until
from tests.unit.test_imports import zipped


@pytest.fixture
def cluster(servers: Servers, tmp_path: Path) -> Iterator[Cluster]:
    with servers.fresh(tmp_path / "cluster", **QUICK) as made:
        yield made


def samples(url: str) -> dict[str, float]:
    """Every sample by name and label values: `lookalike_pictures{pending}`."""
    text = httpx.get(url, trust_env=False).raise_for_status().text
    return {
        one.name + (f"{{{','.join(one.labels.values())}}}" if one.labels else ""): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def test_metrics_tell_what_waits_and_what_was_done(cluster: Cluster):
    web, port = cluster.web(), free_port()
    ids = web.upload(files(20)) + web.upload(files(20, first=50), queue="bulk")
    waiting = samples(f"{web.url}/metrics")
    assert waiting["lookalike_pictures{pending}"] == 40
    assert waiting["lookalike_queue_batches{interactive}"] == 2
    assert waiting["lookalike_queue_batches{bulk}"] == 2
    assert waiting["lookalike_queue_oldest_seconds{interactive}"] > 0
    assert waiting["lookalike_workers"] == 0
    worker = cluster.worker(metrics_port=str(port))
    web.settle(ids)
    search = web.http.post("/search", json={"like": [ids[0]]})
    assert search.status_code == 200
    seen = samples(f"{web.url}/metrics")
    assert seen["lookalike_pictures{indexed}"] == 40
    assert seen["lookalike_queue_oldest_seconds{interactive}"] == 0
    assert seen["lookalike_search_seconds_count"] == 1
    done = samples(f"http://127.0.0.1:{port}/metrics")
    assert done["lookalike_indexed_total"] == 40
    assert done["lookalike_batch_pictures_sum"] == 40
    for what in ("decode", "forward", "upsert"):
        assert done[f"lookalike_{what}_seconds_count"] > 0
    wait_until(lambda: samples(f"{web.url}/metrics")["lookalike_workers"] == 1, "it is counted")
    assert worker.alive()


def test_metrics_tell_by_code_what_cannot_be_indexed(cluster: Cluster):
    web, port = cluster.web(), free_port()
    worker = cluster.worker(metrics_port=str(port))
    whole = picture(1)
    ids = web.upload({"cut.jpg": whole[: len(whole) // 2]} | files(2))
    assert sorted(web.settle(ids).values()) == ["failed", "indexed", "indexed"]
    url = f"http://127.0.0.1:{port}/metrics"
    truncated = "lookalike_failed_total{truncated}"
    wait_until(lambda: truncated in samples(url), "what was recorded is counted")
    seen = samples(url)
    assert {name: n for name, n in seen.items() if "_failed_total" in name} == {truncated: 1}
    assert seen["lookalike_indexed_total"] == 2
    assert worker.alive()


def test_one_request_is_followed_from_the_upload_to_the_index(cluster: Cluster):
    web, worker = cluster.web(), cluster.worker()
    parts = [("file", ("one.jpg", files(1)["0.jpg"]))]
    answer = web.http.post("/images", files=parts, headers={"X-Request-ID": "order-66"})
    assert answer.headers["X-Request-ID"] == "order-66"
    [image] = answer.json()["images"]
    web.settle([image["id"]])
    for log, event in (("web", "accepted"), ("worker", "indexed")):
        [line] = events(cluster.log(log), event, image["id"])
        assert line["request_id"] == "order-66"
    assert line["task_id"]
    assert worker.alive()


def test_pictures_of_an_import_are_followed_by_its_name(cluster: Cluster):
    web, worker = cluster.web(), cluster.worker()
    answer = web.http.post("/imports", files={"file": ("all.zip", zipped(files(2)))})
    name = f"import-{answer.json()['id']}"
    wait_until(lambda: cluster.log("worker").count('"indexed"') == 2, "both are indexed", 60)
    for event in ("accepted", "indexed"):
        lines = logged(cluster.log("worker"), event)
        assert [line["request_id"] for line in lines] == [name, name]
    assert worker.alive()


@pytest.mark.parametrize("odd", ["", "a b", "x" * 101, 'a"}{"event": "forged'])
def test_a_request_id_that_could_forge_a_log_is_replaced(cluster: Cluster, odd: str):
    web = cluster.web()
    answer = web.http.get("/status", headers={"X-Request-ID": odd})
    assert answer.headers["X-Request-ID"] not in {odd, ""}


def test_readiness_names_every_part(cluster: Cluster):
    web = cluster.web()
    ready = web.http.get(f"{web.url}/readyz")
    assert (ready.status_code, set(ready.json()["parts"])) == (
        200,
        {"database", "vectors", "queue", "blobs"},
    )


def test_the_metrics_that_are_promised_are_those_that_exist(cluster: Cluster):
    web = cluster.web()
    text = httpx.get(f"{web.url}/metrics", trust_env=False).text
    promised = {value._name for value in vars(metrics).values() if hasattr(value, "_name")}
    assert {"lookalike_indexed", "lookalike_search_seconds"} <= promised
    for name in promised - {"lookalike_failed"}:  # it has a line for each code that was met
        assert f"# TYPE {name}" in text


def events(log: str, event: str, picture_id: str) -> list[dict[str, str]]:
    return [one for one in logged(log, event) if one.get("picture_id") == picture_id]


def logged(log: str, event: str) -> list[dict[str, str]]:
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return [one for one in lines if one["event"] == event]

"""Damage in all three stores is found by kind and id and repaired; searches are as before."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from sqlalchemy import delete, select, update

from lookalike.services.adapters.edge.collection import EdgeCollection
from lookalike.services.adapters.edge.shard import Shard
from lookalike.services.adapters.qdrant_server.collection import QdrantCollection
from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.adapters.qdrant_server.store import QdrantStore
from lookalike.services.adapters.s3_blobs import S3Blobs
from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.consistency.report import Kind, Report
from lookalike.services.labels import Changes
from lookalike.services.models import Entry, Picture, PictureTag
from lookalike.services.payloads import payload_of
from lookalike.services.records import CollectionSpec, Payload, Point
from tests.factories import picture
from tests.integration.edge_platform import EdgePlatform, Neighbours, edge_platform
from tests.program import Server, run
from tests.qdrant_double.server import Double
from tests.servers.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server

PICTURES = 300
QUERIES = 200

Damage = set[tuple[Kind, str]]


pytestmark = pytest.mark.both_databases


@pytest.fixture
def edge(tmp_path: Path, database_url: str) -> Iterator[EdgePlatform]:
    with edge_platform(tmp_path / "data", database_url=database_url) as made:
        yield made


@pytest.fixture(params=["embedded", "servers"])
def anywhere(
    request: pytest.FixtureRequest, tmp_path: Path, database_url: str
) -> Iterator[EdgePlatform]:
    """Also a platform whose vectors are on Qdrant (its double) and whose files are on S3."""
    if request.param == "embedded":
        yield request.getfixturevalue("edge")
        return
    with Double() as double, S3Server() as s3:
        keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "setting": "LOOKALIKE_BLOB_URL"}
        url = f"s3://{s3.bucket()}/pictures"
        blobs = S3Blobs(url, endpoint=s3.endpoint, region=REGION, **keys)
        store = QdrantStore(QdrantOptions(double.url, search_seconds=30))
        options = {"database_url": database_url, "qdrant_url": double.url}
        with edge_platform(tmp_path / "data", blobs, store, **options) as made:
            yield made


def look(edge: EdgePlatform, **options: float) -> Report:
    return edge.platform.checking.run(**{"patience": 0, **options})


def found(report: Report) -> Damage:
    kinds = {(one.kind, one.id) for one in report.differences}
    assert len(kinds) == len(report.differences)
    return kinds


def named(kind: Kind, ids: Sequence[object]) -> Damage:
    return {(kind, str(one)) for one in ids}


def payloads(edge: EdgePlatform, ids: Sequence[UUID]) -> dict[UUID, Payload]:
    with edge.db.read() as session:
        rows = session.scalars(select(Picture).where(Picture.id.in_(ids)))
        return {row.id: payload_of(row) for row in rows}


def hashes(edge: EdgePlatform, ids: Sequence[UUID]) -> list[str]:
    with edge.db.read() as session:
        known = dict(
            session.execute(select(Picture.id, Picture.sha256).where(Picture.id.in_(ids))).all()
        )
    return [known[one] for one in ids]


def damage_sql(edge: EdgePlatform, ids: Sequence[UUID]) -> Damage:
    """100 rows: 50 entries gone, 25 pictures with another tag, 25 with another size."""
    entries, tagged, sized = ids[:50], ids[50:75], ids[75:100]
    with edge.db.write() as session:
        session.execute(delete(Entry).where(Entry.picture_id.in_(entries)))
        chosen = PictureTag.picture_id.in_(tagged), PictureTag.tag == "été"
        session.execute(update(PictureTag).where(*chosen).values(tag="hiver"))
        session.execute(update(Picture).where(Picture.id.in_(sized)).values(bytes=7))
    return (
        named(Kind.ENTRY_MISSING, entries)
        | named(Kind.PAYLOAD_WRONG, [*tagged, *sized])
        | named(Kind.SIZE_WRONG, sized)
    )


def damage_vectors(edge: EdgePlatform, ids: Sequence[UUID]) -> Damage:
    """100 points: 40 gone, 20 with another payload, 20 with none to be understood, 20 nobody's."""
    gone, wrong, odd = ids[:40], ids[40:60], ids[60:80]
    strays = [uuid4() for _ in range(20)]
    right = payloads(edge, ids)
    vectors = edge.vectors.vectors(ids)
    edge.vectors.delete(gone)
    edge.vectors.set_payload({one: replace(right[one], tags=("wrong",)) for one in wrong})
    for one in odd:
        write_raw(edge, one)
    edge.vectors.upsert(
        [Point(stray, vectors[one], right[one]) for stray, one in zip(strays, ids, strict=False)]
    )
    return (
        named(Kind.VECTOR_MISSING, gone)
        | named(Kind.PAYLOAD_WRONG, [*wrong, *odd])
        | named(Kind.VECTOR_WITHOUT_ROW, strays)
    )


def write_raw(edge: EdgePlatform, picture_id: UUID) -> None:
    """A payload that has the library, so that the picture is found, and nothing else."""
    payload = {"library": "main", "odd": 1}
    if isinstance(edge.vectors, EdgeCollection):
        call = partial(Shard.set_payload, point_id=picture_id, payload=payload)
        edge.vectors._live.update([picture_id], call)
        return
    assert isinstance(edge.vectors, QdrantCollection)
    change = models.SetPayload(payload=payload, points=[str(picture_id)])
    with closing(QdrantClient(edge.platform.settings.qdrant_url)) as client:
        client.batch_update_points(
            edge.vectors._name, [models.OverwritePayloadOperation(overwrite_payload=change)]
        )


def damage_blobs(edge: EdgePlatform, ids: Sequence[UUID]) -> Damage:
    """100 files: 10 originals gone, 10 cut; 30 thumbnails gone, 10 empty; 20 of each nobody's."""
    gone, cut, unseen, empty = ids[:10], ids[10:20], ids[20:50], ids[50:60]
    nobodys = [f"{number:064x}" for number in range(40)]
    for sha256 in hashes(edge, gone):
        edge.blobs.delete(original_key(sha256))
    for sha256 in hashes(edge, cut):
        with edge.blobs.open(original_key(sha256)) as file:
            left = file.read()[:-10]
        edge.blobs.put_bytes(original_key(sha256), left)
    for sha256 in hashes(edge, unseen):
        edge.blobs.delete(thumbnail_key(sha256))
    for sha256 in hashes(edge, empty):
        edge.blobs.put_bytes(thumbnail_key(sha256), b"")
    for sha256 in nobodys[:20]:
        edge.blobs.put_bytes(original_key(sha256), b"x")
    for sha256 in nobodys[20:]:
        edge.blobs.put_bytes(thumbnail_key(sha256), b"x")
    return (
        named(Kind.BLOB_MISSING, gone)
        | named(Kind.BLOB_DAMAGED, cut)
        | named(Kind.THUMBNAIL_MISSING, [*unseen, *empty])
        | named(Kind.ORPHAN_ORIGINAL, nobodys[:20])
        | named(Kind.ORPHAN_THUMBNAIL, nobodys[20:])
    )


def assert_as_before(found: list[Neighbours], before: list[Neighbours]) -> None:
    """The same pictures in the same order; scores may differ by one in their last place."""
    for now, then in zip(found, before, strict=True):
        assert [one for one, _ in now] == [one for one, _ in then]
        assert [score for _, score in now] == pytest.approx(
            [score for _, score in then], rel=0, abs=1.5e-6
        )


def test_a_hundred_damages_in_each_store_are_found_and_repaired(anywhere: EdgePlatform):
    edge = anywhere
    ids = edge.add(range(PICTURES))
    before = edge.neighbours(ids[:QUERIES])
    assert all(len(one) == 10 for one in before)
    assert look(edge, deep=True).differences == []
    leftover = f"fake-{uuid4().hex}"
    stray = Point(uuid4(), np.ones(8, np.float32), payloads(edge, ids[:1])[ids[0]])
    edge.store.open(leftover, CollectionSpec(8)).upsert([stray])
    done = (
        damage_sql(edge, ids[:100])
        | damage_vectors(edge, ids[100:200])
        | damage_blobs(edge, ids[200:])
        | named(Kind.LEFTOVER_COLLECTION, [leftover])
    )
    report = look(edge)
    assert found(report) == done
    assert [index.points for index in report.indexes] == [PICTURES - 40 + 20]

    repaired = edge.platform.repairing.run(report)
    edge.work()
    lost = named(Kind.BLOB_MISSING, ids[200:210]) | named(Kind.BLOB_DAMAGED, ids[210:220])
    if edge.platform.settings.qdrant_url:  # somebody else's, for all that we know
        lost |= named(Kind.LEFTOVER_COLLECTION, [leftover])
    assert {(one.kind, one.id) for one in repaired.remaining} == lost
    edge.store.drop(leftover)
    # What is left of the cut files was put aside, so that uploading the pictures again mends them.
    missing = named(Kind.BLOB_MISSING, ids[200:220])
    assert found(look(edge, deep=True)) == missing
    assert_as_before(edge.neighbours(ids[:QUERIES]), before)

    assert edge.add(range(200, 220)) == ids[200:220]
    assert look(edge, deep=True).differences == []
    assert_as_before(edge.neighbours(ids[:QUERIES]), before)


def test_no_false_alarm_while_pictures_come_change_and_go(edge: EdgePlatform):
    """Four threads use the platform as fast as they can while it is checked again and again."""
    edge.add(range(1000, 1050))
    stop = threading.Event()
    failures: list[BaseException] = []

    def live(start: int) -> None:
        try:
            seed = start
            while not stop.is_set():
                ids = [edge._add(seed + offset, "main") for offset in range(4)]
                edge.platform.indexing.index(ids)
                for number, one in enumerate(ids):
                    edge.platform.pictures.change(one, Changes(tags=[f"new {number}"]))
                for one in ids[: 1 + seed % 4]:
                    edge.platform.pictures.remove(one)
                seed += 4
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=live, args=(10_000 * n,)) for n in range(1, 5)]
    for thread in threads:
        thread.start()
    try:
        reports = [look(edge, patience=1.5) for _ in range(6)]
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert [report.differences for report in reports] == [[]] * 6
    assert reports[-1].pictures > reports[0].pictures
    edge.work()
    assert look(edge, deep=True).differences == []


# The program


def test_alone_the_command_repairs_and_indexes_what_was_missing(data: Path, folder: Path):
    assert run("import", folder, "--data", data).returncode == 0
    assert run("check", "--data", data).returncode == 0
    originals = sorted(path for path in (data / "blobs/originals").rglob("*") if path.is_file())
    (data / "blobs/originals/aa/aa").mkdir(parents=True)
    (data / "blobs/originals/aa/aa" / ("a" * 64)).write_bytes(b"nobody's")
    with closing(sqlite3.connect(data / "lookalike.db")) as database, database:
        some = "SELECT id FROM pictures LIMIT 5"
        database.execute(f"DELETE FROM entries WHERE picture_id IN ({some})")
    looked = run("check", "--data", data)
    assert looked.returncode == 1
    for word in ("entry_missing", "orphan_original", "a" * 64, "lookalike check --repair"):
        assert word in looked.stdout
    repaired = run("check", "--repair", "--data", data, "--json")
    assert repaired.returncode == 0, repaired.stderr
    report = json.loads(repaired.stdout)
    assert report["counts"] == {"orphan_original": 1, "entry_missing": 5}
    assert report["remaining"] == 0
    status = json.loads(run("status", "--data", data, "--json").stdout)
    assert status["images"] == {"pending": 0, "indexed": 12, "failed": 0}
    again = run("check", "--deep", "--data", data)
    assert again.returncode == 0
    assert "12 pictures: database, files and vectors agree." in again.stdout
    originals[0].unlink()
    lost = run("check", "--repair", "--data", data)
    assert lost.returncode == 1
    assert "upload the picture again" in lost.stdout
    assert "1 could not be repaired" in lost.stdout


def test_beside_a_running_server_it_is_the_server_that_checks(
    start: Callable[..., Server], data: Path
):
    server = start()
    ids = server.upload({f"{seed}.jpg": picture(seed=seed) for seed in range(6)})
    server.settle()
    sha256 = server.http.get(f"/images/{ids[0]}").json()["sha256"]
    (data / "blobs" / thumbnail_key(sha256)).unlink()
    look = {"patience": 0}
    [difference] = server.http.post("/check", json=look).json()["differences"]
    assert (difference["kind"], difference["id"]) == ("thumbnail_missing", ids[0])
    assert difference["repaired"] is None
    repaired = run("check", "--repair", "--data", data)
    assert repaired.returncode == 0, repaired.stderr
    assert "All differences were repaired." in repaired.stdout
    assert server.http.post("/check", json=look).json()["differences"] == []


def test_a_folder_without_data_stays_so(data: Path):
    ended = run("check", "--repair", "--data", data)
    assert ended.returncode == 1
    assert "There is no Lookalike data" in ended.stderr
    assert not data.exists()

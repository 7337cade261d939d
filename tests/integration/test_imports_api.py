"""Imports over HTTP: start, list, steer, what failed, and events as they happen."""

from __future__ import annotations

import csv
import io
import json
import shutil
from typing import Any

import pytest
from flask.testing import FlaskClient

from lookalike.web import import_streams
from tests.factories import ODD
from tests.integration.calls import API, UNKNOWN, refused
from tests.platforms import World, make_world, small
from tests.unit.test_imports import BAD, scenes, zipped

pytestmark = pytest.mark.both_databases


def post(client: FlaskClient, files: dict[str, bytes], name: str = "a.zip", **fields: Any) -> Any:
    data = {"file": (io.BytesIO(zipped(files)), name), **fields}
    return client.post(f"{API}/imports", data=data)


def start(client: FlaskClient, files: dict[str, bytes], **fields: Any) -> str:
    answer = post(client, files, **fields)
    assert answer.status_code == 202, answer.text
    return f"{API}/imports/{answer.json['id']}"


def act(client: FlaskClient, url: str, action: str, **body: Any) -> Any:
    return client.post(f"{url}/{action}", json=body if action == "retry" else None)


def test_an_archive_is_imported(world: World, client: FlaskClient):
    url = start(client, scenes(0, 3) | BAD, tags="trip, sea")
    begun = client.get(url).json
    assert (begun["state"], begun["kind"], begun["name"]) == ("queued", "zip", "a.zip")
    world.carry()
    done = client.get(url).json
    assert done["state"] == "done"
    assert [done[name] for name in ("found", "done", "new", "failed", "pending")] == [6, 3, 3, 3, 0]
    tags = {tag for image in client.get(f"{API}/images").json["images"] for tag in image["tags"]}
    assert tags == {"trip", "sea"}
    assert client.get(f"{API}/imports").json["imports"] == [done]


def test_the_list_is_given_in_pages_newest_first(world: World, client: FlaskClient):
    ids = [start(client, scenes(number, 1)).rpartition("/")[2] for number in range(3)]
    first = client.get(f"{API}/imports?limit=2").json
    second = client.get(f"{API}/imports?limit=2&cursor={first['next_cursor']}").json
    assert [one["id"] for one in first["imports"] + second["imports"]] == ids[::-1]
    assert second["next_cursor"] is None


def test_a_folder_of_the_server_is_imported_where_the_settings_allow_it(
    tmp_path, create_client, client: FlaskClient
):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(small(1))
    body = {"kind": "folder", "source": {"path": str(tmp_path / "in")}}
    refused(client.post(f"{API}/imports", json=body), 422, "bad_source")
    world = make_world(tmp_path / "other", import_roots=(tmp_path / "in",))
    allowed = create_client(world)
    answer = allowed.post(f"{API}/imports", json=body)
    assert answer.json["name"] == str(tmp_path / "in")
    world.carry()
    assert allowed.get(f"{API}/imports/{answer.json['id']}").json["new"] == 1
    world.platform.close()


@pytest.fixture
def limited(tmp_path) -> World:
    """A platform to which more may be sent as the file of an import than as anything else."""
    limits = {"max_file_bytes": 4000, "max_request_bytes": 8000, "max_import_bytes": 40_000}
    world = make_world(tmp_path / "limited", **limits)
    yield world
    assert world.staged_files() == []
    world.platform.close()


def padded(size: int) -> dict[str, bytes]:
    return {"a.jpg": small(1), "padding.bin": bytes(size)}


def test_the_file_of_an_import_has_a_limit_of_its_own(limited: World, create_client):
    client = create_client(limited)
    url = start(client, padded(20_000))
    limited.carry()
    assert client.get(url).json["new"] == 1
    answer = post(client, padded(40_000))
    refused(answer, 413, "too_large")
    assert "LOOKALIKE_MAX_IMPORT_BYTES" in answer.json["error"]["message"]
    image = {"file": (io.BytesIO(bytes(9000)), "a.jpg")}
    refused(client.post(f"{API}/images", data=image), 413, "too_large")


class Endless(io.RawIOBase):
    """A body without an end; counts what was read of it."""

    read_so_far = 0

    def __init__(self, head: bytes) -> None:
        self._head = head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        taken = self._head[: len(buffer)] or bytes(min(len(buffer), 1000))
        self._head = self._head[len(taken) :]
        buffer[: len(taken)] = taken
        self.read_so_far += len(taken)
        return len(taken)


@pytest.mark.parametrize(
    ("kind", "head", "most"),
    [
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n',
            40_000,
        ),
        ("application/json", b"[", 1024 * 1024),
    ],
)
def test_a_body_without_an_end_is_read_as_far_as_it_may_be_large(
    limited: World, create_client, kind: str, head: bytes, most: int
):
    body = Endless(head)
    as_chunks = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    answer = create_client(limited).post(
        f"{API}/imports", content_type=kind, environ_overrides=as_chunks
    )
    refused(answer, 413, "too_large")
    assert body.read_so_far <= most + 1


def test_a_file_that_the_disk_has_no_room_for_is_refused_unread(
    limited: World, create_client, monkeypatch
):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=600 * 1024))
    answer = post(create_client(limited), padded(20_000))
    refused(answer, 507, "storage_full")
    assert "no room" in answer.json["error"]["message"]


def test_an_archive_may_be_larger_than_a_picture(tmp_path, create_client):
    world = make_world(tmp_path / "small", max_file_bytes=2048)
    client = create_client(world)
    files = {f"{number}.jpg": small(number, (20, 20)) for number in range(9)}
    assert len(zipped(files)) > 2048
    url = start(client, files)
    world.carry()
    assert client.get(url).json["found"] == 9
    world.platform.close()


def test_what_is_wrong_is_refused_and_leaves_nothing(world: World, client: FlaskClient):
    refused(client.post(f"{API}/imports", data={"library": "main"}), 400, "invalid_request")
    refused(post(client, {}, name="a.docx"), 422, "bad_source")
    refused(post(client, {}, source='{"colour": "red"}'), 422, "bad_source")
    refused(post(client, {}, library="nowhere"), 404, "not_found")
    refused(post(client, {}, kind="magic"), 400, "invalid_request")
    broken = {"file": (io.BytesIO(b"no zip"), "a.zip")}
    refused(client.post(f"{API}/imports", data=broken), 422, "bad_source")
    refused(client.post(f"{API}/imports", json={"kind": "magic"}), 400, "invalid_request")
    assert client.get(f"{API}/imports").json["imports"] == []
    assert (world.staged_files(), world.blob_names()) == ([], set())


@pytest.mark.parametrize("action", ["cancel", "pause", "resume", "retry", "undo", "perform"])
def test_what_is_not_there_cannot_be_steered(client: FlaskClient, action: str):
    refused(act(client, f"{API}/imports/{UNKNOWN}", action), 404, "not_found")


def test_failures_are_listed_counted_and_downloaded(world: World, client: FlaskClient):
    url = start(client, BAD | {"=cmd.jpg": b"text"})
    world.carry()
    first = client.get(f"{url}/failures?limit=3").json
    rest = client.get(f"{url}/failures?limit=3&cursor={first['next_cursor']}").json
    names = [one["name"] for one in first["failures"] + rest["failures"]]
    assert names == [*BAD, "=cmd.jpg"]
    assert (sum(first["codes"].values()), rest["next_cursor"]) == (4, None)
    only = client.get(f"{url}/failures?code=not_an_image").json["failures"]
    assert [one["name"] for one in only] == ["text.jpg", "=cmd.jpg"]
    table = client.get(f"{url}/failures?format=csv")
    assert table.mimetype == "text/csv"
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["name"] for row in rows] == [*BAD, "'=cmd.jpg"]
    assert rows[0]["code"] == "not_an_image"


def test_it_is_steered(world: World, client: FlaskClient):
    url = start(client, scenes(0, 3) | BAD)
    assert act(client, url, "pause").json["state"] == "paused"
    assert act(client, url, "resume").json["state"] == "queued"
    world.carry()
    assert act(client, url, "retry", position=3).json["state"] == "queued"
    world.carry()
    assert act(client, url, "retry").json["state"] == "queued"
    assert act(client, url, "cancel").json["state"] == "cancelled"
    refused(act(client, url, "pause"), 400, "invalid_request")
    assert act(client, url, "undo").json["state"] == "undoing"
    world.carry()
    undone = client.get(url).json
    assert (undone["state"], undone["removed"]) == ("undone", 4)
    assert client.get(f"{API}/images").json["images"] == []


def test_a_rehearsal_is_carried_out_when_asked(world: World, client: FlaskClient):
    url = start(client, scenes(0, 3) | BAD, dry_run="true")
    world.carry()
    foretold = client.get(url).json
    assert (foretold["state"], foretold["dry_run"]) == ("done", True)
    assert client.get(f"{API}/images").json["images"] == []
    act(client, url, "perform")
    world.carry()
    done = client.get(url).json
    assert done["rehearsal"] == foretold["rehearsal"]
    assert [done[name] for name in ("new", "duplicate", "failed", "bytes")] == [
        foretold["rehearsal"][name] for name in ("new", "duplicate", "failed", "bytes")
    ]


def events(text: str) -> list[dict[str, Any]]:
    """The events of a stream, by their fields."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in fields:
            found.append({"event": fields["id"], **json.loads(fields["data"])})
    return found


def test_events_tell_of_every_change_until_the_end(
    world: World, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    url = start(client, scenes(0, 3))
    monkeypatch.setattr(import_streams.time, "sleep", lambda _: world.carry())
    heard = client.get(f"{url}/events")
    assert (heard.mimetype, heard.headers["Cache-Control"]) == ("text/event-stream", "no-store")
    states = [one["state"] for one in events(heard.text)]
    assert states == ["queued", "done"]
    last = {"Last-Event-ID": events(heard.text)[-1]["event"]}
    assert client.get(f"{url}/events", headers=last).status_code == 204


def test_a_stream_ends_after_its_time_and_goes_on_where_it_was(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(import_streams, "STREAM_SECONDS", 0.05)
    monkeypatch.setattr(import_streams, "LOOK_SECONDS", 0.01)
    url = start(client, scenes(0, 3))
    [event] = events(client.get(f"{url}/events").text)
    again = client.get(f"{url}/events", headers={"Last-Event-ID": event["event"]})
    assert (again.status_code, events(again.text)) == (200, [])


def test_streams_leave_threads_for_everybody_else(
    tmp_path, create_client, monkeypatch: pytest.MonkeyPatch
):
    world = make_world(tmp_path / "few", web_threads=2)
    client = create_client(world)
    url = start(client, scenes(0, 1))
    held = client.get(f"{url}/events", buffered=False)
    assert len(events(client.get(f"{url}/events").text)) == 1  # at once, without waiting
    held.close()
    world.platform.close()


def test_an_odd_file_fails_alone_with_its_code(world: World, client: FlaskClient):
    url = start(client, {f"{name}.jpg": one.data for name, one in ODD.items()})
    world.carry()
    done = client.get(url).json
    assert done["state"] == "done"
    assert done["found"] == len(ODD)
    assert done["new"] + done["duplicate"] == sum(one.expect is None for one in ODD.values())

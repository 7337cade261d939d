"""Uploads over HTTP: every odd file, every odd request, and nothing left behind."""

from __future__ import annotations

import errno
import json
import os
from io import BytesIO
from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from lookalike.services.models import State
from lookalike.services.staging import Staged
from lookalike.web.errors import STATUS
from tests.factories import BAD_NAMES, GOOD_NAMES, ODD
from tests.platforms import World, make_world, small

pytestmark = pytest.mark.both_databases

IMAGES = "/api/v1/images"
BOUNDARY = "frontier"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def upload(client: FlaskClient, *files: bytes | tuple[str, bytes], **fields: Any) -> TestResponse:
    """Post files, or pairs of name and file, with these fields."""
    named = [one if isinstance(one, tuple) else ("a.jpg", one) for one in files]
    parts = [("file", (BytesIO(data), name)) for name, data in named]
    for field, value in fields.items():
        parts += [(field, one) for one in (value if isinstance(value, list) else [value])]
    return client.post(IMAGES, data=MultiDict(parts), content_type="multipart/form-data")


def shown(client: FlaskClient, picture_id: str) -> dict[str, Any]:
    return client.get(f"{IMAGES}/{picture_id}").json


@pytest.fixture(autouse=True)
def _nothing_is_left_in_staging(world: World):
    """After each of these tests, whatever it did."""
    yield
    assert world.staged_files() == []


def test_an_upload_answers_for_each_file_in_order(client: FlaskClient, world: World):
    [known] = world.indexed(small(5))
    answer = upload(
        client, ("a.jpg", small(1)), ("b.txt", b"text"), ("c.jpg", small(5)), ("d.jpg", b"")
    )
    assert answer.status_code == 202
    accepted, duplicate = answer.json["images"]
    assert accepted == {
        "position": 0,
        "id": accepted["id"],
        "state": "pending",
        "duplicate": False,
        "filename": "a.jpg",
    }
    assert (duplicate["position"], duplicate["id"], duplicate["state"], duplicate["duplicate"]) == (
        2,
        str(known),
        "indexed",
        True,
    )
    told = [(one["position"], one["filename"], one["code"]) for one in answer.json["rejected"]]
    assert told == [(1, "b.txt", "not_an_image"), (3, "d.jpg", "empty_file")]
    assert len(world.queue.batches) == 1


@pytest.mark.parametrize("name", [one for one in BAD_NAMES if ODD[one].stage == "inspect"])
def test_a_bad_file_is_refused_with_its_code_and_a_sentence(
    client: FlaskClient, world: World, name: str
):
    odd = ODD[name]
    answer = upload(client, ("odd.jpg", odd.data))
    assert odd.expect is not None
    assert answer.status_code == STATUS[odd.expect]
    error = answer.json["error"]
    assert error["code"] == odd.expect
    assert_is_a_sentence(error["message"])
    [rejected] = error["details"]["rejected"]
    assert rejected == {
        "position": 0,
        "filename": "odd.jpg",
        "code": odd.expect,
        "message": error["message"],
    }
    assert world.blob_names() == set()
    assert world.queue.batches == []


@pytest.mark.parametrize("name", [one for one in BAD_NAMES if ODD[one].stage == "decode"])
def test_damage_that_only_decoding_shows_fails_the_picture_with_its_code(
    client: FlaskClient, world: World, name: str
):
    answer = upload(client, ("odd.jpg", ODD[name].data))
    assert answer.status_code == 202
    world.work()
    picture = shown(client, answer.json["images"][0]["id"])
    assert picture["state"] == "failed"
    assert picture["error"]["code"] == ODD[name].expect
    assert_is_a_sentence(picture["error"]["message"])
    thumbnail = client.get(picture["urls"]["thumbnail"])
    assert thumbnail.status_code == STATUS[picture["error"]["code"]]


def assert_is_a_sentence(message: str) -> None:
    assert message[0].isupper()
    assert message[-1] in ".)"
    assert "Traceback" not in message
    assert len(message.split()) > 3


def test_every_good_odd_file_becomes_searchable(client: FlaskClient, world: World):
    answer = upload(client, *((name, ODD[name].data) for name in GOOD_NAMES))
    assert answer.status_code == 202
    assert answer.json["rejected"] == []
    world.work()
    for image in answer.json["images"]:
        assert shown(client, image["id"])["state"] == "indexed", image["filename"]


def test_labels_are_for_all_files_and_tags_may_repeat_or_be_one_text(
    client: FlaskClient, world: World
):
    world.platform.libraries.create("attic")
    attributes = json.dumps({"n": 1, "b": True, "s": "1"})
    answer = upload(
        client,
        small(1),
        small(2),
        library="attic",
        title=" A title ",
        tags=["red, green", "blue,", " red "],
        attributes=attributes,
    )
    for image in answer.json["images"]:
        picture = shown(client, image["id"])
        assert picture["library"] == "attic"
        assert picture["title"] == "A title"
        assert picture["tags"] == ["blue", "green", "red"]
        assert picture["attributes"] == {"n": 1, "b": True, "s": "1"}
        assert picture["attributes"]["b"] is True


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"library": "attic"}, 404),
        ({"library": ["main", "main"]}, 400),
        ({"title": "x" * 501}, 400),
        ({"title": "a\0b"}, 400),
        ({"tags": "a\nb"}, 400),
        ({"tags": ",".join(str(number) for number in range(101))}, 400),
        ({"attributes": "nonsense"}, 400),
        ({"attributes": "[]"}, 400),
        ({"attributes": '{"a": null}'}, 400),
        ({"attributes": ['{"a": 1}', '{"b": 1}']}, 400),
        ({"colour": "red"}, 400),
    ],
)
def test_wrong_fields_are_refused_and_nothing_is_stored(
    client: FlaskClient, world: World, fields: dict, status: int
):
    answer = upload(client, small(), **fields)
    assert answer.status_code == status
    assert answer.json["error"]["code"] == ("not_found" if status == 404 else "invalid_request")
    assert world.blob_names() == set()


def test_when_nothing_is_accepted_the_first_reason_speaks_and_all_are_listed(client: FlaskClient):
    answer = upload(client, ("a", b""), ("b", b"text"), ("c", ODD["svg"].data))
    assert answer.status_code == STATUS["empty_file"]
    assert answer.json["error"]["code"] == "empty_file"
    codes = [one["code"] for one in answer.json["error"]["details"]["rejected"]]
    assert codes == ["empty_file", "not_an_image", "unsupported_format"]


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [("../../etc/passwd", "passwd"), ("é 写真.jpg", "é 写真.jpg"), ("a\u202egpj.exe", "agpj.exe")],
)
def test_names_are_cleaned_on_their_way_in(client: FlaskClient, given_name: str, kept: str):
    answer = upload(client, (given_name, small()))
    assert shown(client, answer.json["images"][0]["id"])["filename"] == kept


def form(*parts: bytes, end: bytes = b"--frontier--\r\n") -> bytes:
    return b"".join(b"--frontier\r\n" + part + b"\r\n" for part in parts) + end


def part(headers: str, data: bytes) -> bytes:
    return headers.encode() + b"\r\n\r\n" + data


FILE = 'Content-Disposition: form-data; name="file"; filename="a.jpg"'


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FORM),
        (b"", "multipart/form-data"),
        (form(part(FILE, small())), "multipart/form-data"),
        (form(part(FILE, small())), "multipart/form-data; boundary=other"),
        (form(part(FILE, small()), end=b""), FORM),
        (form(part(FILE, small()))[:-700], FORM),
        (form(part(FILE, small()))[:60], FORM),
        (b"--frontier\r\nnonsense", FORM),
        (form(part("Content-Disposition: form-data", small())), FORM),
        (form(part('Content-Disposition: form-data; name="file"', small())), FORM),
        (form(part(FILE.replace('"file"', '"image"'), small())), FORM),
        (form(part(FILE, small()), part(FILE.replace('"file"', '"f"'), small())), FORM),
        (form(end=b"--frontier--"), FORM),
        (small(), "image/jpeg"),
        (b"{}", "application/json"),
        (b"file=a", "application/x-www-form-urlencoded"),
    ],
)
def test_bodies_that_are_no_whole_form_are_refused(
    client: FlaskClient, world: World, body: bytes, kind: str
):
    answer = client.post(IMAGES, data=body, content_type=kind)
    assert (answer.status_code, answer.json["error"]["code"]) == (400, "invalid_request")
    assert world.blob_names() == set()


def test_a_body_that_breaks_off_stores_nothing(client: FlaskClient, world: World):
    body = form(part(FILE, small(1)), part(FILE, small(2)))[:-900]
    answer = client.post(
        IMAGES,
        input_stream=BytesIO(body),
        content_type=FORM,
        headers={"Content-Length": str(len(body) + 900)},
    )
    assert answer.status_code == 400
    assert world.blob_names() == set()


def test_too_many_parts_are_refused(client: FlaskClient):
    answer = upload(client, *([small()] * 2001))
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")


def test_a_text_field_cannot_fill_the_memory(client: FlaskClient):
    answer = upload(client, small(), title="x" * 2_000_000)
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")


@pytest.fixture
def narrow(tmp_path) -> World:
    """A platform with tight limits on files and requests."""
    return make_world(tmp_path / "narrow", max_file_bytes=4000, max_request_bytes=20_000)


def test_one_file_beyond_the_limit_does_not_disturb_the_others(narrow: World, create_client):
    answer = upload(create_client(narrow), ("big.jpg", small() + bytes(9000)), small(1))
    assert answer.status_code == 202
    assert [one["code"] for one in answer.json["rejected"]] == ["too_large"]
    assert len(answer.json["images"]) == 1
    assert narrow.staged_files() == []
    narrow.platform.close()


def test_a_request_beyond_the_limit_is_refused_before_it_is_read(narrow: World, create_client):
    answer = upload(create_client(narrow), small() + bytes(30_000))
    assert (answer.status_code, answer.json["error"]["code"]) == (413, "too_large")
    assert narrow.staged_files() == []
    narrow.platform.close()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_leaves_nothing(
    client: FlaskClient, world: World, monkeypatch, number: int
):
    def full(_staged: Staged, _data: bytes) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Staged, "write", full)
    answer = upload(client, small())
    assert (answer.status_code, answer.json["error"]["code"]) == (507, "storage_full")
    assert "disk is full" in answer.json["error"]["message"]


def test_a_queue_that_is_down_does_not_refuse_pictures(client: FlaskClient, world: World):
    world.queue.down = True
    answer = upload(client, small())
    assert answer.status_code == 202
    assert answer.json["images"][0]["state"] == State.PENDING

"""Who may call, and what browsers are told about the bytes and pages they get."""

from __future__ import annotations

import re
from io import BytesIO

import pytest
from flask.testing import FlaskClient
from PIL import Image

from lookalike.web.guards import HEADERS
from lookalike.web.pictures import MEDIA_TYPES, SHOWN_INLINE
from tests.factories import ODD
from tests.platforms import World, make_world, small
from tests.scenes import cornered, exif, lying, saved

LIBRARIES = "/api/v1/libraries"
BAD_HOSTS = ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8000", "10.0.0.1"]


def make_library(client: FlaskClient, **headers: str):
    return client.post(
        LIBRARIES,
        json={"name": "made"},
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000", "LOCALHOST"]
)
def test_loopback_names_are_answered(client: FlaskClient, host: str):
    assert client.get(LIBRARIES, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [*BAD_HOSTS, "[::1", "", "a b", "[", "127.0.0.1:port"])
@pytest.mark.parametrize("path", [LIBRARIES, "/", "/healthz", "/api/v1/openapi.json", "/static/x"])
def test_other_names_are_refused_everywhere_even_nonsense(
    client: FlaskClient, host: str, path: str
):
    """A foreign name that points here is a page of somebody else reading ours."""
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code in {400, 403}
    assert answer.status_code == 403 or host not in BAD_HOSTS


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_on_servers_supervisors_may_ask_by_any_address(tmp_path, create_client, path: str):
    world = make_world(tmp_path, allow_remote=True, allowed_hosts=("pictures.example",))
    client = create_client(world)
    assert client.get(path, headers={"Host": "10.1.2.3:8000"}).status_code == 200
    assert client.get(LIBRARIES, headers={"Host": "10.1.2.3:8000"}).status_code == 403
    world.platform.close()


def test_a_refused_name_is_told_how_to_be_allowed(client: FlaskClient):
    answer = client.get(LIBRARIES, headers={"Host": "pictures.example"})
    assert answer.json["error"]["code"] == "forbidden"
    assert "LOOKALIKE_ALLOWED_HOSTS" in answer.json["error"]["message"]


def test_names_that_are_set_are_answered_and_no_others(tmp_path, create_client):
    world = make_world(tmp_path, allowed_hosts=("pictures.example",))
    client = create_client(world)
    for host, status in (("pictures.example", 200), ("localhost", 200), ("evil.example", 403)):
        assert client.get(LIBRARIES, headers={"Host": host}).status_code == status
    world.platform.close()


def test_remote_access_without_names_answers_to_any(tmp_path, create_client):
    world = make_world(tmp_path, allow_remote=True)
    client = create_client(world)
    assert client.get(LIBRARIES, headers={"Host": "10.0.0.1"}).status_code == 200
    world.platform.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://localhost:9999"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "http://evil.example/localhost"},
        {"Origin": "http://localhost@evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "nonsense"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "cross-site", "Origin": "http://localhost"},
        {"Sec_Fetch_Site": "same-origin", "Origin": "http://evil.example"},
    ],
)
def test_changes_on_behalf_of_other_sites_are_refused(client: FlaskClient, headers: dict):
    answer = make_library(client, **headers)
    assert (answer.status_code, answer.json["error"]["code"]) == (403, "forbidden")
    names = [one["name"] for one in client.get(LIBRARIES).json["libraries"]]
    assert names == ["main"]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/api/v1/images", "/api/v1/search", "/", "/nowhere"])
def test_every_method_that_may_change_something_is_guarded(
    client: FlaskClient, method: str, path: str
):
    answer = client.open(path, method=method, headers={"Origin": "http://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "http://localhost", "Sec_Fetch_Site": "same-origin"},
        {"Sec_Fetch_Site": "none"},
        {"Host": "127.0.0.1:8000", "Origin": "http://127.0.0.1:8000"},
        {"Host": "[::1]:8000", "Origin": "http://[::1]:8000"},
    ],
)
def test_our_own_pages_and_programs_may_change_things(client: FlaskClient, headers: dict):
    assert make_library(client, **headers).status_code == 201


def test_a_link_from_another_site_may_open_a_page(client: FlaskClient):
    headers = {"Sec-Fetch-Site": "cross-site", "Referer": "http://evil.example/"}
    assert client.get("/", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/", "/library", "/upload", LIBRARIES, "/nowhere", "/healthz"])
def test_every_answer_binds_browsers(client: FlaskClient, path: str):
    answer = client.get(path)
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_pages_hold_no_inline_script_or_style_that_the_policy_would_block(
    client: FlaskClient, world: World
):
    [picture_id] = world.indexed(small())
    for path in ("/", "/library", "/upload", f"/images/{picture_id}"):
        page = client.get(path)
        assert page.status_code == 200
        assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>|\sstyle=|\son\w+=", page.text) == []
        assert re.findall(r'(?:src|href)="(?:https?:)?//', page.text) == []


@pytest.mark.parametrize("path", ["/nowhere", "/images/0190163d-8694-739b-aea5-966c26f8ad91"])
def test_browsers_get_errors_as_a_page_and_programs_as_json(client: FlaskClient, path: str):
    page = client.get(path, headers={"Accept": "text/html,*/*;q=0.8"})
    assert (page.status_code, page.mimetype) == (404, "text/html")
    assert "Traceback" not in page.text
    answer = client.get(path, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "avif", "gif", "bmp", "tiff", "heic"])
def test_originals_are_the_very_bytes_and_nothing_in_them_can_run(
    client: FlaskClient, world: World, name: str
):
    [outcome] = world.offer((f"a {name}.bin", ODD[name].data))
    answer = client.get(f"/api/v1/images/{outcome.id}/original")
    assert answer.data == ODD[name].data
    assert answer.content_type == MEDIA_TYPES[name]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer.headers["Cache-Control"].startswith("private")
    kind = "inline" if name in SHOWN_INLINE else "attachment"
    assert answer.headers["Content-Disposition"].startswith(kind)
    assert (kind == "attachment") == (name in {"tiff", "heic"})


def test_a_picture_that_is_also_a_page_is_served_as_a_picture(client: FlaskClient, world: World):
    data = small() + b"<html><script>alert(1)</script></html>"
    [outcome] = world.offer(("page.html", data))
    answer = client.get(f"/api/v1/images/{outcome.id}/original")
    assert answer.data == data
    assert answer.content_type == "image/jpeg"


@pytest.mark.parametrize("name", ["é 写真.heic", 'a";x="b.heic', "a\r\nSet-Cookie: x=1.heic"])
def test_names_cannot_break_out_of_the_header(client: FlaskClient, world: World, name: str):
    [outcome] = world.offer((name, ODD["heic"].data))
    answer = client.get(f"/api/v1/images/{outcome.id}/original")
    assert answer.status_code == 200
    assert "Set-Cookie" not in answer.headers
    assert "filename" in answer.headers["Content-Disposition"]
    assert "\n" not in answer.headers["Content-Disposition"]


def test_thumbnails_are_upright_jpegs_without_metadata(client: FlaskClient, world: World):
    data = saved(lying(6, cornered((64, 48))), "JPEG", exif=exif(6, "2024:01:02 03:04:05"))
    [picture_id] = world.indexed(data)
    answer = client.get(f"/api/v1/images/{picture_id}/thumbnail")
    assert answer.content_type == "image/jpeg"
    assert b"Exif" not in answer.data
    assert b"2024" not in answer.data
    image = Image.open(BytesIO(answer.data))
    assert image.size == (64, 48)
    assert len(image.getexif()) == 0
    assert client.get(f"/api/v1/images/{picture_id}").json["taken_at"] == "2024-01-02T03:04:05Z"


@pytest.mark.parametrize("kind", ["original", "thumbnail"])
def test_bytes_that_a_browser_has_are_not_sent_again(client: FlaskClient, world: World, kind: str):
    [picture_id] = world.indexed(small())
    url = f"/api/v1/images/{picture_id}/{kind}"
    first = client.get(url)
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    other = client.get(url, headers={"If-None-Match": '"other"'})
    assert (other.status_code, other.data) == (200, first.data)


def test_originals_and_thumbnails_are_different_things_to_a_cache(
    client: FlaskClient, world: World
):
    [picture_id] = world.indexed(ODD["png"].data)
    tags = {
        client.get(f"/api/v1/images/{picture_id}/{kind}").headers["ETag"]
        for kind in ("original", "thumbnail")
    }
    assert len(tags) == 2


def test_head_tells_what_get_would_without_the_bytes(client: FlaskClient, world: World):
    [picture_id] = world.indexed(small())
    url = f"/api/v1/images/{picture_id}/original"
    head = client.head(url)
    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["ETag"] == client.get(url).headers["ETag"]


def test_no_file_stays_open_after_it_was_sent(client: FlaskClient, world: World):
    [picture_id] = world.indexed(small())
    url = f"/api/v1/images/{picture_id}/original"
    with client.get(url) as answer:
        etag = answer.headers["ETag"]
    with client.get(url, headers={"If-None-Match": etag}) as answer:
        assert answer.status_code == 304
    with client.get(url, headers={"Range": "bytes=9999999-"}) as answer:
        assert answer.status_code in {200, 416}

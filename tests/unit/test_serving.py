"""Bodies that `lookalike up` takes and refuses, by their head and by what comes of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from flask import Flask, Response, request
from waitress.adjustments import Adjustments

from lookalike.cli.in_process import InProcessTransport
from lookalike.cli.serving import parser_for
from lookalike.services.settings import Settings

MEBIBYTE = 1024 * 1024
MAX_REQUEST, MAX_IMPORT = 2 * MEBIBYTE, 6 * MEBIBYTE
FORM = "multipart/form-data; boundary=x"

Parse = Callable[..., Any]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    """Receive the head of a request, and then so many bytes of its body."""
    limits = {"max_request_bytes": MAX_REQUEST, "max_import_bytes": MAX_IMPORT}
    settings = Settings(_env_file=None, data_dir=tmp_path, **limits)
    (tmp_path / "staging").mkdir()

    def receive(path: str, header: str, body: bytes = b"", kind: str = FORM) -> Any:
        parser = parser_for(settings)(Adjustments())
        head = f"POST {path} HTTP/1.1\r\nContent-Type: {kind}\r\n{header}\r\n\r\n".encode()
        assert parser.received(head) == len(head)
        while body and not parser.completed:
            body = body[parser.received(body[:65536]) :]
        return parser

    return receive


def refused(parser: Any) -> tuple[str, str, str]:
    """Status line, code and message of what a request is answered."""
    status, headers, body = parser.error.to_response(None)
    assert dict(headers)["Content-Type"] == "application/json"
    told = json.loads(body)["error"]
    return status, told["code"], told["message"]


def chunked(size: int) -> bytes:
    return f"{size:x}\r\n".encode() + bytes(size) + b"\r\n0\r\n\r\n"


def test_the_file_of_an_import_may_be_larger_than_a_request(parse: Parse):
    parser = parse("/api/v1/imports", f"Content-Length: {MAX_IMPORT}", bytes(MAX_IMPORT))
    assert (parser.completed, parser.error) == (True, None)
    assert len(parser.get_body_stream().read()) == MAX_IMPORT
    parser.close()


def test_it_waits_in_the_data_folder_and_not_in_that_for_temporary_files(
    parse: Parse, tmp_path: Path
):
    parser = parse("/api/v1/imports", f"Content-Length: {MAX_IMPORT}", bytes(MEBIBYTE))
    handle = parser.body_rcv.getbuf().file.fileno()
    assert Path(f"/proc/self/fd/{handle}").readlink().parent == tmp_path / "staging"
    parser.close()
    assert list((tmp_path / "staging").iterdir()) == []


@pytest.mark.parametrize("expecting", ["", "\r\nExpect: 100-continue"])
def test_one_that_is_too_large_is_refused_by_its_head(parse: Parse, expecting: str):
    parser = parse("/api/v1/imports", f"Content-Length: {MAX_IMPORT + 1}{expecting}")
    status, code, message = refused(parser)
    assert (parser.completed, parser.expect_continue) == (True, False)
    assert (status[:3], code) == ("413", "too_large")
    assert "LOOKALIKE_MAX_IMPORT_BYTES" in message


class Other(NamedTuple):
    """A request that brings no file of an import."""

    path: str
    kind: str = FORM


@pytest.mark.parametrize(
    "other",
    [
        Other("/api/v1/images"),
        Other("/api/v1/imports/1/images"),
        Other("/api/v1/imports", "application/json"),
    ],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_other_requests_keep_their_limit(parse: Parse, other: Other, is_chunked: bool):
    size = MAX_REQUEST + 1
    header = "Transfer-Encoding: chunked" if is_chunked else f"Content-Length: {size}"
    parser = parse(other.path, header, chunked(size) if is_chunked else b"", other.kind)
    status, code, message = refused(parser)
    assert (status[:3], code, "MAX_IMPORT" in message) == ("413", "too_large", False)


def test_a_body_that_does_not_say_how_long_it_is_stops_at_the_limit(parse: Parse):
    parser = parse("/api/v1/imports", "Transfer-Encoding: chunked", chunked(MAX_IMPORT + 1))
    assert refused(parser)[0][:3] == "413"
    parser.close()
    whole = parse("/api/v1/imports", "Transfer-Encoding: chunked", chunked(MEBIBYTE))
    assert (whole.completed, whole.error) == (True, None)
    whole.close()


def test_one_that_the_disk_has_no_room_for_twice_is_refused_by_its_head(
    parse: Parse, monkeypatch: pytest.MonkeyPatch
):
    usage = shutil.disk_usage(".")
    free = 512 * MEBIBYTE + 2 * MEBIBYTE
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    assert parse("/api/v1/imports", f"Content-Length: {MEBIBYTE}").error is None
    status, code, message = refused(parse("/api/v1/imports", f"Content-Length: {MEBIBYTE + 1}"))
    assert (status[:3], code, "no room" in message) == ("507", "storage_full", True)
    assert parse("/api/v1/images", f"Content-Length: {MEBIBYTE + 1}").error is None


@pytest.mark.parametrize("with_length", [False, True])
def test_in_one_process_a_body_is_read_while_it_is_made(with_length: bool):
    made: list[int] = []
    web = Flask("reader")

    @web.post("/")
    def read() -> Response:
        seen = [(len(request.stream.read(65536)), len(made)) for _ in range(4)]
        rest = len(request.stream.read())
        return Response(json.dumps([seen, rest]))

    def body() -> Any:
        for number in range(64):
            made.append(number)
            yield bytes(65536)

    headers = {"Content-Length": str(64 * 65536)} if with_length else {}
    transport = InProcessTransport(web)
    with httpx.Client(transport=transport, base_url="http://localhost") as client:
        seen, rest = client.post("/", content=body(), headers=headers).json()
    assert sum(size for size, _ in seen) + rest == 64 * 65536
    assert seen[-1][1] < 10

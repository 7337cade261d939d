"""URLs: what is fetched, and from where nothing ever is."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from ipaddress import ip_address

import pytest

from lookalike.services.adapters.url_fetching.fetcher import UrlFetcher
from lookalike.services.errors import PictureError
from lookalike.services.sources.addresses import is_public
from lookalike.services.sources.ports import Tools
from tests.program import wait_for
from tests.unit.sources.reading import LIMITS, codes, nothing_left_open, opened, outcomes
from tests.unit.sources.web_server import ANSWERS, GOOD, BadServer

PUBLIC = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "2001:200::1",
    "2606:4700:4700::1111",
    "2a00:1450:4001::1",
    "3ffe::1",
]

NOT_PUBLIC = [
    "0.0.0.0",
    "0.255.255.255",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.255",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.8",
    "192.0.0.170",
    "192.0.2.1",
    "192.31.196.1",
    "192.52.193.1",
    "192.88.99.1",
    "192.168.1.1",
    "192.175.48.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",
    "64:ff9b::7f00:1",
    "64:ff9b::808:808",
    "64:ff9b:1::1",
    "100::1",
    "100:0:0:1::1",
    "2001::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "2001:30::1",
    "2001:db8::1",
    "2002:7f00::",
    "2002:7f00:1::1",
    "2620:4f:8000::1",
    "3fff::",
    "3fff:fff::1",
    "4000::1",
    "5f00::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "2001:4860:4860::8888%1",
    "fec0::",
    "ff02::1",
]


@pytest.fixture(scope="module")
def server() -> Iterator[BadServer]:
    with BadServer() as running:
        yield running


def fetched(url: str, *networks: str) -> bytes | str:
    sink = io.BytesIO()
    try:
        UrlFetcher(LIMITS, networks).fetch(url, sink)
    except PictureError as error:
        return error.code
    return sink.getvalue()


def own(server: BadServer, path: str) -> bytes | str:
    """What comes of a path of our server, the only address besides the public that is admitted."""
    return fetched(server.base + path, "127.0.0.1/32")


@pytest.mark.parametrize("text", PUBLIC)
def test_addresses_of_the_internet_are_public(text: str):
    assert is_public(ip_address(text))


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_special_addresses_are_not_public(text: str):
    assert not is_public(ip_address(text))


HOSTS = [f"[{text}]" if ":" in text else text for text in NOT_PUBLIC if "%" not in text]
WRITINGS = ["[fe80::1%25lo]", "localhost", "LOCALHOST.", "127.0.0.1.", "①②⑦.0.0.1", "127。0。0。1"]
NUMBERS = ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0", "0x7f000001", "017700000001"]


@pytest.mark.parametrize("host", [*HOSTS, *WRITINGS, *NUMBERS])
def test_nothing_is_asked_of_special_addresses(host: str, server: BadServer):
    port = server.base.rpartition(":")[2]
    before = server.visits
    assert fetched(f"http://{host}:{port}/good") in {"blocked_address", "fetch_failed"}
    assert fetched(f"https://{host}:{port}/good") in {"blocked_address", "fetch_failed"}
    assert server.visits == before


@pytest.mark.parametrize("url", ["http://u:p@127.0.0.1/", "http://8.8.8.8@127.0.0.1/"])
def test_a_name_before_the_host_hides_nothing(url: str):
    assert fetched(url) == "blocked_address"


@pytest.mark.parametrize("path", ["/good", "/chunked", "/once", "/gzip", "/deflate"])
def test_pictures_are_fetched(server: BadServer, path: str):
    assert own(server, path) == GOOD


def test_what_a_server_calls_a_picture_is_left_to_inspection(server: BadServer):
    assert own(server, "/html") == b"<html>"


BAD = {
    "/brotli": "fetch_failed",
    "/bomb": "ratio_too_high",
    "/no-gzip": "fetch_failed",
    "/missing": "fetch_failed",
    "/failing": "fetch_failed",
    "/partial": "fetch_failed",
    "/large": "too_large",
    "/endless": "too_large",
    "/short": "fetch_failed",
    "/slow-headers": "fetch_timeout",
    "/slow-body": "fetch_timeout",
    "/slow-chunks": "fetch_timeout",
    "/silent": "fetch_timeout",
    "/nonsense": "fetch_failed",
    "/empty": "fetch_failed",
    "/many-headers": "fetch_failed",
    "/long-header": "fetch_failed",
    "/bad-chunks": "fetch_failed",
    "/loop": "fetch_failed",
    "/to-file": "fetch_failed",
    "/to-nowhere": "fetch_failed",
    "/to-metadata": "blocked_address",
    "/to-decimal": "blocked_address",
    "/to-mapped": "blocked_address",
    "/to-other-loopback": "blocked_address",
    "/to-nonsense": "fetch_failed",
    "/in-words": "fetch_failed",
}


@pytest.mark.parametrize(("path", "code"), BAD.items())
def test_a_bad_answer_fails_in_time(server: BadServer, path: str, code: str):
    assert path in ANSWERS
    begin = time.monotonic()
    assert own(server, path) == code
    assert time.monotonic() - begin < LIMITS.total_seconds + 2


def test_a_bad_url_does_not_stop_the_next(server: BadServer):
    tools = Tools(UrlFetcher(LIMITS, ["127.0.0.1/32"]), None, None)  # type: ignore[arg-type] # unused
    lines = [
        "# pictures",
        f"{server.base}/good",
        "http://10.0.0.1/",
        "ftp://pictures.example/1.jpg",
        "",
        "not a url",
        "http://[::1",
        "http://pictures.example:99999/",
        f"{server.base}/slow-body",
        "http://pictures.example/a b",
        f"  {server.base}/good  ",
    ]
    source = opened("urls", "\n".join(lines).encode(), tools=tools)
    assert source.total() == 9
    bad = [
        "blocked_address",
        "bad_row",
        "bad_row",
        "bad_row",
        "bad_row",
        "fetch_timeout",
        "bad_row",
    ]
    assert codes(source) == ["ok", *bad, "ok"]


def test_urls_are_shown_without_passwords():
    tools = Tools(UrlFetcher(LIMITS), None, None)  # type: ignore[arg-type] # unused
    source = opened("urls", b"http://user:secret@127.0.0.1/a.jpg?b#c", tools=tools)
    assert outcomes(source) == [("http://127.0.0.1/a.jpg?b", "blocked_address")]


def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(
    server: BadServer, monkeypatch: pytest.MonkeyPatch
):
    answers = iter(["127.0.0.1", "127.0.0.2"])
    asked, real = [], socket.getaddrinfo

    def resolve(host, port, *rest, **more):
        if host != "rebinding.example":
            return real(host, port, *rest, **more)
        asked.append(host)
        return real(next(answers), port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    port = server.base.rpartition(":")[2]
    assert fetched(f"http://rebinding.example:{port}/good", "127.0.0.1/32") == GOOD
    assert asked == ["rebinding.example"]
    assert fetched(f"http://rebinding.example:{port}/good", "127.0.0.1/32") == "blocked_address"


def test_one_special_address_among_several_is_enough(monkeypatch: pytest.MonkeyPatch):
    entry = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
    both = [(*entry, ("8.8.8.8", 80)), (*entry, ("10.0.0.1", 80))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: both)
    assert fetched("http://pictures.example/") == "blocked_address"


def test_our_own_table_has_the_last_word(server: BadServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "AntiSSRF.antissrf_policy.AntiSSRFPolicy._is_network_connection_allowed",
        lambda *_: True,
    )
    before = server.visits
    assert fetched(f"{server.base}/good") == "blocked_address"
    assert server.visits == before


def test_proxies_of_the_environment_are_not_used(
    server: BadServer, monkeypatch: pytest.MonkeyPatch
):
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "https_proxy"]:
        monkeypatch.setenv(name, server.base)
    before = server.visits
    assert fetched("http://10.0.0.1/good") == "blocked_address"
    assert server.visits == before


def test_nothing_is_left_behind(server: BadServer):
    own(server, "/good")
    threads = threading.active_count()
    with nothing_left_open():
        for path in ["/good", "/large", "/loop", "/nonsense", "/slow-body"]:
            own(server, path)
    wait_for(lambda: threading.active_count() <= threads)


def test_what_the_sink_raises_comes_through(server: BadServer):
    class Full:
        def write(self, data: bytes) -> int:
            raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        UrlFetcher(LIMITS, ["127.0.0.1/32"]).fetch(f"{server.base}/good", Full())

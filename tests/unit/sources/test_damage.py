"""Whatever the bytes: items and errors of ours, in bounded time, and nothing left behind."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lookalike.services.errors import PictureError, SourceError
from lookalike.services.sources.ports import Tools
from tests.hostile import Packed, member, tar_of, zip_of
from tests.unit.sources.reading import opened, outcome

NAMES = ["a.jpg", "b.png", "dir/c.jpg", "a.json", "a.cls", "x" * 200 + ".jpg"]
DATA = [b"", b"bytes of a picture", bytes(range(256)) * 20, b'{"title": "x", "tags": ["y"]}', b"7"]
PAIRS = [(f"{n}/{name}", data) for n, data in enumerate(DATA) for name in NAMES]

ZIP = zip_of([Packed(name.encode(), data) for name, data in PAIRS])
TAR = tar_of([member(name, data) for name, data in PAIRS])
CSV = b'path,url,title,tags,n\na.jpg,,"x, y",t,1\n,http://a.example/1.jpg,"q""q",,2\nb.jpg,,z,,3\n'
JSONL = b'{"path": "a.jpg", "tags": ["x"], "n": 1.5}\n{"url": "http://a.example/1.jpg"}\n' * 3
CAPTIONS = b"1.jpg#0\tone\n1.jpg#1\ttwo\n2.jpg| 0| three\n3.jpg,four\n"

WHOLE = {
    "zip": [ZIP],
    "tar": [TAR, gzip.compress(TAR), bz2.compress(TAR), lzma.compress(TAR)],
    "webdataset": [TAR, gzip.compress(TAR)],
    "csv": [CSV, CSV.decode().encode("utf-16")],
    "jsonl": [JSONL],
    "urls": [b"http://a.example/1.jpg\n# x\nhttps://b.example/2.jpg\n"],
    "flickr30k": [CAPTIONS],
}
MOST_SECONDS = 10


class Nowhere:
    """A fetcher that finds nothing."""

    def fetch(self, url: str, sink: object) -> None:
        raise PictureError("There is nothing.")


def read(kind: str, data: bytes, root: Path) -> None:
    """Read everything, and fail for what no source may do."""
    spec = {
        "csv": {"format": "csv", "folder": "."},
        "jsonl": {"format": "jsonl", "folder": "."},
        "flickr30k": {"path": "."},
    }.get(kind, {})
    tools = Tools(Nowhere(), None, None)  # type: ignore[arg-type] # not used
    file = io.BytesIO(data)
    before = sorted(root.rglob("*"))
    begin = time.monotonic()
    name = "manifest" if spec.get("format") else kind
    try:
        source = opened(name, file, roots=[root], tools=tools, **spec)
        try:
            total = source.total()
            results = [(item.position, item.name, outcome(item)) for item in source.items()]
        finally:
            source.close()
        assert [position for position, _, _ in results] == list(range(len(results)))
        assert all(0 < len(name) <= 1000 and name.isprintable() for _, name, _ in results)
        assert total is None or kind in {"tar", "webdataset"} or total == len(results)
    except SourceError:
        pass
    assert file.closed
    assert sorted(root.rglob("*")) == before
    assert time.monotonic() - begin < MOST_SECONDS


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("root")
    for name in ["a.jpg", "1.jpg", "2.jpg"]:
        (folder / name).write_bytes(b"bytes of a picture")
    return folder


steadily = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize("kind", WHOLE)
@steadily
@given(data=st.binary(max_size=3000))
def test_any_bytes(root: Path, kind: str, data: bytes):
    read(kind, data, root)


@pytest.mark.parametrize("kind", WHOLE)
@steadily
@given(data=st.data())
def test_any_change(root: Path, kind: str, data: st.DataObject):
    whole = bytearray(data.draw(st.sampled_from(WHOLE[kind])))
    changes = st.tuples(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=9))
    for place, new in data.draw(st.lists(changes, min_size=1, max_size=8)):
        whole[place : place + len(new)] = new
    read(kind, bytes(whole), root)


@pytest.mark.parametrize("kind", WHOLE)
@steadily
@given(data=st.data())
def test_any_cut_and_any_piece_twice(root: Path, kind: str, data: st.DataObject):
    whole = data.draw(st.sampled_from(WHOLE[kind]))
    begin, end = sorted(data.draw(st.tuples(*[st.integers(0, len(whole))] * 2)))
    read(kind, whole[:begin] + whole[end:], root)
    read(kind, whole[:end] + whole[begin:], root)


@steadily
@given(data=st.data())
def test_any_change_of_a_directory(root: Path, data: st.DataObject):
    """Most of a zip file is packed bytes; what is believed or not is in its last part."""
    whole = bytearray(ZIP)
    start = ZIP.index(b"PK\x01\x02")
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(start, len(whole) - 1))
        whole[place] = data.draw(st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]))
    read("zip", bytes(whole), root)

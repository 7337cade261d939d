"""WebDataset shards: pictures and what their neighbours of the same stem say."""

from __future__ import annotations

import gzip
import json
from io import BytesIO
from pathlib import Path

import pytest

from lookalike.services.sources import webdataset
from lookalike.services.sources.records import Found, SourceLimits
from lookalike.services.sources.webdataset import WebDatasetSource
from tests.hostile import member, tar_of
from tests.unit.sources.reading import GOOD, KIB, codes, nothing_left_open, opened, outcomes


def labels(data: bytes) -> dict:
    source = opened("webdataset", data)
    return {one.name: one.labels.model_dump() for one in source.items() if isinstance(one, Found)}


def test_labels_come_from_before_and_behind_the_picture():
    known = {"title": "A dog", "tags": ["dog", "x" * 500], "width": 10, "exif": {"a": 1}, "b": None}
    shard = tar_of(
        [
            member("a/0001.cls", b"7\n"),
            member("a/0001.jpg"),
            member("a/0001.json", json.dumps(known).encode()),
            member("a/0001.txt", b" A dog on\na lawn. "),
            member("a/0002.png"),
            member("a/0002.txt", b"A cat."),
            member("a/0003.left.jpg"),
            member("a/0003.right.jpg"),
            member("a/0003.cls", b"cat"),
            member("a/0004.npy"),
        ]
    )
    caption = {"caption": "A dog on\na lawn.", "width": 10, "class": 7}
    assert labels(shard) == {
        "a/0001.jpg": {"title": "A dog", "tags": ["dog"], "attributes": caption},
        "a/0002.png": {"title": "A cat.", "tags": [], "attributes": {"caption": "A cat."}},
        "a/0003.left.jpg": {"title": "", "tags": [], "attributes": {"class": "cat"}},
        "a/0003.right.jpg": {"title": "", "tags": [], "attributes": {"class": "cat"}},
    }
    assert labels(gzip.compress(shard)) == labels(shard)
    assert opened("webdataset", shard).total() == 4
    assert outcomes(opened("webdataset", shard), 2)[0] == ("a/0003.left.jpg", GOOD)


def test_label_files_that_make_no_sense_cost_no_picture():
    for text in [
        b"",
        b"[",
        b"[1]",
        b"[" * 50_000,
        b'{"title": [1], "tags": 7}',
        b"\xff\xfe",
        b"{" * 9,
    ]:
        shard = tar_of([member("1.jpg"), member("1.json", text), member("1.cls", b"\xff\x00")])
        assert codes(opened("webdataset", shard)) == ["ok"], text


def test_a_bad_picture_fails_alone():
    shard = tar_of(
        [
            member("1.jpg"),
            member("../2.jpg"),
            member("3.jpg", b"", kind=b"2"),
            member("4.jpg", bytes(300 * KIB)),
            member("5.txt", b"a" * 100 * KIB),
            member("5.jpg"),
        ]
    )
    bad = ["unsafe_name", "not_a_file", "too_large", "too_large"]
    assert codes(opened("webdataset", shard)) == ["ok", *bad, "ok"]


def test_a_sample_holds_no_more_than_a_picture_may():
    parts = [member(f"1.{number}.jpg", bytes(100 * KIB)) for number in range(4)]
    shard = tar_of([*parts, member("2.jpg")])
    assert codes(opened("webdataset", shard)) == ["ok", "ok", "too_large", "too_large", "ok"]


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [("../1.{}.jpg", b"", b"0"), ("1.{}.jpg", b"", b"2"), ("1.{}.jpg", b"", b"0")],
)
def test_members_of_one_stem_do_not_pile_up(
    monkeypatch: pytest.MonkeyPatch, name: str, data: bytes, kind: bytes
):
    monkeypatch.setattr(webdataset, "MOST_WAITING", 10)
    count = 2000
    same = [member(name.format(number), data, kind=kind) for number in range(count)]
    file = BytesIO(tar_of([member("1.txt", b"a dog"), *same]))
    source = WebDatasetSource(file, SourceLimits())
    items = source.items()
    next(items)
    assert file.tell() < len(file.getvalue()) / 2
    assert [item.position for item in items] == list(range(1, count))


def test_a_label_holds_for_all_that_come_behind_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webdataset, "MOST_WAITING", 2)
    pictures = [member(f"1.{number}.jpg") for number in range(5)]
    shard = tar_of([*pictures[:3], member("1.cls", b"7"), *pictures[3:], member("2.jpg")])
    known = {name: told["attributes"] for name, told in labels(shard).items()}
    assert known == {
        "1.0.jpg": {},
        "1.1.jpg": {},
        "1.2.jpg": {"class": 7},
        "1.3.jpg": {"class": 7},
        "1.4.jpg": {"class": 7},
        "2.jpg": {},
    }


def test_a_folder_of_shards_is_one_source(tmp_path: Path):
    (tmp_path / "0.tar").write_bytes(tar_of([member("1.jpg"), member("2.jpg")]))
    (tmp_path / "1.tar").write_bytes(GOOD)
    (tmp_path / "2.tar").write_bytes(tar_of([member("1.jpg"), member("1.cls", b"7")]))
    (tmp_path / "3.tar").symlink_to(tmp_path / "2.tar")
    (tmp_path / "notes.txt").write_bytes(GOOD)
    whole = [("0.tar/1.jpg", GOOD), ("0.tar/2.jpg", GOOD), ("1.tar", "damaged_entry")]
    whole.append(("2.tar/1.jpg", GOOD))
    with nothing_left_open():
        for start in range(5):
            source = opened("webdataset", roots=[tmp_path], folder=".")
            assert source.total() == 4
            assert [item.position for item in source.items(start)] == list(range(start, 4))
            assert outcomes(source, start) == whole[start:]
        abandoned = opened("webdataset", roots=[tmp_path], folder=".")
        next(abandoned.items())
        abandoned.close()

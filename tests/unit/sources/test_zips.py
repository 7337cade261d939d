"""Zip files that lie, and those that only look as if they did."""

from __future__ import annotations

import io
import time
import tracemalloc
import zipfile

import pytest

from lookalike.services.errors import SourceError
from lookalike.services.sources.records import Found, SourceLimits
from tests.hostile import Packed, many_entries, zip_bomb, zip_of
from tests.unit.sources.reading import (
    GOOD,
    KIB,
    LIMITS,
    codes,
    nothing_left_open,
    opened,
    outcomes,
)

LAST = Packed(b"last.jpg")

BAD = {
    "leads out": (Packed(b"../../evil.jpg"), "unsafe_name"),
    "leads out, Windows": (Packed(b"..\\evil.jpg"), "unsafe_name"),
    "absolute": (Packed(b"/etc/evil.jpg"), "unsafe_name"),
    "absolute, Windows": (Packed(b"C:\\evil.jpg"), "unsafe_name"),
    "NUL": (Packed(b"evil\x00.jpg"), "unsafe_name"),
    "line end": (Packed(b"evil\n.jpg"), "unsafe_name"),
    "turned": (Packed("gpj.\u202eexe.jpg".encode()), "unsafe_name"),
    "isolated": (Packed("\u2067exe\u2069.jpg".encode()), "unsafe_name"),
    "over-long": (Packed(b"a" * 4000 + b".jpg"), "unsafe_name"),
    "over-long part": (Packed(b"a" * 300 + b".jpg"), "unsafe_name"),
    "symlink": (Packed(b"link.jpg", b"/etc/passwd", mode=0o120777), "not_a_file"),
    "symlink of any name": (Packed(b"link", b"/etc", mode=0o120777), "not_a_file"),
    "device": (Packed(b"null.jpg", b"", mode=0o020666), "not_a_file"),
    "pipe": (Packed(b"pipe.jpg", b"", mode=0o010666), "not_a_file"),
    "nested": (Packed(b"inner.zip", zip_of([LAST])), "nested_archive"),
    "nested tar": (Packed(b"inner.tar.gz"), "nested_archive"),
    "encrypted": (Packed(b"secret.jpg", flags=1), "encrypted"),
    "strongly encrypted": (Packed(b"secret.jpg", flags=0x41), "encrypted"),
    "unknown method": (Packed(b"odd.jpg", method=99), "damaged_entry"),
    "wrong bytes": (Packed(b"crc.jpg", crc=1), "damaged_entry"),
    "smaller than said": (Packed(b"size.jpg", size=1000), "damaged_entry"),
    "larger than said": (Packed(b"size.jpg", size=1), "damaged_entry"),
    "said to be too large": (Packed(b"size.jpg", size=2**31), "too_large"),
    "no deflate": (Packed(b"cut.jpg", GOOD, packed_size=5), "damaged_entry"),
    "reaches into the next": (Packed(b"wide.jpg", packed_size=40), "damaged_entry"),
    "reaches beyond the end": (Packed(b"wide.jpg", packed_size=10**6), "damaged_entry"),
    "begins beyond the end": (Packed(b"far.jpg", offset=10**9), "damaged_entry"),
    "begins in the directory": (Packed(b"far.jpg", offset=200), "damaged_entry"),
    "other local name": (Packed(b"one.jpg", local_name=b"two.jpg"), "damaged_entry"),
    "bomb": (Packed(b"bomb.jpg", bytes(200 * KIB)), "ratio_too_high"),
    "bomb that lies": (Packed(b"bomb.jpg", bytes(900 * KIB), size=100), "ratio_too_high"),
    "same name": (Packed(b"first.jpg"), "duplicate_name"),
}


@pytest.mark.parametrize(("entry", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_entry_fails_alone(entry: Packed, code: str):
    data = zip_of([Packed(b"first.jpg"), entry, LAST])
    assert codes(opened("zip", data)) == ["ok", code, "ok"]


@pytest.mark.parametrize("entry", [entry for entry, _ in BAD.values()], ids=BAD.keys())
def test_every_name_that_is_shown_can_be_seen(entry: Packed):
    names = [name for name, _ in outcomes(opened("zip", zip_of([entry])))]
    assert all(name.isprintable() and 0 < len(name) <= 1000 for name in names)


def test_what_unpacks_to_too_much_is_stopped_on_actual_bytes():
    noise = bytes(range(256)) * (4 * KIB)
    stored = Packed(b"large.jpg", noise, method=0, size=100)
    assert codes(opened("zip", zip_of([stored, LAST]))) == ["too_large", "ok"]


def test_entries_that_share_bytes_are_refused():
    assert codes(opened("zip", zip_bomb(5, 10))) == ["damaged_entry"] * 5


def test_an_entry_that_swallows_others_is_refused_and_they_are_not():
    inner = zip_of([Packed(b"inner.jpg", method=0)])
    outer = Packed(b"outer.jpg", inner[:57], method=0)
    at = 30 + len(b"outer.jpg")
    hidden = Packed(b"inner.jpg", method=0, offset=at)
    assert codes(opened("zip", zip_of([outer, hidden, LAST]))) == ["damaged_entry", "ok", "ok"]


def test_folders_hidden_files_and_other_files_are_passed_over():
    names = [b"a/", b".hidden.jpg", b"__MACOSX/._a.jpg", b"a/.git/b.jpg", b"readme.txt", b"a/b.JPG"]
    data = zip_of([Packed(name) for name in names])
    assert outcomes(opened("zip", data)) == [("a/b.JPG", GOOD)]
    everything = [name for name, _ in outcomes(opened("zip", data, all_files=True))]
    assert everything == ["readme.txt", "a/b.JPG"]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("صورة.jpg".encode(), "صورة.jpg"),
        ("Zoë.jpg".encode("cp437"), "Zoë.jpg"),
        (b"\xff\xfe.jpg", "■.jpg"),
    ],
)
def test_names_of_every_writing_are_read(raw: bytes, shown: str):
    assert outcomes(opened("zip", zip_of([Packed(raw)]))) == [(shown, GOOD)]


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2], ids=str
)
def test_what_the_library_writes_is_read(method: int):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for number in range(3):
            archive.writestr(f"{number}.jpg", b"%d" % number * 10)
        with archive.open("streamed.jpg", "w", force_zip64=True) as entry:
            entry.write(GOOD)
    read = outcomes(opened("zip", file.getvalue()))
    assert read == [(f"{n}.jpg", b"%d" % n * 10) for n in range(3)] + [("streamed.jpg", GOOD)]


def test_what_was_put_in_front_or_behind_does_not_matter():
    data = zip_of([LAST], comment=b"a comment")
    assert codes(opened("zip", b"#!/bin/sh\n" + data)) == ["ok"]
    assert codes(opened("zip", zip_of([LAST], before=b"stub"))) == ["ok"]


def test_a_damaged_directory_loses_one_entry():
    data = zip_of([Packed(b"a.jpg"), Packed(b"b.jpg"), Packed(b"c.jpg")])
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    broken = data[:second] + b"XXXX" + data[second + 4 :]
    assert outcomes(opened("zip", broken)) == [
        ("a.jpg", GOOD),
        ("unnamed", "damaged_entry"),
        ("c.jpg", GOOD),
    ]


@pytest.mark.parametrize("data", [b"", b"PK", GOOD, zip_of([LAST])[:-5], bytes(100_000)])
def test_what_is_no_zip_is_told_at_once(data: bytes):
    file = io.BytesIO(data)
    with pytest.raises(SourceError):
        opened("zip", file)
    assert file.closed


def test_reading_can_begin_anywhere():
    names = [b"a.jpg", b"../b.jpg", b"c.jpg", b"c.jpg", b"d.txt", b"e.jpg"]
    data = zip_of([Packed(name) for name in names])
    whole = list(opened("zip", data).items())
    assert [item.position for item in whole] == [0, 1, 2, 3, 4]
    for start in range(6):
        later = list(opened("zip", data).items(start))
        assert [(one.position, one.name, type(one)) for one in later] == [
            (one.position, one.name, type(one)) for one in whole[start:]
        ]
    assert opened("zip", data).total() == 5


def test_a_hundred_thousand_entries_are_read():
    source = opened("zip", io.BytesIO(many_entries(100_000)))
    begin = time.monotonic()
    assert sum(isinstance(item, Found) for item in source.items()) == 100_000
    source.close()
    assert time.monotonic() - begin < 60


def test_memory_does_not_grow_with_the_entries():
    source = opened("zip", io.BytesIO(many_entries(20_000)))
    tracemalloc.start()
    assert sum(isinstance(item, Found) for item in source.items()) == 20_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    source.close()
    assert peak < 100 * 20_000  # 8 and 32 bytes each, and what doubling the table takes


def test_the_ratio_is_that_of_the_limits():
    data = zip_of([Packed(b"white.bmp", bytes(200 * KIB))])
    generous = SourceLimits(max_bytes=LIMITS.max_bytes, max_ratio=2000)
    assert codes(opened("zip", data, limits=generous)) == ["ok"]


def test_nothing_is_left_open(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(zip_of([Packed(b"a.jpg"), LAST]))
    with nothing_left_open():
        source = opened("zip", path.open("rb"))
        next(source.items())
        source.close()
        source.close()
    assert list(tmp_path.iterdir()) == [path]

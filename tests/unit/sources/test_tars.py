"""Tar archives that lie, packed and not."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from random import Random

import pytest

from lookalike.services.errors import SourceError
from lookalike.services.sources.records import Found, SourceLimits
from tests.hostile import member, tar_of, zip_of
from tests.unit.sources.reading import GOOD, KIB, LIMITS, codes, opened, outcomes

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
FIRST, LAST = member("first.jpg"), member("last.jpg")

BAD = {
    "leads out": (member("../../evil.jpg"), "unsafe_name"),
    "absolute": (member("/etc/evil.jpg"), "unsafe_name"),
    "line end": (member("evil\n.jpg"), "unsafe_name"),
    "turned": (member("gpj.\u202eexe.jpg"), "unsafe_name"),
    "over-long": (member("a" * 4000 + ".jpg"), "unsafe_name"),
    "symlink": (member("link.jpg", b"", kind=tarfile.SYMTYPE), "not_a_file"),
    "hard link": (member("link.jpg", b"", kind=tarfile.LNKTYPE), "not_a_file"),
    "device": (member("null.jpg", b"", kind=tarfile.CHRTYPE), "not_a_file"),
    "block device": (member("sda", b"", kind=tarfile.BLKTYPE), "not_a_file"),
    "pipe": (member("pipe.jpg", b"", kind=tarfile.FIFOTYPE), "not_a_file"),
    "with holes": (member("holes.jpg", b"", kind=tarfile.GNUTYPE_SPARSE), "not_a_file"),
    "nested": (member("inner.zip", zip_of([])), "nested_archive"),
    "too large": (member("large.jpg", bytes(300 * KIB)), "too_large"),
    "same name": (member("first.jpg"), "duplicate_name"),
}


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())
@pytest.mark.parametrize(("bad", "code"), BAD.values(), ids=BAD.keys())
def test_a_bad_member_fails_alone(bad, code: str, pack: Callable[[bytes], bytes]):
    data = pack(tar_of([FIRST, bad, LAST]))
    assert codes(opened("tar", data)) == ["ok", code, "ok"]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())
def test_a_damaged_header_fails_alone(pack: Callable[[bytes], bytes]):
    data = bytearray(tar_of([FIRST, member("bad.jpg"), LAST]))
    data[1024 + 150] ^= 0x55
    assert outcomes(opened("tar", pack(bytes(data)))) == [
        ("first.jpg", GOOD),
        ("unnamed", "damaged_entry"),
        ("last.jpg", GOOD),
    ]


def test_a_member_that_claims_to_be_smaller_hides_nothing():
    data = tar_of([member("small.jpg", bytes(1500) + b"1", size=10), LAST])
    assert codes(opened("tar", data)) == ["ok", "damaged_entry", "ok"]


def test_a_member_that_claims_more_than_the_archive_has_hides_nothing():
    lies = [member("huge.jpg", b"", size=200 * KIB), LAST]
    assert codes(opened("tar", tar_of(lies))) == ["damaged_entry", "ok"]


@pytest.mark.parametrize("size", [2**60, 2**70])
def test_sizes_that_nobody_can_mean_are_damage(size: int):
    data = tar_of([FIRST, member("huge.jpg", b"", size=size), LAST], tarfile.GNU_FORMAT)
    assert codes(opened("tar", data)) == ["ok", "damaged_entry", "ok"]


def test_a_bomb_in_a_packed_archive_fails_alone():
    limits = SourceLimits(max_bytes=64 * KIB * KIB)
    noise = bytes(range(256)) * 64
    data = gzip.compress(tar_of([FIRST, member("bomb.jpg", bytes(50 * KIB * KIB)), LAST]) + noise)
    assert codes(opened("tar", data, limits=limits)) == ["ok", "ratio_too_high", "ok"]


@pytest.mark.parametrize("pack", ["gzip", "bzip2", "xz"])
def test_an_archive_that_is_nothing_but_a_bomb_ends_in_time_and_memory(pack, monkeypatch):
    monkeypatch.setattr("lookalike.services.sources.streams.MOST_WASTE", 32 * KIB * KIB)
    bomb = PACKERS[pack](tar_of([FIRST, member("bomb.jpg", bytes(100 * KIB * KIB)), LAST]))
    begin = time.monotonic()
    tracemalloc.start()
    assert codes(opened("tar", bomb)) == ["ok", "too_large", "ratio_too_high"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 * KIB * KIB
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize("pack", ["gzip", "bzip2", "xz"])
@pytest.mark.parametrize("part", [0.4, 0.6, 0.9])
def test_behind_damage_of_the_packing_one_item_tells(pack: str, part: float):
    noise = Random(1).randbytes(250 * KIB)
    data = PACKERS[pack](tar_of([member(f"{n}.jpg", noise[n * 100 :]) for n in range(12)]))
    cut = outcomes(opened("tar", data[: int(len(data) * part)]))
    assert cut
    assert isinstance(cut[-1][1], str)
    assert cut[-1] == ("the rest of the archive", "damaged_entry")


def test_long_names_of_both_kinds_are_read():
    name = "folder/" * 30 + "é.jpg"
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=form) as archive:
            info, data = member(name)
            archive.addfile(info, io.BytesIO(data))
        assert outcomes(opened("tar", file.getvalue())) == [(name, GOOD)]


def test_a_name_that_goes_on_for_ever_takes_no_memory():
    long = member("././@LongLink", b"", size=2**40, kind=tarfile.GNUTYPE_LONGNAME)
    tracemalloc.start()
    endless = tar_of([FIRST, long, LAST], tarfile.GNU_FORMAT)
    assert codes(opened("tar", endless)) == ["ok", "ok"]
    large = member("././@LongLink", b"a" * (4 * KIB * KIB), kind=tarfile.GNUTYPE_LONGNAME)
    packed = gzip.compress(tar_of([FIRST, large, LAST]))
    assert codes(opened("tar", packed)) == ["ok", "ok"]
    assert tracemalloc.get_traced_memory()[1] < 24 * KIB * KIB
    tracemalloc.stop()


def test_pax_records_that_lie_are_left_out():
    lies = [
        b"9999999999999 path=/etc/evil\n",
        b"0 path=a\n",
        b"-5 path=a\n",
        b"nonsense",
        b"7 a=b\n",
    ]
    for text in lies:
        record = member("pax", text, kind=tarfile.XHDTYPE)
        assert codes(opened("tar", tar_of([record, FIRST]))) == ["ok"], text


def test_a_pax_size_that_nobody_can_mean_is_damage():
    text = b"99 size=" + b"9" * 90 + b"\n"
    text = b"%d%s" % (len(text) + 0, text[2:])
    record = member("pax", text, kind=tarfile.XHDTYPE)
    assert codes(opened("tar", tar_of([record, FIRST, LAST]))) == [
        "damaged_entry",
        "damaged_entry",
        "ok",
    ]


@pytest.mark.parametrize("pack", PACKERS.values(), ids=PACKERS.keys())
def test_what_the_library_writes_is_read(pack: Callable[[bytes], bytes]):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        archive.addfile(*_opened("folder", b"", tarfile.DIRTYPE))
        for number in range(4):
            archive.addfile(*_opened(f"folder/{number}.jpg", b"%d" % number * 700))
        archive.addfile(*_opened("folder/readme.txt", b"text"))
    read = outcomes(opened("tar", pack(file.getvalue())))
    assert read == [(f"folder/{n}.jpg", b"%d" % n * 700) for n in range(4)]


def test_several_packed_parts_after_another_are_one_archive():
    data = tar_of([FIRST, LAST])
    parts = gzip.compress(data[:700]) + gzip.compress(data[700:]) + bytes(100)
    assert codes(opened("tar", parts)) == ["ok", "ok"]


@pytest.mark.parametrize(
    "data",
    [b"", GOOD, b"\x1f\x8b", gzip.compress(GOOD), zip_of([]), b"\xff" * 2000],
    ids=["nothing", "text", "cut gzip", "gzip of text", "zip", "noise"],
)
def test_what_is_no_tar_is_told_at_once(data: bytes):
    file = io.BytesIO(data)
    with pytest.raises(SourceError):
        opened("tar", file)
    assert file.closed


def test_an_empty_archive_has_no_items():
    assert codes(opened("tar", bytes(10240))) == []


def test_reading_can_begin_anywhere_and_what_is_not_read_is_passed_over():
    names = ["a.jpg", "../b.jpg", "c.txt", "d.jpg", "d.jpg", "e.jpg"]
    for pack in PACKERS.values():
        data = pack(tar_of([member(name) for name in names]))
        whole = outcomes(opened("tar", data))
        for start in range(6):
            assert outcomes(opened("tar", data), start) == whole[start:]
        unread = [item.name for item in opened("tar", data).items() if isinstance(item, Found)]
        assert unread == ["a.jpg", "d.jpg", "e.jpg"]


def test_the_total_is_known_where_nothing_is_packed():
    data = tar_of([FIRST, member("readme.txt"), LAST])
    assert opened("tar", data).total() == 2
    assert opened("tar", gzip.compress(data)).total() is None


def test_large_members_are_stopped_on_actual_bytes():
    data = tar_of([member("a.jpg", bytes(LIMITS.max_bytes)), LAST])
    assert codes(opened("tar", data)) == ["ok", "ok"]


def _opened(name: str, data: bytes, kind: bytes = tarfile.REGTYPE):
    info, data = member(name, data, kind=kind)
    return info, io.BytesIO(data)

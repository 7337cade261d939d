"""Whatever the bytes: a picture within limits or an error that says why, and nothing left over."""

from __future__ import annotations

import gc
import io
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lookalike.services.errors import PictureError
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.inspection import PictureInfo, inspect
from lookalike.services.imaging.limits import Limits
from tests import heic
from tests.factories import ODD, picture, scene
from tests.odd_bytes import jpeg_many_scans

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL.TiffImagePlugin")

SMALL = Limits(max_bytes=200_000, max_pixels=100_000, min_side=8)
KINDS = ("JPEG", "PNG", "WEBP", "AVIF", "GIF", "TIFF", "BMP", "HEIC")
OPEN_FILES = Path("/proc/self/fd")
ODD_SEEDS = tuple(name for name in ODD if len(ODD[name].data) < 100_000)


def sample(kind: str) -> bytes:
    size = (40, 30)
    return heic.encode(scene(0, size)) if kind == "HEIC" else picture(0, size, kind)


SAMPLES = {kind: sample(kind) for kind in KINDS}
codes = st.sampled_from(ODD_SEEDS).map(lambda name: ODD[name].data)
seeds = st.sampled_from(KINDS).map(SAMPLES.__getitem__) | codes


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A file with bytes overwritten, most of them near its beginning, cut or spliced."""
    data = bytearray(draw(seeds))
    for _ in range(draw(st.integers(0, 6))):
        reach = draw(st.sampled_from((16, 64, 600, len(data))))
        position = draw(st.integers(0, max(0, min(reach, len(data)) - 1)))
        data[position : position + 1] = draw(st.binary(min_size=1, max_size=4))
    if draw(st.booleans()):
        start = draw(st.integers(0, len(data)))
        data[start:] = draw(seeds)[start:] if draw(st.booleans()) else b""
    return bytes(data)


def outcome(data: bytes, longest: int | None = None) -> str:
    """What became of the bytes, after checking everything that is promised of it."""
    file = io.BytesIO(data)
    try:
        info = inspect(file, SMALL)
        assert isinstance(info, PictureInfo)
        image = decode(file, SMALL, longest)
    except PictureError as error:
        return error.code
    finally:
        assert not file.closed
    assert image.mode == "RGB"
    assert image.width * image.height <= SMALL.max_pixels
    assert longest is not None or min(image.size) >= SMALL.min_side
    assert longest is None or max(image.size) <= longest
    assert len(image.tobytes()) == image.width * image.height * 3
    return "picture"


@settings(max_examples=1000, deadline=None)
@given(data=damaged(), longest=st.none() | st.integers(1, 100))
def test_any_damage_ends_as_a_picture_or_as_an_error_of_ours(data: bytes, longest: int | None):
    outcome(data, longest)


@settings(max_examples=300, deadline=None)
@given(data=st.binary(max_size=300), kind=st.sampled_from(KINDS), keep=st.integers(0, 40))
def test_any_bytes_behind_any_beginning_end_the_same_way(data: bytes, kind: str, keep: int):
    outcome(SAMPLES[kind][:keep] + data)


@settings(deadline=None)
@given(data=st.binary(max_size=100))
@example(b"\xff\xd8\xff")
@example(b"BM")
@example(b"\0\0\0\x20ftypavif")
@example(b"RIFF\0\0\0\0WEBPVP8X")
def test_any_few_bytes_end_the_same_way(data: bytes):
    assert outcome(data) != "picture"


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_cut_anywhere_is_truncated_or_not_yet_a_picture(kind: str):
    data = SAMPLES[kind]
    found = {outcome(data[:length]) for length in range(0, len(data) - len(data) // 20, 7)}
    assert found <= {"empty_file", "not_an_image", "truncated", "unsupported_format"}


def test_many_scans_are_refused_before_they_are_decoded():
    assert outcome(jpeg_many_scans(500)) == "corrupt"
    assert outcome(jpeg_many_scans(5)) == "picture"


def test_nothing_is_left_open_and_no_temporary_file_stays(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    rng = random.Random(0)
    for name in ODD_SEEDS:
        outcome(ODD[name].data)
    gc.collect()
    before = len(list(OPEN_FILES.iterdir()))
    for name in ODD_SEEDS:
        data = bytearray(ODD[name].data)
        for _ in range(3):
            if data:
                data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            outcome(bytes(data))
    gc.collect()
    assert len(list(OPEN_FILES.iterdir())) == before
    assert list(tmp_path.iterdir()) == []

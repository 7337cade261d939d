"""What the first bytes say."""

from __future__ import annotations

import struct
import time

import pytest

from lookalike.services.errors import NotAnImageError, UnsupportedFormatError
from lookalike.services.imaging.signatures import HEAD_BYTES, identify


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = major + bytes(4) + b"".join(compatible)
    return struct.pack(">I", len(body) + 8) + b"ftyp" + body + bytes(40)


@pytest.mark.parametrize(
    ("brands", "expected"),
    [
        ((b"avif",), "avif"),
        ((b"avis",), "avif"),
        ((b"heic", b"mif1"), "heic"),
        ((b"heix",), "heic"),
        ((b"mif1", b"heic"), "heic"),
        ((b"mif1", b"miaf", b"avif"), "avif"),
        ((b"msf1", b"hevc"), "heic"),
        ((b"mif1",), "heic"),
    ],
)
def test_brands_tell_avif_from_heic(brands: tuple[bytes, ...], expected: str):
    assert identify(ftyp(*brands)) == expected


@pytest.mark.parametrize("brand", [b"isom", b"mp42", b"qt  "])
def test_other_brands_are_videos(brand: bytes):
    with pytest.raises(UnsupportedFormatError, match="video"):
        identify(ftyp(brand))


def test_a_brand_in_the_data_behind_the_box_does_not_count():
    with pytest.raises(UnsupportedFormatError):
        identify(ftyp(b"isom") + b"avif" * 10)


def test_canon_raw_is_not_taken_for_a_video():
    with pytest.raises(UnsupportedFormatError, match="CR3"):
        identify(ftyp(b"crx "))


@pytest.mark.parametrize(
    "head",
    [
        b"\xef\xbb\xbf<svg>",
        b"\n <!-- one --> <!-- two -->\n<svg viewBox='0 0 1 1'>",
        b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'svg11.dtd'><svg>",
        b"<!DOCTYPE svg [<!ENTITY a 'b'>]><SVG>",
    ],
)
def test_svg_is_known_behind_any_prolog(head: bytes):
    with pytest.raises(UnsupportedFormatError, match="SVG"):
        identify(head)


@pytest.mark.parametrize("part", [b"<!---->", b"<??>", b" ", b"<!DOCTYPE [", b"<!--", b"P1 #\n"])
def test_no_head_makes_the_search_slow(part: bytes):
    head = (part * HEAD_BYTES)[:HEAD_BYTES]
    started = time.process_time()
    with pytest.raises(NotAnImageError):
        identify(head)
    assert time.process_time() - started < 0.5


@pytest.mark.parametrize("text", [b"BMW is a maker of cars", b"GIF is a format", b"P1 is a car"])
def test_text_that_begins_like_a_format_is_text(text: bytes):
    with pytest.raises(NotAnImageError, match="holds text"):
        identify(text)


def test_text_that_is_cut_inside_a_letter_is_text():
    with pytest.raises(NotAnImageError, match="holds text"):
        identify("naïve".encode()[:3])

"""What kind of file the first bytes say it is, whatever its name.

Only `FORMATS` are ever handed to a decoder. Magic numbers are from the formats' own
specifications (JPEG: ITU-T T.81, PNG: W3C PNG, WebP: RFC 9649, HEIF and AVIF: ISO/IEC 23008-12
and AV1-AVIF, TIFF 6.0, GIF89a, BMP: BITMAPFILEHEADER) and from the IANA media type register.
"""

from __future__ import annotations

import re
from typing import TypeAlias

from lookalike.services.errors import (
    EmptyFileError,
    NotAnImageError,
    PictureError,
    UnsupportedFormatError,
)

FORMATS = ("jpeg", "png", "webp", "avif", "gif", "tiff", "bmp", "heic")
"""The formats that are read, by the names that the rest of Lookalike uses."""

HEAD_BYTES = 4096
"""How much of a file `identify` wants to see; an SVG may begin with a long comment."""

Magic: TypeAlias = tuple[str, int, bytes]
"""A name, an offset and the bytes that are found there."""

_READ: tuple[Magic, ...] = (
    ("jpeg", 0, b"\xff\xd8\xff"),
    ("png", 0, b"\x89PNG\r\n\x1a\n"),
    ("gif", 0, b"GIF87a"),
    ("gif", 0, b"GIF89a"),
    ("webp", 8, b"WEBP"),
)
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BMP_HEADER_SIZES = (12, 40, 52, 56, 64, 108, 124)
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_ANY_CODEC_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf"}

_REFUSED: tuple[Magic, ...] = (
    ("a PDF document", 0, b"%PDF-"),
    ("a PostScript file (EPS, PS)", 0, b"%!PS"),
    ("a PostScript file (EPS, PS)", 0, b"\xc5\xd0\xd3\xc6"),
    ("a Photoshop file (PSD)", 0, b"8BPS"),
    ("a GIMP file (XCF)", 0, b"gimp xcf"),
    ("an icon (ICO)", 0, b"\0\0\1\0"),
    ("an icon (ICNS)", 0, b"icns"),
    ("a cursor (CUR)", 0, b"\0\0\2\0"),
    ("a JPEG 2000 picture", 0, b"\0\0\0\x0cjP  \r\n\x87\n"),
    ("a JPEG 2000 picture", 0, b"\xff\x4f\xff\x51"),
    ("a JPEG XL picture", 0, b"\0\0\0\x0cJXL \r\n\x87\n"),
    ("a JPEG XL picture", 0, b"\xff\x0a"),
    ("a JPEG XR picture", 0, b"II\xbc\x01"),
    ("a Canon raw photo (CR2)", 8, b"CR\x02"),
    ("a Canon raw photo (CR3)", 4, b"ftypcrx "),
    ("a Fujifilm raw photo (RAF)", 0, b"FUJIFILMCCD-RAW"),
    ("an Olympus raw photo (ORF)", 0, b"IIRO"),
    ("an Olympus raw photo (ORF)", 0, b"IIRS"),
    ("a Panasonic raw photo (RW2)", 0, b"IIU\0"),
    ("a Minolta raw photo (MRW)", 0, b"\0MRM"),
    ("a Sigma raw photo (X3F)", 0, b"FOVb"),
    ("an OpenEXR picture", 0, b"\x76\x2f\x31\x01"),
    ("a Radiance picture (HDR)", 0, b"#?RADIANCE"),
    ("a DirectDraw texture (DDS)", 0, b"DDS "),
    ("a QOI picture", 0, b"qoif"),
    ("a BPG picture", 0, b"BPG\xfb"),
    ("a FITS picture", 0, b"SIMPLE  ="),
    ("a DICOM picture", 128, b"DICM"),
    ("a DjVu document", 0, b"AT&TFORM"),
    ("a Windows metafile (WMF)", 0, b"\xd7\xcd\xc6\x9a"),
    ("an animation (MNG)", 0, b"\x8aMNG"),
    ("a video (AVI)", 8, b"AVI "),
    ("a video (Matroska, WebM)", 0, b"\x1a\x45\xdf\xa3"),
    ("a video (MP4, MOV)", 4, b"ftyp"),
)
_NO_PICTURE: tuple[Magic, ...] = (
    ("an archive (ZIP) or an office document", 0, b"PK\x03\x04"),
    ("an archive (gzip)", 0, b"\x1f\x8b"),
    ("an archive (7z)", 0, b"7z\xbc\xaf\x27\x1c"),
    ("an archive (RAR)", 0, b"Rar!"),
    ("a program", 0, b"\x7fELF"),
    ("a program", 0, b"MZ"),
)

# Possessive, so that no file can make the search try every way to split its comments.
_PROLOG = rb"(?>\s+|<\?.*?\?>|<!--.*?-->|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>)*+"
_SVG = re.compile(rb"(?:\xef\xbb\xbf)?" + _PROLOG + rb"<svg[\s>]", re.DOTALL | re.IGNORECASE)
_HTML = re.compile(rb"\s*<(?:!DOCTYPE\s+html|html|head|body)\b", re.IGNORECASE)
_NETPBM = re.compile(rb"P[1-6]\s(?:\s*#.*\n)*\s*\d+\s+\d+\s|P7\nWIDTH")


def identify(head: bytes) -> str:
    """One of `FORMATS`, judged by the file's first `HEAD_BYTES` bytes.

    Raises EmptyFileError without any byte, UnsupportedFormatError for pictures and documents that
    are not read and NotAnImageError for everything else; both say what the file looks like.
    """
    if not head:
        raise EmptyFileError("The file is empty. Choose the picture again; its copy was cut short.")
    name = _readable(head)
    if name is None:
        raise _refusal(head)
    return name


def unsupported(kind: str) -> UnsupportedFormatError:
    """The error for a file that is `kind` ("a PDF document"), with what would be read."""
    return UnsupportedFormatError(
        f"This is {kind}, which Lookalike does not read. Save it as JPEG or PNG and try again.",
        looks_like=kind,
        formats=list(FORMATS),
    )


def _readable(head: bytes) -> str | None:
    if (name := _match(_READ, head)) is not None:
        return name
    if head.startswith(_TIFF) and not _match(_REFUSED, head):
        return "tiff"
    if head[:2] == b"BM" and int.from_bytes(head[14:18], "little") in _BMP_HEADER_SIZES:
        return "bmp"
    return _iso_media(head) if head[4:8] == b"ftyp" else None


def _iso_media(head: bytes) -> str | None:
    """HEIF containers hold any codec: the brands say which (ISO/IEC 14496-12, 4.3)."""
    major = head[8:12]
    end = min(int.from_bytes(head[:4], "big"), 256)
    brands = {major} | {head[start : start + 4] for start in range(16, end, 4)}
    if major in _HEIC_BRANDS:
        return "heic"
    if brands & _AVIF_BRANDS:
        return "avif"
    return "heic" if brands & _HEIC_BRANDS or major in _ANY_CODEC_BRANDS else None


def _refusal(head: bytes) -> PictureError:
    if _SVG.match(head):
        return unsupported("a drawing (SVG)")
    if _NETPBM.match(head):
        return unsupported("a Netpbm picture (PBM, PGM, PPM)")
    if (kind := _match(_REFUSED, head)) is not None:
        return unsupported(kind)
    kind = _unpictorial(head)
    return NotAnImageError(
        f"This file is not a picture: it {kind}. Choose a JPEG, PNG, WebP, AVIF, GIF, TIFF, "
        "BMP or HEIC file.",
        formats=list(FORMATS),
    )


def _unpictorial(head: bytes) -> str:
    if _HTML.match(head):
        return "is a web page"
    if (kind := _match(_NO_PICTURE, head)) is not None:
        return f"is {kind}"
    return "holds text" if _is_text(head) else "begins like no known picture format"


def _is_text(head: bytes) -> bool:
    text = head.decode("utf-8", errors="replace").rstrip("\ufffd")
    return "\ufffd" not in text and all(sign.isprintable() or sign.isspace() for sign in text)


def _match(signatures: tuple[Magic, ...], head: bytes) -> str | None:
    return next((name for name, at, magic in signatures if head.startswith(magic, at)), None)

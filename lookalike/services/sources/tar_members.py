"""The members of a tar archive, header by header, believing none of them.

The library reads a header; what spans several (long names, pax records) and what to do after
damage is here, because the library's own reader takes the first damage for the end. Format: POSIX
pax, ustar interchange format, with GNU's long names.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

from lookalike.services.sources.streams import Stream

_RECORD = 512
_EMPTY = bytes(_RECORD)
_FILES = frozenset({tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE})
_NO_DATA = frozenset(b"%d" % number for number in range(1, 7))
"""Links, devices, folders and pipes: whatever size they claim, nothing follows."""
_TEXTS = frozenset(b"%c" % letter for letter in b"LKxgX")
"""Headers that tell more about the next member, or about all."""
_LARGEST = 2**53


@dataclass(frozen=True, slots=True)
class Member:
    """One member: its name, the bytes that it claims to have, and what it is.

    One that is neither a file nor a folder is a link, a device, a pipe or a file with holes.
    """

    name: str
    size: int
    is_file: bool
    is_folder: bool


class Members:
    """Reads a stream from one member to the next."""

    def __init__(self, stream: Stream, max_text_bytes: int) -> None:
        """`max_text_bytes`: of a long name or a set of pax records."""
        self._stream = stream
        self._max_text_bytes = max_text_bytes
        self._end = 0

    def __iter__(self) -> Iterator[Member | None]:
        """Every member; None once for each part that makes no sense.

        While a member is in hand, `read` gives its bytes. What of them is not read is passed over.
        Raises PictureError where nothing more can be read.
        """
        extra: dict[str, str] = {}
        lost = False
        while header := self._header():
            if (known := _parse(header, strict=lost)) is None:
                if not lost:
                    yield None
                extra, lost = {}, True
                continue
            lost = False
            if known.type in _TEXTS:
                extra |= self._text(known)
            else:
                yield self._begin(known, extra)
                extra = {}

    def read(self, size: int) -> bytes:
        """The next bytes of the member in hand; empty at its end. Raises PictureError."""
        left = self._end - self._stream.position
        return self._stream.read(min(size, left)) if left > 0 else b""

    def _header(self) -> bytes:
        """The next header, past what is left of a member; empty at the end."""
        place = -(-self._end // _RECORD) * _RECORD
        self._stream.skip(max(0, place - self._stream.position))
        header = self._exactly(_RECORD)
        if header == _EMPTY and (header := self._exactly(_RECORD)) == _EMPTY:
            return b""
        self._end = self._stream.position
        return header

    def _begin(self, header: tarfile.TarInfo, extra: dict[str, str]) -> Member | None:
        size, name = _number(extra.get("size"), header.size), extra.get("path", header.name)
        if size is None:
            return None
        if header.type not in _NO_DATA:
            self._claim(size)
        has_holes = any(key.startswith("GNU.sparse") for key in extra)
        return Member(
            name,
            size,
            is_file=header.type in _FILES and not has_holes,
            is_folder=header.isdir(),
        )

    def _claim(self, size: int) -> None:
        """Count the next bytes to this member, unless there are not so many: that is a lie."""
        end, length = self._stream.position + size, self._stream.length
        if length is None or end <= length:
            self._end = end

    def _text(self, header: tarfile.TarInfo) -> dict[str, str]:
        """What a header says of the next member; nothing where it is too long to be meant."""
        self._claim(max(0, header.size))
        if not 0 <= header.size <= self._max_text_bytes:
            return {}
        text = self._exactly(self._end - self._stream.position)
        if header.type == tarfile.GNUTYPE_LONGNAME:
            return {"path": text.rstrip(b"\x00").decode("utf-8", "surrogateescape")}
        return _pax_records(text) if header.type in {tarfile.XHDTYPE, b"X"} else {}

    def _exactly(self, size: int) -> bytes:
        """So many bytes, or all that are left."""
        pieces = bytearray()
        while len(pieces) < size and (piece := self._stream.read(size - len(pieces))):
            pieces += piece
        return bytes(pieces)


def is_tar(begin: bytes) -> bool:
    """Whether an archive's first record is a header, or the end mark of an empty archive."""
    return begin[:_RECORD] == _EMPTY or _parse(begin[:_RECORD], strict=False) is not None


def _parse(header: bytes, *, strict: bool) -> tarfile.TarInfo | None:
    """The header, or None; `strict` refuses those of before 1988, for which much can be taken."""
    if strict and header[257:262] != b"ustar":
        return None
    try:
        known = tarfile.TarInfo.frombuf(header, "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return None
    return known if 0 <= known.size <= _LARGEST else None


def _pax_records(text: bytes) -> dict[str, str]:
    """`length key=value` lines; what follows a line that lies about its length is left out."""
    records: dict[str, str] = {}
    place = 0
    while place < len(text):
        digits = text[place : place + 20].partition(b" ")[0]
        length = _number(digits.decode("ascii", "replace"), 0) or 0
        line = text[place + len(digits) + 1 : place + length]
        key, equals, value = line.removesuffix(b"\n").partition(b"=")
        if not equals or place + length > len(text):
            break
        records[key.decode("utf-8", "replace")] = value.decode("utf-8", "surrogateescape")
        place += length
    return records


def _number(text: str | None, otherwise: int) -> int | None:
    """A size in decimal digits; None where it is none that can be meant."""
    if text is None:
        return otherwise
    if not (text.isascii() and text.isdigit()) or len(text) > 16:
        return None
    return number if (number := int(text)) <= _LARGEST else None

"""The directory of a zip file, entry by entry, believing none of it.

Written here because the standard library reads the whole directory into memory first, and gives
up all of it for one bad entry. Format: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from lookalike.services.errors import SourceError

_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_END64 = struct.Struct("<4sQ2H2I4Q")
_LOCATOR = struct.Struct("<4sIQI")
_LOCAL = struct.Struct("<4s5H3I2H")
_LONGEST_COMMENT = 65535
_FULL16, _FULL32 = 0xFFFF, 0xFFFFFFFF
_BLOCK = 64 * 1024


@dataclass(frozen=True, slots=True)
class ZipEntry:
    """What the directory says of one entry. `offset` is where its own header begins in the file."""

    raw_name: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    offset: int
    mode: int

    @property
    def name(self) -> str:
        """UTF-8 where it is that, whatever the flag says; otherwise code page 437."""
        try:
            return self.raw_name.decode("utf-8")
        except UnicodeDecodeError:
            return self.raw_name.decode("cp437")


class ZipDirectory:
    """Where the directory of a zip file lies. Raises SourceError where the file has none."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        end, size, offset = _find_directory(file)
        self.start = end - size
        self._end = end
        # What was put in front of the archive moves all that it says of places.
        self._shift = self.start - offset
        if self.start < 0 or self._shift < 0:
            raise _not_a_zip()

    def entries(self) -> Iterator[ZipEntry | None]:
        """Every entry in the order of the directory; None where a part of it makes no sense."""
        position = self.start
        while position + _CENTRAL.size <= self._end:
            record = self._read(position, _CENTRAL.size)
            fields = _CENTRAL.unpack(record)
            after = position + _CENTRAL.size + sum(fields[10:13])
            if fields[0] != b"PK\x01\x02" or after > self._end:
                yield None
                position = self._next_record(position + 1)
                continue
            names = self._read(position + _CENTRAL.size, fields[10] + fields[11])
            yield self._entry(fields, names[: fields[10]], names[fields[10] :])
            position = after

    def data_start(self, entry: ZipEntry) -> int | None:
        """Where the packed bytes begin; None where the entry's own header says something else."""
        record = self._read(entry.offset, _LOCAL.size)
        if len(record) < _LOCAL.size:
            return None
        mark, _, flags, method, _, _, _, packed, _, name_size, extra = _LOCAL.unpack(record)
        begin: int = entry.offset + _LOCAL.size + name_size + extra
        name = self._read(entry.offset + _LOCAL.size, name_size)
        known = flags & 8 or packed in {entry.packed, _FULL32}
        if mark != b"PK\x03\x04" or name != entry.raw_name or method != entry.method or not known:
            return None
        return begin

    def _entry(self, fields: tuple[int, ...], raw_name: bytes, extra: bytes) -> ZipEntry:
        made_by, flags, method, crc = fields[1], fields[3], fields[4], fields[7]
        packed, size, offset = fields[8], fields[9], fields[16]
        size, packed, offset = _with_zip64(extra, size, packed, offset)
        mode = fields[15] >> 16 if made_by >> 8 == 3 else 0
        return ZipEntry(raw_name, flags, method, crc, packed, size, offset + self._shift, mode)

    def _next_record(self, position: int) -> int:
        """Where the next thing that looks like an entry begins, or the end."""
        while position < self._end:
            block = self._read(position, min(_BLOCK, self._end - position))
            if (found := block.find(b"PK\x01\x02")) >= 0:
                return position + found
            if len(block) < 4:
                break
            position += len(block) - 3
        return self._end

    def _read(self, position: int, size: int) -> bytes:
        if position > self._end:
            return b""
        self._file.seek(position)
        return self._file.read(size)


def _find_directory(file: BinaryIO) -> tuple[int, int, int]:
    """Where the directory ends, how long it is, and where it says that it begins."""
    length = file.seek(0, 2)
    begin = max(0, length - _LONGEST_COMMENT - _END.size)
    file.seek(begin)
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06", 0, max(0, len(tail) - _END.size + 4))
    if place < 0:
        raise _not_a_zip()
    _, _, _, _, _, size, offset, _ = _END.unpack_from(tail, place)
    return _find_directory64(file, begin + place) or (begin + place, size, offset)


def _find_directory64(file: BinaryIO, end: int) -> tuple[int, int, int] | None:
    """The same, as the records of large archives have it; None where there are none."""
    begin = end - _LOCATOR.size - _END64.size
    file.seek(max(0, begin))
    records = file.read(_END64.size + _LOCATOR.size)
    if begin < 0 or records[:4] != b"PK\x06\x06" or records[_END64.size :][:4] != b"PK\x06\x07":
        return None
    *_, size, offset = _END64.unpack_from(records)
    return begin, size, offset


def _with_zip64(extra: bytes, *sizes: int) -> tuple[int, int, int]:
    """Unpacked size, packed size and offset, the real ones where the short fields are full."""
    wide = iter(_zip64_values(extra))
    size, packed, offset = (next(wide, one) if one == _FULL32 else one for one in sizes)
    return size, packed, offset


def _zip64_values(extra: bytes) -> Iterator[int]:
    while len(extra) >= 4:
        kind, length = struct.unpack_from("<2H", extra)
        if kind == 1:
            for place in range(4, min(4 + length, len(extra)) - 7, 8):
                yield struct.unpack_from("<Q", extra, place)[0]
            return
        extra = extra[4 + length :]


def _not_a_zip() -> SourceError:
    return SourceError("This is not a whole zip file. Make it again, and upload all of it.")

"""Archives that mean harm, built byte by byte where libraries would refuse to."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Packed:
    """One entry of a zip file. What is None is what is true."""

    name: bytes
    data: bytes = b"bytes of a picture"
    method: int = 8
    flags: int = 0
    mode: int = 0o100644
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    local_name: bytes | None = None
    offset: int | None = None
    local_extra: bytes = b""


def zip_of(entries: Sequence[Packed], before: bytes = b"", comment: bytes = b"") -> bytes:
    """A zip file of these entries, lies and all."""
    body, directory = bytearray(before), bytearray()
    for entry in entries:
        packed = _deflated(entry.data) if entry.method == 8 else entry.data
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        size = len(entry.data) if entry.size is None else entry.size
        packed_size = len(packed) if entry.packed_size is None else entry.packed_size
        common = struct.pack(
            "<5H3I2H",
            20, entry.flags, entry.method, 0, 0x21, crc, packed_size, size,
            len(entry.name), 0,
        )  # fmt: skip
        offset = len(body) if entry.offset is None else entry.offset
        local = entry.name if entry.local_name is None else entry.local_name
        body += b"PK\x03\x04" + common[:-4] + struct.pack("<2H", len(local), len(entry.local_extra))
        body += local + entry.local_extra + packed
        directory += b"PK\x01\x02" + struct.pack("<H", 0x0314) + common
        directory += struct.pack("<3H2I", 0, 0, 0, entry.mode << 16, offset) + entry.name
    count = min(len(entries), 0xFFFF)
    end = struct.pack("<4H2IH", 0, 0, count, count, len(directory), len(body), len(comment))
    return bytes(body + directory + b"PK\x05\x06" + end + comment)


def zip_bomb(copies: int, size: int) -> bytes:
    """Entries that all unpack the same bytes (D. Fifield, "A better zip bomb", full overlap)."""
    kernel = Packed(b"0.jpg", bytes(size))
    names = (b"%d.jpg" % number for number in range(1, copies))
    return zip_of([kernel, *(replace(kernel, name=name, offset=0) for name in names)])


def tar_of(
    members: Sequence[tuple[tarfile.TarInfo, bytes]], form: int = tarfile.PAX_FORMAT
) -> bytes:
    """A tar archive; a member's own size is what it claims, its bytes are what follows."""
    file = io.BytesIO()
    for info, data in members:
        file.write(info.tobuf(form, "utf-8", "surrogateescape"))
        file.write(data + bytes(-len(data) % 512))
    return file.getvalue() + bytes(1024)


def member(
    name: str, data: bytes = b"bytes of a picture", size: int | None = None, kind: bytes = b"0"
) -> tuple[tarfile.TarInfo, bytes]:
    """A member of a tar archive; `size` is what it claims."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(data) if size is None else size
    info.linkname = "/etc/passwd" if kind in {b"1", b"2"} else ""
    return info, data


def many_entries(count: int) -> bytes:
    """A zip file of so many small entries."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(count):
            archive.writestr(f"{number}.jpg", b"%d" % number)
    return file.getvalue()


def flipped(data: bytes, place: int, change: int) -> bytes:
    """The same bytes but for one."""
    place %= len(data)
    return data[:place] + bytes([data[place] ^ change]) + data[place + 1 :]


def _deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return compressor.compress(data) + compressor.flush()

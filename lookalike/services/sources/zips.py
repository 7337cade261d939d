"""A zip file: entries are checked one by one and unpacked into the sink, nowhere else."""

from __future__ import annotations

import stat
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property, partial
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from lookalike.services.errors import (
    DamagedEntryError,
    DuplicateNameError,
    EncryptedError,
    NotAFileError,
    PictureError,
)
from lookalike.services.labels import Labels
from lookalike.services.sources.copying import BLOCK, check_size, copy
from lookalike.services.sources.names import (
    check_name,
    is_archive,
    is_hidden,
    is_taken,
    nested_archive,
    shown,
)
from lookalike.services.sources.records import Found, Item, Refused, Sink, SourceLimits
from lookalike.services.sources.seen import Seen
from lookalike.services.sources.unpacking import (
    Unpacker,
    bzip2,
    damaged,
    deflate,
    ratio_too_high,
    unpacked,
)
from lookalike.services.sources.zip_directory import ZipDirectory, ZipEntry

_ENCRYPTED = 0x2041  # the entry, strongly, or the directory's fields for it
_STORED = 0
_UNPACKERS: Mapping[int, Callable[[], Unpacker]] = {8: deflate, 12: bzip2}


class ZipSource:
    """The pictures of a zip file in the order of its directory.

    Which entries are taken is as in a folder. What a link, an archive, a name that leads out, a
    name that was there, a password or a lie makes of an entry concerns that entry alone. Entries
    that share bytes with others are refused. Holds 8 bytes an entry and 32 a name.
    """

    def __init__(self, file: BinaryIO, limits: SourceLimits, *, all_files: bool) -> None:
        """Take over `file`. Raises SourceError where it is no zip file."""
        self._file = file
        self._limits = limits
        self._all_files = all_files
        self._directory = ZipDirectory(file)

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        seen = Seen()
        for position, entry in enumerate(self._taken()):
            error = self._refusal(entry, seen)
            if position >= start:
                yield self._item(position, entry, error)

    def total(self) -> int:
        """See Source."""
        return sum(1 for _ in self._taken())

    def close(self) -> None:
        """See Source."""
        self._file.close()

    def _taken(self) -> Iterator[ZipEntry | None]:
        for entry in self._directory.entries():
            if entry is None or self._takes(entry):
                yield entry

    def _takes(self, entry: ZipEntry) -> bool:
        name = entry.name
        if name.endswith(("/", "\\")) or is_hidden(name):
            return False
        return _is_special(entry.mode) or is_taken(name, all_files=self._all_files)

    def _item(self, position: int, entry: ZipEntry | None, error: PictureError | None) -> Item:
        name = shown(entry.name) if entry else "unnamed"
        if entry is None or error:
            return Refused(position, name, error or damaged())
        return Found(position, name, Labels(), partial(self._read, entry))

    def _refusal(self, entry: ZipEntry | None, seen: Seen) -> PictureError | None:
        if entry is None:
            return None
        try:
            check_name(entry.name)
            self._check(entry)
        except PictureError as error:
            return error
        if not seen.add(entry.raw_name):
            return DuplicateNameError("The archive has an earlier entry of this name.")
        return None

    def _check(self, entry: ZipEntry) -> None:
        if _is_special(entry.mode):
            raise NotAFileError("This is a link or a device. Pack the file itself.")
        if is_archive(entry.name):
            raise nested_archive()
        if entry.flags & _ENCRYPTED:
            raise EncryptedError("The entry needs a password. Make the archive without one.")
        if entry.method != _STORED and entry.method not in _UNPACKERS:
            raise DamagedEntryError(
                "The entry is packed in a way that Lookalike does not know. Use deflate.",
                method=entry.method,
            )
        check_size(entry.size, self._limits.max_bytes)

    def _read(self, entry: ZipEntry, sink: Sink) -> None:
        blocks = self._packed(entry)
        if make := _UNPACKERS.get(entry.method):
            blocks = unpacked(blocks, make)
        checked = _Checked(blocks, entry.packed * self._limits.max_ratio)
        size = copy(checked, sink, self._limits.max_bytes)
        if size != entry.size or checked.crc != entry.crc:
            raise damaged()

    def _packed(self, entry: ZipEntry) -> Iterator[bytes]:
        begin = self._directory.data_start(entry)
        if begin is None or begin + entry.packed > self._room(entry):
            raise damaged()
        for position in range(begin, begin + entry.packed, BLOCK):
            self._file.seek(position)
            yield self._file.read(min(BLOCK, begin + entry.packed - position))

    def _room(self, entry: ZipEntry) -> int:
        """Where the next entry begins, which this one must not reach; 0 if another begins here."""
        after = bisect_right(self._starts, entry.offset)
        if after > 1 and self._starts[after - 2] == entry.offset:
            return 0
        return int(self._starts[after]) if after < len(self._starts) else 0

    @cached_property
    def _starts(self) -> NDArray[np.uint64]:
        """Where each entry begins, sorted, and last the directory."""
        offsets = (min(entry.offset, 2**63) for entry in self._directory.entries() if entry)
        starts = np.fromiter(offsets, np.uint64)
        starts.sort()
        return np.append(starts, np.uint64(self._directory.start))


class _Checked:
    """Blocks that go through unchanged, with their CRC. Raises RatioTooHighError beyond `most`."""

    def __init__(self, blocks: Iterator[bytes], most: int) -> None:
        self._blocks = blocks
        self._most = most
        self.crc = 0

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for block in self._blocks:
            size += len(block)
            if size > self._most:
                raise ratio_too_high()
            self.crc = zlib.crc32(block, self.crc)
            yield block


def _is_special(mode: int) -> bool:
    """Whether a Unix mode says link, device, pipe or socket. 0: made elsewhere, says nothing."""
    return stat.S_IFMT(mode) not in {0, stat.S_IFREG, stat.S_IFDIR}

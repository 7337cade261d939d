"""A tar archive, also gzip, bzip2 or xz: read once from front to back into the sink."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from typing import BinaryIO

from lookalike.services.errors import (
    DuplicateNameError,
    NotAFileError,
    PictureError,
    SourceError,
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
from lookalike.services.sources.records import MEBIBYTE, Found, Item, Refused, Sink, SourceLimits
from lookalike.services.sources.seen import Seen
from lookalike.services.sources.streams import Stream, open_stream
from lookalike.services.sources.tar_members import Member, Members, is_tar
from lookalike.services.sources.unpacking import damaged, ratio_too_high

SLACK = MEBIBYTE
"""How much may come out before the ratio counts: bzip2 and xz give a block at a time."""


class TarReader:
    """The plain files of a tar archive, checked; ground for the sources that read one."""

    def __init__(self, file: BinaryIO, limits: SourceLimits) -> None:
        """Take over `file`. Raises SourceError where it is no tar archive."""
        self._file = file
        self._limits = limits
        try:
            if is_tar(self._stream().read(512)):
                return
        except PictureError:
            pass
        raise SourceError("This is not a tar archive, or it is damaged. Make it again.")

    def entries(self, takes: Callable[[str], bool]) -> Iterator[Entry | tuple[str, PictureError]]:
        """Every file whose name `takes` says yes to, or its name and why it is refused.

        Links and devices are refused whatever their names. One reading at a time.
        """
        stream, seen = self._stream(), Seen()
        members = Members(stream, self._limits.max_text_bytes)
        try:
            for member in members:
                if member is None:
                    yield "unnamed", damaged()
                elif _is_meant(member, takes):
                    error = self._refusal(member, seen)
                    yield (
                        (member.name, error)
                        if error
                        else Entry(member, members, stream, self._limits)
                    )
        except PictureError as error:
            yield "the rest of the archive", error

    @property
    def is_packed(self) -> bool:
        """Whether finding the next entry means unpacking all in between."""
        return self._stream().length is None

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _stream(self) -> Stream:
        return open_stream(self._file, self._limits.max_ratio)

    def _refusal(self, member: Member, seen: Seen) -> PictureError | None:
        try:
            check_name(member.name)
            if not member.is_file:
                raise NotAFileError("This is a link or a device. Pack the file itself.")
            if is_archive(member.name):
                raise nested_archive()
            check_size(member.size, self._limits.max_bytes)
        except PictureError as error:
            return error
        if not seen.add(member.name.encode("utf-8", "surrogateescape")):
            return DuplicateNameError("The archive has an earlier entry of this name.")
        return None


class Entry:
    """A file of a tar archive while it is in hand: before the next one is asked for."""

    def __init__(
        self, member: Member, members: Members, stream: Stream, limits: SourceLimits
    ) -> None:
        self.name = member.name
        self._size = member.size
        self._members = members
        self._stream = stream
        self._limits = limits

    def read(self, sink: Sink, max_bytes: int | None = None) -> None:
        """Write the bytes to the sink. Raises PictureError."""
        most = self._limits.max_bytes if max_bytes is None else max_bytes
        if copy(self._blocks(), sink, most) != self._size:
            raise damaged()

    def _blocks(self) -> Iterator[bytes]:
        begin, packed = self._stream.position, self._stream.packed
        while block := self._members.read(BLOCK):
            made, taken = self._stream.position - begin, self._stream.packed - packed
            if made > SLACK + self._limits.max_ratio * taken:
                raise ratio_too_high()
            yield block


class TarSource:
    """The pictures of a tar archive, in order. Which entries are taken is as in a folder.

    A damaged header is looked over until the next good one. Behind damage to what the archive is
    packed with nothing can be read: the last item says so.
    """

    def __init__(self, file: BinaryIO, limits: SourceLimits, *, all_files: bool) -> None:
        """Take over `file`. Raises SourceError where it is no tar archive."""
        self._reader = TarReader(file, limits)
        self._all_files = all_files

    def items(self, start: int = 0) -> Iterator[Item]:
        """See Source."""
        for position, entry in islice(enumerate(self._taken()), start, None):
            if isinstance(entry, Entry):
                yield Found(position, shown(entry.name), Labels(), partial(Entry.read, entry))
            else:
                yield Refused(position, shown(entry[0]), entry[1])

    def total(self) -> int | None:
        """See Source. None for a packed archive."""
        return None if self._reader.is_packed else sum(1 for _ in self._taken())

    def close(self) -> None:
        """See Source."""
        self._reader.close()

    def _taken(self) -> Iterator[Entry | tuple[str, PictureError]]:
        return self._reader.entries(partial(is_taken, all_files=self._all_files))


def _is_meant(member: Member, takes: Callable[[str], bool]) -> bool:
    if member.is_folder or is_hidden(member.name):
        return False
    return takes(member.name) or not member.is_file

"""Files on this server, below folders that a setting names; links are never followed.

Every path is walked from an open folder, part by part, so that nobody who can write there leads
us elsewhere between a check and its use.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Self

from lookalike.services.errors import (
    MissingFileError,
    NotAFileError,
    SourceError,
    SourceItemError,
    UnsafeNameError,
)
from lookalike.services.sources.copying import blocks_of, copy
from lookalike.services.sources.records import Sink

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Not blocking: a pipe that nobody writes to would hold us for ever.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

NOT_A_FILE = "This is a link or a device, or a part of its path is one. Put the file itself there."


class Kind(StrEnum):
    """What a name in a folder stands for; OTHER: a link, a device, a pipe, ..."""

    FILE = "file"
    FOLDER = "folder"
    OTHER = "other"


class ServerFolder:
    """An open folder of this server. Paths below it are relative, with `/` between their parts."""

    def __init__(self, handle: int) -> None:
        """Take over an open folder's handle."""
        self._handle: int | None = handle

    @classmethod
    def find(cls, path: str, roots: Sequence[Path]) -> Self:
        """Open a folder below one of `roots`; a relative path is looked for in each.

        Raises SourceError where it is not there, not a folder, or not below any.
        """
        if not roots:
            raise SourceError(
                "No folder of this server may be imported from. The administrator names them in "
                "LOOKALIKE_IMPORT_ROOTS."
            )
        for root in roots:
            with suppress(ValueError, OSError):  # another root may do
                top = Path(os.path.realpath(root))
                real = Path(os.path.realpath(top / path))
                if real.is_relative_to(top) and real.is_dir():
                    return cls(_open_folder(top, real.relative_to(top).parts))
        raise SourceError(
            f"There is no folder {path!r} below the folders that may be imported from. Check the "
            "path and LOOKALIKE_IMPORT_ROOTS."
        )

    def open(self, path: str) -> BinaryIO:
        """Open a plain file for reading. Raises SourceItemError that says why it cannot be."""
        *folders, name = _parts(path)
        try:
            with self._below(folders) as folder:
                # Opening a device can already do something.
                _check_plain(os.stat(name, dir_fd=folder, follow_symlinks=False))
                file = os.open(name, _FILE, dir_fd=folder)
        except OSError as error:
            raise _refusal(error) from error
        try:
            _check_plain(os.fstat(file))
            return os.fdopen(file, "rb")
        except BaseException:
            os.close(file)
            raise

    def copy(self, path: str, sink: Sink, max_bytes: int) -> None:
        """Write a plain file's bytes to `sink`. Raises SourceItemError, TooLargeError.

        Whatever the sink itself raises comes through unchanged.
        """
        with self.open(path) as file:
            copy(_readable(file), sink, max_bytes)

    def list(self, path: str) -> list[tuple[str, Kind]]:
        """Names in a folder below and what they are, sorted. Raises SourceItemError."""
        try:
            with self._below(_parts(path) if path else []) as folder, os.scandir(folder) as found:
                return sorted((entry.name, _kind(entry)) for entry in found)
        except OSError as error:
            raise _refusal(error) from error

    def close(self) -> None:
        """Release the folder. May be called twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    @contextmanager
    def _below(self, folders: Sequence[str]) -> Iterator[int]:
        handle = os.dup(self._handle if self._handle is not None else -1)
        try:
            for name in folders:
                deeper = os.open(name, _FOLDER, dir_fd=handle)
                os.close(handle)
                handle = deeper
            yield handle
        finally:
            os.close(handle)


def _readable(file: BinaryIO) -> Iterator[bytes]:
    """The file's bytes; a disk that cannot give them is the fault of this file alone."""
    try:
        yield from blocks_of(file)
    except OSError as error:
        raise _refusal(error) from error


def _open_folder(root: Path, parts: Sequence[str]) -> int:
    top = ServerFolder(os.open(root, _FOLDER))
    try:
        with top._below(parts) as handle:
            return os.dup(handle)
    finally:
        top.close()


def _parts(path: str) -> list[str]:
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if path.startswith("/") or ".." in parts or not parts or not _is_encodable(path):
        raise UnsafeNameError(
            "The path does not stay below its folder. Use a relative path without `..`."
        )
    return parts


def _is_encodable(path: str) -> bool:
    """Whether the system could have a file of this name: no NUL, no half of a surrogate pair."""
    try:
        return b"\x00" not in os.fsencode(path)
    except UnicodeError:
        return False


def _kind(entry: os.DirEntry[str]) -> Kind:
    if entry.is_dir(follow_symlinks=False):
        return Kind.FOLDER
    return Kind.FILE if entry.is_file(follow_symlinks=False) else Kind.OTHER


def _check_plain(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise NotAFileError(NOT_A_FILE)


def _refusal(error: OSError) -> SourceItemError:
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return NotAFileError(NOT_A_FILE)
    if error.errno == errno.ENOENT:
        return MissingFileError("There is no such file. Check its path.")
    return MissingFileError(f"The file cannot be read ({error.strerror}). Check who may read it.")

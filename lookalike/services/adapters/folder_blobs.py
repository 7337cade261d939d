"""Blobs as files in a folder, written so that a file is there as a whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from lookalike.services.errors import BlobMissingError, StorageFullError, UnavailableError
from lookalike.services.ports import Blob

INCOMING = ".incoming-"
"""How names of files begin that are still being written."""


class FolderBlobs:
    """A BlobStore in the folder `root`. Keys become paths below it."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lasting: set[Path] = set()
        root.mkdir(parents=True, exist_ok=True)

    def put(self, key: str, source: Path) -> None:
        """See BlobStore. Links where it can, so that a picture is written to disk only once."""
        path = self._path(key)
        if path.exists():
            return
        with _translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            _link_or_copy(source, path)
            self._make_last(path.parent)

    def put_bytes(self, key: str, data: bytes) -> None:
        """See BlobStore."""
        path = self._path(key)
        with _translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            with _replacing(path) as file:
                file.write(data)

    def open(self, key: str) -> BinaryIO:
        """See BlobStore."""
        with _translated():
            try:
                return self._path(key).open("rb")
            except FileNotFoundError as error:
                raise BlobMissingError(
                    "The picture's file is missing from the store. Upload the picture again."
                ) from error

    def exists(self, key: str) -> bool:
        """See BlobStore."""
        return self._path(key).exists()

    def delete(self, key: str) -> None:
        """See BlobStore."""
        with _translated():
            self._path(key).unlink(missing_ok=True)

    def list(self, prefix: str) -> Iterator[Blob]:
        """See BlobStore."""
        with _translated():
            for file in _files_below(self._root / prefix):
                with suppress(FileNotFoundError):  # removed since its folder was read
                    key = Path(file.path).relative_to(self._root).as_posix()
                    yield Blob(key, file.stat().st_size)

    def _make_last(self, folder: Path) -> None:
        """Have what the folder holds, and the way to it, outlive a power cut.

        Of each folder once in this process, whoever made it: that one may not have come so far.
        """
        _sync(folder)
        way = [one for one in (folder, *folder.parents) if self._root in one.parents]
        for one in way:
            if one not in self._lasting:
                _sync(one.parent)
        self._lasting.update(way)

    def _path(self, key: str) -> Path:
        return self._root / key


def _files_below(folder: Path) -> Iterator[os.DirEntry[str]]:
    try:
        entries = os.scandir(folder)
    except FileNotFoundError:
        return
    with entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files_below(Path(entry.path))
            elif not entry.name.startswith(INCOMING):
                yield entry


def _link_or_copy(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except FileExistsError:
        return
    except OSError:  # another file system, or one without links
        with _replacing(path) as file, source.open("rb") as original:
            shutil.copyfileobj(original, file)
            file.flush()
            os.fsync(file.fileno())


@contextmanager
def _replacing(path: Path) -> Iterator[BinaryIO]:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=INCOMING)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFullError(
                f"The disk is full ({error.strerror}), so nothing was stored. Free some space and "
                "try again."
            ) from error
        raise UnavailableError(
            f"The picture store cannot be used ({error.strerror}). "
            "Check the disk's free space and the folder's permissions."
        ) from error

"""Where incoming bytes wait: written to a file while they are counted and hashed."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lookalike.services.errors import TooLargeError

OWN = "process-"
STARTING = "starting.lock"


class Staged:
    """One incoming file. Write to it, `seal` it, read it; leaving the `with` block removes it.

    `size` counts all bytes offered. Beyond `max_bytes` they are counted but no longer kept, so
    that one oversized file in a request costs no disk and does not disturb its neighbours.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        handle, name = tempfile.mkstemp(dir=folder)
        self.path = Path(name)
        self.size = 0
        self._file: BinaryIO = os.fdopen(handle, "w+b")
        self._max_bytes = max_bytes
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Take the next bytes; answers how many, like any file."""
        self.size += len(data)
        if self.size <= self._max_bytes:
            self._hash.update(data)
            self._file.write(data)
        return len(data)

    def seek(self, offset: int) -> int:
        """Move to a position, which form parsers do when a file is complete."""
        return self._file.seek(offset)

    def seal(self) -> None:
        """Make the bytes durable and ready to be read. Raises TooLargeError if there were too many.

        May be called again after `put` failed.
        """
        if self.size > self._max_bytes:
            raise TooLargeError(
                f"The file has more than {_mebibytes(self._max_bytes)} MB. Make it smaller, or "
                "have the administrator raise LOOKALIKE_MAX_FILE_BYTES.",
                max_bytes=self._max_bytes,
            )
        self._file.flush()
        os.fsync(self._file.fileno())

    @property
    def sha256(self) -> str:
        """Hash of the bytes so far, as 64 hex digits."""
        return self._hash.hexdigest()

    @property
    def file(self) -> BinaryIO:
        """The bytes, from the beginning."""
        self._file.seek(0)
        return self._file

    def close(self) -> None:
        """Remove the file. May be called twice."""
        self._file.close()
        self.path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Staging:
    """Makes `Staged` files in a folder of this process' own below `folder`.

    What a killed process left behind is removed by the next one that starts.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)
        with _starting(folder):
            _remove_abandoned(folder)
            self._folder = Path(tempfile.mkdtemp(dir=folder, prefix=OWN))
            self._held: int | None = _hold(self._folder)

    def new(self, max_bytes: int | None = None) -> Staged:
        """An empty staged file, for a picture or for as much as `max_bytes` says."""
        return Staged(self._folder, max_bytes or self._max_bytes)

    def close(self) -> None:
        """Remove the folder. May be called twice; nothing else may be called after."""
        if self._held is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            os.close(self._held)
            self._held = None


@contextmanager
def _starting(folder: Path) -> Iterator[None]:
    """Keep other processes from starting: between making a folder and holding it, it looks left."""
    with (folder / STARTING).open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _hold(folder: Path) -> int:
    """Hold the folder until the handle is closed. Raises BlockingIOError when somebody does."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        # The kernel lets go when the process ends, however it ends.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


def _remove_abandoned(folder: Path) -> None:
    for leftover in folder.glob(f"{OWN}*"):
        try:
            handle = _hold(leftover)
        except (BlockingIOError, FileNotFoundError):  # in use, or just closed by its owner
            continue
        shutil.rmtree(leftover, ignore_errors=True)
        os.close(handle)


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:.4g}"

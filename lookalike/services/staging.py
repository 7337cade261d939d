"""Where incoming bytes wait: written to a file while they are counted and hashed."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from lookalike.services.errors import TooLargeError


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
    """Makes `Staged` files in one folder, which belongs to this process alone."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        folder.mkdir(parents=True, exist_ok=True)

    def new(self) -> Staged:
        """An empty staged file."""
        return Staged(self._folder, self._max_bytes)

    def clear(self) -> None:
        """Remove what a killed process left behind. Only the folder's owner may call this."""
        for leftover in self._folder.iterdir():
            leftover.unlink(missing_ok=True)


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:.4g}"

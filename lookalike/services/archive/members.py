"""Writing a tar file member by member, to a file that appears when it is whole."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from lookalike.services.errors import ConfigurationError, UnavailableError

CHUNK = 1024 * 1024


class Members:
    """Adds members to a tar file. `sha256` has the hash of each that was `put`, by name."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self._tar = tar
        self.sha256: dict[str, str] = {}

    def put(self, name: str, data: bytes) -> None:
        """Add these bytes under this name."""
        self.copy_bytes(name, data)
        self.sha256[name] = hashlib.sha256(data).hexdigest()

    def copy_bytes(self, name: str, data: bytes) -> None:
        """The same for a member whose hash nobody wants."""
        self.copy(name, io.BytesIO(data), len(data))

    def put_file(self, name: str, file: IO[bytes]) -> None:
        """Add the whole file under this name."""
        self.sha256[name] = hash_of(file)
        self.copy(name, file, file.tell())

    def copy(self, name: str, file: IO[bytes], size: int) -> None:
        """Add the first `size` bytes of the file under this name; nobody wants their hash."""
        file.seek(0)
        member = tarfile.TarInfo(name)
        member.size = size
        self._tar.addfile(member, file)
        vars(self._tar)["members"].clear()  # it remembers all, and here may be millions


def hash_of(file: IO[bytes]) -> str:
    """The SHA-256 of the whole file, which is at its end afterwards."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    return digest.hexdigest()


@contextmanager
def appearing(target: Path) -> Iterator[BinaryIO]:
    """A file that gets the name `target` when the block ends well, and is removed otherwise.

    Raises ConfigurationError when the name is taken, UnavailableError when it cannot be written.
    """
    if target.exists():
        raise ConfigurationError(f"{str(target)!r} exists already. Name another file.")
    try:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
        try:
            with os.fdopen(handle, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            Path(name).rename(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UnavailableError(
            f"{str(target)!r} cannot be written ({error.strerror}). Check its folder and the "
            "disk's free space."
        ) from error

"""Reads an archive without trusting it: nothing in it is believed before it was checked.

No member is ever written to a place that its name gives. Names are only compared with those that
an archive has; a path that leads elsewhere is one that it does not have.
"""

from __future__ import annotations

import hashlib
import io
import re
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from lookalike.services.archive.checked_imports import check_imports
from lookalike.services.archive.contents import LONG, Archive
from lookalike.services.archive.form import (
    HEAD,
    LIBRARIES,
    MANIFEST,
    VECTORS,
    VERSION,
    ArchiveError,
    Head,
    LibraryLine,
    Manifest,
    Show,
    damaged,
    original_hash,
    parse,
)
from lookalike.services.archive.members import CHUNK
from lookalike.services.consistency.reading import IdSet
from lookalike.services.errors import ConfigurationError
from lookalike.services.libraries import NAME_PATTERN
from lookalike.services.slices import sliced

MOST_IN_MEMORY = 256 * CHUNK
"""Largest member that is held in memory: 2,048 vectors have 16 MiB at 2,048 numbers each."""


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive; `end` is where it ends in the archive, in bytes."""

    name: str
    size: int
    end: int
    _file: IO[bytes]

    def chunks(self) -> Iterator[bytes]:
        """Its bytes, from the beginning. Raises ArchiveError when they end too early."""
        with _understood():
            while chunk := self._file.read(CHUNK):
                yield chunk

    def read(self) -> bytes:
        """All its bytes. Raises ArchiveError also when they are more than any archive has there."""
        if self.size > MOST_IN_MEMORY:
            raise damaged(f"{self.name} is too large")
        return b"".join(self.chunks())


@dataclass(slots=True)
class _Found:
    """What the members turned out to hold."""

    files: Mapping[str, IO[bytes]]
    sha256: dict[str, str] = field(default_factory=dict)
    originals: IdSet = field(default_factory=lambda: IdSet(32))
    count: int = 0
    libraries: bytes = b""
    manifest: Manifest | None = None


@contextmanager
def verified(path: Path, folder: Path, show: Show) -> Iterator[Archive]:
    """The archive at `path`, after every byte of it was checked; `folder` takes temporary files.

    Raises ArchiveError when it is damaged, incomplete or made by a newer Lookalike,
    ConfigurationError when the file cannot be read.
    """
    with ExitStack() as stack:
        temporary = (stack.enter_context(tempfile.TemporaryFile(dir=folder)) for _ in LONG)
        found = _Found(dict(zip(LONG, temporary, strict=True)))
        for number, member in enumerate(members(path)):
            if number == 0:
                _check_head(member)
            else:
                _take(member, found)
            show("Verifying", member.end, path.stat().st_size)
        yield _whole(path, found)


def members(path: Path) -> Iterator[Member]:
    """The members in their order; each is to be read before the next one is asked for."""
    with _understood(), tarfile.open(path, "r:") as tar:
        while (info := tar.next()) is not None:
            vars(tar)["members"].clear()  # it remembers all, and here may be millions
            file = tar.extractfile(info) if _is_plain(info) else None
            if file is None:
                raise damaged(f"{info.name!r} is not a plain file")
            yield Member(info.name, info.size, tar.offset, file)


@contextmanager
def _understood() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(f"The archive cannot be read ({error.strerror}).") from error
    except (tarfile.TarError, EOFError) as error:
        raise damaged(str(error)) from error


def originals(path: Path) -> Iterator[tuple[str, Member]]:
    """The originals, each with the SHA-256 that its name gives."""
    for member in members(path):
        if sha256 := original_hash(member.name):
            yield sha256, member


def vectors(path: Path) -> Iterator[tuple[NDArray[np.uint8], NDArray[np.float32]]]:
    """Ids (n x 16 bytes) and vectors (n x dimensions), some thousand at a time."""
    ids: NDArray[np.uint8] | None = None
    for member in members(path):
        if member.name.endswith(".ids.npy"):
            ids = _array(member.name, member.read())
        elif VECTORS.fullmatch(member.name) and ids is not None:
            yield ids, _array(member.name, member.read())


def _is_plain(info: tarfile.TarInfo) -> bool:
    # A sparse file can claim any size, and a link any place.
    return info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and info.sparse is None


def _check_head(member: Member) -> None:
    if member.name != HEAD:
        raise ArchiveError("This is not an archive that `lookalike backup` has written.")
    head = parse(Head, member.read(), HEAD)
    if head.version > VERSION:
        raise ArchiveError(
            f"This archive has version {head.version}; this Lookalike reads up to {VERSION}. "
            "Restore it with a newer Lookalike.",
            version=head.version,
        )


def _take(member: Member, found: _Found) -> None:
    if found.manifest or member.name in found.sha256:
        raise damaged(f"{member.name!r} comes twice or after the end")
    if sha256 := original_hash(member.name):
        if _copied(member, None) != sha256:
            raise damaged(f"{member.name} holds other bytes than were uploaded")
        found.originals.add([bytes.fromhex(sha256)])
        found.count += 1
    elif member.name in LONG:
        found.sha256[member.name] = _copied(member, found.files[member.name])
    elif member.name == MANIFEST:
        found.manifest = parse(Manifest, member.read(), MANIFEST)
    elif member.name == LIBRARIES:
        found.libraries = member.read()
        found.sha256[LIBRARIES] = hashlib.sha256(found.libraries).hexdigest()
    elif VECTORS.fullmatch(member.name):
        data = member.read()
        found.sha256[member.name] = hashlib.sha256(data).hexdigest()
        _array(member.name, data)
    else:
        raise damaged(f"{member.name!r} does not belong into it")


def _copied(member: Member, target: IO[bytes] | None) -> str:
    """The member's SHA-256, after its bytes were written to `target`, if there is one."""
    digest = hashlib.sha256()
    for chunk in member.chunks():
        digest.update(chunk)
        if target:
            target.write(chunk)
    return digest.hexdigest()


def _whole(path: Path, found: _Found) -> Archive:
    manifest = found.manifest
    if manifest is None:
        raise damaged("its end is missing")
    if found.sha256 != manifest.sha256:
        names = sorted(dict(found.sha256.items() ^ manifest.sha256.items()))
        raise damaged(f"{', '.join(names[:3])} is not what was written")
    if found.count != manifest.originals:
        raise damaged(f"{found.count} of {manifest.originals} originals are there")
    libraries = [parse(LibraryLine, one, LIBRARIES) for one in found.libraries.splitlines()]
    if not all(re.fullmatch(NAME_PATTERN, library.name) for library in libraries):
        raise damaged("a library has a name that none can have")
    archive = Archive(path, manifest, libraries, found.files)
    check_imports(archive, _checked_pictures(archive, found.originals))
    return archive


def _checked_pictures(archive: Archive, there: IdSet) -> IdSet:
    """The ids of the pictures, after each was checked."""
    names = {library.name for library in archive.libraries}
    ids, count = IdSet(16), 0
    for lines in sliced(archive.lines()):
        count += len(lines)
        ids.add(line.id.bytes for line in lines)
        if any(there.lacks([bytes.fromhex(line.sha256) for line in lines])):
            raise damaged("a picture has no original")
        if not {line.library for line in lines} <= names:
            raise damaged("a picture is in no library")
    if count != archive.manifest.pictures:
        raise damaged(f"{count} of {archive.manifest.pictures} pictures are there")
    return ids


def _array(name: str, data: bytes) -> NDArray[Any]:
    """The ids or vectors that a member holds. Raises ArchiveError when it holds neither."""
    try:
        array: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise damaged(f"{name}: {error}") from error
    is_ids = array.dtype == np.uint8 and array.shape[1:] == (16,)
    is_vectors = array.dtype == np.float32 and array.ndim == 2 and np.isfinite(array).all()
    if not (is_ids if name.endswith(".ids.npy") else is_vectors):
        raise damaged(f"{name} holds something else")
    return array

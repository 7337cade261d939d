"""What is really in the blob store for a picture."""

from __future__ import annotations

import hashlib

from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.db import Database
from lookalike.services.errors import BlobMissingError
from lookalike.services.models import new_id
from lookalike.services.outbox import Outbox, remember
from lookalike.services.ports import BlobStore

CHUNK = 1024 * 1024


class StoredFiles:
    """Looks at the files of a picture, which is known by the SHA-256 of its original."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def is_sound(self, sha256: str) -> bool:
        """Whether the original is there with the bytes that were uploaded."""
        return self.size_of_sound(sha256) is not None

    def size_of_sound(self, sha256: str) -> int | None:
        """The original's size in bytes; None when it is gone or holds other bytes."""
        digest, size = hashlib.sha256(), 0
        try:
            with self._blobs.open(original_key(sha256)) as file:
                while chunk := file.read(CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
        except BlobMissingError:
            return None
        return size if digest.hexdigest() == sha256 else None

    def has_original(self, sha256: str) -> bool:
        """Whether there is an original, sound or not."""
        return self._blobs.exists(original_key(sha256))

    def has_thumbnail(self, sha256: str) -> bool:
        """Whether there is a thumbnail that is not empty, as a power cut may leave one."""
        try:
            with self._blobs.open(thumbnail_key(sha256)) as file:
                return bool(file.read(1))
        except BlobMissingError:
            return False


def forget_file(db: Database, outbox: Outbox, sha256: str) -> None:
    """Remove original and thumbnail, unless a picture has these bytes.

    As if a picture of these bytes had been removed just now: the outbox sees to it that an upload
    of the same bytes is not robbed of its file. Raises UnavailableError.
    """
    nobody = new_id()
    with db.write() as session:
        remember(session, nobody, sha256)
    outbox.settle([nobody])

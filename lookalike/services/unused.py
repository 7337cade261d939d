"""Files of pictures that nobody has any more, or has not come to have."""

from __future__ import annotations

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.db import lock
from lookalike.services.models import Picture
from lookalike.services.ports import BlobStore


def remove_unused(session: Session, blobs: BlobStore, sha256: str) -> None:
    """Remove the files of these bytes, within a write, unless a picture has them."""
    # Inside the write transaction, which holds the lock on these bytes that an upload of them
    # takes too: an upload comes either before it (then its row is seen here) or after it
    # (then it finds the blob gone and stores it again). It is the one thing outside SQL that
    # a transaction waits for; unlinking takes microseconds, an S3 store milliseconds.
    lock(session, sha256)
    if not session.scalar(select(exists().where(Picture.sha256 == sha256))):
        blobs.delete(original_key(sha256))
        blobs.delete(thumbnail_key(sha256))

"""Small copies of pictures: usually made while indexing, otherwise when first asked for."""

from __future__ import annotations

from typing import BinaryIO

from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.errors import BlobMissingError
from lookalike.services.imaging.decoding import decode
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.thumbnails import thumbnail
from lookalike.services.models import Picture
from lookalike.services.ports import BlobStore


class Thumbnails:
    """Hands out thumbnails: JPEG, no metadata, longest side at most `side` pixels."""

    def __init__(self, blobs: BlobStore, limits: Limits, side: int) -> None:
        self._blobs = blobs
        self._limits = limits
        self._side = side

    def open(self, picture: Picture) -> BinaryIO:
        """The thumbnail's bytes; the caller closes the file.

        Raises PictureError when the picture cannot be decoded.
        """
        sha256 = picture.sha256
        try:
            return self._blobs.open(thumbnail_key(sha256))
        except BlobMissingError:
            self._make(sha256)
            return self._blobs.open(thumbnail_key(sha256))

    def _make(self, sha256: str) -> None:
        with self._blobs.open(original_key(sha256)) as file:
            image = decode(file, self._limits, self._side)
        self._blobs.put_bytes(thumbnail_key(sha256), thumbnail(image, self._side))

"""Small copies of pictures: usually made while indexing, otherwise when first asked for."""

from __future__ import annotations

from typing import BinaryIO

from lookalike.services.blobs import original_key, thumbnail_key
from lookalike.services.decoding import read_picture
from lookalike.services.errors import BlobMissingError
from lookalike.services.imaging.limits import Limits
from lookalike.services.models import Picture
from lookalike.services.ports import BlobStore, Decoder


class Thumbnails:
    """Hands out thumbnails: JPEG, no metadata, longest side at most `side` pixels."""

    def __init__(self, blobs: BlobStore, decoder: Decoder, limits: Limits, side: int) -> None:
        self._blobs = blobs
        self._decoder = decoder
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
            data = read_picture(file, self._limits)
        self._blobs.put_bytes(thumbnail_key(sha256), self._decoder.make_thumbnail(data, self._side))

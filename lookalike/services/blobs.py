"""Names of blobs: originals and thumbnails are kept under the hash of the original's bytes."""

from __future__ import annotations


def original_key(sha256: str) -> str:
    """Where the bytes that somebody uploaded are kept, unchanged."""
    return f"originals/{_fan_out(sha256)}"


def thumbnail_key(sha256: str) -> str:
    """Where the small re-encoded copy is kept."""
    return f"thumbnails/{_fan_out(sha256)}.jpg"


def _fan_out(sha256: str) -> str:
    # Two levels of 256 folders keep a million files from lying in one.
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"

"""What files take up on disk, which is less than their size where something is only reserved."""

from __future__ import annotations

import os
from pathlib import Path

BLOCK = 512
"""The unit of `st_blocks`, whatever the file system's own."""


def disk_usage(path: Path) -> int:
    """Bytes that a file, or all below a folder, take up on disk; 0 for what is not there.

    Files may come and go meanwhile.
    """
    try:
        if not path.is_dir():
            return path.stat().st_blocks * BLOCK
        with os.scandir(path) as found:
            return sum(_size(one) for one in found)
    except OSError:
        return 0


def _size(found: os.DirEntry[str]) -> int:
    try:
        if found.is_dir(follow_symlinks=False):
            return disk_usage(Path(found.path))
        return found.stat(follow_symlinks=False).st_blocks * BLOCK
    except OSError:
        return 0

"""A collection's folder: numbered shard folders, and a small file that names the one in force."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from lookalike.services.adapters.edge.errors import translated

CURRENT = "current.json"
EMPTY = bytes(256 * 1024)


class ShardFolder:
    """Which shard counts. Whatever else lies in the folder is left over and may go."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self) -> bool:
        """Whether the collection was made, completely, and not dropped since."""
        return (self.root / CURRENT).is_file()

    @translated("opening a collection")
    def current(self) -> tuple[Path, int]:
        """The shard in force, and how many changes its graph lacked when that was last noted."""
        record = json.loads((self.root / CURRENT).read_text())
        return self.root / record["shard"], record["changes"]

    @translated("switching to a rebuilt search graph")
    def point_to(self, shard: Path, changes: int) -> None:
        """Put `shard` in force, at once or not at all."""
        draft = self.root / f"{CURRENT}.new"
        with draft.open("w") as file:
            json.dump({"shard": shard.name, "changes": changes}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.root / CURRENT)

    def unused(self) -> Path:
        """A shard folder that is not there yet."""
        numbers = [int(path.name.split("-")[1]) for path in self.root.glob("shard-*")]
        return self.root / f"shard-{max(numbers, default=0) + 1}"

    @translated("clearing away what a crash left behind")
    def clean(self) -> None:
        """Remove all but the shard in force."""
        kept = {CURRENT, self.current()[0].name} if self.exists() else set()
        for path in self.root.glob("*"):
            if path.name not in kept:
                remove(path)

    @translated("clearing away an older search graph")
    def retire(self, shard: Path) -> None:
        """Remove a shard that is no longer in force, once a power cut cannot bring it back."""
        sync(self.root)
        remove(shard)

    @translated("removing a collection")
    def remove(self) -> None:
        """Remove the collection. Gone at once; cut short, `clean` finishes it."""
        if self.exists():
            (self.root / CURRENT).unlink()
            sync(self.root)
        remove(self.root)


def copy_tree(source: Path, target: Path) -> None:
    """Copy a shard folder. Nobody may write to it meanwhile."""
    shutil.copytree(source, target, copy_function=_copy_file)


def _copy_file(source: str, target: str) -> None:
    # The engine reserves files of 32 MiB and more: only what was written to takes up disk.
    with Path(source).open("rb") as reader, Path(target).open("wb") as writer:
        for block in iter(lambda: reader.read(len(EMPTY)), b""):
            if block == EMPTY:
                writer.seek(len(block), os.SEEK_CUR)
            else:
                writer.write(block)
        writer.truncate(reader.tell())


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def sync_tree(root: Path) -> None:
    """Write every file below `root` to disk."""
    for path in (root, *_below(root)):
        sync(path)


def _below(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if not path.is_symlink())


def sync(path: Path) -> None:
    """Write a file, or the names in a folder, to disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Parquet tables of strangers, one row after the other, out of a process that can be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, BinaryIO

from lookalike.services.errors import SourceError
from lookalike.services.sources.copying import blocks_of

_PROGRAM = "lookalike.services.adapters.tables.child"
_MEBIBYTE = 1024 * 1024
MEMORY_BYTES = 4096 * _MEBIBYTE
"""Of address space, most of which pyarrow reserves and never uses."""
CPU_SECONDS = 3600
"""For a whole table: ten million rows take some minutes."""
MOST_LINE = 16 * _MEBIBYTE


class ParquetTables:
    """A TableReader. Each reading is a process of its own, which ends with it."""

    def __init__(self, memory_bytes: int = MEMORY_BYTES) -> None:
        """`memory_bytes`: address space of a reading."""
        self._memory_bytes = memory_bytes

    def rows(self, file: BinaryIO) -> Iterator[Mapping[str, Any]]:
        """See TableReader."""
        with self._reading(file, "rows") as lines:
            count = _object(lines.readline(MOST_LINE))["count"]
            for _ in range(count):
                yield _object(lines.readline(MOST_LINE))

    def count(self, file: BinaryIO) -> int:
        """See TableReader."""
        with self._reading(file, "count") as lines:
            return int(_object(lines.readline(MOST_LINE))["count"])

    @contextmanager
    def _reading(self, file: BinaryIO, what: str) -> Iterator[IO[bytes]]:
        with _on_disk(file) as handle:
            child = subprocess.Popen(  # noqa: S603 - our own module, and no shell
                [sys.executable, "-m", _PROGRAM, f"/dev/fd/{handle}", *self._arguments(what)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                pass_fds=[handle],
            )
        with child:
            try:
                if child.stdout is None:
                    raise _unreadable()
                yield child.stdout
            finally:
                child.kill()

    def _arguments(self, what: str) -> list[str]:
        return [str(self._memory_bytes), str(CPU_SECONDS), what]


@contextmanager
def _on_disk(file: BinaryIO) -> Iterator[int]:
    """A handle that another process can open again; a copy in memory of what is in memory."""
    try:
        yield file.fileno()
    except OSError:
        handle = os.memfd_create("table")
        try:
            with os.fdopen(os.dup(handle), "wb") as copied:
                file.seek(0)
                copied.writelines(blocks_of(file))
            yield handle
        finally:
            os.close(handle)


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise _unreadable() from error
    if not isinstance(value, dict):
        raise _unreadable()
    return value


def _unreadable() -> SourceError:
    return SourceError(
        "The Parquet table is damaged, or needs more memory than it may have. Write it again, "
        "with smaller row groups, or use CSV or JSON Lines."
    )

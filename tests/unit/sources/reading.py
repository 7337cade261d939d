"""Reading a source to its end, and what came of each item."""

from __future__ import annotations

import gc
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from lookalike.services.errors import PictureError
from lookalike.services.sources.opening import open_source
from lookalike.services.sources.ports import Tools
from lookalike.services.sources.records import Found, Item, Source, SourceLimits

KIB = 1024
LIMITS = SourceLimits(
    max_bytes=256 * KIB,
    max_text_bytes=64 * KIB,
    connect_seconds=1,
    read_seconds=1,
    total_seconds=1.5,
)
GOOD = b"bytes of a picture"


def opened(
    kind: str,
    data: bytes | BinaryIO | None = None,
    *,
    roots: list[Path] | None = None,
    tools: Tools | None = None,
    limits: SourceLimits = LIMITS,
    **spec: Any,
) -> Source:
    """A source of these bytes."""
    file = io.BytesIO(data) if isinstance(data, bytes) else data
    return open_source(kind, spec, file=file, roots=roots or [], limits=limits, tools=tools)


def outcomes(source: Source, start: int = 0) -> list[tuple[str, bytes | str]]:
    """Each item's name with its bytes or its code; the source is closed then."""
    try:
        return [(item.name, outcome(item)) for item in source.items(start)]
    finally:
        source.close()


def outcome(item: Item) -> bytes | str:
    """What is read, or the code of what is wrong."""
    if not isinstance(item, Found):
        return item.error.code
    sink = io.BytesIO()
    try:
        item.read(sink)
    except PictureError as error:
        return error.code
    return sink.getvalue()


def codes(source: Source) -> list[str]:
    """Codes in order, `ok` for what could be read."""
    return ["ok" if isinstance(what, bytes) else what for _, what in outcomes(source)]


@contextmanager
def nothing_left_open() -> Iterator[None]:
    """Fails when handles stay open that were not before.

    The other side of a connection may be a thread of this process, and closes a little later.
    """
    before = _open_handles()
    yield
    until = time.monotonic() + 10
    while (left := _open_handles().items() - before.items()) and time.monotonic() < until:
        time.sleep(0.05)
    assert not left


def _open_handles() -> dict[str, str]:
    """What each of this process's handles is, by number, but for the one that looks at them."""
    gc.collect()
    named = {one.name: _named(one) for one in Path("/proc/self/fd").iterdir()}
    return {number: name for number, name in named.items() if name}


def _named(handle: Path) -> str:
    """Nothing once it is closed, as the one that has looked is by now."""
    try:
        return str(handle.readlink())
    except OSError:
        return ""

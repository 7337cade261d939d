"""The connection to a Qdrant server: reads that end in time, writes that are tried again."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import TypeAlias, TypeVar

import httpx
from qdrant_client import QdrantClient

from lookalike.services.adapters.qdrant_server.errors import (
    FalteringError,
    UnansweredError,
    explained,
)
from lookalike.services.adapters.qdrant_server.options import QdrantOptions
from lookalike.services.adapters.qdrant_server.reads import BoundedReads

Answer = TypeVar("Answer")

Connect: TypeAlias = Callable[[float], QdrantClient]
"""Makes a client that gives up after so many seconds, without a word to the server."""

Call: TypeAlias = Callable[[QdrantClient, int], Answer]
"""One request: given the client and the whole seconds that the server may take for it."""

TRIES = 3
FIRST_PAUSE_SECONDS = 0.2


class Server:
    """Requests to one server. All errors but MissingError are UnavailableErrors.

    Reads and writes have connections of their own, so that neither waits for the other's.
    """

    def __init__(self, options: QdrantOptions, connect: Connect | None = None) -> None:
        """Prepare, without any traffic. `connect` takes the place of the usual client."""
        made = connect or (lambda seconds: _client(options, seconds))
        self._options = options
        self._reader = made(options.search_seconds)
        self._writer = made(options.write_seconds)
        self._reads = BoundedReads(options.search_seconds, options.reads_at_once)

    def read(self, doing: str, call: Call[Answer]) -> Answer:
        """Ask once. Answers or fails within `search_seconds`."""
        seconds = math.ceil(self._options.search_seconds)
        return self._reads.run(doing, lambda: _asked(doing, call, self._reader, seconds))

    def write(self, doing: str, call: Call[Answer]) -> Answer:
        """Ask for a change that may be made twice; again when it may help and time is left."""
        deadline = time.monotonic() + self._options.write_seconds
        for attempt in range(1, TRIES):
            try:
                return self._write_once(doing, call, deadline)
            except (UnansweredError, FalteringError):
                pause = FIRST_PAUSE_SECONDS * 2**attempt * random.uniform(0.5, 1)  # noqa: S311 - no secret
                if time.monotonic() + pause >= deadline:
                    raise
            time.sleep(pause)
        return self._write_once(doing, call, deadline)

    def close(self) -> None:
        """Close the connections."""
        self._reads.close()
        self._reader.close()
        self._writer.close()

    def _write_once(self, doing: str, call: Call[Answer], deadline: float) -> Answer:
        seconds = max(1, math.ceil(deadline - time.monotonic()))
        return _asked(doing, call, self._writer, seconds)


def _asked(doing: str, call: Call[Answer], client: QdrantClient, seconds: int) -> Answer:
    try:
        return call(client, seconds)
    except Exception as error:  # the client raises httpx's, pydantic's and its own errors
        raise explained(error, doing) from error


def _client(options: QdrantOptions, seconds: float) -> QdrantClient:
    # The key goes as a header: given as `api_key`, plain HTTP within a private network would be
    # complained about on the terminal at every start.
    return QdrantClient(
        url=options.url,
        headers={"api-key": options.api_key} if options.api_key else None,
        timeout=math.ceil(seconds),
        prefer_grpc=False,
        check_compatibility=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=16),
    )

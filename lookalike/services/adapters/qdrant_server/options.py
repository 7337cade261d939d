"""How a Qdrant server is reached, and how collections are made on it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QdrantOptions:
    """The settings of the same names, and how many reads may wait for the server at once.

    `search_seconds` bounds every read, `write_seconds` every write with all its retries. What
    concerns collections counts when they are made, and changes nothing in those that are there.
    """

    url: str
    api_key: str = field(default="", repr=False)
    shards: int = 1
    replicas: int = 1
    write_consistency: int = 1
    on_disk: bool = False
    search_seconds: float = 1.5
    write_seconds: float = 30.0
    reads_at_once: int = 8

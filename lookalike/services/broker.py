"""What those who queue tasks and those who carry them out must agree on."""

from __future__ import annotations

from typing import Any

INDEX_TASK = "lookalike.index"
QUEUE = "index"


def is_embedded(broker_url: str) -> bool:
    """Whether the queue lives in this process alone, with one worker thread at most."""
    return broker_url.startswith("memory:")


def transport_options(broker_url: str) -> dict[str, Any]:
    """Options of the connection to the broker.

    The in-process broker looks for new messages once a second by default, which is how long a
    single uploaded picture would wait.
    """
    return {"polling_interval": 0.05} if is_embedded(broker_url) else {}

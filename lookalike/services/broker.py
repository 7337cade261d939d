"""What those who queue tasks and those who carry them out must agree on."""

from __future__ import annotations

from typing import Any

INDEX_TASK = "lookalike.index"
SWEEP_TASK = "lookalike.sweep"
IMPORT_TASK = "lookalike.import"
BUILD_TASK = "lookalike.build"

MEMORY_QUESTION = "lookalike_memory"
"""What workers are asked, all at once: whether they are there, and how much memory they hold."""

SWEEP_QUEUE = "sweep"
"""Sweeps get through when the other queues are long, and before them: they take milliseconds."""

REDELIVERY_MARGIN = 10
"""Seconds beyond a lease after which a task that nobody has acknowledged goes to another worker.

By then the leases of a worker that died have run out, and the next one finds the entries free. A
task that takes longer is handed out twice, and the second worker finds them leased and passes over
them.
"""

RESTORE_SECONDS = 5
"""How often workers look for such tasks. Redis itself never tells; a look takes a millisecond."""


def is_embedded(broker_url: str) -> bool:
    """Whether the queue lives in this process alone, with one worker thread at most."""
    return broker_url.startswith("memory:")


def is_redis(broker_url: str) -> bool:
    """Whether the broker is Redis or Valkey, plain or with TLS."""
    return broker_url.startswith(("redis:", "rediss:"))


def transport_options(broker_url: str, lease_seconds: float) -> dict[str, Any]:
    """Options of the connection to the broker, the same for those who put and those who take."""
    if is_embedded(broker_url):
        # It looks for new messages once a second by default, which is how long a single uploaded
        # picture would wait.
        return {"polling_interval": 0.05}
    if is_redis(broker_url):
        return {**_REDIS, "visibility_timeout": int(lease_seconds) + REDELIVERY_MARGIN}
    return {}


_REDIS: dict[str, Any] = {
    # Both are needed: the client looks on every n-th call, and is called every so many seconds.
    "unacked_restore_interval": RESTORE_SECONDS,
    "unacked_restore_throttle": 1,
    # A broker that does not answer must not hold a web thread for long; the upload is stored and
    # is queued by a later sweep.
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "retry_on_timeout": True,
    # Notices a connection that a firewall or a restart has dropped without a word.
    "health_check_interval": 10,
    "socket_keepalive": True,
}

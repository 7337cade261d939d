"""Redis and Valkey as a broker that may go away at any moment.

A worker that loses its broker drops the connection, whether or not it closes in time, and then has
its channels give back the tasks in hand. Over a connection without an address that is an
AttributeError in kombu's transport, which Celery takes for a mistake in the program: it ends the
worker. Here it is a connection error, which Celery passes over, and the worker connects again.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis
from redis.exceptions import ConnectionError as ConnectionGoneError


class Channel(redis.Channel):
    """Raises a connection error when its connection has been closed under it."""

    def _connparams(self, asynchronous: bool = False) -> Any:
        if self.connection is None or self.connection.client is None:
            raise ConnectionGoneError("The connection to the broker is closed.")
        return super()._connparams(asynchronous)  # type: ignore[no-untyped-call]


class Transport(redis.Transport):
    """The library's own, with channels that can lose their connection."""

    Channel = Channel


def use_for_redis() -> None:
    """From now on `redis:` and `rediss:` URLs of this process lead to this transport."""
    # An explicit `broker_transport` would stand in place of `redis://` in all that is logged.
    path = f"{Transport.__module__}:{Transport.__name__}"
    TRANSPORT_ALIASES.update(redis=path, rediss=path)

"""Hands picture ids to Celery. Knows the task by name only: services never import workers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

from lookalike.services.broker import INDEX_TASK, QUEUE, is_embedded, transport_options
from lookalike.services.errors import UnavailableError

PING_SECONDS = 0.5
"""How long to wait for workers to answer: one on the same machine takes milliseconds."""


class CeleryQueue:
    """An IndexQueue on a Celery broker, in tasks of at most `batch` pictures."""

    def __init__(self, broker_url: str, batch: int) -> None:
        self._app = Celery("lookalike-producer", broker=broker_url, set_as_current=False)
        self._app.conf.broker_transport_options = transport_options(broker_url)
        # An embedded worker is alone: nobody else's answer has to be waited for.
        self._most_workers = 1 if is_embedded(broker_url) else None
        self._batch = batch

    def put(self, picture_ids: Sequence[UUID]) -> None:
        """See IndexQueue. Raises UnavailableError when the broker is down."""
        with _translated():
            for start in range(0, len(picture_ids), self._batch):
                ids = [str(one) for one in picture_ids[start : start + self._batch]]
                self._app.send_task(INDEX_TASK, args=[ids], queue=QUEUE)

    def waiting(self) -> int:
        """See IndexQueue. Raises UnavailableError when the broker is down."""
        with _translated(), self._app.connection_for_read() as connection:
            declared = connection.default_channel.queue_declare(QUEUE)
            return int(declared.message_count)

    def workers(self) -> int:
        """See IndexQueue. Raises UnavailableError when the broker is down."""
        with _translated():
            return len(self._app.control.ping(timeout=PING_SECONDS, limit=self._most_workers))

    def close(self) -> None:
        """Give the broker's connections back."""
        self._app.close()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (KombuError, CeleryError, OSError) as error:
        raise UnavailableError("The queue cannot be reached at the moment.") from error

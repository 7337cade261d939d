"""Hands picture ids to Celery. Knows the task by name only: services never import workers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import structlog
from celery import Celery
from celery.exceptions import CeleryError
from kombu.exceptions import KombuError
from redis.exceptions import RedisError
from structlog.contextvars import get_contextvars

from lookalike.services.broker import (
    BUILD_TASK,
    IMPORT_TASK,
    INDEX_TASK,
    MEMORY_QUESTION,
    is_embedded,
    is_redis,
    transport_options,
)
from lookalike.services.errors import ConfigurationError, UnavailableError
from lookalike.services.ports import Worker
from lookalike.services.records import Queue

IMPATIENT = {
    "max_retries": 1,
    "interval_start": 0.1,
    "socket_connect_timeout": 1,
    "socket_timeout": 2,
    "retry_on_timeout": False,
}
"""For a broker that is down: web threads wait for it, and sweeps queue what was stored."""

DOWN = "The queue cannot be reached at the moment."
DOWN_SECONDS = 2.0
"""After a failure, how long the broker counts as down without asking it again."""

log = structlog.get_logger(__name__)

ASK_SECONDS = 0.5
"""How long to wait for workers to answer: one on the same machine takes milliseconds."""

ASK_EVERY = 5.0
"""Seconds for which an answer of workers is good: asking costs everybody who asks ASK_SECONDS."""

SAFE_POLICY = "noeviction"
"""What a full Redis must do: refuse new tasks, which we notice, and never drop queued ones."""


class CeleryQueue:
    """An IndexQueue and WorkQueue on a Celery broker, in tasks of at most `batch` pictures."""

    def __init__(self, broker_url: str, batch: int, lease_seconds: float) -> None:
        self._app = Celery("lookalike-producer", broker=broker_url, set_as_current=False)
        self._app.conf.broker_transport_options = {
            **transport_options(broker_url, lease_seconds),
            **IMPATIENT,
        }
        # A web thread does not wait long for a broker that is down: sweeps queue what was stored.
        self._app.conf.task_publish_retry_policy = {"max_retries": 1, "interval_start": 0.1}
        self._url = broker_url
        # An embedded worker is alone: nobody else's answer has to be waited for.
        self._most_workers = 1 if is_embedded(broker_url) else None
        self._batch = batch
        self._asking_workers = threading.Lock()
        self._known: tuple[float, Sequence[Worker]] = (float("-inf"), ())
        self._down_until = float("-inf")

    def put(self, picture_ids: Sequence[UUID], queue: Queue = Queue.INTERACTIVE) -> None:
        """See IndexQueue. Raises UnavailableError when the broker is down."""
        request = get_contextvars().get("request_id")
        with self._asking():
            for start in range(0, len(picture_ids), self._batch):
                ids = [str(one) for one in picture_ids[start : start + self._batch]]
                self._app.send_task(INDEX_TASK, args=[ids, request], queue=str(queue))

    def put_import(self, import_id: UUID, ticket: UUID, delay: float, /) -> None:
        """See WorkQueue. Raises UnavailableError when the broker is down."""
        self._put(IMPORT_TASK, import_id, ticket, delay)

    def put_build(self, index_id: UUID, ticket: UUID, delay: float, /) -> None:
        """See WorkQueue. Raises UnavailableError when the broker is down."""
        self._put(BUILD_TASK, index_id, ticket, delay)

    def waiting(self) -> Mapping[Queue, int]:
        """See IndexQueue. Raises UnavailableError when the broker is down."""
        with self._asking(), self._app.connection_for_read() as connection:
            declare = connection.default_channel.queue_declare
            return {queue: int(declare(str(queue)).message_count) for queue in Queue}

    def workers(self) -> Sequence[Worker]:
        """See IndexQueue. Raises UnavailableError when the broker is down."""
        with self._asking_workers:
            asked, workers = self._known
            if time.monotonic() - asked > ASK_EVERY:
                workers = self._ask_workers()
                self._known = (time.monotonic(), workers)
            return workers

    def check(self) -> None:
        """See IndexQueue: web and workers can start before their broker, and sweeps ask again.

        One that does not let its memory be asked about passes too.
        """
        policy = self._eviction_policy() if is_redis(self._url) else SAFE_POLICY
        if policy != SAFE_POLICY:
            raise ConfigurationError(
                f"The broker drops data when its memory is full (maxmemory-policy {policy}), and "
                f"queued pictures with it. Set maxmemory-policy to {SAFE_POLICY} on the server "
                "that LOOKALIKE_BROKER_URL names, or use another one for the queue.",
                policy=policy,
            )

    def close(self) -> None:
        """Give the broker's connections back."""
        self._app.close()

    def _put(self, task: str, row_id: UUID, ticket: UUID, delay: float) -> None:
        with self._asking():
            self._app.send_task(
                task,
                args=[str(row_id), str(ticket)],
                queue=str(Queue.BULK),
                countdown=delay or None,
            )

    def _eviction_policy(self) -> str:
        try:
            with self._asking(), self._app.connection_for_read() as connection:
                facts = connection.default_channel.client.info("memory")
        except UnavailableError as error:
            log.warning("broker_not_checked", reason=error.message)
            return SAFE_POLICY
        return str(facts.get("maxmemory_policy", SAFE_POLICY))

    def _ask_workers(self) -> Sequence[Worker]:
        with self._asking():
            answers = self._app.control.broadcast(
                MEMORY_QUESTION, reply=True, timeout=ASK_SECONDS, limit=self._most_workers
            )
        found = [Worker(name, _memory(said)) for one in answers for name, said in one.items()]
        return sorted(found, key=lambda worker: worker.name)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Translate errors; after one, refuse at once for a moment."""
        if time.monotonic() < self._down_until:
            raise UnavailableError(DOWN)
        try:
            yield
        except (KombuError, CeleryError, OSError, RedisError) as error:
            self._down_until = time.monotonic() + DOWN_SECONDS
            raise UnavailableError(DOWN) from error


def _memory(said: Mapping[str, Any]) -> int | None:
    """None for an error too: a worker that is older than the question answers that it is one."""
    memory = said.get("memory")
    return memory if isinstance(memory, int) else None

"""Makes the Celery app of a worker: where tasks come from, and how they are handed out."""

from __future__ import annotations

from collections.abc import Callable

from celery import Celery
from kombu.entity import Exchange
from kombu.entity import Queue as Declared
from kombu.utils.scheduling import priority_cycle

from lookalike.services.broker import SWEEP_QUEUE, SWEEP_TASK, transport_options
from lookalike.services.platform import Platform
from lookalike.services.records import Queue
from lookalike.services.settings import Settings
from lookalike.workers import redis_broker
from lookalike.workers.tasks import register

QUEUES = (SWEEP_QUEUE, Queue.INTERACTIVE, Queue.BULK)
"""What a worker takes tasks from, in the order in which it looks."""


class InOrder(priority_cycle):
    """Looks into the queues in the order of `QUEUES`: one is read when those before it are empty.

    The library's own `priority` order is lost on the way, as it keeps the queues in a set. Its
    queues for questions and answers between processes come before ours.
    """

    def consume(self, n: int) -> list[str]:
        """The first `n` queues."""
        places = {str(name): place for place, name in enumerate(QUEUES, start=1)}
        return sorted(self.items, key=lambda name: places.get(name, 0))[:n]


def _declared(name: str) -> Declared:
    # With an exchange and a key of its own: by default all would be bound to those of the default
    # queue, and each would get what was meant for that one.
    exchange = Exchange(name)  # type: ignore[no-untyped-call]
    return Declared(name, exchange, routing_key=name)  # type: ignore[no-untyped-call]


def create_app(settings: Settings, platform: Callable[[], Platform]) -> Celery:
    """A Celery app whose tasks work on what `platform` gives when the first one comes in."""
    redis_broker.use_for_redis()
    app = Celery("lookalike", broker=settings.broker_url)
    app.conf.update(
        task_queues=[_declared(str(name)) for name in QUEUES],
        task_default_queue=str(Queue.INTERACTIVE),
        # A task is forgotten only when it is done, so that a killed worker's task comes back;
        # indexing may be repeated without harm.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Batches are large: a worker that holds one should not also hoard the next.
        worker_prefetch_multiplier=1,
        # Threads, not processes: the network computes on all cores or on the GPU already, CUDA
        # does not survive a fork, and what may crash or hang, decoding, has processes of its own.
        worker_pool="threads",
        # Two at once: while one is recorded, the other keeps the network computing.
        worker_concurrency=2,
        # States are read from SQL; nobody waits for a task's result.
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        # A worker waits for its broker, at the start and after every loss, for as long as it takes.
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # On Redis, tasks in hand when the connection is lost are finished, not thrown away.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_transport_options={
            **transport_options(settings.broker_url, settings.lease_seconds),
            "queue_order_strategy": f"{InOrder.__module__}:{InOrder.__name__}",
        },
        beat_schedule={
            "sweep": {
                "task": SWEEP_TASK,
                "schedule": settings.sweep_seconds,
                # When nobody comes to do it, the next one is as good.
                "options": {"queue": SWEEP_QUEUE, "expires": settings.sweep_seconds},
            }
        },
    )
    register(app, platform)
    return app

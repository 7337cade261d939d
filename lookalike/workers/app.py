"""The Celery app of a worker: where tasks come from, and how they are handed out."""

from __future__ import annotations

from celery import Celery

from lookalike.services.bootstrap import Platform
from lookalike.services.broker import QUEUE, transport_options
from lookalike.workers.tasks import register


def create_app(platform: Platform) -> Celery:
    """A Celery app whose tasks work on `platform`."""
    app = Celery("lookalike", broker=platform.settings.broker_url)
    app.conf.update(
        task_default_queue=QUEUE,
        # A task is forgotten only when it is done, so that a killed worker's task comes back;
        # indexing may be repeated without harm.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        # Batches are large: a worker that holds one should not also hoard the next.
        worker_prefetch_multiplier=1,
        # States are read from SQL; nobody waits for a task's result.
        task_ignore_result=True,
        worker_hijack_root_logger=False,
        broker_transport_options=transport_options(platform.settings.broker_url),
    )
    register(app, platform)
    return app

"""A Celery worker as a thread of this process, for running the whole platform in one."""

from __future__ import annotations

import threading

from celery import Celery
from celery.worker import WorkController, state

from lookalike.services.priority import step_back


class WorkerThread:
    """Works on the app's queue until stopped."""

    def __init__(self, app: Celery) -> None:
        app.set_default()  # the pool's threads find the app through this; else results vanish
        self._controller = WorkController(
            app=app,
            hostname="embedded@localhost",
            # Two tasks at once: while one is recorded, the other keeps the cores computing. A pool
            # of threads, not solo, so that the worker answers pings while it works.
            pool="threads",
            concurrency=2,
            loglevel="WARNING",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def start(self) -> None:
        """Begin; returns at once."""
        self._thread.start()

    def _work(self) -> None:
        step_back()
        self._controller.start()

    def stop(self, timeout: float) -> bool:
        """Finish the tasks in hand and end; whether it did within `timeout` seconds."""
        state.should_stop = 0
        self._thread.join(timeout)
        ended = not self._thread.is_alive()
        if ended:
            state.should_stop = None  # the whole process's: the next worker is to work
        return ended

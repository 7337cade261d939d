"""The whole platform in this process: services, pages and API, and a worker thread."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

import click
import structlog
from flask import Flask

from lookalike.services.bootstrap import bootstrap
from lookalike.services.ownership import Ownership
from lookalike.services.platform import Platform
from lookalike.services.priority import step_back
from lookalike.services.settings import Settings
from lookalike.web.app import create_app as create_web
from lookalike.web.owner import admit_owner
from lookalike.workers.factory import create_app as create_worker
from lookalike.workers.thread import WorkerThread

log = structlog.get_logger(__name__)

STOP_SECONDS = 15
"""How long the task in hand may take to end: batches take seconds."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """A running platform: its services, its WSGI app, and its hold on the data folder."""

    platform: Platform
    web: Flask
    ownership: Ownership


@contextmanager
def embedded(settings: Settings, command: str, *, worker: bool) -> Iterator[Embedded]:
    """Run the platform on the data folder for as long as the block lasts.

    With a worker, what was left pending is taken up again, now and from time to time. Raises
    BusyError when another process holds the folder.
    """
    ownership = Ownership(settings.data_dir, command)
    try:
        platform = bootstrap(settings, background=worker)
        try:
            with _working(platform) if worker else _idle():
                web = create_web(platform)
                admit_owner(web, ownership.token)
                yield Embedded(platform, web, ownership)
        finally:
            platform.close()
    finally:
        ownership.release()


@contextmanager
def server_platform(settings: Settings) -> Iterator[Platform]:
    """The platform on servers that other processes share, for as long as the block lasts."""
    platform = bootstrap(settings)
    try:
        yield platform
    finally:
        platform.close()


@contextmanager
def _working(platform: Platform) -> Iterator[None]:
    thread = WorkerThread(create_worker(platform.settings, lambda: platform))
    thread.start()
    try:
        platform.sweeping.start_alone()
        with repeating(platform.sweeping.run, platform.settings.sweep_seconds):
            yield
    finally:
        if not thread.stop(STOP_SECONDS):
            _leave()


def _leave() -> NoReturn:
    """End the process under a worker that does not end, which the first use of a model may do.

    Nothing is lost: what it has in hand is still pending and is queued at the next start.
    """
    click.echo("Stopped in the middle of a batch; the next start takes it up again.", err=True)
    sys.stdout.flush()
    os._exit(0)


@contextmanager
def repeating(work: Callable[[], object], seconds: float) -> Iterator[None]:
    """Do `work` every so many seconds on a thread of its own, until the block ends."""
    ended = threading.Event()
    thread = threading.Thread(target=_repeat, args=(work, seconds, ended), name="sweep")
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _repeat(work: Callable[[], object], seconds: float, ended: threading.Event) -> None:
    step_back()
    while not ended.wait(seconds):
        try:
            work()
        except Exception:  # the next round may do better; without any, lost work stays lost
            log.exception("repeated_work_failed")


@contextmanager
def _idle() -> Iterator[None]:
    yield

"""How a command reaches the platform: the server on the data folder, or the folder itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import httpx
from flask import Flask

from lookalike.cli.client import TIMEOUT, Client
from lookalike.cli.embedded import Embedded, embedded, server_platform
from lookalike.cli.in_process import InProcessTransport
from lookalike.services.errors import NotFoundError
from lookalike.services.logs import configure_logs
from lookalike.services.ownership import owner_of
from lookalike.services.settings import Settings
from lookalike.web.app import create_app


@contextmanager
def connect(
    settings: Settings, url: str | None, command: str, *, worker: bool = False
) -> Iterator[Client]:
    """A client for `url`, or the server that holds the data folder, or the folder opened here.

    With server engines the platform is put together here, and workers elsewhere index.

    `worker` says whether pictures have to be indexed, if it is opened here. Raises BusyError
    when another command holds the folder, NotFoundError when there is nothing to read in it.
    """
    configure_logs(settings.log_level, settings.log_format)
    owner = None if url else owner_of(settings.data_dir)
    url = url or (owner.url if owner else None)
    if url is not None:
        with httpx.Client(base_url=url, timeout=TIMEOUT, trust_env=False) as http:
            yield Client(http, owner.token if owner else "")
        return
    if not settings.is_embedded:
        with server_platform(settings) as platform, client_of(create_app(platform)) as client:
            yield client
        return
    if not worker and not settings.database_url and not _has_data(settings):
        raise NotFoundError(
            f"There is no Lookalike data in {str(settings.data_dir)!r} yet. "
            "Bring pictures in with `lookalike import`, or name the folder with --data."
        )
    with embedded(settings, command, worker=worker) as running, client_of_owner(running) as client:
        yield client


@contextmanager
def client_of(web: Flask, token: str = "") -> Iterator[Client]:
    """A client of an app in this process; with its owner's token, one that is the owner."""
    with httpx.Client(transport=InProcessTransport(web), base_url="http://localhost") as http:
        yield Client(http, token)


def client_of_owner(running: Embedded) -> AbstractContextManager[Client]:
    """A client of the platform that this process runs, whose owner it is."""
    return client_of(running.web, running.ownership.token)


def running_url(settings: Settings) -> str | None:
    """Where the server on the data folder answers, None when there is none."""
    owner = owner_of(settings.data_dir)
    return owner.url if owner else None


def is_alone(settings: Settings, url: str | None) -> bool:
    """Whether a command is going to be the only process on a platform that has data.

    Nobody but a worker in it would then carry out what it asks for.
    """
    return _has_data(settings) and opens_folder(settings, url)


def opens_folder(settings: Settings, url: str | None) -> bool:
    """Whether a command is going to open the data folder itself, as no server has it open."""
    return settings.is_embedded and url is None and running_url(settings) is None


def _has_data(settings: Settings) -> bool:
    return (settings.data_dir / "lookalike.db").exists()

"""`lookalike up`: pages, API and worker in one process, until it is told to stop."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
from flask import Flask

from lookalike.cli.connection import client_of
from lookalike.cli.embedded import embedded, server_platform
from lookalike.cli.importing import report
from lookalike.cli.options import data_option
from lookalike.cli.serving import listen
from lookalike.cli.transfer import Transfer, find_pictures
from lookalike.services.errors import LookalikeError
from lookalike.services.logs import configure_logs
from lookalike.services.models import DEFAULT_LIBRARY
from lookalike.services.settings import Settings, read_settings
from lookalike.web.app import create_app


@click.command()
@click.option("--host", help="The address to listen on. [default: LOOKALIKE_HOST, or 127.0.0.1]")
@click.option("--port", type=int, help="The port; 0 picks one. [default: LOOKALIKE_PORT, or 8000]")
@data_option
def up(host: str | None, port: int | None, data: Path | None) -> None:
    """Serve pages, API and worker in one process.

    Where LOOKALIKE_BROKER_URL names a server, pages and API alone: workers are processes of their
    own then (`celery -A lookalike.workers.app worker`), and so is what sweeps (`... beat`).

    Prints one line when it is ready. Ctrl-C or SIGTERM stops it cleanly; whatever was not indexed
    by then is taken up at the next start.
    """
    serve(read_settings(host=host, port=port, data_dir=data))


def serve(settings: Settings, folder: Path | None = None) -> None:
    """Run until told to stop. Pictures in `folder`, if given, are brought in meanwhile.

    Raises ConfigurationError for a host or port that may not or cannot be used, BusyError when
    another process holds the data folder.
    """
    configure_logs(settings.log_level, settings.log_format)
    settings.check_reachable()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with _running(settings) as (web, announce):
        server = listen(settings, web)
        url = f"http://{_bracketed(settings.host)}:{server.effective_port}"
        announce(url)
        with _importing(web, folder):
            click.echo(f"Lookalike is ready at {url}")
            server.run()


@contextmanager
def _running(settings: Settings) -> Iterator[tuple[Flask, Callable[[str], None]]]:
    """The web app, and whom to tell where it answers. With servers, workers run elsewhere."""
    if settings.is_embedded:
        with embedded(settings, "lookalike up", worker=True) as running:
            running.platform.warm()
            yield running.web, running.ownership.announce
    else:
        with server_platform(settings) as platform:
            platform.warm()
            yield create_app(platform), lambda _url: None


def _stop(_number: int, _frame: FrameType | None) -> None:
    # The server's loop ends on this exception after the requests in hand; every `with` above it
    # then cleans up. It works as well before the loop has begun.
    sys.exit(0)


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


@contextmanager
def _importing(web: Flask, folder: Path | None) -> Iterator[None]:
    """Bring the folder's pictures in on a thread of their own, until the block ends."""
    if folder is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_import, args=(web, folder, stop.is_set), name="import")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _import(web: Flask, folder: Path, stopped: Callable[[], bool]) -> None:
    files, skipped = find_pictures([folder])
    with client_of(web) as client:
        transfer = Transfer(client, DEFAULT_LIBRARY, [], lambda _: None, stopped)
        try:
            if transfer.was_done(files):  # what was removed since stays so
                return
            transfer.run(files, str(folder))
        except LookalikeError as error:
            click.echo(f"The import ended early: {error.message}", err=True)
    transfer.outcome.skipped = skipped
    report(transfer.outcome, as_json=False)

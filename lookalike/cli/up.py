"""`lookalike up`: pages, API and worker in one process, until it is told to stop."""

from __future__ import annotations

import ipaddress
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import click
import httpx
from waitress.server import BaseWSGIServer, create_server

from lookalike.cli.client import Client
from lookalike.cli.embedded import Embedded, embedded
from lookalike.cli.importing import report
from lookalike.cli.options import data_option, read_settings
from lookalike.cli.transfer import Transfer, find_pictures
from lookalike.services.errors import ConfigurationError, LookalikeError
from lookalike.services.logs import configure_logs
from lookalike.services.models import DEFAULT_LIBRARY
from lookalike.services.settings import Settings


@click.command()
@click.option("--host", help="The address to listen on. [default: LOOKALIKE_HOST, or 127.0.0.1]")
@click.option("--port", type=int, help="The port; 0 picks one. [default: LOOKALIKE_PORT, or 8000]")
@data_option
def up(host: str | None, port: int | None, data: Path | None) -> None:
    """Serve pages, API and worker in one process.

    Prints one line when it is ready. Ctrl-C or SIGTERM stops it cleanly; whatever was not indexed
    by then is taken up at the next start.
    """
    serve(read_settings(host=host, port=port, data_dir=data))


def serve(settings: Settings, folder: Path | None = None) -> None:
    """Run until told to stop. Pictures in `folder`, if given, are brought in meanwhile.

    Raises ConfigurationError for a host or port that may not or cannot be used, BusyError when
    another process holds the data folder.
    """
    configure_logs(settings.log_level)
    _check_host(settings)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    with embedded(settings, "lookalike up", worker=True) as running:
        server = _listen(settings, running)
        url = f"http://{_bracketed(settings.host)}:{server.effective_port}"
        running.ownership.announce(url)
        with _importing(running, folder):
            click.echo(f"Lookalike is ready at {url}")
            server.run()


def _stop(_number: int, _frame: FrameType | None) -> None:
    # The server's loop ends on this exception after the requests in hand; every `with` above it
    # then cleans up. It works as well before the loop has begun.
    sys.exit(0)


def _check_host(settings: Settings) -> None:
    if not settings.allow_remote and not _is_loopback(settings.host):
        raise ConfigurationError(
            f"Refusing to listen on {settings.host!r}: other machines could reach it, and there "
            "is no log-in yet. Use 127.0.0.1, or set LOOKALIKE_ALLOW_REMOTE=true where something "
            "in front controls access."
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(settings: Settings, running: Embedded) -> BaseWSGIServer:
    host = "127.0.0.1" if settings.host == "localhost" else settings.host
    try:
        server: BaseWSGIServer = create_server(
            running.web,
            host=host,
            port=settings.port,
            threads=settings.web_threads,
            ident=None,
            max_request_body_size=settings.max_request_bytes,
        )
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {settings.host} port {settings.port} ({error.strerror}). "
            "Choose another with --port."
        ) from error
    return server


@contextmanager
def _importing(running: Embedded, folder: Path | None) -> Iterator[None]:
    """Bring the folder's pictures in on a thread of their own, until the block ends."""
    if folder is None:
        yield
        return
    stop = threading.Event()
    thread = threading.Thread(target=_import, args=(running, folder, stop.is_set), name="import")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _import(running: Embedded, folder: Path, stopped: Callable[[], bool]) -> None:
    transport = httpx.WSGITransport(app=running.web)
    files, skipped = find_pictures([folder])
    with httpx.Client(transport=transport, base_url="http://localhost") as http:
        transfer = Transfer(Client(http), DEFAULT_LIBRARY, [], lambda _: None, stopped)
        try:
            transfer.run(files)
        except LookalikeError as error:
            click.echo(f"The import ended early: {error.message}", err=True)
    transfer.outcome.skipped = skipped
    report(transfer.outcome, as_json=False)

"""What backup and restore share: the platform itself, and a bar that shows how far they are."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lookalike.cli.embedded import embedded, server_platform
from lookalike.services.archive.form import Show
from lookalike.services.errors import BusyError
from lookalike.services.ownership import owner_of
from lookalike.services.platform import Platform
from lookalike.services.settings import Settings


@contextmanager
def opened(settings: Settings, command: str, *, worker: bool) -> Iterator[Platform]:
    """The platform in this process, or on its servers.

    `worker` says whether pictures are to be indexed here, if it is in this process. Raises
    BusyError, which says to stop it, when another process has it.
    """
    if not settings.is_embedded:
        with server_platform(settings) as platform:
            yield platform
        return
    if owner := owner_of(settings.data_dir):
        raise BusyError(
            f"`{owner.command}` (process {owner.pid}) is using the data folder "
            f"{str(settings.data_dir)!r}. Stop it, run this again, and start it afterwards.",
            pid=owner.pid,
        )
    with embedded(settings, command, worker=worker) as running:
        yield running.platform


@contextmanager
def progress(*, visible: bool) -> Iterator[Show]:
    """A bar for each thing that is done, on the terminal, for as long as the block lasts."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (visible and console.is_terminal)) as bar:
        tasks = {}

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total or None)

        yield show

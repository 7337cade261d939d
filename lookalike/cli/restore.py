"""`lookalike restore`: take in the pictures and imports of a backup."""

from __future__ import annotations

import time
from pathlib import Path

import click

from lookalike.cli.archives import opened, progress
from lookalike.cli.options import data_option
from lookalike.services.archive.form import Show
from lookalike.services.logs import configure_logs
from lookalike.services.models import State
from lookalike.services.platform import Platform
from lookalike.services.settings import read_settings

POLL_SECONDS = 0.25


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def restore(file: Path, data: Path | None) -> None:
    """Take in all pictures and imports of FILE, which `lookalike backup` has written.

    \b
    Examples:
      lookalike restore pictures.tar --data restored

    Only where there are no pictures yet. The whole file is verified first: if anything in it is
    not as it was written, nothing is changed. Ends when all pictures are searchable; on servers,
    when workers have been told to index them. Of imports that were under way, `lookalike imports`
    says how to go on.
    """
    settings = read_settings(data_dir=data)
    configure_logs(settings.log_level, settings.log_format)
    with (
        opened(settings, "lookalike restore", worker=True) as platform,
        progress(visible=True) as show,
    ):
        done = platform.restore.run(file.absolute(), show)
        if settings.is_embedded:
            _wait_until_indexed(platform, done.queued, show)
    click.echo(
        f"{done.pictures} pictures restored, {done.vectors} of them with their vectors."
        if done.vectors
        else f"{done.pictures} pictures restored."
    )
    if done.imports:
        plural = "s" * (done.imports != 1)
        click.echo(f"{done.imports} import{plural} restored; see `lookalike imports`.")
    if done.queued and not settings.is_embedded:
        click.echo(f"Workers are indexing {done.queued}; `lookalike status` shows how far.")


def _wait_until_indexed(platform: Platform, queued: int, show: Show) -> None:
    """Stay until this process' worker is done. Ended earlier, the next start goes on."""
    while pending := platform.pictures.counts()[State.PENDING]:
        show("Indexing", queued - pending, queued)
        time.sleep(POLL_SECONDS)

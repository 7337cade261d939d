"""`lookalike backup`: every picture and every import in one file."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lookalike.cli.archives import opened, progress
from lookalike.cli.options import data_option
from lookalike.services.archive.backup import BackedUp
from lookalike.services.errors import NotFoundError
from lookalike.services.logs import configure_logs
from lookalike.services.settings import read_settings

SHOWN_LOST = 20


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--vectors",
    is_flag=True,
    help="Include the vectors: a larger file, but nothing has to be computed after a restore.",
)
@data_option
def backup(file: Path, vectors: bool, data: Path | None) -> None:
    """Write all pictures and imports, with all that is known of them, to FILE.

    \b
    Examples:
      lookalike backup pictures.tar
      lookalike backup pictures.tar --vectors

    The file is a plain tar archive that `lookalike restore` takes in anywhere, whatever engines
    are used there. It appears under its name when it is complete. Stop `lookalike up` first; on
    servers, everything may go on meanwhile. Ends with 1 when the original of a picture is lost,
    so that it could not be included.
    """
    settings = read_settings(data_dir=data)
    configure_logs(settings.log_level, settings.log_format)
    if settings.is_embedded and not (settings.data_dir / "lookalike.db").exists():
        raise NotFoundError(
            f"There is no Lookalike data in {str(settings.data_dir)!r}. Name another folder with "
            "--data."
        )
    with (
        opened(settings, "lookalike backup", worker=False) as platform,
        progress(visible=True) as show,
    ):
        done = platform.backup.run(file.absolute(), vectors=vectors, show=show)
    _report(file, done)
    sys.exit(1 if done.lost else 0)


def _report(file: Path, done: BackedUp) -> None:
    counts = {"vector": done.vectors, "import": done.imports}
    more = "".join(f", {n} {what}{'s' * (n != 1)}" for what, n in counts.items() if n)
    size = file.stat().st_size / 1024 / 1024
    click.echo(f"{file}: {done.pictures} pictures{more}, {size:.1f} MB.")
    if done.lost:
        click.echo(
            f"Not in it, because the original is missing or damaged: {len(done.lost)}. "
            "`lookalike check --deep` tells more. Upload them again:",
            err=True,
        )
    for picture_id in done.lost[:SHOWN_LOST]:
        click.echo(f"  {picture_id}", err=True)

"""`lookalike status`: how many pictures are searchable, and what is at work."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.cli.connection import connect
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json
from lookalike.services.settings import read_settings


@click.command()
@data_option
@url_option
@json_option
def status(data: Path | None, url: str | None, as_json: bool) -> None:
    """Show pictures by state, the queue, and the index that answers searches."""
    with connect(read_settings(data_dir=data), url, "lookalike status") as client:
        answer = client.status()
    if as_json:
        print_json(answer)
        return
    images, queue = answer["images"], answer["queue"]
    click.echo(
        f"Pictures: {images['indexed']} indexed, {images['pending']} pending, "
        f"{images['failed']} failed"
    )
    click.echo(f"Queue:    {queue['waiting']} batches waiting, {queue['workers']} workers")
    click.echo(f"Index:    {answer['index']['model']} ({answer['index']['id']})")

"""`lookalike recall`: how much of the nearest searches find, by the shape of their filter."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lookalike.cli.connection import connect
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json, print_table
from lookalike.services.settings import read_settings
from lookalike.web.recall import MAX_HOURS


@click.command()
@data_option
@url_option
@click.option(
    "--hours",
    type=click.IntRange(1, MAX_HOURS),
    default=168,
    show_default=True,
    help="How far to look back.",
)
@json_option
def recall(data: Path | None, url: str | None, hours: int, as_json: bool) -> None:
    """Show recall@10, the share of the ten nearest pictures that searches found.

    Some searches that people make are kept (LOOKALIKE_RECALL_SAMPLE_SECONDS) and replayed
    exactly. Filters are hard on a search in their own ways, so recall is shown for each shape.
    """
    with connect(read_settings(data_dir=data), url, "lookalike recall") as client:
        answer = client.recall(hours)
    if as_json:
        print_json(answer)
        return
    if answer["shapes"]:
        columns = ("filter", "recall@10", "searches", "lowest hour")
        print_table(columns, map(_row, answer["shapes"]))
    else:
        click.echo(f"No search of the last {hours} hours was replayed.")
    if answer["sampled"]:
        click.echo(f"Waiting to be replayed: {answer['sampled']}")


def _row(shape: dict[str, Any]) -> tuple[str, ...]:
    lowest = min(point["recall"] for point in shape["points"])
    return shape["shape"], f"{shape['recall']:.3f}", str(shape["queries"]), f"{lowest:.3f}"

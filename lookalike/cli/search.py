"""`lookalike search`: the pictures that look like a given one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lookalike.cli.connection import connect
from lookalike.cli.options import (
    data_option,
    json_option,
    library_option,
    url_option,
)
from lookalike.cli.output import print_json, print_table
from lookalike.services.filters import parse_filter
from lookalike.services.settings import read_settings


@click.command()
@click.argument("picture", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@library_option
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 1000))
@click.option("--filter", "filter_json", metavar="JSON", help="Which pictures may be neighbours.")
@click.option("--rerank", is_flag=True, help="Move up neighbours that are alike among themselves.")
@data_option
@url_option
@json_option
def search(
    picture: Path,
    library: str,
    limit: int,
    filter_json: str | None,
    rerank: bool,
    data: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Find the pictures that look like PICTURE.

    \b
    Examples:
      lookalike search photo.jpg
      lookalike search photo.jpg --limit 3 --filter '{"tags": {"any": ["beach"]}}'
      lookalike search photo.jpg --filter '{"text": "brown dog"}'
      lookalike search photo.jpg --filter '{"width": {"gte": 1000}, "orientation": "landscape"}'
    """
    wanted = parse_filter(filter_json).model_dump(mode="json", by_alias=True, exclude_none=True)
    query = {"library": library, "limit": limit, "filter": wanted, "rerank": rerank}
    with connect(read_settings(data_dir=data), url, "lookalike search") as client:
        answer = client.search(picture, query)
    if as_json:
        print_json(answer)
    elif not answer["results"]:
        click.echo("Nothing found. `lookalike status` shows how many pictures are indexed.")
    else:
        print_table(("score", "picture", "tags", "id"), map(_row, answer["results"]))


def _row(result: dict[str, Any]) -> tuple[str, ...]:
    image = result["image"]
    name = image["title"] or image["filename"]
    return f"{result['score']:.3f}", name, ", ".join(image["tags"]), image["id"]

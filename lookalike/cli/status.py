"""`lookalike status`: how many pictures are searchable, what is at work, and what it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.filesize import decimal

from lookalike.cli.connection import connect
from lookalike.cli.imports import duration
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json
from lookalike.services.settings import read_settings


@click.command()
@data_option
@url_option
@json_option
def status(data: Path | None, url: str | None, as_json: bool) -> None:
    """Show pictures by state, queues, workers, indexes, and the use of disk and memory."""
    with connect(read_settings(data_dir=data), url, "lookalike status") as client:
        answer = client.status() | {"resources": client.resources()}
    if as_json:
        print_json(answer)
        return
    images, queue = answer["images"], answer["queue"]
    click.echo(
        f"Pictures: {images['indexed']} indexed, {images['pending']} pending, "
        f"{images['failed']} failed"
    )
    click.echo(f"Queue:    {queue['waiting']} batches waiting, {queue['workers']} workers")
    for one in queue["queues"]:
        click.echo(f"          {one['name']}: {_depth(one)}")
    click.echo(f"Index:    {answer['index']['model']} ({answer['index']['id']})")
    for one in answer["indexes"]:
        if one["id"] != answer["index"]["id"]:
            click.echo(f"          {one['model']} ({one['id']}): {_standing(one)}")
    _show_resources(answer["resources"])


def _depth(queue: dict[str, Any]) -> str:
    if not queue["oldest_seconds"]:
        return f"{queue['waiting']} waiting"
    return f"{queue['waiting']} waiting, the oldest picture for {duration(queue['oldest_seconds'])}"


def _standing(index: dict[str, Any]) -> str:
    doing = "paused" if index["paused"] else index["task"]
    return f"{index['state']}, {doing}" if doing else str(index["state"])


def _show_resources(resources: dict[str, Any]) -> None:
    stored = resources["stored"] or {}
    parts = [f"{name} {decimal(size)}" for name, size in stored.items() if size is not None]
    if resources["free"] is not None:
        parts.append(f"free {decimal(resources['free'])}")
    click.echo(f"Disk:     {', '.join(parts)}")
    _show_memory(resources["memory"], resources["workers"] or [])


def _show_memory(answering: int | None, workers: list[dict[str, Any]]) -> None:
    """A worker that is no process of its own is in the memory of the server that answers."""
    if not workers:
        click.echo(f"Memory:   {_amount(answering)}")
        return
    told = [one["memory"] for one in workers if one["memory"] is not None]
    all_of_them = _amount(sum(told) if told else None)
    click.echo(f"Memory:   workers {all_of_them}, server that answers {_amount(answering)}")
    for one in workers:
        click.echo(f"          {one['name']}: {_amount(one['memory'])}")


def _amount(size: int | None) -> str:
    return "unknown" if size is None else decimal(size)

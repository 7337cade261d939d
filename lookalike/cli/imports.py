"""`lookalike imports`: the imports that the server carries out, and how to steer them."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from lookalike.cli.client import Client
from lookalike.cli.connection import connect, is_alone
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json, print_table
from lookalike.services.settings import read_settings

ENDED = frozenset({"done", "failed", "cancelled", "paused", "undone"})
"""States in which nothing goes on by itself."""

POLL_SECONDS = 0.5
SHOWN_FAILURES = 20
SHOWN_IMPORTS = 50
STEPS = {
    "pause": "Stop after the batch in hand.",
    "resume": "Go on where it was paused, or where it failed as a whole.",
    "cancel": "End it; what it has brought in stays.",
    "undo": "Remove what it alone brought in, from database, files and vectors.",
    "perform": "Carry out what was rehearsed.",
}


@click.group(invoke_without_command=True)
@data_option
@url_option
@json_option
@click.pass_context
def imports(context: click.Context, data: Path | None, url: str | None, as_json: bool) -> None:
    """List, watch and steer imports of archives, manifests, lists and buckets.

    \b
    Examples:
      lookalike imports                    the newest ones, and how far they are
      lookalike imports show ID            one of them, with what failed
      lookalike imports pause ID           and resume, cancel, retry, perform
      lookalike imports undo ID            remove what it alone brought in

    `lookalike import SOURCE` starts one.
    """
    if context.invoked_subcommand is None:
        _list(data, url, as_json)


@imports.command("list")
@data_option
@url_option
@json_option
def list_imports(data: Path | None, url: str | None, as_json: bool) -> None:
    """List the newest imports and how far they are."""
    _list(data, url, as_json)


@imports.command("show")
@click.argument("import_id", metavar="ID")
@data_option
@url_option
@json_option
def show_import(import_id: str, data: Path | None, url: str | None, as_json: bool) -> None:
    """Show one import, with the first of what failed."""
    with connect(read_settings(data_dir=data), url, "lookalike imports") as client:
        report_import(client, client.get_import(import_id), as_json)


def _list(data: Path | None, url: str | None, as_json: bool) -> None:
    with connect(read_settings(data_dir=data), url, "lookalike imports") as client:
        found = client.imports(SHOWN_IMPORTS)
    if as_json:
        print_json(found)
        return
    columns = ("id", "from", "state", "done", "failed", "of")
    print_table(columns, (_row(one) for one in found))


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    state = f"{one['state']} (rehearsal)" if one["dry_run"] else one["state"]
    total = "?" if one["total"] is None else str(one["total"])
    return one["id"], one["name"], state, str(one["done"]), str(one["failed"]), total


def _step(name: str) -> click.Command:
    """The sub-command that makes this step."""

    @click.argument("import_id", metavar="ID")
    @data_option
    @url_option
    @json_option
    def step(import_id: str, data: Path | None, url: str | None, as_json: bool) -> None:
        settings = read_settings(data_dir=data)
        alone = is_alone(settings, url)
        with connect(settings, url, f"lookalike imports {name}", worker=alone) as client:
            _report_step(client, client.steer_import(import_id, name), alone, as_json)

    return click.command(name, help=STEPS[name])(step)


for _name in STEPS:
    imports.add_command(_step(_name))


@imports.command("retry")
@click.argument("import_id", metavar="ID")
@click.option("--item", type=click.IntRange(min=0), help="Only the item at this position.")
@data_option
@url_option
@json_option
def retry_import(
    import_id: str, item: int | None, data: Path | None, url: str | None, as_json: bool
) -> None:
    """Try again what failed: everything, or one item by its position in `failures`."""
    settings = read_settings(data_dir=data)
    alone = is_alone(settings, url)
    with connect(settings, url, "lookalike imports retry", worker=alone) as client:
        one = client.steer_import(import_id, "retry", {"position": item})
        _report_step(client, one, alone, as_json)


def _report_step(client: Client, one: dict[str, Any], alone: bool, as_json: bool) -> None:
    if alone:  # nobody else would carry it out
        one = watch(client, one["id"], visible=not as_json)
    report_import(client, one, as_json)


@imports.command("failures")
@click.argument("import_id", metavar="ID")
@click.option("--csv", "as_csv", is_flag=True, help="Print a table for spreadsheets.")
@data_option
@url_option
@json_option
def show_failures(
    import_id: str, as_csv: bool, data: Path | None, url: str | None, as_json: bool
) -> None:
    """List all that failed, with positions and reasons."""
    with connect(read_settings(data_dir=data), url, "lookalike imports") as client:
        if as_csv:
            client.copy_import_failures(import_id, sys.stdout.buffer)
            return
        found = list(client.all_import_failures(import_id))
    if as_json:
        print_json(found)
        return
    columns = ("position", "name", "code", "message")
    print_table(columns, ([str(one[column]) for column in columns] for one in found))


def watch(client: Client, import_id: str, *, visible: bool) -> dict[str, Any]:
    """Stay until the import has ended or is paused, with a bar on the terminal; how it ended."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:.0f} of {task.fields[of]}"),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console, disable=not (visible and console.is_terminal)) as bar:
        task = bar.add_task("Reading", total=None, of="?", note="")
        while True:
            one = client.get_import(import_id)
            bar.update(
                task,
                description=one["state"].capitalize(),
                total=one["total"],
                completed=one["done"] + one["failed"],
                of="?" if one["total"] is None else one["total"],
                note=_note(one),
            )
            if one["state"] in ENDED:
                return one
            time.sleep(POLL_SECONDS)


def _note(one: dict[str, Any]) -> str:
    parts = [f"[red]{one['failed']} failed[/]"] if one["failed"] else []
    if one["rate"]:
        parts.append(f"{one['rate']:.0f}/s")
    if one["seconds_left"] is not None:
        parts.append(f"about {duration(one['seconds_left'])} left")
    return ", ".join(parts)


def duration(seconds: float) -> str:
    """A time as people say it: `20 s`, `3 min`, `2 h 10 min`."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def has_failures(one: dict[str, Any]) -> bool:
    """Whether something of an import went wrong."""
    return bool(one["state"] == "failed" or one["failed"])


def report_import(client: Client, one: dict[str, Any], as_json: bool) -> None:
    """Say how far an import is and what failed in it."""
    failures = client.import_failures(one["id"], SHOWN_FAILURES)
    if as_json:
        print_json({**one, "codes": failures["codes"], "failures": failures["failures"]})
        return
    click.echo(_summary(one))
    if why := (one["error"] or {}).get("message") or one["message"]:
        click.echo(why, err=True)
    for failure in failures["failures"]:
        click.echo(f"  {failure['name']}: {failure['message']} [{failure['code']}]", err=True)
    if (more := one["failed"] - len(failures["failures"])) > 0:
        codes = ", ".join(f"{count} {code}" for code, count in failures["codes"].items())
        click.echo(f"  and {more} more; in all {codes}", err=True)


def _summary(one: dict[str, Any]) -> str:
    counts = f"{one['new']} new, {one['duplicate']} known already, {one['failed']} failed"
    if one["dry_run"] and one["rehearsal"]:
        size = f"{one['rehearsal']['bytes'] / 1e6:.1f} MB"
        time_needed = duration(one["rehearsal"]["seconds"])
        counts += f". It would store {size} and take about {time_needed}"
        return f"Rehearsal of {one['name']}: {one['found']} pictures: {counts}. [{one['id']}]"
    if one["state"] in {"undoing", "undone"}:
        counts += f"; {one['removed']} removed again"
    return f"{one['name']} ({one['state']}): {one['found']} pictures: {counts}. [{one['id']}]"

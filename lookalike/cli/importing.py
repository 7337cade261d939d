"""`lookalike import`: bring files and folders in, and stay until all are indexed or failed."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lookalike.cli.connection import connect
from lookalike.cli.options import (
    data_option,
    json_option,
    library_option,
    url_option,
)
from lookalike.cli.output import print_json
from lookalike.cli.transfer import Outcome, Transfer, find_pictures
from lookalike.services.settings import read_settings

SHOWN_FAILURES = 20


@click.command("import")
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@library_option
@click.option("--tag", "tags", multiple=True, help="Tag every picture; may be repeated.")
@data_option
@url_option
@json_option
def import_pictures(
    paths: tuple[Path, ...],
    library: str,
    tags: tuple[str, ...],
    data: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Bring in pictures: files, and folders with all that is in them.

    \b
    Examples:
      lookalike import ~/Pictures
      lookalike import scans/ cover.png --tag archive --tag 1970s --library museum

    Works beside a running `lookalike up`, or alone. It ends when every picture is searchable or
    has failed with a reason. Run it again at any time: what is in already is not stored twice.
    A library that does not exist yet is made.
    """
    files, skipped = find_pictures(paths)
    settings = read_settings(data_dir=data)
    with connect(settings, url, "lookalike import", worker=True) as client:
        client.create_library(library)
        with progress_bar(len(files), visible=not as_json) as show:
            outcome = Transfer(client, library, list(tags), show).run(files)
    outcome.skipped = skipped
    report(outcome, as_json)
    sys.exit(1 if outcome.failures else 0)


@contextmanager
def progress_bar(total: int, *, visible: bool) -> Iterator[Callable[[Outcome], None]]:
    """A bar on the terminal for as long as the block lasts; call what it gives with outcomes."""
    columns = (
        TextColumn("Indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not (visible and console.is_terminal)) as bar:
        task = bar.add_task("", total=total, note="")
        yield lambda outcome: bar.update(task, completed=outcome.settled, note=_note(outcome))


def report(outcome: Outcome, as_json: bool) -> None:
    """Say what became of the files."""
    if as_json:
        print_json(asdict(outcome))
        return
    click.echo(_summary(outcome))
    for failure in outcome.failures[:SHOWN_FAILURES]:
        click.echo(f"  {failure.file}: {failure.message} [{failure.code}]", err=True)
    if more := outcome.failures[SHOWN_FAILURES:]:
        codes = Counter(failure.code for failure in more)
        rest = ", ".join(f"{count} {code}" for code, count in codes.most_common())
        click.echo(f"  and {len(more)} more: {rest}", err=True)


def _note(outcome: Outcome) -> str:
    return f"[red]{len(outcome.failures)} failed" if outcome.failures else ""


def _summary(outcome: Outcome) -> str:
    parts = [f"{outcome.indexed} indexed"]
    if outcome.duplicates:
        parts.append(f"{outcome.duplicates} of them duplicates")
    parts.append(f"{len(outcome.failures)} failed")
    if outcome.skipped:
        parts.append(f"{outcome.skipped} other files passed over")
    return f"{outcome.found} pictures: {', '.join(parts)}."

"""`lookalike import`: bring files and folders in, and stay until all are indexed or failed."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from lookalike.cli.client import Client
from lookalike.cli.connection import connect, opens_folder
from lookalike.cli.imports import has_failures, report_import, watch
from lookalike.cli.options import (
    data_option,
    json_option,
    library_option,
    url_option,
)
from lookalike.cli.output import print_json
from lookalike.cli.transfer import Outcome, Transfer, find_pictures
from lookalike.services.importing.kinds import is_source, kind_of
from lookalike.services.settings import Settings, read_settings

SHOWN_FAILURES = 20


@click.command("import")
@click.argument(
    "sources",
    nargs=-1,
    required=True,
    metavar="SOURCE...",
)
@library_option
@click.option(
    "--dry-run",
    is_flag=True,
    help="Read everything and say what would happen, without storing anything.",
)
@click.option(
    "--kind",
    type=click.Choice(["zip", "tar", "webdataset", "urls"]),
    help="What the files named are, where their names do not tell: WebDataset shards are tar too.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where the paths in a table begin, on the machine that imports. [default: the table's own "
    "folder, where no server runs; a server admits only folders in LOOKALIKE_IMPORT_ROOTS]",
)
@click.option("--tag", "tags", multiple=True, help="Tag every picture; may be repeated.")
@data_option
@url_option
@json_option
def import_pictures(
    sources: tuple[str, ...],
    library: str,
    tags: tuple[str, ...],
    dry_run: bool,
    kind: str | None,
    folder: Path | None,
    data: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Bring in pictures: files, folders, archives, manifests, lists of URLs, buckets.

    \b
    Examples:
      lookalike import ~/Pictures
      lookalike import scans/ cover.png --tag archive --tag 1970s --library museum
      lookalike import photos.zip --dry-run        what would be new, known or broken
      lookalike import catalogue.csv               paths or URLs, titles, tags, attributes
      lookalike import catalogue.csv --folder /srv/pictures     where its paths begin
      lookalike import shard-00000.tar --kind webdataset
      lookalike import urls.txt                    a URL a line
      lookalike import s3://bucket/folder

    Works beside a running `lookalike up`, or alone. It ends when every picture is searchable or
    has failed with a reason. Run it again at any time: what is in already is not stored twice.
    An archive, manifest, list or bucket is imported by the server, which goes on even when this
    command is stopped; `lookalike imports` shows and steers it. A library that does not exist yet
    is made.
    """
    paths, others = sort_sources(sources, dry_run=dry_run, kind=kind)
    files, skipped = find_pictures(paths)
    settings = read_settings(data_dir=data)
    alone = opens_folder(settings, url)
    folders = read_folders(others, folder) if alone or folder is not None else {}
    if alone:
        settings = admitting(settings, folders.values())
    with connect(settings, url, "lookalike import", worker=True) as client:
        client.create_library(library)
        wanted = {"library": library, "tags": list(tags), "dry_run": dry_run}
        wanted |= {"kind": kind} if kind else {}
        ended = [_import_from(client, one, wanted, folders.get(one), as_json) for one in others]
        if others and not paths:
            sys.exit(1 if any(map(has_failures, ended)) else 0)
        with progress_bar(len(files), visible=not as_json) as show:
            outcome = Transfer(client, library, list(tags), show).run(files)
    outcome.skipped = skipped
    report(outcome, as_json)
    sys.exit(1 if outcome.failures or any(map(has_failures, ended)) else 0)


def sort_sources(
    sources: Iterable[str], *, dry_run: bool, kind: str | None = None
) -> tuple[list[Path], list[str]]:
    """The files and folders that are sent from here, and the sources that the server reads.

    Given a `kind`, every file is of it. Raises click.BadParameter for what is not there, or cannot
    be rehearsed.
    """
    paths, others = [], []
    for source in sources:
        path = Path(source)
        if not source.startswith("s3://") and not path.exists():
            raise click.BadParameter(f"Path {source!r} does not exist.")
        if (kind or is_source(source)) and not path.is_dir():
            others.append(source)
        elif dry_run and path.is_dir():
            others.append(str(path.absolute()))
        elif dry_run:
            raise click.BadParameter(
                f"{source!r} is a single picture. Rehearse a folder, an archive or a list."
            )
        else:
            paths.append(path)
    return paths, others


def read_folders(sources: Sequence[str], folder: Path | None) -> dict[str, Path]:
    """The folder that is read for a source: itself, or where the paths of a table begin."""
    folders = {one: Path(one) for one in sources if Path(one).is_dir()}
    tables = [one for one in sources if one not in folders and kind_of(one) == "manifest"]
    folders |= {one: folder or Path(one).parent for one in tables}
    return {one: path.absolute() for one, path in folders.items()}


def admitting(settings: Settings, folders: Iterable[Path]) -> Settings:
    """The settings of a command that reads these folders: whoever runs it may do so anyway."""
    return settings.model_copy(update={"import_roots": (*settings.import_roots, *folders)})


def _import_from(
    client: Client, source: str, wanted: dict[str, Any], folder: Path | None, as_json: bool
) -> Any:
    """Have the server import from this source, and stay until it has."""
    begun = _start(client, source, wanted, folder)
    ended = watch(client, begun["id"], visible=not as_json)
    report_import(client, ended, as_json)
    return ended


def _start(client: Client, source: str, wanted: dict[str, Any], folder: Path | None) -> Any:
    if source.startswith("s3://"):
        return client.start_import({**wanted, "kind": "s3", "source": {"url": source}})
    if Path(source).is_dir():
        return client.start_import({**wanted, "kind": "folder", "source": {"path": source}})
    if folder is not None:
        wanted = {**wanted, "source": json.dumps({"folder": str(folder)})}
    return client.start_import(wanted, Path(source))


class RateColumn(ProgressColumn):
    """Pictures a second, of late; nothing until that is known."""

    def render(self, task: Task) -> Text:
        """See ProgressColumn."""
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:.0f}/s", style="progress.data.speed")


@contextmanager
def progress_bar(total: int, *, visible: bool) -> Iterator[Callable[[Outcome], None]]:
    """A bar on the terminal for as long as the block lasts; call what it gives with outcomes."""
    columns = (
        TextColumn("Indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[note]}"),
        RateColumn(),
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

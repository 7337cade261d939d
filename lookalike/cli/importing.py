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
from lookalike.cli.connection import connect
from lookalike.cli.imports import has_failures, report_import, watch
from lookalike.cli.options import (
    data_option,
    json_option,
    library_option,
    url_option,
)
from lookalike.cli.output import print_json
from lookalike.cli.transfer import Outcome, Transfer, find_pictures
from lookalike.services.importing.kinds import file_options, is_source
from lookalike.services.settings import read_settings

SHOWN_FAILURES = 20
LONGEST_NAME = 500
FOLDER_KINDS = frozenset({"webdataset", "flickr30k"})
"""Kinds of imports from a whole folder, besides that of the pictures in it."""


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
    type=click.Choice(["zip", "tar", "webdataset", "urls", "flickr30k"]),
    help="What is named, where names do not tell: a WebDataset shard (or a folder of them), a "
    "folder with Flickr30k's captions.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Where the paths in a table begin. [default: the table's own folder] A server elsewhere "
    "reads only its own folders, those in LOOKALIKE_IMPORT_ROOTS.",
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
      lookalike import shard-00000.tar --kind webdataset        or a folder of shards
      lookalike import flickr30k-images/ --kind flickr30k       captions become text to filter by
      lookalike import urls.txt                    a URL a line
      lookalike import s3://bucket/folder

    Works beside a running `lookalike up`, or alone. It ends when every picture is searchable or
    has failed with a reason. `lookalike imports` shows, pauses, cancels and undoes it. Run it
    again at any time: it goes on where it was, and what is in already is not stored twice. An
    archive, table, list or bucket is read by the server, which goes on even when this command is
    stopped; a server elsewhere is sent the file. What is rehearsed on a server elsewhere is sent
    there too, judged and not kept. A library that does not exist yet is made.
    """
    paths, others = sort_sources(sources, kind)
    with connect(read_settings(data_dir=data), url, "lookalike import", worker=True) as client:
        client.create_library(library)
        wanted = {"library": library, "tags": list(tags), "dry_run": dry_run}
        begin = Beginning(client, wanted, kind or "", folder)
        if dry_run and client.is_owner:  # the server reads them where they are
            others += [str(path.absolute()) for path in paths if path.is_dir()]
            paths = [path for path in paths if not path.is_dir()]
        well = [_follow(client, begin.from_source(one), as_json) for one in others]
        if paths:
            well.append(_send(client, paths, wanted, as_json))
    sys.exit(0 if all(well) else 1)


def sort_sources(sources: Iterable[str], kind: str | None = None) -> tuple[list[Path], list[str]]:
    """The files and folders that are sent from here, and the sources that the server reads.

    Given a `kind`, every file is of it. Raises click.BadParameter for what is not there.
    """
    paths, others = [], []
    for source in sources:
        path = Path(source)
        if not source.startswith("s3://") and not path.exists():
            raise click.BadParameter(f"Path {source!r} does not exist.")
        if (kind or is_source(source)) and not path.is_dir():
            others.append(source)
        elif path.is_dir() and kind in FOLDER_KINDS:
            others.append(str(path.absolute()))
        else:
            paths.append(path)
    return paths, others


class Beginning:
    """Begins imports of what the server reads, or is sent as one file."""

    def __init__(
        self, client: Client, wanted: dict[str, Any], kind: str, folder: Path | None
    ) -> None:
        """`kind` is empty where names tell it; `folder` is where the paths of tables begin."""
        self._client = client
        self._wanted = wanted
        self._kind = kind
        self._folder = {"folder": str(folder.absolute())} if folder else {}

    def from_source(self, source: str) -> Any:
        """Have the server import from this bucket, folder or file."""
        if source.startswith("s3://"):
            return self._begin("s3", source, {"url": source})
        path = Path(source).absolute()
        if path.is_dir():
            option = "folder" if self._kind == "webdataset" else "path"
            kind = self._kind if self._kind in FOLDER_KINDS else "folder"
            return self._begin(kind, source, {option: str(path)})
        kind, options = file_options(path.name, self._kind)
        options |= self._folder if kind == "manifest" else {}
        if self._client.is_owner:
            return self._begin(kind, path.name, options | {"path": str(path)})
        fields = self._wanted | {"kind": kind, "source": json.dumps(options)}
        return self._client.start_import(fields, path)

    def _begin(self, kind: str, name: str, source: dict[str, Any]) -> Any:
        told = {"kind": kind, "name": name, "source": source}
        return self._client.start_import(self._wanted | told)


def _follow(client: Client, begun: Any, as_json: bool) -> bool:
    """Stay until the import has ended, and report it; whether all went well."""
    ended = watch(client, begun["id"], visible=not as_json)
    report_import(client, ended, as_json)
    return not has_failures(ended)


def _send(client: Client, paths: list[Path], wanted: dict[str, Any], as_json: bool) -> bool:
    """Send the files and folders, and report; whether all went well."""
    files, skipped = find_pictures(paths)
    doing = "Rehearsing" if wanted["dry_run"] else "Indexing"
    with progress_bar(len(files), doing, visible=not as_json) as show:
        transfer = Transfer(client, on_progress=show, **wanted)
        outcome = transfer.run(files, name_of(paths))
    if wanted["dry_run"] and outcome.import_id:
        rehearsed = client.get_import(outcome.import_id)
        report_import(client, rehearsed, as_json)
        return not has_failures(rehearsed)
    outcome.skipped = skipped
    report(outcome, as_json)
    return outcome.is_complete


def name_of(paths: Sequence[Path]) -> str:
    """What people see an import of these files and folders as."""
    more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
    return f"{str(paths[0])[-LONGEST_NAME:]}{more}"


class RateColumn(ProgressColumn):
    """Pictures a second, of late; nothing until that is known."""

    def render(self, task: Task) -> Text:
        """See ProgressColumn."""
        rate = task.finished_speed or task.speed
        return Text("" if rate is None else f"{rate:.0f}/s", style="progress.data.speed")


@contextmanager
def progress_bar(total: int, doing: str, *, visible: bool) -> Iterator[Callable[[Outcome], None]]:
    """A bar on the terminal for as long as the block lasts; call what it gives with outcomes."""
    columns = (
        TextColumn(doing),
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
    parts = ["[yellow]paused[/]"] if outcome.state == "paused" else []
    parts += [f"[red]{outcome.failed} failed[/]"] if outcome.failed else []
    return ", ".join(parts)


def _summary(outcome: Outcome) -> str:
    parts = [f"{outcome.indexed} indexed"]
    if outcome.duplicates:
        parts.append(f"{outcome.duplicates} of them duplicates")
    parts.append(f"{outcome.failed} failed")
    if outcome.skipped:
        parts.append(f"{outcome.skipped} other files passed over")
    ended = "" if outcome.state == "done" else f" ({outcome.state})"
    known_as = f" [{outcome.import_id}]" if outcome.import_id else ""
    return f"{outcome.found} pictures{ended}: {', '.join(parts)}.{known_as}"

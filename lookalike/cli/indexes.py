"""`lookalike indexes`: the indexes by their figures, and which one searches use."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from lookalike.cli.client import ApiError, Client
from lookalike.cli.connection import connect, is_alone
from lookalike.cli.following import follow
from lookalike.cli.index_tables import print_index, print_indexes
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json
from lookalike.services.errors import GateError, InvalidRequestError, NotFoundError
from lookalike.services.settings import read_settings

STEPS = {
    "pause": "Stop building after the batch in hand.",
    "resume": "Go on building where it was paused, or where it failed.",
    "measure": "Measure recall, times and bytes anew.",
    "retire": "Remove an index for good, built or not. Its vectors go, pictures stay.",
}

override_option = click.option(
    "--override",
    "overridden",
    multiple=True,
    metavar="GATE",
    help="Switch even if this gate fails, such as `recall`; may be repeated.",
)


@click.group(invoke_without_command=True)
@data_option
@url_option
@json_option
@click.pass_context
def indexes(context: click.Context, data: Path | None, url: str | None, as_json: bool) -> None:
    """List indexes by their figures, switch between them, and steer what is built.

    \b
    Examples:
      lookalike indexes                    all, with what searching in them costs and finds
      lookalike indexes show ID            one, with its gates
      lookalike indexes activate ID        let searches use it; also the way back
      lookalike indexes pause ID           and resume, measure, retire

    In the list, bytes are those of a picture where searches read them, recall is recall@10
    without a filter, ms the median time of a search, and overlap the share of results that the
    index that was live gave too. The first characters of an ID are enough. `lookalike reindex`
    builds an index.
    """
    if context.invoked_subcommand is None:
        _list(data, url, as_json)


@indexes.command("list")
@data_option
@url_option
@json_option
def list_indexes(data: Path | None, url: str | None, as_json: bool) -> None:
    """List all indexes, newest first, those that are retired too."""
    _list(data, url, as_json)


@indexes.command("show")
@click.argument("index_id", metavar="ID")
@data_option
@url_option
@json_option
def show_index(index_id: str, data: Path | None, url: str | None, as_json: bool) -> None:
    """Show one index with its figures and gates."""
    with connect(read_settings(data_dir=data), url, "lookalike indexes show") as client:
        one = find(client, index_id)
    print_json(one) if as_json else print_index(one)


@indexes.command("activate")
@click.argument("index_id", metavar="ID")
@override_option
@data_option
@url_option
@json_option
def activate_index(
    index_id: str,
    overridden: tuple[str, ...],
    data: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Let searches use an index from now on, if it passes its gates.

    The one before stays ready, and is gone back to in the same way.
    """
    settings = read_settings(data_dir=data)
    # Pictures that wait to be in it would be missing for ever if nobody indexed them.
    alone = is_alone(settings, url)
    with connect(settings, url, "lookalike indexes activate", worker=alone) as client:
        found = find(client, index_id)["id"]
        with telling_how(found, overridden, data, url):
            one = activate(client, found, overridden)
    print_json(one) if as_json else click.echo(went_live(one))


def activate(client: Client, index_id: str, overridden: Iterable[str]) -> dict[str, Any]:
    """Switch to the index. Raises ApiError with the code `gate_failed` when it is stopped."""
    return client.steer_index(index_id, "activate", {"override": list(overridden)})


def went_live(one: dict[str, Any]) -> str:
    """The sentence about a switch."""
    return f"Searches use {one['model']} now: index {one['id']}."


@contextmanager
def telling_how(
    index_id: str, overridden: Iterable[str], data: Path | None, url: str | None
) -> Iterator[None]:
    """Add to the refusal of a switch the command that overrides what failed."""
    try:
        yield
    except ApiError as error:
        if error.code != GateError.code:
            raise
        names = [*overridden, *(gate["name"] for gate in error.details["gates"])]
        words = ["lookalike", "indexes", "activate", index_id]
        words += [word for name in names for word in ("--override", name)]
        words += ["--data", str(data)] if data else []
        words += ["--url", url] if url else []
        message = f"{error.message}\n  {shlex.join(words)}"
        raise ApiError(error.code, message, dict(error.details)) from error


def find(client: Client, beginning: str) -> dict[str, Any]:
    """The index whose id begins so. Raises NotFoundError, InvalidRequestError when several do."""
    found = [one for one in client.indexes() if one["id"].startswith(beginning.lower())]
    if not found:
        raise NotFoundError(
            f"There is no index whose id begins with {beginning!r}. `lookalike indexes` lists all."
        )
    if len(found) > 1:
        ids = ", ".join(one["id"] for one in found)
        raise InvalidRequestError(f"Several ids begin with {beginning!r}: {ids}. Give more of it.")
    return found[0]


def _list(data: Path | None, url: str | None, as_json: bool) -> None:
    with connect(read_settings(data_dir=data), url, "lookalike indexes") as client:
        found = client.indexes()
    print_json(found) if as_json else print_indexes(found)


def _step(name: str) -> click.Command:
    """The sub-command that makes this step."""

    @click.argument("index_id", metavar="ID")
    @data_option
    @url_option
    @json_option
    def step(index_id: str, data: Path | None, url: str | None, as_json: bool) -> None:
        settings = read_settings(data_dir=data)
        # A pause is there to keep this process, too, from going on.
        alone = name != "pause" and is_alone(settings, url)
        with connect(settings, url, f"lookalike indexes {name}", worker=alone) as client:
            one = client.steer_index(find(client, index_id)["id"], name)
            if alone:  # nobody else would carry it out
                one = follow(client, one["id"], visible=not as_json)
        print_json(one) if as_json else print_index(one)

    return click.command(name, help=STEPS[name])(step)


for _name in STEPS:
    indexes.add_command(_step(_name))

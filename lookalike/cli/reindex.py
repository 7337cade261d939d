"""`lookalike reindex`: build an index beside the live one, stay with it, and switch to it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from lookalike.cli.client import Client
from lookalike.cli.connection import connect, is_alone
from lookalike.cli.following import follow
from lookalike.cli.index_tables import print_index
from lookalike.cli.indexes import activate, override_option, telling_how, went_live
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json
from lookalike.services.records import Storage
from lookalike.services.reindexing.gates import check_names, gate_names
from lookalike.services.settings import read_settings

BUILT = frozenset({"ready", "live"})


@click.command()
@click.option("--model", required=True, help="The model to use; `lookalike models` lists them.")
@click.option(
    "--library",
    help="Fit the mean on, and measure with, the pictures of this library alone. The index holds "
    "all libraries whatever you say here. [default: all]",
)
@click.option("--centred", is_flag=True, help="Subtract the mean vector of the pictures.")
@click.option(
    "--storage",
    type=click.Choice([str(one) for one in Storage]),
    help="How it keeps vectors in memory. [default: LOOKALIKE_STORAGE]",
)
@click.option(
    "--label",
    "labels",
    multiple=True,
    metavar="TAG",
    help="Pictures with this tag belong together, and must be found no worse than before; may be "
    "repeated.",
)
@click.option("--no-switch", is_flag=True, help="Build and measure it, and leave searches alone.")
@override_option
@data_option
@url_option
@json_option
def reindex(
    model: str,
    library: str | None,
    centred: bool,
    storage: str | None,
    labels: tuple[str, ...],
    no_switch: bool,
    overridden: tuple[str, ...],
    data: Path | None,
    url: str | None,
    as_json: bool,
) -> None:
    """Build an index with another model beside the live one, and let searches use it.

    \b
    Examples:
      lookalike reindex --model efficientnet-lite2
      lookalike reindex --model resnet50 --storage int8 --no-switch
      lookalike reindex --model efficientnet-lite1 --centred --label cats --label dogs

    Searches and uploads go on meanwhile. When every picture is in it, recall, times and overlap
    with the live index are measured, and searches switch to it if it passes its gates; the old
    one stays for a way back (`lookalike indexes`). Naming the model that is live builds its index
    anew. Ends with 1 when it was not built, or a gate stopped the switch.
    """
    # Now, and not after hours.
    check_names(gate_names(labels), overridden)
    settings = read_settings(data_dir=data)
    wanted = {
        "model": model,
        "library": library,
        "centred": centred,
        "storage": storage,
        "labels": labels,
        # By itself it is switched to even if nobody waits here any more. It overrides nothing.
        "activate": not no_switch and not overridden,
    }
    alone = is_alone(settings, url)
    with connect(settings, url, "lookalike reindex", worker=alone) as client:
        one = _build(client, wanted, alone=alone, visible=not as_json)
        if not as_json:
            print_index(one)
        if one["state"] in BUILT and not no_switch:
            with telling_how(one["id"], overridden, data, url):
                one = activate(client, one["id"], overridden)
            click.echo(went_live(one), err=as_json)
    if as_json:
        print_json(one)
    sys.exit(0 if one["state"] in BUILT else 1)


def _build(client: Client, wanted: dict[str, Any], *, alone: bool, visible: bool) -> dict[str, Any]:
    """Start it and stay until it is built; Ctrl-C ends only the staying."""
    begun = client.start_index(wanted)
    _measure_live(client)
    try:
        click.echo(f"Building index {begun['id']}.", err=True)
        return follow(client, begun["id"], visible=visible)
    except KeyboardInterrupt:
        click.echo(_left(begun, alone=alone), err=True)
        sys.exit(1)


def _measure_live(client: Client) -> None:
    """Have the live index measured if it never was: to compare with, and for a way back to it."""
    for one in client.indexes():
        if one["state"] == "live" and not one["figures"] and not one["task"]:
            client.steer_index(one["id"], "measure")


def _left(begun: dict[str, Any], *, alone: bool) -> str:
    name = begun["id"]
    goes_on = (
        "The build goes on at the next `lookalike up` or `lookalike import`"
        if alone
        else "The build goes on without this command"
    )
    then = ", and goes live when it passes its gates" if begun["activate"] else ""
    return (
        f"{goes_on}{then}. `lookalike indexes show {name}` shows how far it is, "
        f"`lookalike indexes retire {name}` gives it up."
    )

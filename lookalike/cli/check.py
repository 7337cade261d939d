"""`lookalike check`: whether SQL, files and vectors agree, and making them agree again."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from lookalike.cli.client import Client
from lookalike.cli.connection import connect, is_alone
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json, print_table
from lookalike.services.errors import UnavailableError
from lookalike.services.settings import read_settings

SHOWN_IDS = 3
POLL_SECONDS = 0.25
STALLED_SECONDS = 600
COLUMNS = ("model", "state", "indexed", "pending", "failed", "points")


@click.command()
@click.option("--repair", is_flag=True, help="Mend what can be mended.")
@click.option("--deep", is_flag=True, help="Also read every original and compare its SHA-256.")
@data_option
@url_option
@json_option
def check(repair: bool, deep: bool, data: Path | None, url: str | None, as_json: bool) -> None:
    """Compare database, files and vectors, and name every difference.

    \b
    Examples:
      lookalike check                  look, change nothing
      lookalike check --repair         and mend what can be mended
      lookalike check --deep --json    read every file too; a report for programs

    Works while pictures come and go. Ends with 0 when all agrees or was repaired, with 1 when
    differences remain.
    """
    settings = read_settings(data_dir=data)
    alone = is_alone(settings, url)
    asked = {"repair": repair, "deep": deep} | ({"patience": 0} if alone else {})
    worker = repair and (settings.data_dir / "lookalike.db").exists()
    with connect(settings, url, "lookalike check", worker=worker) as client:
        report = client.check(asked)
        if repair and alone and report["differences"]:
            wait_until_indexed(client)
    if as_json:
        print_json(report)
    else:
        _show(report, queued=repair and not alone)
    sys.exit(1 if report["remaining"] else 0)


def wait_until_indexed(client: Client) -> None:
    """Stay until the worker of this very process has indexed what was queued again."""
    pending, since = -1, time.monotonic()
    while left := client.status()["images"]["pending"]:
        if left != pending:
            pending, since = left, time.monotonic()
        elif time.monotonic() - since > STALLED_SECONDS:
            raise UnavailableError(
                f"{left} pictures have been waiting for ten minutes without progress. They will "
                "be indexed at the next start; the log may say what is in the way."
            )
        time.sleep(POLL_SECONDS)


def _show(report: dict[str, Any], *, queued: bool) -> None:
    rows = ([str(one[name]) for name in COLUMNS] for one in report["indexes"])
    print_table(("index", *COLUMNS[1:]), rows)
    click.echo()
    if not report["differences"]:
        click.echo(f"{report['pictures']} pictures: database, files and vectors agree.")
        return
    groups = _groups(report)
    counted = ((kind, len(group), sum(map(_is_repaired, group))) for kind, group in groups.items())
    print_table(("difference", "found", "repaired"), (tuple(map(str, row)) for row in counted))
    for kind, group in groups.items():
        click.echo(f"\n{kind}: {group[0]['message']}")
        # What is repaired nobody has to look at any more, unless all is.
        ids = [one["id"] for one in group if not _is_repaired(one)] or [one["id"] for one in group]
        for one in ids[:SHOWN_IDS]:
            click.echo(f"  {one}")
        if len(ids) > SHOWN_IDS:
            click.echo(f"  and {len(ids) - SHOWN_IDS} more")
    click.echo(f"\n{_advice(report, queued=queued)}")


def _groups(report: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The differences by kind; first what is not repaired, which people have to look at."""
    groups: dict[str, list[dict[str, Any]]] = {kind: [] for kind in report["counts"]}
    for one in sorted(report["differences"], key=_is_repaired):
        groups[one["kind"]].append(one)
    return groups


def _is_repaired(difference: dict[str, Any]) -> bool:
    return bool(difference["repaired"])


def _advice(report: dict[str, Any], *, queued: bool) -> str:
    tried = any(one["repaired"] is not None for one in report["differences"])
    if not tried:
        return "Run `lookalike check --repair` to mend what can be mended."
    parts = []
    if queued and {"entry_missing", "vector_missing"} & report["counts"].keys():
        parts.append("Workers are indexing what was missing; `lookalike status` shows how far.")
    if report["remaining"]:
        parts.append(f"{report['remaining']} could not be repaired; `--json` names each.")
    else:
        parts.append("All differences were repaired.")
    return " ".join(parts)

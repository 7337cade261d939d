"""`lookalike failures`: what could not be indexed, by reason, and another try."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from lookalike.cli.check import wait_until_indexed
from lookalike.cli.connection import connect, is_alone
from lookalike.cli.options import data_option, json_option, url_option
from lookalike.cli.output import print_json, print_table
from lookalike.services.settings import read_settings

SHOWN = 20


@click.command()
@click.option("--retry", is_flag=True, help="Try again to index what failed.")
@click.option("--code", help="Only pictures that failed with this code; tells which.")
@data_option
@url_option
@json_option
def failures(
    retry: bool, code: str | None, data: Path | None, url: str | None, as_json: bool
) -> None:
    """Show how many pictures could not be indexed for which reason, and try them again.

    \b
    Examples:
      lookalike failures                         how many, by code
      lookalike failures --code gave_up          which ones
      lookalike failures --code gave_up --retry  try these again

    With --retry, ends with 1 when some failed again. A running server tries them on its own:
    then this ends at once.
    """
    settings = read_settings(data_dir=data)
    alone = retry and is_alone(settings, url)
    with connect(settings, url, "lookalike failures", worker=alone) as client:
        retried = client.retry_failures(code) if retry else None
        if retried and alone:
            wait_until_indexed(client)
        found = client.failures(code, SHOWN)
    codes = [one for one in found["codes"] if code in (None, one["code"])]
    if as_json:
        print_json({"retried": retried, **found, "codes": codes})
    else:
        _show(retried, alone, codes, found["failures"] if code else [])
    sys.exit(1 if alone and codes else 0)


def _show(
    retried: int | None, alone: bool, codes: list[dict[str, Any]], failed: list[dict[str, Any]]
) -> None:
    if retried is not None:
        later = "" if alone or not retried else " `lookalike status` shows how far they are."
        click.echo(f"Pictures that were given another try: {retried}.{later}")
    if not codes:
        click.echo("No picture has failed.")
        return
    rows = ((one["code"], str(one["pictures"]), one["message"]) for one in codes)
    print_table(("code", "pictures", "for example"), rows)
    if failed:
        click.echo()
        rows = ((one["picture_id"], one["filename"], one["message"]) for one in failed)
        print_table(("id", "picture", "message"), rows)
    if (more := sum(one["pictures"] for one in codes) - len(failed)) and failed:
        click.echo(f"and {more} more")

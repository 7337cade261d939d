"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.services.models import DEFAULT_LIBRARY

data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="The data folder. [default: LOOKALIKE_DATA_DIR, or ./data]",
)
url_option = click.option(
    "--url",
    metavar="URL",
    help="A running Lookalike to talk to. [default: the one on the data folder, if any]",
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
library_option = click.option(
    "--library", default=DEFAULT_LIBRARY, show_default=True, help="The library to use."
)

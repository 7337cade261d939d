"""Options that several commands share, and the settings they end up in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from lookalike.services.errors import ConfigurationError
from lookalike.services.models import DEFAULT_LIBRARY
from lookalike.services.settings import Settings

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


def read_settings(**given: Any) -> Settings:
    """The settings, with what was given on the command line in place of the environment.

    Values that are None count as not given. Raises ConfigurationError that names the setting.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "LOOKALIKE_" + "_".join(str(part) for part in first["loc"]).upper()
        problem = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"The setting {name} is wrong: {problem}. See .env.example."
        ) from error

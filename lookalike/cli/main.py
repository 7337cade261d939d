"""The `lookalike` command: its subcommands, and how errors end it."""

from __future__ import annotations

import sys

import click

from lookalike import __version__
from lookalike.cli.backup import backup
from lookalike.cli.check import check
from lookalike.cli.demo import demo
from lookalike.cli.evaluate import evaluate
from lookalike.cli.failures import failures
from lookalike.cli.importing import import_pictures
from lookalike.cli.imports import imports
from lookalike.cli.indexes import indexes
from lookalike.cli.migrate import migrate
from lookalike.cli.models import models
from lookalike.cli.recall import recall
from lookalike.cli.reindex import reindex
from lookalike.cli.restore import restore
from lookalike.cli.search import search
from lookalike.cli.status import status
from lookalike.cli.up import up
from lookalike.services.errors import ConfigurationError, InvalidRequestError, LookalikeError

WRONG_USE = (ConfigurationError, InvalidRequestError)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="lookalike")
def cli() -> None:
    """Find the pictures that look like this one, on your own machine.

    \b
    A first round:
      lookalike up                          pages, API and worker at http://127.0.0.1:8000
      lookalike import ~/Pictures           bring pictures in (works beside a running `up`)
      lookalike search photo.jpg            the pictures that look like photo.jpg

    Everything lives in one data folder, ./data unless --data or LOOKALIKE_DATA_DIR says
    otherwise. Exit codes: 0 done, 1 something failed, 2 wrong use.
    """


for command in (
    up,
    demo,
    import_pictures,
    imports,
    search,
    status,
    recall,
    models,
    evaluate,
    reindex,
    indexes,
    failures,
    migrate,
    check,
    backup,
    restore,
):
    cli.add_command(command)


def main() -> None:
    """Run the command line. Errors end it with their sentence, never with a stack trace."""
    try:
        cli()
    except LookalikeError as error:
        click.echo(f"lookalike: {error.message}", err=True)
        sys.exit(2 if isinstance(error, WRONG_USE) else 1)

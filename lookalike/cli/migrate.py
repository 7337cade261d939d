"""`lookalike migrate`: brings the database up to date, before web and workers start."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.cli.options import data_option
from lookalike.services.db import Database
from lookalike.services.settings import read_settings


@click.command()
@data_option
def migrate(data: Path | None) -> None:
    """Bring the database up to date.

    Needed on servers only, and safe to repeat: `lookalike up` does it by itself.
    """
    settings = read_settings(data_dir=data)
    db = Database(settings.sql_url)
    try:
        db.migrate()
    finally:
        db.close()
    click.echo("The database is up to date.")

"""`lookalike models`: the models that are known, and whether they can be used."""

from __future__ import annotations

from pathlib import Path

import click

from lookalike.cli.options import data_option, json_option
from lookalike.cli.output import print_json, print_table
from lookalike.services.bootstrap import embedders_of
from lookalike.services.records import ModelAvailability
from lookalike.services.settings import read_settings
from lookalike.web.schemas import ModelsAnswer, model_of


@click.command()
@data_option
@json_option
def models(data: Path | None, as_json: bool) -> None:
    """List the models. Choose one for a new data folder with LOOKALIKE_MODEL."""
    available = embedders_of(read_settings(data_dir=data)).available()
    if as_json:
        answer = ModelsAnswer(models=[model_of(one) for one in available])
        print_json(answer.model_dump(mode="json"))
    else:
        print_table(("model", "dimensions", "recipe", "weights", ""), map(_row, available))


def _row(one: ModelAvailability) -> tuple[str, ...]:
    definition = one.definition
    size = str(definition.dimensions)
    return definition.name, size, definition.steps, one.weights, one.hint

"""`lookalike models`: the models that are known, whether they can be used, and their weights."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from lookalike.cli.options import data_option, json_option
from lookalike.cli.output import print_json, print_table
from lookalike.services.bootstrap import embedders_of
from lookalike.services.records import ModelAvailability, Weights
from lookalike.services.settings import read_settings
from lookalike.web.schemas import ModelsAnswer, model_of


@click.group(invoke_without_command=True)
@data_option
@json_option
@click.pass_context
def models(context: click.Context, data: Path | None, as_json: bool) -> None:
    """List the models. Choose one for a new data folder with LOOKALIKE_MODEL.

    Weights are present, downloadable (`lookalike models pull NAME`) or missing.
    """
    if context.invoked_subcommand:
        return
    available = embedders_of(read_settings(data_dir=data)).available()
    if as_json:
        answer = ModelsAnswer(models=[model_of(one) for one in available])
        print_json(answer.model_dump(mode="json"))
    else:
        print_table(("model", "dimensions", "distance", "recipe", "weights"), map(_row, available))
        _print_hints(available)


@models.command()
@click.argument("name")
@data_option
def pull(name: str, data: Path | None) -> None:
    """Fetch the weights of the model NAME.

    They are checked, and kept in the folder cache/weights of the data folder, or in that of
    LOOKALIKE_CACHE_DIR. An interrupted download goes on where it was.
    """
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TransferSpeedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(name, total=None)
        embedders_of(read_settings(data_dir=data)).pull(
            name, lambda done, total: bar.update(task, completed=done, total=total)
        )
    click.echo(f"The weights of {name} are here. Use it with LOOKALIKE_MODEL={name}.")


def _row(one: ModelAvailability) -> tuple[str, ...]:
    made_by = one.definition
    return made_by.name, str(made_by.dimensions), made_by.distance, made_by.steps, one.weights


def _print_hints(available: list[ModelAvailability]) -> None:
    for one in available:
        if one.weights is Weights.MISSING:
            click.echo(f"\n{one.definition.name}: {one.hint}")
    if any(one.weights is Weights.DOWNLOADABLE for one in available):
        click.echo(
            "\nWeights that are downloadable are fetched by: lookalike models pull NAME\n"
            'If you have the file, name it: LOOKALIKE_WEIGHTS=\'{"NAME": "/folder/file.pth"}\''
        )

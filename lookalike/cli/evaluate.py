"""`lookalike evaluate`: how good the neighbours are, on pictures that are sorted into folders."""

from __future__ import annotations

from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from lookalike.cli.options import data_option, json_option
from lookalike.cli.output import print_json, print_table
from lookalike.services.bootstrap import embedders_of, limits_of
from lookalike.services.evaluation import Report
from lookalike.services.evaluation import evaluate as measure
from lookalike.services.settings import read_settings


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--model", help="The model to measure. [default: LOOKALIKE_MODEL]")
@data_option
@json_option
def evaluate(folder: Path, model: str | None, data: Path | None, as_json: bool) -> None:
    """Measure retrieval quality on FOLDER, whose sub-folders are the classes.

    Each picture searches among all others. P@k is the share of its own class among the first k
    neighbours, mAP the mean average precision over all ranks. 1 is perfect. Nothing is stored.
    """
    settings = read_settings(data_dir=data, model=model)
    embedder = embedders_of(settings).get(settings.model)
    with Progress(console=Console(stderr=True), disable=as_json) as bar:
        task = bar.add_task("Embedding", total=None)
        result = measure(
            folder,
            embedder,
            limits_of(settings),
            lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        print_json(result.as_dict())
    else:
        _show(result)


def _show(result: Report) -> None:
    click.echo(f"{result.model} ({result.recipe}) on {result.pictures} pictures")
    print_table(
        ("P@1", "P@5", "P@10", "mAP"),
        [
            [
                f"{share:.3f}"
                for share in (
                    result.precision_at_1,
                    result.precision_at_5,
                    result.precision_at_10,
                    result.mean_average_precision,
                )
            ]
        ],
    )
    click.echo()
    print_table(
        ("class", "pictures", "mAP"),
        [
            (one.name, str(one.pictures), f"{one.mean_average_precision:.3f}")
            for one in result.classes
        ],
    )
    for failure in result.failures:
        click.echo(f"  {failure.filename}: {failure.message} [{failure.code}]", err=True)

"""`lookalike evaluate`: how good the neighbours are, on pictures that are sorted into folders."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress

from lookalike.cli.evaluation_page import evaluation_page
from lookalike.cli.options import data_option, json_option
from lookalike.cli.output import print_json, print_table
from lookalike.services import centring
from lookalike.services.bootstrap import embedders_of, scratch_vectors
from lookalike.services.evaluation import evaluate as measure
from lookalike.services.platform import limits_of
from lookalike.services.reports import Report
from lookalike.services.settings import Settings, read_settings


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--model",
    "names",
    multiple=True,
    help="A model to measure; repeat it to compare several. [default: LOOKALIKE_MODEL]",
)
@click.option(
    "--centred",
    is_flag=True,
    help="Measure each model with the mean vector of FOLDER subtracted as well.",
)
@click.option("--rerank", is_flag=True, help="Measure each model with re-ranking as well.")
@click.option(
    "--html",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Write a report with example neighbours into this file. It holds small copies of them.",
)
@data_option
@json_option
def evaluate(
    folder: Path,
    names: Sequence[str],
    centred: bool,
    rerank: bool,
    html: Path | None,
    data: Path | None,
    as_json: bool,
) -> None:
    """Measure retrieval quality on FOLDER, whose sub-folders are the classes.

    Each picture searches among all others. P@k is the share of its own class among the first k
    neighbours, mAP the mean average precision over all ranks. 1 is perfect. Nothing is stored.

    \b
    Examples:
      lookalike evaluate photos
      lookalike evaluate photos --centred --rerank
      lookalike evaluate photos --model efficientnet-lite1 --model colors --html report.html
    """
    if html and not html.absolute().parent.is_dir():
        raise click.BadParameter(f"There is no folder {html.parent}.", param_hint="--html")
    settings = read_settings(data_dir=data)
    chosen = list(dict.fromkeys(names or [settings.model]))
    embedders = embedders_of(settings)
    for name in chosen:  # complains now, not after minutes of work
        definition = embedders.get(name).definition
        if centred:
            centring.centred(definition)
    reports = [
        report
        for name in chosen
        for report in _measured(folder, name, settings, rerank, centred, quiet=as_json)
    ]
    if html:
        html.write_text(evaluation_page(folder, reports, limits_of(settings)), encoding="utf-8")
    if as_json:
        answers = [report.as_dict() for report in reports]
        print_json(answers[0] if len(answers) == 1 else {"reports": answers})
    else:
        _show(reports)


def _measured(
    folder: Path, name: str, settings: Settings, rerank: bool, centred: bool, quiet: bool
) -> list[Report]:
    embedder = embedders_of(settings).get(name)
    with Progress(console=Console(stderr=True), disable=quiet) as bar, scratch_vectors() as store:
        task = bar.add_task(f"Embedding with {name}", total=None)
        return measure(
            folder,
            embedder,
            limits_of(settings),
            store,
            lambda done, total: bar.update(task, completed=done, total=total),
            rerank,
            centred,
        )


def _show(reports: Sequence[Report]) -> None:
    for report in reports:
        click.echo(f"{report.title} ({report.recipe}) on {report.pictures} pictures")
    print_table(
        ("model", "P@1", "P@5", "P@10", "mAP", "pictures/s", "bytes per vector"),
        map(_figures, reports),
    )
    click.echo()
    print_table(("class", "pictures", *(f"mAP {one.title}" for one in reports)), _classes(reports))
    for failure in reports[0].failures:
        click.echo(f"  {failure.filename}: {failure.message} [{failure.code}]", err=True)


def _figures(report: Report) -> tuple[str, ...]:
    shares = (
        report.precision_at_1,
        report.precision_at_5,
        report.precision_at_10,
        report.mean_average_precision,
    )
    speed, size = f"{report.pictures_per_second:.1f}", str(report.bytes_per_vector)
    return report.title, *(f"{share:.3f}" for share in shares), speed, size


def _classes(reports: Sequence[Report]) -> list[tuple[str, ...]]:
    return [
        (
            classes[0].name,
            str(classes[0].pictures),
            *(f"{one.mean_average_precision:.3f}" for one in classes),
        )
        for classes in zip(*(report.classes for report in reports), strict=True)
    ]

"""How good the neighbours are, by recipe, on labelled photographs and through the real index.

Sub-folders are the classes. Where all pictures lie in one folder, as those of the sample set do,
the first letter of their names is: it names the group of the food. Measured with all files and with
one of each that have the same bytes, as a copy is found by any recipe.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lookalike.cli.transfer import find_pictures
from lookalike.services.bootstrap import embedders_of, scratch_vectors
from lookalike.services.evaluation import evaluate
from lookalike.services.platform import limits_of
from lookalike.services.reports import Report
from lookalike.services.settings import Settings


def run(pictures: list[Path], scratch: Path) -> None:
    """Print mAP and P@1 by recipe, and what centring and re-ranking add."""
    settings = Settings(data_dir=scratch)
    everything, _ = find_pictures({path.parent for path in pictures})
    for name, some in {"all files": everything, "without copies": pictures}.items():
        print(f"{name}: {len(some)}")
        _show(measured(by_class(some, scratch / name), settings))


def measured(folder: Path, settings: Settings) -> list[Report]:
    """Reports of the plain recipe, re-ranked, centred, and both."""
    with scratch_vectors() as store:
        return evaluate(
            folder,
            embedders_of(settings).get(settings.model),
            limits_of(settings),
            store,
            lambda _done, _total: None,
            rerank=True,
            centred=True,
        )


def by_class(pictures: Sequence[Path], folder: Path) -> Path:
    """The folder, with links to the pictures in a sub-folder for each class."""
    flat = len({path.parent for path in pictures}) == 1
    for path in pictures:
        place = folder / (path.name[0] if flat else path.parent.name)
        place.mkdir(parents=True, exist_ok=True)
        (place / path.name).symlink_to(path.absolute())
    return folder


def _show(reports: Sequence[Report]) -> None:
    for one in reports:
        print(f"{one.title:45} mAP {one.mean_average_precision:.3f}  P@1 {one.precision_at_1:.3f}")
    plain, _, centred, both = reports
    by_centring = centred.mean_average_precision - plain.mean_average_precision
    by_reranking = both.mean_average_precision - centred.mean_average_precision
    lost = centred.precision_at_1 - both.precision_at_1
    print(f"centring adds to mAP          {by_centring:+.4f}  (at least +0.015)")
    print(f"re-ranking adds on top        {by_reranking:+.4f}  (at least +0.025)")
    print(f"re-ranking costs of P@1       {lost:+.4f}  (at most +0.020)")

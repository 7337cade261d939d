"""Evaluating a folder of classes, from files to figures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from lookalike.services.centring import LEAST
from lookalike.services.errors import InvalidRequestError
from lookalike.services.evaluation import SHOWN, evaluate
from lookalike.services.labelled import BATCH
from lookalike.services.records import Distance
from lookalike.services.reports import Report
from tests.factories import LIMITS, ODD, saved
from tests.fake_embedder import FakeEmbedder
from tests.fakes import MemoryVectorStore

RED, DARK_RED = (250, 0, 0), (180, 0, 0)
GREEN, DARK_GREEN = (0, 250, 0), (0, 180, 0)


def test_classes_that_look_alike_within_score_one(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    plain(tmp_path / "red/b.png", DARK_RED)
    plain(tmp_path / "green/a.png", GREEN)
    plain(tmp_path / "green/deeper/b.png", DARK_GREEN)
    report = measure(tmp_path)
    assert (report.pictures, report.queries, report.alone) == (4, 4, 0)
    assert (report.precision_at_1, report.mean_average_precision) == (1, 1)
    assert report.precision_at_5 == pytest.approx(1 / 5)
    assert report.precision_at_10 == pytest.approx(1 / 10)


def test_figures_are_means_over_all_queries_and_over_those_of_each_class(tmp_path):
    """Every picture finds the other class in its own colour first.

    A bright one finds its like last: of two dark colours and a bright one in another hue, the
    dark is nearer. A dark one finds its like second. So 1/3 for the bright and 1/2 for the dark.
    """
    plain(tmp_path / "bright/red.png", RED)
    plain(tmp_path / "bright/green.png", GREEN)
    plain(tmp_path / "dark/red.png", DARK_RED)
    plain(tmp_path / "dark/green.png", DARK_GREEN)
    report = measure(tmp_path)
    assert report.precision_at_1 == 0
    assert report.precision_at_5 == pytest.approx(1 / 5)
    assert report.mean_average_precision == pytest.approx((1 / 3 + 1 / 2) / 2)
    assert [(one.name, one.pictures) for one in report.classes] == [("bright", 2), ("dark", 2)]
    of_classes = [one.mean_average_precision for one in report.classes]
    assert of_classes == pytest.approx([1 / 3, 1 / 2])


def test_a_picture_alone_in_its_class_is_found_but_does_not_search(tmp_path):
    plain(tmp_path / "green/a.png", GREEN)
    plain(tmp_path / "green/b.png", DARK_GREEN)
    plain(tmp_path / "alone/a.png", GREEN)
    report = measure(tmp_path)
    assert (report.pictures, report.queries, report.alone) == (3, 2, 1)
    assert report.precision_at_1 == 0
    assert [one.name for one in report.classes] == ["green"]


def test_files_that_cannot_be_read_are_reported_and_stop_nothing(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    plain(tmp_path / "red/b.png", DARK_RED)
    (tmp_path / "red/notes.jpg").write_bytes(ODD["text"].data)
    (tmp_path / "red/half.jpg").write_bytes(ODD["jpeg_truncated"].data)
    (tmp_path / "other").mkdir()
    (tmp_path / "other/empty.png").touch()
    report = measure(tmp_path)
    assert report.pictures == 2
    assert [(one.filename, one.code) for one in report.failures] == [
        ("other/empty.png", "empty_file"),
        ("red/half.jpg", "truncated"),
        ("red/notes.jpg", "not_an_image"),
    ]
    assert all(one.message for one in report.failures)


def test_a_file_that_is_gone_when_its_turn_comes_is_reported(tmp_path):
    for number in range(3 * BATCH):
        plain(tmp_path / f"red/{number}.png", RED)
    last = tmp_path / "zebra/last.png"
    plain(last, RED)
    report = measure(tmp_path, lambda _done, _total: last.unlink(missing_ok=True))
    (failure,) = report.failures
    assert (failure.filename, failure.code) == ("zebra/last.png", "unavailable")
    assert "cannot be opened" in failure.message


def test_hidden_files_and_files_beside_the_folders_are_passed_over(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    plain(tmp_path / "red/b.png", DARK_RED)
    plain(tmp_path / "cover.png", GREEN)
    plain(tmp_path / "red/.hidden.png", GREEN)
    plain(tmp_path / "red/.folder/a.png", GREEN)
    plain(tmp_path / ".git/a.png", GREEN)
    report = measure(tmp_path)
    assert (report.pictures, report.failures) == (2, ())


@pytest.mark.parametrize("layout", ["missing", "empty", "flat", "file"])
def test_a_folder_without_classes_is_refused_with_the_layout_that_is_wanted(layout, tmp_path):
    folder = tmp_path / "pictures"
    if layout == "file":
        folder.touch()
    elif layout != "missing":
        folder.mkdir()
    if layout == "flat":
        plain(folder / "a.png", RED)
    with pytest.raises(InvalidRequestError, match="one sub-folder for each class"):
        measure(folder)


def test_classes_of_one_picture_each_are_refused(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    plain(tmp_path / "green/a.png", GREEN)
    with pytest.raises(InvalidRequestError, match="at least two pictures"):
        measure(tmp_path)


def test_progress_counts_every_file_up_to_all(tmp_path):
    for number in range(BATCH + 1):
        plain(tmp_path / f"red/{number}.png", RED)
    (tmp_path / "red/broken.png").touch()
    seen: list[tuple[int, int]] = []
    measure(tmp_path, lambda done, total: seen.append((done, total)))
    assert seen == [(BATCH, BATCH + 2), (BATCH + 2, BATCH + 2)]


def test_the_report_for_programs_names_the_measures_as_the_field_does(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    plain(tmp_path / "red/b.png", DARK_RED)
    (tmp_path / "red/c.png").touch()
    read_back = json.loads(json.dumps(measure(tmp_path).as_dict()))
    message = read_back["failures"][0].pop("message")
    assert message
    assert read_back.pop("pictures_per_second") > 0
    assert read_back == {
        "model": "fake",
        "centred": False,
        "reranked": False,
        "recipe": "letterbox 32, average pool, L2",
        "distance": "cosine",
        "bytes_per_vector": 49 * 4,
        "pictures": 2,
        "queries": 2,
        "alone": 0,
        "P@1": 1.0,
        "P@5": 0.2,
        "P@10": 0.1,
        "mAP": 1.0,
        "classes": {"red": {"pictures": 2, "mAP": 1.0}},
        "failures": [{"filename": "red/c.png", "code": "empty_file"}],
    }


def test_examples_are_the_first_of_each_class_with_their_best_neighbours(tmp_path):
    for number in range(SHOWN + 2):
        plain(tmp_path / f"red/{number:02}.png", (250 - 10 * number, 0, 0))
    plain(tmp_path / "alone/a.png", GREEN)
    report = measure(tmp_path)
    [example] = report.examples
    assert example.file.name == "red/00.png"
    names = [one.file.name for one in example.neighbours]
    assert names == [f"red/{number:02}.png" for number in range(1, SHOWN + 1)]
    scores = [one.score for one in example.neighbours]
    assert scores == sorted(scores, reverse=True)


def test_nothing_is_left_in_the_store(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    plain(tmp_path / "red/b.png", DARK_RED)
    store = MemoryVectorStore()
    evaluate(tmp_path, FakeEmbedder(), LIMITS, store, no_progress)
    assert store.names() == []


def test_centred_vectors_are_measured_beside_the_plain_ones(tmp_path):
    """All are nearly of one colour, which is what hides that half of them have a shade of red.

    Brighter and darker ones of both kinds are alike at first. Centred, shades are what is left.
    """
    for number in range(LEAST // 2):
        grey = 100 + number
        plain(tmp_path / f"red/{number}.png", (grey + 4, grey, grey))
        plain(tmp_path / f"blue/{number}.png", (grey, grey, grey + 4))
    [as_it_is, shades] = centred(tmp_path)
    assert (as_it_is.title, shades.title) == ("fake", "fake, centred")
    assert shades.recipe == as_it_is.recipe + ", centred"
    assert (as_it_is.as_dict()["centred"], shades.as_dict()["centred"]) == (False, True)
    assert shades.mean_average_precision > as_it_is.mean_average_precision
    assert shades.examples[0].neighbours[0].score < as_it_is.examples[0].neighbours[0].score


def test_centring_is_refused_for_too_few_pictures(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    plain(tmp_path / "red/b.png", DARK_RED)
    with pytest.raises(InvalidRequestError, match=f"at least {LEAST} pictures"):
        centred(tmp_path)


def test_centring_is_refused_for_euclidean_distance_before_any_work(tmp_path):
    plain(tmp_path / "red/a.png", RED)
    euclidean = FakeEmbedder()
    euclidean.definition = replace(euclidean.definition, distance=Distance.EUCLID)
    with pytest.raises(InvalidRequestError, match="changes no distance"):
        evaluate(tmp_path, euclidean, LIMITS, MemoryVectorStore(), no_progress, centred=True)


def centred(folder: Path) -> list[Report]:
    store = MemoryVectorStore()
    return evaluate(folder, FakeEmbedder(), LIMITS, store, no_progress, centred=True)


def no_progress(_done: int, _total: int) -> None: ...


def measure(
    folder: Path, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> Report:
    [report] = evaluate(folder, FakeEmbedder(), LIMITS, MemoryVectorStore(), progress)
    return report


def plain(path: Path, colour: tuple[int, int, int]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(saved(Image.new("RGB", (32, 32), colour), "PNG"))

"""`lookalike evaluate` with several models, for people, for programs, and as a page."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lookalike.cli.evaluate import evaluate
from lookalike.services.centring import LEAST
from tests.factories import picture

HOSTILE = "<img src=x onerror=alert(1)>&\"'"


@pytest.fixture
def folder(tmp_path) -> Path:
    for number in range(6):
        file = tmp_path / "photos" / ("sea", HOSTILE)[number % 2] / f"<b>{number}.jpg"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture(number))
    (tmp_path / "photos" / "sea" / "<i>broken.jpg").touch()
    return tmp_path / "photos"


def run(folder: Path, *arguments: str) -> Result:
    data = ("--data", str(folder.parent / "data"))
    return CliRunner().invoke(evaluate, [str(folder), *data, *arguments])


def both(folder: Path, *arguments: str) -> Result:
    return run(folder, "--model", "pixels", "--model", "colors", *arguments)


class Page(HTMLParser):
    """What a browser would make of a page: its tags, and all that it would fetch."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.fetched: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.fetched += [value or "" for name, value in attrs if name in {"src", "href", "onerror"}]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_several_models_come_side_by_side(folder):
    shown = both(folder)
    assert shown.exit_code == 0, shown.output
    for model, size in (("pixels", 3072 * 4), ("colors", 64 * 4)):
        assert re.search(rf"{model} .*\b{size}\b", shown.output)
    assert "mAP pixels" in shown.output
    assert "<i>broken.jpg" in shown.output


def test_programs_get_one_report_for_one_model_and_a_list_for_several(folder):
    [pixels, colors] = json.loads(both(folder, "--json").stdout)["reports"]
    assert (pixels["model"], pixels["distance"]) == ("pixels", "euclid")
    assert (colors["model"], colors["distance"]) == ("colors", "cosine")
    alone = json.loads(run(folder, "--model", "colors", "--model", "colors", "--json").stdout)
    assert alone["mAP"] == colors["mAP"]
    assert alone["failures"][0]["code"] == "empty_file"


def test_reranking_is_measured_beside_the_plain_order(folder):
    shown = run(folder, "--model", "colors", "--rerank")
    assert "colors, re-ranked" in shown.output
    reports = json.loads(run(folder, "--model", "colors", "--rerank", "--json").stdout)["reports"]
    assert [(one["model"], one["reranked"]) for one in reports] == [
        ("colors", False),
        ("colors", True),
    ]


def test_centring_and_reranking_are_measured_beside_the_plain_recipe(folder):
    for number in range(LEAST):
        (folder / "sea" / f"{number}.jpg").write_bytes(picture(number, (32, 32)))
    file = folder.parent / "report.html"
    asked = ("--model", "colors", "--centred", "--rerank", "--html", str(file), "--json")
    reports = json.loads(run(folder, *asked).stdout)["reports"]
    assert [(one["centred"], one["reranked"]) for one in reports] == [
        (False, False),
        (False, True),
        (True, False),
        (True, True),
    ]
    assert len({one["mAP"] for one in reports}) == 4
    words = "".join(Page(file.read_text()).words)
    assert "stretch 128, L2, centred" in words
    for title in ("colors, re-ranked", "colors, centred", "colors, centred, re-ranked"):
        assert title in words


def test_centring_a_euclidean_model_is_refused_before_any_work(folder):
    ended = both(folder, "--centred")
    assert "pixels compares by Euclidean distance" in str(ended.exception)
    assert ended.stdout == ""


def test_the_page_stands_alone_and_its_names_are_text(folder):
    file = folder.parent / "report.html"
    assert both(folder, "--html", str(file)).exit_code == 0
    page = Page(file.read_text())
    words = "".join(page.words)
    assert {"script", "link", "b", "i"}.isdisjoint(page.tags)
    assert page.fetched
    assert all(each.startswith("data:image/jpeg;base64,") for each in page.fetched)
    assert HOSTILE in words
    assert f"{HOSTILE}/<b>1.jpg" in words
    assert "<i>broken.jpg" in words
    # Two examples, by each of two models, with the other five pictures.
    assert page.tags.count("img") == 2 * (1 + 2 * 5)
    assert len(set(page.fetched)) == 6
    assert "prefers-color-scheme: dark" in file.read_text()


def test_a_page_without_a_folder_to_lie_in_is_refused_before_any_work(folder):
    ended = run(folder, "--html", str(folder.parent / "gone" / "report.html"))
    assert ended.exit_code == 2
    assert "There is no folder" in ended.output


def test_an_unknown_model_is_told_before_any_work(folder):
    ended = run(folder, "--model", "pixels", "--model", "nothing")
    assert "no model 'nothing'" in str(ended.exception)
    assert "pixels (" not in ended.output

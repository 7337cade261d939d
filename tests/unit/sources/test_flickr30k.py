"""Pictures with five captions each, in the three forms in which they go round."""

from __future__ import annotations

from pathlib import Path

import pytest

from lookalike.services.errors import SourceError
from lookalike.services.sources.records import Found
from tests.unit.sources.reading import GOOD, opened, outcomes

TEXTS = [f"A dog, {number} years old." for number in range(5)]
PICTURES = ["1.jpg", "2.jpg"]

FORMS = {
    "token": [f"{name}#{n}\t{text}" for name in PICTURES for n, text in enumerate(TEXTS)],
    "bars": [
        "image_name| comment_number| comment",
        *(f"{name}| {n}| {text}" for name in PICTURES for n, text in enumerate(TEXTS)),
    ],
    "commas": ["image,caption", *(f'{name},"{text}"' for name in PICTURES for text in TEXTS)],
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in PICTURES:
        (tmp_path / name).write_bytes(GOOD)
    return tmp_path


def source(root: Path, lines: list[str]):
    return opened("flickr30k", "\n".join(lines).encode(), roots=[root], path=".")


@pytest.mark.parametrize("form", FORMS)
def test_captions_become_title_and_attribute(root: Path, form: str):
    with_labels = [one for one in source(root, FORMS[form]).items() if isinstance(one, Found)]
    assert [one.name for one in with_labels] == PICTURES
    for one in with_labels:
        assert one.labels.title == TEXTS[0]
        assert one.labels.attributes == {"caption": "\n".join(TEXTS)}
    assert outcomes(source(root, FORMS[form])) == [(name, GOOD) for name in PICTURES]
    assert source(root, FORMS[form]).total() == 2


def test_captions_that_do_not_fit_are_left_out_whole(root: Path):
    lines = [f"1.jpg#{n}\t{'word ' * 80}{n}" for n in range(5)]
    (found, *_) = source(root, lines).items()
    assert isinstance(found, Found)
    caption = str(found.labels.attributes["caption"])
    assert [line[-1] for line in caption.split("\n")] == ["0", "1"]


def test_bad_lines_and_pictures_fail_alone(root: Path):
    (root / "3.jpg").write_bytes(GOOD)
    (root / "link.jpg").symlink_to("/etc/passwd")
    lines = [
        "1.jpg#0\tone",
        "1.jpg 1 two",
        "1.jpg#2\tthree",
        "gone.jpg#0\tgone",
        "../../etc/passwd.jpg#0\tevil",
        "link.jpg#0\tevil",
        "2.jpg#0\tone",
        "1.jpg#4\tfive",
        "",
    ]
    assert outcomes(source(root, lines)) == [
        ("line 2", "bad_row"),
        ("1.jpg", GOOD),
        ("gone.jpg", "missing_file"),
        ("../../etc/passwd.jpg", "unsafe_name"),
        ("link.jpg", "not_a_file"),
        ("2.jpg", GOOD),
        ("1.jpg", "duplicate_name"),
        ("3.jpg", GOOD),
    ]


def test_the_captions_may_lie_on_the_server(root: Path):
    (root / "results.token").write_text("\n".join(FORMS["token"]))
    there = opened("flickr30k", roots=[root], path=".", captions="results.token")
    assert [name for name, _ in outcomes(there)] == PICTURES


@pytest.mark.parametrize("place", ["photos/captions.txt", "results.csv"])
def test_captions_are_found_among_the_pictures_or_beside_their_folder(tmp_path: Path, place: str):
    (tmp_path / "photos").mkdir()
    for name in PICTURES:
        (tmp_path / "photos" / name).write_bytes(GOOD)
    (tmp_path / place).write_text("\n".join(FORMS["commas"]))
    found = opened("flickr30k", roots=[tmp_path], path="photos")
    assert [name for name, _ in outcomes(found)][:2] == PICTURES


def test_where_there_are_no_captions_it_says_where_to_put_them(root: Path):
    with pytest.raises(SourceError, match="no captions file"):
        opened("flickr30k", roots=[root], path=".")

"""Labels: what people may write about a picture."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from lookalike.services.labels import Changes, Labels


@pytest.mark.parametrize("model", [Labels, Changes])
@pytest.mark.parametrize(
    "given",
    [
        {"title": ""},
        {"title": "é" * 500},
        {"title": "two\nlines"},
        {"tags": []},
        {"tags": ["a", "b c", "日本", "x" * 100]},
        {"tags": [str(number) for number in range(100)]},
        {"attributes": {}},
        {"attributes": {"brand": "x", "price": 9.5, "stock": 3, "sold": False, "note": ""}},
        {"attributes": {"größe in cm": 2**53}},
    ],
)
def test_what_fits_is_kept_as_it_is(model: type[Labels | Changes], given: dict[str, Any]):
    kept = model(**given).model_dump(exclude_unset=True)
    assert kept == given
    for name, value in given.get("attributes", {}).items():
        assert type(kept["attributes"][name]) is type(value)


@pytest.mark.parametrize("model", [Labels, Changes])
@pytest.mark.parametrize(
    "given",
    [
        {"title": "x" * 501},
        {"title": "a\0b"},
        {"tags": [""]},
        {"tags": ["  "]},
        {"tags": ["a\nb"]},
        {"tags": ["x" * 101]},
        {"tags": [str(number) for number in range(101)]},
        {"tags": "a"},
        {"attributes": {"": 1}},
        {"attributes": {'quo"te': 1}},
        {"attributes": {"path[0]": 1}},
        {"attributes": {"x" * 101: 1}},
        {"attributes": {"a": None}},
        {"attributes": {"a": [1]}},
        {"attributes": {"a": {"b": 1}}},
        {"attributes": {"a": float("nan")}},
        {"attributes": {"a": float("inf")}},
        {"attributes": {"a": "x" * 1001}},
        {"attributes": {str(number): 1 for number in range(101)}},
        {"colour": "red"},
    ],
)
def test_what_does_not_fit_is_refused(model: type[Labels | Changes], given: dict[str, Any]):
    with pytest.raises(ValidationError):
        model(**given)


def test_blanks_around_titles_and_tags_are_dropped():
    labels = Labels(title="  a title ", tags=[" a "])
    assert (labels.title, labels.tags) == ("a title", ["a"])


def test_changes_tell_what_is_left_out_from_what_is_emptied():
    assert Changes() == Changes(title=None, tags=None, attributes=None)
    assert Changes(title="", tags=[], attributes={}).model_dump() == {
        "title": "",
        "tags": [],
        "attributes": {},
    }

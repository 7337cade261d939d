"""The filter language by example: what it accepts, refuses, and compiles to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lookalike.services.errors import InvalidRequestError
from lookalike.services.filters import AnyOf, Condition, NoneOf, Range, parse_filter


def one_condition(asked: dict[str, Any]) -> Condition:
    [condition] = parse_filter(json.dumps(asked)).conditions()
    return condition


@pytest.mark.parametrize("text", [None, "", "  \n", "{}", '{"tags":{}}', '{"width":{}}'])
def test_nothing_asked_means_no_conditions(text: str | None):
    assert parse_filter(text).conditions() == ()


def test_every_tag_of_all_is_a_condition_of_its_own():
    conditions = parse_filter('{"tags":{"any":["a","b"],"all":["c","d"],"none":["e"]}}')
    assert conditions.conditions() == (
        AnyOf(("tags",), ("a", "b")),
        AnyOf(("tags",), ("c",)),
        AnyOf(("tags",), ("d",)),
        NoneOf(("tags",), ("e",)),
    )


@pytest.mark.parametrize("value", [True, 1, "10", 10.5, ""])
def test_attributes_keep_the_type_they_are_asked_with(value: Any):
    condition = one_condition({"attributes": {"a": value}})
    assert condition == AnyOf(("attributes", "a"), (value,))
    assert isinstance(condition, AnyOf)
    assert type(condition.values[0]) is type(value)


def test_a_date_alone_means_the_whole_day_in_utc():
    condition = one_condition({"taken": {"from": "2024-02-29", "to": "2024-02-29"}})
    assert isinstance(condition, Range)
    midnight = datetime(2024, 2, 29, tzinfo=UTC)
    assert condition.gte == midnight.timestamp()
    assert condition.lte == pytest.approx((midnight + timedelta(days=1)).timestamp(), abs=1e-5)
    assert condition.lte is not None
    assert condition.lte < (midnight + timedelta(days=1)).timestamp()


@pytest.fixture
def _far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine's clock is nine hours ahead of UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_east")
@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2024-01-01T12:00:00", 1_704_110_400),
        ("2024-01-01T12:00:00Z", 1_704_110_400),
        ("2024-01-01T12:00:00+02:00", 1_704_103_200),
        ("1890-06-01T00:00:00Z", -2_511_475_200),
    ],
)
def test_times_are_utc_unless_they_say_otherwise(text: str, seconds: float):
    condition = one_condition({"added": {"from": text}})
    assert condition == Range(("added",), seconds, None)


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"width":{"gte":2,"lte":1}}', "filter.width"),
        ('{"attributes":{"price":{"gte":2,"lte":1}}}', "filter.attributes.price"),
        ('{"taken":{"from":"2024-01-02","to":"2024-01-01"}}', "filter.taken"),
        (
            '{"added":{"from":"2024-01-01T12:00:00Z","to":"2024-01-01T12:00:00+02:00"}}',
            "filter.added",
        ),
        ('{"colour":"red"}', "filter.colour"),
        ('{"tags":{"some":["a"]}}', "filter.tags.some"),
        ('{"width":{"gt":1}}', "filter.width.gt"),
        ('{"taken":{"gte":"2024-01-01"}}', "filter.taken.gte"),
        ('{"width":{"gte":"1"}}', "filter.width.gte"),
        ('{"width":{"gte":true}}', "filter.width.gte"),
        ('{"width":{"gte":NaN}}', "filter"),
        ('{"width":5}', "filter.width"),
        ('{"tags":{"any":"a"}}', "filter.tags.any"),
        ('{"tags":{"any":[""]}}', "filter.tags.any.0"),
        ('{"tags":{"any":[" "]}}', "filter.tags.any.0"),
        ('{"tags":{"any":[1]}}', "filter.tags.any.0"),
        ('{"text":["dog"]}', "filter.text"),
        ('{"text":"a\\u0000"}', "filter.text"),
        ('{"format":[]}', "filter.format"),
        ('{"orientation":"upright"}', "filter.orientation"),
        ('{"taken":{"from":"yesterday"}}', "filter.taken.from"),
        ('{"taken":{"from":"2024-02-30"}}', "filter.taken.from"),
        ('{"attributes":{"a":[1]}}', "filter.attributes.a"),
        ('{"attributes":{"a":null}}', "filter.attributes.a"),
        ('{"attributes":{"":1}}', "filter.attributes"),
        ("[]", "filter"),
        ("{", "filter"),
        ("nonsense", "filter"),
    ],
)
def test_what_is_wrong_is_refused_by_the_name_of_its_field(text: str, field: str):
    with pytest.raises(InvalidRequestError) as caught:
        parse_filter(text)
    assert caught.value.message.startswith(field)
    assert all(one["field"].startswith("filter") for one in caught.value.details["problems"])


def test_the_message_names_one_problem_and_counts_the_others():
    with pytest.raises(InvalidRequestError, match=r"^filter\.width\.gt: .*1 more problem"):
        parse_filter('{"width":{"gt":1},"height":{"lt":1}}')


@pytest.mark.parametrize(
    "asked",
    [
        {"tags": {"any": ["a"] * 101}},
        {"tags": {"any": ["a" * 101]}},
        {"format": ["jpeg"] * 101},
        {"text": "a" * 201},
        {"attributes": {str(number): 1 for number in range(101)}},
    ],
)
def test_a_filter_cannot_be_made_to_cost_much(asked: dict[str, Any]):
    with pytest.raises(InvalidRequestError):
        parse_filter(json.dumps(asked))


def test_deep_nesting_is_refused():
    with pytest.raises(InvalidRequestError):
        parse_filter("[" * 100_000)


def test_formats_are_found_however_they_are_written():
    assert one_condition({"format": ["JPEG"]}) == AnyOf(("format",), ("jpeg",))


def test_blanks_around_tags_do_not_matter():
    assert one_condition({"tags": {"any": [" a b "]}}) == AnyOf(("tags",), ("a b",))


def test_every_word_of_a_text_is_a_condition_of_its_own():
    conditions = parse_filter('{"text": "A brown DOG, brown!"}').conditions()
    assert conditions == tuple(AnyOf(("words",), (word,)) for word in ("a", "brown", "dog"))


@pytest.mark.parametrize("text", ["", " ", "?!", "\U0001f415"])
def test_a_text_without_words_asks_for_nothing(text: str):
    assert parse_filter(json.dumps({"text": text})).conditions() == ()


def test_all_parts_are_combined():
    asked = {
        "tags": {"any": ["a"]},
        "text": "sea",
        "format": ["png"],
        "orientation": "square",
        "width": {"gte": 1},
        "height": {"lte": 2},
        "bytes": {"gte": 3, "lte": 4},
        "taken": {"from": "1970-01-02"},
        "added": {"to": "1970-01-01T00:00:10Z"},
        "attributes": {"a": 1, "b": {"gte": 5}},
    }
    assert parse_filter(json.dumps(asked)).conditions() == (
        AnyOf(("tags",), ("a",)),
        AnyOf(("words",), ("sea",)),
        AnyOf(("format",), ("png",)),
        AnyOf(("orientation",), ("square",)),
        Range(("width",), 1, None),
        Range(("height",), None, 2),
        Range(("bytes",), 3, 4),
        Range(("taken",), 86_400, None),
        Range(("added",), None, 10),
        AnyOf(("attributes", "a"), (1,)),
        Range(("attributes", "b"), 5, None),
    )

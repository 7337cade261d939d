"""The filter language on random input: nothing breaks it, and its conditions mean what it says."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from lookalike.services.errors import InvalidRequestError
from lookalike.services.filters import AnyOf, Condition, Filter, Range, parse_filter
from lookalike.services.words import words_of

TAGS = ("red", "green", "blue", "Red")
FORMATS = ("jpeg", "png", "heic")
NAMES = ("brand", "price", "sold")
WORDS = ("dog", "brown", "ÉTÉ", "犬")
VALUES = ("x", "10", "1", "", True, False, 0, 1, 10, 10.0, 10.5, -3)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

json_texts = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
).map(json.dumps)


def near_misses() -> st.SearchStrategy[str]:
    """JSON objects with the language's own names around values that may or may not fit."""
    names = [*Filter.model_fields, "any", "all", "none", "gte", "lte", "from", "to"]
    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.sampled_from(["red", "2024-02-30", "2024-01-01", "0001-01-01T00:00:00+14:00", ""]),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(names), inner, max_size=3)
        ),
        max_leaves=8,
    )
    return st.dictionaries(st.sampled_from(names), values, max_size=4).map(json.dumps)


@given(st.text(st.characters(codec=None)) | json_texts | near_misses())
def test_any_text_is_a_filter_or_is_refused_with_a_sentence(text: str):
    try:
        outcome: Filter | InvalidRequestError = parse_filter(text)
    except InvalidRequestError as error:
        outcome = error
    if isinstance(outcome, Filter):
        assert isinstance(outcome.conditions(), tuple)
    else:
        assert outcome.code == "invalid_request"
        assert outcome.message.startswith("filter")
        assert json.loads(json.dumps(dict(outcome.details)))["problems"]


def bounds(values: st.SearchStrategy[Any], low: str, high: str) -> st.SearchStrategy[dict]:
    """A range with none, one or both of its ends, in order."""
    ends = st.tuples(values, values).map(sorted)
    both = ends.map(lambda pair: {low: pair[0], high: pair[1]})
    return both.flatmap(
        lambda whole: st.sets(st.sampled_from([low, high])).map(
            lambda kept: {name: whole[name] for name in kept}
        )
    )


numbers = st.integers(0, 30) | st.sampled_from([0.5, 10.0, 10.5])
days = st.dates(date(2024, 1, 1), date(2024, 1, 9)).map(str)
moments = st.datetimes(datetime(2024, 1, 1), datetime(2024, 1, 9)).map(
    lambda moment: moment.replace(tzinfo=UTC).isoformat()
)
tag_lists = st.lists(st.sampled_from(TAGS), max_size=3)
sentences = st.lists(st.sampled_from(WORDS), max_size=3).map(", ".join)

filters = st.fixed_dictionaries(
    {},
    optional={
        "tags": st.fixed_dictionaries(
            {}, optional={"any": tag_lists, "all": tag_lists, "none": tag_lists}
        ),
        "text": sentences,
        "format": st.lists(st.sampled_from(FORMATS), min_size=1, max_size=2),
        "orientation": st.sampled_from(["landscape", "portrait", "square"]),
        "width": bounds(numbers, "gte", "lte"),
        "height": bounds(numbers, "gte", "lte"),
        "bytes": bounds(numbers, "gte", "lte"),
        "taken": bounds(days, "from", "to"),
        "added": bounds(moments, "from", "to"),
        "attributes": st.dictionaries(
            st.sampled_from(NAMES), st.sampled_from(VALUES) | bounds(numbers, "gte", "lte")
        ),
    },
)
instants = st.datetimes(
    datetime(2023, 12, 31), datetime(2024, 1, 10), timezones=st.just(UTC)
) | st.sampled_from(
    [datetime(2024, 1, 5, tzinfo=UTC), datetime(2024, 1, 5, 23, 59, 59, 999_999, UTC)]
)
payloads = st.fixed_dictionaries(
    {
        "tags": st.lists(st.sampled_from(TAGS), unique=True),
        "words": sentences.map(words_of).map(list),
        "format": st.sampled_from(FORMATS),
        "orientation": st.sampled_from(["landscape", "portrait", "square"]),
        "width": st.integers(0, 30),
        "height": st.integers(0, 30),
        "bytes": st.integers(0, 30),
        "taken": st.none() | instants,
        "added": instants,
        "attributes": st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)),
    }
)


@given(filters, payloads)
def test_conditions_mean_what_the_language_says(asked: dict, payload: dict):
    conditions = parse_filter(json.dumps(asked)).conditions()
    assert all(holds(one, payload) for one in conditions) == is_wanted(asked, payload)


@given(filters)
def test_a_filter_survives_being_written_and_read_again(asked: dict):
    first = parse_filter(json.dumps(asked))
    written = json.dumps(first.model_dump(mode="json", by_alias=True, exclude_none=True))
    again = parse_filter(written)
    assert again == first
    assert again.conditions() == first.conditions()


def holds(condition: Condition, payload: dict) -> bool:
    """What the three conditions promise, as the ports' contract words it."""
    value: Any = payload
    for part in condition.key:
        value = value.get(part) if value is not None else None
    if isinstance(value, datetime):
        value = (value - EPOCH).total_seconds()
    if isinstance(condition, Range):
        low = -float("inf") if condition.gte is None else condition.gte
        high = float("inf") if condition.lte is None else condition.lte
        return is_number(value) and low <= value <= high
    held = value if isinstance(value, list) else [] if value is None else [value]
    met = any(same(one, other) for one in held for other in condition.values)
    return met if isinstance(condition, AnyOf) else not met


def is_wanted(asked: dict, payload: dict) -> bool:
    """The language itself, read straight off the JSON."""
    return all(
        [
            has_tags(asked.get("tags", {}), payload["tags"]),
            all(word.lower() in payload["words"] for word in said(asked.get("text", ""))),
            "format" not in asked or payload["format"] in asked["format"],
            "orientation" not in asked or payload["orientation"] == asked["orientation"],
            *(in_numbers(asked.get(name, {}), payload[name]) for name in ("width", "height")),
            in_numbers(asked.get("bytes", {}), payload["bytes"]),
            in_days(asked.get("taken", {}), payload["taken"]),
            in_moments(asked.get("added", {}), payload["added"]),
            *(
                has_attribute(test, payload["attributes"].get(name))
                for name, test in asked.get("attributes", {}).items()
            ),
        ]
    )


def has_tags(asked: dict, tags: list[str]) -> bool:
    wanted, needed, banned = (set(asked.get(name, ())) for name in ("any", "all", "none"))
    held = set(tags)
    return (not wanted or bool(wanted & held)) and needed <= held and not banned & held


def said(text: str) -> list[str]:
    return text.split(", ") if text else []


def in_numbers(asked: dict, value: Any) -> bool:
    if not asked:
        return True
    return is_number(value) and asked.get("gte", value) <= value <= asked.get("lte", value)


def in_days(asked: dict, taken: datetime | None) -> bool:
    if not asked:
        return True
    return taken is not None and (
        asked.get("from", "") <= taken.strftime("%Y-%m-%d") <= asked.get("to", "9")
    )


def in_moments(asked: dict, added: datetime) -> bool:
    start, end = (datetime.fromisoformat(asked.get(name, str(added))) for name in ("from", "to"))
    return start <= added <= end


def has_attribute(test: Any, value: Any) -> bool:
    return in_numbers(test, value) if isinstance(test, dict) else same(test, value)


def same(one: Any, other: Any) -> bool:
    if is_number(one) and is_number(other):
        return one == other
    return type(one) is type(other) and one == other


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

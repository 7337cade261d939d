"""The filter language: what a caller may ask of neighbours, and the conditions it comes down to.

People and programs write a `Filter` (JSON). Vector indexes only have to understand the three
conditions that it compiles to, all of them ANDed: `AnyOf`, `NoneOf` and `Range`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Annotated, Literal, TypeAlias

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from lookalike.services.errors import InvalidRequestError
from lookalike.services.records import Orientation, Scalar
from lookalike.services.words import words_of

Key: TypeAlias = tuple[str, ...]
"""Path of a payload field: `("width",)` or `("attributes", "brand")`."""


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field, or one of its values if it is a list, equals one of `values` (same type too).

    Numbers compare as numbers (10 equals 10.0); a boolean never equals a number.
    A missing field does not match.
    """

    key: Key
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The field holds none of `values`. A missing or empty field matches."""

    key: Key
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """The field is a number between `gte` and `lte`, both inclusive, either open when None."""

    key: Key
    gte: float | None = None
    lte: float | None = None


Condition: TypeAlias = AnyOf | NoneOf | Range


MAX_VALUES = 100
"""Most tags, formats or attributes one part of a filter may name."""


Tag: TypeAlias = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True,
        max_length=100,
        pattern=r"^[^\x00-\x1f]*[^\s\x00-\x1f][^\x00-\x1f]*$",
    ),
]
"""A tag: 1 to 100 characters, no control characters, blanks around it dropped."""

AttributeName: TypeAlias = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100, pattern=r'^[^"\\\[\]\x00-\x1f]+$'),
]
"""An attribute's name: any letters and signs but quotes, backslashes, brackets and controls."""

Named = Field(max_length=MAX_VALUES, json_schema_extra={"additionalProperties": False})
"""Of a dictionary by attribute name: how many, and that other names are refused."""

Text: TypeAlias = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
"""Any text but with NUL, which PostgreSQL cannot store and nothing that people write needs."""

Words: TypeAlias = Annotated[
    Text,
    Field(
        max_length=200,
        description="Words that must all stand in the title or in the attributes that are text, "
        "anywhere, in any order and in any case. Only whole words are found.",
    ),
]
"""Text of a filter. Signs that are not in a word ask for nothing: see `words`."""

WholeNumber: TypeAlias = Annotated[int, Field(ge=-(2**53), le=2**53)]
"""A number that every part of the platform, JavaScript included, keeps exactly."""

Number: TypeAlias = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Tags(_Part):
    """Tags a picture must have (`any` one, `all`) or must not have (`none`)."""

    any: list[Tag] = Field(default=[], max_length=MAX_VALUES)
    all: list[Tag] = Field(default=[], max_length=MAX_VALUES)
    none: list[Tag] = Field(default=[], max_length=MAX_VALUES)


class NumberRange(_Part):
    """A number between two bounds, both inclusive; leave one out for an open end."""

    gte: Number | None = None
    lte: Number | None = None

    @model_validator(mode="after")
    def _ordered(self) -> NumberRange:
        if self.gte is not None and self.lte is not None and self.gte > self.lte:
            raise ValueError("gte must not be larger than lte")
        return self


class TimeRange(BaseModel):
    """A time between two bounds, both inclusive, ISO 8601.

    A time without a zone is UTC; a date alone means all of that day.
    """

    model_config = ConfigDict(extra="forbid", strict=True, populate_by_name=True)

    start: datetime | date | None = Field(default=None, alias="from")
    end: datetime | date | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _ordered(self) -> TimeRange:
        start, end = self.seconds()
        if start is not None and end is not None and start > end:
            raise ValueError("from must not be later than to")
        return self

    def seconds(self) -> tuple[float | None, float | None]:
        """Both bounds as seconds since the epoch, UTC."""
        return _seconds(self.start, time.min), _seconds(self.end, time.max)


def _seconds(given: datetime | date | None, at: time) -> float | None:
    if given is None:
        return None
    moment = given if isinstance(given, datetime) else datetime.combine(given, at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


AttributeTest: TypeAlias = bool | WholeNumber | Number | Text | NumberRange


class Filter(_Part):
    """Which pictures may be neighbours. Every part that is given must hold (AND)."""

    tags: Tags | None = None
    text: Words | None = None
    format: list[Annotated[Text, StringConstraints(to_lower=True, max_length=20)]] | None = Field(
        default=None, min_length=1, max_length=MAX_VALUES
    )
    orientation: Literal["landscape", "portrait", "square"] | None = None
    width: NumberRange | None = None
    height: NumberRange | None = None
    bytes: NumberRange | None = None
    taken: TimeRange | None = None
    added: TimeRange | None = None
    attributes: Annotated[dict[AttributeName, AttributeTest], Named] | None = None

    def conditions(self) -> tuple[Condition, ...]:
        """The same filter as conditions that must all hold; empty when nothing is asked."""
        return (
            *self._tag_conditions(),
            *self._text_conditions(),
            *self._field_conditions(),
            *self._attribute_conditions(),
        )

    def _tag_conditions(self) -> Iterator[Condition]:
        tags = self.tags or Tags()
        if tags.any:
            yield AnyOf(("tags",), tuple(tags.any))
        for tag in tags.all:
            yield AnyOf(("tags",), (tag,))
        if tags.none:
            yield NoneOf(("tags",), tuple(tags.none))

    def _text_conditions(self) -> Iterator[Condition]:
        for word in words_of(self.text or ""):
            yield AnyOf(("words",), (word,))

    def _field_conditions(self) -> Iterator[Condition]:
        if self.format:
            yield AnyOf(("format",), tuple(self.format))
        if self.orientation:
            yield AnyOf(("orientation",), (str(Orientation(self.orientation)),))
        for name in ("width", "height", "bytes"):
            if (numbers := getattr(self, name)) is not None:
                yield from _number_range((name,), numbers)
        for name in ("taken", "added"):
            if (times := getattr(self, name)) is not None:
                yield from _time_range((name,), times)

    def _attribute_conditions(self) -> Iterator[Condition]:
        for name, test in (self.attributes or {}).items():
            key = ("attributes", name)
            if isinstance(test, NumberRange):
                yield from _number_range(key, test)
            else:
                yield AnyOf(key, (test,))


def _number_range(key: Key, numbers: NumberRange) -> Iterator[Range]:
    if numbers.gte is not None or numbers.lte is not None:
        yield Range(key, numbers.gte, numbers.lte)


def _time_range(key: Key, times: TimeRange) -> Iterator[Range]:
    start, end = times.seconds()
    if start is not None or end is not None:
        yield Range(key, start, end)


def parse_filter(text: str | None) -> Filter:
    """Read a filter from JSON text; nothing or blank means no filter.

    Raises InvalidRequestError that names the part that is wrong and shows an example.
    """
    if text is None or not text.strip():
        return Filter()
    try:
        return Filter.model_validate_json(text)
    except ValidationError as error:
        raise invalid_request(error, "filter") from error


def invalid_request(error: ValidationError, field: str = "") -> InvalidRequestError:
    """Turn pydantic's findings into one error whose message names the first and counts the rest."""
    problems = [
        {
            "field": ".".join(str(part) for part in ((field,) if field else ()) + problem["loc"]),
            "problem": problem["msg"].removeprefix("Value error, "),
        }
        for problem in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    first = problems[0]
    more = f" ({len(problems) - 1} more problems in details.)" if len(problems) > 1 else ""
    where = first["field"] or "the request"
    return InvalidRequestError(f"{where}: {first['problem']}.{more}", problems=problems)

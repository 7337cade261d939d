"""The filter language's conditions in the words of a Qdrant server."""

from __future__ import annotations

from collections.abc import Sequence

from qdrant_client import models

from lookalike.services.adapters.qdrant_payload import (
    FACTS,
    LIBRARY,
    NUMBER_FIELDS,
    NUMBERS,
    fact,
    is_number,
)
from lookalike.services.filters import AnyOf, Condition, Key, NoneOf, Range
from lookalike.services.records import Scalar


def server_filter(library: str, conditions: Sequence[Condition] = ()) -> models.Filter:
    """Points of `library` that meet all `conditions`."""
    wanted = [_condition(one) for one in conditions if not isinstance(one, NoneOf)]
    unwanted = [_any_of(one.key, one.values) for one in conditions if isinstance(one, NoneOf)]
    return models.Filter(must=[_keyword(LIBRARY, [library]), *wanted], must_not=unwanted or None)


def _condition(condition: AnyOf | Range) -> models.Condition:
    if isinstance(condition, AnyOf):
        return _any_of(condition.key, condition.values)
    return _range(condition)


def _any_of(key: Key, values: Sequence[Scalar]) -> models.Condition:
    field = key[0]
    if field == "attributes":
        return _keyword(FACTS, [fact(key[1], value) for value in values])
    if field in NUMBER_FIELDS:
        return _numbers(field, [value for value in values if is_number(value)])
    return _keyword(field, [value for value in values if isinstance(value, str)])


def _keyword(field: str, values: list[str]) -> models.FieldCondition:
    # No value at all is a condition that nothing meets.
    return models.FieldCondition(key=field, match=models.MatchAny(any=values))


def _numbers(field: str, values: Sequence[float]) -> models.Condition:
    if not values:  # an empty `should` would let everything pass
        return _keyword(field, [])
    return models.Filter(should=[_between(field, value, value) for value in values])


def _range(condition: Range) -> models.Condition:
    field = condition.key[0]
    if field != "attributes":
        return _between(field, condition.gte, condition.lte)
    name = _keyword("name", [condition.key[1]])
    value = _between("value", condition.gte, condition.lte)
    pair = models.Nested(key=NUMBERS, filter=models.Filter(must=[name, value]))
    return models.NestedCondition(nested=pair)


def _between(field: str, gte: float | None, lte: float | None) -> models.FieldCondition:
    return models.FieldCondition(key=field, range=models.Range(gte=gte, lte=lte))

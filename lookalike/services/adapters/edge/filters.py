"""The filter language's conditions in the words of Qdrant Edge."""

from __future__ import annotations

from collections.abc import Sequence

import qdrant_edge as edge

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


def engine_filter(library: str, conditions: Sequence[Condition] = ()) -> edge.Filter:
    """Points of `library` that meet all `conditions`."""
    wanted = [_condition(one) for one in conditions if not isinstance(one, NoneOf)]
    unwanted = [_any_of(one.key, one.values) for one in conditions if isinstance(one, NoneOf)]
    return edge.Filter(must=[_keyword(LIBRARY, [library]), *wanted], must_not=unwanted)


def _condition(condition: AnyOf | Range) -> edge.ConditionType:
    if isinstance(condition, AnyOf):
        return _any_of(condition.key, condition.values)
    return _range(condition)


def _any_of(key: Key, values: Sequence[Scalar]) -> edge.ConditionType:
    field = key[0]
    if field == "attributes":
        return _keyword(FACTS, [fact(key[1], value) for value in values])
    if field in NUMBER_FIELDS:
        return _numbers(field, [value for value in values if is_number(value)])
    return _keyword(field, [value for value in values if isinstance(value, str)])


def _keyword(field: str, values: list[str]) -> edge.FieldCondition:
    # No value at all is a condition that nothing meets.
    return edge.FieldCondition(field, match=edge.MatchAny(values))


def _numbers(field: str, values: Sequence[float]) -> edge.ConditionType:
    if not values:  # an empty `should` would let everything pass
        return _keyword(field, [])
    return edge.Filter(should=[_between(field, value, value) for value in values])


def _range(condition: Range) -> edge.ConditionType:
    field = condition.key[0]
    if field != "attributes":
        return _between(field, condition.gte, condition.lte)
    name = _keyword("name", [condition.key[1]])
    value = _between("value", condition.gte, condition.lte)
    return edge.NestedCondition(NUMBERS, edge.Filter(must=[name, value]))


def _between(field: str, gte: float | None, lte: float | None) -> edge.FieldCondition:
    return edge.FieldCondition(field, range=edge.RangeFloat(gte=gte, lte=lte))

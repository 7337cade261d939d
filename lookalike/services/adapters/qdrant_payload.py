"""A payload as Qdrant stores it, in this process (Edge) or on a server: fields, and back.

A payload index belongs to one field and is made before any data, but people invent attribute
names as they go. So every attribute becomes an entry of two fields that always exist: a keyword
for being equal, and a name and value pair for lying in a range.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import Any, TypeGuard
from uuid import UUID

from lookalike.services.records import Orientation, Payload, Scalar

LIBRARY = "library"
KEYWORD_FIELDS = ("tags", "words", "format", "orientation")
WHOLE_FIELDS = ("width", "height", "bytes")
NUMBER_FIELDS = (*WHOLE_FIELDS, "taken", "added")

PART = "part"
PARTS = 5
"""Every point belongs at random to one of these parts, and each part gets a graph of its own.

Searches walk its links too. Without them the points that a filter leaves fall into islands that
a walk cannot leave: two tags of 35% each had recall 0.92, a tag that only some kinds of picture
have 0.82. With them 1.000 and 0.98, for half as much building time again. A graph for each
tag costs four times the building and gains nothing more.
"""

FACTS = "facts"
"""Field: list of keywords made by `fact`, one for each attribute."""

NUMBERS = "numbers"
"""Field: list of `{"name", "value"}`, one for each attribute that is a number."""

LARGEST = sys.float_info.max


def engine_payload(point_id: UUID, payload: Payload) -> dict[str, Any]:
    """The payload as the engine stores it; what a picture does not say is left out."""
    numbers = {name: getattr(payload, name) for name in NUMBER_FIELDS}
    return {
        LIBRARY: payload.library,
        PART: str(point_id.int % PARTS),
        "tags": list(payload.tags),
        "words": list(payload.words),
        "format": payload.format,
        "orientation": str(payload.orientation),
        **{name: float(value) for name, value in numbers.items() if value is not None},
        **attribute_fields(payload.attributes),
    }


def read_payload(point_id: UUID, stored: Mapping[str, Any] | None) -> Payload | None:
    """What `engine_payload` was given; None for anything that it would not have made."""
    try:
        payload = _read(stored or {})
    except (KeyError, TypeError, ValueError):
        return None
    return payload if _alike(engine_payload(point_id, payload), stored) else None


def _alike(made: Any, stored: Any) -> bool:
    """Whether both are equal; floats may differ in their last bits.

    Engines write numbers as decimals and read them back off by one in the last bit at times.
    """
    if isinstance(made, float):
        return is_number(stored) and math.isclose(made, stored, rel_tol=1e-14)
    if type(made) is not type(stored):
        return False
    if isinstance(made, dict):
        return made.keys() == stored.keys() and all(_alike(made[key], stored[key]) for key in made)
    if isinstance(made, list):
        return len(made) == len(stored) and all(map(_alike, made, stored))
    return bool(made == stored)


def _read(stored: Mapping[str, Any]) -> Payload:
    return Payload(
        library=stored[LIBRARY],
        tags=tuple(stored["tags"]),
        format=stored["format"],
        orientation=Orientation(stored["orientation"]),
        **{name: int(stored[name]) for name in WHOLE_FIELDS},
        taken=stored.get("taken"),
        added=stored["added"],
        attributes=dict(json.loads(one) for one in stored[FACTS]),
        words=tuple(stored["words"]),
    )


def fact(name: str, value: Scalar) -> str:
    """The attribute as one keyword: the same for equal values of one type, and only for those.

    10 and 10.0 are equal, at any size; True is not 1 and "10" is not 10.
    """
    whole = isinstance(value, float) and value.is_integer()
    return json.dumps([name, int(value) if whole else value])


def attribute_fields(attributes: Mapping[str, Scalar]) -> dict[str, Any]:
    """The two payload fields that hold these attributes.

    Ranges compare 64-bit floats, so whole numbers beyond 2**53 are rounded there.
    """
    return {
        FACTS: [fact(name, value) for name, value in attributes.items()],
        NUMBERS: [
            {"name": name, "value": float(max(-LARGEST, min(LARGEST, value)))}
            for name, value in attributes.items()
            if is_number(value)
        ],
    }


def is_number(value: Scalar) -> TypeGuard[int | float]:
    """Whether the value counts as a number; a boolean does not."""
    return isinstance(value, int | float) and not isinstance(value, bool)

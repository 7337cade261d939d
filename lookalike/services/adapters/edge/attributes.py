"""How attributes of any name are stored, so that they are indexed before the first one is known.

A payload index belongs to one field, but people invent attribute names as they go. So every
attribute becomes an entry of two fields that always exist: a keyword for being equal, and a
name and value pair for lying in a range.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any, TypeGuard

from lookalike.services.records import Scalar

FACTS = "facts"
"""Field: list of keywords made by `fact`, one for each attribute."""

NUMBERS = "numbers"
"""Field: list of `{"name", "value"}`, one for each attribute that is a number."""

LARGEST = sys.float_info.max


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

"""What of a picture's row the vector index is told."""

from __future__ import annotations

from dataclasses import replace

from lookalike.services.models import Picture
from lookalike.services.records import Orientation, Payload
from lookalike.services.words import words_of


def payload_of(picture: Picture) -> Payload:
    """The payload that belongs to the picture's point, as the row stands."""
    return Payload(
        library=picture.library,
        tags=picture.tags,
        format=picture.format,
        orientation=Orientation.of(picture.width, picture.height),
        width=picture.width,
        height=picture.height,
        bytes=picture.bytes,
        taken=picture.taken_at.timestamp() if picture.taken_at else None,
        added=picture.added_at.timestamp(),
        attributes=picture.attributes,
        words=words_of(picture.title, *_texts(picture)),
    )


def _texts(picture: Picture) -> list[str]:
    """The attributes that are text, by name: databases give them in orders of their own."""
    named = sorted(picture.attributes.items())
    return [value for _, value in named if isinstance(value, str)]


def agree(one: Payload, other: Payload) -> bool:
    """Whether both say the same to filters: 10 is 10.0 but not true.

    Tags and words are in any order. Times are compared to the microsecond, which is what the
    database keeps; engines may be off in a float's last bit.
    """
    return _comparable(one) == _comparable(other)


def _comparable(payload: Payload) -> tuple[object, ...]:
    plain = replace(
        payload,
        tags=(),
        words=(),
        attributes={},
        taken=None if payload.taken is None else round(payload.taken, 6),
        added=round(payload.added, 6),
    )
    values = {name: (isinstance(one, bool), one) for name, one in payload.attributes.items()}
    return plain, frozenset(payload.tags), frozenset(payload.words), values

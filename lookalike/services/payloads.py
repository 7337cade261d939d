"""What of a picture's row the vector index is told."""

from __future__ import annotations

from lookalike.services.models import Picture
from lookalike.services.records import Orientation, Payload


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
    )

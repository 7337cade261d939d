"""Whose fault it is when a picture cannot be decoded: its own, or a part's of the platform."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from lookalike.services.errors import InternalPictureError, LookalikeError

log = structlog.get_logger(__name__)


@contextmanager
def blaming(sha256: str) -> Iterator[None]:
    """Whatever a decoder raises unforeseen is the fault of the picture with this hash.

    Raises PictureError, and errors of a part that is down, and MemoryError, as they come.
    """
    try:
        yield
    except (LookalikeError, MemoryError):
        raise
    except Exception as error:  # it must not stop the pictures beside it
        log.exception("picture_not_decoded", sha256=sha256)
        raise InternalPictureError(
            "Something went wrong on our side while reading this picture. See the log."
        ) from error

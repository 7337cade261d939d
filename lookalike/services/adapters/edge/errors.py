"""What goes wrong inside the vector index, said in words that help."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lookalike.services.errors import LookalikeError, UnavailableError


@contextmanager
def translated(doing: str) -> Iterator[None]:
    """Turn whatever the engine or the disk raises into an UnavailableError.

    `doing` completes "The vector index failed while ...". Our own errors pass unchanged.
    """
    try:
        yield
    except LookalikeError:
        raise
    except Exception as error:  # the engine raises plain Exception, whatever went wrong
        raise UnavailableError(
            f"The vector index failed while {doing}. Check the disk's free space and the data "
            "folder's permissions, then restart Lookalike.",
            reason=str(error),
        ) from error

"""One place where whatever a decoder throws becomes an error that a person understands."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image

from lookalike.services.errors import (
    CorruptError,
    PictureError,
    TooManyPixelsError,
    TruncatedError,
)
from lookalike.services.imaging.endings import ends_early
from lookalike.services.imaging.signatures import unsupported

_UNREAD_VARIANTS = ("unknown pixel mode", "cannot handle", "Unsupported BMP")
"""How Pillow says that it knows the format but not this variant of it."""

_CUT_SHORT = ("truncated", "no more images")
"""How Pillow says that the file is at an end where the picture is not."""


@contextmanager
def translated(name: str, file: BinaryIO) -> Iterator[None]:
    """Raise whatever goes wrong inside, while `file` of format `name` is read, as PictureError."""
    try:
        yield
    except PictureError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooManyPixelsError(
            "The picture claims far more pixels than it may have. Make it smaller and try again."
        ) from error
    except MemoryError as error:
        raise TooManyPixelsError(
            "The picture needs more memory than there is. Make it smaller and try again."
        ) from error
    # Pillow's plugins let nearly any class through: OSError, ValueError, SyntaxError, KeyError,
    # IndexError, AssertionError, EOFError, struct.error, zlib.error, RuntimeError, OverflowError,
    # RecursionError. All of them mean that the bytes are bad.
    except Exception as error:
        raise _explain(name, file, error) from error


def _explain(name: str, file: BinaryIO, error: Exception) -> PictureError:
    reason = str(error)
    label = name.upper()
    if reason.startswith(_UNREAD_VARIANTS):
        return unsupported(f"a rare kind of {label}")
    file.seek(0)
    if any(words in reason.lower() for words in _CUT_SHORT) or ends_early(name, file.read()):
        return TruncatedError(
            f"The {label} file ends before the picture does. Copy or download it again.",
            format=name,
        )
    return CorruptError(
        f"The {label} file is damaged and cannot be decoded. Open it in another program and "
        "save it again.",
        format=name,
    )

"""Every failure a person or program can meet, as a stable code and a sentence that says what to do.

The codes are part of the public contract: once published, a code keeps its meaning.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class LookalikeError(Exception):
    """Base of all errors that may be shown to people.

    `code` is a stable word for programs, `message` one or two sentences for people, `details`
    JSON-ready facts (limits, sizes, field names). None of them ever holds a stack trace.
    """

    code: str = "internal"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: Mapping[str, Any] = details


class PictureError(LookalikeError):
    """A picture cannot be accepted or indexed. Only that picture is concerned."""


class EmptyFileError(PictureError):
    """The file holds no bytes."""

    code = "empty_file"


class NotAnImageError(PictureError):
    """The bytes are not a picture of any kind, whatever the file is called."""

    code = "not_an_image"


class UnsupportedFormatError(PictureError):
    """A picture, or a document, in a format that Lookalike does not read (SVG, EPS, PDF, ...)."""

    code = "unsupported_format"


class CorruptError(PictureError):
    """The file begins like a picture but its data cannot be decoded."""

    code = "corrupt"


class TruncatedError(PictureError):
    """The file ends before the picture does."""

    code = "truncated"


class TooLargeError(PictureError):
    """More bytes than the setting allows."""

    code = "too_large"


class TooManyPixelsError(PictureError):
    """More pixels than the setting allows, so decoding it could exhaust memory."""

    code = "too_many_pixels"


class TooSmallError(PictureError):
    """The smallest side has too few pixels for its look to mean anything."""

    code = "too_small"


class BlobMissingError(PictureError):
    """SQL knows the picture but its file is no longer in the blob store."""

    code = "blob_missing"


class DecoderCrashedError(PictureError):
    """Decoding the picture ended the process that did it, twice."""

    code = "decoder_crashed"


class DecodeTimeoutError(PictureError):
    """Decoding the picture took longer than the setting allows."""

    code = "decode_timeout"


class TooMuchMemoryError(PictureError):
    """Decoding the picture took more memory than the setting allows."""

    code = "too_much_memory"


class InternalPictureError(PictureError):
    """Our own code failed on this picture; the log says how."""

    code = "internal"


class SourceItemError(PictureError):
    """One item of an import cannot be had from its source. Only that item is concerned."""


class UnsafeNameError(SourceItemError):
    """A name that leads out of its place, hides what it is, or is far too long."""

    code = "unsafe_name"


class NotAFileError(SourceItemError):
    """A link, a device, a pipe or another thing that is not a plain file."""

    code = "not_a_file"


class NestedArchiveError(SourceItemError):
    """An archive inside the archive, or among the files."""

    code = "nested_archive"


class EncryptedError(SourceItemError):
    """The entry of the archive needs a password."""

    code = "encrypted"


class DamagedEntryError(SourceItemError):
    """The entry of the archive is not what the archive says of it, or cannot be unpacked."""

    code = "damaged_entry"


class RatioTooHighError(SourceItemError):
    """Unpacking makes far more bytes than pictures ever do."""

    code = "ratio_too_high"


class DuplicateNameError(SourceItemError):
    """An earlier item of the same source has the same name."""

    code = "duplicate_name"


class MissingFileError(SourceItemError):
    """The file that is named is not there, or may not be read."""

    code = "missing_file"


class BadRowError(SourceItemError):
    """A line of a manifest or list that cannot be understood."""

    code = "bad_row"


class BlockedAddressError(SourceItemError):
    """The URL leads to an address that is not public."""

    code = "blocked_address"


class FetchFailedError(SourceItemError):
    """The server behind the URL did not give the file."""

    code = "fetch_failed"


class FetchTimeoutError(SourceItemError):
    """The server behind the URL took too long."""

    code = "fetch_timeout"


class SourceError(LookalikeError):
    """The source of an import as a whole cannot be read."""

    code = "bad_source"


class NotFoundError(LookalikeError):
    """Nothing of that name or id exists."""

    code = "not_found"


class InvalidRequestError(LookalikeError):
    """The request itself is wrong: a field, a value, a combination."""

    code = "invalid_request"


class ForbiddenError(LookalikeError):
    """The request comes from where it may not come from."""

    code = "forbidden"


class BusyError(LookalikeError):
    """Somebody else holds what is needed; trying again later can succeed."""

    code = "busy"


class GateError(LookalikeError):
    """An index is not good enough to go live: a gate stops it."""

    code = "gate_failed"


class UnavailableError(LookalikeError):
    """A part of the platform (vectors, model, storage) cannot be used at the moment."""

    code = "unavailable"


class AccessDeniedError(UnavailableError):
    """A store refuses what is asked of it, and will until somebody changes its settings or ours."""


class StorageFullError(UnavailableError):
    """The disk that pictures are stored on has no space left; nothing was stored."""

    code = "storage_full"


class ConfigurationError(LookalikeError):
    """A setting, an argument or the environment must be changed before anything can run."""

    code = "configuration"

"""How large the body of a request may be, told by the request's head alone."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from flask import Flask, request

from lookalike.services.errors import LookalikeError, StorageFullError, TooLargeError
from lookalike.services.settings import Settings
from lookalike.web.context import platform
from lookalike.web.openapi import PREFIX

IMPORTS = f"{PREFIX}/imports"

SPARED = 512 * 1024 * 1024
"""Bytes of the disk that the file of an import must leave for everything else."""


@dataclass(frozen=True, slots=True)
class Head:
    """What a request says before its body; `length` is None where it does not say how long."""

    method: str
    path: str
    media_type: str
    length: int | None

    @property
    def brings_import(self) -> bool:
        """Whether the body brings the one file of an import: an archive, a table, a list."""
        form = self.media_type.lower().startswith("multipart/form-data")
        return form and self.method == "POST" and self.path == IMPORTS


def most_bytes(head: Head, settings: Settings) -> int:
    """The most bytes that the body may have."""
    return settings.max_import_bytes if head.brings_import else settings.max_request_bytes


def refusal(head: Head, settings: Settings, copies: int = 1) -> LookalikeError | None:
    """Why the body need not be sent: there is too much of it, or the disk has no room for it.

    The file of an import is written to the disk in `copies`.
    """
    length = head.length or 0
    if length > most_bytes(head, settings):
        return too_large(head, settings)
    if head.brings_import and copies * length + SPARED > shutil.disk_usage(settings.data_dir).free:
        return StorageFullError(
            "The server's disk has no room for this file. Free some space and try again, or import "
            "it from a folder or a bucket that the server can read.",
            bytes=length,
        )
    return None


def too_large(head: Head, settings: Settings) -> TooLargeError:
    """The error for a body that is larger than it may be."""
    most = most_bytes(head, settings)
    if head.brings_import:
        return TooLargeError(
            f"The file is too large: an import may be sent {most} bytes. Have the administrator "
            "raise LOOKALIKE_MAX_IMPORT_BYTES, or import it from a folder or a bucket that the "
            "server can read.",
            max_bytes=most,
        )
    return TooLargeError(
        "The request is too large. Send fewer or smaller files at a time.", max_bytes=most
    )


def bound(app: Flask) -> None:
    """Have the app take as much of the file of an import as the settings say, and no more.

    All other bodies are bound by MAX_CONTENT_LENGTH.
    """
    app.before_request(_bound)


def head_of_request() -> Head:
    """The head of the request in hand."""
    return Head(request.method, request.path, request.mimetype, request.content_length)


def _bound() -> None:
    head, settings = head_of_request(), platform().settings
    if not head.brings_import:
        return
    request.max_content_length = most_bytes(head, settings)
    if error := refusal(head, settings):
        raise error

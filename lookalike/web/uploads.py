"""Uploads go straight to staged files: counted, hashed and bounded while they stream in."""

from __future__ import annotations

from typing import IO, cast

from flask import Request
from werkzeug.datastructures import FileStorage

from lookalike.services.intake import Upload
from lookalike.services.staging import Staged
from lookalike.web.bodies import head_of_request
from lookalike.web.context import platform


class StagingRequest(Request):
    """A request whose files are staged files, removed when the request ends, however it ends."""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        del total_content_length, content_type, filename, content_length
        staged = platform().staging.new(self._most_bytes())
        self._staged_files().append(staged)
        return cast(IO[bytes], staged)

    def close(self) -> None:
        """Remove the staged files, also those of a body that broke off."""
        super().close()
        for staged in self._staged_files():
            staged.close()

    def _most_bytes(self) -> int | None:
        """What is imported from has a limit of its own; None means that of a picture."""
        return platform().settings.max_import_bytes if head_of_request().brings_import else None

    def _staged_files(self) -> list[Staged]:
        files: list[Staged] = self.__dict__.setdefault("staged_files", [])
        return files


def uploads_in(files: list[FileStorage]) -> list[Upload]:
    """The files of a form as uploads."""
    return [Upload(file.filename or "unnamed", cast(Staged, file.stream)) for file in files]

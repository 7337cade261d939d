"""Opens the sources of imports with the limits and folders of the settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO

from lookalike.services.errors import SourceError
from lookalike.services.settings import Settings
from lookalike.services.sources.folder import FolderSource
from lookalike.services.sources.records import Source, SourceLimits
from lookalike.services.sources.server_files import ServerFolder
from lookalike.services.sources.zips import ZipSource


class Openers:
    """Opens a source; an `Opener`."""

    def __init__(self, settings: Settings) -> None:
        self._roots = settings.import_roots
        self._limits = SourceLimits(max_bytes=settings.max_file_bytes)

    def __call__(self, kind: str, spec: Mapping[str, Any], file: BinaryIO | None) -> Source:
        """Open the source. Raises SourceError."""
        if kind == "zip" and file is not None:
            return ZipSource(file, self._limits, all_files=True)
        if kind == "folder":
            folder = ServerFolder.find(str(spec.get("path", "")), self._roots)
            return FolderSource(folder, self._limits, all_files=True)
        raise SourceError(f"There is no source of the kind {kind!r}.")

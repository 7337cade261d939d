"""From what somebody asked for to the source that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import BaseModel, ConfigDict, ValidationError

from lookalike.services.errors import SourceError
from lookalike.services.filters import invalid_request
from lookalike.services.sources.folder import FolderSource
from lookalike.services.sources.ports import Tools
from lookalike.services.sources.records import Source, SourceLimits
from lookalike.services.sources.server_files import ServerFolder
from lookalike.services.sources.zips import ZipSource


@dataclass(frozen=True, slots=True)
class _Request:
    """All that a source may be made from."""

    spec: Mapping[str, Any]
    file: BinaryIO | None
    roots: Sequence[Path]
    limits: SourceLimits
    tools: Tools | None


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FolderSpec(_Spec):
    """A folder of this server; `all_files`: whatever their names end with."""

    path: str
    all_files: bool = False


class ArchiveSpec(_Spec):
    """An archive that was uploaded; `all_files`: whatever their names end with."""

    all_files: bool = False


def open_source(
    kind: str,
    spec: Mapping[str, Any],
    *,
    file: BinaryIO | None,
    roots: Sequence[Path],
    limits: SourceLimits,
    tools: Tools | None = None,
) -> Source:
    """The source of a `kind` (one of `KINDS`) with its options `spec`.

    `file` is the uploaded archive, manifest or list, seekable; it belongs to the source from now
    on and is closed by it, or here when there is none to be had. `tools` may be left out for
    kinds that need none. Raises SourceError, InvalidRequestError for options that are wrong.
    """
    try:
        make = _MAKERS.get(kind)
        if make is None:
            raise SourceError(f"There is no kind of import {kind!r}. Use one of {_listed()}.")
        return make(_Request(spec, file, roots, limits, tools))
    except ValidationError as error:
        _close(file)
        raise invalid_request(error, "source") from error
    except BaseException:
        _close(file)
        raise


def _folder(request: _Request) -> Source:
    spec = FolderSpec.model_validate(dict(request.spec))
    folder = ServerFolder.find(spec.path, request.roots)
    return FolderSource(folder, request.limits, all_files=spec.all_files)


def _zip(request: _Request) -> Source:
    spec = ArchiveSpec.model_validate(dict(request.spec))
    return ZipSource(_file(request), request.limits, all_files=spec.all_files)


def _file(request: _Request) -> BinaryIO:
    if request.file is None:
        raise SourceError("This kind of import needs a file. Upload one.")
    return request.file


def _close(file: BinaryIO | None) -> None:
    if file is not None:
        file.close()


_MAKERS: Mapping[str, Callable[[_Request], Source]] = {"folder": _folder, "zip": _zip}

KINDS = tuple(_MAKERS)
"""What can be imported from."""


def _listed() -> str:
    return ", ".join(KINDS)

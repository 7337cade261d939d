"""From what somebody asked for to the source that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from pydantic import ValidationError

from lookalike.services.errors import InvalidRequestError, SourceError, SourceItemError
from lookalike.services.filters import invalid_request
from lookalike.services.sources.buckets import BucketSource
from lookalike.services.sources.flickr30k import Flickr30kSource
from lookalike.services.sources.folder import FolderSource
from lookalike.services.sources.manifest import Columns, ManifestSource, Places, Table
from lookalike.services.sources.ports import TableReader, Tools
from lookalike.services.sources.records import Source, SourceLimits
from lookalike.services.sources.rows import Row, csv_rows, json_rows
from lookalike.services.sources.sent import SentSource
from lookalike.services.sources.server_files import ServerFolder
from lookalike.services.sources.shards import ShardsSource
from lookalike.services.sources.specs import (
    ArchiveSpec,
    BucketSpec,
    Flickr30kSpec,
    FolderSpec,
    ListSpec,
    ManifestSpec,
    SentSpec,
    ShardSpec,
)
from lookalike.services.sources.tars import TarSource
from lookalike.services.sources.text_lines import TextLines
from lookalike.services.sources.urls import UrlListSource
from lookalike.services.sources.webdataset import WebDatasetSource
from lookalike.services.sources.zips import ZipSource

CAPTIONS = ("captions.txt", "results.csv", "results_20130124.token")
"""Names under which the captions of Flickr30k go round."""


@dataclass(frozen=True, slots=True)
class _Request:
    """All that a source may be made from. What is opened goes to `undo` in case of failure."""

    spec: dict[str, Any]
    upload: BinaryIO | None
    roots: Sequence[Path]
    limits: SourceLimits
    given_tools: Tools | None
    undo: ExitStack

    @property
    def tools(self) -> Tools:
        """What stands behind the ports. Raises SourceError where nothing does."""
        if self.given_tools is None:
            raise SourceError("This kind of import cannot be used here.")
        return self.given_tools

    def folder(self, path: str) -> ServerFolder:
        """A folder of this server."""
        folder = ServerFolder.find(path, self.roots)
        self.undo.callback(folder.close)
        return folder

    def file(self, path: str | None) -> BinaryIO:
        """The upload, or else the file of this server."""
        if self.upload is not None:
            return self.upload
        if path is None:
            raise SourceError("This kind of import needs a file. Upload one, or name its path.")
        where = PurePosixPath(path)
        folder = self.folder(str(where.parent))
        try:
            return self.undo.enter_context(folder.open(where.name or "."))
        except SourceItemError as error:
            raise SourceError(f"{path}: {error.message}") from error
        finally:
            folder.close()


def open_source(
    kind: str,
    spec: Mapping[str, Any],
    *,
    file: BinaryIO | None,
    roots: Sequence[Path],
    limits: SourceLimits,
    tools: Tools | None = None,
    anywhere: bool = False,
) -> Source:
    """The source of a `kind` (one of `KINDS`) with its options `spec` (see `specs`).

    `file` is what was uploaded, seekable; it belongs to the source from now on, which closes it,
    and is closed here where there is no source. `roots` are the folders of this server that may
    be imported from; with `anywhere`, all may. `tools` may be left out for kinds that need none:
    files, folder, zip, tar, webdataset, flickr30k. Raises SourceError, and InvalidRequestError for
    wrong options.
    """
    with ExitStack() as undo:
        if file is not None:
            undo.callback(file.close)
        make = _MAKERS.get(kind)
        if make is None:
            raise InvalidRequestError(f"There is no import of {kind!r}. Use {', '.join(KINDS)}.")
        admitted = [Path("/")] if anywhere else roots
        try:
            source = make(_Request(dict(spec), file, admitted, limits, tools, undo))
        except ValidationError as error:
            raise invalid_request(error, "source") from error
        undo.pop_all()
        return source


def _sent(request: _Request) -> Source:
    return SentSource(SentSpec.model_validate(request.spec).files)


def _folder(request: _Request) -> Source:
    spec = FolderSpec.model_validate(request.spec)
    folder = request.folder(spec.path)
    return FolderSource(folder, request.limits, all_files=spec.all_files)


def _zip(request: _Request) -> Source:
    spec = ArchiveSpec.model_validate(request.spec)
    return ZipSource(request.file(spec.path), request.limits, all_files=spec.all_files)


def _tar(request: _Request) -> Source:
    spec = ArchiveSpec.model_validate(request.spec)
    return TarSource(request.file(spec.path), request.limits, all_files=spec.all_files)


def _webdataset(request: _Request) -> Source:
    spec = ShardSpec.model_validate(request.spec)
    if spec.folder is not None and request.upload is None:
        return ShardsSource(request.folder(spec.folder), request.limits)
    return WebDatasetSource(request.file(spec.path), request.limits)


def _urls(request: _Request) -> Source:
    spec = ListSpec.model_validate(request.spec)
    return UrlListSource(request.file(spec.path), spec.encoding, request.tools.fetcher)


def _manifest(request: _Request) -> Source:
    spec = ManifestSpec.model_validate(request.spec)
    columns = Columns(**spec.columns.model_dump())
    file = request.file(spec.path)
    table = _table(spec, columns, file, request)
    fetcher = request.given_tools.fetcher if request.given_tools else None
    places = Places(_base(spec, request), fetcher)
    return ManifestSource(file, table, columns, places, request.limits)


def _base(spec: ManifestSpec, request: _Request) -> ServerFolder | None:
    if spec.folder is not None:
        return request.folder(spec.folder)
    if spec.path is not None and request.upload is None:
        return request.folder(str(PurePosixPath(spec.path).parent))
    return None


def _table(spec: ManifestSpec, columns: Columns, file: BinaryIO, request: _Request) -> Table:
    most = request.limits.max_text_bytes
    lines = TextLines(file, spec.encoding, most)
    if spec.format == "parquet":
        tables = request.tools.tables
        return Table(partial(_table_rows, tables, file), partial(tables.count, file))
    if spec.format == "jsonl":
        return Table(lambda: json_rows(lines), lambda: sum(1 for _ in json_rows(lines)))
    texts = columns.names.union(spec.text)
    rows = partial(csv_rows, lines, texts, most)
    return Table(rows, lambda: sum(1 for _ in rows()))


def _table_rows(tables: TableReader, file: BinaryIO) -> Iterator[Row]:
    for number, values in enumerate(tables.rows(file), 1):
        yield Row(number, values)


def _bucket(request: _Request) -> Source:
    spec = BucketSpec.model_validate(request.spec)
    url = spec.url.rstrip("/")
    allowed = [one.rstrip("/") for one in request.tools.buckets]
    inside = any(url == one or url.startswith(f"{one}/") for one in allowed)
    if not inside or {"", ".", ".."} & set(url.removeprefix("s3://").split("/")):
        raise SourceError(
            f"{url!r} is not a place that may be imported from. The administrator names them in "
            "LOOKALIKE_IMPORT_BUCKETS."
        )
    return BucketSource(request.tools.bucket(url), request.limits, all_files=spec.all_files)


def _flickr30k(request: _Request) -> Source:
    spec = Flickr30kSpec.model_validate(request.spec)
    folder = request.folder(spec.path)
    captions = _captions(request, spec)
    return Flickr30kSource(folder, captions, spec.encoding, request.limits)


def _captions(request: _Request, spec: Flickr30kSpec) -> BinaryIO:
    """The captions file: uploaded, named, or found among the pictures or beside their folder."""
    if spec.captions is not None or request.upload is not None:
        return request.file(spec.captions)
    for place in (spec.path, str(PurePosixPath(spec.path).parent)):
        for name in CAPTIONS:
            with suppress(SourceError):
                return request.file(str(PurePosixPath(place) / name))
    raise SourceError(
        f"There is no captions file ({', '.join(CAPTIONS)}) among the pictures or beside their "
        "folder. Put it there, or name it in `captions`."
    )


_MAKERS: Mapping[str, Callable[[_Request], Source]] = {
    "files": _sent,
    "folder": _folder,
    "zip": _zip,
    "tar": _tar,
    "webdataset": _webdataset,
    "manifest": _manifest,
    "urls": _urls,
    "s3": _bucket,
    "flickr30k": _flickr30k,
}

KINDS = tuple(_MAKERS)
"""What can be imported from."""

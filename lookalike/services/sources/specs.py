"""The options of each kind of source, as JSON gives them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from lookalike.services.sources.text_lines import Encoding

Path = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00]*$")]
"""A path on this server, absolute or relative to a folder that may be imported from."""


class _Spec(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class FolderSpec(_Spec):
    """A folder of this server. `all_files`: whatever their names end with."""

    path: Path
    all_files: bool = False


class SentSpec(_Spec):
    """Files that are sent: how many, and a hash by which a sender finds its import again."""

    files: Annotated[int, Field(ge=1, le=2**31 - 1)]
    fingerprint: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class FileSpec(_Spec):
    """An upload, or the file of this server that `path` names."""

    path: Path | None = None


class ShardSpec(FileSpec):
    """A WebDataset shard, or all those in a `folder` of this server."""

    folder: Path | None = None


class ArchiveSpec(FileSpec):
    """An archive. `all_files`: whatever their names end with."""

    all_files: bool = False


class ListSpec(FileSpec):
    """A text. `encoding` does not matter where it begins with a byte order mark."""

    encoding: Encoding = "utf-8"


class ColumnNames(_Spec):
    """Which column of a manifest means what."""

    path: str = "path"
    url: str = "url"
    title: str = "title"
    tags: str = "tags"


class ManifestSpec(ListSpec):
    """A manifest. Without `folder`, paths are relative to where a manifest of this server lies.

    `text`: columns of a CSV file whose cells stay text even when they look like numbers.
    """

    format: Literal["csv", "jsonl", "parquet"]
    folder: Path | None = None
    columns: ColumnNames = ColumnNames()
    text: Annotated[list[str], Field(max_length=1000)] = []


class BucketSpec(_Spec):
    """A bucket or a folder of one: `s3://bucket/folder`."""

    url: Annotated[str, StringConstraints(max_length=1000, pattern=r"^s3://[^\x00]+$")]
    all_files: bool = False


class Flickr30kSpec(_Spec):
    """A folder of pictures, and the captions file: an upload, or where it lies on this server.

    Without either it is looked for, under the names it goes round by, in the folder and beside it.
    """

    path: Path
    captions: Path | None = None
    encoding: Encoding = "utf-8"

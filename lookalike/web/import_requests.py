"""What is asked of imports over HTTP: the models that check bodies, forms and queries."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, Json, field_validator

from lookalike.services.errors import MissingFileError, PictureError, TooLargeError
from lookalike.services.labels import Tags
from lookalike.services.models import DEFAULT_LIBRARY
from lookalike.services.sources.names import MAX_NAME
from lookalike.web.pictures import FilePart

Kind: TypeAlias = Literal[
    "files", "folder", "zip", "tar", "webdataset", "manifest", "urls", "s3", "flickr30k"
]
"""What can be imported from."""


class NewImport(BaseModel):
    """An import from where the server can read by itself.

    `kind` is the kind of source, `source` its options, such as `{"path": "/srv/pictures"}` for a
    `folder` or `{"url": "s3://bucket/folder"}` for `s3`. `dry_run` only says what would happen.
    Without a kind, the name of the file at `path` tells it. `name` is what people see it as, by
    default where it comes from.

    `files` are sent afterwards (`POST /imports/{id}/images`); `source` then tells how many
    `files` there are and a `fingerprint` of them, 64 hexadecimal digits. Where an import of the
    same files has not come to its end, the answer is that one, and `found` says where to go on.
    In a rehearsal of theirs they are judged as they come and not kept.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind | Literal[""] = ""
    name: Annotated[str, Field(max_length=MAX_NAME)] = ""
    source: dict[str, Any] = {}
    library: str = DEFAULT_LIBRARY
    tags: Tags = []
    dry_run: bool = False


class ImportFields(BaseModel):
    """What goes with an uploaded archive, manifest or list. The file's name tells the kind.

    `tags` may repeat, or be one text with commas.
    """

    model_config = ConfigDict(extra="forbid")

    kind: Kind | Literal[""] = ""
    source: Json[dict[str, Any]] = Field(default_factory=dict)
    library: str = DEFAULT_LIBRARY
    tags: Tags = []
    dry_run: bool = False

    @field_validator("tags", mode="before")
    @classmethod
    def _split(cls, texts: list[str]) -> list[str]:
        return [part for text in texts for part in text.split(",") if part.strip()]


class ImportForm(ImportFields):
    """An import from a file that is sent along."""

    file: FilePart
    source: dict[str, Any] = Field(default_factory=dict)


class SentItem(BaseModel):
    """A file of an import: its name, and what went wrong if its bytes are not among those sent."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=MAX_NAME)]
    error: Annotated[str, Field(max_length=MAX_NAME)] = ""
    code: Literal["missing_file", "too_large"] = "missing_file"

    def refusal(self) -> PictureError | None:
        """The error, None for a file that was sent."""
        kind = TooLargeError if self.code == "too_large" else MissingFileError
        return kind(self.error) if self.error else None


class SentFields(BaseModel):
    """What goes with files that are sent to an import.

    `position` is that of the first of `items`, which name each file in its order.
    """

    model_config = ConfigDict(extra="forbid")

    position: int = Field(ge=0, le=2**31 - 1)
    items: Json[list[SentItem]]


class SentForm(SentFields):
    """Files of an import: the bytes of all `items` without an error, in the same order."""

    items: list[SentItem] = Field(min_length=1)
    file: list[FilePart] = []


class ImportsQuery(BaseModel):
    """Which imports to list."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=50, ge=1, le=200)
    cursor: UUID | None = None


class FailuresQuery(BaseModel):
    """Which failures to list, and whether as JSON, a page at a time, or all as CSV."""

    model_config = ConfigDict(extra="forbid")

    code: str | None = Field(default=None, max_length=40)
    limit: int = Field(default=100, ge=1, le=1000)
    cursor: int = Field(default=0, ge=0, le=2**31 - 1)
    format: str = Field(default="json", pattern="^(json|csv)$")


class RetryRequest(BaseModel):
    """The position of the failed item that is tried again; without one, all are."""

    model_config = ConfigDict(extra="forbid")

    position: int | None = Field(default=None, ge=0, le=2**31 - 1)

"""The form of an archive, version 2.

A plain tar file that holds, in this order:

- `lookalike.json`: what this is, and in which version;
- `originals/ab/cd/abcd...`: every original under the SHA-256 of its bytes;
- `vectors/00000.ids.npy` (n x 16 bytes), `vectors/00000.npy` (n x dimensions, float32), 00001, ...:
  if asked for, the vectors of the live index in NumPy's format;
- `libraries.jsonl` and `pictures.jsonl`: a JSON object a line;
- `imports.jsonl`, `imported.jsonl` and `failures.jsonl`: the same of imports, of the pictures that
  each brought, and of what failed in each;
- `manifest.json`: what must be there for the archive to be whole.

It names no table and no engine, so it outlives changes of either. Thumbnails are not in it: they
are made again. Neither are indexes that are not live, nor the uploaded files that imports read.

Version 1 had no imports, and did not tell which pictures somebody had uploaded by themselves.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError

from lookalike.services.blobs import original_key
from lookalike.services.errors import LookalikeError
from lookalike.services.models import ImportState, Index, State
from lookalike.services.records import Scalar

FORMAT: Literal["lookalike-archive"] = "lookalike-archive"
VERSION = 2

HEAD, MANIFEST = "lookalike.json", "manifest.json"
LIBRARIES, PICTURES = "libraries.jsonl", "pictures.jsonl"
IMPORTS, LINKS, FAILURES = "imports.jsonl", "imported.jsonl", "failures.jsonl"
VECTORS = re.compile(r"vectors/\d{5,}(\.ids)?\.npy")
ORIGINAL = re.compile(r"originals/[0-9a-f]{2}/[0-9a-f]{2}/([0-9a-f]{64})")

Model = TypeVar("Model", bound=BaseModel)

Whole = Annotated[int, Field(ge=-(2**31), lt=2**31)]
"""A number that fits into the columns of both databases."""

Show = Callable[[str, int, int], None]
"""Told of progress: what is being done, how much of it, out of how much (0: nobody knows)."""


class ArchiveError(LookalikeError):
    """The file is no archive that can be restored; nothing was changed."""

    code = "bad_archive"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Head(BaseModel):
    """The first member. Later versions may say more, so other fields are passed over."""

    format: Literal["lookalike-archive"]
    version: int


class LibraryLine(_Part):
    """A library."""

    name: str
    added_at: datetime


class PictureLine(_Part):
    """A picture, with how it stood in the live index. Fields as in the table of pictures."""

    id: UUID
    library: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    bytes: int
    format: str
    width: int
    height: int
    filename: str
    title: str
    tags: list[str]
    attributes: dict[str, Scalar]
    taken_at: datetime | None
    added_at: datetime
    revision: int
    dhash: str | None
    phash: str | None
    uploaded: bool = True
    state: State
    code: str | None
    message: str | None


class ImportLine(_Part):
    """An import, as it stood. Fields as in the table of imports.

    `with_file` says that it read an uploaded file, which is not in the archive. Who had it in
    hand, and by which ticket, is not told: that ends with the platform.
    """

    id: UUID
    kind: str
    spec: dict[str, Any]
    with_file: bool
    of_owner: bool
    name: str
    library: str
    tags: list[str]
    dry_run: bool
    state: ImportState
    code: str | None
    message: str | None
    position: Whole
    exhausted: bool
    cut_short: bool
    total: Whole | None
    new: Whole
    duplicate: Whole
    failed: Whole
    bytes: int
    removed: Whole
    rehearsed: dict[str, Any]
    rehearsal: dict[str, Any] | None
    added_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class LinkLine(_Part):
    """The picture of one item of an import. Fields as in the table of imported pictures."""

    import_id: UUID
    position: Whole
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    picture_id: UUID | None
    name: str
    brought: bool


class FailureLine(_Part):
    """What failed in an import. Fields as in the table of its failures."""

    import_id: UUID
    position: Whole
    name: str
    code: str
    message: str
    picture_id: UUID | None


class IndexFacts(_Part):
    """What the live index was made by; vectors are only worth something to the very same.

    `mean` is what a centred index subtracts (see `centring.to_bytes`), in Base64; else None.
    """

    model: str
    recipe: str
    dimensions: int
    distance: str
    mean: Base64Bytes | None = None

    @classmethod
    def of(cls, index: Index) -> IndexFacts:
        """Those of this index."""
        return cls(
            model=index.model,
            recipe=index.recipe,
            dimensions=index.dimensions,
            distance=index.distance,
            mean=None if index.mean is None else b64encode(index.mean),
        )


class Manifest(_Part):
    """The last member: counts, and the SHA-256 of every member but the originals, by name.

    `originals` counts files, which two libraries may share; `vectors` counts vectors; `imported`
    and `failures` those of all imports.
    """

    created_at: datetime
    lookalike: str
    index: IndexFacts
    libraries: int
    pictures: int
    originals: int
    vectors: int
    imports: int = 0
    imported: int = 0
    failures: int = 0
    sha256: dict[str, str]


def original_hash(name: str) -> str | None:
    """The SHA-256 that a member's name gives to an original; None for any other member."""
    match = ORIGINAL.fullmatch(name)
    return match[1] if match and original_key(match[1]) == name else None


def line_of(model: BaseModel) -> bytes:
    """The JSON object as a line."""
    return model.model_dump_json().encode() + b"\n"


def parse(model: type[Model], text: bytes, where: str) -> Model:
    """Read JSON text. Raises ArchiveError that names `where` it stands."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise damaged(f"{where}: {first['msg']}") from error


def damaged(what: str) -> ArchiveError:
    """The error for an archive that is not whole."""
    return ArchiveError(
        f"The archive is damaged or incomplete ({what}). Nothing was restored. Use another copy."
    )

"""The JSON that the API speaks, as models. Field for field the public contract."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from lookalike.services.libraries import NAME_PATTERN
from lookalike.services.models import IndexState, IndexTask, State
from lookalike.services.pictures import Shown
from lookalike.services.records import Distance, ModelAvailability, Queue, Scalar, Storage, Weights


class ErrorBody(BaseModel):
    """A stable code for programs, a sentence for people, facts for both."""

    code: str
    message: str
    details: dict[str, Any] = {}


class ErrorAnswer(BaseModel):
    """What every failed call answers."""

    error: ErrorBody


class Failure(BaseModel):
    """Why a picture could not be indexed."""

    code: str
    message: str


class Urls(BaseModel):
    """Where more about a picture is found, as paths on this server."""

    page: str
    original: str
    thumbnail: str
    similar: str


class Image(BaseModel):
    """One picture. `width` and `height` are upright pixels; times are UTC."""

    id: UUID
    library: str
    state: State
    error: Failure | None
    filename: str
    title: str
    tags: list[str]
    attributes: dict[str, Scalar]
    width: int
    height: int
    format: str
    bytes: int
    sha256: str
    taken_at: datetime | None
    added_at: datetime
    urls: Urls


class Images(BaseModel):
    """A stretch of pictures, newest first; `next_cursor` continues it."""

    images: list[Image]
    next_cursor: UUID | None


class AcceptedImage(BaseModel):
    """A file that was stored; `duplicate` if the library had the same bytes already.

    `position` counts the files of the upload from 0.
    """

    position: int
    id: UUID
    state: State
    duplicate: bool
    filename: str


class RejectedImage(BaseModel):
    """A file that was refused, and the `position` it had in the upload."""

    position: int
    filename: str
    code: str
    message: str


class Uploaded(BaseModel):
    """What became of the files of an upload, in their order."""

    images: list[AcceptedImage]
    rejected: list[RejectedImage]


class FoundImage(BaseModel):
    """A neighbour; a score of 1 means the same."""

    image: Image
    score: float


class IndexName(BaseModel):
    """The index that answered, and its model."""

    id: UUID
    model: str


class Found(BaseModel):
    """Neighbours, best first."""

    results: list[FoundImage]
    index: IndexName
    took_ms: float


class LibraryAnswer(BaseModel):
    """A library and how many pictures it holds."""

    name: str
    images: int
    added_at: datetime


class LibrariesAnswer(BaseModel):
    """All libraries by name."""

    libraries: list[LibraryAnswer]


class ModelAnswer(BaseModel):
    """A model; `hint` says what to do when its weights are not here."""

    name: str
    dimensions: int
    distance: Distance
    recipe: str
    weights: Weights
    hint: str


class ModelsAnswer(BaseModel):
    """All models that are known."""

    models: list[ModelAnswer]


class StateCounts(BaseModel):
    """Pictures by state."""

    pending: int
    indexed: int
    failed: int


class QueueDepth(BaseModel):
    """Batches that wait in one queue, and for how long its oldest picture has; 0 without one."""

    name: Queue
    waiting: int
    oldest_seconds: float


class QueueAnswer(BaseModel):
    """Batches that wait, in all and by queue, and workers that are alive."""

    waiting: int
    workers: int
    queues: list[QueueDepth]


class IndexStatus(BaseModel):
    """An index that is not retired; `task` is what workers are at, as `GET /indexes` has it."""

    id: UUID
    model: str
    recipe: str
    storage: Storage
    state: IndexState
    task: IndexTask | None
    paused: bool


class StatusAnswer(BaseModel):
    """How the platform is doing; `indexes` are newest first."""

    images: StateCounts
    queue: QueueAnswer
    index: IndexName
    indexes: list[IndexStatus]


class NewLibrary(BaseModel):
    """The name of a library that is to be made."""

    model_config = ConfigDict(extra="forbid", strict=True)

    # Only described here: the service checks it, and its error says what a name may be.
    name: str = Field(json_schema_extra={"pattern": NAME_PATTERN})


def image_of(shown: Shown) -> Image:
    """The API's view of a picture."""
    picture = shown.picture
    return Image(
        id=picture.id,
        library=picture.library,
        state=shown.state,
        error=Failure(code=shown.code, message=shown.message or "") if shown.code else None,
        filename=picture.filename,
        title=picture.title,
        tags=list(picture.tags),
        attributes=picture.attributes,
        width=picture.width,
        height=picture.height,
        format=picture.format,
        bytes=picture.bytes,
        sha256=picture.sha256,
        taken_at=picture.taken_at,
        added_at=picture.added_at,
        urls=urls_of(picture.id),
    )


def urls_of(picture_id: UUID) -> Urls:
    """Where more about a picture is found."""
    api = f"/api/v1/images/{picture_id}"
    return Urls(
        page=f"/images/{picture_id}",
        original=f"{api}/original",
        thumbnail=f"{api}/thumbnail",
        similar=f"{api}/similar",
    )


def model_of(available: ModelAvailability) -> ModelAnswer:
    """The API's view of a model."""
    definition = available.definition
    return ModelAnswer(
        name=definition.name,
        dimensions=definition.dimensions,
        distance=definition.distance,
        recipe=definition.steps,
        weights=available.weights,
        hint=available.hint,
    )

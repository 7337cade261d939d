"""Pictures over HTTP: upload, list, show, change, remove, their files, and their pages."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, BinaryIO
from uuid import UUID

from flask import Blueprint, Response, render_template, request, send_file
from pydantic import BaseModel, ConfigDict, Field, Json, WithJsonSchema, field_validator

from lookalike.services.errors import InvalidRequestError
from lookalike.services.intake import Accepted, Rejected
from lookalike.services.labels import Attributes, Changes, Labels, Tags, Title
from lookalike.services.models import DEFAULT_LIBRARY, Picture, State
from lookalike.services.pictures import Selection
from lookalike.services.records import Queue
from lookalike.web.api import Api, Binary, read_form
from lookalike.web.context import platform
from lookalike.web.errors import RefusedUploadError
from lookalike.web.schemas import AcceptedImage, Image, Images, RejectedImage, Uploaded, image_of
from lookalike.web.uploads import uploads_in

MAX_IDS = 200
"""Pictures that one call may watch."""

MEDIA_TYPES = {
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "gif": "image/gif",
    "tiff": "image/tiff",
    "bmp": "image/bmp",
    "heic": "image/heic",
}
SHOWN_INLINE = frozenset({"jpeg", "png", "webp", "avif", "gif", "bmp"})
"""Formats that browsers show. The others are offered as downloads."""

INERT = "default-src 'none'; sandbox"
"""Policy for bytes that strangers wrote: nothing in them may run, whatever they turn out to be."""

CACHED = "private, max-age=86400"
"""The bytes behind an id never change, but a removed picture should not linger for long."""

api = Api("images")
pages = Blueprint("pictures", __name__)


class ListQuery(BaseModel):
    """Which pictures to list."""

    model_config = ConfigDict(extra="forbid")

    library: str | None = None
    state: State | None = None
    tag: str | None = None
    id: list[UUID] = Field(default=[], max_length=MAX_IDS)
    limit: int = Field(default=50, ge=1, le=500)
    cursor: UUID | None = None


class UploadFields(BaseModel):
    """What goes with the files of an upload. `tags` may repeat, or be one text with commas.

    `queue` is `bulk` for a part of something large, which single uploads then overtake.
    """

    model_config = ConfigDict(extra="forbid")

    library: str = DEFAULT_LIBRARY
    queue: Queue = Queue.INTERACTIVE
    title: Title = ""
    tags: Tags = []
    attributes: Json[Attributes] = Field(default_factory=dict)

    @field_validator("tags", mode="before")
    @classmethod
    def _split(cls, texts: list[str]) -> list[str]:
        return [part for text in texts for part in text.split(",") if part.strip()]


FilePart = Annotated[bytes, WithJsonSchema({"type": "string", "format": "binary"})]


class UploadForm(UploadFields):
    """An upload: one or more files, and what goes with all of them."""

    file: list[FilePart] = Field(min_length=1)
    attributes: Attributes = Field(default_factory=dict)


@api.operation("POST /images", "Upload pictures", form=UploadForm, answer=Uploaded, status=202)
def upload_images() -> Uploaded:
    """Store the files and queue them. Fails only when not one of them could be accepted."""
    fields = read_form(UploadFields)
    labels = Labels(title=fields.title, tags=fields.tags, attributes=fields.attributes)
    files = request.files.getlist("file")
    if not files or set(request.files) != {"file"}:
        raise InvalidRequestError(
            "Send the pictures as multipart/form-data, each in a field named `file`.",
            field="file",
        )
    outcomes = platform().intake.add(uploads_in(files), fields.library, labels, fields.queue)
    answer = _uploaded(outcomes)
    if not answer.images:
        first = next(one.error for one in outcomes if isinstance(one, Rejected))
        raise RefusedUploadError(first, answer.rejected)
    return answer


@api.operation("GET /images", "List pictures, newest first", query=ListQuery, answer=Images)
def list_images(query: ListQuery) -> Images:
    """List pictures; with `id`, only those."""
    selection = Selection(query.library, query.state, query.tag, query.id or None)
    page = platform().pictures.list(selection, query.limit, query.cursor)
    return Images(images=[image_of(one) for one in page.pictures], next_cursor=page.next_cursor)


@api.operation("GET /images/<uuid:picture_id>", "Show a picture", answer=Image)
def show_image(picture_id: UUID) -> Image:
    """Show one picture."""
    return image_of(platform().pictures.get(picture_id))


@api.operation("PATCH /images/<uuid:picture_id>", "Change a picture", body=Changes, answer=Image)
def change_image(picture_id: UUID, body: Changes) -> Image:
    """Change title, tags or attributes; what is left out stays."""
    return image_of(platform().pictures.change(picture_id, body))


@api.operation("DELETE /images/<uuid:picture_id>", "Remove a picture", answer=None, status=204)
def remove_image(picture_id: UUID) -> None:
    """Remove a picture for good."""
    platform().pictures.remove(picture_id)


@api.operation(
    "GET /images/<uuid:picture_id>/original",
    "The bytes as they were uploaded",
    answer=Binary(tuple(MEDIA_TYPES.values())),
)
def original_image(picture_id: UUID) -> Response:
    """Send the original, so that no browser runs anything in it."""
    picture, file = platform().pictures.original(picture_id)
    inline = picture.format in SHOWN_INLINE
    return _send(file, picture, MEDIA_TYPES[picture.format], inline=inline)


@api.operation(
    "GET /images/<uuid:picture_id>/thumbnail",
    "A small copy without metadata",
    answer=Binary(("image/jpeg",)),
)
def thumbnail_image(picture_id: UUID) -> Response:
    """Send the thumbnail."""
    picture = platform().pictures.get(picture_id).picture
    file = platform().thumbnails.open(picture)
    return _send(file, picture, "image/jpeg", inline=True)


@pages.get("/library")
def library_page() -> str:
    """Browse and filter."""
    return render_template("library.html")


@pages.get("/upload")
def upload_page() -> str:
    """Drop files and watch them become searchable."""
    return render_template("upload.html")


@pages.get("/images/<uuid:picture_id>")
def image_page(picture_id: UUID) -> str:
    """One picture, its data and its neighbours. Raises NotFoundError."""
    platform().pictures.get(picture_id)
    return render_template("image.html", picture_id=picture_id)


def _uploaded(outcomes: list[Accepted | Rejected]) -> Uploaded:
    answer = Uploaded(images=[], rejected=[])
    for position, one in enumerate(outcomes):
        if isinstance(one, Accepted):
            answer.images.append(AcceptedImage(position=position, **asdict(one)))
        else:
            answer.rejected.append(_rejected(position, one))
    return answer


def _rejected(position: int, one: Rejected) -> RejectedImage:
    return RejectedImage(
        position=position,
        filename=one.filename,
        code=one.error.code,
        message=one.error.message,
    )


def _send(file: BinaryIO, picture: Picture, media_type: str, *, inline: bool) -> Response:
    response = send_file(
        file,
        mimetype=media_type,
        as_attachment=not inline,
        download_name=picture.filename,
        etag=f"{picture.sha256}-{media_type}",
        last_modified=picture.added_at,
    )
    response.headers["Content-Security-Policy"] = INERT
    response.headers["Cache-Control"] = CACHED
    return response

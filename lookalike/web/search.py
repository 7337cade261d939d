"""Search over HTTP, and the page for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID

from flask import Blueprint, render_template, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Json

from lookalike.services.errors import InvalidRequestError
from lookalike.services.filters import Filter, Number
from lookalike.services.models import DEFAULT_LIBRARY
from lookalike.services.search import (
    MAX_EXAMPLES,
    MAX_LIMIT,
    MAX_OFFSET,
    Answer,
    SearchRequest,
)
from lookalike.web.api import Api, is_multipart, read_form
from lookalike.web.context import platform
from lookalike.web.pictures import FilePart
from lookalike.web.schemas import Found, FoundImage, IndexName, image_of
from lookalike.web.uploads import uploads_in

api = Api("search")
pages = Blueprint("search", __name__)


def _whole(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


Whole = Annotated[int, BeforeValidator(_whole)]
"""An integer as JSON Schema understands it: 5.0 is one."""

Fraction = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Extent = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Ids = Annotated[list[UUID], Field(max_length=MAX_EXAMPLES)]


class SearchBody(BaseModel):
    """What to search for. `crop` is x, y, width, height as fractions of the upright picture."""

    model_config = ConfigDict(extra="forbid", strict=True)

    library: str = DEFAULT_LIBRARY
    like: Ids = []
    unlike: Ids = []
    crop: tuple[Fraction, Fraction, Extent, Extent] | None = None
    filter: Filter = Field(default_factory=Filter)
    limit: Whole = Field(default=20, ge=1, le=MAX_LIMIT)
    offset: Whole = Field(default=0, ge=0, le=MAX_OFFSET)
    min_score: Number | None = None
    exact: bool = False
    rerank: bool = Field(
        default=False,
        description="Move up neighbours that are alike among themselves: k-reciprocal re-ranking "
        "of the first 200. The scores stay those of the search.",
    )
    index: UUID | None = Field(
        default=None,
        description="Search in this index, not in the live one. Name the one that gave the first "
        "page when you ask for the next, so that a page after a switch fits.",
    )


class SearchFields(BaseModel):
    """The text part of a search by uploaded picture."""

    model_config = ConfigDict(extra="forbid")

    query: Json[SearchBody] = Field(default_factory=SearchBody)


class SearchForm(BaseModel):
    """A search by uploaded picture: the picture, and optionally what else is asked, as JSON."""

    model_config = ConfigDict(extra="forbid")

    image: FilePart
    query: SearchBody = Field(default_factory=SearchBody)


class SimilarQuery(BaseModel):
    """How to list the neighbours of a stored picture. `filter` is JSON."""

    model_config = ConfigDict(extra="forbid")

    limit: int = Field(default=20, ge=1, le=MAX_LIMIT)
    offset: int = Field(default=0, ge=0, le=MAX_OFFSET)
    min_score: Number | None = None
    filter: Json[Filter] = Field(default_factory=Filter)
    rerank: bool = False
    index: UUID | None = None


@api.operation(
    "POST /search",
    "Find the pictures that look like an uploaded or stored one",
    body=SearchBody,
    form=SearchForm,
    answer=Found,
    waiting=True,
)
def search(body: SearchBody | None = None) -> Found:
    """Search by stored ids (JSON) or by an uploaded picture (multipart)."""
    if body is not None:
        return _found(platform().search.search(_request(body)))
    if not is_multipart() or len(request.files.getlist("image")) != 1 or len(request.files) != 1:
        raise InvalidRequestError(
            "Send one picture, in a multipart field named `image`.", field="image"
        )
    [upload] = uploads_in(request.files.getlist("image"))
    upload.staged.seal()
    wanted = _request(read_form(SearchFields).query)
    return _found(platform().search.search(replace(wanted, picture=upload.staged.file)))


@api.operation(
    "GET /images/<uuid:picture_id>/similar",
    "List the neighbours of a stored picture",
    query=SimilarQuery,
    answer=Found,
    waiting=True,
)
def similar_images(picture_id: UUID, query: SimilarQuery) -> Found:
    """The neighbours of a picture, in its own library."""
    library = platform().pictures.get(picture_id).picture.library
    wanted = SearchRequest(
        library=library,
        like=[picture_id],
        filter=query.filter,
        limit=query.limit,
        offset=query.offset,
        min_score=query.min_score,
        rerank=query.rerank,
        index=query.index,
    )
    return _found(platform().search.search(wanted))


@pages.get("/")
def search_page() -> str:
    """Drop, paste or pick a picture."""
    return render_template("search.html")


def _request(body: SearchBody) -> SearchRequest:
    return SearchRequest(**{name: getattr(body, name) for name in SearchBody.model_fields})


def _found(answer: Answer) -> Found:
    return Found(
        results=[FoundImage(image=image_of(one.shown), score=one.score) for one in answer.results],
        index=IndexName(id=answer.index_id, model=answer.model),
        took_ms=round(answer.took_ms, 3),
    )

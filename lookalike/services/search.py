"""Search: which pictures look like this one, like these, or like this part of one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO
from uuid import UUID

from lookalike.services import reranking
from lookalike.services.blobs import original_key
from lookalike.services.decoding import read_picture
from lookalike.services.errors import InvalidRequestError, LookalikeError, NotFoundError
from lookalike.services.filters import Filter
from lookalike.services.imaging.limits import Limits
from lookalike.services.imaging.preparing import Box
from lookalike.services.indexes import Indexes, OpenIndex
from lookalike.services.libraries import Libraries
from lookalike.services.metrics import SEARCH
from lookalike.services.models import DEFAULT_LIBRARY
from lookalike.services.pictures import Pictures, Shown
from lookalike.services.ports import BlobStore, Decoder, VectorQuery
from lookalike.services.recall.sampling import Sampling
from lookalike.services.records import Hit, Vector

MAX_EXAMPLES = 100
MAX_LIMIT = 1000
MAX_OFFSET = 10_000
"""A search is for the nearest; what lies behind ten thousand others is not near."""


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """What to look for: an uploaded `picture`, stored ones (`like`, `unlike`), or both.

    `crop` narrows the uploaded picture or, without one, the only `like`. `rerank` moves up
    neighbours that are alike among themselves; see `reranking`. `index` None is the live one; the
    next page of an answer names the index that gave the first, so that models never mix.
    """

    library: str = DEFAULT_LIBRARY
    picture: BinaryIO | None = None
    like: Sequence[UUID] = ()
    unlike: Sequence[UUID] = ()
    crop: Box | None = None
    filter: Filter = field(default_factory=Filter)
    limit: int = 20
    offset: int = 0
    min_score: float | None = None
    exact: bool = False
    rerank: bool = False
    index: UUID | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """One neighbour and how alike it is, 1 being the same."""

    shown: Shown
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """Neighbours, best first, all from the index `index_id`, which `model` made."""

    results: list[Result]
    index_id: UUID
    model: str
    took_ms: float


class Search:
    """Answers searches. Runs in the web process: no worker is needed."""

    def __init__(
        self,
        indexes: Indexes,
        pictures: Pictures,
        libraries: Libraries,
        blobs: BlobStore,
        decoder: Decoder,
        limits: Limits,
        sampling: Sampling,
    ) -> None:
        self._indexes = indexes
        self._pictures = pictures
        self._libraries = libraries
        self._blobs = blobs
        self._decoder = decoder
        self._limits = limits
        self._sampling = sampling

    def search(self, request: SearchRequest) -> Answer:
        """Find neighbours in the live index, or in the one that is named.

        The examples themselves are never among the results. Raises NotFoundError for unknown
        ids, libraries or indexes, InvalidRequestError for requests that make no sense, PictureError
        when the uploaded picture cannot be used, UnavailableError when a part is down.
        """
        started = time.perf_counter()
        with SEARCH.time():
            _check(request)
            self._libraries.require(request.library)
            index, hits = self._found(request)
            results = self._join(hits, request.library)
        return Answer(results, index.id, index.model, (time.perf_counter() - started) * 1000)

    def _found(self, request: SearchRequest) -> tuple[OpenIndex, list[Hit]]:
        index = self._index(request)
        hits = self._try(index, request)
        if hits is None:
            index = self._index(request)
            hits = self._hits(index, request)
        return index, hits

    def _try(self, index: OpenIndex, request: SearchRequest) -> list[Hit] | None:
        """The hits; None if the index was retired meanwhile, just after another one went live."""
        try:
            hits = self._hits(index, request)
        except LookalikeError:
            if self._stands(index):
                raise
            return None
        return hits if hits or self._stands(index) else None

    def _hits(self, index: OpenIndex, request: SearchRequest) -> list[Hit]:
        query = self._query(index, request)
        if request.rerank:
            distance = index.embedder.definition.distance
            hits = reranking.search(index.collection, query, distance)
        else:
            hits = index.collection.search(query)
        self._sampling.offer(index, query, request.filter)
        return hits

    def _index(self, request: SearchRequest) -> OpenIndex:
        if request.index is None:
            return self._indexes.live()
        return self._indexes.standing(request.index)

    def _stands(self, index: OpenIndex) -> bool:
        try:
            self._indexes.standing(index.id)
        except NotFoundError:
            return False
        return True

    def _query(self, index: OpenIndex, request: SearchRequest) -> VectorQuery:
        like, unlike = self._examples(index, request)
        return VectorQuery(
            library=request.library,
            like=like,
            unlike=unlike,
            conditions=request.filter.conditions(),
            without=frozenset((*request.like, *request.unlike)),
            limit=request.limit,
            offset=request.offset,
            min_score=request.min_score,
            exact=request.exact,
        )

    def _examples(
        self, index: OpenIndex, request: SearchRequest
    ) -> tuple[list[Vector], list[Vector]]:
        unlike = self._stored(index, request.unlike)
        if request.picture is not None:
            uploaded = self._embed(index, request.picture, request.crop)
            return [uploaded, *self._stored(index, request.like)], unlike
        if request.crop is not None:
            return [self._part_of(index, request.like[0], request.crop)], unlike
        return self._stored(index, request.like), unlike

    def _stored(self, index: OpenIndex, ids: Sequence[UUID]) -> list[Vector]:
        vectors = index.collection.vectors(ids) if ids else {}
        for picture_id in ids:
            if picture_id not in vectors:
                raise self._no_vector(picture_id)
        return [vectors[picture_id] for picture_id in ids]

    def _no_vector(self, picture_id: UUID) -> InvalidRequestError | NotFoundError:
        shown = self._pictures.get(picture_id)
        return InvalidRequestError(
            f"The picture {shown.picture.filename!r} is {shown.state}, not indexed, so nothing "
            "can be compared with it yet. Search with one that is indexed.",
            id=str(picture_id),
            state=str(shown.state),
        )

    def _part_of(self, index: OpenIndex, picture_id: UUID, box: Box) -> Vector:
        sha256 = self._pictures.get(picture_id).picture.sha256
        with self._blobs.open(original_key(sha256)) as file:
            return self._embed(index, file, box)

    def _embed(self, index: OpenIndex, file: BinaryIO, box: Box | None) -> Vector:
        recipe = index.embedder.definition.recipe
        pixels = self._decoder.prepare_query(read_picture(file, self._limits), recipe, box)
        index.collection.check()  # before a network is loaded and computed for nothing
        vector: Vector = index.embedder.embed([pixels])[0]
        return vector

    def _join(self, hits: Sequence[Hit], library: str) -> list[Result]:
        shown = self._pictures.by_ids([hit.id for hit in hits])
        return [
            Result(shown[hit.id], hit.score)
            for hit in hits
            if hit.id in shown and shown[hit.id].picture.library == library
        ]


def _check(request: SearchRequest) -> None:
    for wrong, field_name, message in _PROBLEMS:
        if wrong(request):
            raise InvalidRequestError(message, field=field_name)


_PROBLEMS: tuple[tuple[Callable[[SearchRequest], bool], str, str], ...] = (
    (
        lambda request: request.picture is None and not request.like and not request.unlike,
        "like",
        "Nothing to search with. Send a picture, or the id of one in `like`.",
    ),
    (
        lambda request: (
            request.crop is not None and request.picture is None and len(request.like) != 1
        ),
        "crop",
        "`crop` needs one picture to cut from: an uploaded one, or exactly one id in `like`.",
    ),
    (
        lambda request: bool(set(request.like) & set(request.unlike)),
        "unlike",
        "The same picture cannot be in both `like` and `unlike`.",
    ),
)

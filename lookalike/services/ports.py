"""What the services need from the outside world, as small protocols.

Every adapter passes the contract tests of its port (`tests/contract`). Adapters translate their
library's errors: whatever goes wrong with the part itself is raised as `UnavailableError`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Protocol
from uuid import UUID

from lookalike.services.decoding import Prepared
from lookalike.services.filters import Condition
from lookalike.services.imaging.preparing import Box
from lookalike.services.records import (
    CollectionSpec,
    Hit,
    ModelAvailability,
    ModelDefinition,
    Payload,
    Pixels,
    Point,
    Queue,
    Recipe,
    Storage,
    Vector,
    Vectors,
)


class Decoder(Protocol):
    """Decodes pictures that nobody vouches for. Safe to call from several threads.

    Every method takes a whole picture file as `data` and raises PictureError for what is wrong
    with it, and UnavailableError when nothing can be decoded at the moment.
    """

    def prepare_for_index(self, data: bytes, recipes: Sequence[Recipe], side: int) -> Prepared:
        """Thumbnail (longest side at most `side` pixels), pixels for each recipe, fingerprints."""
        ...

    def prepare_query(self, data: bytes, recipe: Recipe, box: Box | None) -> Pixels:
        """The picture, or the part of it that `box` marks, as `recipe` wants it.

        Raises InvalidRequestError for a box that is empty or reaches outside.
        """
        ...

    def make_thumbnail(self, data: bytes, side: int) -> bytes:
        """A JPEG file, no side longer than `side` pixels, without metadata."""
        ...

    def warm(self) -> None:
        """Begin what the first picture would otherwise wait for; returns at once."""
        ...

    def close(self) -> None:
        """End at once, also what is being decoded. May be called twice."""
        ...


class Embedder(Protocol):
    """Turns prepared pictures into vectors. Safe to call from several threads."""

    @property
    def definition(self) -> ModelDefinition:
        """Which model this is. Known without loading any weights."""
        ...

    @property
    def forward_batch(self) -> int:
        """How many pictures at once suit it best. More are cut, fewer cost more each."""
        ...

    def embed(self, pictures: Sequence[Pixels]) -> Vectors:
        """Embed pictures that were prepared by `definition.recipe` (uint8, size x size x 3).

        Returns float32 of shape (len(pictures), dimensions), rows in order, of unit length where
        the model's distance is COSINE; shape (0, dimensions) for none. A picture's row does not
        depend on the others in the batch. Loads the weights on first use, once. Raises
        UnavailableError if they cannot be.
        """
        ...


class Embedders(Protocol):
    """The models that can be used here."""

    def available(self) -> list[ModelAvailability]:
        """Every known model, in a stable order, with the standing of its weights."""
        ...

    def get(self, name: str) -> Embedder:
        """The one embedder for `name`, the same object each time; loads nothing.

        Raises NotFoundError for an unknown name, UnavailableError where weights are missing.
        """
        ...

    def pull(self, name: str, progress: Callable[[int, int | None], None]) -> None:
        """Fetch the weights of `name`; nothing happens if they are here.

        `progress` is called with the bytes that are here and the bytes of the whole (None where
        nobody knows). Interrupted, the next call goes on. Raises NotFoundError for an unknown
        name, BusyError while another process fetches them, UnavailableError where they cannot be
        had.
        """
        ...


@dataclass(frozen=True, slots=True, eq=False)
class VectorQuery:
    """What to look for in a collection.

    The target is `mean(like) + (mean(like) - mean(unlike))`, or `mean(like)` alone when
    `unlike` is empty, or `-mean(unlike)` when `like` is empty: Rocchio's relevance feedback
    with equal weights. At least one vector is needed. `records.target` computes it, at unit
    length in a collection of distance COSINE. Scores are those of `records.Distance`.

    Only points of `library` that meet all `conditions` and are not in `without` are returned,
    best score first, ties by id, skipping `offset` of them. `min_score` is inclusive.
    `exact` compares with every point instead of walking the graph.
    """

    library: str
    like: Sequence[Vector]
    unlike: Sequence[Vector] = ()
    conditions: Sequence[Condition] = ()
    without: frozenset[UUID] = field(default=frozenset())
    limit: int = 20
    offset: int = 0
    min_score: float | None = None
    exact: bool = False


class VectorCollection(Protocol):
    """One set of points that all came from one model. Safe to use from several threads.

    What `upsert`, `delete` and `set_payload` were given is found by the next search and is
    still there after the process is killed, once they have returned.
    """

    def upsert(self, points: Sequence[Point]) -> None:
        """Add points; a point whose id is known replaces the older one entirely."""
        ...

    def set_payload(self, payloads: Mapping[UUID, Payload]) -> None:
        """Replace the payloads of points; ids that are not here are passed over."""
        ...

    def delete(self, ids: Sequence[UUID]) -> None:
        """Remove points; ids that are not here are passed over."""
        ...

    def search(self, query: VectorQuery) -> list[Hit]:
        """The best `query.limit` points; all points are found, in the graph or not yet."""
        ...

    def vectors(self, ids: Sequence[UUID]) -> dict[UUID, Vector]:
        """Stored vectors by id; ids that are not here are left out."""
        ...

    def scan(self) -> Iterator[Sequence[StoredPayload]]:
        """Every point's id and payload, in slices of bounded size, in no particular order.

        A point that is there throughout is given once; one that comes or goes meanwhile may be
        given or not.
        """
        ...

    def count(self, library: str | None = None) -> int:
        """How many points there are, exactly, in one library or in all.

        Takes long where there are many: `is_empty` and `check` do not.
        """
        ...

    def is_empty(self) -> bool:
        """Whether there is no point. Looks for one at most, however many there are."""
        ...

    def check(self) -> None:
        """Ask the engine for a sign of life; looks at no point.

        Raises UnavailableError without one. A collection that is yet to be made is none.
        """
        ...

    def bytes_used(self) -> int | None:
        """Bytes that the vectors and their graph take where searches read them.

        That is in memory or, for engines that map files, on disk; about, since engines reserve
        and round. Where searches go through small copies, as `records.Storage` says, those count
        and not the full vectors beside them. None where the engine does not tell.
        """
        ...

    def wait_until_optimized(self, timeout: float) -> bool:
        """Block until every point is in the search graph or `timeout` seconds have passed.

        Returns whether all are. Nobody needs this to search; benchmarks and tests do.
        """
        ...

    def close(self) -> None:
        """Release files and threads. May be called twice; nothing else may be called after."""
        ...


class VectorStore(Protocol):
    """Holds collections by name."""

    def open(self, name: str, spec: CollectionSpec) -> VectorCollection:
        """Open the collection `name`, making it if it is not there; the same object each time.

        Payload fields that filters use are indexed when it is made, before any data. Raises
        InvalidRequestError for a storage that the engine does not offer.
        """
        ...

    def drop(self, name: str) -> None:
        """Remove a collection and all its points; nothing happens if it is not there."""
        ...

    def names(self) -> list[str]:
        """Names of the collections that exist, sorted."""
        ...

    def storages(self) -> tuple[Storage, ...]:
        """How the engine can keep vectors, in the order of `Storage`. FLOAT32 is always there."""
        ...

    def point_alias(self, alias: str, name: str) -> None:
        """Make `alias` another name of the collection `name`, and of no other; may be repeated.

        For people and tools that look into the store. Where nobody else can, nothing happens.
        """
        ...

    def close(self) -> None:
        """Close every open collection."""
        ...


@dataclass(frozen=True, slots=True)
class StoredPayload:
    """What a collection knows about a point; `payload` is None when it cannot be understood."""

    id: UUID
    payload: Payload | None


@dataclass(frozen=True, slots=True)
class Blob:
    """A file in a blob store: its key and its size in bytes."""

    key: str
    size: int


class BlobStore(Protocol):
    """Keeps files by key. Keys are relative paths of letters, digits, `.`, `-`, `_` and `/`."""

    def put(self, key: str, source: Path) -> None:
        """Store a copy of the file `source`; durable when this returns.

        A key that exists already is left as it is: keys are made from content hashes. Nobody may
        write to `source` any more: the copy may share its bytes.
        """
        ...

    def put_bytes(self, key: str, data: bytes) -> None:
        """Store `data` at once or not at all, replacing what was there.

        For what can be made again (thumbnails): a power cut may undo it.
        """
        ...

    def open(self, key: str) -> BinaryIO:
        """Open for reading, seekable; the caller closes it. Raises BlobMissingError."""
        ...

    def exists(self, key: str) -> bool:
        """Whether the key holds a file."""
        ...

    def delete(self, key: str) -> None:
        """Remove the file; nothing happens if it is not there."""
        ...

    def list(self, prefix: str) -> Iterator[Blob]:
        """Every file whose key begins with the folder `prefix` (`originals/`), in any order.

        One that comes or goes meanwhile may be given or not. Half-written files are not given.
        """
        ...


class Put(Protocol):
    """Has a long piece of work gone on with by a worker, sooner or later."""

    def __call__(self, row_id: UUID, ticket: UUID, delay: float, /) -> None:
        """Ask for the next slice, in `delay` seconds, with the ticket that it takes.

        It waits in `Queue.BULK`. Raises UnavailableError when the queue is down.
        """
        ...


class WorkQueue(Protocol):
    """Has imports, and what is to be done for indexes, carried on by workers."""

    def put_import(self, import_id: UUID, ticket: UUID, delay: float, /) -> None:
        """`Put` for an import."""
        ...

    def put_build(self, index_id: UUID, ticket: UUID, delay: float, /) -> None:
        """`Put` for what is to be done for an index."""
        ...


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker that is alive: its node's name, and the main memory that it holds.

    That is bytes, of its process and its decoding processes; None where it does not tell.
    """

    name: str
    memory: int | None


class IndexQueue(Protocol):
    """Hands batches of picture ids to workers, sooner or later."""

    def put(self, picture_ids: Sequence[UUID], queue: Queue = Queue.INTERACTIVE) -> None:
        """Ask for these pictures to be indexed. Call only after their rows are committed.

        Whatever waits in `Queue.INTERACTIVE` is taken before anything in `Queue.BULK`.
        """
        ...

    def waiting(self) -> Mapping[Queue, int]:
        """Batches in each queue that no worker has taken yet."""
        ...

    def workers(self) -> Sequence[Worker]:
        """Workers that are alive, by name; as of a few seconds ago, at most."""
        ...

    def check(self) -> None:
        """Refuse a queue that may forget what it was given. Raises ConfigurationError.

        One that does not answer passes.
        """
        ...

    def close(self) -> None:
        """Give connections back. Nothing else may be called after."""
        ...

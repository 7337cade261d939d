"""The tables. SQL is the truth: vectors and queues can be rebuilt from these rows and the blobs."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar
from uuid import UUID

from sqlalchemy import (
    JSON,
    BigInteger,
    DateTime,
    Dialect,
    ForeignKey,
    LargeBinary,
    MetaData,
    String,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy import (
    Index as SqlIndex,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from uuid6 import uuid7

from lookalike.services.records import Queue, Storage

DEFAULT_LIBRARY = "main"


class State(StrEnum):
    """How far a picture is in one index."""

    PENDING = "pending"
    INDEXED = "indexed"
    FAILED = "failed"


class IndexState(StrEnum):
    """Where an index is in its life.

    BUILDING until every picture is in it and it was measured. READY to go live, for the first time
    or again. One is LIVE: searches use it. RETIRED for good, its vectors are gone. FAILED to be
    built.
    """

    BUILDING = "building"
    READY = "ready"
    LIVE = "live"
    RETIRED = "retired"
    FAILED = "failed"


class IndexTask(StrEnum):
    """What workers have to do for an index."""

    BUILD = "build"
    MEASURE = "measure"
    SWITCH = "switch"
    RETIRE = "retire"


class ImportState(StrEnum):
    """Where an import is in its life.

    QUEUED until a worker takes it up. REHEARSING reads everything and stores no picture. RUNNING
    until all its pictures are indexed or failed. UNDOING takes away what it alone brought in.
    """

    QUEUED = "queued"
    REHEARSING = "rehearsing"
    RUNNING = "running"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    DONE = "done"
    FAILED = "failed"
    UNDOING = "undoing"
    UNDONE = "undone"


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC, aware on both sides. SQLite would hand back naive times."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert any aware time to UTC on its way in."""
        del dialect
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Say that what comes out is UTC."""
        del dialect
        return value.replace(tzinfo=UTC) if value and value.tzinfo is None else value


def now() -> datetime:
    """This moment, aware, UTC."""
    return datetime.now(UTC)


def new_id() -> UUID:
    """A UUIDv7: unique, and later ones sort after earlier ones, so ids page by age."""
    return UUID(int=uuid7().int)


class Base(DeclarativeBase):
    """Common ground of all tables, with constraint names that migrations can rely on."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(column_0_N_label)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map: ClassVar = {
        dict[str, Any]: JSON().with_variant(JSONB(), "postgresql"),
        list[str]: JSON().with_variant(JSONB(), "postgresql"),
        datetime: UtcDateTime(),
        UUID: Uuid(),
    }


class Library(Base):
    """A named set of pictures. Every search looks into exactly one."""

    __tablename__ = "libraries"

    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    added_at: Mapped[datetime] = mapped_column(default=now)


class Picture(Base):
    """One picture of one library. The same bytes twice in a library are one picture.

    `width` and `height` are upright pixels. `revision` grows with each change of what filters
    see, so that a writer of payloads can tell that it was overtaken. `dhash` and `phash` are
    64-bit fingerprints as 16 hex digits, None until the picture was decoded.
    `uploaded` says that somebody sent it by itself, so that no import may take it away again.
    """

    __tablename__ = "pictures"
    __table_args__ = (UniqueConstraint("library", "sha256"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    library: Mapped[str] = mapped_column(ForeignKey("libraries.name"))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    format: Mapped[str] = mapped_column(String(20))
    width: Mapped[int]
    height: Mapped[int]
    filename: Mapped[str] = mapped_column(String(255))
    title: Mapped[str] = mapped_column(Text, default="")
    attributes: Mapped[dict[str, Any]] = mapped_column(default=dict)
    taken_at: Mapped[datetime | None]
    added_at: Mapped[datetime] = mapped_column(default=now)
    revision: Mapped[int] = mapped_column(default=1)
    dhash: Mapped[str | None] = mapped_column(String(16))
    phash: Mapped[str | None] = mapped_column(String(16))
    uploaded: Mapped[bool] = mapped_column(default=True)

    tag_rows: Mapped[list[PictureTag]] = relationship(
        lazy="selectin", cascade="all, delete-orphan", order_by="PictureTag.tag"
    )

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags in alphabetical order."""
        return tuple(row.tag for row in self.tag_rows)


class PictureTag(Base):
    """One tag of one picture."""

    __tablename__ = "picture_tags"

    picture_id: Mapped[UUID] = mapped_column(
        ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True
    )
    tag: Mapped[str] = mapped_column(String(100), primary_key=True, index=True)


class Index(Base):
    """A vector collection made by one model and recipe.

    `storage` is how the collection keeps vectors. Where it is `centred`, `mean` (float32, little
    endian) is subtracted from each vector; None until it was fitted, on the pictures of `library`
    or on all. `labels` are tags whose pictures belong together, to measure quality by. With
    `switch`, it goes live by itself once it has passed its gates.

    `task` is what workers have to do for it; they do nothing while it is `paused`. `ticket` names
    the message that may go on with it; a worker that has it in hand holds a lease until
    `leased_until`. Pictures up to `position` have an entry. `figures` is what was measured, as
    of `measured_at`. `code` and `message` say why it failed, `message` alone what it waits for.
    """

    __tablename__ = "indexes"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    model: Mapped[str] = mapped_column(String(100))
    recipe: Mapped[str] = mapped_column(String(200))
    dimensions: Mapped[int]
    distance: Mapped[str] = mapped_column(String(20))
    collection: Mapped[str] = mapped_column(String(100), unique=True)
    state: Mapped[IndexState] = mapped_column(String(20))
    storage: Mapped[Storage] = mapped_column(String(20), default=Storage.FLOAT32)
    library: Mapped[str | None] = mapped_column(String(100))
    centred: Mapped[bool] = mapped_column(default=False)
    mean: Mapped[bytes | None] = mapped_column(LargeBinary)
    labels: Mapped[list[str]] = mapped_column(default=list)
    switch: Mapped[bool] = mapped_column(default=False)
    task: Mapped[IndexTask | None] = mapped_column(String(20))
    paused: Mapped[bool] = mapped_column(default=False)
    ticket: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    position: Mapped[UUID | None]
    figures: Mapped[dict[str, Any] | None]
    measured_at: Mapped[datetime | None]
    code: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None] = mapped_column(Text)
    added_at: Mapped[datetime] = mapped_column(default=now)
    built_at: Mapped[datetime | None]
    live_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class SampledQuery(Base):
    """A search that somebody made, kept until it is replayed to measure recall.

    `vector` is what was searched with (float32, little endian), `without` the ids of the examples,
    which are never found, `filter` the filter as JSON, `shape` its name in `shapes.Shape`.
    """

    __tablename__ = "sampled_queries"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    index_id: Mapped[UUID] = mapped_column(ForeignKey("indexes.id"))
    library: Mapped[str] = mapped_column(String(100))
    vector: Mapped[bytes] = mapped_column(LargeBinary)
    without: Mapped[list[str]] = mapped_column(default=list)
    filter: Mapped[dict[str, Any]] = mapped_column(default=dict)
    shape: Mapped[str] = mapped_column(String(20))
    asked_at: Mapped[datetime] = mapped_column(default=now)


class RecallSample(Base):
    """How many of the ten nearest a replayed search found, 0 to 1."""

    __tablename__ = "recall_samples"
    __table_args__ = (SqlIndex("ix_recall_samples_asked_at", "asked_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    index_id: Mapped[UUID] = mapped_column(ForeignKey("indexes.id"))
    shape: Mapped[str] = mapped_column(String(20))
    recall: Mapped[float]
    asked_at: Mapped[datetime]


class Entry(Base):
    """How far one picture is in one index, and why it failed if it did.

    `pending_since` is when it last became pending, `queued_at` when it was last handed to `queue`:
    what is lost or meets an outage is handed over again, and is pending all the while. A worker
    that has it in hand holds a lease until `leased_until`, and renews it as it goes; a lease that
    has run out is a worker that died. `attempts` counts the workers that took it without telling
    how it went.
    """

    __tablename__ = "entries"
    __table_args__ = (
        # With all that tells the age of the oldest, which is asked for every few seconds.
        SqlIndex("ix_entries_index_state", "index_id", "state", "queue", "pending_since"),
        SqlIndex("ix_entries_state_queue", "state", "queue", "queued_at"),
    )

    picture_id: Mapped[UUID] = mapped_column(
        ForeignKey("pictures.id", ondelete="CASCADE"), primary_key=True
    )
    index_id: Mapped[UUID] = mapped_column(ForeignKey("indexes.id"), primary_key=True)
    state: Mapped[State] = mapped_column(String(20), default=State.PENDING)
    code: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(default=0)
    queue: Mapped[Queue] = mapped_column(String(20), default=Queue.INTERACTIVE)
    queued_at: Mapped[datetime] = mapped_column(default=now)
    pending_since: Mapped[datetime] = mapped_column(default=now)
    leased_until: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class OutboxItem(Base):
    """A promise, written with a change, that vectors and blobs will be made to agree with SQL.

    It names a picture whose payload changed, or that was removed (then no picture row is left,
    and `sha256` says which blobs may go). A worker may have a removed picture in hand `until` then,
    and store its vector once more: the promise is kept that long.
    """

    __tablename__ = "outbox"

    picture_id: Mapped[UUID] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    added_at: Mapped[datetime] = mapped_column(default=now)
    until: Mapped[datetime | None]


class Import(Base):
    """One bulk import: where its pictures come from, how far it is, and what became of them.

    `kind` and `spec` say what to read, `file_key` is the blob of what was uploaded to read from.
    Items before `position` have been dealt with; `total` is None while nobody knows how many
    there are. Each item counts once, as `new`, `duplicate` or `failed`; `bytes` are those of the
    pictures that it stored, `removed` those that its undoing took away. `ticket` names the task
    that may go on with it; a worker that has it in hand holds a lease until `leased_until`.
    `rate` is items a second of late, as of `rated_at`, when `rated_settled` were settled.
    `received_at` is when its sender was last heard of, where its files are sent one batch after
    another. One that is `of_owner` may read any file of this machine: whoever started it owns the
    data folder. One that was `cut_short` by somebody brings in nothing more.
    `rehearsal` is what the rehearsal foretold; `rehearsed` holds its sums while it goes on.
    """

    __tablename__ = "imports"
    __table_args__ = (SqlIndex("ix_imports_state", "state"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(String(20))
    spec: Mapped[dict[str, Any]] = mapped_column(default=dict)
    name: Mapped[str] = mapped_column(Text)
    file_key: Mapped[str | None] = mapped_column(String(100))
    library: Mapped[str] = mapped_column(ForeignKey("libraries.name"))
    tags: Mapped[list[str]] = mapped_column(default=list)
    dry_run: Mapped[bool] = mapped_column(default=False)
    state: Mapped[ImportState] = mapped_column(String(20), default=ImportState.QUEUED)
    code: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None] = mapped_column(Text)
    position: Mapped[int] = mapped_column(default=0)
    exhausted: Mapped[bool] = mapped_column(default=False)
    total: Mapped[int | None]
    new: Mapped[int] = mapped_column(default=0)
    duplicate: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    removed: Mapped[int] = mapped_column(default=0)
    rate: Mapped[float | None]
    rated_at: Mapped[datetime | None]
    rated_settled: Mapped[int] = mapped_column(default=0)
    received_at: Mapped[datetime | None] = mapped_column(default=now)
    of_owner: Mapped[bool] = mapped_column(default=False)
    cut_short: Mapped[bool] = mapped_column(default=False)
    rehearsed: Mapped[dict[str, Any]] = mapped_column(default=dict)
    rehearsal: Mapped[dict[str, Any] | None]
    ticket: Mapped[UUID | None]
    leased_until: Mapped[datetime | None]
    added_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class ImportedPicture(Base):
    """The picture of one item of an import.

    `brought` says that it was new to the library, and this its first item. In a rehearsal
    `picture_id` is None: the row then only remembers that these bytes were seen.
    """

    __tablename__ = "imported_pictures"
    __table_args__ = (SqlIndex("ix_imported_pictures_sha256", "import_id", "sha256"),)

    import_id: Mapped[UUID] = mapped_column(
        ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    picture_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("pictures.id", ondelete="CASCADE"), index=True
    )
    name: Mapped[str] = mapped_column(Text)
    brought: Mapped[bool]


class ImportFailure(Base):
    """An item of an import that did not become searchable, and why.

    `picture_id` names the picture when it was stored and only then failed. `retry` says that it
    is to be tried again.
    """

    __tablename__ = "import_failures"
    __table_args__ = (SqlIndex("ix_import_failures_retry", "import_id", "retry", "position"),)

    import_id: Mapped[UUID] = mapped_column(
        ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(Text)
    code: Mapped[str] = mapped_column(String(40))
    message: Mapped[str] = mapped_column(Text)
    picture_id: Mapped[UUID | None]
    retry: Mapped[bool] = mapped_column(default=False)

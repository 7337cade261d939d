"""Pictures that are stored: show, list, change and remove them, and hand out their files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, TypeAlias
from uuid import UUID

from sqlalchemy import Select, and_, select
from sqlalchemy.orm import Session

from lookalike.services import entries
from lookalike.services.blobs import original_key
from lookalike.services.db import Database
from lookalike.services.errors import NotFoundError
from lookalike.services.indexes import live_index_id
from lookalike.services.labels import Changes
from lookalike.services.models import Entry, Picture, PictureTag, State
from lookalike.services.outbox import Outbox, remember, remember_removal
from lookalike.services.payloads import agree, payload_of
from lookalike.services.ports import BlobStore

Standings: TypeAlias = "Select[Picture, str, str | None, str | None]"
"""Pictures with state, code and message in the live index."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture with its standing in the live index. `code` and `message` say why it failed."""

    picture: Picture
    state: State
    code: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Page:
    """A stretch of pictures, newest first; `next_cursor` continues it, None at the end."""

    pictures: list[Shown]
    next_cursor: UUID | None


@dataclass(frozen=True, slots=True)
class Selection:
    """Which pictures to list. Every part that is given must hold; `ids` None means any."""

    library: str | None = None
    state: State | None = None
    tag: str | None = None
    ids: Sequence[UUID] | None = None


class Pictures:
    """Everything about stored pictures but how they came in."""

    def __init__(self, db: Database, blobs: BlobStore, outbox: Outbox) -> None:
        self._db = db
        self._blobs = blobs
        self._outbox = outbox

    def get(self, picture_id: UUID) -> Shown:
        """One picture. Raises NotFoundError."""
        with self._db.read() as session:
            return _require(session, picture_id)

    def by_ids(self, ids: Sequence[UUID]) -> dict[UUID, Shown]:
        """Those of these pictures that exist, by id."""
        with self._db.read() as session:
            query = _standing().where(Picture.id.in_(ids))
            return {one.picture.id: one for one in _shown(session, query)}

    def list(self, selection: Selection, limit: int, cursor: UUID | None = None) -> Page:
        """Up to `limit` pictures, newest first, from behind `cursor` on."""
        with self._db.read() as session:
            query = _selected(_standing(), selection)
            if cursor is not None:
                query = query.where(Picture.id < cursor)
            found = _shown(session, query.order_by(Picture.id.desc()).limit(limit + 1))
        more = len(found) > limit
        return Page(found[:limit], found[limit - 1].picture.id if more else None)

    def counts(self) -> dict[State, int]:
        """How many pictures are in each state of the live index."""
        with self._db.read() as session:
            return entries.by_state(session, live_index_id())

    def change(self, picture_id: UUID, changes: Changes) -> Shown:
        """Change title, tags or attributes. Raises NotFoundError."""
        with self._db.write() as session:
            picture = _held(session, picture_id)
            if _apply(picture, changes):
                picture.revision += 1
                remember(session, picture.id, picture.sha256)
        self._outbox.settle_soon([picture_id])
        return self.get(picture_id)

    def remove(self, picture_id: UUID) -> None:
        """Remove the picture, its vectors and, unless another library has them, its files.

        Raises NotFoundError. Searches stop showing it at once.
        """
        with self._db.write() as session:
            picture = _held(session, picture_id)
            remember_removal(session, picture)
            session.delete(picture)
        self._outbox.settle_soon([picture_id])

    def original(self, picture_id: UUID) -> tuple[Picture, BinaryIO]:
        """The picture and its bytes as they were uploaded; the caller closes the file.

        Raises NotFoundError, BlobMissingError.
        """
        picture = self.get(picture_id).picture
        return picture, self._blobs.open(original_key(picture.sha256))


def _standing() -> Standings:
    return select(Picture, Entry.state, Entry.code, Entry.message).join(
        Entry, and_(Entry.picture_id == Picture.id, Entry.index_id == live_index_id())
    )


def _shown(session: Session, query: Standings) -> list[Shown]:
    return [
        Shown(picture, State(state), code, message)
        for picture, state, code, message in session.execute(query)
    ]


def _require(session: Session, picture_id: UUID) -> Shown:
    found = _shown(session, _standing().where(Picture.id == picture_id))
    if not found:
        raise NotFoundError(
            "There is no picture with this id. It may have been removed.", id=str(picture_id)
        )
    return found[0]


def _held(session: Session, picture_id: UUID) -> Picture:
    """The picture, which nobody else changes until this write ends. Raises NotFoundError."""
    session.execute(select(Picture.id).where(Picture.id == picture_id).with_for_update())
    return _require(session, picture_id).picture


def _selected(query: Standings, selection: Selection) -> Standings:
    if selection.library is not None:
        query = query.where(Picture.library == selection.library)
    if selection.state is not None:
        query = query.where(Entry.state == selection.state)
    if selection.tag is not None:
        query = query.where(Picture.tag_rows.any(PictureTag.tag == selection.tag))
    if selection.ids is not None:
        query = query.where(Picture.id.in_(selection.ids))
    return query


def _apply(picture: Picture, changes: Changes) -> bool:
    """Apply the changes; answers whether anything that filters see has changed."""
    before = payload_of(picture)
    if changes.title is not None:
        picture.title = changes.title
    if changes.tags is not None:
        _set_tags(picture, set(changes.tags))
    if changes.attributes is not None:
        picture.attributes = dict(changes.attributes)
    return not agree(before, payload_of(picture))


def _set_tags(picture: Picture, tags: set[str]) -> None:
    kept = [row for row in picture.tag_rows if row.tag in tags]
    added = sorted(tags - {row.tag for row in kept})
    picture.tag_rows = sorted(
        [*kept, *(PictureTag(tag=tag) for tag in added)], key=lambda row: row.tag
    )
